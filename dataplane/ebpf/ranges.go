package ebpf

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
)

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
