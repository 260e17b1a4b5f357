package ruleset

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"moat/flow"
	"moat/vpc"
)

// Judge says what becomes of a flow's first packet at one interface. It is the
// specification: plain loops, no index, nothing remembered. Later packets of
// an allowed flow, and replies to it, pass without being judged again. A packet
// of a TCP connection that nobody saw begin is judged like a first one, each for
// itself: it begins no flow.
func (rs *Ruleset) Judge(f Flow) Verdict {
	i := rs.Interface(f.Interface)
	if i == nil {
		return Verdict{Reason: NoInterface}
	}
	remote := f.Remote.Unmap()
	p := i.In
	if f.Direction == flow.Egress {
		p = i.Out
	}
	for _, r := range rs.Policies[p].Rules {
		if r.matchesPacket(f, remote) && rs.matchesRemote(i.VPC, r.Remote, remote) {
			return Verdict{Allowed: true, Rule: r.ID, Reason: ByRule}
		}
	}
	return Verdict{Reason: NoRule}
}

// matchesPacket looks at everything but the remote.
func (r *Rule) matchesPacket(f Flow, remote netip.Addr) bool {
	if r.Protocol == flow.AllProtocols {
		return true
	}
	if r.Protocol != f.Protocol {
		return false
	}
	switch r.Protocol {
	case flow.TCP, flow.UDP:
		return r.Ports.From <= int32(f.Port) && int32(f.Port) <= r.Ports.To
	case flow.ICMP, flow.ICMPv6:
		// ICMP rules are for IPv4 and ICMPv6 rules for IPv6, whatever range
		// they name.
		if remote.Is4() != (r.Protocol == flow.ICMP) {
			return false
		}
		return (r.Ports.From == -1 || r.Ports.From == int32(f.Port)) &&
			(r.Ports.To == -1 || r.Ports.To == int32(f.Code))
	}
	// An IPv6 packet is judged by the protocol behind its extension headers.
	return remote.Is4() || !r.Protocol.IsIPv6Extension()
}

func (rs *Ruleset) matchesRemote(v vpc.VPCID, want Remote, remote netip.Addr) bool {
	if want.Group == "" {
		return want.Prefix.Contains(remote) // false for the other family, and for the zero prefix
	}
	return slices.Contains(rs.GroupsOf(v, remote), want.Group)
}

// Interface gives the interface with an id, or nil.
func (rs *Ruleset) Interface(id vpc.InterfaceID) *Interface {
	i := sort.Search(len(rs.Interfaces), func(i int) bool { return rs.Interfaces[i].ID >= id })
	if i < len(rs.Interfaces) && rs.Interfaces[i].ID == id {
		return &rs.Interfaces[i]
	}
	return nil
}

// GroupsOf gives the groups that an address belongs to in a VPC.
func (rs *Ruleset) GroupsOf(v vpc.VPCID, a netip.Addr) []vpc.GroupID {
	return rs.Members.get(Member{VPC: v, Addr: a})
}

// Compare is the canonical order of rules: by protocol, ports, remote and id.
func Compare(a, b Rule) int {
	switch {
	case a.Protocol != b.Protocol:
		return cmp.Compare(a.Protocol, b.Protocol)
	case a.Ports.From != b.Ports.From:
		return cmp.Compare(a.Ports.From, b.Ports.From)
	case a.Ports.To != b.Ports.To:
		return cmp.Compare(a.Ports.To, b.Ports.To)
	case a.Remote.Group != b.Remote.Group:
		return cmp.Compare(a.Remote.Group, b.Remote.Group)
	}
	return cmp.Or(
		a.Remote.Prefix.Addr().Compare(b.Remote.Prefix.Addr()),
		cmp.Compare(a.Remote.Prefix.Bits(), b.Remote.Prefix.Bits()),
		strings.Compare(string(a.ID), string(b.ID)),
	)
}

func compareMembers(a, b Member) int {
	return cmp.Or(cmp.Compare(a.VPC, b.VPC), a.Addr.Compare(b.Addr))
}
