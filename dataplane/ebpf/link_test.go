package ebpf

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"moat/test/clause"
)

// A forger makes frames of what a link needs: ARP, neighbour discovery, MLD and
// DHCP, in the names of the interface, of others, and of nobody; and packets for
// the rules, some with options of IPv4.
type forger struct {
	*rand.Rand
	out bool
}

func pick[T any](f *forger, of ...T) T { return of[f.IntN(len(of))] }

// rarely reports true one time in n.
func (f *forger) rarely(n int) bool { return f.IntN(n) == 0 }

var (
	ownMAC     = []byte{2, 0, 0, 0, 0, 2}
	otherMAC   = []byte{2, 0, 0, 0, 0, 1}
	ownFour    = netip.MustParseAddr("10.0.0.5")
	otherFour  = netip.MustParseAddr("10.0.0.6")
	awayFour   = netip.MustParseAddr("10.1.0.9")
	ownSix     = netip.MustParseAddr("2001:db8::5")
	otherSix   = netip.MustParseAddr("2001:db8::6")
	awaySix    = netip.MustParseAddr("2001:db8:1::9")
	ownLocal   = linkLocalOf(ownMAC)
	otherLocal = netip.MustParseAddr("fe80::1")
)

func (f *forger) mac() []byte {
	if f.rarely(4) {
		return pick(f, otherMAC, []byte{0, 0, 0, 0, 0, 0}, []byte{255, 255, 255, 255, 255, 255}, []byte{2, 0, 0, 0, 0, 3})
	}
	return ownMAC
}

func (f *forger) four() netip.Addr {
	return pick(f, ownFour, ownFour, otherFour, netip.IPv4Unspecified(), awayFour, limited, netip.MustParseAddr("10.0.7.17"))
}

func (f *forger) six() netip.Addr {
	return pick(f, ownSix, ownLocal, ownLocal, otherSix, otherLocal, netip.IPv6Unspecified(), awaySix, allNodes, netip.MustParseAddr("2001:db8:0:7::9"))
}

// nodes is the group of who asks for an address.
func nodes(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

// frame makes one.
func (f *forger) frame() []byte {
	f.out = f.IntN(3) > 0
	var p []byte
	switch f.IntN(9) {
	case 0:
		p = f.arp()
	case 1, 2, 3:
		p = f.discovery()
	case 4, 5:
		p = f.mld()
	case 6:
		p = f.dhcp()
	case 7:
		p = f.dhcp6()
	default:
		p = f.plain()
	}
	copy(p, "\xff\xff\xff\xff\xff\xff")
	copy(p[6:], otherMAC)
	if f.out {
		copy(p[6:], f.mac())
	}
	for f.rarely(6) {
		p[12+f.IntN(len(p)-12)] = byte(f.Uint32())
	}
	switch f.IntN(40) {
	case 0:
		p = p[:15+f.IntN(len(p)-15)]
	case 1:
		p = append(p, make([]byte, f.IntN(30))...)
	case 2:
		p = append(p, 1)
	}
	return p
}

func (f *forger) arp() []byte {
	p := append(make([]byte, 12), 8, 6, 0, 1, 8, 0, 6, 4, 0, pick[byte](f, 1, 2, 2, 3))
	p = append(append(p, f.mac()...), f.four().AsSlice()...)
	p = append(append(p, f.mac()...), f.four().AsSlice()...)
	if f.rarely(3) {
		p = append(p, make([]byte, 18)...)
	}
	return p
}

// six makes a packet of ICMPv6 or UDP, mostly as it should be.
func (f *forger) packet(k pkt, hops uint8, alert bool) []byte {
	if k.hops = hops; f.rarely(12) {
		k.hops = pick[uint8](f, 1, 64, 254, 255)
	}
	if alert != f.rarely(12) {
		k.chain = []byte{0}
	}
	if f.rarely(20) {
		k.chain = pick(f, []byte{60}, []byte{0, 60}, []byte{44}, []byte{0, 0})
		k.more = f.rarely(2)
	}
	p := k.bytes()
	if alert && len(p) > 62 && k.src.Is6() {
		copy(p[54:], []byte{p[54], 0, 5, 2, 0, 0, 1, 0})
		if f.rarely(4) {
			copy(p[54:], []byte{p[54], 0, 1, 0, 5, 2, 0, 0})
		}
	}
	return p
}

func (f *forger) discovery() []byte {
	k := pkt{src: f.six(), dst: f.six(), proto: 58, typ: pick[byte](f, 133, 134, 135, 135, 135, 136, 136, 136, 137)}
	target := f.six()
	k.dst = pick(f, k.dst, target, nodes(target), allNodes, allRouters)
	body := make([]byte, 0, 64)
	switch k.typ {
	case 134:
		body = append(body, make([]byte, 8)...)
	case 135, 136:
		body = append(body, target.AsSlice()...)
	case 137:
		body = append(body, make([]byte, 32)...)
	}
	for f.rarely(2) {
		option := append([]byte{pick[byte](f, 1, 1, 2, 2, 14, 3, 25), 1}, f.mac()...)
		if f.rarely(10) {
			option[1] = byte(f.IntN(4))
		}
		body = append(body, option...)
	}
	if f.rarely(20) {
		body = body[:f.IntN(len(body)+1)]
	}
	k.payload = body
	p := f.packet(k, 255, false)
	if f.rarely(3) && len(p) > 58 {
		p[58] = pick[byte](f, 0x20, 0x60, 0x80) // flags of an advertisement
	}
	return p
}

func (f *forger) mld() []byte {
	k := pkt{src: pick(f, ownLocal, ownLocal, netip.IPv6Unspecified(), otherLocal, f.six()), proto: 58, typ: pick[byte](f, 130, 131, 132, 143, 143, 143)}
	group := pick(f, netip.MustParseAddr("ff02::fb"), nodes(ownSix), netip.MustParseAddr("ff05::2"), netip.MustParseAddr("ff12::8"), f.six())
	switch k.typ {
	case 130:
		k.dst, k.payload = pick(f, allNodes, allNodes, group, ownSix, ownLocal), group.AsSlice()
		if n := f.IntN(4); f.rarely(2) {
			k.payload = append(append(k.payload, 2, 60, 0, byte(n)), make([]byte, 16*n)...)
		}
	case 131:
		k.dst, k.payload = pick(f, group, group, allNodes), group.AsSlice()
	case 132:
		k.dst, k.payload = pick(f, allRouters, allRouters, group), group.AsSlice()
	case 143:
		k.dst = pick(f, allMLD, allMLD, allMLD, allNodes)
		n := 1 + f.IntN(3)
		if f.rarely(10) {
			n = 60 + f.IntN(8)
		}
		for range n {
			record := append([]byte{byte(1 + f.IntN(6)), 0, 0, 0}, group.AsSlice()...)
			if f.rarely(8) {
				record[f.IntN(4)] = byte(f.IntN(8))
			}
			k.payload = append(k.payload, record...)
		}
		if k.sport = 0; f.rarely(15) {
			n += f.IntN(3) - 1
		}
		p := f.packet(k, 1, true)
		if at := len(p) - len(k.payload) - 2; at > 0 {
			p[at], p[at+1] = byte(n>>8), byte(n)
		}
		return p
	}
	return f.packet(k, 1, true)
}

func (f *forger) dhcp() []byte {
	k := pkt{src: f.four(), dst: f.four(), proto: 17, sport: 67, dport: 68}
	size := pick(f, 240, 260, 300, 576)
	b := make([]byte, 1500)
	b[0], b[1], b[2] = 2, 1, 6
	if f.out != f.rarely(8) {
		k.sport, k.dport, b[0] = 68, 67, 1
	}
	copy(b[28:], f.mac())
	copy(b[236:], "\x63\x82\x53\x63")
	if f.rarely(10) {
		size = pick(f, 100, 239, 577, 1472)
	}
	if f.rarely(20) {
		b[pick(f, 0, 1, 2, 236)]++
	}
	k.payload = b[:size]
	if f.rarely(20) {
		k.more, k.payload = true, k.payload[:size&^7]
	}
	return k.bytes()
}

func (f *forger) dhcp6() []byte {
	k := pkt{src: pick(f, ownLocal, f.six()), dst: pick(f, allServers, allServers, f.six()), proto: 17, sport: 546, dport: 547}
	typ := pick[byte](f, 1, 3, 4, 5, 6, 8, 9, 11)
	if f.out == f.rarely(8) {
		k.sport, k.dport, typ = 547, 546, pick[byte](f, 2, 7, 10)
		k.src, k.dst = pick(f, otherLocal, otherSix, awaySix, f.six()), pick(f, ownLocal, ownSix, f.six())
	}
	if f.rarely(10) {
		typ = byte(f.Uint32())
	}
	size := pick(f, 4, 60, 200, 576)
	if f.rarely(10) {
		size = pick(f, 0, 3, 577, 1452)
	}
	if k.payload = make([]byte, size); size > 0 {
		k.payload[0] = typ
	}
	return f.packet(k, 64, false)
}

// plain makes a packet that the rules are about.
func (f *forger) plain() []byte {
	k := pkt{src: f.six(), dst: f.six(), proto: 17, sport: 5000, dport: pick[uint16](f, 53, 53, 54)}
	if f.rarely(3) {
		return f.packet(k, 64, false)
	}
	k.src, k.dst = f.four(), f.four()
	if k.proto = 6; f.rarely(2) {
		k.proto = 17
	}
	k.flags, k.dport = 2, pick[uint16](f, 53, 80, 443)
	var options []byte
	for f.rarely(2) {
		option := pick(f, []byte{1}, []byte{1, 1}, []byte{0}, []byte{148, 4, 0, 0}, []byte{68, 4, 5, 0}, []byte{7, 3, 4}, []byte{131, 3, 4}, []byte{137, 7, 4, 10, 1, 0, 9})
		if option = slices.Clone(option); f.rarely(8) {
			option[len(option)-1] = byte(f.Uint32())
		}
		if f.rarely(8) && len(option) > 1 {
			option[1] = byte(f.IntN(9))
		}
		options = append(options, option...)
	}
	for len(options)%4 > 0 {
		options = append(options, pick[byte](f, 0, 1))
	}
	return optioned(k.bytes(), options[:min(len(options), 40)]...)
}

// agree blames the kernel if it does anything but what the reader says.
func (s *siege) agree(out bool, p []byte) {
	may, why := s.may(p, out)
	s.sent++
	if got := s.run(out, p); got != may {
		s.blame("out %v, check %v: passes: %v, but %s\n%x", out, s.of.Check, got, why, p)
	} else if got {
		s.passed++
		s.p.control.NowOffset++
		s.forgetAll()
	}
}

// What passes without a rule passes exactly in the shape and the name that it
// must have.
func TestLink(t *testing.T) {
	clause.Holds(t, "F19", "F21")
	s := newSiege(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s.link(seed, *packets/2)
	s.result()
}

func (s *siege) link(seed uint64, n int) {
	f := &forger{Rand: rand.New(rand.NewPCG(seed, 6))}
	for i := range n {
		if i%1000 == 0 { // with source/dest check and without
			rs := *s.rs
			rs.Interfaces = slices.Clone(rs.Interfaces)
			rs.Interfaces[0].Check = i%4000 != 3000
			s.rs, s.of = &rs, &rs.Interfaces[0]
			apply(s.t, s.p, &rs)
			s.on(eni, 0)
		}
		p := f.frame()
		if len(p) < 54 && be.Uint16(p[12:]) == 0x86dd || len(p) < 34 {
			continue // the kernel makes no packet of it
		}
		if s.agree(f.out, p); s.fault != nil {
			return
		}
	}
}
