package guardrail

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// A span is a range of addresses of one family, both ends in it.
type span struct{ from, to netip.Addr }

// A box is what one rule lets pass: protocols, ports and addresses, each a
// range. Ports of ICMP are types and codes: see codeOf.
type box struct {
	traffic
	span
}

// An opening is a box and the rule that it comes from.
type opening struct {
	box
	rule   vpc.RuleID
	member vpc.GroupID // that the address belongs to, where the rule names a group
}

func spanOf(p netip.Prefix) span {
	b := p.Addr().As16()
	for i := p.Bits() + 128 - p.Addr().BitLen(); i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		last = last.Unmap()
	}
	return span{p.Addr(), last}
}

var all = []span{
	spanOf(netip.MustParsePrefix("0.0.0.0/0")), spanOf(netip.MustParsePrefix("::/0")),
}

// union sorts spans and joins those that touch.
func union(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	out := spans[:0:0]
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].from.BitLen() == s.from.BitLen() && (s.from.Compare(out[n-1].to) <= 0 || out[n-1].to.Next() == s.from) {
			if s.to.Compare(out[n-1].to) > 0 {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// minus gives what of spans is in none of others; both are unions.
func minus(spans, others []span) []span {
	var out []span
	for _, s := range spans {
		rest := s
		gone := false
		for _, o := range others {
			if o.from.BitLen() != rest.from.BitLen() || o.to.Compare(rest.from) < 0 || o.from.Compare(rest.to) > 0 {
				continue
			}
			if o.from.Compare(rest.from) > 0 {
				out = append(out, span{rest.from, o.from.Prev()})
			}
			if o.to.Compare(rest.to) >= 0 {
				gone = true
				break
			}
			rest.from = o.to.Next()
		}
		if !gone {
			out = append(out, rest)
		}
	}
	return out
}

func (s span) meet(o span) (span, bool) {
	if s.from.BitLen() != o.from.BitLen() || s.to.Compare(o.from) < 0 || o.to.Compare(s.from) < 0 {
		return span{}, false
	}
	if o.from.Compare(s.from) > 0 {
		s.from = o.from
	}
	if o.to.Compare(s.to) < 0 {
		s.to = o.to
	}
	return s, true
}

func (s span) within(o span) bool {
	return s.from.BitLen() == o.from.BitLen() && o.from.Compare(s.from) <= 0 && s.to.Compare(o.to) <= 0
}

func (t traffic) meet(o traffic) (traffic, bool) {
	m := traffic{max(t.first, o.first), min(t.last, o.last), max(t.from, o.from), min(t.to, o.to)}
	return m, m.first <= m.last && m.from <= m.to
}

func (t traffic) within(o traffic) bool {
	return o.first <= t.first && t.last <= o.last && o.from <= t.from && t.to <= o.to
}

func (b box) within(o box) bool { return b.traffic.within(o.traffic) && b.span.within(o.span) }

// codeOf gives a type and a code of ICMP as a port.
func codeOf(typ, code int32) int32 { return typ<<8 | code }

// openings gives what an interface of a ruleset lets pass in one direction.
func openings(rs *ruleset.Ruleset, i *ruleset.Interface, d flow.Direction) []opening {
	p := i.In
	if d == flow.Egress {
		p = i.Out
	}
	var out []opening
	for _, r := range rs.Policies[p].Rules {
		t := trafficOf(&r)
		add := func(s span, member vpc.GroupID) {
			// ICMP rules are for IPv4, ICMPv6 rules for IPv6.
			// IPv6 extension headers are no protocols of their own.
			if r.Protocol == flow.ICMP && !s.from.Is4() || r.Protocol == flow.ICMPv6 && s.from.Is4() || r.Protocol.IsIPv6Extension() && !s.from.Is4() {
				return
			}
			out = append(out, opening{box{t, s}, r.ID, member})
		}
		if r.Remote.Group == "" {
			add(spanOf(r.Remote.Prefix), "")
			continue
		}
		for m := range rs.Members.All() {
			if m.VPC == i.VPC && slices.Contains(m.Groups, r.Remote.Group) {
				add(span{m.Addr, m.Addr}, r.Remote.Group)
			}
		}
	}
	return out
}

func trafficOf(r *ruleset.Rule) traffic {
	switch r.Protocol {
	case flow.AllProtocols:
		return everything[0]
	case flow.TCP, flow.UDP:
		return traffic{uint8(r.Protocol), uint8(r.Protocol), r.Ports.From, r.Ports.To}
	case flow.ICMP, flow.ICMPv6:
		t := traffic{uint8(r.Protocol), uint8(r.Protocol), 0, 65535}
		switch {
		case r.Ports.From >= 0 && r.Ports.To >= 0:
			t.from, t.to = codeOf(r.Ports.From, r.Ports.To), codeOf(r.Ports.From, r.Ports.To)
		case r.Ports.From >= 0:
			t.from, t.to = codeOf(r.Ports.From, 0), codeOf(r.Ports.From, 255)
		}
		return t
	}
	return traffic{uint8(r.Protocol), uint8(r.Protocol), 0, 65535}
}

// clip gives the parts of openings that lie in traffic and in spans.
func clip(open []opening, t []traffic, spans []span) []opening {
	var out []opening
	for _, o := range open {
		for _, x := range t {
			m, ok := o.traffic.meet(x)
			if !ok {
				continue
			}
			for _, s := range spans {
				if at, ok := o.span.meet(s); ok {
					c := o
					c.traffic, c.span = m, at
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// uncovered gives a part of a box that none of others has; ok is false if they
// cover it together. Between two neighbouring bounds all is alike, so that it
// is enough to look once between any two.
func uncovered(b box, others []opening) (part box, ok bool) {
	var near []box
	for _, o := range others {
		if b.within(o.box) {
			return box{}, false
		}
		if m, hit := b.traffic.meet(o.traffic); hit {
			if s, hit := b.span.meet(o.span); hit {
				near = append(near, box{m, s})
			}
		}
	}
	slices.SortFunc(near, func(x, y box) int { return x.span.from.Compare(y.span.from) })
	var protocols, ports []int32
	protocols, ports = append(protocols, int32(b.first)), append(ports, b.traffic.from)
	for _, n := range near {
		protocols = append(protocols, int32(n.first), int32(n.last)+1)
		ports = append(ports, n.traffic.from, n.traffic.to+1)
	}
	protocols, ports = steps(protocols, int32(b.first), int32(b.last)), steps(ports, b.traffic.from, b.traffic.to)
	for i, p := range protocols {
		for j, port := range ports {
			gap := b.span
			covered := false
			for _, n := range near {
				if int32(n.first) > p || int32(n.last) < p || n.traffic.from > port || n.traffic.to < port || n.span.to.Compare(gap.from) < 0 {
					continue
				}
				if n.span.from.Compare(gap.from) > 0 {
					gap.to = n.span.from.Prev()
					break
				}
				if n.span.to.Compare(gap.to) >= 0 {
					covered = true
					break
				}
				gap.from = n.span.to.Next()
			}
			if !covered {
				return box{traffic{uint8(p), uint8(end(protocols, i, int32(b.last))), port, end(ports, j, b.traffic.to)}, gap}, true
			}
		}
	}
	return box{}, false
}

// steps sorts where something changes, in a range.
func steps(at []int32, from, to int32) []int32 {
	slices.Sort(at)
	at = slices.Compact(at)
	return slices.DeleteFunc(at, func(n int32) bool { return n < from || n > to })
}

func end(at []int32, i int, last int32) int32 {
	if i+1 < len(at) {
		return at[i+1] - 1
	}
	return last
}

// String says what a box lets pass: "tcp/22" or "everything".
func (t traffic) String() string {
	if t.first == 0 && t.last == 255 {
		return "everything"
	}
	p := flow.Protocol(t.first)
	s := p.String()
	if t.first != t.last {
		s = "protocols " + strconv.Itoa(int(t.first)) + "-" + strconv.Itoa(int(t.last))
	} else if p != flow.TCP && p != flow.UDP && p != flow.ICMP && p != flow.ICMPv6 {
		s = "protocol " + s
	}
	switch {
	case t.from == 0 && t.to == 65535:
	case p == flow.ICMP || p == flow.ICMPv6:
		s += " type " + strconv.Itoa(int(t.from>>8))
	case t.from == t.to:
		s += "/" + strconv.Itoa(int(t.from))
	default:
		s += "/" + strconv.Itoa(int(t.from)) + "-" + strconv.Itoa(int(t.to))
	}
	return s
}

// String gives a range as a prefix if it is one.
func (s span) String() string {
	if s.from == s.to {
		return s.from.String()
	}
	for bits := range s.from.BitLen() + 1 {
		if p := netip.PrefixFrom(s.from, bits); p.Masked().Addr() == s.from && spanOf(p) == s {
			return p.String()
		}
	}
	return s.from.String() + "-" + s.to.String()
}

func compareOpenings(a, b opening) int {
	return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.traffic.from, b.traffic.from), a.span.from.Compare(b.span.from), cmp.Compare(a.rule, b.rule))
}
