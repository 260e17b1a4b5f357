package firewall_test

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Frames are written as layers, outermost first, with the fields that differ from
// a correct frame:
//
//	arp reply spa=N                        an ARP reply that claims the neighbour's address
//	eth src=N / udp 7777                   a datagram whose source MAC is the neighbour's
//	ip src=Wl dst=sol:N / ns N / slla W    a neighbour solicitation with its source's MAC
//	err / quote / udp 7777                 an ICMP error about a datagram that went the other way
//
// The layers eth and ip are added where they are missing. An address is a name of
// the cast or a literal; sol:NAME is its solicited-node group. A port is the
// workload's, or with ">" the remote's; the other port is the block's own. "a|b" is
// a in IPv4 and b in IPv6.
type layer struct {
	kind   string
	words  []string          // without "="
	fields map[string]string // by what is before "="
	out    bool              // the packet is one that the workload sends; a quoted one goes the other way
	next   *layer
	// The addresses of the IP layer around it.
	src, dst netip.Addr
}

// A cast has the MACs and addresses of those who take part, by name. W is the
// workload: its device's MAC, and the addresses that its kernel has. V are further
// addresses of the interface, for which no kernel answers. E is the MAC of the
// interface's record. N is a neighbour, R the router, far the other end of the link
// and O the other machine. X, Y and Z are remotes with rules, Q and OFF have none.
// Names that end in l are link-local addresses.
type cast struct {
	mac    map[string]net.HardwareAddr
	v4, v6 map[string]netip.Addr
}

// A builder makes one frame.
type builder struct {
	*cast
	out, six bool
	id       uint32 // marks the frame: IPv4's identification, IPv6's flow label
	life
}

// A life is one connection: the port that rows do not name, and the numbers from
// which rows count the sequence numbers of the remote (false) and of the workload
// (true).
type life struct {
	port uint16
	from map[bool]uint32
}

var be = binary.BigEndian

// build returns the bytes of a frame.
func (b *builder) build(text string) (p []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("frame %q: %v", text, r)
		}
	}()
	var all []*layer
	for part := range strings.SplitSeq(text, " / ") {
		l := &layer{fields: map[string]string{}}
		for i, word := range strings.Fields(part) {
			k, v, ok := strings.Cut(word, "=")
			if !ok {
				word = b.family(word)
			}
			if ok {
				l.fields[k] = b.family(v)
			} else if i == 0 {
				l.kind = word
			} else {
				l.words = append(l.words, word)
			}
		}
		all = append(all, l)
	}
	if all[0].kind != "eth" {
		all = slices.Insert(all, 0, &layer{kind: "eth"})
	}
	if k := all[1].kind; k != "ip" && k != "arp" && k != "fill" {
		all = slices.Insert(all, 1, &layer{kind: "ip"})
	}
	out := b.out
	var src, dst netip.Addr
	for i, l := range all {
		if l.kind == "quote" {
			out = !out
		}
		l.out = out
		if l.kind == "ip" || l.kind == "quote" {
			from, to := "X", "V"
			if out {
				from, to = to, from
			}
			src, dst = b.addrOf(l, "src", from), b.addrOf(l, "dst", to)
		}
		l.src, l.dst = src, dst
		if i > 0 {
			all[i-1].next = l
		}
	}
	for _, l := range slices.Backward(all) {
		p = b.wrap(l, p)
	}
	return p, nil
}

// family returns the part of IPv4|IPv6 that applies.
func (b *builder) family(word string) string {
	four, six, two := strings.Cut(word, "|")
	if two && b.six {
		return six
	}
	return four
}

func (b *builder) addr(name string) netip.Addr {
	if rest, ok := strings.CutPrefix(name, "sol:"); ok {
		a := b.addr(rest).As16()
		copy(a[:], netip.MustParseAddr("ff02::1:ff00:0").AsSlice()[:13])
		return netip.AddrFrom16(a)
	}
	names := b.v4
	if b.six {
		names = b.v6
	}
	if a, ok := names[name]; ok {
		return a
	}
	return netip.MustParseAddr(name)
}

func (b *builder) addrOf(l *layer, field, otherwise string) netip.Addr {
	return b.addr(cmp.Or(l.fields[field], otherwise))
}

func (b *builder) macOf(l *layer, field, otherwise string) net.HardwareAddr {
	name := cmp.Or(l.fields[field], otherwise)
	if m, ok := b.mac[name]; ok {
		return m
	}
	m, err := net.ParseMAC(name)
	if err != nil {
		panic(err)
	}
	return m
}

func (l *layer) num(field string, otherwise int) int {
	v, ok := l.fields[field]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		panic(err)
	}
	return int(n)
}

func (l *layer) has(word string) bool { return slices.Contains(l.words, word) }

// word returns the first bare word.
func (l *layer) word(otherwise string) string {
	if len(l.words) > 0 {
		return l.words[0]
	}
	return otherwise
}

func (l *layer) hex(field string) []byte {
	p, err := hex.DecodeString(l.fields[field])
	if err != nil {
		panic(err)
	}
	return p
}

// fill returns n bytes that no protocol expects.
func fill(n int) []byte { return []byte(strings.Repeat("moat", n/4+1))[:n] }

// protocols are the protocol numbers of layers, in IPv4 and in IPv6.
var protocols = map[string][2]int{
	"udp": {17, 17}, "client": {17, 17}, "server": {17, 17}, "tcp": {6, 6}, "icmp": {1, 58}, "err": {1, 58}, "ah": {51, 51},
	"hbh": {0, 0}, "alert": {0, 0}, "route": {43, 43}, "frag": {44, 44}, "dopt": {60, 60}, "fill": {59, 59},
}

func (b *builder) protocolOf(l *layer) int {
	if l == nil {
		return 59
	}
	if n, ok := protocols[l.kind]; ok {
		if b.six {
			return n[1]
		}
		return n[0]
	}
	return 58 // neighbour discovery and MLD
}

// wrap puts a layer's header in front of what it carries.
func (b *builder) wrap(l *layer, in []byte) []byte {
	body, ok := b.icmp6(l)
	switch {
	case ok:
		return b.checked(l, append(body, in...), 58, 2)
	case l.kind == "eth":
		return b.ethernet(l, in)
	case l.kind == "ip" || l.kind == "quote":
		if b.six {
			return b.ipv6(l, in)
		}
		return b.ipv4(l, in)
	}
	if p, ok := b.extension(l, in); ok {
		return p
	}
	switch l.kind {
	case "fill":
		n, err := strconv.Atoi(l.word(""))
		if err != nil {
			panic(err)
		}
		return append(fill(n), in...)
	case "arp":
		return append(b.arp(l), in...)
	case "tcp":
		flags, ack := byte(0), uint32(l.num("ack", 0))
		for _, c := range l.words[1] {
			flags |= map[rune]byte{'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16}[c]
		}
		if flags&16 != 0 {
			ack += b.from[!l.out]
		}
		p := be.AppendUint32(be.AppendUint32(b.ports(l), uint32(l.num("seq", 0))+b.from[l.out]), ack)
		opts := l.hex("opts")
		p = append(append(p, byte(0x50+len(opts)/4<<4), flags, 0x20, 0, 0, 0, 0, 0), opts...)
		return b.checked(l, append(p, in...), 6, 16)
	case "udp", "client", "server":
		p := append(be.AppendUint16(b.ports(l), uint16(l.num("len", 8+len(in)))), 0, 0)
		return b.checked(l, append(p, in...), 17, 6)
	case "icmp", "err": // err: a port is unreachable
		typ, code := 3, 3
		if b.six {
			typ, code = 1, 4
		}
		p := []byte{byte(l.num("type", typ)), byte(l.num("code", code)), 0, 0, 0, 0, 0, 0}
		return b.checked(l, append(p, in...), b.protocolOf(l), 2)
	case "slla", "tlla": // options with a link-layer address
		p := append([]byte{1, 1}, b.macOf(l, "mac", l.word(""))...)
		if l.kind == "tlla" {
			p[0] = 2
		}
		return append(p, in...)
	case "nonce":
		return append([]byte{14, 1, 'm', 'a', 'r', 'k', byte(b.id >> 8), byte(b.id)}, in...)
	case "option": // of neighbour discovery; len is the field, size the real length in bytes
		return append(append([]byte{byte(l.num("type", 1)), byte(l.num("len", 1))}, fill(l.num("size", 8)-2)...), in...)
	case "record": // of an MLDv2 report
		sources, aux := l.num("sources", 0), l.num("aux", 0)
		p := append([]byte{byte(l.num("type", 4)), byte(aux)}, byte(sources>>8), byte(sources))
		p = append(p, b.addr(l.word("")).AsSlice()...)
		return append(append(p, fill(16*sources+4*aux)...), in...)
	case "dhcp":
		p := make([]byte, max(240, l.num("size", 300)))
		p[0], p[1], p[2] = byte(l.num("op", map[bool]int{true: 1, false: 2}[l.out])), byte(l.num("htype", 1)), byte(l.num("hlen", 6))
		be.PutUint32(p[4:], b.id) // the transaction
		copy(p[12:], b.addrOf(l, "ciaddr", "0.0.0.0").AsSlice())
		copy(p[24:], b.addrOf(l, "giaddr", "0.0.0.0").AsSlice())
		copy(p[28:], b.macOf(l, "chaddr", "W"))
		be.PutUint32(p[236:], uint32(l.num("cookie", 0x63825363)))
		return append(p[:l.num("size", 300)], in...)
	case "dhcp6":
		p := append([]byte{byte(l.num("type", map[bool]int{true: 1, false: 7}[l.out])), byte(b.id >> 16), byte(b.id >> 8), byte(b.id)}, fill(60)...)
		for len(p) < l.num("size", 64) {
			p = append(p, 0)
		}
		return append(p[:l.num("size", 64)], in...)
	}
	panic("no layer " + l.kind)
}

func (b *builder) ethernet(l *layer, in []byte) []byte {
	src, dst, typ := "far", "W", 0x0800
	if l.out {
		src, dst = dst, src
	}
	to := b.macOf(l, "dst", dst)
	switch l.next.kind {
	case "arp":
		if typ = 0x0806; !l.next.has("reply") && l.fields["dst"] == "" {
			to = net.HardwareAddr{255, 255, 255, 255, 255, 255}
		}
	case "ip":
		switch a := l.next.dst; {
		case l.fields["dst"] != "":
		case a.Is6() && a.IsMulticast():
			to = append(net.HardwareAddr{0x33, 0x33}, a.AsSlice()[12:]...)
		case a.IsMulticast():
			to = append(net.HardwareAddr{1, 0, 0x5e, a.AsSlice()[1] & 127}, a.AsSlice()[2:]...)
		case a.Is4() && a.As4()[0] == 255:
			to = net.HardwareAddr{255, 255, 255, 255, 255, 255}
		}
		if b.six {
			typ = 0x86dd
		}
	}
	p := append(append([]byte{}, to...), b.macOf(l, "src", src)...)
	p = append(be.AppendUint16(p, uint16(l.num("type", typ))), in...)
	p = append(p, make([]byte, l.num("zeros", 0))...) // after the packet
	return append(p, fill(l.num("after", 0))...)
}

func (b *builder) arp(l *layer) []byte {
	op, from, to := 1, "V", "R"
	if l.has("reply") {
		op = 2
	}
	if !l.out {
		from, to = "R", "V"
	}
	p := be.AppendUint16(be.AppendUint16(nil, uint16(l.num("hw", 1))), uint16(l.num("proto", 0x0800)))
	p = append(p, byte(l.num("hlen", 6)), byte(l.num("plen", 4)))
	p = be.AppendUint16(p, uint16(l.num("op", op)))
	p = append(p, b.macOf(l, "sha", map[bool]string{true: "W", false: "far"}[l.out])...)
	p = append(p, b.addrOf(l, "spa", from).AsSlice()...)
	p = append(p, b.macOf(l, "tha", "00:00:00:00:00:00")...)
	p = append(p, b.addrOf(l, "tpa", to).AsSlice()...)
	return p[:l.num("size", len(p))]
}

func (b *builder) ipv4(l *layer, in []byte) []byte {
	opts := l.hex("opts")
	p := []byte{byte(0x45 + len(opts)/4), 0}
	p = be.AppendUint16(p, uint16(20+len(opts)+len(in)))
	p = be.AppendUint16(p, uint16(l.num("id", int(b.id))))
	frag := l.num("at", 0) / 8
	if l.has("more") {
		frag |= 0x2000
	}
	p = be.AppendUint16(p, uint16(frag))
	p = append(p, byte(l.num("hops", 64)), byte(l.num("proto", b.protocolOf(l.next))), 0, 0)
	p = append(append(append(p, l.src.AsSlice()...), l.dst.AsSlice()...), opts...)
	be.PutUint16(p[10:], checksum(p, 0))
	return append(p, in...)
}

func (b *builder) ipv6(l *layer, in []byte) []byte {
	hops := 64
	for n := l.next; n != nil; n = n.next {
		switch n.kind {
		case "ns", "na", "rs", "ra", "redirect":
			hops = 255
		case "report", "report2", "done", "query":
			hops = 1
		}
	}
	p := be.AppendUint32(nil, 6<<28|b.id&0xfffff)
	p = be.AppendUint16(p, uint16(len(in)))
	p = append(p, byte(b.protocolOf(l.next)), byte(l.num("hops", hops)))
	p = append(append(p, l.src.AsSlice()...), l.dst.AsSlice()...)
	return append(p, in...)
}

// extension makes an IPv6 extension header, or an authentication header.
func (b *builder) extension(l *layer, in []byte) ([]byte, bool) {
	next := byte(b.protocolOf(l.next))
	var p []byte
	switch l.kind {
	case "alert": // hop-by-hop options with a router alert for MLD
		p = []byte{next, 0, 5, 2, 0, 0, 1, 0}
	case "hbh", "dopt": // padding, whose bytes are not zero
		n := l.num("size", 8)
		p = append([]byte{next, byte(n/8 - 1), 1, byte(n - 4)}, fill(n-4)...)
		if l.has("alert") {
			p = append([]byte{next, byte(n/8 - 1), 5, 2, 0, 0, 1, byte(n - 8)}, fill(n-8)...)
		}
	case "route":
		p = append([]byte{next, 2, 0, byte(l.num("left", 1)), 0, 0, 0, 0}, b.addr("X").AsSlice()...)
	case "frag":
		at := l.num("at", 0)
		if l.has("more") {
			at |= 1
		}
		p = be.AppendUint32([]byte{next, 0, byte(at >> 8), byte(at)}, uint32(l.num("id", int(b.id))))
	case "ah":
		p = append([]byte{next, 4, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1}, fill(12)...)
	default:
		return nil, false
	}
	return append(p, in...), true
}

// icmp6 makes a message of neighbour discovery or MLD up to its options or records.
func (b *builder) icmp6(l *layer) ([]byte, bool) {
	head := func(typ int, rest ...byte) []byte {
		return append([]byte{byte(typ), byte(l.num("code", 0)), 0, 0}, rest...)
	}
	four := make([]byte, 4)
	target := func(p []byte) []byte { return append(p, b.addr(l.word("V")).AsSlice()...) }
	switch l.kind {
	case "rs":
		return head(133, four...), true
	case "ra":
		return head(134, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0), true
	case "ns":
		return target(head(135, four...)), true
	case "na": // bits: 0x80 of a router, 0x40 solicited, 0x20 override
		return target(head(136, byte(l.num("bits", 0x20)), 0, 0, 0)), true
	case "redirect":
		return append(target(head(137, four...)), b.addrOf(l, "to", "OFF").AsSlice()...), true
	case "query", "report", "done":
		p := append(head(map[string]int{"query": 130, "report": 131, "done": 132}[l.kind], 0, 1, 0, 0), b.addr(l.word("::")).AsSlice()...)
		if n := l.num("sources", -1); n >= 0 { // of version 2
			p = append(append(p, 2, 125, byte(n>>8), byte(n)), fill(16*n)...)
		}
		return p, true
	case "report2":
		n := 0
		for r := l.next; r != nil; r = r.next {
			n++
		}
		n = l.num("n", n)
		return head(143, 0, 0, byte(n>>8), byte(n)), true
	}
	return nil, false
}

// ports begin the header of TCP or UDP.
func (b *builder) ports(l *layer) []byte {
	local, remote := int(b.port), int(b.port)
	switch word := l.word("0"); {
	case l.kind != "tcp" && l.kind != "udp":
		local, remote = 68, 67 // of DHCP's client
		if b.six {
			local, remote = 546, 547
		}
		if l.out != (l.kind == "client") {
			local, remote = remote, local
		}
	case word[0] == '>':
		remote, _ = strconv.Atoi(word[1:])
	default:
		local, _ = strconv.Atoi(word)
	}
	if !l.out {
		local, remote = remote, local
	}
	return be.AppendUint16(be.AppendUint16(nil, uint16(l.num("sport", local))), uint16(l.num("dport", remote)))
}

// checked fills in the checksum of a transport's header.
func (b *builder) checked(l *layer, p []byte, protocol, at int) []byte {
	sum := uint32(0)
	if b.six || protocol != 1 {
		pseudo := append(append([]byte{}, l.src.AsSlice()...), l.dst.AsSlice()...)
		pseudo = be.AppendUint32(be.AppendUint32(pseudo, uint32(len(p))), uint32(protocol))
		sum = uint32(^checksum(pseudo, 0))
	}
	be.PutUint16(p[at:], checksum(p, sum))
	return p
}

func checksum(p []byte, sum uint32) uint16 {
	for len(p) > 1 {
		sum += uint32(be.Uint16(p))
		p = p[2:]
	}
	if len(p) == 1 {
		sum += uint32(p[0]) << 8
	}
	for sum>>16 > 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
