package change

import (
	"net/netip"
	"slices"
	"strings"

	"moat/ec2"
	"moat/fault"
	"moat/flow"
	"moat/names"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// A part is traffic with one other side: what one rule can say.
type part struct {
	protocol flow.Protocol
	ports    flow.PortRange
	peer     vpc.Peer
}

func partOf(r *vpc.Rule) part { return part{r.Protocol, r.Ports, r.Peer} }

// rule gives the rule that allows exactly the part, after the model of another.
func (p part) rule(model *vpc.Rule) vpc.Rule {
	r := *model
	r.ID, r.Protocol, r.Ports, r.Peer = "", p.protocol, p.ports, p.peer
	if p.peer != model.Peer {
		r.Foreign = nil
	}
	return r
}

// asked gives the parts that a wish names, for each traffic and each other side
// one. sides are those of which the wish speaks.
func (m *maker) asked() (parts []part, sides []side, err error) {
	whats, err := parseWhats(m.w.What)
	if err != nil {
		return nil, nil, notUnderstood(err)
	}
	if sides, err = m.sides(m.w.Peer); err != nil {
		return nil, nil, err
	}
	for _, s := range sides {
		for _, w := range whats {
			p, ok := (part{w.Protocol, w.Ports, s.peer}).ofFamily()
			if ok && !slices.Contains(parts, p) {
				parts = append(parts, p)
			}
		}
	}
	if len(parts) == 0 {
		return nil, nil, fault.InvalidParameterValue.Say("%s is of the other family than %s: icmp is of IPv4, icmpv6 of IPv6.", m.w.What, m.w.Peer)
	}
	return parts, sides, nil
}

// ofFamily gives the part with the ICMP of its addresses' family: all of it, or
// ping. ok is false for a type that has no like in that family.
func (p part) ofFamily() (q part, ok bool) {
	if !p.peer.CIDR.IsValid() {
		return p, true
	}
	const ping, ping6 = 8, 128
	six := p.peer.CIDR.Addr().Is6()
	switch {
	case p.protocol == flow.ICMP && six:
		p.protocol = flow.ICMPv6
		if p.ports == (flow.PortRange{From: ping, To: -1}) {
			p.ports.From = ping6
			return p, true
		}
		return p, p.ports.From < 0
	case p.protocol == flow.ICMPv6 && !six:
		return p, false
	}
	return p, true
}

// parseWhats reads traffic, several with commas between. A number is of TCP
// unless it says otherwise; a service is what it uses, TCP and UDP if both.
func parseWhats(text string) (out []words.What, err error) {
	for word := range strings.SplitSeq(text, ",") {
		w, err := words.ParseWhat(word)
		if err != nil {
			return nil, err
		}
		word = strings.TrimSpace(word)
		byName := w.Either && (word[0] < '0' || word[0] > '9')
		out = append(out, w.Or(flow.TCP))
		if byName {
			out = append(out, w.Or(flow.UDP))
		}
	}
	return out, nil
}

// A side is an other side as rules name it.
type side struct {
	peer vpc.Peer
	// typed is a range as it was typed, where it was not exact.
	typed string
}

// sides finds what a word for the other side stands for: addresses, ranges,
// anywhere, a group or a prefix list; or the addresses of an interface, a
// subnet or a VPC. Several have commas between.
func (m *maker) sides(text string) (out []side, err error) {
	add := func(s side) {
		if !slices.ContainsFunc(out, func(o side) bool { return o.peer == s.peer }) {
			out = append(out, s)
		}
	}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			return nil, fault.InvalidParameterValue.Say("The other side is empty: want an address, a range, me, anywhere, or the name or id of a group or a prefix list.")
		}
		switch strings.ToLower(word) {
		case "any", "anywhere", "anyone", "everybody", "internet":
			add(side{peer: vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}})
			add(side{peer: vpc.Peer{CIDR: netip.MustParsePrefix("::/0")}})
			continue
		}
		if p, ok := parseRange(word); ok {
			s := side{peer: vpc.Peer{CIDR: p.Masked()}}
			if p != p.Masked() {
				s.typed = word
			}
			add(s)
			continue
		}
		if strings.Contains(word, "/") && looksLikeRange(word) {
			return nil, fault.InvalidParameterValue.Say("%q is no range of addresses: want such as 203.0.113.0/24 or 2001:db8::/32", word)
		}
		if l := prefixList(m.r, vpc.PrefixListID(word)); l != nil { // also one that AWS owns
			add(side{peer: vpc.Peer{Ref: word}})
			continue
		}
		t, err := m.other(word)
		if err != nil {
			return nil, notUnderstood(err)
		}
		switch t.Kind {
		case names.Group, names.PrefixList:
			add(side{peer: vpc.Peer{Ref: t.ID}})
			continue
		}
		switch t.Kind {
		case names.Subnet:
			m.read("DescribeSubnets", &ec2.DescribeSubnetsInput{SubnetIds: []string{t.ID}})
		case names.VPC:
			m.read("DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: []string{t.ID}})
		}
		ranges := rangesOf(m.r, t)
		if len(ranges) == 0 {
			return nil, fault.InvalidParameterValue.Say("%s has no addresses.", t)
		}
		for _, p := range ranges {
			add(side{peer: vpc.Peer{CIDR: p}})
		}
	}
	return out, nil
}

// other finds what a word for the other side names: by its id, else a group or
// a list, else what has addresses.
func (m *maker) other(word string) (names.Thing, error) {
	all := names.Query{Text: word, Kinds: []names.Kind{names.Group, names.PrefixList, names.Interface, names.Subnet, names.VPC}, VPC: m.g.VPC}
	if t, ok := names.ByID(m.r, all); ok {
		return t, nil
	}
	q := all
	q.Kinds = all.Kinds[:2]
	t, err := names.Resolve(m.r, q)
	first, unknown := err.(*names.UnknownError)
	if !unknown {
		return t, err
	}
	q.Kinds = all.Kinds[2:]
	t, err = names.Resolve(m.r, q)
	if u, ok := err.(*names.UnknownError); ok {
		u.Kinds = all.Kinds
		u.Near = append(first.Near, u.Near...)
	}
	return t, err
}

// parseRange reads an address or a range, also one with bits beyond its mask.
func parseRange(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return p, true
}

// looksLikeRange tells a range that is mistyped from VPC/NAME.
func looksLikeRange(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:/", r) }) < 0 && strings.ContainsAny(s, ".:")
}

// rangesOf gives the addresses of an interface, a subnet or a VPC.
func rangesOf(r state.Reader, t names.Thing) (out []netip.Prefix) {
	switch t.Kind {
	case names.Interface:
		if i := state.Interfaces.Get(r, vpc.InterfaceID(t.ID)); i != nil {
			out = addressesOf(i)
		}
	case names.Subnet:
		s := state.Subnets.Get(r, vpc.SubnetID(t.ID))
		if s.CIDR.IsValid() {
			out = append(out, s.CIDR)
		}
		for _, b := range s.IPv6 {
			out = append(out, b.CIDR)
		}
	case names.VPC:
		for _, b := range state.VPCs.Get(r, vpc.VPCID(t.ID)).Blocks {
			out = append(out, b.CIDR)
		}
	}
	return out
}

// addressesOf gives all that an interface may send from: what a reference to
// one of its groups lets in.
func addressesOf(i *vpc.Interface) (out []netip.Prefix) {
	for _, a := range slices.Concat(i.Addresses, i.IPv6) {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

// minus gives what is left of p without d, in parts that do not overlap. hit
// tells that they have something in common. cannot says why what is left cannot
// be said by rules; rest is nil then.
func (p part) minus(d part, at ranges) (rest []part, hit bool, cannot string) {
	ports, common := p.portsWithout(d)
	if !common {
		return []part{p}, false, ""
	}
	switch {
	case p.peer == d.peer:
		if cannot = p.cannotProtocol(d); cannot != "" {
			return nil, true, cannot
		}
		return p.withPorts(d, ports), true, ""
	case p.peer.Ref != "":
		// What it refers to is named by what it holds, now.
		if !at.overlap(p.peer, d.peer) {
			return []part{p}, false, ""
		}
		return nil, true, "ref"
	case d.peer.Ref != "":
		return []part{p}, false, "" // its ranges are parts of their own
	case !p.peer.CIDR.Overlaps(d.peer.CIDR):
		return []part{p}, false, ""
	}
	if cannot = p.cannotProtocol(d); cannot != "" {
		return nil, true, cannot
	}
	both := p
	if d.peer.CIDR.Bits() > p.peer.CIDR.Bits() {
		both.peer = d.peer
		for _, c := range without(p.peer.CIDR, d.peer.CIDR) {
			q := p
			q.peer.CIDR = c
			rest = append(rest, q)
		}
	}
	return append(rest, both.withPorts(d, ports)...), true, ""
}

func (p part) withPorts(d part, ports []flow.PortRange) (out []part) {
	if d.protocol == flow.AllProtocols {
		return nil
	}
	for _, r := range ports {
		q := p
		q.ports = r
		out = append(out, q)
	}
	return out
}

// cannotProtocol says that a rule for every protocol cannot lose one: it would
// take a rule for each of the other 255.
func (p part) cannotProtocol(d part) string {
	if p.protocol == flow.AllProtocols && d.protocol != flow.AllProtocols {
		return "protocol"
	}
	return ""
}

// portsWithout gives the ports, or types and codes, of p that d does not have.
// common tells that they have some in common, of a common protocol.
func (p part) portsWithout(d part) (rest []flow.PortRange, common bool) {
	switch {
	case d.protocol == flow.AllProtocols, p.protocol == flow.AllProtocols:
		return nil, true
	case d.protocol != p.protocol:
		return nil, false
	case p.protocol == flow.TCP || p.protocol == flow.UDP:
		if d.ports.To < p.ports.From || p.ports.To < d.ports.From {
			return nil, false
		}
		if p.ports.From < d.ports.From {
			rest = append(rest, flow.PortRange{From: p.ports.From, To: d.ports.From - 1})
		}
		if d.ports.To < p.ports.To {
			rest = append(rest, flow.PortRange{From: d.ports.To + 1, To: p.ports.To})
		}
		return rest, true
	case p.protocol == flow.ICMP || p.protocol == flow.ICMPv6:
		return typesWithout(p.ports, d.ports)
	}
	return nil, true
}

// typesWithout is portsWithout for types and codes, of which -1 is every one.
// A type has 256 codes, and there are 256 types.
func typesWithout(p, d flow.PortRange) (rest []flow.PortRange, common bool) {
	if p.From >= 0 && d.From >= 0 && p.From != d.From || p.To >= 0 && d.To >= 0 && p.To != d.To {
		return nil, false
	}
	typ := p.From
	if p.From < 0 {
		if d.From < 0 {
			return nil, true
		}
		typ = d.From
		for t := int32(0); t < 256; t++ {
			if t != d.From {
				rest = append(rest, flow.PortRange{From: t, To: -1})
			}
		}
	}
	if p.To < 0 && d.To >= 0 {
		for c := int32(0); c < 256; c++ {
			if c != d.To {
				rest = append(rest, flow.PortRange{From: typ, To: c})
			}
		}
	}
	return rest, true
}

// without gives the ranges of p that are not in d, which is in p: one of each
// length between.
func without(p, d netip.Prefix) (out []netip.Prefix) {
	for bits := p.Bits() + 1; bits <= d.Bits(); bits++ {
		way, _ := d.Addr().Prefix(bits)
		out = append(out, netip.PrefixFrom(flipped(way.Addr(), bits-1), bits))
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}

// flipped gives an address with one bit turned, counted from the left.
func flipped(a netip.Addr, bit int) netip.Addr {
	b := a.AsSlice()
	b[bit/8] ^= 0x80 >> (bit % 8)
	out, _ := netip.AddrFromSlice(b)
	return out
}

// ranges gives what peers hold.
type ranges struct {
	r state.Reader
	// read is told of the lists whose entries are looked at.
	read func(*vpc.PrefixList)
}

func (m *maker) ranges() ranges {
	return ranges{m.r, func(l *vpc.PrefixList) {
		m.read("GetManagedPrefixListEntries", &ec2.GetManagedPrefixListEntriesInput{PrefixListId: string(l.ID)})
	}}
}

// of gives the ranges that a peer lets in, now.
func (x ranges) of(p vpc.Peer) (out []netip.Prefix) {
	if p.CIDR.IsValid() {
		return []netip.Prefix{p.CIDR}
	}
	if id, ok := p.PrefixList(); ok {
		if l := prefixList(x.r, id); l != nil {
			x.read(l)
			for _, e := range l.Entries {
				out = append(out, e.CIDR)
			}
		}
	}
	if id, ok := p.Group(); ok {
		for i := range state.Interfaces.By(x.r, state.InterfacesByGroup, string(id)) {
			out = append(out, addressesOf(i)...)
		}
	}
	return out
}

func (x ranges) overlap(a, b vpc.Peer) bool { return x.common(a, b) != "" }

// common gives a range of a that is in b, or holds some of it; "" for none.
func (x ranges) common(a, b vpc.Peer) string {
	theirs := x.of(b)
	for _, mine := range x.of(a) {
		if slices.ContainsFunc(theirs, mine.Overlaps) {
			return mine.String()
		}
	}
	return ""
}
