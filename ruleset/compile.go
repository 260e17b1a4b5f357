package ruleset

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"moat/flow"
	"moat/state"
	"moat/vpc"
)

// A Local is an interface that is bound on the host.
type Local struct {
	Scope state.Scope
	ID    vpc.InterfaceID
}

// Options are what the operator of the host sets.
type Options struct {
	// Exempt are remote addresses that rules never filter.
	Exempt []netip.Addr
	// ExemptResolver exempts the third address of each VPC's blocks too.
	ExemptResolver bool
	// Failsafe are the pinholes of the host's own devices.
	Failsafe []Pinhole
	OnRevoke OnRevoke
	// PrefixList gives a list that is not in the state: those that AWS owns.
	// Nil for none.
	PrefixList func(r state.Reader, id vpc.PrefixListID) *vpc.PrefixList
}

// DefaultExempt are the addresses that security groups never filter on AWS,
// beside the VPC's resolver: user guide, "Security groups", what is not
// filtered. Resolver, metadata and time, and their IPv6 twins.
func DefaultExempt() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("169.254.169.253"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("169.254.169.123"),
		netip.MustParseAddr("fd00:ec2::253"), netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd00:ec2::123"),
	}
}

// OnRevokeTag is the tag by which a group says what becomes of flows whose
// rule goes away: cut, aws, or drain and a number of seconds.
const OnRevokeTag = "moat:on-revoke"

// Compile gives what a host must enforce for the interfaces bound there. One
// that is not in the view, or has no group, is left out: a data plane denies
// what it does not have.
func Compile(v *state.View, locals []Local, o Options) *Ruleset {
	c := &compiler{view: v, options: o, policies: map[string]int{}, wanted: map[wanted]bool{}}
	locals = slices.Clone(locals)
	slices.SortFunc(locals, func(a, b Local) int { return cmp.Compare(a.ID, b.ID) })
	locals = slices.CompactFunc(locals, func(a, b Local) bool { return a.ID == b.ID })
	rs := &Ruleset{Rev: v.Rev}
	var ins, outs []string
	for _, l := range locals {
		space := v.In(l.Scope)
		row := state.Interfaces.Get(space, l.ID)
		if row == nil {
			continue
		}
		in, out := c.policy(space, row, flow.Ingress), c.policy(space, row, flow.Egress)
		rs.Interfaces = append(rs.Interfaces, c.iface(space, row))
		ins, outs = append(ins, in), append(outs, out)
	}
	// Policies in the order of names, whatever the order of interfaces.
	slices.SortFunc(c.made, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	at := map[string]int{}
	for i, p := range c.made {
		at[p.Name] = i
	}
	for i := range rs.Interfaces {
		rs.Interfaces[i].In, rs.Interfaces[i].Out = at[ins[i]], at[outs[i]]
	}
	rs.Policies = c.made
	rs.Members = c.members()
	return rs
}

type compiler struct {
	view     *state.View
	options  Options
	policies map[string]int
	made     []Policy
	wanted   map[wanted]bool
}

// wanted is a group whose members must be known in a VPC.
type wanted struct {
	scope state.Scope
	vpc   vpc.VPCID
	group vpc.GroupID
}

func (c *compiler) iface(space *state.Space, row *vpc.Interface) Interface {
	i := Interface{ID: row.ID, VPC: row.VPC, MAC: row.MAC, Check: row.SourceDestCheck, Timeouts: DefaultTimeouts, OnRevoke: c.onRevoke(space, row)}
	for _, a := range slices.Concat(row.Addresses, row.IPv6) {
		i.Own = append(i.Own, netip.PrefixFrom(a, a.BitLen()))
	}
	i.Own = slices.Concat(i.Own, row.IPv4Prefixes, row.IPv6Prefixes)
	slices.SortFunc(i.Own, comparePrefixes)
	i.Own = slices.Compact(i.Own)
	if t := row.Tracking; t != nil {
		i.Timeouts.TCPEstablished = cmp.Or(t.TCPEstablished, i.Timeouts.TCPEstablished)
		i.Timeouts.UDPStream = cmp.Or(t.UDPStream, i.Timeouts.UDPStream)
		i.Timeouts.UDP = cmp.Or(t.UDP, i.Timeouts.UDP)
	}
	i.Exempt = slices.Clone(c.options.Exempt)
	if v := state.VPCs.Get(space, row.VPC); v != nil && c.options.ExemptResolver {
		for _, b := range v.Blocks {
			if b.CIDR.Addr().Is4() {
				i.Exempt = append(i.Exempt, b.CIDR.Addr().Next().Next())
			}
		}
	}
	slices.SortFunc(i.Exempt, netip.Addr.Compare)
	i.Exempt = slices.Compact(i.Exempt)
	return i
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// onRevoke gives the mode of an interface: the strictest that one of its
// groups asks for by tag, or the host's.
func (c *compiler) onRevoke(space *state.Space, row *vpc.Interface) OnRevoke {
	best, found := c.options.OnRevoke, false
	for _, id := range row.Groups {
		g := state.Groups.Get(space, id)
		if g == nil {
			continue
		}
		for _, t := range g.Tags {
			if m, ok := ParseOnRevoke(t.Value); t.Key == OnRevokeTag && ok {
				if !found || m.stricter(best) {
					best = m
				}
				found = true
			}
		}
	}
	return best
}

func (o OnRevoke) stricter(than OnRevoke) bool {
	rank := func(o OnRevoke) int64 {
		switch o.Mode {
		case Cut:
			return -1
		case Drain:
			return int64(o.Drain)
		}
		return 1 << 40
	}
	return rank(o) < rank(than)
}

// String gives what ParseOnRevoke reads.
func (o OnRevoke) String() string {
	switch o.Mode {
	case AWS:
		return "aws"
	case Drain:
		return "drain " + strconv.Itoa(int(o.Drain))
	}
	return "cut"
}

// ParseOnRevoke reads cut, aws, or drain and a number of seconds.
func ParseOnRevoke(s string) (OnRevoke, bool) {
	switch s {
	case "cut":
		return OnRevoke{}, true
	case "aws":
		return OnRevoke{Mode: AWS}, true
	}
	if n, ok := strings.CutPrefix(s, "drain "); ok {
		if sec, err := strconv.Atoi(strings.TrimSpace(n)); err == nil && sec >= 0 && sec <= 432_000 {
			return OnRevoke{Mode: Drain, Drain: int32(sec)}, true
		}
	}
	return OnRevoke{}, false
}

// policy makes the policy of an interface in one direction, unless another
// interface with the same groups had it made, and gives its name.
func (c *compiler) policy(space *state.Space, row *vpc.Interface, d flow.Direction) string {
	ids := slices.Clone(row.Groups)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rules, mark := c.pinholes(row, d)
	name := d.String() + mark
	for _, id := range ids {
		name += " " + string(id)
	}
	_, made := c.policies[name]
	for _, id := range ids {
		g := state.Groups.Get(space, id)
		if g == nil {
			continue
		}
		for i := range g.Rules {
			if r := &g.Rules[i]; r.Direction == d {
				// An interface of another VPC may share the policy; which
				// members it sees is its own matter.
				if ref, ok := r.Peer.Group(); ok {
					c.wanted[wanted{space.Scope, row.VPC, ref}] = true
				}
				if !made {
					rules = c.expand(space, rules, r)
				}
			}
		}
	}
	if !made {
		slices.SortFunc(rules, Compare)
		c.policies[name] = len(c.made)
		c.made = append(c.made, Policy{Name: name, Direction: d, Rules: slices.Compact(rules)})
	}
	return name
}

// expand appends what a rule of the state stands for.
func (c *compiler) expand(space *state.Space, rules []Rule, r *vpc.Rule) []Rule {
	out := Rule{Protocol: r.Protocol, Ports: r.Ports, ID: r.ID}
	if r.Protocol == flow.AllProtocols {
		out.Ports = flow.NoPorts
	}
	if id, ok := r.Peer.Group(); ok {
		out.Remote.Group = id
		return append(rules, out)
	}
	id, ok := r.Peer.PrefixList()
	if !ok {
		out.Remote.Prefix = r.Peer.CIDR
		return append(rules, out)
	}
	l := state.PrefixLists.Get(space, id)
	if l == nil && c.options.PrefixList != nil {
		l = c.options.PrefixList(space, id)
	}
	if l == nil {
		return rules // a list that is not there allows nobody
	}
	for _, e := range l.Entries {
		out.Remote.Prefix = e.CIDR
		rules = append(rules, out)
	}
	return rules
}

// A reach is a VPC whose interfaces a group reference can match.
type reach struct {
	scope state.Scope
	vpc   vpc.VPCID
}

// reaches gives the VPCs that are seen from one: itself, and those that an
// active peering of the same region connects it with. A peering leads no
// further: VPC peering guide, "VPC peering limitations".
func reaches(v *state.View, scope state.Scope, id vpc.VPCID) []reach {
	out := []reach{{scope, id}}
	for p := range state.Peerings.By(v.In(scope), state.PeeringsByVPC, string(id)) {
		if o, ok := p.Other(id); ok && p.Status == vpc.PeeringActive && p.SameRegion() {
			out = append(out, reach{state.Scope{Region: o.Region, Account: o.Owner}, o.VPC})
		}
	}
	return out
}

// membersOf gives the interfaces of the VPC that have a group.
func (there reach) membersOf(v *state.View, group vpc.GroupID) iter.Seq[*vpc.Interface] {
	return func(yield func(*vpc.Interface) bool) {
		for i := range state.Interfaces.By(v.In(there.scope), state.InterfacesByGroup, string(group)) {
			if i.VPC == there.vpc && !yield(i) {
				return
			}
		}
	}
}

// MembersOf gives the interfaces whose private addresses a rule matches that
// names a group, for an interface in a VPC.
func MembersOf(v *state.View, scope state.Scope, id vpc.VPCID, group vpc.GroupID) iter.Seq[*vpc.Interface] {
	return func(yield func(*vpc.Interface) bool) {
		for _, there := range reaches(v, scope, id) {
			for i := range there.membersOf(v, group) {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// members gives the addresses of the groups that policies refer to. A group
// reference matches the private addresses of the group's interfaces in the
// same VPC and in peered ones: VPC user guide, "Security group referencing".
// Peered VPCs have no address in common, so that an address is one interface's
// as seen from either.
func (c *compiler) members() []Member {
	type key struct {
		vpc  vpc.VPCID
		addr netip.Addr
	}
	groups, seen := map[key][]vpc.GroupID{}, map[reach][]reach{}
	for w := range c.wanted {
		from := reach{w.scope, w.vpc}
		if seen[from] == nil {
			seen[from] = reaches(c.view, w.scope, w.vpc)
		}
		for _, there := range seen[from] {
			for i := range there.membersOf(c.view, w.group) {
				for _, a := range slices.Concat(i.Addresses, i.IPv6) {
					k := key{w.vpc, a}
					groups[k] = append(groups[k], w.group)
				}
			}
		}
	}
	out := make([]Member, 0, len(groups))
	shared := map[vpc.GroupID][]vpc.GroupID{} // lists of one
	for k, ids := range groups {
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) == 1 {
			one, ok := shared[ids[0]]
			if !ok {
				one = ids[:1:1]
				shared[ids[0]] = one
			}
			ids = one
		}
		out = append(out, Member{k.vpc, k.addr, ids})
	}
	slices.SortFunc(out, compareMembers)
	return out
}
