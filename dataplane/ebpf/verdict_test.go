package ebpf

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"moat/ruleset"
	"moat/vpc"
)

// What the programs remember of an allowed packet serves the like of it only, and
// no longer than the rules are in force.
func TestRememberedVerdicts(t *testing.T) {
	b := newBench(t, Options{Flows4: 4096, Flows6: 4096})
	if err := b.remembers(); err != nil {
		t.Error(err)
	}
}

func TestBrokenMemoryIsCaught(t *testing.T) {
	clang := compiler(t)
	for n, m := range verdictMutants {
		t.Run(m.what, func(t *testing.T) {
			if *packets < 1_000_000 && n > 0 {
				t.Skip("runs in the long form: -packets 1000000 and more")
			}
			b := newBench(t, Options{Flows4: 4096, Flows6: 4096})
			changes := [][2]string{{m.old, m.new}}
			if n > 0 { // one place for all, so that they meet
				changes = append(changes, [2]string{">> (64 - VERDICT_BITS)", ">> 63 >> 1"})
			}
			b.p.spec = mutate2(t, clang, b.p, m.file, changes)
			clear(b.p.programs)
			b.load()
			if err := b.remembers(); err == nil {
				t.Error("was not found")
			}
		})
	}
}

var verdictMutants = []mutant{
	{"a verdict outlives its rules", "moat.bpf.c", "v->epoch == c->epoch &&", ""},
	{"a verdict serves all ports", "moat.bpf.c", "v->x == x &&", ""},
	{"a verdict serves all interfaces, directions and families", "moat.bpf.c", "v->of == of &&", ""},
	{"a verdict serves all remotes of IPv4", "moat.bpf.c", "v->rlo == who->rlo &&", ""},
	{"a verdict serves all own addresses", "moat.bpf.c", "v->llo == who->llo &&", ""},
	{"a verdict serves all remotes of IPv6 with the same lower half", "moat.bpf.c", "v->rhi == who->rhi &&", ""},
}

// remembers asks for each packet several times, each time of a flow of its own, so
// that what it is told the second time may be from memory.
func (b *bench) remembers() error {
	const other = vpc.InterfaceID("eni-other")
	begin := func(rules *ruleset.Ruleset) *ruleset.Ruleset {
		x := rules.Interfaces[0]
		x.ID, x.In = other, x.Out // which allows nothing in
		rules.Interfaces = append(rules.Interfaces, x)
		return rules
	}
	port := uint16(1024)
	var failed error
	ask := func(want bool, who vpc.InterfaceID, out bool, what string) {
		b.t.Helper()
		var local, remote string
		var dport uint16
		fmt.Sscan(what, &local, &remote, &dport)
		k := pkt{src: netip.MustParseAddr(remote), dst: netip.MustParseAddr(local), proto: 17, dport: dport, payload: make([]byte, 8)}
		if out {
			k.src, k.dst = k.dst, k.src
		}
		b.on(who, 0)
		for range 3 {
			port++
			k.sport = port
			if got := b.run(out, k.bytes()); got != want && failed == nil {
				failed = fmt.Errorf("%s out %v %s passes: %v", who, out, what, got)
			}
		}
	}
	const four, six = "10.0.0.5 10.1.0.9 80", "2001:db8::5 2001:db8:1::9 80"
	rs := []string{"in udp 80 from 10.1.0.9/32", "in udp 80 from 2001:db8:1::9/128", "in udp 81 from sg-a"}
	full := begin(rules(b.t, rs...))
	full.Members = ruleset.NewMembers(ruleset.Member{VPC: "vpc-1", Addr: netip.MustParseAddr("10.1.0.9"), Groups: []vpc.GroupID{"sg-a"}})
	for range 2 {
		apply(b.t, b.p, full)
		for range 2 {
			ask(true, eni, false, four)
			ask(false, eni, true, four)
			ask(false, other, false, four)
			ask(false, eni, false, "10.0.0.5 10.1.0.8 80")
			ask(false, eni, false, "10.0.0.6 10.1.0.9 80")
			ask(false, eni, false, "10.0.0.5 10.1.0.9 82")
			ask(true, eni, false, "10.0.0.5 10.1.0.9 81")
			ask(true, eni, false, six)
			ask(false, eni, false, "2001:db8::5 2001:db8:2::9 80")
			ask(false, eni, false, "2001:db8:1::5 2001:db8:1::9 80")
			ask(false, eni, true, six)
			ask(false, eni, false, "::a00:5 ::a01:9 80")
			ask(true, eni, false, four)
			ask(false, eni, false, "::a00:5 ::a01:9 80")
		}
		// The member leaves, and nothing else.
		left := *full
		left.Members = ruleset.Members{}
		apply(b.t, b.p, &left)
		ask(true, eni, false, four)
		ask(false, eni, false, "10.0.0.5 10.1.0.9 81")
		apply(b.t, b.p, full)
		ask(true, eni, false, "10.0.0.5 10.1.0.9 81")
		// The address moves to another interface.
		moved := begin(rules(b.t, rs...))
		moved.Interfaces[0].Own = []netip.Prefix{netip.MustParsePrefix("10.0.0.6/32")}
		apply(b.t, b.p, moved)
		ask(false, eni, false, four)
		ask(true, eni, false, "10.0.0.6 10.1.0.9 80")
		// A rule goes, and comes back.
		apply(b.t, b.p, begin(rules(b.t, rs[1:]...)))
		ask(false, eni, false, four)
		ask(true, eni, false, six)
		apply(b.t, b.p, full)
		ask(true, eni, false, four)
		if err := b.p.Deny(context.Background(), eni); err != nil {
			b.t.Fatal(err)
		}
		ask(false, eni, false, four)
		apply(b.t, b.p, &ruleset.Ruleset{})
	}
	return failed
}
