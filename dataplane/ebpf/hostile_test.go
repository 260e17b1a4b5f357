package ebpf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"moat/flow"
	"moat/ruleset"
	"moat/test/clause"
)

// A siege sends packets to the kernel's programs, each as the first ever.
type siege struct {
	*bench
	reader
	own          []netip.Addr
	sent, passed int
	fault        error // the first packet that passes and may not
}

func newSiege(t testing.TB) *siege {
	return besiege(newBench(t, Options{Flows4: 1024, Flows6: 1024}))
}

// besiege applies a rule of every kind, each for one address or one protocol.
func besiege(b *bench) *siege {
	s := &siege{bench: b}
	s.rs = rules(b.t, "in tcp 80 from 10.1.0.0/16", "in udp 53 from 10.1.0.0/16", "in udp 53 from 2001:db8:1::/64", "in tcp 80 from 2001:db8:1::/64",
		"in icmp from 10.1.0.9/32", "in icmpv6 from 2001:db8:1::9/128", "in all from 10.1.9.0/24", "in all from 2001:db8:1:9::/64",
		"in udp 53 from fe80::/10", "in tcp 80 from 10.0.0.0/24", "in udp 53 from 2001:db8::/64",
		"out tcp 443 to 10.1.0.0/16", "out udp 53 to 2001:db8:1::/64", "out udp 53 to fe80::/10", "out tcp 80 to 10.0.0.0/24")
	for _, n := range []flow.Protocol{50, 59, 135} {
		s.rs.Policies[1].Rules = append(s.rs.Policies[1].Rules, ruleset.Rule{Protocol: n, Ports: flow.NoPorts,
			Remote: ruleset.Remote{Prefix: netip.MustParsePrefix("2001:db8:1::50/128")}, ID: "sgr-other"})
	}
	slices.SortFunc(s.rs.Policies[1].Rules, ruleset.Compare)
	s.own = []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::5")}
	s.of = &s.rs.Interfaces[0]
	apply(b.t, s.p, s.rs)
	s.on(eni, 0)
	return s
}

// storm sends a packet; it is a fault if it passes though the reader says no.
func (s *siege) storm(out bool, p []byte) bool {
	s.t.Helper()
	if s.sent++; s.fault != nil || !s.run(out, p) {
		return false
	}
	s.passed++
	s.p.control.NowOffset++ // what passes without a rule does so within a rate
	if may, why := s.may(p, out); !may {
		s.blame("passes, out %v: %s\n%x", out, why, p)
	}
	s.forgetAll()
	return true
}

func (s *siege) blame(format string, a ...any) {
	if s.fault == nil {
		s.fault = fmt.Errorf(format, a...)
	}
}

// result tells how a siege went.
func (s *siege) result() {
	s.t.Helper()
	if s.fault != nil {
		s.t.Fatal(s.fault)
	}
	s.t.Logf("%d of %d pass", s.passed, s.sent)
}

// forgetAll removes flows and fragments.
func (s *siege) forgetAll() {
	s.t.Helper()
	if err := s.p.dropFlows(s.p.numbers[eni]); err != nil {
		s.t.Fatal(err)
	}
	var k bpfFragKey
	for s.p.maps.Frags.NextKey(nil, &k) == nil {
		if err := s.p.maps.Frags.Delete(k); err != nil {
			s.t.Fatal(err)
		}
	}
}

// packets are well formed: each passes or does not, by one rule.
func (s *siege) packets() (all []pkt, out []bool) {
	for _, remote := range []string{"10.1.0.9", "10.1.0.10", "10.1.9.1", "10.2.0.9", "2001:db8:1::9", "2001:db8:1::50", "2001:db8:1:9::1", "2001:db8:2::9"} {
		a := netip.MustParseAddr(remote)
		local := s.own[map[bool]int{true: 1}[a.Is6()]]
		for _, o := range []bool{false, true} {
			for _, k := range []pkt{
				{proto: 6, sport: 5000, dport: 80, flags: 2}, {proto: 6, sport: 5000, dport: 443, flags: 16, payload: make([]byte, 24)}, {proto: 6, sport: 80, dport: 81, flags: 18},
				{proto: 17, sport: 5000, dport: 53, payload: make([]byte, 24)}, {proto: 17, sport: 67, dport: 68}, {proto: 17, sport: 547, dport: 546},
				{proto: 1, typ: 8, sport: 7}, {proto: 1, typ: 3, code: 1, payload: make([]byte, 28)}, {proto: 58, typ: 128, sport: 7}, {proto: 58, typ: 135, hops: 255, payload: make([]byte, 16)},
				{proto: 58, typ: 134, hops: 255, payload: make([]byte, 16)}, {proto: 58, typ: 136, hops: 255, payload: s.own[1].AsSlice()}, {proto: 58, typ: 136, hops: 255, payload: make([]byte, 16)},
				{proto: 50, payload: make([]byte, 16)}, {proto: 47, payload: make([]byte, 16)},
			} {
				k.src, k.dst = a, local
				if o {
					k.src, k.dst = k.dst, k.src
				}
				all, out = append(all, k), append(out, o)
			}
		}
	}
	return all, out
}

// Well-formed packets pass if and only if they may: otherwise what follows
// would prove nothing.
func TestReaderAgrees(t *testing.T) {
	s := newSiege(t)
	all, out := s.packets()
	for i, k := range all {
		p := k.bytes()
		may, why := s.may(p, out[i])
		if got := s.storm(out[i], p); got != may {
			t.Errorf("%+v, out %v: passes: %v, but %s", k, out[i], got, why)
		}
	}
	if s.passed < 20 || s.passed > s.sent/2 {
		t.Errorf("%d of %d pass", s.passed, s.sent)
	}
}

// Every chain of up to three extension headers, of those that are followed and
// of those that are not, before an allowed port and one that is not; longer
// ones at random, also with lengths that lead elsewhere.
func TestHostileChains(t *testing.T) {
	clause.Holds(t, "F45", "F46")
	s := newSiege(t)
	s.chains()
	s.result()
}

func (s *siege) chains() {
	kinds := []byte{0, 43, 44, 50, 51, 59, 60, 135, 139, 140, 253, 6, 17, 58}
	followed := []byte{0, 43, 44, 60}
	chain := func(remote string, chain []byte, port uint16) []byte {
		k := pkt{src: netip.MustParseAddr(remote), dst: s.own[1], proto: 17, sport: 5000, dport: port, chain: chain, payload: []byte("payload.")}
		return k.bytes()
	}
	try := func(c []byte) {
		good := s.storm(false, chain("2001:db8:1::9", c, 53))
		plain := len(c) <= EXTENSIONS && !slices.ContainsFunc(c, func(b byte) bool { return !slices.Contains(followed, b) })
		once := slices.Index(c, 44) < 0 || slices.Index(c[slices.Index(c, 44)+1:], 44) < 0
		if plain && once && !good {
			s.blame("chain %v before an allowed port does not pass", c)
		}
		s.storm(false, chain("2001:db8:1::9", c, 54))
		s.storm(false, chain("2001:db8:1::50", c, 54))
		s.storm(false, chain("2001:db8:1:9::1", c, 54))
	}
	for _, a := range kinds {
		try([]byte{a})
		for _, b := range kinds {
			try([]byte{a, b})
			for _, c := range kinds {
				try([]byte{a, b, c})
			}
		}
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	for range 10_000 {
		c := make([]byte, r.IntN(11))
		for i := range c {
			if c[i] = followed[r.IntN(4)]; r.IntN(20) == 0 {
				c[i] = kinds[r.IntN(len(kinds))]
			}
		}
		p := chain("2001:db8:1::9", c, uint16(53+r.IntN(2)))
		for range r.IntN(3) {
			p[54+r.IntN(min(len(p)-54, 8*len(c)+8))] = byte(r.IntN(4)) // a length, a type, an offset
		}
		s.storm(false, p)
	}
}

// Lengths that do not fit: of the header, the packet, the datagram and the
// segment, and packets that end early.
func TestHostileLengths(t *testing.T) {
	clause.Holds(t, "F21", "F45")
	s := newSiege(t)
	s.lengths()
	s.result()
}

func (s *siege) lengths() {
	all, out := s.packets()
	for i, k := range all {
		if i%3 == 2 { // enough of them
			continue
		}
		whole := k.bytes()
		change := func(f func(p []byte)) {
			p := slices.Clone(whole)
			f(p)
			s.storm(out[i], p)
		}
		for n := 15; n < len(whole); n++ {
			s.storm(out[i], whole[:n:n])
		}
		around := []int{0, 1, 4, 5, 7, 8, 19, 20, 21, 27, 28, 39, 40, 41, len(whole) - 15, len(whole) - 14, len(whole) - 13, 255, 256, 32768, 65535}
		l4 := 34
		if k.src.Is4() {
			for ihl := range 16 {
				for _, total := range around {
					change(func(p []byte) { p[14] = 0x40 | byte(ihl); be.PutUint16(p[16:], uint16(total)) })
				}
			}
			for version := range 16 {
				change(func(p []byte) { p[14] = byte(version)<<4 | 5 })
			}
		} else {
			l4 = 54
			for _, size := range around {
				change(func(p []byte) { be.PutUint16(p[18:], uint16(size)) })
			}
			for version := range 16 {
				change(func(p []byte) { p[14] = byte(version) << 4 })
			}
		}
		for n := range 16 {
			if k.proto == 6 {
				change(func(p []byte) { p[l4+12] = byte(n) << 4 })
			}
		}
		for _, n := range around {
			if k.proto == 17 {
				change(func(p []byte) { be.PutUint16(p[l4+4:], uint16(n)) })
			}
		}
	}
}

// Fragments in every order, overlapping and tiny. Whatever of a datagram got
// through, and however its pieces are put together where they overlap, its
// ports are those of a rule: no piece that passes says others, and none passes
// before a first one has.
func TestHostileFragments(t *testing.T) {
	clause.Holds(t, "F45")
	s := newSiege(t)
	if later := s.fragments(); later == 0 {
		t.Error("no later piece ever passes")
	}
	s.result()
}

func (s *siege) fragments() (later int) {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 4))
	for range 4000 {
		six, tcp := r.IntN(2) == 0, r.IntN(2) == 0
		header, good, bad := 8, uint16(53), uint16(54)
		k := pkt{src: netip.MustParseAddr("10.1.0.9"), dst: s.own[0], proto: 17, sport: 5000}
		if tcp {
			header, good, bad = 20, 80, 81
			k.proto, k.flags = 6, 2
		}
		if six {
			k.src, k.dst, k.chain = netip.MustParseAddr("2001:db8:1::9"), s.own[1], []byte{44}
		}
		k.more = true
		type datagram struct {
			id  uint32
			src netip.Addr
		}
		first := map[datagram]int{} // where a first piece that passed ends at least
		for range 8 {
			k := k
			k.id = uint32(1 + r.IntN(2))
			k.more = r.IntN(3) > 0
			if r.IntN(10) == 0 {
				k.src = k.src.Next() // somebody else's
			}
			// A piece of a datagram to one port or the other, from anywhere.
			whole := k
			if whole.dport = good; r.IntN(3) == 0 {
				whole.dport = bad
			}
			whole.payload = make([]byte, 80)
			t4 := whole.transport()
			from := 8 * r.IntN(6)
			if r.IntN(2) == 0 {
				from = 0
			}
			size := 8 * r.IntN(5)
			if r.IntN(4) == 0 {
				size = r.IntN(40)
			}
			piece := t4[from:min(len(t4), from+size)]
			if !k.more && from == 0 {
				piece = t4
			}
			k.frag, k.payload = from, piece
			p := fragmentBytes(&k, piece)
			s.sent++
			if s.fault != nil || !s.run(false, p) {
				continue
			}
			s.passed++
			switch {
			case from == 0 && (len(piece) < header || whole.dport != good):
				s.blame("a first piece of %d bytes to port %d passes: %x", len(piece), whole.dport, p)
			case from == 0:
				if end, ok := first[datagram{k.id, k.src}]; !ok || len(piece) < end {
					first[datagram{k.id, k.src}] = len(piece)
				}
			case from > 0:
				later++
				if end, ok := first[datagram{k.id, k.src}]; !ok || from < end {
					s.blame("a piece from %d passes, the first of whose datagram ends at %d (%v): %x", from, end, ok, p)
				}
			}
		}
		s.forgetAll()
	}
	return later
}

// fragmentBytes gives a fragment with these bytes, whatever they say.
func fragmentBytes(k *pkt, piece []byte) []byte {
	whole := *k
	if whole.frag == 0 {
		// The header is in the piece.
		whole.frag, whole.payload = 8, piece
		p := whole.bytes()
		if whole.src.Is4() {
			p[21] &^= 1
		} else {
			p[14+40+3] &^= 8
		}
		return p
	}
	return whole.bytes()
}

// Bytes changed at random.
func TestHostileBytes(t *testing.T) {
	s := newSiege(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s.bytes(seed, *packets)
	s.result()
}

func (s *siege) bytes(seed uint64, n int) {
	r := rand.New(rand.NewPCG(seed, 5))
	all, out := s.packets()
	for range n {
		i := r.IntN(len(all))
		k := all[i]
		if r.IntN(3) == 0 {
			k.options = r.IntN(11)
			k.chain = nil
			for range r.IntN(4) {
				k.chain = append(k.chain, []byte{0, 43, 44, 60}[r.IntN(4)])
			}
		}
		p := k.bytes()
		for range r.IntN(4) {
			p[12+r.IntN(len(p)-12)] = byte(r.Uint32())
		}
		switch r.IntN(10) {
		case 0:
			p = p[:15+r.IntN(len(p)-15)]
		case 1:
			p = append(p, make([]byte, r.IntN(64))...)
		}
		s.storm(out[i], p)
	}
}

// FuzzHostile lets Go's fuzzer look for a packet that passes and may not:
//
//	go test ./dataplane/ebpf -run XXX -fuzz FuzzHostile -fuzztime 1m
func FuzzHostile(f *testing.F) {
	s := newSiege(f)
	all, out := s.packets()
	for i, k := range all {
		f.Add(out[i], k.bytes())
	}
	f.Fuzz(func(t *testing.T, out bool, p []byte) {
		if len(p) < 15 || len(p) > 1500 {
			return
		}
		s.t = t
		s.storm(out, p)
		s.result()
	})
}
