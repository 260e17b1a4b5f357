package ebpf

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	"moat/ruleset"
	"moat/vpc"
)

// Layout of words: bpf/moat.h says what it means.
const (
	policyWords = 4
	blockWords  = 3
	setGroups   = 64
	probes      = 8
	maxX        = 0xffffff
)

// counted are the places of a policy's counters, by the numbers of its rules
// less one, and those numbers; nil if each rule is a rule of its own.
type counted struct {
	places  []uint32
	numbers []uint16
}

func (c *counted) number(i int) uint32 {
	if c.numbers == nil {
		return uint32(i) + 1
	}
	return uint32(c.numbers[i])
}

// policyIn lays a policy out. group numbers its groups, counter its rules by
// id.
func policyIn(p *ruleset.Policy, group func(vpc.GroupID) uint32, counter func(vpc.RuleID) (uint32, error)) ([]uint64, error) {
	c := counted{numbers: []uint16{}}
	numbers := map[vpc.RuleID]uint16{}
	for i := range p.Rules {
		id := p.Rules[i].ID
		n, ok := numbers[id]
		if !ok {
			if len(c.places) == math.MaxUint16 {
				return nil, tooMany(p)
			}
			place, err := counter(id)
			if err != nil {
				return nil, err
			}
			c.places = append(c.places, place)
			n = uint16(len(c.places))
			numbers[id] = n
		}
		c.numbers = append(c.numbers, n)
	}
	return new(layout).policy(p, group, &c), nil
}

func tooMany(p *ruleset.Policy) error {
	return fmt.Errorf("policy %q has more than %d rules", p.Name, math.MaxUint16)
}

// A layout lays policies out, one after the other: what it needs for one serves
// the next.
type layout struct {
	rules     []ruled
	referring []int
	spans     []span
	stretches []stretch
	bounds    [][2]int // of the spans of each
	nested    []span
	table     table
	sets      []uint64 // places relative to where they begin
	made      map[uint64]uint32
	words     []uint64
	source    coder
}

type ruled struct {
	stretch
	rule int32
}

// set gives the place of a port set, less than 1 of none.
func (l *layout) set(s []span) uint32 {
	if len(s) == 0 {
		return 0
	}
	if len(s) > 1 {
		s = disjoint(s)
	}
	at := len(l.sets)
	l.sets = append(l.sets, uint64(len(s)))
	hash := uint64(len(s))
	for _, r := range s {
		w := uint64(r.lo)<<40 | uint64(r.hi)<<16 | uint64(r.rule)
		l.sets = append(l.sets, w)
		hash = (hash ^ w) * 0x9e3779b97f4a7c15
		hash ^= hash >> 29
	}
	was, ok := l.made[hash]
	if n := uint32(len(l.sets) - at); ok && was-1+n <= uint32(at) && slices.Equal(l.sets[was-1:was-1+n], l.sets[at:]) {
		l.sets = l.sets[:at]
		return was
	}
	if !ok {
		l.made[hash] = uint32(at) + 1
	}
	return uint32(at) + 1
}

// policy lays one out. The words are good until the next.
func (l *layout) policy(p *ruleset.Policy, group func(vpc.GroupID) uint32, c *counted) []uint64 {
	if l.made == nil {
		l.made = map[uint64]uint32{}
	}
	clear(l.made)
	l.rules, l.referring, l.spans, l.stretches, l.bounds, l.sets = l.rules[:0], l.referring[:0], l.spans[:0], l.stretches[:0], l.bounds[:0], l.sets[:0]
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Remote.Group != "" {
			l.referring = append(l.referring, i)
		} else if r.Remote.Prefix.IsValid() {
			l.rules = append(l.rules, ruled{stretchOf(r.Remote.Prefix), int32(i)})
		}
	}
	slices.SortFunc(l.rules, func(a, b ruled) int {
		if a.stretch == b.stretch {
			return int(a.rule - b.rule)
		}
		return compareStretches(a.stretch, b.stretch)
	})
	var all [2][2]int // bounds of those of 0.0.0.0/0 and ::/0
	for i := 0; i < len(l.rules); {
		s, from := l.rules[i].stretch, len(l.spans)
		for ; i < len(l.rules) && l.rules[i].stretch == s; i++ {
			n := int(l.rules[i].rule)
			l.spans = spans(l.spans, &p.Rules[n], c.number(n))
		}
		b := [2]int{from, len(l.spans)}
		switch {
		case s.bits > 0:
			l.stretches, l.bounds = append(l.stretches, s), append(l.bounds, b)
		case s.six:
			all[1] = b
		default:
			all[0] = b
		}
	}

	var any [2]uint32 // places of the port sets of 0.0.0.0/0 and ::/0
	var flags uint64
	for i, b := range all {
		s := l.spans[b[0]:b[1]]
		any[i] = l.set(s)
		if opens(s) {
			flags |= 1 << i
		}
	}
	l.table.cut(l.stretches, func(within []int) uint32 {
		if len(within) == 1 {
			b := l.bounds[within[0]]
			return l.set(l.spans[b[0]:b[1]])
		}
		l.nested = l.nested[:0]
		for _, i := range within {
			l.nested = append(l.nested, l.spans[l.bounds[i][0]:l.bounds[i][1]]...)
		}
		return l.set(l.nested)
	})
	var groups []uint64
	if len(l.referring) > 0 {
		slices.SortStableFunc(l.referring, func(a, b int) int { return cmp.Compare(p.Rules[a].Remote.Group, p.Rules[b].Remote.Group) })
		numbered := map[uint32]uint32{}
		for i := 0; i < len(l.referring); {
			id := p.Rules[l.referring[i]].Remote.Group
			l.nested = l.nested[:0]
			for ; i < len(l.referring) && p.Rules[l.referring[i]].Remote.Group == id; i++ {
				n := l.referring[i]
				l.nested = spans(l.nested, &p.Rules[n], c.number(n))
			}
			if at := l.set(l.nested); at != 0 {
				numbered[group(id)] = at
			}
		}
		groups = groupTable(numbered)
	}

	t := &l.table
	base := uint32(policyWords + len(t.four) + 3*len(t.six) + len(groups))
	place := func(at uint32) uint64 {
		if at == 0 {
			return 0
		}
		return uint64(base + at - 1)
	}
	for _, l := range [][]start{t.four, t.six} {
		for i := range l {
			l[i].value = uint32(place(l[i].value))
		}
	}
	table := base + uint32(len(l.sets))
	w := append(l.words[:0],
		t.sizes(),
		uint64(len(groups))|flags<<32,
		place(any[0])|place(any[1])<<32,
		uint64(table)|(uint64(table)+uint64(len(c.places)+1)/2)<<32,
	)
	w = t.append(w)
	for _, g := range groups {
		if g != 0 {
			g = g>>32<<32 | place(uint32(g))
		}
		w = append(w, g)
	}
	w = append(w, l.sets...)
	for i := 0; i < len(c.places); i += 2 {
		v := uint64(c.places[i])
		if i+1 < len(c.places) {
			v |= uint64(c.places[i+1]) << 32
		}
		w = append(w, v)
	}
	l.source.b = l.source.b[:0]
	l.source.policy(p)
	l.words = appendSource(w, l.source.b)
	return l.words
}

// groupTable lays out groups with their port sets so that few looks find one.
func groupTable(sets map[uint32]uint32) []uint64 {
	if len(sets) == 0 {
		return nil
	}
	size := 1
	for size < 2*len(sets) {
		size *= 2
	}
fit:
	for ; ; size *= 2 {
		t := make([]uint64, size)
		for _, number := range slices.Sorted(maps.Keys(sets)) {
			i := 0
			for ; i < probes && t[(int(number)+i)%size] != 0; i++ {
			}
			if i == probes {
				continue fit
			}
			t[(int(number)+i)%size] = uint64(number)<<32 | uint64(sets[number])
		}
		return t
	}
}

// blockIn lays out the addresses of an interface.
func blockIn(i *ruleset.Interface) []uint64 {
	tables := [2]table{}
	for j, list := range [][]netip.Prefix{i.Own, i.OnLink} {
		var l []stretch
		for _, p := range list {
			l = append(l, stretchOf(p))
		}
		slices.SortFunc(l, compareStretches)
		tables[j].cut(slices.Compact(l), func([]int) uint32 { return 1 })
	}
	w := tables[1].append(tables[0].append([]uint64{tables[0].sizes(), tables[1].sizes(), 0}))
	w[2] = uint64(len(w))
	return appendSource(w, encodeInterface(i))
}

// sign is bpf/search.h's.
func sign(v uint32, a netip.Addr) uint64 {
	hi, lo := halves(a)
	return ((hi ^ lo*0x9e3779b97f4a7c15) + uint64(v)) * 0xc2b2ae3d27d4eb4f >> 48
}
