package ebpf

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// The long form, ten million packets and more:
//
//	go test ./dataplane/ebpf -run TestKernelJudgesAsJudge -packets 10000000 -timeout 1h
var packets = flag.Int("packets", 100_000, "how many random packets the kernel judges")

// A bench runs the programs on packets without a network: on the loopback
// device, by BPF_PROG_TEST_RUN.
type bench struct {
	t testing.TB
	p *Plane
	g *programs
	k bpfDeviceKey
	// talks are the TCP connections of a script, by family and port.
	talks map[string]*talk
	sent  func() // notes that the last packet of a script passed
}

func newBench(t testing.TB, o Options) *bench {
	b := &bench{t: t, p: open(t, o)}
	b.load()
	return b
}

func (b *bench) load() {
	b.t.Helper()
	if err := within("", func(ns uint32) (err error) {
		b.k = bpfDeviceKey{Netns: ns, Index: 1}
		b.g, err = b.p.programsOf(ns)
		return err
	}); err != nil {
		if v, ok := errors.AsType[*ebpf.VerifierError](err); ok {
			b.t.Fatalf("%v\n%+v", err, v)
		}
		b.t.Fatal(err)
	}
}

// on makes the loopback device an interface's.
func (b *bench) on(id vpc.InterfaceID, flags uint32) {
	b.t.Helper()
	if err := b.p.putDevice(b.k, &bpfDevice{Eni: b.p.numbers[id], Flags: flags}); err != nil {
		b.t.Fatal(err)
	}
}

// adopt has connections of an interface that were open before tracked, or not.
func (b *bench) adopt(id vpc.InterfaceID, on bool) {
	until := uint32(0)
	if on {
		until = b.p.now() + 3600
	}
	b.p.slots[slotIn(b.p.arena.words[b.p.have.root.at:], b.p.numbers[id])].AdoptUntil = until
}

// run gives whether a packet passes.
func (b *bench) run(out bool, packet []byte) bool {
	b.t.Helper()
	prog := b.g.to
	if out {
		prog = b.g.from
	}
	ret, err := prog.Run(&ebpf.RunOptions{Data: packet})
	if errors.Is(err, unix.EINVAL) && len(packet) < 14+40 {
		return false // the kernel makes no packet of less than an IP header
	}
	if err != nil {
		b.t.Fatal(err)
	}
	switch int32(ret) {
	case -1:
		return true
	case 2:
		return false
	}
	b.t.Fatalf("program gives %d", int32(ret))
	return false
}

// A pkt describes a packet.
type pkt struct {
	src, dst     netip.Addr
	proto        uint8
	sport, dport uint16
	typ, code    uint8  // of ICMP; sport is the identifier
	flags        uint8  // of TCP
	chain        []byte // IPv6 extension headers' types
	options      int    // words of IPv4 options
	payload      []byte
	hops         uint8
	frag         int // offset in bytes
	more         bool
	id           uint32
	seq, ack     uint32 // of TCP
	tcpOptions   []byte // whole words
}

const eth4, eth6 = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00", "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x86\xdd"

func (k *pkt) transport() []byte {
	be := binary.BigEndian
	var b []byte
	switch {
	case k.proto == 6:
		b = be.AppendUint16(be.AppendUint16(b, k.sport), k.dport)
		b = be.AppendUint32(be.AppendUint32(b, k.seq), k.ack)
		b = append(b, 0x50+byte(len(k.tcpOptions)/4)<<4, k.flags)
		b = append(be.AppendUint16(b, 256), 0, 0, 0, 0)
		b = append(b, k.tcpOptions...)
	case k.proto == 17:
		b = be.AppendUint16(be.AppendUint16(b, k.sport), k.dport)
		b = append(be.AppendUint16(b, uint16(8+len(k.payload))), 0, 0)
	case k.proto == 1 || k.proto == 58:
		b = be.AppendUint16([]byte{k.typ, k.code, 0, 0}, k.sport)
		b = append(b, 0, 1)
	}
	return append(b, k.payload...)
}

func (k *pkt) bytes() []byte {
	be := binary.BigEndian
	t := k.transport()
	if k.frag > 0 {
		t = k.payload
	}
	hops := k.hops
	if hops == 0 {
		hops = 64
	}
	if k.src.Is4() {
		b := append([]byte(eth4), 0x45+byte(k.options), 0)
		b = be.AppendUint16(b, uint16(20+4*k.options+len(t)))
		f := uint16(k.frag / 8)
		if k.more {
			f |= 0x2000
		}
		b = be.AppendUint16(be.AppendUint16(b, uint16(k.id)), f)
		b = append(b, hops, k.proto, 0, 0)
		b = append(append(b, k.src.AsSlice()...), k.dst.AsSlice()...)
		for range k.options * 4 {
			b = append(b, 1)
		}
		return append(b, t...)
	}
	var ext []byte
	next := byte(k.proto)
	for _, typ := range slices.Backward(k.chain) {
		h := []byte{next, 0, 1, 4, 0, 0, 0, 0}
		switch typ {
		case 43:
			h = []byte{next, 0, 0, 0, 0, 0, 0, 0}
		case 44:
			h = []byte{next, 0, 0, 0, 0, 0, 0, 0}
			off := uint16(k.frag)
			if k.more {
				off |= 1
			}
			be.PutUint16(h[2:], off)
			be.PutUint32(h[4:], k.id)
		case 51:
			h = append(h, 0, 0, 0, 0)
			h[1] = 1
		case 60:
			h = append(h, 1, 6, 0, 0, 0, 0, 0, 0)
			h[1] = 1
		}
		ext = append(h, ext...)
		next = typ
	}
	b := append([]byte(eth6), 0x60, 0, 0, 0)
	b = be.AppendUint16(b, uint16(len(ext)+len(t)))
	b = append(b, next, hops)
	b = append(append(b, k.src.AsSlice()...), k.dst.AsSlice()...)
	return append(append(b, ext...), t...)
}

// A world makes random rulesets and packets that often meet at their edges.
type world struct {
	*rand.Rand
	rs    *ruleset.Ruleset
	addrs []netip.Addr
	ports []uint16
}

func (w *world) addr(six bool) netip.Addr {
	for range 8 {
		if a := w.addrs[w.IntN(len(w.addrs))]; a.Is6() == six {
			switch w.IntN(6) {
			case 0:
				if n := a.Next(); n.IsValid() {
					return n
				}
			case 1:
				if n := a.Prev(); n.IsValid() {
					return n
				}
			}
			return a
		}
	}
	if six {
		b := [16]byte{0x20, 1, 0xd, 0xb8}
		binary.BigEndian.PutUint64(b[8:], w.Uint64())
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte{byte(10 + w.IntN(3)), byte(w.IntN(3)), byte(w.IntN(256)), byte(w.IntN(256))})
}

func (w *world) port() uint16 {
	if w.IntN(3) > 0 && len(w.ports) > 0 {
		return w.ports[w.IntN(len(w.ports))] + uint16(w.IntN(3)) - 1
	}
	return uint16(w.Uint32())
}

func (w *world) prefix() netip.Prefix {
	six := w.IntN(3) == 0
	var a netip.Addr
	if len(w.addrs) > 0 && w.IntN(2) == 0 {
		a = w.addr(six)
	} else {
		save := w.addrs
		w.addrs = []netip.Addr{{}}
		a = w.addr(six)
		w.addrs = save
	}
	if !a.IsValid() || a.Is4In6() {
		a = netip.MustParseAddr("10.0.0.1")
	}
	bits := w.IntN(a.BitLen() + 1)
	switch w.IntN(8) {
	case 0:
		bits = 0
	case 1:
		bits = a.BitLen()
	default:
		bits = max(bits, a.BitLen()/4)
	}
	p, _ := a.Prefix(bits)
	w.addrs = append(w.addrs, p.Addr(), last(p))
	if n := last(p).Next(); n.IsValid() && !n.Is4In6() {
		w.addrs = append(w.addrs, n)
	}
	return p
}

var interfaces = []vpc.InterfaceID{"eni-1", "eni-2", "eni-3"}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
	w.addrs = []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::5")}
	rs := &ruleset.Ruleset{Rev: seed}
	group := func() vpc.GroupID { return vpc.GroupID(fmt.Sprintf("sg-%d", w.IntN(70))) }
	for d := range 2 {
		for i := range 3 {
			p := ruleset.Policy{Name: fmt.Sprintf("%v %d", flow.Direction(d == 0), i), Direction: d == 0}
			if w.IntN(20) == 0 {
				p.Name += " none"
			} else {
				n := w.IntN(12)
				if w.IntN(6) == 0 {
					n = w.IntN(200)
				}
				for j := range n {
					r := ruleset.Rule{ID: vpc.RuleID(fmt.Sprintf("sgr-%d-%d-%d", d, i, j)), Ports: flow.NoPorts}
					switch k := w.IntN(12); {
					case k < 4:
						r.Protocol = flow.TCP
					case k < 7:
						r.Protocol = flow.UDP
					case k == 7:
						r.Protocol = flow.ICMP
					case k == 8:
						r.Protocol = flow.ICMPv6
					case k == 9:
						r.Protocol = flow.Protocol(w.IntN(256))
					default:
						if w.IntN(3) == 0 {
							r.Protocol = flow.AllProtocols
						} else {
							r.Protocol = flow.TCP
						}
					}
					switch r.Protocol {
					case flow.TCP, flow.UDP:
						a, b := int32(w.port()), int32(w.port())
						switch w.IntN(5) {
						case 0:
							a, b = 0, 65535
						case 1, 2:
							b = a
						}
						r.Ports = flow.PortRange{From: min(a, b), To: max(a, b)}
						w.ports = append(w.ports, uint16(a), uint16(b))
					case flow.ICMP, flow.ICMPv6:
						r.Ports = flow.PortRange{From: int32(w.IntN(20)) - 1, To: int32(w.IntN(5)) - 1}
						if r.Protocol == flow.ICMPv6 && r.Ports.From >= 0 {
							r.Ports.From += 120
						}
					}
					if w.IntN(4) == 0 {
						r.Remote.Group = group()
					} else {
						r.Remote.Prefix = w.prefix()
					}
					p.Rules = append(p.Rules, r)
				}
			}
			slices.SortFunc(p.Rules, ruleset.Compare)
			rs.Policies = append(rs.Policies, p)
		}
	}
	slices.SortFunc(rs.Policies, func(a, b ruleset.Policy) int { return strings.Compare(a.Name, b.Name) })
	vpcs := []vpc.VPCID{"vpc-1", "vpc-2"}
	seen := map[memberKey]bool{}
	var members []ruleset.Member
	for range w.IntN(40) {
		m := ruleset.Member{VPC: vpcs[w.IntN(2)], Addr: w.addr(w.IntN(3) == 0)}
		if seen[memberKey{m.VPC, m.Addr}] || m.Addr.Is4In6() {
			continue
		}
		seen[memberKey{m.VPC, m.Addr}] = true
		for range 1 + w.IntN(16) {
			m.Groups = append(m.Groups, group())
		}
		slices.Sort(m.Groups)
		m.Groups = slices.Compact(m.Groups)
		members = append(members, m)
		w.addrs = append(w.addrs, m.Addr)
	}
	slices.SortFunc(members, func(a, b ruleset.Member) int {
		if a.VPC != b.VPC {
			return strings.Compare(string(a.VPC), string(b.VPC))
		}
		return a.Addr.Compare(b.Addr)
	})
	rs.Members = ruleset.NewMembers(members...)
	var in, out []int
	for i := range rs.Policies {
		if rs.Policies[i].Direction == flow.Egress {
			out = append(out, i)
		} else {
			in = append(in, i)
		}
	}
	for i, id := range interfaces {
		x := ruleset.Interface{ID: id, VPC: vpcs[i%2], MAC: "02:00:00:00:00:02", Check: w.IntN(4) > 0, In: in[w.IntN(3)], Out: out[w.IntN(3)], Timeouts: ruleset.DefaultTimeouts}
		x.Own = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/32", 5+i)), netip.MustParsePrefix("2001:db8::5/128")}
		if w.IntN(2) == 0 {
			x.Own = append(x.Own, netip.MustParsePrefix("10.0.7.16/28"), netip.MustParsePrefix("2001:db8:0:7::/80"))
		}
		slices.SortFunc(x.Own, comparePrefixes)
		rs.Interfaces = append(rs.Interfaces, x)
	}
	// As Compile does, only policies that an interface has.
	var used []ruleset.Policy
	at := map[int]int{}
	for i, p := range rs.Policies {
		if slices.ContainsFunc(rs.Interfaces, func(x ruleset.Interface) bool { return x.In == i || x.Out == i }) {
			at[i] = len(used)
			used = append(used, p)
		}
	}
	rs.Policies = used
	for i := range rs.Interfaces {
		x := &rs.Interfaces[i]
		x.In, x.Out = at[x.In], at[x.Out]
	}
	w.rs = rs
	return w
}

// packet makes a random packet of an interface, with the flow that Judge is
// asked about.
func (w *world) packet(i *ruleset.Interface, out bool) (k pkt, f ruleset.Flow) {
	six := w.IntN(3) == 0
	remote := w.addr(six)
	for remote.Is4In6() {
		remote = w.addr(six)
	}
	local := i.Own[w.IntN(len(i.Own))].Addr()
	for local.Is6() != six {
		local = i.Own[w.IntN(len(i.Own))].Addr()
	}
	switch w.IntN(12) {
	case 0:
		local = local.Next()
	case 1:
		local = local.Prev()
	}
	k = pkt{src: remote, dst: local, sport: uint16(1024 + w.IntN(60000)), dport: w.port(), flags: 2}
	if out {
		k.src, k.dst = local, remote
	}
	switch n := w.IntN(10); {
	case n < 4:
		k.proto = 6
		if w.IntN(4) == 0 {
			k.flags = byte(w.IntN(64))
		}
	case n < 7:
		k.proto = 17
	case n < 9:
		k.proto = 1
		if six != (w.IntN(10) == 0) {
			k.proto = 58
		}
		k.typ, k.code = byte(w.IntN(20)), byte(w.IntN(5))
		if k.proto == 58 {
			k.typ += 120
		}
		if w.IntN(2) == 0 {
			k.code = 0
		}
	default:
		k.proto = byte(w.IntN(256))
		for slices.Contains([]byte{1, 58}, k.proto) || six && slices.Contains([]byte{0, 43, 44, 60}, k.proto) {
			k.proto = byte(w.IntN(256))
		}
		k.payload = []byte("12345678")
	}
	if w.IntN(4) == 0 {
		k.options = w.IntN(11)
		for range w.IntN(5) {
			k.chain = append(k.chain, []byte{0, 43, 60}[w.IntN(3)])
		}
	}
	for range w.IntN(3) {
		k.payload = append(k.payload, 1, 2, 3, 4)
	}
	f = ruleset.Flow{Interface: i.ID, Direction: flow.Direction(out), Remote: remote, Protocol: flow.Protocol(k.proto)}
	switch k.proto {
	case 6, 17:
		f.Port = k.dport
	case 1, 58:
		f.Port, f.Code = uint16(k.typ), k.code
	}
	return k, f
}

// key gives the flow that a packet begins; false for none. TCP that was open
// before begins one while it is adopted.
func (k *pkt) key(n uint32, out, adopts bool) (key bpfFlow6Key, six, ok bool) {
	local, remote := k.dst, k.src
	lport, rport := k.dport, k.sport
	if out {
		local, remote, lport, rport = k.src, k.dst, k.sport, k.dport
	}
	six = local.Is6()
	switch {
	case k.proto == 6:
		ok = k.flags&(2|16|4) == 2 || adopts && k.flags&4 == 0
	case k.proto == 17:
		ok = true
	case k.proto == 1 && !six || k.proto == 58 && six:
		queries := []byte{8, 13, 15, 17}
		if six {
			queries = []byte{128}
		}
		ok = k.code == 0 && slices.Contains(queries, k.typ)
		if lport, rport = uint16(k.typ), k.sport; out {
			lport, rport = rport, lport
		}
	default:
		lport, rport, ok = 0, 0, true
	}
	be := func(v uint16) uint16 { return v<<8 | v>>8 }
	if six {
		return bpfFlow6Key{Eni: n, Local: local.As16(), Remote: remote.As16(), LportBe: be(lport), RportBe: be(rport), Proto: k.proto}, six, ok
	}
	key4 := memberKey4(0, local)
	*flow4(&key) = bpfFlow4Key{Eni: n, LocalBe: key4.AddrBe, RemoteBe: memberKey4(0, remote).AddrBe, LportBe: be(lport), RportBe: be(rport), Proto: k.proto}
	return key, six, ok
}

// forget removes the flow that a packet began; false if there is none.
func (b *bench) forget(k *bpfFlow6Key, six bool, v *bpfFlowValue) bool {
	b.t.Helper()
	m, key := b.p.maps.Flows4, any(flow4(k))
	if six {
		m, key = b.p.maps.Flows6, k
	}
	if v != nil && m.Lookup(key, v) != nil {
		return false
	}
	return m.Delete(key) == nil
}

// differ runs random rulesets and packets until n have been judged, and gives
// the first that the kernel judges otherwise than Judge.
func (b *bench) differ(seed uint64, n int) error {
	for done := 0; done < n; seed++ {
		w := newWorld(seed)
		if err := b.p.Apply(context.Background(), w.rs); err != nil {
			return err
		}
		ids := map[uint32]vpc.RuleID{}
		for k, place := range b.p.counters.places {
			ids[place] = k.id
		}
		per := 500
		if n > 1_000_000 {
			per = 5000
		}
		for i := range w.rs.Interfaces {
			x := &w.rs.Interfaces[i]
			number := b.p.numbers[x.ID]
			b.on(x.ID, 0)
			adopts := w.IntN(2) == 0
			b.adopt(x.ID, adopts)
			read := reader{rs: w.rs, of: x}
			for range per {
				if done++; done%500 == 0 { // forget leaves the count of flows as it is
					if err := b.p.clearState(number); err != nil {
						return err
					}
				}
				out := w.IntN(2) == 0
				k, f := w.packet(x, out)
				data := k.bytes()
				want, _ := read.may(data, out)
				if want != b.run(out, data) {
					return fmt.Errorf("seed %d: interface %+v\npacket %+v out %v\nbytes %x\nflow %+v: judged %+v, the kernel says %v\npolicies %+v", seed, x, k, out, data, f, w.rs.Judge(f), !want, w.rs.Policies[x.In])
				}
				var v bpfFlowValue
				key, six, tracks := k.key(number, out, adopts)
				verdict := w.rs.Judge(f)
				tracks = tracks && want && verdict.Reason == ruleset.ByRule
				if found := b.forget(&key, six, &v); found != tracks {
					return fmt.Errorf("seed %d: packet %+v out %v: has begun a flow: %v, want %v", seed, k, out, found, tracks)
				}
				if tracks && done%8 == 0 {
					// The rule that it counts for must allow it by itself.
					pol := w.rs.Policies[map[bool]int{false: x.In, true: x.Out}[out]]
					pol.Rules = slices.DeleteFunc(slices.Clone(pol.Rules), func(r ruleset.Rule) bool { return r.ID != ids[v.Rule] })
					alone := *w.rs
					alone.Policies = []ruleset.Policy{pol}
					alone.Interfaces = []ruleset.Interface{{ID: x.ID, VPC: x.VPC}}
					if !alone.Judge(f).Allowed {
						return fmt.Errorf("seed %d: packet %+v out %v counts for rule %s, which does not allow it", seed, k, out, ids[v.Rule])
					}
				}
			}
			if err := b.p.clearState(number); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestKernelJudgesAsJudge(t *testing.T) {
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	seed := uint64(time.Now().UnixNano())
	start := time.Now()
	if err := b.differ(seed, *packets); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packets from seed %d, %.0f a second", *packets, seed, float64(*packets)/time.Since(start).Seconds())
}

// What is in force is read back as it was applied, also by another process.
func TestActualIsWhatWasApplied(t *testing.T) {
	o := Options{Identity: fmt.Sprintf("t-%016x", rand.Uint64())}
	p := open(t, o)
	for seed := range uint64(30) {
		want := newWorld(seed).rs
		apply(t, p, want)
		if seed%5 == 4 {
			p.Close()
			p = open(t, o)
		}
		got, err := p.Actual(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if c := ruleset.Diff(got, want); !c.Empty() || got.Rev != want.Rev {
			t.Fatalf("seed %d: differs: %+v", seed, c)
		}
	}
	// A change behind its back shows.
	rs := newWorld(3).rs
	apply(t, p, rs)
	x := rs.Interfaces[0]
	at := p.have.policies[rs.Policies[x.In].Name].at
	p.arena.words[at+2] ^= 1
	got, err := p.Actual(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if ruleset.Diff(got, rs).Empty() {
		t.Error("a policy that was changed in the kernel is reported as it should be")
	}
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()), a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
