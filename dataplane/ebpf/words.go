package ebpf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	"moat/flow"
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

// A stretch is a prefix in numbers; of IPv4 hi is 0.
type stretch struct {
	hi, lo uint64
	six    bool
	bits   uint8
}

func stretchOf(p netip.Prefix) stretch {
	s := stretch{six: !p.Addr().Is4(), bits: uint8(p.Bits())}
	s.hi, s.lo = halves(p.Addr())
	hi, lo := s.host()
	s.hi, s.lo = s.hi&^hi, s.lo&^lo
	return s
}

// host gives the bits that are free in a stretch.
func (s stretch) host() (hi, lo uint64) {
	switch {
	case !s.six:
		return 0, 1<<(32-s.bits) - 1
	case s.bits >= 64:
		return 0, 1<<(128-s.bits) - 1 // of 64 bits all
	}
	return 1<<(64-s.bits) - 1, math.MaxUint64
}

func (s stretch) contains(o stretch) bool {
	hi, lo := s.host()
	return s.six == o.six && s.hi == o.hi&^hi && s.lo == o.lo&^lo
}

// next gives what begins after a stretch; false after the last address.
func (s stretch) next() (hi, lo uint64, ok bool) {
	h, l := s.host()
	hi, lo = s.hi|h, (s.lo|l)+1
	if !s.six {
		return 0, lo, lo <= math.MaxUint32
	}
	if lo == 0 {
		hi++
		return hi, 0, hi != 0
	}
	return hi, lo, true
}

func compareStretches(a, b stretch) int {
	switch {
	case a.six != b.six:
		if b.six {
			return -1
		}
		return 1
	case a.hi != b.hi:
		return cmp.Compare(a.hi, b.hi)
	case a.lo != b.lo:
		return cmp.Compare(a.lo, b.lo)
	}
	return int(a.bits) - int(b.bits)
}

// last gives the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// A table is a list of starts with their values.
type table struct {
	four []start
	six  []start
}

type start struct {
	hi, lo uint64
	value  uint32
}

// cut fills a table: all addresses, cut into ranges. in is sorted, each once;
// value gives that of a range within the given ones, the outermost first.
func (t *table) cut(in []stretch, value func(within []int) uint32) {
	t.four, t.six = t.four[:0], t.six[:0]
	var deep [32]int
	stack := deep[:0]
	emit := func(six bool, hi, lo uint64, v uint32) {
		l := &t.four
		if six {
			l = &t.six
		}
		if n := len(*l); n > 0 && (*l)[n-1].lo == lo && (*l)[n-1].hi == hi {
			*l = (*l)[:n-1]
		}
		if n := len(*l); n > 0 && (*l)[n-1].value == v || n == 0 && v == 0 {
			return
		}
		*l = append(*l, start{hi, lo, v})
	}
	pop := func() {
		s := in[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		if hi, lo, ok := s.next(); ok {
			v := uint32(0)
			if len(stack) > 0 {
				v = value(stack)
			}
			emit(s.six, hi, lo, v)
		}
	}
	for i, s := range in {
		for len(stack) > 0 && !in[stack[len(stack)-1]].contains(s) {
			pop()
		}
		stack = append(stack, i)
		emit(s.six, s.hi, s.lo, value(stack))
	}
	for len(stack) > 0 {
		pop()
	}
}

func (t *table) sizes() uint64 { return uint64(len(t.four)) | uint64(len(t.six))<<32 }

func (t *table) append(w []uint64) []uint64 {
	for _, s := range t.four {
		w = append(w, s.lo<<32|uint64(s.value))
	}
	for _, s := range t.six {
		w = append(w, s.hi)
	}
	for _, s := range t.six {
		w = append(w, s.lo)
	}
	for _, s := range t.six {
		w = append(w, uint64(s.value))
	}
	return w
}

func halves(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	if a.Is4() {
		return 0, uint64(binary.BigEndian.Uint32(b[12:]))
	}
	return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
}

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

// blockIn lays out the addresses of an interface.
func blockIn(i *ruleset.Interface) []uint64 {
	one := func([]int) uint32 { return 1 }
	tables := [2]table{}
	exempt := make([]netip.Prefix, len(i.Exempt))
	for j, a := range i.Exempt {
		exempt[j] = netip.PrefixFrom(a, a.BitLen())
	}
	for j, list := range [][]netip.Prefix{i.Own, exempt} {
		var l []stretch
		for _, p := range list {
			l = append(l, stretchOf(p))
		}
		slices.SortFunc(l, compareStretches)
		tables[j].cut(slices.Compact(l), one)
	}
	w := tables[1].append(tables[0].append([]uint64{tables[0].sizes(), tables[1].sizes(), 0}))
	w[2] = uint64(len(w))
	return appendSource(w, encodeInterface(i))
}

func appendSource(w []uint64, b []byte) []uint64 {
	w = append(w, uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		w = append(w, binary.LittleEndian.Uint64(b))
	}
	if len(b) > 0 {
		var word [8]byte
		copy(word[:], b)
		w = append(w, binary.LittleEndian.Uint64(word[:]))
	}
	return w
}

// sourceAt reads the source at a place; nil if there is none in its bounds.
func sourceAt(w []uint64, at uint64) []byte {
	if at >= uint64(len(w)) {
		return nil
	}
	n := w[at]
	if n > uint64(len(w))*8 || at+1+(n+7)/8 > uint64(len(w)) {
		return nil
	}
	b := make([]byte, 0, n+8)
	for _, v := range w[at+1 : at+1+(n+7)/8] {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b[:n]
}

var errSource = errors.New("what the kernel has is not a ruleset: it stays in force; have it replaced by `moat detach --force`")

// A coder writes and reads sources.
type coder struct {
	b   []byte
	bad bool
}

func (c *coder) uint(v uint64) { c.b = binary.AppendUvarint(c.b, v) }
func (c *coder) int(v int64)   { c.b = binary.AppendVarint(c.b, v) }
func (c *coder) text(s string) { c.uint(uint64(len(s))); c.b = append(c.b, s...) }
func (c *coder) take(n uint64) (b []byte) {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	b, c.b = c.b[:n], c.b[n:]
	return b
}

func (c *coder) readUint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *coder) readInt() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *coder) readText() string { return string(c.take(c.readUint())) }

// id writes an id: 17 hexadecimal digits after its prefix take nine bytes.
func (c *coder) id(prefix, s string) {
	if !vpc.WellFormed(prefix, s) || len(s) != len(prefix)+18 {
		c.text(s)
		return
	}
	c.uint(1 << 20)
	var b [9]byte
	for i, d := range []byte(s[len(prefix)+1:]) {
		if d >= 'a' {
			d -= 'a' - 10
		} else {
			d -= '0'
		}
		b[i/2] |= d << (4 * (1 - i%2))
	}
	c.b = append(c.b, b[:]...)
}

func (c *coder) readID(prefix string) string {
	n := c.readUint()
	if n != 1<<20 {
		return string(c.take(n))
	}
	s := append([]byte(prefix), '-')
	for i, b := range c.take(9) {
		s = append(s, "0123456789abcdef"[b>>4])
		if i < 8 {
			s = append(s, "0123456789abcdef"[b&15])
		}
	}
	return string(s)
}

// prefix writes a prefix; 255 bits stand for the zero one.
func (c *coder) prefix(p netip.Prefix) {
	if !p.IsValid() {
		c.b = append(c.b, 255)
		return
	}
	if a := p.Addr(); a.Is4() {
		b := a.As4()
		c.b = append(append(c.b, byte(p.Bits()), 4), b[:]...)
	} else {
		b := a.As16()
		c.b = append(append(c.b, byte(p.Bits()), 16), b[:]...)
	}
}

func (c *coder) readPrefix() netip.Prefix {
	bits := c.take(1)
	if bits == nil || bits[0] == 255 {
		return netip.Prefix{}
	}
	n := c.take(1)
	if n == nil {
		return netip.Prefix{}
	}
	a, ok := netip.AddrFromSlice(c.take(uint64(n[0])))
	p := netip.PrefixFrom(a, int(bits[0]))
	c.bad = c.bad || !ok || !p.IsValid()
	return p
}

func encodePolicy(p *ruleset.Policy) []byte {
	c := &coder{}
	c.policy(p)
	return c.b
}

func (c *coder) policy(p *ruleset.Policy) {
	c.text(p.Name)
	n := uint64(len(p.Rules)) << 1
	if p.Direction == flow.Egress {
		n |= 1
	}
	c.uint(n)
	for i := range p.Rules {
		r := &p.Rules[i]
		c.int(int64(r.Protocol))
		c.int(int64(r.Ports.From))
		c.int(int64(r.Ports.To))
		c.prefix(r.Remote.Prefix)
		if !r.Remote.Prefix.IsValid() {
			c.id(vpc.GroupPrefix, string(r.Remote.Group))
		}
		c.id(vpc.RulePrefix, string(r.ID))
	}
}

func decodePolicy(b []byte) (p ruleset.Policy, err error) {
	c := &coder{b: b}
	p.Name = c.readText()
	n := c.readUint()
	p.Direction = n&1 == 1
	for range n >> 1 {
		var r ruleset.Rule
		r.Protocol = flow.Protocol(c.readInt())
		r.Ports = flow.PortRange{From: int32(c.readInt()), To: int32(c.readInt())}
		if r.Remote.Prefix = c.readPrefix(); !r.Remote.Prefix.IsValid() {
			r.Remote.Group = vpc.GroupID(c.readID(vpc.GroupPrefix))
		}
		r.ID = vpc.RuleID(c.readID(vpc.RulePrefix))
		if c.bad {
			return p, errSource
		}
		p.Rules = append(p.Rules, r)
	}
	if c.bad || len(c.b) > 0 {
		return p, errSource
	}
	return p, nil
}

func encodeInterface(i *ruleset.Interface) []byte {
	c := &coder{}
	c.text(string(i.ID))
	c.text(string(i.VPC))
	c.text(i.MAC)
	check := uint64(0)
	if i.Check {
		check = 1
	}
	c.uint(check)
	c.uint(uint64(len(i.Own)))
	for _, p := range i.Own {
		c.prefix(p)
	}
	c.uint(uint64(len(i.Exempt)))
	for _, a := range i.Exempt {
		c.prefix(netip.PrefixFrom(a, a.BitLen()))
	}
	for _, v := range []int32{i.Timeouts.TCPEstablished, i.Timeouts.UDPStream, i.Timeouts.UDP, int32(i.OnRevoke.Mode), i.OnRevoke.Drain} {
		c.int(int64(v))
	}
	return c.b
}

func decodeInterface(b []byte) (i ruleset.Interface, err error) {
	c := &coder{b: b}
	i.ID, i.VPC, i.MAC = vpc.InterfaceID(c.readText()), vpc.VPCID(c.readText()), c.readText()
	i.Check = c.readUint() == 1
	for n := c.readUint(); n > 0 && !c.bad; n-- {
		i.Own = append(i.Own, c.readPrefix())
	}
	for n := c.readUint(); n > 0 && !c.bad; n-- {
		i.Exempt = append(i.Exempt, c.readPrefix().Addr())
	}
	var v [5]int32
	for j := range v {
		v[j] = int32(c.readInt())
	}
	i.Timeouts = ruleset.Timeouts{TCPEstablished: v[0], UDPStream: v[1], UDP: v[2]}
	i.OnRevoke = ruleset.OnRevoke{Mode: ruleset.Mode(v[3]), Drain: v[4]}
	if c.bad || len(c.b) > 0 {
		return i, errSource
	}
	return i, nil
}

// Names are the numbers that stand for ids in words and keys.
type names struct {
	vpcs   map[vpc.VPCID]uint32
	groups map[vpc.GroupID]uint32
	next   uint32
}

func newNames() *names {
	return &names{vpcs: map[vpc.VPCID]uint32{}, groups: map[vpc.GroupID]uint32{}, next: 1}
}

func (n *names) vpc(id vpc.VPCID) uint32     { return number(n.vpcs, id, &n.next) }
func (n *names) group(id vpc.GroupID) uint32 { return number(n.groups, id, &n.next) }

func number[K comparable](m map[K]uint32, id K, next *uint32) uint32 {
	v, ok := m[id]
	if !ok {
		v = *next
		*next++
		m[id] = v
	}
	return v
}

func (n *names) encode() []byte {
	c := &coder{}
	c.uint(uint64(len(n.vpcs)))
	for id, v := range n.vpcs {
		c.uint(uint64(v))
		c.id(vpc.VPCPrefix, string(id))
	}
	c.uint(uint64(len(n.groups)))
	for id, v := range n.groups {
		c.uint(uint64(v))
		c.id(vpc.GroupPrefix, string(id))
	}
	return c.b
}

func decodeNames(b []byte) (*names, error) {
	c, n := &coder{b: b}, newNames()
	for k := c.readUint(); k > 0 && !c.bad; k-- {
		v := uint32(c.readUint())
		n.vpcs[vpc.VPCID(c.readID(vpc.VPCPrefix))] = v
		n.next = max(n.next, v+1)
	}
	for k := c.readUint(); k > 0 && !c.bad; k-- {
		v := uint32(c.readUint())
		n.groups[vpc.GroupID(c.readID(vpc.GroupPrefix))] = v
		n.next = max(n.next, v+1)
	}
	if c.bad || len(c.b) > 0 {
		return nil, errSource
	}
	return n, nil
}

// exemption is bpf/search.h's.
func exemption(a netip.Addr) uint64 {
	hi, lo := halves(a)
	return 1 << ((hi ^ lo) * 0x9e3779b97f4a7c15 >> 58)
}

// sign is bpf/search.h's.
func sign(v uint32, a netip.Addr) uint64 {
	hi, lo := halves(a)
	return ((hi ^ lo*0x9e3779b97f4a7c15) + uint64(v)) * 0xc2b2ae3d27d4eb4f >> 48
}
