package survey

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"moat/flow"
	"moat/names"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// A Match says how a rule must relate to what is looked for.
type Match string

// Containing rules let in all that is looked for, and perhaps more; exact ones
// that and nothing else; overlapping ones some of it.
const (
	Containing  Match = "containing"
	Exact       Match = "exact"
	Overlapping Match = "overlapping"
)

// A Search is what rules are looked for by. What is left out fits any.
type Search struct {
	// Addresses is a range, of one address or many.
	Addresses netip.Prefix
	// Traffic is protocol and ports; Either of TCP and UDP will do, if it says
	// so.
	Traffic *words.What
	Egress  flow.Direction
	Match   Match // empty for Containing
	// VPC and Group are words for where to look; empty for anywhere.
	VPC, Group string
}

// Found is what a search found.
type Found struct {
	Rev   uint64 `json:"revision"`
	Rules []Hit  `json:"rules"`
	// Unread are the prefix lists of rules that may fit: the caller may not read
	// their entries.
	Unread []Ref `json:"unread_prefix_lists,omitempty"`
}

// A Hit is a rule that fits a search.
type Hit struct {
	Rule
	// Via are the entries of the rule's prefix list, or the members of its
	// group, by which it fits.
	Via []Via `json:"via,omitempty"`
	// Interfaces have the rule's group: what the rule opens.
	Interfaces []Ref `json:"interfaces,omitempty"`
}

// Via is one of the ranges that a rule stands for.
type Via struct {
	CIDR        string `json:"cidr"`
	Description string `json:"description,omitempty"` // of a list's entry
	// Interface is the member of a group that has the address.
	Interface *Ref `json:"interface,omitempty"`
}

// Find finds the rules that fit a search, group by group in the order of
// listings. The error is one of package names.
func (s *Survey) Find(q Search) (*Found, error) {
	if q.Match == "" {
		q.Match = Containing
	}
	out := &Found{Rev: s.View.Rev, Rules: []Hit{}}
	var v vpc.VPCID
	if q.VPC != "" {
		t, err := names.Resolve(s.space(), names.Query{Text: q.VPC, Kinds: []names.Kind{names.VPC}})
		if err != nil {
			return nil, err
		}
		v = t.VPC
	}
	var only vpc.GroupID
	if q.Group != "" {
		t, err := names.Resolve(s.space(), names.Query{Text: q.Group, Kinds: []names.Kind{names.Group}, VPC: v})
		if err != nil {
			return nil, err
		}
		only = vpc.GroupID(t.ID)
	}
	f := &finder{Survey: s, sources: map[sourceKey][]source{}}
	for _, g := range s.groupsInOrder(func(in vpc.VPCID, _ vpc.Tags) bool { return v == "" || in == v }) {
		if only != "" && g.ID != only {
			continue
		}
		var hits []Hit
		for i := range g.Rules {
			r := &g.Rules[i]
			if r.Direction != q.Egress || q.Traffic != nil && !fitsTraffic(q.Match, *q.Traffic, r) {
				continue
			}
			via, ok := f.fitsAddresses(q, g, r)
			if !ok {
				continue
			}
			hits = append(hits, Hit{Rule: s.Rule(g, r), Via: via})
		}
		if hits == nil {
			continue
		}
		sortHits(hits)
		var opened []Ref
		for _, i := range s.carriers(string(g.ID)) {
			opened = append(opened, Ref{i.ID, i.Called()})
		}
		for i := range hits {
			hits[i].Interfaces = opened
		}
		out.Rules = append(out.Rules, hits...)
	}
	out.Unread = f.unread
	return out, nil
}

func sortHits(hits []Hit) {
	rules := make([]Rule, len(hits))
	via := map[vpc.RuleID][]Via{}
	for i := range hits {
		rules[i], via[hits[i].ID] = hits[i].Rule, hits[i].Via
	}
	sortRules(rules)
	for i := range hits {
		hits[i] = Hit{Rule: rules[i], Via: via[rules[i].ID]}
	}
}

// fitsTraffic compares protocol and ports.
func fitsTraffic(m Match, w words.What, r *vpc.Rule) bool {
	ports := [2]int32{w.Ports.From, w.Ports.To}
	switch {
	case w.Either:
		if r.Protocol == flow.AllProtocols {
			return m != Exact
		}
		return (r.Protocol == flow.TCP || r.Protocol == flow.UDP) && fitsPorts(m, ports, r)
	case w.Protocol == flow.AllProtocols:
		return r.Protocol == flow.AllProtocols || m == Overlapping
	case r.Protocol == flow.AllProtocols:
		return m != Exact
	case r.Protocol != w.Protocol:
		return false
	case r.Protocol == flow.TCP || r.Protocol == flow.UDP:
		return fitsPorts(m, ports, r)
	case r.HasPorts():
		return fitsType(m, ports, r)
	}
	return true
}

func fitsPorts(m Match, p [2]int32, r *vpc.Rule) bool {
	switch m {
	case Exact:
		return r.Ports.From == p[0] && r.Ports.To == p[1]
	case Overlapping:
		return r.Ports.From <= p[1] && p[0] <= r.Ports.To
	}
	return r.Ports.From <= p[0] && p[1] <= r.Ports.To
}

// fitsType compares ICMP type and code; -1 is all of them. Ping is written
// without its code, which is 0, the only one it has.
func fitsType(m Match, want [2]int32, r *vpc.Rule) bool {
	have := [2]int32{r.Ports.From, r.Ports.To}
	if (r.Protocol == flow.ICMP && want[0] == 8 || r.Protocol == flow.ICMPv6 && want[0] == 128) && want[1] < 0 {
		want[1] = 0
		if have[0] == want[0] && have[1] < 0 {
			have[1] = 0
		}
	}
	for i := range want {
		switch m {
		case Exact:
			if want[i] != have[i] {
				return false
			}
		case Overlapping:
			if want[i] >= 0 && have[i] >= 0 && want[i] != have[i] {
				return false
			}
		default:
			if have[i] >= 0 && want[i] != have[i] {
				return false
			}
		}
	}
	return true
}

// fitsAddresses compares a rule's other side, of which lists and groups are
// looked into, and gives by what of those it fits.
func (f *finder) fitsAddresses(q Search, g *vpc.SecurityGroup, r *vpc.Rule) (via []Via, ok bool) {
	if !q.Addresses.IsValid() {
		return nil, true
	}
	// ICMP is of IPv4 and ICMPv6 of IPv6, whatever range a rule names.
	if r.Protocol == flow.ICMP && q.Addresses.Addr().Is6() || r.Protocol == flow.ICMPv6 && q.Addresses.Addr().Is4() {
		return nil, false
	}
	// A rule for the number of an IPv6 extension header allows no IPv6 packet.
	if r.Protocol.IsIPv6Extension() && q.Addresses.Addr().Is6() {
		return nil, false
	}
	if r.Peer.Ref == "" {
		return nil, fitsRanges(q.Match, q.Addresses, []netip.Prefix{r.Peer.CIDR})
	}
	sources := f.sourcesOf(g, r.Peer)
	ranges := make([]netip.Prefix, 0, 8)
	var fit []source
	for _, src := range sources {
		if !src.cidr.Overlaps(q.Addresses) {
			continue
		}
		ranges = append(ranges, src.cidr)
		if q.Match != Exact || src.cidr == q.Addresses {
			fit = append(fit, src)
		}
	}
	if !fitsRanges(q.Match, q.Addresses, ranges) {
		return nil, false
	}
	for _, src := range fit {
		v := Via{CIDR: src.cidr.String(), Description: src.description}
		if m := src.member; m != nil && m.Owner == f.Scope.Account { // of a peered VPC's it is told that it is there
			full := f.iface(m)
			v.Interface = &Ref{full.ID, full.Called()}
		}
		via = append(via, v)
	}
	return via, true
}

// A finder remembers what lists and groups stand for: many rules name the same
// ones.
type finder struct {
	*Survey
	sources map[sourceKey][]source
	unread  []Ref
}

type sourceKey struct {
	of  vpc.GroupID // whose rule it is, where that makes a difference
	vpc vpc.VPCID
	ref string
}

// A source is a range that a rule stands for: a list's entry, or an address of
// a group's member.
type source struct {
	cidr        netip.Prefix
	description string
	member      *vpc.Interface
}

// sourcesOf gives what the list or group of a rule of g stands for, in the
// order of addresses.
func (f *finder) sourcesOf(g *vpc.SecurityGroup, p vpc.Peer) []source {
	key := sourceKey{ref: p.Ref}
	group, isGroup := p.Group()
	if isGroup {
		if key.vpc = g.VPC; state.GroupAssociations.Count(f.space(), state.GroupAssociationsByGroup, string(g.ID), 1) > 0 {
			key.of = g.ID
		}
	}
	if all, ok := f.sources[key]; ok {
		return all
	}
	var all []source
	if isGroup {
		for member := range f.membersFor(g, group) {
			for _, a := range slices.Concat(member.Addresses, member.IPv6) {
				all = append(all, source{cidr: netip.PrefixFrom(a, a.BitLen()), member: member})
			}
		}
	} else if id, ok := p.PrefixList(); ok {
		l := state.PrefixLists.Get(f.space(), id)
		if l == nil && f.PrefixList != nil {
			l = f.PrefixList(f.space(), id)
		}
		if l != nil && f.mayRead(l) != nil {
			f.unread = append(f.unread, Ref{string(l.ID), l.Name})
		} else if l != nil {
			for _, e := range l.Entries {
				all = append(all, source{cidr: e.CIDR, description: e.Description})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b source) int { return a.cidr.Compare(b.cidr) })
	f.sources[key] = all
	return all
}

// membersFor gives the interfaces that a reference to a group matches, for the
// interfaces that have g: those in its VPC and in others that it may be used in.
func (s *Survey) membersFor(g *vpc.SecurityGroup, id vpc.GroupID) iter.Seq[*vpc.Interface] {
	in := []vpc.VPCID{g.VPC}
	for a := range state.GroupAssociations.By(s.space(), state.GroupAssociationsByGroup, string(g.ID)) {
		in = append(in, a.VPC)
	}
	return func(yield func(*vpc.Interface) bool) {
		seen := map[vpc.InterfaceID]bool{}
		for _, v := range in {
			for i := range ruleset.MembersOf(s.View, s.Scope, v, id) {
				if !seen[i.ID] {
					seen[i.ID] = true
					if !yield(i) {
						return
					}
				}
			}
		}
	}
}

// fitsRanges compares a range with those that a rule stands for.
func fitsRanges(m Match, want netip.Prefix, ranges []netip.Prefix) bool {
	switch m {
	case Exact:
		return slices.Contains(ranges, want)
	case Overlapping:
		return slices.ContainsFunc(ranges, want.Overlaps)
	}
	return covered(want, ranges)
}

// covered reports whether ranges together have every address of another.
func covered(want netip.Prefix, ranges []netip.Prefix) bool {
	var within []netip.Prefix
	for _, p := range ranges {
		if !p.Overlaps(want) {
			continue
		}
		if p.Bits() <= want.Bits() {
			return true
		}
		within = append(within, p)
	}
	if len(within) < 2 {
		return false
	}
	low := netip.PrefixFrom(want.Addr(), want.Bits()+1)
	return covered(low, within) && covered(netip.PrefixFrom(middle(want), want.Bits()+1), within)
}

// middle gives the first address of the second half of a range.
func middle(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(b)
	return a
}

// ParseAddresses reads an address or a range, host bits cleared.
func ParseAddresses(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is no address or range: want such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32", text)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%q: write an IPv4 range as such", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
