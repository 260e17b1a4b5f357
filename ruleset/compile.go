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
	// Exempt is the traffic of every interface that passes whatever the rules
	// of its groups say.
	Exempt []Exemption
	// Failsafe are the pinholes of the host's own devices.
	Failsafe []Pinhole
	OnRevoke OnRevoke
	// PrefixList gives a list that is not in the state: those that AWS owns.
	// Nil for none.
	PrefixList func(r state.Reader, id vpc.PrefixListID) *vpc.PrefixList
}

// OnRevokeTag is the tag by which a group says what becomes of flows whose
// rule goes away: cut, aws, or drain and a number of seconds.
const OnRevokeTag = "moat:on-revoke"

// Compile gives what a host must enforce for the interfaces bound there. One
// that is not in the view, or has no group, is left out: a data plane denies
// what it does not have.
func Compile(v *state.View, locals []Local, o Options) *Ruleset {
	return NewCompiler(o).Compile(v, locals)
}

// A Compiler compiles one view after another. What has not changed since the
// last one is not made again, so that a change costs what it changes, however
// many members groups have. Its answers are those of Compile. It is for one
// goroutine.
type Compiler struct {
	options Options
	last    *compiler
	parts   map[Part]bool // that last was compiled from; nil if not known
}

// NewCompiler gives a compiler. What Options.PrefixList gives must not change.
func NewCompiler(o Options) *Compiler { return &Compiler{options: o} }

// Compile is like the function of that name.
func (c *Compiler) Compile(v *state.View, locals []Local) *Ruleset {
	now := &compiler{view: v, options: c.options, last: c.last}
	if c.last == nil {
		now.last = &compiler{view: state.NewView(), rs: &Ruleset{}}
	}
	now.compile(locals)
	now.last = nil
	c.last, c.parts = now, nil
	return now.rs
}

// A compiler compiles one view, by what the last one gave.
type compiler struct {
	view    *state.View
	options Options
	last    *compiler

	rs       *Ruleset
	locals   []Local
	of       map[Local]*local
	policies map[string]*policy
	made     []Policy
	wanted   map[wanted]bool
	reach    map[reach][]reach // of the VPCs in wanted
}

// A local is what an interface is compiled to, and of what.
type local struct {
	row     *vpc.Interface
	vpc     *vpc.VPC
	subnet  *vpc.Subnet
	groups  []*vpc.SecurityGroup // those that there are, in the order of ids
	iface   Interface
	in, out string // names of policies
	wants   []wanted
}

// A policy is one with what it was made of.
type policy struct {
	scope  state.Scope
	groups []*vpc.SecurityGroup
	lists  bool // a prefix list is in it
	rules  []Rule
}

// wanted is a group whose members must be known in a VPC.
type wanted struct {
	scope state.Scope
	vpc   vpc.VPCID
	group vpc.GroupID
}

func (c *compiler) compile(locals []Local) {
	locals = slices.Clone(locals)
	slices.SortFunc(locals, func(a, b Local) int { return cmp.Compare(a.ID, b.ID) })
	c.locals = slices.CompactFunc(locals, func(a, b Local) bool { return a.ID == b.ID })
	c.of, c.policies = make(map[Local]*local, len(c.locals)), map[string]*policy{}
	same := slices.Equal(c.locals, c.last.locals)
	var all []*local
	for _, l := range c.locals {
		space := c.view.In(l.Scope)
		row := state.Interfaces.Get(space, l.ID)
		if row == nil {
			same = same && c.last.of[l] == nil
			continue
		}
		x := c.local(space, l, row)
		same = same && x == c.last.of[l]
		c.of[l] = x
		all = append(all, x)
		same = c.policy(space, x, x.in, flow.Ingress) && same
		same = c.policy(space, x, x.out, flow.Egress) && same
	}
	c.rs = &Ruleset{Rev: c.view.Rev}
	if same {
		c.rs.Interfaces, c.rs.Policies, c.wanted = c.last.rs.Interfaces, c.last.rs.Policies, c.last.wanted
	} else {
		// Policies in the order of names, whatever the order of interfaces.
		slices.SortFunc(c.made, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
		at := map[string]int{}
		for i, p := range c.made {
			at[p.Name] = i
		}
		c.wanted = map[wanted]bool{}
		for _, x := range all {
			i := x.iface
			i.In, i.Out = at[x.in], at[x.out]
			c.rs.Interfaces = append(c.rs.Interfaces, i)
			for _, w := range x.wants {
				c.wanted[w] = true
			}
		}
		c.rs.Policies = c.made
	}
	c.rs.Members = c.members()
}

// local gives what an interface is compiled to: what it was, if that is of the
// same rows.
func (c *compiler) local(space *state.Space, l Local, row *vpc.Interface) *local {
	x := &local{row: row, vpc: state.VPCs.Get(space, row.VPC), subnet: state.Subnets.Get(space, row.Subnet)}
	ids := row.Groups
	if !slices.IsSorted(ids) {
		ids = slices.Sorted(slices.Values(ids))
	}
	for i, id := range ids {
		if g := state.Groups.Get(space, id); g != nil && (i == 0 || id != ids[i-1]) {
			x.groups = append(x.groups, g)
		}
	}
	if was := c.last.of[l]; was != nil && was.row == row && was.vpc == x.vpc && was.subnet == x.subnet && slices.Equal(was.groups, x.groups) {
		return was
	}
	x.iface = c.iface(space, row)
	if s := x.subnet; s != nil {
		if s.CIDR.IsValid() {
			x.iface.OnLink = append(x.iface.OnLink, s.CIDR)
		}
		for _, b := range s.IPv6 {
			x.iface.OnLink = append(x.iface.OnLink, b.CIDR)
		}
		slices.SortFunc(x.iface.OnLink, comparePrefixes)
	}
	name := ""
	for _, id := range slices.Compact(slices.Clone(ids)) {
		name += " " + string(id)
	}
	_, in := c.operators(x, flow.Ingress)
	_, out := c.operators(x, flow.Egress)
	x.in, x.out = flow.Ingress.String()+in+name, flow.Egress.String()+out+name
	// An interface of another VPC may share the policy; which members it sees is
	// its own matter.
	seen := map[vpc.GroupID]bool{}
	for _, g := range x.groups {
		for i := range g.Rules {
			if ref, ok := g.Rules[i].Peer.Group(); ok && !seen[ref] {
				seen[ref] = true
				x.wants = append(x.wants, wanted{space.Scope, row.VPC, ref})
			}
		}
	}
	return x
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

// operators returns the rules that the operator's options are at an interface,
// and what tells its policy from that of others with the same groups.
func (c *compiler) operators(x *local, d flow.Direction) (rules []Rule, mark string) {
	holes, failsafe := c.pinholes(x.row, d)
	exempt, of := c.exemptions(x.vpc, d)
	return append(holes, exempt...), failsafe + of
}

// policy makes the policy of an interface in one direction, unless another
// interface with the same groups had it made, and reports whether it is the last
// one's.
func (c *compiler) policy(space *state.Space, x *local, name string, d flow.Direction) (same bool) {
	was := c.last.policies[name]
	if p := c.policies[name]; p != nil {
		return p == was
	}
	p := was
	if was == nil || was.scope != space.Scope || !slices.Equal(was.groups, x.groups) ||
		was.lists && !space.Same(c.last.view.In(space.Scope), state.PrefixLists) {
		p = &policy{scope: space.Scope, groups: x.groups}
		rules, _ := c.operators(x, d)
		for _, g := range x.groups {
			for i := range g.Rules {
				if r := &g.Rules[i]; r.Direction == d {
					rules = c.expand(space, rules, r)
					if _, list := r.Peer.PrefixList(); list {
						p.lists = true
					}
				}
			}
		}
		slices.SortFunc(rules, Compare)
		p.rules = slices.Compact(rules)
	}
	c.policies[name] = p
	c.made = append(c.made, Policy{Name: name, Direction: d, Rules: p.rules})
	return p == was
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
// Where peered VPCs have an address in common, it is in the groups of all.
func (c *compiler) members() Members {
	c.reach = map[reach][]reach{}
	for w := range c.wanted {
		if from := (reach{w.scope, w.vpc}); c.reach[from] == nil {
			c.reach[from] = reaches(c.view, w.scope, w.vpc)
		}
	}
	if m, ok := c.changedMembers(); ok {
		return m
	}
	groups := map[address][]vpc.GroupID{}
	for w := range c.wanted {
		for _, there := range c.reach[reach{w.scope, w.vpc}] {
			for i := range there.membersOf(c.view, w.group) {
				for _, a := range slices.Concat(i.Addresses, i.IPv6) {
					k := address{w.vpc, a}
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
	return NewMembers(out...)
}

// An address as it is seen from a VPC.
type address struct {
	vpc  vpc.VPCID
	addr netip.Addr
}

// fewAddresses are so many that looking at each is faster than at all members.
const fewAddresses = 4096

// changedMembers gives the members by what has changed since the last view; ok is
// false if that is not known, or is much.
func (c *compiler) changedMembers() (m Members, ok bool) {
	touched := map[address]bool{}
	touch := func(from reach, row *vpc.Interface) {
		for _, a := range row.Addresses {
			touched[address{from.vpc, a}] = true
		}
		for _, a := range row.IPv6 {
			touched[address{from.vpc, a}] = true
		}
	}
	// Groups that are wanted now, or no longer, with all their members.
	wants := func(these, those *compiler) {
		for w := range these.wanted {
			if those.wanted[w] {
				continue
			}
			from := reach{w.scope, w.vpc}
			for _, there := range these.reach[from] {
				for row := range there.membersOf(these.view, w.group) {
					if touch(from, row); len(touched) > fewAddresses {
						return
					}
				}
			}
		}
	}
	wants(c, c.last)
	wants(c.last, c)
	// Interfaces that changed, in whatever can be seen.
	seenFrom := map[reach][]reach{}
	for from, there := range c.reach {
		if was := c.last.reach[from]; was != nil && !slices.Equal(was, there) {
			return m, false
		}
		for _, t := range there {
			seenFrom[t] = append(seenFrom[t], from)
		}
	}
	var changed []*vpc.Interface
	scopes := map[state.Scope]bool{}
	for there := range seenFrom {
		if scopes[there.scope] || len(touched) > fewAddresses {
			continue
		}
		scopes[there.scope] = true
		changes, ok := state.Interfaces.Changes(c.last.view.In(there.scope), c.view.In(there.scope))
		if !ok {
			return m, false
		}
		for _, x := range changes {
			for _, row := range []*vpc.Interface{x.Old, x.New} {
				if row == nil {
					continue
				}
				for _, from := range seenFrom[reach{there.scope, row.VPC}] {
					if slices.ContainsFunc(row.Groups, func(g vpc.GroupID) bool { return c.wanted[wanted{from.scope, from.vpc, g}] }) {
						touch(from, row)
					}
				}
			}
			if x.New != nil {
				changed = append(changed, x.New)
			}
		}
	}
	if len(touched) > fewAddresses {
		return m, false
	}
	list := make([]Member, 0, len(touched))
	for k := range touched {
		list = append(list, Member{k.vpc, k.addr, c.groupsOf(k, changed)})
	}
	return c.last.rs.Members.with(list), true
}

// groupsOf gives the groups of an address that are wanted, of whatever interfaces
// have it; some of them are in changed.
func (c *compiler) groupsOf(k address, changed []*vpc.Interface) (ids []vpc.GroupID) {
	for from, reaches := range c.reach {
		if from.vpc != k.vpc {
			continue
		}
		of := func(there reach, row *vpc.Interface) {
			if row.VPC != there.vpc || !slices.Contains(row.Addresses, k.addr) && !slices.Contains(row.IPv6, k.addr) {
				return
			}
			for _, g := range row.Groups {
				if c.wanted[wanted{from.scope, from.vpc, g}] {
					ids = append(ids, g)
				}
			}
		}
		for _, there := range reaches {
			space := c.view.In(there.scope)
			for s := range state.Subnets.By(space, state.SubnetsByVPC, string(there.vpc)) {
				for row := range state.Interfaces.By(space, state.InterfacesByAddress, state.AddressKey(s.ID, k.addr)) {
					of(there, row)
				}
			}
			for _, row := range changed {
				if state.Interfaces.Get(space, row.ID) == row {
					of(there, row)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
