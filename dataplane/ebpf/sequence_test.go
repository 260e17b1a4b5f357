package ebpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"moat/test/clause"
	"moat/vpc"
)

// play runs a script against the kernel: lines of a packet and what becomes of
// it, "wait" and seconds, "rules" and rules with semicolons.
//
//	in tcp 80 S: pass       a packet in to port 80, with the flag SYN
//	out tcp 80 SA: pass     one out from port 80
//	in udp 53: drop
//	out ping 7: pass        an echo request out with identifier 7; pong is a reply
//	adopt 60                connections open before are tracked for so long
//
// The numbers of TCP are those of peers who got every packet that passed. With
// "seq 5" a packet is so far from where it should be, and nobody has sent it; with
// "ack -5" so is what it acknowledges.
func (b *bench) play(script string) {
	b.t.Helper()
	for _, err := range b.played(script) {
		b.t.Error(err)
	}
}

// played gives what went otherwise than the script says.
func (b *bench) played(script string) (errs []error) {
	t := b.t
	t.Helper()
	six := false
	b.p.options.Adopt, b.talks = 0, map[string]*talk{}
	for n, line := range strings.Split(strings.TrimSpace(script), "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "":
			continue
		case "wait":
			var s uint64
			fmt.Sscan(rest, &s)
			b.p.control.NowOffset += s
			continue
		case "rules":
			apply(t, b.p, rules(t, strings.Split(rest, "; ")...))
			b.on(eni, 0)
			continue
		case "six":
			six = true
			continue
		case "adopt":
			var s time.Duration
			fmt.Sscan(rest, &s)
			b.p.options.Adopt = s * time.Second
			continue
		case "collect":
			if err := b.p.expire(); err != nil {
				t.Fatal(err)
			}
			continue
		case "soon": // within some seconds
			var want int64
			fmt.Sscan(strings.TrimPrefix(rest, "flows "), &want)
			var s bpfEniState
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if err := b.p.maps.EniStates.Lookup(b.p.numbers[eni], &s); err == nil && s.all() == want {
					break
				}
			}
			if s.all() != want {
				errs = append(errs, fmt.Errorf("line %d: %d flows, want %d", n+1, s.all(), want))
			}
			continue
		case "flows":
			var want int64
			fmt.Sscan(rest, &want)
			var s bpfEniState
			if err := b.p.maps.EniStates.Lookup(b.p.numbers[eni], &s); err != nil || s.all() != want {
				errs = append(errs, fmt.Errorf("line %d: %d flows, want %d (%v)", n+1, s.all(), want, err))
			}
			continue
		}
		what, want, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("line %d: %q", n+1, line)
		}
		if got := b.run(word == "out", b.packet(what, six)); got != (want == "pass") {
			errs = append(errs, fmt.Errorf("line %d, %q: passes: %v", n+1, line, got))
		} else if got {
			b.sent()
		}
	}
	return errs
}

// A talk is a TCP connection: what each side, in and out, sends next.
type talk struct {
	next [2]uint32
}

// packet makes the packet that a line of a script names.
func (b *bench) packet(line string, six bool) []byte {
	f := strings.Fields(line)
	local, remote := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.1.0.9")
	if six {
		local, remote = netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("2001:db8:1::9")
	}
	k := pkt{src: remote, dst: local, payload: make([]byte, 32)}
	out := f[0] == "out"
	if out {
		k.src, k.dst = local, remote
	}
	var port uint16
	fmt.Sscan(f[2], &port)
	k.sport, k.dport = 5000, port
	if out {
		k.sport, k.dport = port, 5000
	}
	rest := f[3:]
	b.sent = func() {}
	switch f[1] {
	case "tcp":
		k.proto = 6
		if len(rest) > 0 {
			for _, c := range rest[0] {
				k.flags |= map[rune]byte{'F': 1, 'S': 2, 'R': 4, 'A': 16}[c]
			}
			rest = rest[1:]
		}
		b.numbers(&k, out, six, rest)
	case "udp":
		k.proto = 17
	case "ping", "pong":
		k.proto, k.typ, k.sport = 1, 8, port
		if six {
			k.proto, k.typ = 58, 128
		}
		if f[1] == "pong" {
			k.typ = map[bool]byte{false: 0, true: 129}[six]
		}
	case "gre":
		k.proto = 47
	case "error":
		// About the packet that the rest of the line names: it went the other
		// way.
		q := b.packet(map[bool]string{true: "in ", false: "out "}[out]+strings.Join(f[2:], " "), six)[14:]
		k.proto, k.typ, k.code, k.payload = 1, 3, 1, q[:28]
		if six {
			k.proto, k.typ, k.code, k.payload = 58, 1, 4, q[:48]
		}
		if !out {
			k.src = netip.MustParseAddr(map[bool]string{false: "192.0.2.1", true: "2001:db8:ffff::1"}[six]) // a router
		}
		return k.bytes()
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case "first":
			k.more, k.id, k.payload = true, 77, make([]byte, 64-len((&pkt{proto: k.proto}).transport()))
		case "at":
			fmt.Sscan(rest[i+1], &k.frag)
			k.id, k.payload = 77, make([]byte, 64)
			i++
		case "id":
			fmt.Sscan(rest[i+1], &k.id)
			i++
		}
	}
	if six && (k.more || k.frag > 0) {
		k.chain = []byte{44}
	}
	return k.bytes()
}

// numbers gives a TCP packet its numbers.
func (b *bench) numbers(k *pkt, out, six bool, rest []string) {
	port := k.dport
	me, you := 0, 1
	if out {
		port, me, you = k.sport, 1, 0
	}
	name := fmt.Sprint(six, port)
	c := b.talks[name]
	if c == nil {
		c = &talk{next: [2]uint32{rand.Uint32(), rand.Uint32()}}
		if b.talks != nil {
			b.talks[name] = c
		}
	}
	length := uint32(32)
	if k.flags&(2|4) != 0 {
		k.payload, length = nil, 0
	}
	begins := k.flags&2 != 0
	if begins {
		k.tcpOptions = []byte{2, 4, 5, 180, 1, 3, 3, 7}
	}
	if i := slices.Index(rest, "seq"); i >= 0 {
		var off int64
		fmt.Sscan(rest[i+1], &off)
		k.seq = c.next[me] + uint32(off)
	} else {
		k.seq = c.next[me]
		if begins {
			k.seq = rand.Uint32() // a connection's own
		}
		seq := k.seq + length + uint32(k.flags&1) + uint32(k.flags>>1&1)
		b.sent = func() { c.next[me] = seq }
	}
	if k.flags&16 != 0 {
		k.ack = c.next[you]
		if i := slices.Index(rest, "ack"); i >= 0 {
			var off int64
			fmt.Sscan(rest[i+1], &off)
			k.ack += uint32(off)
		}
	}
}

var sequences = []struct{ name, script string }{
	{"a reply passes, another packet does not [F14] [F15]", `
			rules in tcp 80 from 10.1.0.0/16
			out tcp 80 SA: drop
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 81 SA: drop
			in tcp 81 S: drop
			flows 1`},
	{"a half-open connection is forgotten after a minute [F14]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			wait 59
			out tcp 80 SA: pass
			wait 62
			out tcp 80 SA: drop`},
	{"an established one lives for days [F14]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			wait 431000
			out tcp 80 A: pass
			wait 432002
			out tcp 80 A: drop`},
	{"a closed one for a minute, and its ports are used anew by the rules only", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 FA: pass
			out tcp 80 FA: pass
			in tcp 80 A: pass
			out tcp 80 S: drop
			flows 1
			in tcp 80 S: pass
			flows 1
			wait 62
			out tcp 80 SA: drop`},
	{"a reset ends it after ten seconds", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 R: pass
			wait 12
			out tcp 80 A: drop`},
	{"but not if who got it goes on", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 R: pass
			out tcp 80 A: pass
			wait 12
			out tcp 80 A: pass`},
	{"whatever who sent it sends", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 R: pass
			in tcp 80 A: pass
			wait 12
			out tcp 80 A: drop`},
	{"a connection that nobody saw begin is judged packet by packet [F16]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 A: pass
			in tcp 80 SA: pass
			in tcp 80 FA: pass
			flows 0
			out tcp 80 A: drop
			in tcp 81 A: drop
			in tcp 80 S: pass
			flows 1`},
	{"so is one that was idle for too long [F16]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			wait 432002
			in tcp 80 A: pass
			flows 0
			out tcp 80 A: drop`},
	{"one that was open before is adopted for a while [F17]", `
			adopt 60
			rules in tcp 80-82 from 10.1.0.0/16
			in tcp 80 A: pass
			out tcp 80 A: pass
			wait 59
			in tcp 81 A: pass
			flows 2
			wait 3
			in tcp 82 A: pass
			flows 2
			out tcp 80 A: pass
			out tcp 81 A: pass
			out tcp 82 A: drop`},
	{"but not once the interface has lost a rule [F17]", `
			adopt 60
			rules in tcp 80-81 from 10.1.0.0/16; out all to 10.0.0.0/8
			rules in tcp 80 from 10.1.0.0/16; out all to 10.0.0.0/8
			in tcp 81 A: drop
			out tcp 81 A: pass
			flows 0
			in tcp 81 A: drop`},
	{"a connection that was cut does not begin anew in its middle [F16]", `
			rules in tcp 80-81 from 10.1.0.0/16; out all to 10.0.0.0/8
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			rules in tcp 81 from 10.1.0.0/16; out all to 10.0.0.0/8
			in tcp 80 A: pass  # as a reset
			wait 12
			out tcp 80 A: pass
			flows 0
			in tcp 80 A: drop`},
	{"a reset with a wrong number changes nothing [F41]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 A: pass
			in tcp 80 R seq 1: pass
			in tcp 80 R seq -200: pass
			in tcp 80 R seq 5000: pass
			in tcp 80 RA seq 2000000000: pass
			out tcp 80 R seq 1: pass
			wait 431000
			out tcp 80 A: pass
			flows 1`},
	{"a SYN on a live connection is judged, and changes nothing [F43] [F44]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 S seq 5000: drop
			in tcp 80 S seq 70000: pass
			out tcp 80 A: pass
			wait 431000
			in tcp 80 A: pass
			out tcp 80 A: pass
			flows 1`},
	{"nor does a reset and a SYN after it", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 R seq 3000: pass
			in tcp 80 S seq 3000: pass
			wait 100
			out tcp 80 A: pass
			in tcp 80 A: pass
			flows 1`},
	{"a live connection begins again when both peers have forgotten it", `
			rules in tcp 80 from 10.1.0.0/16; in tcp 80 from 2001:db8:1::/64
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 A: pass
			wait 431000
			out tcp 80 A: pass
			in tcp 80 R: pass
			wait 12
			out tcp 80 A: drop`},
	{"an answer to nobody's SYN does not begin it again", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 S seq 1000: pass
			out tcp 80 SA seq 90000: pass
			wait 431000
			out tcp 80 R seq 90000: pass
			wait 12
			in tcp 80 A: pass
			out tcp 80 A: pass`},
	{"a SYN with the ports of a connection that was reset is judged, and refused changes nothing", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 RA: pass
			out tcp 80 S: drop
			flows 1
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			wait 431000
			out tcp 80 A: pass
			flows 1`},
	{"a connection that is refused is over", `
			rules in tcp 80-81 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 RA seq 77: pass
			wait 12
			out tcp 80 A: drop
			in tcp 81 S: pass
			out tcp 81 RA seq 77: pass
			in tcp 81 S: pass
			out tcp 81 SA: pass
			flows 1`},
	{"a FIN out of the window does not close [F42]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 FA seq 100000: pass
			out tcp 80 FA: pass
			wait 62
			in tcp 80 A: pass
			out tcp 80 S: drop
			flows 1`},
	{"what is out of the window does not move it [F37]", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 A seq 1000000: pass
			in tcp 80 A seq -1000000: pass
			in tcp 80 R seq 1000: pass
			wait 12
			out tcp 80 A: pass
			in tcp 80 A: pass
			in tcp 80 R: pass
			wait 12
			out tcp 80 A: drop`},
	{"a reset with a wrong number does not complete a handshake", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 RA seq 5000: pass
			wait 62
			out tcp 80 A: drop`},
	{"a FIN without an acknowledgement does not close", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 F: pass
			out tcp 80 FA: pass
			wait 62
			out tcp 80 A: pass`},
	{"an answer that does not acknowledge the SYN begins nothing", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 A seq 0 ack -10: pass
			in tcp 80 A seq 0: pass
			wait 62
			out tcp 80 A: drop`},
	{"a SYN on a live connection does not make room for a reset", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 S seq 5000: pass
			in tcp 80 R seq 3000: pass
			wait 12
			out tcp 80 A: pass`},
	{"a reset of who does not know the connection frees its ports", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 A: pass
			in tcp 80 S: pass
			out tcp 80 RA seq 77: pass
			wait 12
			out tcp 80 A: drop`},
	{"a reset may have the number of the FIN before it", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 R seq -1: pass
			in tcp 80 FA: pass
			out tcp 80 A: pass
			wait 12
			out tcp 80 A: pass
			in tcp 80 R seq -1: pass
			wait 12
			out tcp 80 A: drop`},
	{"a FIN with an acknowledgement long past does not close", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			in tcp 80 FA seq 0 ack -70000: pass
			out tcp 80 FA: pass
			wait 62
			out tcp 80 A: pass`},
	{"a FIN counts that comes with what was sent before", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 FA seq -32: pass
			out tcp 80 FA: pass
			wait 62
			out tcp 80 A: drop`},
	{"a FIN far behind does not close before the window is known", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			out tcp 80 FA seq -1500000000: pass
			in tcp 80 A: pass
			in tcp 80 FA: pass
			wait 62
			in tcp 80 A: pass
			out tcp 80 A: pass`},
	{"the window is as large as the SYNs say", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 FA seq 32000: pass
			out tcp 80 FA: pass
			wait 62
			out tcp 80 A: drop`},
	{"and no larger", `
			rules in tcp 80 from 10.1.0.0/16
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 80 FA seq 33000: pass
			out tcp 80 FA: pass
			wait 62
			out tcp 80 A: pass`},
	{"UDP: 30 seconds, as a stream 180 [F14]", `
			rules in udp 53 from 10.1.0.0/16
			out udp 53: drop
			in udp 53: pass
			out udp 53: pass
			wait 29
			out udp 53: pass
			wait 32
			out udp 53: drop
			in udp 53: pass
			out udp 53: pass
			in udp 53: pass
			out udp 53: pass
			wait 170
			out udp 53: pass
			wait 182
			out udp 53: drop`},
	{"UDP: a stream has more than one packet of each", `
			rules in udp 53 from 10.1.0.0/16
			in udp 53: pass
			out udp 53: pass
			in udp 53: pass
			wait 32
			out udp 53: drop`},
	{"expired flows are removed", `
			rules in udp 53 from 10.1.0.0/16; in tcp 80 from 10.1.0.0/16
			in udp 53: pass
			in tcp 80 S: pass
			flows 2
			wait 40
			collect
			flows 1
			wait 40
			collect
			flows 0`},
	{"echo: a reply only to a request", `
			rules out icmp to 10.1.0.0/16
			in pong 7: drop
			out ping 7: pass
			in pong 7: pass
			in pong 8: drop
			in ping 7: drop
			wait 32
			in pong 7: drop`},
	{"echo: a reply that is allowed but was not asked for begins nothing", `
			rules in icmp from 10.1.0.0/16
			in pong 7: pass
			flows 0
			out ping 7: drop`},
	{"echo of IPv6", `
			six
			rules out icmpv6 to ::/0
			in pong 7: drop
			out ping 7: pass
			in pong 7: pass
			in ping 7: drop`},
	{"a protocol without ports", `
			rules in all from 10.1.0.0/16
			out gre 0: drop
			in gre 0: pass
			out gre 0: pass
			wait 599
			out gre 0: pass
			wait 602
			out gre 0: drop`},
	{"an ICMP error about a live flow passes, about another not [F18]", `
			rules in tcp 80 from 10.1.0.0/16; in udp 53 from 10.1.0.0/16
			in error tcp 80 SA: drop
			in tcp 80 S: pass
			in error tcp 80 SA: pass
			in error tcp 81 SA: drop
			out error tcp 80 S: pass
			out error udp 53: drop
			in udp 53: pass
			out error udp 53: pass`},
	{"the same of IPv6 [F18]", `
			six
			rules in tcp 80 from ::/0
			in error tcp 80 SA: drop
			in tcp 80 S: pass
			in error tcp 80 SA: pass
			in error tcp 81 SA: drop`},
	{"fragments follow their first [F45]", `
			rules in udp 53 from 10.1.0.0/16
			in udp 53 at 64: drop
			in udp 53 first: pass
			in udp 53 at 64: pass
			in udp 53 at 56: drop
			in udp 53 at 64 id 78: drop
			out udp 53 at 64: drop
			in udp 54 first id 79: drop
			in udp 54 at 64 id 79: drop
			wait 40
			in udp 53 at 64: drop`},
	{"fragments of IPv6", `
			six
			rules in udp 53 from ::/0
			in udp 53 at 64: drop
			in udp 53 first: pass
			in udp 53 at 64: pass
			in udp 53 at 56: drop`},
	{"cut: a flow without a rule ends, one with another rule lives [F10]", `
			rules in udp 53-54 from 10.1.0.0/16
			in udp 53: pass
			in udp 54: pass
			rules in udp 54 from 10.1.0.9/32
			out udp 53: drop
			in udp 53: drop
			out udp 54: pass
			flows 1`},
	{"aws: a tracked flow lives on [F11]", `
			rules in tcp 80 from 10.1.0.0/16; mode aws
			in tcp 80 S: pass
			out tcp 80 SA: pass
			rules in tcp 81 from 10.1.0.0/16; mode aws
			in tcp 80 A: pass
			out tcp 80 A: pass
			in tcp 81 S: pass`},
	{"aws: an untracked one ends [F11]", `
			rules in tcp 80 from 0.0.0.0/0; out all to 0.0.0.0/0; mode aws
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			flows 0
			rules in tcp 81 from 0.0.0.0/0; out all to 0.0.0.0/0; mode aws
			in tcp 80 A: drop`},
	{"aws: an untracked one ends, whoever goes on sending", `
			rules in tcp 80 from 0.0.0.0/0; out all to 0.0.0.0/0; mode aws
			in tcp 80 S: pass
			out tcp 80 SA: pass
			in tcp 80 A: pass
			rules in tcp 81 from 0.0.0.0/0; out all to 0.0.0.0/0; mode aws
			out tcp 80 A: pass
			flows 0
			in tcp 80 A: drop`},
	{"aws: also while connections are adopted", `
			adopt 60
			rules in tcp 80 from 0.0.0.0/0; out all to 0.0.0.0/0; mode aws
			in tcp 80 A: pass
			flows 0
			rules in tcp 81 from 0.0.0.0/0; out all to 0.0.0.0/0; mode aws
			out tcp 80 A: pass
			flows 0
			in tcp 80 A: drop`},
	{"aws: with a narrower way back it is tracked", `
			rules in tcp 80 from 0.0.0.0/0; out all to 10.0.0.0/8; mode aws
			in tcp 80 S: pass
			flows 1
			rules in tcp 81 from 0.0.0.0/0; out all to 10.0.0.0/8; mode aws
			in tcp 80 A: pass`},
	{"drain: it lives for a while [F12]", `
			rules in udp 53 from 10.1.0.0/16; mode drain 20
			in udp 53: pass
			rules in udp 54 from 10.1.0.0/16; mode drain 20
			wait 10
			in udp 53: pass
			wait 12
			in udp 53: drop`},
	{"drain: an idle one ends too, and no other [F12]", `
			rules in udp 53-54 from 10.1.0.0/16; mode drain 20
			in udp 53: pass
			in udp 54: pass
			rules in udp 54 from 10.1.0.0/16; mode drain 20
			flows 2
			wait 22
			soon flows 1
			out udp 54: pass`},
	{"a wider ruleset changes nothing for flows", `
			rules in udp 53 from 10.1.0.0/16
			in udp 53: pass
			rules in udp 53 from 10.1.0.0/16; in udp 54 from 10.1.0.0/16
			out udp 53: pass
			flows 1`},
}

func TestSequences(t *testing.T) {
	for _, row := range sequences {
		t.Run(row.name, func(t *testing.T) {
			clause.Holds(t, clause.In(row.name)...)
			b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
			b.play(row.script)
		})
	}
}

// The allowance of an interface: who is in stays in, nobody new comes in.
func TestAllowance(t *testing.T) {
	clause.Holds(t, "F58")
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024, FlowLimit: 10, HalfLimit: 4})
	b.play(`
		rules in udp 1-1000 from 10.1.0.0/16; in tcp 1-1000 from 10.1.0.0/16
		in tcp 1 S: pass
		in tcp 2 S: pass
		in tcp 3 S: pass
		in tcp 4 S: pass
		in tcp 5 S: drop
		out tcp 1 SA: pass
		in tcp 1 A: pass
		in tcp 5 S: pass
		in udp 1: pass
		in udp 2: pass
		in udp 3: pass
		in udp 4: pass
		in udp 5: pass
		in udp 6: drop
		in udp 1: pass
		in tcp 1 A: pass
		out udp 2: pass
		flows 10
		wait 40
		collect
		in udp 6: pass`)
}

// One interface that opens as many flows as it can leaves others room to open
// theirs, and keeps its own.
func TestFloodLeavesRoom(t *testing.T) {
	clause.Holds(t, "F58", "F60")
	const size = 4096
	b := newBench(t, Options{Flows4: size, Flows6: size})
	rs := rules(t, "in udp 1-60000 from 10.1.0.0/16", "in udp 1-60000 from 2001:db8:1::/64")
	other := rs.Interfaces[0]
	other.ID = "eni-1123456789abcdef0"
	rs.Interfaces = append(rs.Interfaces, other)
	apply(t, b.p, rs)
	opens := func(id vpc.InterfaceID, n int, six bool) (opened int) {
		b.on(id, 0)
		for i := range n {
			if b.run(false, b.packet(fmt.Sprintf("in udp %d", i+1), six)) {
				opened++
			}
		}
		return opened
	}
	for _, six := range []bool{false, true} {
		if got, want := opens(eni, size+1000, six), size*3/4+assured; got != want {
			t.Errorf("IPv6 %v: a flood opens %d flows of %d, want %d", six, got, size, want)
		}
		if got := opens(other.ID, assured+10, six); got != assured {
			t.Errorf("IPv6 %v: another opens %d flows, want %d", six, got, assured)
		}
		if got := opens(eni, 1000, six); got != 1000 {
			t.Errorf("IPv6 %v: of the flood's first 1000 flows %d pass", six, got)
		}
		if n := b.p.share.Used[map[bool]int{true: 1}[six]]; n != size*3/4 {
			t.Errorf("IPv6 %v: %d of the common part are used", six, n)
		}
	}
	// What expires is given back.
	b.p.control.NowOffset += 100
	if err := b.p.expire(); err != nil {
		t.Fatal(err)
	}
	if got := opens(other.ID, 1000, false); got != 1000 || b.p.share.Used != [2]int64{1000 - assured, 0} {
		t.Errorf("after the flood another opens %d flows; used %v", got, b.p.share.Used)
	}
}

// A connection that was cut is not reset any more once its device observes.
func TestCutThenObserve(t *testing.T) {
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	b.play(`
		rules in tcp 80 from 10.1.0.0/16
		in tcp 80 S: pass
		out tcp 80 SA: pass
		in tcp 80 A: pass
		rules in tcp 81 from 10.1.0.0/16`)
	same := func() bool {
		t.Helper()
		in := b.packet("in tcp 80 A", false)
		r := ebpf.RunOptions{Data: in, DataOut: make([]byte, len(in))}
		if _, err := b.g.to.Run(&r); err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(in, r.DataOut)
	}
	if same() {
		t.Error("its device enforces, and a packet of it is no reset")
	}
	b.on(eni, deviceObserve)
	if !same() {
		t.Error("its device observes, and a packet of it became a reset")
	}
	b.on(eni, 0)
	if same() {
		t.Error("its device enforces again, and a packet of it is no reset")
	}
}

// Observing, everything passes and is counted.
func TestObserve(t *testing.T) {
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	apply(t, b.p, rules(t, "in tcp 80 from 10.1.0.0/16"))
	b.on(eni, deviceObserve)
	if !b.run(false, b.packet("in tcp 81 S", false)) || !b.run(false, b.packet("in tcp 80 S", false)) {
		t.Error("a packet does not pass")
	}
	var each []bpfEniCount
	if err := b.p.maps.EniCounts.Lookup(b.p.numbers[eni], &each); err != nil {
		t.Fatal(err)
	}
	var would, rule uint64
	for _, c := range each {
		would += c.WouldDrop
		rule += c.Drops[1]
	}
	if would != 1 || rule != 1 {
		t.Errorf("would have dropped %d, for want of a rule %d; want 1 and 1", would, rule)
	}
}

// No packet that is bent out of shape is let through, and none that begins as
// an allowed one does may say otherwise later: the rules allow only what is
// said of the whole.
func TestHostilePackets(t *testing.T) {
	b := newBench(t, Options{Flows4: 65536, Flows6: 65536})
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	apply(t, b.p, rules(t, "in tcp 80 from 10.1.0.0/16", "in udp 53 from 2001:db8:1::/64"))
	b.on(eni, 0)
	local4, remote4 := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.1.0.9")
	local6, remote6 := netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("2001:db8:1::9")
	good4 := pkt{src: remote4, dst: local4, proto: 6, sport: 5000, dport: 80, flags: 4}
	good6 := pkt{src: remote6, dst: local6, proto: 17, sport: 5000, dport: 53, payload: []byte("payload.")}

	// Whatever is cut off of an allowed packet, it does not pass.
	for _, k := range []pkt{good4, good6, {src: good6.src, dst: good6.dst, proto: 17, sport: 5000, dport: 53, chain: []byte{0, 60, 60, 43, 44}}} {
		whole := k.bytes()
		if !b.run(false, whole) {
			t.Fatalf("%+v does not pass whole", k)
		}
		for n := 15; n < len(whole); n++ {
			if b.run(false, whole[:n:n]) {
				t.Errorf("%+v passes cut to %d bytes of %d", k, n, len(whole))
			}
		}
	}
	// Chains of extension headers: those that are followed lead to the same
	// verdict; a longer one is dropped.
	for range 5000 {
		k := good6
		for range r.IntN(12) {
			k.chain = append(k.chain, []byte{0, 43, 60}[r.IntN(3)])
		}
		denied := k
		denied.dport = 54
		if got, want := b.run(false, k.bytes()), len(k.chain) <= 8; got != want {
			t.Errorf("chain %v passes: %v", k.chain, got)
		}
		if b.run(false, denied.bytes()) {
			t.Errorf("chain %v to another port passes", k.chain)
		}
	}
	route := good6
	route.chain = []byte{43}
	source := route.bytes()
	source[14+40+3] = 1
	if b.run(false, source) {
		t.Error("a source route passes")
	}
	// Bytes changed at random: what passes is what a reader of packets in Go
	// finds allowed.
	for n := range 200_000 {
		k := []pkt{good4, good6}[n%2]
		if r.IntN(3) == 0 {
			k.options, k.chain = r.IntN(11), []byte{[]byte{0, 43, 44, 60}[r.IntN(4)]}
		}
		p := k.bytes()
		for range 1 + r.IntN(4) {
			p[12+r.IntN(len(p)-12)] = byte(r.Uint32())
		}
		if r.IntN(10) == 0 {
			p = p[:15+r.IntN(len(p)-15)]
		}
		if b.run(false, p) && !mayPass(p) {
			t.Fatalf("%x passes", p)
		}
		if n%10_000 == 0 {
			if err := b.p.dropFlows(b.p.numbers[eni]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 100_000 {
		p := make([]byte, 15+r.IntN(200))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		copy(p, []string{eth4, eth6}[r.IntN(2)])
		if b.run(false, p) && !mayPass(p) {
			t.Fatalf("%x passes", p)
		}
	}
}

// mayPass reads a packet carelessly: it finds every place where what the rules
// of TestHostilePackets allow could be said, and what is never filtered.
func mayPass(p []byte) bool {
	be := binary.BigEndian
	switch be.Uint16(p[12:]) {
	case 0x0806:
		return true
	case 0x0800:
		if len(p) < 34 || netip.AddrFrom4([4]byte(p[30:34])) != netip.MustParseAddr("10.0.0.5") && netip.AddrFrom4([4]byte(p[30:34])) != netip.MustParseAddr("255.255.255.255") {
			return false
		}
		l4 := 14 + int(p[14]&15)*4
		if p[14]>>4 != 4 || len(p) < l4+8 {
			return false
		}
		if p[26] == 10 && p[27] == 1 && p[23] == 6 && be.Uint16(p[20:])&0x1fff != 0 {
			return true // a later fragment, whose first one passed
		}
		dhcp := p[23] == 17 && be.Uint32(p[l4:]) == 67<<16|68
		return dhcp || p[26] == 10 && p[27] == 1 && p[23] == 6 && be.Uint16(p[l4+2:]) == 80 && len(p) >= l4+20 && be.Uint16(p[20:])&0x1fff == 0
	case 0x86dd:
		if len(p) < 54 {
			return false
		}
		src, dst := netip.AddrFrom16([16]byte(p[22:38])), netip.AddrFrom16([16]byte(p[38:54]))
		allowed := netip.MustParsePrefix("2001:db8:1::/64").Contains(src) && dst == netip.MustParseAddr("2001:db8::5")
		// A later fragment, whose first one passed.
		if allowed && p[20] == 44 && len(p) >= 62 && be.Uint16(p[56:])&0xfff8 != 0 {
			return true
		}
		// The ports, after a header or none; neighbour discovery; DHCPv6.
		for l4 := 54; l4+4 <= len(p) && l4 < 54+300; l4++ {
			if allowed && be.Uint16(p[l4+2:]) == 53 || p[l4] >= 133 && p[l4] <= 136 && p[21] == 255 || be.Uint32(p[l4:]) == 547<<16|546 {
				return true
			}
		}
	}
	return false
}

// A revoke that covers 10 of 100,000 idle flows removes those and no other,
// whether the kernel looks for them or reads all out.
func TestSweep(t *testing.T) {
	clause.Holds(t, "F10")
	for _, row := range []struct {
		name    string
		batches bool
	}{{"by an iterator", false}, {"by reading all", true}} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, Options{FlowLimit: 200_000, ForceBatches: row.batches})
			t.Logf("cut after %v", b.sweep())
		})
	}
}

// How long after the call that revokes a rule the 10 idle flows of 100,000 are
// gone that only that rule allowed:
//
//	go test ./dataplane/ebpf -run XXX -bench Sweep -benchtime 20x
func BenchmarkSweep(b *testing.B) {
	for _, row := range []struct {
		name    string
		batches bool
	}{{"by an iterator", false}, {"by reading all", true}} {
		b.Run(row.name, func(b *testing.B) {
			x := newBench(b, Options{FlowLimit: 200_000, ForceBatches: row.batches})
			var took []time.Duration
			for b.Loop() {
				took = append(took, x.sweep())
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/worst")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// sweep opens 100,000 flows, revokes the rule of ten, and gives the time until
// those are gone. All others must be there.
func (b *bench) sweep() time.Duration {
	const idle, revoked = 100_000, 10
	t := b.t
	wide := rules(t, "in udp 53 from 10.2.0.0/16", "in udp 1-60000 from 10.1.0.0/16")
	apply(t, b.p, wide)
	n := b.p.numbers[eni]
	if err := b.p.some(tendDrop, search{what: walkOf, enis: []uint32{n}}, nil); err != nil {
		t.Fatal(err)
	}
	r := b.p.rulesOf(n)
	key := func(i int) bpfFlow4Key {
		remote := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		port := uint16(1000 + i>>16)
		if i >= idle-revoked {
			remote, port = netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 53
		}
		return bpfFlow4Key{Eni: n, LocalBe: memberKey4(0, netip.MustParseAddr("10.0.0.5")).AddrBe,
			RemoteBe: memberKey4(0, remote).AddrBe, LportBe: port<<8 | port>>8, RportBe: 5000, Proto: 17}
	}
	for i := range idle {
		id := wide.Policies[1].Rules[0].ID
		if i >= idle-revoked {
			id = wide.Policies[1].Rules[1].ID
		}
		v := bpfFlowValue{Seen: b.p.now(), Gen: r.Gen[dirIn], Bits: 64, Rule: b.p.counters.places[ruleKey{id: id}]}
		if err := b.p.maps.Flows4.Put(key(i), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.p.maps.EniStates.Put(n, bpfEniState{Flows: [2]int64{idle}}); err != nil {
		t.Fatal(err)
	}
	less := rules(t, "mode cut", "in udp 1-60000 from 10.1.0.0/16")
	start := time.Now()
	apply(t, b.p, less)
	var s bpfEniState
	for s.all() != idle-revoked && time.Since(start) < 10*time.Second {
		if err := b.p.maps.EniStates.Lookup(n, &s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	took := time.Since(start)
	for i := range idle {
		var v bpfFlowValue
		found := b.p.maps.Flows4.Lookup(key(i), &v) == nil
		if found != (i < idle-revoked) {
			t.Fatalf("flow %d is there: %v", i, found)
		}
	}
	return took
}
