package ebpf

import (
	"cmp"
	"math"
	"slices"

	"moat/flow"
	"moat/ruleset"
)

// A span is what one rule allows of protocols and ports: x from lo to hi.
type span struct{ lo, hi, rule uint32 }

// spans appends what a rule allows. ICMP's x is of IPv4 and ICMPv6's of IPv6
// only; the programs see to that.
func spans(out []span, r *ruleset.Rule, n uint32) []span {
	p := uint32(r.Protocol) << 16
	switch {
	case r.Protocol == flow.AllProtocols:
		return append(out, span{0, maxX, n})
	case r.Protocol < 0 || r.Protocol > 255:
		return out
	case r.Protocol == flow.TCP || r.Protocol == flow.UDP:
		from, to := max(r.Ports.From, 0), min(r.Ports.To, math.MaxUint16)
		if from <= to {
			out = append(out, span{p | uint32(from), p | uint32(to), n})
		}
		return out
	case r.Protocol == flow.ICMP || r.Protocol == flow.ICMPv6:
		types := []int32{r.Ports.From}
		if r.Ports.From == -1 {
			if r.Ports.To == -1 {
				return append(out, span{p, p | 0xffff, n})
			}
			types = types[:0]
			for t := range int32(256) {
				types = append(types, t)
			}
		}
		for _, t := range types {
			if t < 0 || t > 255 || r.Ports.To < -1 || r.Ports.To > 255 {
				continue
			}
			x := p | uint32(t)<<8
			if r.Ports.To == -1 {
				out = append(out, span{x, x | 0xff, n})
			} else {
				out = append(out, span{x | uint32(r.Ports.To), x | uint32(r.Ports.To), n})
			}
		}
		return out
	}
	return append(out, span{p, p, n})
}

// disjoint gives spans that do not overlap and allow the same; where several
// rules do, the first of them has it.
func disjoint(in []span) []span {
	in = slices.Clone(in)
	slices.SortFunc(in, func(a, b span) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.rule, b.rule)) })
	var out []span
	var active []span
	add := func(s span) {
		if n := len(out); n > 0 && out[n-1].rule == s.rule && out[n-1].hi+1 == s.lo {
			out[n-1].hi = s.hi
			return
		}
		out = append(out, s)
	}
	at := uint32(0)
	for i := 0; i < len(in) || len(active) > 0; {
		if len(active) == 0 {
			at = in[i].lo
		}
		for ; i < len(in) && in[i].lo <= at; i++ {
			active = append(active, in[i])
		}
		best, end := active[0].rule, uint32(maxX)
		for _, s := range active {
			best, end = min(best, s.rule), min(end, s.hi)
		}
		if i < len(in) {
			end = min(end, in[i].lo-1)
		}
		add(span{at, end, best})
		at = end + 1
		active = slices.DeleteFunc(active, func(s span) bool { return s.hi < at })
	}
	return out
}

// opens reports whether spans have every port of TCP and of UDP.
func opens(s []span) bool {
	covered := func(lo, hi uint32) bool {
		for _, d := range disjoint(s) {
			if d.lo <= lo && lo <= d.hi {
				lo = d.hi + 1
			}
		}
		return lo > hi
	}
	return covered(6<<16, 6<<16|0xffff) && covered(17<<16, 17<<16|0xffff)
}
