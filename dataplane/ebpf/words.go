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

// A table is a list of starts with their values.
type table struct {
	four []start
	six  []start
}

type start struct {
	addr  netip.Addr
	value uint32
}

// tableOf cuts all addresses into ranges. prefixes are sorted by address and
// length, each once; value gives that of a range within the given prefixes,
// the outermost first.
func tableOf(prefixes []netip.Prefix, value func(within []int) uint32) table {
	var t table
	var stack []int
	emit := func(a netip.Addr, v uint32) {
		l := &t.four
		if a.Is6() {
			l = &t.six
		}
		if n := len(*l); n > 0 && (*l)[n-1].addr == a {
			*l = (*l)[:n-1]
		}
		if n := len(*l); n > 0 && (*l)[n-1].value == v || n == 0 && v == 0 {
			return
		}
		*l = append(*l, start{a, v})
	}
	pop := func() {
		end := last(prefixes[stack[len(stack)-1]])
		stack = stack[:len(stack)-1]
		if next := end.Next(); next.IsValid() {
			v := uint32(0)
			if len(stack) > 0 {
				v = value(stack)
			}
			emit(next, v)
		}
	}
	for i, p := range prefixes {
		for len(stack) > 0 && !prefixes[stack[len(stack)-1]].Contains(p.Addr()) {
			pop()
		}
		stack = append(stack, i)
		emit(p.Addr(), value(stack))
	}
	for len(stack) > 0 {
		pop()
	}
	return t
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

func (t *table) sizes() uint64 { return uint64(len(t.four)) | uint64(len(t.six))<<32 }

func (t *table) append(w []uint64) []uint64 {
	for _, s := range t.four {
		b := s.addr.As4()
		w = append(w, uint64(binary.BigEndian.Uint32(b[:]))<<32|uint64(s.value))
	}
	n, at := len(t.six), len(w)
	w = append(w, make([]uint64, 3*n)...)
	for i, s := range t.six {
		w[at+i], w[at+n+i] = halves(s.addr)
		w[at+2*n+i] = uint64(s.value)
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

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()), a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// policyIn lays a policy out. group numbers its groups, counter its rules by
// id.
func policyIn(p *ruleset.Policy, group func(vpc.GroupID) uint32, counter func(vpc.RuleID) (uint32, error)) ([]uint64, error) {
	numbers := map[vpc.RuleID]uint32{}
	var counters []uint32
	byPrefix := map[netip.Prefix][]span{}
	byGroup := map[vpc.GroupID][]span{}
	for i := range p.Rules {
		r := &p.Rules[i]
		n, ok := numbers[r.ID]
		if !ok {
			c, err := counter(r.ID)
			if err != nil {
				return nil, err
			}
			counters = append(counters, c)
			n = uint32(len(counters))
			numbers[r.ID] = n
		}
		if n > math.MaxUint16 {
			return nil, fmt.Errorf("policy %q has more than %d rules", p.Name, math.MaxUint16)
		}
		if r.Remote.Group != "" {
			byGroup[r.Remote.Group] = spans(byGroup[r.Remote.Group], r, n)
		} else if r.Remote.Prefix.IsValid() {
			pre := r.Remote.Prefix.Masked()
			byPrefix[pre] = spans(byPrefix[pre], r, n)
		}
	}

	// Port sets are places relative to where they begin, until that is known.
	var sets []uint64
	made := map[string]uint32{}
	set := func(s []span) uint32 {
		d := disjoint(s)
		if len(d) == 0 {
			return 0
		}
		words := []uint64{uint64(len(d))}
		key := make([]byte, 0, 8*len(d))
		for _, r := range d {
			w := uint64(r.lo)<<40 | uint64(r.hi)<<16 | uint64(r.rule)
			words = append(words, w)
			key = binary.LittleEndian.AppendUint64(key, w)
		}
		at, ok := made[string(key)]
		if !ok {
			at = uint32(len(sets)) + 1
			made[string(key)] = at
			sets = append(sets, words...)
		}
		return at
	}
	var prefixes []netip.Prefix
	var any [2]uint32 // places of the port sets of 0.0.0.0/0 and ::/0
	var flags uint64
	for i, pre := range []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)} {
		any[i] = set(byPrefix[pre])
		if opens(byPrefix[pre]) {
			flags |= 1 << i
		}
		delete(byPrefix, pre)
	}
	for pre := range byPrefix {
		prefixes = append(prefixes, pre)
	}
	slices.SortFunc(prefixes, comparePrefixes)
	t := tableOf(prefixes, func(within []int) uint32 {
		var s []span
		for _, i := range within {
			s = append(s, byPrefix[prefixes[i]]...)
		}
		return set(s)
	})
	numbered := map[uint32]uint32{}
	for _, id := range slices.Sorted(maps.Keys(byGroup)) {
		if at := set(byGroup[id]); at != 0 {
			numbered[group(id)] = at
		}
	}
	groups := groupTable(numbered)

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
	table := base + uint32(len(sets))
	w := []uint64{
		t.sizes(),
		uint64(len(groups)) | flags<<32,
		place(any[0]) | place(any[1])<<32,
		uint64(table) | (uint64(table)+uint64(len(counters)+1)/2)<<32,
	}
	w = t.append(w)
	for _, g := range groups {
		if g != 0 {
			g = g>>32<<32 | place(uint32(g))
		}
		w = append(w, g)
	}
	w = append(w, sets...)
	for i := 0; i < len(counters); i += 2 {
		c := uint64(counters[i])
		if i+1 < len(counters) {
			c |= uint64(counters[i+1]) << 32
		}
		w = append(w, c)
	}
	return appendSource(w, encodePolicy(p)), nil
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
		l := slices.Clone(list)
		for k := range l {
			l[k] = l[k].Masked()
		}
		slices.SortFunc(l, comparePrefixes)
		tables[j] = tableOf(slices.Compact(l), one)
	}
	w := tables[1].append(tables[0].append([]uint64{tables[0].sizes(), tables[1].sizes(), 0}))
	w[2] = uint64(len(w))
	return appendSource(w, encodeInterface(i))
}

func appendSource(w []uint64, b []byte) []uint64 {
	w = append(w, uint64(len(b)))
	for len(b) > 0 {
		var word [8]byte
		b = b[copy(word[:], b):]
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

var errSource = errors.New("what the kernel has is not a ruleset of this version")

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
	b := p.Addr().AsSlice()
	c.b = append(c.b, byte(p.Bits()), byte(len(b)))
	c.b = append(c.b, b...)
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
	c.text(p.Name)
	c.uint(uint64(len(p.Rules)) << 1)
	if p.Direction == flow.Egress {
		c.b = c.b[:0]
		c.text(p.Name)
		c.uint(uint64(len(p.Rules))<<1 | 1)
	}
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
	return c.b
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
