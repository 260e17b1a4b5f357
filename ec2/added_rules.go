package ec2

import (
	"iter"
	"net/netip"
	"slices"

	"moat/flow"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// AddedRules gives the rules that a transaction adds to security groups or
// makes wider, as permissions judge them. A rule that names a prefix list or a
// group is given once for each range or address that it lets in, if addresses
// asks for them, and once without if there is none. What a prefix list gains
// counts as what the rules that use it add. The rules that every new group
// begins with are nobody's doing and are left out.
func AddedRules(tx *state.Txn, addresses bool) iter.Seq[*iam.Rule] {
	return func(yield func(*iam.Rule) bool) {
		for _, c := range tx.Changes() {
			if c.New == nil || c.Old == nil || c.Scope != tx.Scope {
				continue
			}
			switch row := c.New.(type) {
			case *vpc.SecurityGroup:
				old := c.Old.(*vpc.SecurityGroup)
				for i := range row.Rules {
					if r := &row.Rules[i]; widens(old, r) && !eachRange(tx, r, addresses, yield) {
						return
					}
				}
			case *vpc.PrefixList:
				if !gained(tx, c.Old.(*vpc.PrefixList), row, yield) {
					return
				}
			}
		}
	}
}

// widens reports whether a rule lets more in than the rule with its id did in
// an older state of the group.
func widens(old *vpc.SecurityGroup, r *vpc.Rule) bool {
	i := slices.IndexFunc(old.Rules, func(o vpc.Rule) bool { return o.ID == r.ID })
	if i < 0 {
		return true
	}
	o := &old.Rules[i]
	if o.Key() == r.Key() {
		return false
	}
	return o.Direction != r.Direction || !protocolWithin(r, o) || !peerWithin(r.Peer, o.Peer)
}

func protocolWithin(r, in *vpc.Rule) bool {
	switch {
	case in.Protocol == flow.AllProtocols:
		return true
	case in.Protocol != r.Protocol:
		return false
	case r.Protocol == flow.TCP || r.Protocol == flow.UDP:
		return in.Ports.From <= r.Ports.From && r.Ports.To <= in.Ports.To
	case r.Protocol == flow.ICMP || r.Protocol == flow.ICMPv6:
		return (in.Ports.From == -1 || in.Ports.From == r.Ports.From) && (in.Ports.To == -1 || in.Ports.To == r.Ports.To)
	}
	return true
}

func peerWithin(p, in vpc.Peer) bool {
	if p == in {
		return true
	}
	return p.Ref == "" && in.Ref == "" && in.CIDR.Bits() <= p.CIDR.Bits() && in.CIDR.Contains(p.CIDR.Addr())
}

// ruleOf gives a rule as permissions see it, without its range.
func ruleOf(r *vpc.Rule) iam.Rule {
	out := iam.Rule{Direction: r.Direction.String(), Protocol: r.Protocol.String()}
	switch r.Protocol {
	case flow.AllProtocols:
		out.From, out.To, out.HasPorts = 0, 65535, true
	case flow.TCP, flow.UDP:
		out.From, out.To, out.HasPorts = r.Ports.From, r.Ports.To, true
	}
	return out
}

// eachRange gives a rule once for each range that it lets in.
func eachRange(r state.Reader, rule *vpc.Rule, addresses bool, yield func(*iam.Rule) bool) bool {
	out := ruleOf(rule)
	some := false
	with := func(p netip.Prefix) bool {
		some = true
		one := out
		one.CIDR = p
		return yield(&one)
	}
	if id, ok := rule.Peer.PrefixList(); ok {
		out.PrefixList = string(id)
		if l := findPrefixList(r, string(id)); l != nil && addresses {
			for _, e := range l.Entries {
				if !with(e.CIDR) {
					return false
				}
			}
		}
	} else if id, ok := rule.Peer.Group(); ok {
		out.Group = string(id)
		if addresses {
			for i := range state.Interfaces.By(r, state.InterfacesByGroup, string(id)) {
				for _, a := range slices.Concat(i.Addresses, i.IPv6) {
					if !with(netip.PrefixFrom(a, a.BitLen())) {
						return false
					}
				}
			}
		}
	} else {
		return with(rule.Peer.CIDR)
	}
	return some || yield(&out)
}

// gained gives the entries that a prefix list gains, once for each rule that
// uses the list.
func gained(r state.Reader, old, l *vpc.PrefixList, yield func(*iam.Rule) bool) bool {
	had := make(map[netip.Prefix]bool, len(old.Entries))
	for _, e := range old.Entries {
		had[e.CIDR] = true
	}
	var more []netip.Prefix
	for _, e := range l.Entries {
		if !had[e.CIDR] {
			more = append(more, e.CIDR)
		}
	}
	if len(more) == 0 {
		return true
	}
	seen := map[iam.Rule]bool{}
	for g := range state.Groups.By(r, state.GroupsByRef, string(l.ID)) {
		for i := range g.Rules {
			if g.Rules[i].Peer.Ref != string(l.ID) {
				continue
			}
			out := ruleOf(&g.Rules[i])
			out.PrefixList = string(l.ID)
			if seen[out] { // of another group, and alike
				continue
			}
			seen[out] = true
			for _, p := range more {
				one := out
				one.CIDR = p
				if !yield(&one) {
					return false
				}
			}
		}
	}
	return true
}
