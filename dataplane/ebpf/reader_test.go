package ebpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"moat/flow"
	"moat/ruleset"
)

// A reader reads frames as strictly as whoever gets them, and asks Judge about
// what they begin. It remembers no flow and no fragment. It is written from the
// RFCs and docs/firewall.md, not from the programs.
type reader struct {
	rs *ruleset.Ruleset
	// of is the interface whose frames it reads.
	of *ruleset.Interface
	// linkLocal are the link-local addresses of the interface's device.
	linkLocal []netip.Addr
}

var be = binary.BigEndian

var (
	limited    = netip.MustParseAddr("255.255.255.255")
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
	allMLD     = netip.MustParseAddr("ff02::16")
	allServers = netip.MustParseAddr("ff02::1:2")
)

func contains(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// owns reports whether an address is the interface's.
func (r *reader) owns(a netip.Addr) bool {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return slices.Contains(r.linkLocal, a) || a == linkLocalOf(r.mac())
	}
	return contains(r.of.Own, a)
}

func (r *reader) onLink(a netip.Addr) bool { return contains(r.of.OnLink, a) }

func (r *reader) mac() net.HardwareAddr {
	mac, _ := net.ParseMAC(r.of.MAC)
	return mac
}

func linkLocalOf(mac net.HardwareAddr) netip.Addr {
	b := [16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]}
	return netip.AddrFrom16(b)
}

// may reports whether a frame may pass, and why.
func (r *reader) may(p []byte, out bool) (bool, string) {
	if len(p) < 34 {
		return false, "no room for a header"
	}
	if out && r.of.Check && !bytes.Equal(p[6:12], r.mac()) {
		return false, "another's MAC"
	}
	switch be.Uint16(p[12:]) {
	case 0x0806:
		return r.arp(p, out)
	case 0x0800:
		return r.ipv4(p, out)
	case 0x86dd:
		return r.ipv6(p, out)
	}
	return false, "neither IP nor ARP"
}

func (r *reader) arp(p []byte, out bool) (bool, string) {
	if len(p) < 42 || len(p) > 60 || be.Uint32(p[14:]) != 1<<16|0x0800 || be.Uint16(p[18:]) != 0x0604 {
		return false, "odd ARP"
	}
	operation := be.Uint16(p[20:])
	if operation != 1 && operation != 2 {
		return false, "an odd operation of ARP"
	}
	if out && bytes.ContainsFunc(p[42:], func(c rune) bool { return c != 0 }) {
		return false, "ARP with something behind it"
	}
	if !r.of.Check {
		return true, "ARP"
	}
	sender, target := netip.AddrFrom4([4]byte(p[28:32])), netip.AddrFrom4([4]byte(p[38:42]))
	if !out {
		return !r.owns(sender), "ARP from " + sender.String()
	}
	if !bytes.Equal(p[22:28], p[6:12]) {
		return false, "ARP from two MACs"
	}
	if sender.IsUnspecified() && operation == 1 {
		return r.owns(target), "a probe for " + target.String()
	}
	return r.owns(sender), "ARP from " + sender.String()
}

func (r *reader) ipv4(p []byte, out bool) (bool, string) {
	ihl, total := int(p[14]&15)*4, int(be.Uint16(p[16:]))
	if p[14]>>4 != 4 || ihl < 20 || total < ihl || 14+total > len(p) {
		return false, "lengths"
	}
	for o := p[34 : 14+ihl]; len(o) > 0 && o[0] != 0; {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return false, "options"
		}
		if slices.Contains([]byte{7, 131, 137}, o[0]) {
			return false, "a route in the options"
		}
		o = o[o[1]:]
	}
	d := datagram{src: netip.AddrFrom4([4]byte(p[26:30])), dst: netip.AddrFrom4([4]byte(p[30:34])), out: out, hops: p[22],
		protocol: p[23], more: be.Uint16(p[20:])&0x2000 != 0, plain: ihl == 20, exact: len(p) == 14+total, body: p[14+ihl : 14+total]}
	if be.Uint16(p[20:])&0x1fff != 0 {
		return false, "a later fragment"
	}
	return r.transport(&d)
}

// EXTENSIONS is bpf/ipv6.h's.
const EXTENSIONS = 8

func (r *reader) ipv6(p []byte, out bool) (bool, string) {
	if len(p) < 54 {
		return false, "no room for a header"
	}
	size := int(be.Uint16(p[18:]))
	if p[14]>>4 != 6 || 54+size > len(p) {
		return false, "lengths"
	}
	d := datagram{src: netip.AddrFrom16([16]byte(p[22:38])), dst: netip.AddrFrom16([16]byte(p[38:54])), out: out, hops: p[21],
		protocol: p[20], plain: true, exact: len(p) == 54+size, body: p[54 : 54+size]}
	if d.src.Is4In6() || d.dst.Is4In6() {
		return false, "IPv4 in IPv6"
	}
	for n := 0; slices.Contains([]byte{0, 43, 44, 60}, d.protocol); n++ {
		rest := d.body
		if n == EXTENSIONS || len(rest) < 8 {
			return false, "extension headers"
		}
		length := (int(rest[1]) + 1) * 8
		switch d.protocol {
		case 43:
			if rest[3] != 0 {
				return false, "a source route"
			}
		case 44:
			length, d.more = 8, rest[3]&1 != 0
			if be.Uint16(rest[2:])&0xfff8 != 0 {
				return false, "a later fragment"
			}
		}
		if length > len(rest) {
			return false, "extension headers"
		}
		d.alert = n == 0 && d.protocol == 0 && length == 8 &&
			(bytes.Equal(rest[2:6], []byte{5, 2, 0, 0}) || bytes.Equal(rest[2:8], []byte{1, 0, 5, 2, 0, 0}))
		d.plain = false
		d.protocol, d.body = rest[0], rest[length:]
	}
	return r.transport(&d)
}

// A datagram is what is in an IP packet, with the interface's side of it.
type datagram struct {
	src, dst netip.Addr
	out      bool
	hops     uint8
	protocol uint8
	more     bool // a first fragment of several
	plain    bool // without extension headers, or options of IPv4
	exact    bool // nothing is behind it in its frame
	alert    bool // a router alert is the only one
	body     []byte
}

func (d *datagram) local() netip.Addr {
	if d.out {
		return d.src
	}
	return d.dst
}

func (d *datagram) remote() netip.Addr {
	if d.out {
		return d.dst
	}
	return d.src
}

func (r *reader) transport(d *datagram) (bool, string) {
	t, six := d.body, d.src.Is6()
	if d.more && (len(t) == 0 || len(t)%8 != 0) {
		return false, "a first fragment that does not end where another can begin"
	}
	if r.of.Check && six && d.local().IsLinkLocalUnicast() && !r.owns(d.local()) {
		return false, "another's link-local address"
	}
	if r.of.Check && !d.out && r.owns(d.remote()) {
		return false, "from the interface's own address"
	}
	f := ruleset.Flow{Interface: r.of.ID, Direction: flow.Direction(d.out), Remote: d.remote(), Protocol: flow.Protocol(d.protocol)}
	if r.of.Check && d.out && (d.protocol == 103 || !six && d.protocol == 2 && len(t) > 0 && (t[0] == 0x11 || t[0] == 0x30)) {
		return false, "it plays a router of multicast"
	}
	switch {
	case d.protocol == 6:
		if len(t) < 20 || t[12]>>4 < 5 || !d.more && int(t[12]>>4)*4 > len(t) {
			return false, "short TCP"
		}
		f.Port = be.Uint16(t[2:])
	case d.protocol == 17:
		if len(t) < 8 || be.Uint16(t[4:]) < 8 || !d.more && int(be.Uint16(t[4:])) > len(t) {
			return false, "short UDP"
		}
		f.Port = be.Uint16(t[2:])
		if may, why, decided := r.dhcp(d); decided {
			return may, why
		}
	case d.protocol == 1 && !six || d.protocol == 58 && six:
		if len(t) < 8 {
			return false, "short ICMP"
		}
		f.Port, f.Code = uint16(t[0]), t[1]
		if six {
			if may, why, decided := r.discovery(d); decided {
				return may, why
			}
			if may, why, decided := r.mld(d); decided {
				return may, why
			}
		}
	}
	if r.of.Check && !r.owns(d.local()) {
		return false, "not its own address"
	}
	v := r.rs.Judge(f)
	return v.Allowed, fmt.Sprintf("judged %+v: %+v", f, v)
}

// dhcp reads the messages of DHCP; decided is false for what the rules are asked
// about.
func (r *reader) dhcp(d *datagram) (may bool, why string, decided bool) {
	client, server := uint32(68), uint32(67)
	if d.src.Is6() {
		client, server = 546, 547
	}
	ports, t := be.Uint32(d.body), d.body[8:]
	if d.out && ports&0xffff == client {
		return false, "it plays a DHCP server", r.of.Check
	}
	if want := map[bool]uint32{true: client<<16 | server, false: server<<16 | client}[d.out]; ports != want || d.more || !d.plain || !d.exact {
		return false, "", false
	}
	most := map[bool]int{true: 576, false: 1472}[d.out]
	own := !r.of.Check || r.owns(d.local())
	if d.src.Is4() {
		if len(t) < 240 || len(t) > most || t[0] != map[bool]byte{true: 1, false: 2}[d.out] || t[1] != 1 || t[2] != 6 || be.Uint32(t[236:]) != 0x63825363 {
			return false, "", false
		}
		if r.of.Check && !bytes.Equal(t[28:34], r.mac()) {
			return false, "DHCP about another's MAC", true
		}
		if ciaddr := netip.AddrFrom4([4]byte(t[12:16])); d.out && r.of.Check && (be.Uint32(t[24:]) != 0 || !ciaddr.IsUnspecified() && !r.owns(ciaddr)) {
			return false, "DHCP about another's lease, or of a relay", true
		}
		if !own && d.local() != map[bool]netip.Addr{true: netip.IPv4Unspecified(), false: limited}[d.out] {
			return false, "DHCP of another", true
		}
		if !(d.out && d.dst == limited) && !r.onLink(d.remote()) {
			return false, "", false
		}
		return true, "DHCP", true
	}
	if most = map[bool]int{true: 576, false: 1452}[d.out]; len(t) < 4 || len(t) > most ||
		!slices.Contains(map[bool][]byte{true: {1, 3, 4, 5, 6, 8, 9, 11}, false: {2, 7, 10}}[d.out], t[0]) {
		return false, "", false
	}
	if !own {
		return false, "DHCP of another", true
	}
	if !(d.out && d.dst == allServers) && !d.remote().IsLinkLocalUnicast() && !r.onLink(d.remote()) {
		return false, "", false
	}
	return true, "DHCPv6", true
}

func (r *reader) discovery(d *datagram) (may bool, why string, decided bool) {
	t, typ := d.body, d.body[0]
	if d.out && r.of.Check && (typ == 134 || typ == 137) {
		return false, "it plays a router", true
	}
	if typ < 133 || typ > 136 || d.hops != 255 {
		return false, "", false
	}
	fixed := map[byte]int{133: 8, 134: 16, 135: 24, 136: 24}[typ]
	if t[1] != 0 || d.more || !d.plain || !d.exact || len(t) < fixed {
		return false, "odd neighbour discovery", true
	}
	source, lies := false, false
	had := map[byte]bool{}
	for o := t[fixed:]; len(o) > 0; {
		if len(o) < 8 || o[1] == 0 || int(o[1])*8 > len(o) {
			return false, "options", true
		}
		if d.out && typ != 134 && (o[1] != 1 || !slices.Contains([]byte{1, 2, 14}, o[0]) || had[o[0]]) {
			return false, "an option that needs a reason", true
		}
		had[o[0]] = true
		source = source || o[0] == 1
		lies = lies || o[0] < 3 && !bytes.Equal(o[2:8], r.mac())
		o = o[int(o[1])*8:]
	}
	target := netip.IPv6Unspecified()
	if fixed == 24 {
		target = netip.AddrFrom16([16]byte(t[8:24]))
	}
	if !d.out {
		if typ == 134 && !d.src.IsLinkLocalUnicast() {
			return false, "no router's address", true
		}
		if !r.of.Check {
			return true, "neighbour discovery", true
		}
		if r.owns(d.src) || typ == 136 && r.owns(target) {
			return false, "somebody claims its address", true
		}
		b := d.dst.As16()
		return b[0] == 0xff && b[1] == 2 || r.owns(d.dst), "neighbour discovery", true
	}
	if r.of.Check {
		if lies {
			return false, "an option with another's MAC", true
		}
		if d.src.IsUnspecified() {
			if source || typ == 136 || typ == 135 && !r.owns(target) {
				return false, "it keeps another from its address", true
			}
		} else if !r.owns(d.src) {
			return false, "another's address", true
		}
		if typ == 136 && (!r.owns(target) || t[4]&0x80 != 0) {
			return false, "it claims another's address, or to be a router", true
		}
	}
	near := func(a netip.Addr) bool { return a.IsLinkLocalUnicast() || r.onLink(a) }
	switch typ {
	case 133:
		decided = d.dst == allRouters || d.dst.IsLinkLocalUnicast()
	case 134:
		decided = d.dst == allNodes || d.dst.IsLinkLocalUnicast()
	case 135:
		b := target.As16()
		node := netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
		decided = (near(target) || r.owns(target)) && (d.dst == target || d.dst == node)
	case 136:
		decided = d.dst == allNodes || d.dst == allRouters || near(d.dst)
	}
	return decided, "neighbour discovery", decided
}

func (r *reader) mld(d *datagram) (may bool, why string, decided bool) {
	t, typ := d.body, d.body[0]
	if !slices.Contains([]byte{130, 131, 132, 143, 151}, typ) {
		return false, "", false
	}
	if (typ == 130 || typ == 151) && d.out && r.of.Check {
		return false, "it plays a router of multicast", true
	}
	if typ == 151 || !d.exact || d.hops != 1 || t[1] != 0 || d.more || !d.alert {
		return false, "", false
	}
	if typ == 130 {
		if !d.src.IsLinkLocalUnicast() || len(t) != 24 && (len(t) < 28 || int(be.Uint16(t[26:])) > 64 || len(t) != 28+16*int(be.Uint16(t[26:]))) {
			return false, "", false
		}
		if !d.out && r.of.Check {
			if b := d.dst.As16(); r.owns(d.src) || !(b[0] == 0xff && b[1] == 2 || r.owns(d.dst)) {
				return false, "a query that is not for it", true
			}
		}
		return true, "MLD", true
	}
	if !d.out {
		return false, "", false
	}
	if r.of.Check && !d.src.IsUnspecified() && !(d.src.IsLinkLocalUnicast() && r.owns(d.src)) {
		return false, "a report from another", true
	}
	if typ == 143 {
		n := int(be.Uint16(t[6:]))
		if d.dst != allMLD || n == 0 || n > 64 {
			return false, "", false
		}
		rest := t[8:]
		for range n {
			if len(rest) < 20 || rest[0] == 0 || rest[0] > 6 || rest[1] != 0 || rest[4] != 0xff {
				return false, "", false
			}
			size := 20 + 16*int(be.Uint16(rest[2:]))
			if size > len(rest) {
				return false, "", false
			}
			rest = rest[size:]
		}
		if len(rest) != 0 {
			return false, "", false
		}
		return true, "MLD", true
	}
	if len(t) != 24 {
		return false, "", false
	}
	group := netip.AddrFrom16([16]byte(t[8:24]))
	if !group.IsMulticast() || typ == 131 && d.dst != group || typ == 132 && d.dst != allRouters {
		return false, "", false
	}
	return true, "MLD", true
}
