package ebpf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"moat/flow"
	"moat/ruleset"
	"moat/test/clause"
)

var (
	any4, any6 = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	// The interface has addresses beside the first ones, of which strangeSix is of no
	// subnet.
	secondFour = netip.MustParseAddr("10.0.0.7")
	strangeSix = netip.MustParseAddr("fd00:7::5")
	secondSix  = netip.MustParseAddr("2001:db8::15")
	// deviceMAC is the MAC that the device has where it is not the record's.
	deviceMAC = []byte{2, 0, 0, 0, 0, 7}
)

func arpFrame(mac []byte, sender, target netip.Addr, rest ...byte) []byte {
	p := append([]byte(eth4[:12]), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	p = append(append(p, mac...), sender.AsSlice()...)
	return append(append(append(p, 0, 0, 0, 0, 0, 0), target.AsSlice()...), rest...)
}

// discoveryFrame makes a message of neighbour discovery. Its target is left out of
// those that have none.
func discoveryFrame(src, dst netip.Addr, typ byte, target netip.Addr, options ...byte) []byte {
	body := target.AsSlice()
	switch typ {
	case 133:
		body = nil
	case 134:
		body = make([]byte, 8)
	}
	k := pkt{src: src, dst: dst, proto: 58, typ: typ, hops: 255, payload: append(body, options...)}
	return k.bytes()
}

func dhcpFrame(src, dst netip.Addr, op byte, mac []byte, size int) []byte {
	body := make([]byte, max(size, 240))
	copy(body, []byte{op, 1, 6})
	copy(body[28:], mac)
	copy(body[236:], "\x63\x82\x53\x63")
	k := pkt{src: src, dst: dst, proto: 17, sport: 68, dport: 67, payload: body[:size]}
	if op == 2 {
		k.sport, k.dport = 67, 68
	}
	return k.bytes()
}

func dhcp6Frame(src, dst netip.Addr, typ byte, size int) []byte {
	body := make([]byte, size)
	body[0] = typ
	k := pkt{src: src, dst: dst, proto: 17, sport: 546, dport: 547, payload: body}
	if slices.Contains([]byte{2, 7, 10}, typ) {
		k.sport, k.dport = 547, 546
	}
	return k.bytes()
}

// mldFrame makes a message of MLD with a router alert.
func mldFrame(src, dst netip.Addr, typ byte, body ...byte) []byte {
	k := pkt{src: src, dst: dst, proto: 58, typ: typ, hops: 1, chain: []byte{0}, payload: body}
	p := k.bytes()
	copy(p[54:], []byte{58, 0, 5, 2, 0, 0, 1, 0})
	return p
}

// report makes a report of MLDv2.
func report(src netip.Addr, records ...[]byte) []byte {
	p := mldFrame(src, allMLD, 143, slices.Concat(records...)...)
	be.PutUint16(p[68:], uint16(len(records)))
	return p
}

// record makes a record of a report of MLDv2.
func record(head [4]byte, group netip.Addr) []byte { return append(head[:], group.AsSlice()...) }

// query makes a query of MLDv2 about all groups, or of MLDv1 for fewer than 0
// sources.
func query(src, dst netip.Addr, sources int) []byte {
	body := any6.AsSlice()
	if sources >= 0 {
		body = append(body, 2, 125, byte(sources>>8), byte(sources))
		body = append(body, make([]byte, 16*sources)...)
	}
	return mldFrame(src, dst, 130, body...)
}

// icmpError makes an ICMP error that quotes a frame.
func icmpError(src, dst netip.Addr, typ byte, frame []byte) []byte {
	k := pkt{src: src, dst: dst, proto: 1, typ: typ, payload: frame[14:]}
	if src.Is6() {
		k.proto = 58
	}
	return k.bytes()
}

// changed returns a frame with other bytes at an offset.
func changed(p []byte, at int, to ...byte) []byte {
	p = slices.Clone(p)
	copy(p[at:], to)
	return p
}

// cut returns a frame whose IP packet ends n bytes earlier. The bytes stay in the
// frame, behind the packet.
func cut(p []byte, n int) []byte {
	p = slices.Clone(p)
	at, l4 := 16, 34
	if p[14]>>4 == 6 {
		at, l4 = 18, 54
	}
	be.PutUint16(p[at:], be.Uint16(p[at:])-uint16(n))
	if p[23] == 17 && l4 == 34 || p[20] == 17 && l4 == 54 {
		be.PutUint16(p[l4+4:], be.Uint16(p[l4+4:])-uint16(n))
	}
	return p
}

// firstFragment returns a frame as the first fragment of a longer packet.
func firstFragment(k pkt) []byte {
	k.more, k.id = true, 7
	if k.src.Is6() {
		k.chain = append(k.chain, 44)
	}
	return k.bytes()
}

// optioned returns an IPv4 frame with options, in whole words.
func optioned(p []byte, options ...byte) []byte {
	p = slices.Concat(p[:34], options, p[34:])
	p[14] += byte(len(options) / 4)
	be.PutUint16(p[16:], be.Uint16(p[16:])+uint16(len(options)))
	return p
}

// A wireRow is a frame and what becomes of it: the kind of what passes without a
// rule that it counts as, "rule" if it passes by a rule, or the reason to drop it.
type wireRow struct {
	what  string
	out   bool
	frame []byte
	want  string
}

// A wirePart is rows about an interface of which the device or the check differs.
type wirePart struct {
	what     string
	link     bpfLink
	free     bool     // without source/dest check
	nameless bool     // without a MAC in the record
	open     [][]byte // what the workload has sent before
	rows     []wireRow
}

// wireParts are about an interface with the rules of TestWithoutRule. Each frame
// that is dropped has a neighbour that passes.
func wireParts() []wirePart {
	const out, in = true, false
	from := func(mac []byte, p []byte) []byte { return changed(p, 6, mac...) }
	tcp := func(src, dst netip.Addr, port uint16) []byte {
		k := pkt{src: src, dst: dst, proto: 6, sport: 5000, dport: port, flags: 2}
		return k.bytes()
	}
	udp := func(src, dst netip.Addr, sport, dport uint16) []byte {
		k := pkt{src: src, dst: dst, proto: 17, sport: sport, dport: dport, payload: make([]byte, 300)}
		return k.bytes()
	}
	addr := netip.MustParseAddr
	group := nodes(ownSix)
	own := func(typ byte, mac []byte) []byte { return append([]byte{typ, 1}, mac...) }
	nonce := []byte{14, 1, 1, 2, 3, 4, 5, 6}
	tag := append([]byte(eth4[:12]), 0x81, 0, 0, 5)

	ask := discoveryFrame(ownSix, nodes(otherSix), 135, otherSix)
	tell := discoveryFrame(ownSix, allNodes, 136, ownSix)
	advert := discoveryFrame(otherLocal, allNodes, 134, any6)
	request := dhcpFrame(any4, limited, 1, ownMAC, 300)
	answer := dhcpFrame(otherFour, ownFour, 2, ownMAC, 300)
	good := record([4]byte{4}, group)
	done := mldFrame(ownLocal, allRouters, 132, group.AsSlice()...)
	joined := mldFrame(ownLocal, group, 131, group.AsSlice()...)

	parts := []wirePart{{what: "as its record says", rows: []wireRow{
		{"ARP of its own address", out, arpFrame(ownMAC, ownFour, otherFour), "arp"},
		{"ARP, padded", out, arpFrame(ownMAC, ownFour, otherFour, make([]byte, 18)...), "arp"},
		{"ARP with something behind it", out, arpFrame(ownMAC, ownFour, otherFour, 1, 0, 0), "malformed"},
		{"ARP with something in the middle of its padding", out, arpFrame(ownMAC, ownFour, otherFour, changed(make([]byte, 18), 8, 1)...), "malformed"},
		{"ARP with something at the end of its padding", out, arpFrame(ownMAC, ownFour, otherFour, changed(make([]byte, 18), 17, 1)...), "malformed"},
		{"ARP that is longer than it is ever padded", out, arpFrame(ownMAC, ownFour, otherFour, make([]byte, 19)...), "malformed"},
		{"ARP that ends early", out, arpFrame(ownMAC, ownFour, otherFour)[:41], "malformed"},
		{"ARP of another hardware", out, changed(arpFrame(ownMAC, ownFour, otherFour), 15, 6), "malformed"},
		{"ARP of another protocol", out, changed(arpFrame(ownMAC, ownFour, otherFour), 17, 6), "malformed"},
		{"ARP with longer MACs", out, changed(arpFrame(ownMAC, ownFour, otherFour), 18, 8), "malformed"},
		{"ARP with longer addresses", out, changed(arpFrame(ownMAC, ownFour, otherFour), 19, 6), "malformed"},
		{"an answer of ARP", out, changed(arpFrame(ownMAC, ownFour, otherFour), 21, 2), "arp"},
		{"reverse ARP", out, changed(arpFrame(ownMAC, ownFour, otherFour), 21, 3), "malformed"},
		{"ARP of another's address", out, arpFrame(ownMAC, otherFour, awayFour), "arp_spoofed"},
		{"ARP with another's MAC in it", out, arpFrame(otherMAC, ownFour, otherFour), "arp_spoofed"},
		{"ARP with another's MAC around it", out, from(otherMAC, arpFrame(otherMAC, ownFour, otherFour)), "mac_spoofed"},
		{"a probe for its own address", out, arpFrame(ownMAC, any4, ownFour), "arp"},
		{"a probe for another's", out, arpFrame(ownMAC, any4, otherFour), "arp_spoofed"},
		{"an answer of ARP from nobody", out, changed(arpFrame(ownMAC, any4, ownFour), 21, 2), "arp_spoofed"},
		{"ARP to it", in, arpFrame(otherMAC, otherFour, ownFour), "arp"},
		{"ARP to it with something in its padding", in, arpFrame(otherMAC, otherFour, ownFour, changed(make([]byte, 18), 3, 1)...), "arp"},
		{"ARP to it that is longer than it is ever padded", in, arpFrame(otherMAC, otherFour, ownFour, make([]byte, 19)...), "malformed"},
		{"a probe for its address", in, arpFrame(otherMAC, any4, ownFour), "arp"},
		{"ARP of another that claims its address", in, arpFrame(otherMAC, ownFour, otherFour), "arp_spoofed"},

		{"a DHCP request", out, request, "dhcp"},
		{"a DHCP request to a server on the link", out, dhcpFrame(ownFour, otherFour, 1, ownMAC, 300), "dhcp"},
		{"a DHCP request to itself", out, dhcpFrame(ownFour, secondFour, 1, ownMAC, 300), "dhcp"},
		{"a DHCP request to a server elsewhere", out, dhcpFrame(ownFour, awayFour, 1, ownMAC, 300), "no_rule"},
		{"a DHCP request from another's address", out, dhcpFrame(otherFour, limited, 1, ownMAC, 300), "spoofed"},
		{"a DHCP request from everybody's address", out, dhcpFrame(limited, limited, 1, ownMAC, 300), "spoofed"},
		{"a DHCP request for another's MAC", out, dhcpFrame(any4, limited, 1, otherMAC, 300), "spoofed"},
		{"the longest DHCP request", out, dhcpFrame(ownFour, limited, 1, ownMAC, 576), "dhcp"},
		{"a longer DHCP request", out, dhcpFrame(ownFour, limited, 1, ownMAC, 577), "no_rule"},
		{"the shortest DHCP request", out, dhcpFrame(ownFour, limited, 1, ownMAC, 240), "dhcp"},
		{"a shorter DHCP request", out, dhcpFrame(ownFour, limited, 1, ownMAC, 239), "no_rule"},
		{"a shorter DHCP request whose end lies behind the packet", out, cut(dhcpFrame(ownFour, limited, 1, ownMAC, 240), 1), "no_rule"},
		{"a DHCP request that is an answer", out, changed(dhcpFrame(ownFour, limited, 1, ownMAC, 300), 42, 2), "no_rule"},
		{"a DHCP request of another hardware", out, changed(dhcpFrame(ownFour, limited, 1, ownMAC, 300), 43, 6), "no_rule"},
		{"a DHCP request with a longer MAC", out, changed(dhcpFrame(ownFour, limited, 1, ownMAC, 300), 44, 16), "no_rule"},
		{"BOOTP", out, changed(dhcpFrame(ownFour, limited, 1, ownMAC, 300), 42+236, 0), "no_rule"},
		{"a DHCP request from another port", out, changed(dhcpFrame(ownFour, otherFour, 1, ownMAC, 300), 35, 69), "no_rule"},
		{"a DHCP request to the client's port", out, changed(dhcpFrame(ownFour, otherFour, 1, ownMAC, 300), 37, 68), "spoofed"},
		{"the first fragment of a DHCP request", out, changed(dhcpFrame(ownFour, otherFour, 1, ownMAC, 304), 20, 0x20), "no_rule"},
		{"a DHCP answer", in, answer, "dhcp"},
		{"a DHCP request with something behind it", out, append(dhcpFrame(ownFour, limited, 1, ownMAC, 300), 0), "no_rule"},
		{"a DHCP request with an option of IPv4", out, optioned(dhcpFrame(ownFour, limited, 1, ownMAC, 300), 148, 4, 0, 0), "no_rule"},
		{"a DHCP request that renews its own lease", out, changed(dhcpFrame(ownFour, otherFour, 1, ownMAC, 300), 42+12, ownFour.AsSlice()...), "dhcp"},
		{"a DHCP request that renews another's lease", out, changed(dhcpFrame(ownFour, otherFour, 1, ownMAC, 300), 42+12, otherFour.AsSlice()...), "spoofed"},
		{"a DHCP request of a relay", out, changed(dhcpFrame(ownFour, otherFour, 1, ownMAC, 300), 42+24, ownFour.AsSlice()...), "spoofed"},
		{"a DHCP answer to everybody", in, dhcpFrame(otherFour, limited, 2, ownMAC, 300), "dhcp"},
		{"a DHCP answer through a relay", in, changed(answer, 42+24, otherFour.AsSlice()...), "dhcp"},
		{"a DHCP answer to a client that has another lease", in, changed(answer, 42+12, otherFour.AsSlice()...), "dhcp"},
		{"a DHCP answer by way of a router", in, dhcpFrame(awayFour, ownFour, 2, ownMAC, 300), "no_rule"},
		{"a DHCP answer to another", in, dhcpFrame(otherFour, addr("10.0.0.6"), 2, ownMAC, 300), "destination"},
		{"a DHCP answer to nobody", in, dhcpFrame(otherFour, any4, 2, ownMAC, 300), "destination"},
		{"a DHCP answer for another's MAC", in, dhcpFrame(otherFour, limited, 2, otherMAC, 300), "destination"},
		{"a DHCP answer that says to be from it", in, dhcpFrame(ownFour, limited, 2, ownMAC, 300), "spoofed"},
		{"the longest DHCP answer", in, dhcpFrame(otherFour, ownFour, 2, ownMAC, 1472), "dhcp"},
		{"a longer DHCP answer", in, dhcpFrame(otherFour, ownFour, 2, ownMAC, 1473), "no_rule"},
		{"a DHCP answer that is a request", in, changed(answer, 42, 1), "no_rule"},
		{"a DHCP answer from another port", in, changed(answer, 35, 69), "no_rule"},
		{"a DHCP answer to the server's port", in, changed(answer, 37, 67), "no_rule"},
		{"a DHCP answer by the workload", out, dhcpFrame(ownFour, otherFour, 2, otherMAC, 300), "spoofed"},
		{"anything from the port of a DHCP server to a client's", out, udp(ownFour, awayFour, 67, 68), "spoofed"},
		{"anything from another port to that of a DHCP client", out, udp(ownFour, otherFour, 5000, 68), "spoofed"},

		{"a DHCPv6 request", out, dhcp6Frame(ownLocal, allServers, 1, 4), "dhcp6"},
		{"a DHCPv6 request from its global address", out, dhcp6Frame(ownSix, allServers, 3, 60), "dhcp6"},
		{"a DHCPv6 request from another's link-local address", out, dhcp6Frame(otherLocal, allServers, 1, 60), "spoofed"},
		{"a DHCPv6 request from another's address", out, dhcp6Frame(otherSix, allServers, 1, 60), "spoofed"},
		{"a DHCPv6 request to a server by its link-local address", out, dhcp6Frame(ownLocal, otherLocal, 3, 60), "dhcp6"},
		{"a DHCPv6 request to a server on the link", out, dhcp6Frame(ownSix, otherSix, 3, 60), "dhcp6"},
		{"a DHCPv6 request to a server elsewhere", out, dhcp6Frame(ownSix, awaySix, 1, 60), "no_rule"},
		{"a DHCPv6 request to other servers", out, dhcp6Frame(ownSix, addr("ff05::1:3"), 1, 60), "no_rule"},
		{"a DHCPv6 request to all servers of another scope", out, dhcp6Frame(ownSix, addr("ff05::1:2"), 1, 60), "no_rule"},
		{"a DHCPv6 request to other groups of the link", out, dhcp6Frame(ownSix, addr("ff02::1:3"), 1, 60), "no_rule"},
		{"the longest DHCPv6 request", out, dhcp6Frame(ownLocal, allServers, 1, 576), "dhcp6"},
		{"a longer DHCPv6 request", out, dhcp6Frame(ownLocal, allServers, 1, 577), "no_rule"},
		{"a DHCPv6 request whose end lies behind the packet", out, cut(dhcp6Frame(ownLocal, allServers, 1, 4), 1), "no_rule"},
		{"a shorter DHCPv6 request", out, dhcp6Frame(ownLocal, allServers, 1, 3), "no_rule"},
		{"an answer of DHCPv6 between a client's ports", out, changed(dhcp6Frame(ownLocal, allServers, 1, 60), 62, 2), "no_rule"},
		{"a DHCPv6 message of a type that wraps", out, changed(dhcp6Frame(ownLocal, allServers, 1, 60), 62, 33), "no_rule"},
		{"a DHCPv6 request from another port", out, changed(dhcp6Frame(ownSix, otherSix, 1, 60), 55, 0x24), "no_rule"},
		{"a DHCPv6 request to the client's port", out, changed(dhcp6Frame(ownSix, otherSix, 1, 60), 57, 0x22), "spoofed"},
		{"the first fragment of a DHCPv6 request", out, firstFragment(pkt{src: ownSix, dst: otherSix, proto: 17, sport: 546, dport: 547, payload: changed(make([]byte, 64), 0, 1)}), "no_rule"},
		{"a DHCPv6 request with something behind it", out, append(dhcp6Frame(ownLocal, allServers, 1, 60), 0), "no_rule"},
		{"a DHCPv6 request behind another header", out, (&pkt{src: ownLocal, dst: allServers, proto: 17, sport: 546, dport: 547, chain: []byte{60}, payload: changed(make([]byte, 60), 0, 1)}).bytes(), "no_rule"},
		{"a DHCPv6 answer", in, dhcp6Frame(otherLocal, ownLocal, 7, 60), "dhcp6"},
		{"a DHCPv6 answer from a server on the link", in, dhcp6Frame(otherSix, ownSix, 7, 60), "dhcp6"},
		{"a DHCPv6 answer from elsewhere", in, dhcp6Frame(awaySix, ownSix, 7, 60), "no_rule"},
		{"a DHCPv6 answer from all servers", in, dhcp6Frame(allServers, ownSix, 7, 60), "no_rule"},
		{"a DHCPv6 answer to another", in, dhcp6Frame(otherSix, addr("2001:db8::7"), 7, 60), "destination"},
		{"a DHCPv6 answer to another's link-local address", in, dhcp6Frame(otherLocal, addr("fe80::7"), 7, 60), "destination"},
		{"a DHCPv6 answer that says to be from it", in, dhcp6Frame(ownSix, ownSix, 7, 60), "spoofed"},
		{"a DHCPv6 answer that says to be from its link-local address", in, dhcp6Frame(ownLocal, ownSix, 7, 60), "spoofed"},
		{"the longest DHCPv6 answer", in, dhcp6Frame(otherSix, ownSix, 7, 1452), "dhcp6"},
		{"a longer DHCPv6 answer", in, dhcp6Frame(otherSix, ownSix, 7, 1453), "no_rule"},
		{"a DHCPv6 request between a server's ports", in, changed(dhcp6Frame(otherSix, ownSix, 7, 60), 62, 1), "no_rule"},
		{"a DHCPv6 answer from another port", in, changed(dhcp6Frame(otherSix, ownSix, 7, 60), 55, 0x24), "no_rule"},
		{"a DHCPv6 answer to the server's port", in, changed(dhcp6Frame(otherSix, ownSix, 7, 60), 57, 0x23), "no_rule"},
		{"a DHCPv6 answer by the workload", out, dhcp6Frame(ownLocal, otherLocal, 7, 60), "spoofed"},
		{"anything from the port of a DHCPv6 server to a client's", out, udp(ownSix, awaySix, 547, 546), "spoofed"},
		{"anything from another port to that of a DHCPv6 client", out, udp(ownSix, otherSix, 5000, 546), "spoofed"},

		{"a solicitation", out, ask, "nd"},
		{"a solicitation with its MAC", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, own(1, ownMAC)...), "nd"},
		{"a solicitation by its link-local address", out, discoveryFrame(ownLocal, nodes(otherSix), 135, otherSix), "nd"},
		{"a solicitation by the router's link-local address", out, discoveryFrame(otherLocal, nodes(otherSix), 135, otherSix), "spoofed"},
		{"a solicitation by another's address", out, discoveryFrame(addr("2001:db8::7"), nodes(otherSix), 135, otherSix), "spoofed"},
		{"a solicitation with another's MAC", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, own(1, otherMAC)...), "spoofed"},
		{"a solicitation for a link-local address", out, discoveryFrame(ownSix, nodes(otherLocal), 135, otherLocal), "nd"},
		{"a solicitation for an own address that is of no subnet", out, discoveryFrame(ownSix, nodes(strangeSix), 135, strangeSix), "nd"},
		{"a solicitation for somebody away", out, discoveryFrame(ownSix, nodes(awaySix), 135, awaySix), "no_rule"},
		{"whether somebody is still there", out, discoveryFrame(ownSix, otherSix, 135, otherSix), "nd"},
		{"a solicitation to somebody away", out, discoveryFrame(ownSix, awaySix, 135, otherSix), "no_rule"},
		{"a solicitation to another of the subnet", out, discoveryFrame(ownSix, addr("2001:db8::7"), 135, otherSix), "no_rule"},
		{"a solicitation to somebody away whose address ends alike", out, discoveryFrame(ownSix, addr("2001:db8:1::6"), 135, otherSix), "no_rule"},
		{"a solicitation to who asks for another", out, discoveryFrame(ownSix, nodes(awaySix), 135, otherSix), "no_rule"},
		{"a solicitation beyond the link", out, discoveryFrame(ownSix, changedAddr(nodes(otherSix), 1, 5), 135, otherSix), "no_rule"},
		{"a solicitation with something behind it", out, append(slices.Clone(ask), 0), "malformed"},
		{"a solicitation with two nonces", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, 14, 1, 1, 2, 3, 4, 5, 6, 14, 1, 1, 2, 3, 4, 5, 6), "malformed"},
		{"a solicitation with a lower hop limit", out, changed(ask, 21, 254), "no_rule"},
		{"a solicitation with a code", out, changed(ask, 55, 1), "malformed"},
		{"a solicitation with a header before it", out, (&pkt{src: ownSix, dst: nodes(otherSix), proto: 58, typ: 135, hops: 255, chain: []byte{60}, payload: otherSix.AsSlice()}).bytes(), "malformed"},
		{"the first fragment of a solicitation", out, firstFragment(pkt{src: ownSix, dst: nodes(otherSix), proto: 58, typ: 135, hops: 255, payload: otherSix.AsSlice()}), "malformed"},
		{"a solicitation whose target lies behind the packet", out, cut(discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, own(1, otherMAC)...), 16), "malformed"},
		{"a solicitation whose option lies behind the packet", out, cut(discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, own(1, otherMAC)...), 4), "malformed"},
		{"a solicitation with an option of no length", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, 1, 0, 2, 0, 0, 0, 0, 2), "malformed"},
		{"a solicitation with an option beyond its end", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, 14, 2, 0, 0, 0, 0, 0, 0), "malformed"},
		{"a solicitation with a longer option", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, append([]byte{14, 2}, make([]byte, 14)...)...), "malformed"},
		{"a solicitation with a nonce", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, nonce...), "nd"},
		{"a solicitation with an option that it does not need", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, 25, 1, 0, 0, 0, 0, 0, 0), "malformed"},
		{"whether its own address is free", out, discoveryFrame(any6, nodes(ownSix), 135, ownSix, nonce...), "nd"},
		{"whether its own address is free, with a MAC", out, discoveryFrame(any6, nodes(ownSix), 135, ownSix, own(1, ownMAC)...), "spoofed"},
		{"whether its link-local address is free", out, discoveryFrame(any6, nodes(ownLocal), 135, ownLocal), "nd"},
		{"whether another's address is free", out, discoveryFrame(any6, nodes(otherSix), 135, otherSix), "spoofed"},
		{"whether the router's address is free", out, discoveryFrame(any6, nodes(otherLocal), 135, otherLocal), "spoofed"},
		{"an advertisement", out, tell, "nd"},
		{"an advertisement with its MAC", out, discoveryFrame(ownSix, allNodes, 136, ownSix, own(2, ownMAC)...), "nd"},
		{"an advertisement with another's MAC", out, discoveryFrame(ownSix, allNodes, 136, ownSix, own(2, otherMAC)...), "spoofed"},
		{"an advertisement of its link-local address", out, discoveryFrame(ownLocal, otherLocal, 136, ownLocal), "nd"},
		{"an advertisement to a neighbour", out, discoveryFrame(ownSix, otherSix, 136, ownSix), "nd"},
		{"an advertisement to somebody away", out, discoveryFrame(ownSix, awaySix, 136, ownSix), "no_rule"},
		{"an advertisement to all routers", out, discoveryFrame(ownSix, allRouters, 136, ownSix), "nd"},
		{"an advertisement to another group of the link", out, discoveryFrame(ownSix, addr("ff02::fb"), 136, ownSix), "no_rule"},
		{"an advertisement to all nodes of another scope", out, discoveryFrame(ownSix, addr("ff05::1"), 136, ownSix), "no_rule"},
		{"an advertisement of another's address", out, discoveryFrame(ownSix, allNodes, 136, otherSix), "spoofed"},
		{"an advertisement of the router's link-local address", out, discoveryFrame(ownSix, allNodes, 136, otherLocal), "spoofed"},
		{"an advertisement from nobody", out, discoveryFrame(any6, allNodes, 136, ownSix), "spoofed"},
		{"an advertisement that says it is a router", out, changed(tell, 58, 0x80), "spoofed"},
		{"an advertisement that was asked for", out, changed(tell, 58, 0x60), "nd"},
		{"whether there is a router", out, discoveryFrame(ownLocal, allRouters, 133, any6), "nd"},
		{"whether there is a router, by nobody", out, discoveryFrame(any6, allRouters, 133, any6), "nd"},
		{"whether there is a router, by nobody with a MAC", out, discoveryFrame(any6, allRouters, 133, any6, own(1, ownMAC)...), "spoofed"},
		{"whether one router is there", out, discoveryFrame(ownLocal, otherLocal, 133, any6), "nd"},
		{"whether there is a router, to all", out, discoveryFrame(ownLocal, allNodes, 133, any6), "no_rule"},
		{"whether there is a router, to a neighbour", out, discoveryFrame(ownSix, otherSix, 133, any6), "no_rule"},
		{"a router's advertisement by the workload", out, discoveryFrame(ownLocal, allNodes, 134, any6), "spoofed"},
		{"a redirect by the workload", out, discoveryFrame(ownLocal, ownSix, 137, otherSix), "spoofed"},
		{"a router's advertisement", in, advert, "nd"},
		{"a router's advertisement with any option", in, discoveryFrame(otherLocal, allNodes, 134, any6, 25, 1, 0, 0, 0, 0, 0, 0), "nd"},
		{"a router's advertisement with a long option", in, discoveryFrame(otherLocal, allNodes, 134, any6, append([]byte{3, 4}, make([]byte, 30)...)...), "nd"},
		{"a router's advertisement with an option of no length", in, discoveryFrame(otherLocal, allNodes, 134, any6, make([]byte, 8)...), "malformed"},
		{"a router's advertisement that ends early", in, cut(advert, 8), "malformed"},
		{"a router's advertisement from a global address", in, discoveryFrame(otherSix, allNodes, 134, any6), "malformed"},
		{"a redirect", in, discoveryFrame(otherLocal, ownSix, 137, otherSix), "no_rule"},
		{"an advertisement of the interface's own address", in, discoveryFrame(otherLocal, allNodes, 136, ownSix), "spoofed"},
		{"an advertisement of its link-local address by another", in, discoveryFrame(otherLocal, allNodes, 136, ownLocal), "spoofed"},
		{"an advertisement to it", in, discoveryFrame(otherSix, ownSix, 136, otherSix, own(2, otherMAC)...), "nd"},
		{"an advertisement to it with another option", in, discoveryFrame(otherSix, ownSix, 136, otherSix, append([]byte{25, 2}, make([]byte, 14)...)...), "nd"},
		{"an advertisement to its link-local address", in, discoveryFrame(otherSix, ownLocal, 136, otherSix), "nd"},
		{"an advertisement to another", in, discoveryFrame(otherLocal, addr("2001:db8::7"), 136, otherLocal), "destination"},
		{"an advertisement to a group beyond the link", in, discoveryFrame(otherLocal, addr("ff05::1"), 136, otherLocal), "destination"},
		{"a solicitation to it", in, discoveryFrame(otherSix, nodes(ownSix), 135, ownSix), "nd"},
		{"a solicitation that says to be from it", in, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix), "spoofed"},
		{"a solicitation that says to be from its link-local address", in, discoveryFrame(ownLocal, nodes(ownSix), 135, ownSix), "spoofed"},

		{"a report of MLD", out, report(ownLocal, good), "mld"},
		{"a report of MLD before it has an address", out, report(any6, good), "mld"},
		{"a report of MLD by another", out, report(otherLocal, good), "spoofed"},
		{"a report of MLD by its global address", out, report(ownSix, good), "spoofed"},
		{"a report of MLD that leaves the link", out, changed(report(ownLocal, good), 21, 64), "no_rule"},
		{"a report of MLD with a code", out, changed(report(ownLocal, good), 63, 1), "no_rule"},
		{"a report of MLD to all nodes", out, mldFrame(ownLocal, allNodes, 143, slices.Concat(make([]byte, 0), good)...), "no_rule"},
		{"a report of MLD to another group beyond the link", out, changed(report(ownLocal, good), 39, 5), "no_rule"},
		{"a report of MLD with two records", out, report(ownLocal, good, good), "mld"},
		{"a report of MLD whose second record is odd", out, report(ownLocal, good, record([4]byte{0}, group)), "no_rule"},
		{"a report of MLD of nothing", out, report(ownLocal), "no_rule"},
		{"a report of MLD of as much as there may be", out, report(ownLocal, slices.Repeat([][]byte{good}, 64)...), "mld"},
		{"a report of MLD of more", out, report(ownLocal, slices.Repeat([][]byte{good}, 65)...), "no_rule"},
		{"a report of MLD of as much as there may be that says it has more", out, changed(report(ownLocal, slices.Repeat([][]byte{good}, 64)...), 69, 65), "no_rule"},
		{"a report of MLD with something behind it", out, func() []byte {
			p := report(ownLocal, good, []byte{1, 2, 3, 4})
			return changed(p, 69, 1)
		}(), "no_rule"},
		{"a report of MLD of the last type", out, report(ownLocal, record([4]byte{6}, group)), "mld"},
		{"a report of MLD of type 0", out, report(ownLocal, record([4]byte{0}, group)), "no_rule"},
		{"a report of MLD of type 7", out, report(ownLocal, record([4]byte{7}, group)), "no_rule"},
		{"a report of MLD with auxiliary data", out, report(ownLocal, record([4]byte{4, 1}, group)), "no_rule"},
		{"a report of MLD with 256 sources", out, report(ownLocal, record([4]byte{4, 0, 1}, group)), "no_rule"},
		{"a report of MLD with a source", out, report(ownLocal, record([4]byte{4, 0, 0, 1}, group)), "no_rule"},
		{"a report of MLD for a group beyond the link", out, report(ownLocal, record([4]byte{4}, addr("ff05::2"))), "mld"},
		{"a report of MLD for no group", out, report(ownLocal, record([4]byte{4}, addr("fe02::2"))), "no_rule"},
		{"a report of MLD with something behind it", out, append(report(ownLocal, good), 0), "no_rule"},
		{"an advertisement of a router of multicast", out, changed(query(ownLocal, allNodes, -1), 62, 151), "spoofed"},
		{"a query of IGMP", out, (&pkt{src: ownFour, dst: addr("224.0.0.1"), proto: 2, payload: []byte{0x11, 0, 0, 0, 0, 0, 0, 0}}).bytes(), "spoofed"},
		{"an advertisement of a router of multicast by IPv4", out, (&pkt{src: ownFour, dst: addr("224.0.0.106"), proto: 2, payload: []byte{0x30, 0, 0, 0, 0, 0, 0, 0}}).bytes(), "spoofed"},
		{"a query of IGMP that comes in", in, (&pkt{src: otherFour, dst: addr("224.0.0.1"), proto: 2, payload: []byte{0x11, 0, 0, 0, 0, 0, 0, 0}}).bytes(), "destination"},
		{"a report of IGMP", out, (&pkt{src: ownFour, dst: addr("224.0.0.22"), proto: 2, payload: []byte{0x22, 0, 0, 0, 0, 0, 0, 0}}).bytes(), "no_rule"},
		{"PIM", out, (&pkt{src: ownFour, dst: addr("224.0.0.13"), proto: 103, payload: make([]byte, 8)}).bytes(), "spoofed"},
		{"PIM over IPv6", out, (&pkt{src: ownLocal, dst: addr("ff02::d"), proto: 103, payload: make([]byte, 8)}).bytes(), "spoofed"},
		{"PIM over IPv6 that comes in", in, (&pkt{src: otherLocal, dst: addr("ff02::d"), proto: 103, payload: make([]byte, 8)}).bytes(), "destination"},
		{"a report of MLDv1", out, joined, "mld"},
		{"a report of MLDv1 with a lower half of another group", out, mldFrame(ownLocal, addr("ff02::fb"), 131, group.AsSlice()...), "no_rule"},
		{"a report of MLDv1 with an upper half of another group", out, mldFrame(ownLocal, changedAddr(group, 1, 0x12), 131, group.AsSlice()...), "no_rule"},
		{"a report of MLDv1 for a group beyond the link", out, mldFrame(ownLocal, addr("ff05::2"), 131, addr("ff05::2").AsSlice()...), "mld"},
		{"a report of MLDv1 for no group", out, mldFrame(ownLocal, addr("fe82::2"), 131, addr("fe82::2").AsSlice()...), "no_rule"},
		{"a report of MLDv1 with something behind it", out, mldFrame(ownLocal, group, 131, append(group.AsSlice(), 0, 0, 0, 0)...), "no_rule"},
		{"that it leaves a group", out, done, "mld"},
		{"that it leaves a group, to the group", out, mldFrame(ownLocal, group, 132, group.AsSlice()...), "no_rule"},
		{"that it leaves a group, to routers beyond the link", out, mldFrame(ownLocal, addr("ff05::2"), 132, group.AsSlice()...), "no_rule"},
		{"a report of MLD to it", in, changed(report(otherLocal, good), 6, otherMAC...), "destination"},
		{"a query by the workload", out, query(ownLocal, allNodes, -1), "spoofed"},
		{"a query", in, query(otherLocal, allNodes, -1), "mld"},
		{"a query of MLDv2", in, query(otherLocal, allNodes, 0), "mld"},
		{"a query to it", in, query(otherLocal, ownSix, 2), "mld"},
		{"a query about as many sources as there may be", in, query(otherLocal, ownSix, 64), "mld"},
		{"a query about more", in, query(otherLocal, ownSix, 65), "no_rule"},
		{"a query whose sources lie behind the packet", in, cut(query(otherLocal, ownSix, 2), 16), "no_rule"},
		{"a query with a length between the versions'", in, cut(query(otherLocal, ownSix, 0), 1), "no_rule"},
		{"a query with something behind it", in, mldFrame(otherLocal, ownSix, 130, make([]byte, 40)...), "no_rule"},
		{"a query from a global address", in, query(otherSix, ownSix, -1), "no_rule"},
		{"a query that says to be from it", in, query(ownLocal, allNodes, -1), "spoofed"},
		{"a query to a group beyond the link", in, query(otherLocal, addr("ff05::2"), -1), "destination"},

		{"another's link-local address", out, udp(otherLocal, awaySix, 5000, 53), "spoofed"},
		{"its link-local address", out, udp(ownLocal, otherLocal, 5000, 53), "rule"},
		{"its link-local address, by another port", out, udp(ownLocal, otherLocal, 5000, 54), "no_rule"},
		{"a link-local address that it may only seem to have", out, udp(changedAddr(ownLocal, 7, 1), otherLocal, 5000, 53), "spoofed"},
		{"the link-local address that no MAC gives", out, udp(linkLocalOf(make([]byte, 6)), otherLocal, 5000, 53), "spoofed"},
		{"the first link-local address", out, udp(addr("fe80::"), otherLocal, 5000, 53), "spoofed"},
		{"to its link-local address", in, udp(otherLocal, ownLocal, 5000, 55), "rule"},
		{"to another's link-local address", in, udp(otherLocal, addr("fe80::7"), 5000, 55), "destination"},
		{"from its link-local address to itself", in, udp(ownLocal, ownLocal, 5000, 55), "spoofed"},
		{"from its link-local address to its other one", in, udp(ownLocal, ownSix, 5000, 55), "spoofed"},
		{"from another's address", out, tcp(otherFour, awayFour, 80), "spoofed"},
		{"from another's IPv6 address", out, tcp(otherSix, awaySix, 80), "spoofed"},
		{"to another", in, tcp(addr("10.0.0.8"), otherFour, 81), "destination"},
		{"to another's IPv6 address", in, tcp(addr("2001:db8::8"), otherSix, 81), "destination"},
		{"to everybody", in, udp(otherFour, limited, 5000, 5001), "destination"},
		{"from a neighbour", in, tcp(otherFour, ownFour, 81), "rule"},
		{"from itself", in, tcp(ownFour, ownFour, 81), "spoofed"},
		{"from a neighbour by IPv6", in, tcp(otherSix, ownSix, 81), "rule"},
		{"from itself by IPv6", in, tcp(ownSix, ownSix, 81), "spoofed"},
		{"with another's MAC", out, from(otherMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
		{"with no MAC", out, from(make([]byte, 6), tcp(ownFour, awayFour, 80)), "mac_spoofed"},
		{"with another's MAC by IPv6", out, from(otherMAC, tcp(ownSix, awaySix, 80)), "mac_spoofed"},
		{"a VLAN's frame", out, append(tag, arpFrame(ownMAC, ownFour, otherFour)[12:]...), "vlan"},
		{"an unknown ethertype", out, append([]byte(eth4[:12]), make([]byte, 40)...), "protocol"},

		{"IPv4 with options of nothing", out, optioned(tcp(ownFour, awayFour, 80), 1, 1, 1, 0), "rule"},
		{"a router alert", out, optioned(tcp(ownFour, awayFour, 80), 148, 4, 0, 0), "rule"},
		{"a loose source route", out, optioned(tcp(ownFour, awayFour, 80), 131, 3, 4, 0), "options"},
		{"a strict source route", out, optioned(tcp(ownFour, awayFour, 80), 137, 3, 4, 0), "options"},
		{"a record of the route", out, optioned(tcp(ownFour, awayFour, 80), 7, 3, 4, 0), "options"},
		{"a source route behind options of nothing", out, optioned(tcp(ownFour, awayFour, 80), 1, 131, 3, 4), "options"},
		{"a source route behind a router alert", out, optioned(tcp(ownFour, awayFour, 80), 148, 4, 0, 0, 131, 3, 4, 0), "options"},
		{"a source route behind the end of the options", out, optioned(tcp(ownFour, awayFour, 80), 0, 131, 3, 4), "rule"},
		{"a source route at the end of the longest options", out, optioned(tcp(ownFour, awayFour, 80), append(slices.Repeat([]byte{1}, 37), 131, 3, 4)...), "options"},
		{"an option of no length", out, optioned(tcp(ownFour, awayFour, 80), 148, 0, 0, 0), "malformed"},
		{"an option of length 1", out, optioned(tcp(ownFour, awayFour, 80), 148, 1, 0, 0), "malformed"},
		{"an option beyond the header", out, optioned(tcp(ownFour, awayFour, 80), 148, 5, 0, 0), "malformed"},
		{"an option without a length", out, optioned(tcp(ownFour, awayFour, 80), 1, 1, 1, 148), "malformed"},
	}}}

	// Whatever byte of a router alert is another, it is none.
	for i, b := range []byte{5, 2, 0, 0} {
		p := report(ownLocal, good)
		parts[0].rows = append(parts[0].rows, wireRow{fmt.Sprintf("a report of MLD with another byte %d of its router alert", i), out, changed(p, 56+i, b+1), "no_rule"})
	}
	padded := changed(report(ownLocal, good), 56, 1, 0, 5, 2, 0, 0)
	for i, b := range []byte{1, 0, 5, 2, 0, 0} {
		parts[0].rows = append(parts[0].rows, wireRow{fmt.Sprintf("a report of MLD with another byte %d of its padded router alert", i), out, changed(padded, 56+i, b+3), "no_rule"})
	}
	twice := pkt{src: ownLocal, dst: allMLD, proto: 58, typ: 143, hops: 1, chain: []byte{0, 43}, payload: good}
	parts[0].rows = append(parts[0].rows,
		wireRow{"a report of MLD with a padded router alert", out, padded, "mld"},
		wireRow{"a report of MLD with its router alert in another header", out, changed(report(ownLocal, good), 20, 60), "no_rule"},
		wireRow{"a report of MLD with two headers", out, changed(changed(twice.bytes(), 56, 5, 2, 0, 0), 77, 1), "no_rule"})
	device := bpfLink{Mac: macWord(deviceMAC), Local: [2]uint64{0x1111, 0x2222}}
	return append(parts,
		wirePart{what: "with open connections", open: errorFlows(), rows: errorRows()},
		wirePart{what: "with a device that has a MAC of its own", link: device, rows: []wireRow{
			{"with the MAC of its record", out, tcp(ownFour, awayFour, 80), "rule"},
			{"with the MAC of its device", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "rule"},
			{"with another MAC", out, from(otherMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"ARP with the MAC of its device", out, from(deviceMAC, arpFrame(deviceMAC, ownFour, otherFour)), "arp"},
			{"ARP with two MACs", out, from(deviceMAC, arpFrame(ownMAC, ownFour, otherFour)), "arp_spoofed"},
			{"DHCP for the MAC of its device", out, dhcpFrame(ownFour, limited, 1, deviceMAC, 300), "dhcp"},
			{"a solicitation with the MAC of its device", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, own(1, deviceMAC)...), "nd"},
			{"by the link-local address that its record's MAC gives", out, udp(ownLocal, otherLocal, 5000, 53), "rule"},
			{"by the link-local address that its device's MAC gives", out, udp(linkLocalOf(deviceMAC), otherLocal, 5000, 53), "rule"},
			{"by the device's first link-local address", out, udp(addr("fe80::1111"), otherLocal, 5000, 53), "rule"},
			{"by the device's second link-local address", out, udp(addr("fe80::2222"), otherLocal, 5000, 53), "rule"},
			{"by a link-local address that it does not have", out, udp(addr("fe80::3333"), otherLocal, 5000, 53), "spoofed"},
		}},
		wirePart{what: "with a device that has no MAC", rows: []wireRow{
			{"with a MAC that is not its own at first", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"with that MAC again", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"with the MAC of its record", out, tcp(ownFour, awayFour, 80), "rule"},
		}},
		wirePart{what: "with a device that nobody can look at", link: bpfLink{Flags: linkLearns}, rows: []wireRow{
			{"with no MAC at first", out, from(make([]byte, 6), tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"with a group's MAC at first", out, from([]byte{3, 0, 0, 0, 0, 7}, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"with the first MAC", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "rule"},
			{"with the MAC of its record", out, tcp(ownFour, awayFour, 80), "rule"},
			{"with a third one", out, from(otherMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"with the first one again", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "rule"},
			{"by the link-local address that the first one gives", out, udp(linkLocalOf(deviceMAC), otherLocal, 5000, 53), "rule"},
		}},
		wirePart{what: "with a device that nobody can look at, and the MAC of its record first", link: bpfLink{Flags: linkLearns}, rows: []wireRow{
			{"with the MAC of its record", out, tcp(ownFour, awayFour, 80), "rule"},
			{"a solicitation with another MAC", out, discoveryFrame(ownSix, nodes(otherSix), 135, otherSix, own(1, otherMAC)...), "spoofed"},
			{"DHCP for another MAC", out, dhcpFrame(ownFour, limited, 1, otherMAC, 300), "spoofed"},
			{"with another MAC", out, from(otherMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
		}},
		wirePart{what: "with a device that nobody can look at, before it has sent anything", link: bpfLink{Flags: linkLearns}, rows: []wireRow{
			{"a DHCP answer to a neighbour", in, dhcpFrame(otherFour, limited, 2, otherMAC, 300), "destination"},
			{"its own first frame", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "rule"},
			{"a frame from the MAC of the neighbour", out, from(otherMAC, tcp(ownFour, awayFour, 80)), "mac_spoofed"},
		}},
		wirePart{what: "with a record that has no MAC", link: device, nameless: true, rows: []wireRow{
			{"with the MAC of its device", out, from(deviceMAC, tcp(ownFour, awayFour, 80)), "rule"},
			{"with no MAC", out, from(make([]byte, 6), tcp(ownFour, awayFour, 80)), "mac_spoofed"},
			{"by the link-local address that no MAC gives", out, from(deviceMAC, udp(linkLocalOf(make([]byte, 6)), otherLocal, 5000, 53)), "spoofed"},
		}},
		wirePart{what: "without source/dest check", free: true, rows: []wireRow{
			{"with another's MAC", out, from(otherMAC, tcp(ownFour, awayFour, 80)), "rule"},
			{"from another's address", out, tcp(otherFour, awayFour, 80), "rule"},
			{"from another's link-local address", out, udp(otherLocal, addr("fe80::7"), 5000, 53), "rule"},
			{"from itself", in, tcp(ownFour, ownFour, 81), "rule"},
			{"from its link-local address", in, udp(ownLocal, ownSix, 5000, 55), "rule"},
			{"ARP of another's address", out, arpFrame(otherMAC, otherFour, awayFour), "arp"},
			{"ARP that claims its address", in, arpFrame(otherMAC, ownFour, awayFour), "arp"},
			{"ARP with something behind it", out, arpFrame(otherMAC, otherFour, awayFour, 1), "malformed"},
			{"DHCP for another", out, dhcpFrame(otherFour, limited, 1, otherMAC, 300), "dhcp"},
			{"DHCP to a server elsewhere", out, dhcpFrame(otherFour, awayFour, 1, otherMAC, 300), "no_rule"},
			{"a DHCP answer by the workload is for the rules", out, dhcpFrame(ownFour, otherFour, 2, otherMAC, 300), "no_rule"},
			{"a DHCP answer to another", in, dhcpFrame(otherFour, awayFour, 2, otherMAC, 300), "dhcp"},
			{"DHCPv6 for another", out, dhcp6Frame(otherLocal, allServers, 1, 60), "dhcp6"},
			{"a DHCPv6 answer by the workload is for the rules", out, dhcp6Frame(ownSix, otherSix, 7, 60), "no_rule"},
			{"a solicitation for another", out, discoveryFrame(any6, nodes(otherSix), 135, otherSix, own(1, otherMAC)...), "nd"},
			{"an advertisement of another's address", out, changed(discoveryFrame(otherSix, allNodes, 136, otherSix), 58, 0x80), "nd"},
			{"an advertisement of the interface's address", in, discoveryFrame(ownSix, awaySix, 136, ownSix), "nd"},
			{"a router's advertisement", out, discoveryFrame(otherLocal, allNodes, 134, any6, append([]byte{3, 4}, make([]byte, 30)...)...), "nd"},
			{"a router's advertisement to a neighbour", out, discoveryFrame(otherLocal, otherLocal, 134, any6), "nd"},
			{"a router's advertisement to all routers", out, discoveryFrame(otherLocal, allRouters, 134, any6), "no_rule"},
			{"a router's advertisement to somebody away", out, discoveryFrame(otherLocal, awaySix, 134, any6), "no_rule"},
			{"a redirect is for the rules", out, discoveryFrame(otherLocal, otherSix, 137, otherSix), "no_rule"},
			{"a report of MLD by another", out, report(otherLocal, good), "mld"},
			{"a query", out, query(otherLocal, allNodes, -1), "mld"},
			{"a query from a global address", out, query(otherSix, allNodes, -1), "no_rule"},
			{"a query to another", in, query(otherLocal, addr("ff05::2"), -1), "mld"},
			{"an advertisement of a router of multicast", out, mldFrame(otherLocal, allRouters, 151, group.AsSlice()...), "no_rule"},
			{"PIM", out, (&pkt{src: ownFour, dst: addr("224.0.0.13"), proto: 103, payload: make([]byte, 8)}).bytes(), "no_rule"},
			{"PIM over IPv6", out, (&pkt{src: ownLocal, dst: addr("ff02::d"), proto: 103, payload: make([]byte, 8)}).bytes(), "no_rule"},
		}})
}

// changedAddr returns an address with another byte.
func changedAddr(a netip.Addr, at int, to byte) netip.Addr {
	b := a.As16()
	b[at] = to
	return netip.AddrFrom16(b)
}

// The flows of errorRows: a connection of each family that waits for its answer, one
// by odd ports, echo requests, and GRE.
func errorFlows() (out [][]byte) {
	for _, k := range []pkt{
		{src: ownFour, dst: awayFour, proto: 6, sport: 5000, dport: 80, flags: 2},
		{src: ownFour, dst: awayFour, proto: 6, sport: 10<<8 | 1, dport: 9, flags: 2},
		{src: ownFour, dst: awayFour, proto: 1, typ: 8, sport: 7},
		{src: ownFour, dst: awayFour, proto: 1, typ: 8, sport: 0x0300},
		{src: ownSix, dst: awaySix, proto: 6, sport: 5000, dport: 80, flags: 2},
		{src: ownSix, dst: awaySix, proto: 58, typ: 128, sport: 7},
		{src: ownSix, dst: awaySix, proto: 58, typ: 128, sport: 0x0300},
		{src: ownFour, dst: netip.MustParseAddr("10.1.9.1"), proto: 47},
		{src: ownSix, dst: netip.MustParseAddr("2001:db8:1:9::1"), proto: 47},
	} {
		out = append(out, k.bytes())
	}
	return out
}

// errorRows are about ICMP errors, while the flows of errorFlows live.
func errorRows() []wireRow {
	const out, in = true, false
	f := errorFlows()
	four, odd, ping, ping3, six, ping6, ping63, gre, gre6 := f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]
	router4, router6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:ffff::1")
	four, six = append(four, make([]byte, 8)...), append(six, make([]byte, 8)...) // quotes may be longer
	back4 := (&pkt{src: awayFour, dst: ownFour, proto: 6, sport: 80, dport: 5000, flags: 18}).bytes()
	back6 := (&pkt{src: awaySix, dst: ownSix, proto: 6, sport: 80, dport: 5000, flags: 18}).bytes()
	pong := (&pkt{src: awayFour, dst: ownFour, proto: 1, sport: 7}).bytes()
	pong6 := (&pkt{src: awaySix, dst: ownSix, proto: 58, typ: 129, sport: 7}).bytes()
	long := func(p []byte, size int) []byte { return append(slices.Clone(p), make([]byte, size)...) }
	quote := func(src, dst netip.Addr, typ byte, frame []byte) pkt {
		k := pkt{src: src, dst: dst, proto: 1, typ: typ, payload: frame[14:]}
		if src.Is6() {
			k.proto = 58
		}
		return k
	}
	fragment6 := slices.Concat(six[:14+40], []byte{6, 0, 0, 0, 0, 0, 0, 1}, six[14+40:])
	fragment6[20] = 44
	return []wireRow{
		{"an error about its connection", in, icmpError(router4, ownFour, 3, four), "icmp_error"},
		{"a source quench", in, icmpError(router4, ownFour, 4, four), "icmp_error"},
		{"that time is exceeded", in, icmpError(router4, ownFour, 11, four), "icmp_error"},
		{"that a parameter is a problem", in, icmpError(router4, ownFour, 12, four), "icmp_error"},
		{"a redirect of IPv4", in, icmpError(router4, ownFour, 5, four), "no_rule"},
		{"an error about no connection", in, icmpError(router4, ownFour, 3, changed(four, 37, 81)), "no_rule"},
		{"an error to another of its addresses", in, icmpError(router4, secondFour, 3, four), "no_rule"},
		{"an error that says to be from it", in, icmpError(ownFour, ownFour, 3, four), "spoofed"},
		{"the longest error", in, icmpError(router4, ownFour, 3, long(four, 576-28-len(four)+14)), "icmp_error"},
		{"a longer error", in, icmpError(router4, ownFour, 3, long(four, 577-28-len(four)+14)), "no_rule"},
		{"the first fragment of an error", in, firstFragment(quote(router4, ownFour, 3, four)), "no_rule"},
		{"an error whose quote lies behind the packet", in, cut(icmpError(router4, ownFour, 3, four), len(four)-14-19), "no_rule"},
		{"an error whose quoted ports lie behind the packet", in, cut(icmpError(router4, ownFour, 3, four), len(four)-14-27), "no_rule"},
		{"an error that quotes no more than it must", in, whole(cut(icmpError(router4, ownFour, 3, four), len(four)-14-28)), "icmp_error"},
		{"an error with something behind it", in, append(icmpError(router4, ownFour, 3, four), 0), "no_rule"},
		{"an error that quotes another version", in, icmpError(router4, ownFour, 3, changed(four, 14, 0x55)), "no_rule"},
		{"an error that quotes a short header", in, icmpError(router4, ownFour, 3, changed(odd, 14, 0x44)), "no_rule"},
		{"an error that quotes the odd connection", in, icmpError(router4, ownFour, 3, odd), "icmp_error"},
		{"an error that quotes a later fragment", in, icmpError(router4, ownFour, 3, changed(four, 21, 1)), "no_rule"},
		{"an error about its echo request", in, icmpError(router4, ownFour, 3, ping), "icmp_error"},
		{"an error about an echo request with a code", in, icmpError(router4, ownFour, 3, changed(ping, 35, 1)), "no_rule"},
		{"an error about an error", in, icmpError(router4, ownFour, 3, changed(ping3, 34, 3, 0, 0, 8)), "no_rule"},
		{"an error by the workload", out, icmpError(ownFour, awayFour, 3, back4), "icmp_error"},
		{"an error by the workload about the answer to its echo request", out, icmpError(ownFour, awayFour, 3, pong), "icmp_error"},
		{"an error by the workload about an error", out, icmpError(ownFour, awayFour, 3, changed(pong, 34, 3)), "no_rule"},
		{"an error about its GRE", in, icmpError(router4, ownFour, 3, gre), "icmp_error"},
		{"an error about its GRE whose quote lies behind the packet", in, cut(icmpError(router4, ownFour, 3, gre), 1), "no_rule"},
		{"an error by the workload to somebody else", out, icmpError(ownFour, netip.MustParseAddr("9.9.9.9"), 3, back4), "no_rule"},
		{"an error by the workload from another's address", out, icmpError(otherFour, awayFour, 3, back4), "spoofed"},
		{"a long error by the workload to a peer", out, icmpError(ownFour, awayFour, 3, long(back4, 1200)), "no_rule"},

		{"an error about its connection by IPv6", in, icmpError(router6, ownSix, 1, six), "icmp_error"},
		{"that a packet is too big", in, icmpError(router6, ownSix, 2, six), "icmp_error"},
		{"that time is exceeded by IPv6", in, icmpError(router6, ownSix, 3, six), "icmp_error"},
		{"that a parameter is a problem by IPv6", in, icmpError(router6, ownSix, 4, six), "icmp_error"},
		{"an error of type 0", in, icmpError(router6, ownSix, 0, six), "no_rule"},
		{"an error of type 5", in, icmpError(router6, ownSix, 5, six), "no_rule"},
		{"an error about no connection by IPv6", in, icmpError(router6, ownSix, 1, changed(six, 57, 81)), "no_rule"},
		{"an error to another of its addresses by IPv6", in, icmpError(router6, strangeSix, 1, six), "no_rule"},
		{"an error to one of its addresses that begins alike", in, icmpError(router6, secondSix, 1, six), "no_rule"},
		{"an error to an address of its subnet", in, icmpError(router6, netip.MustParseAddr("fd00:8::5"), 1, six), "destination"},
		{"an error that says to be from it by IPv6", in, icmpError(ownSix, ownSix, 1, six), "spoofed"},
		{"the longest error by IPv6", in, icmpError(router6, ownSix, 1, long(six, 1280-48-len(six)+14)), "icmp_error"},
		{"a longer error by IPv6", in, icmpError(router6, ownSix, 1, long(six, 1281-48-len(six)+14)), "no_rule"},
		{"the first fragment of an error by IPv6", in, firstFragment(quote(router6, ownSix, 1, six[:len(six)-4])), "no_rule"},
		{"an error whose quote lies behind the packet by IPv6", in, cut(icmpError(router6, ownSix, 1, six), len(six)-14-39), "no_rule"},
		{"an error whose quoted ports lie behind the packet by IPv6", in, cut(icmpError(router6, ownSix, 1, six), len(six)-14-47), "no_rule"},
		{"an error that quotes no more than it must by IPv6", in, whole(cut(icmpError(router6, ownSix, 1, six), len(six)-14-48)), "icmp_error"},
		{"an error with something behind it by IPv6", in, append(icmpError(router6, ownSix, 1, six), 0), "no_rule"},
		{"an error that quotes another version than IPv6", in, icmpError(router6, ownSix, 1, changed(six, 14, 0x70)), "no_rule"},
		{"an error that quotes a first fragment by IPv6", in, icmpError(router6, ownSix, 1, fragment6), "icmp_error"},
		{"an error that quotes a later fragment by IPv6", in, icmpError(router6, ownSix, 1, changed(fragment6, 14+40+3, 8)), "no_rule"},
		{"an error about its echo request by IPv6", in, icmpError(router6, ownSix, 1, ping6), "icmp_error"},
		{"an error about an echo request with a code by IPv6", in, icmpError(router6, ownSix, 1, changed(ping6, 55, 1)), "no_rule"},
		{"an error about an error by IPv6", in, icmpError(router6, ownSix, 1, changed(ping63, 54, 3, 0, 0, 128)), "no_rule"},
		{"an error by the workload about the answer to its echo request by IPv6", out, icmpError(ownSix, awaySix, 1, pong6), "icmp_error"},
		{"an error by the workload about an error by IPv6", out, icmpError(ownSix, awaySix, 1, changed(pong6, 54, 3)), "no_rule"},
		{"an error about its GRE by IPv6", in, icmpError(router6, ownSix, 1, gre6), "icmp_error"},
		{"an error about its GRE whose quote lies behind the packet by IPv6", in, cut(icmpError(router6, ownSix, 1, gre6), 1), "no_rule"},
		{"an error by the workload by IPv6", out, icmpError(ownSix, awaySix, 1, back6), "icmp_error"},
		{"an error by the workload to somebody whose address ends alike", out, icmpError(ownSix, changedAddr(awaySix, 0, 0x30), 1, back6), "no_rule"},
		{"an error by the workload to somebody whose address begins alike", out, icmpError(ownSix, changedAddr(awaySix, 15, 0x30), 1, back6), "no_rule"},
		{"an error by the workload from another's address by IPv6", out, icmpError(otherSix, awaySix, 1, back6), "spoofed"},
	}
}

// onWire runs the rows of wireParts and returns what went otherwise.
func (b *bench) onWire() (errs []error) {
	b.t.Helper()
	for _, part := range wireParts() {
		rs := rules(b.t, "out tcp 80 to 10.1.0.0/16", "out tcp 80 to 2001:db8:1::/64", "out tcp 9 to 10.1.0.0/16",
			"out icmp to 10.1.0.0/16", "out icmpv6 to 2001:db8:1::/64", "out udp 53 to fe80::/10", "out all to 10.1.9.0/24", "out all to 2001:db8:1:9::/64",
			"in udp 55 from fe80::/10", "in tcp 81 from 10.0.0.0/24", "in tcp 81 from 2001:db8::/64")
		for i := range rs.Policies[0].Rules {
			switch r := &rs.Policies[0].Rules[i]; r.Protocol { // echo requests only
			case flow.ICMP:
				r.Ports = flow.PortRange{From: 8, To: 0}
			case flow.ICMPv6:
				r.Ports = flow.PortRange{From: 128, To: 0}
			}
		}
		x := &rs.Interfaces[0]
		if x.Check = !part.free; part.nameless {
			x.MAC = ""
		}
		x.Own = append(x.Own, netip.PrefixFrom(secondFour, 32), netip.PrefixFrom(strangeSix, 128), netip.PrefixFrom(secondSix, 128))
		slices.SortFunc(x.Own, comparePrefixes)
		apply(b.t, b.p, rs)
		b.on(eni, 0)
		if err := b.p.maps.Links.Put(b.p.numbers[eni], part.link); err != nil {
			b.t.Fatal(err)
		}
		b.p.control.NowOffset++ // all of it is within the rate of a second
		for _, p := range part.open {
			if !b.run(true, p) {
				errs = append(errs, fmt.Errorf("%s: a flow that a rule allows does not begin: %x", part.what, p))
			}
		}
		for _, row := range part.rows {
			if err := b.wireRow(row); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", part.what, row.what, err))
			}
			if len(errs) > 20 {
				return errs
			}
		}
		// The next part begins without flows.
		if err := b.p.dropFlows(b.p.numbers[eni]); err != nil {
			b.t.Fatal(err)
		}
		apply(b.t, b.p, &ruleset.Ruleset{})
	}
	return errs
}

func (b *bench) wireRow(row wireRow) error {
	before := b.counts()
	passes := b.run(row.out, row.frame)
	after := b.counts()
	var as []string
	for name, n := range after {
		if n != before[name] {
			as = append(as, name)
		}
	}
	slices.Sort(as)
	switch {
	case row.want == "rule" && passes && as == nil:
		return nil
	case len(as) == 1 && as[0] == row.want && passes == slices.Contains(kinds[:], row.want):
		return nil
	}
	return fmt.Errorf("passes: %v, counts as %q, want %q", passes, as, row.want)
}

// What passes without a rule, and who lies about itself.
func TestWithoutRule(t *testing.T) {
	clause.Holds(t, "F5", "F6", "F7", "F8", "F9", "F18", "F19", "F22", "F29", "F30", "F32", "F33")
	for _, err := range newBench(t, Options{Flows4: 1024, Flows6: 1024}).onWire() {
		t.Error(err)
	}
}

// counts returns the counters of the interface: what was dropped by reason, and
// what passed without a rule by kind.
func (b *bench) counts() map[string]uint64 {
	b.t.Helper()
	var each []bpfEniCount
	if err := b.p.maps.EniCounts.Lookup(b.p.numbers[eni], &each); err != nil {
		b.t.Fatal(err)
	}
	out := map[string]uint64{}
	for _, c := range each {
		for i, n := range c.Drops {
			out[reasons[i]] += n
		}
		for i, n := range c.WithoutRule {
			out[kinds[i]] += n
		}
	}
	return out
}

// whole returns a frame without what is behind its packet.
func whole(p []byte) []byte {
	if be.Uint16(p[12:]) == 0x0800 {
		return p[:14+be.Uint16(p[16:])]
	}
	return p[:54+be.Uint16(p[18:])]
}

// What passes without a rule does so at a rate, whatever of it there is.
func TestRate(t *testing.T) {
	clause.Holds(t, "F23", "F24")
	err := newBench(t, Options{Flows4: 1024, Flows6: 1024}).rate()
	if errors.Is(err, errSlow) {
		t.Skip(err)
	}
	if err != nil {
		t.Error(err)
	}
}

var errSlow = errors.New("the machine is too slow to send so many in a second")

// rate returns an error if something passes at another rate than it may.
func (b *bench) rate() error {
	b.t.Helper()
	apply(b.t, b.p, rules(b.t, "out tcp 80 to 10.1.0.0/16"))
	b.on(eni, 0)
	count := func(out bool, p []byte, n int) (passed int) {
		b.p.control.NowOffset += 10 // a second of its own
		second := b.p.now()
		for range n {
			if b.run(out, p) {
				passed++
			}
		}
		if b.p.now() != second {
			return -1
		}
		return passed
	}
	within := func(what string, want int, f func() int) error {
		for range 20 {
			if got := f(); got >= 0 {
				if got != want {
					return fmt.Errorf("%s: %d pass in a second, want %d", what, got, want)
				}
				return nil
			}
		}
		return errSlow
	}
	ask := discoveryFrame(ownSix, nodes(otherSix), 135, otherSix)
	if !b.run(true, (&pkt{src: ownFour, dst: awayFour, proto: 6, sport: 5000, dport: 80, flags: 2}).bytes()) {
		return errors.New("a connection that a rule allows does not begin")
	}
	back := (&pkt{src: awayFour, dst: ownFour, proto: 6, sport: 80, dport: 5000, flags: 18}).bytes()
	for _, row := range []struct {
		what  string
		out   bool
		frame []byte
		want  int
	}{
		{"errors about its connection", true, icmpError(ownFour, awayFour, 3, back), 512},
		{"solicitations", true, ask, 1024},
		{"solicitations in another second", true, ask, 1024},
		{"ARP", true, arpFrame(ownMAC, ownFour, otherFour), 1024},
		{"reports of MLD", true, report(ownLocal, record([4]byte{4}, nodes(ownSix))), 256},
		{"DHCP", true, dhcpFrame(any4, limited, 1, ownMAC, 300), 85}, // of three units each
		{"DHCPv6", true, dhcp6Frame(ownLocal, allServers, 1, 60), 256},
		{"advertisements to it", false, discoveryFrame(otherSix, ownSix, 136, otherSix), 1100},
	} {
		if err := within(row.what, row.want, func() int { return count(row.out, row.frame, 1100) }); err != nil {
			return err
		}
	}
	// Whoever answers strangers by errors finds its neighbours.
	fault := icmpError(ownFour, awayFour, 3, back)
	if err := within("solicitations after errors", 512, func() int {
		b.p.control.NowOffset += 10
		second := b.p.now()
		passed := 0
		b.run(true, (&pkt{src: ownFour, dst: awayFour, proto: 6, sport: 5000, dport: 80, flags: 2}).bytes())
		for range 1100 {
			b.run(true, fault)
		}
		for range 1100 {
			if b.run(true, ask) {
				passed++
			}
		}
		if b.p.now() != second {
			return -1
		}
		return passed
	}); err != nil {
		return err
	}
	// Whoever looks for many neighbours keeps its lease.
	mixed := func() int {
		b.p.control.NowOffset += 10
		second := b.p.now()
		passed := 0
		for i := range 1100 {
			p := ask
			if i < 32 {
				p = dhcpFrame(any4, limited, 1, ownMAC, 300)
			}
			if b.run(true, p) {
				passed++
			}
		}
		if b.p.now() != second {
			return -1
		}
		return passed
	}
	if err := within("32 of DHCP and solicitations", 32+1024, mixed); err != nil {
		return err
	}
	if b.counts()["rate"] == 0 {
		return errors.New("nothing is counted as dropped for the rate")
	}
	return nil
}

// A device at whose other end nobody can look gets the first MAC that it sends
// from, but not one that is known to be another's.
func TestLearnsNobodysMAC(t *testing.T) {
	clause.Holds(t, "F28")
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	rs := rules(t, "out udp 53 to 10.1.0.0/16")
	rs.Interfaces[0].MAC = "02:00:00:00:00:55"
	apply(t, b.p, rs)
	b.on(eni, 0)
	if err := b.p.maps.Links.Put(b.p.numbers[eni], bpfLink{Flags: linkKnown | linkLearns}); err != nil {
		t.Fatal(err)
	}
	router, first, second := []byte{2, 0, 0, 0, 0, 9}, []byte{2, 0, 0, 0, 0, 7}, []byte{2, 0, 0, 0, 0, 8}
	b.p.reserve(router)
	for _, row := range []struct {
		what   string
		mac    []byte
		passes bool
	}{
		{"the router's", router, false},
		{"the first one", first, true},
		{"another one", second, false},
		{"the first one again", first, true},
		{"its record's", []byte{2, 0, 0, 0, 0, 0x55}, true},
	} {
		frame := changed((&pkt{src: ownFour, dst: awayFour, proto: 17, sport: 5000, dport: 53, payload: make([]byte, 8)}).bytes(), 6, row.mac...)
		if got := b.run(true, frame); got != row.passes {
			t.Errorf("a frame from %s MAC: passes: %v, want %v", row.what, got, row.passes)
		}
	}
}
