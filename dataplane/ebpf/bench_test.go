package ebpf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// What a packet costs in the kernel, of which "harness" is the test run's own:
//
//	go test ./dataplane/ebpf -run XXX -bench Kernel
//
// Admission is by a program that gives each packet a source port of its own, so
// that each begins a flow, of 1,000 or 60,000; the first of its remote is by one that
// remembers no verdict. Replacement is by one to which every flow is expired, so that
// it removes one and adds one at each packet. Policy is a packet that begins no flow,
// and no verdict is remembered.
func BenchmarkKernel(b *testing.B) {
	remote := netip.MustParseAddr("10.9.4.7")
	thousand := func(family string) *ruleset.Ruleset {
		rs := rules(b, "in tcp 443 from 203.0.113.0/24")
		p := &rs.Policies[1]
		p.Rules = nil
		for i := range 1000 {
			pre := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 7), byte(i << 1), 0}), 24)
			if family == "6" {
				pre = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i)}), 48)
			}
			p.Rules = append(p.Rules, ruleset.Rule{Protocol: flow.UDP, Ports: flow.PortRange{From: 80, To: int32(80 + i)}, ID: vpc.RuleID(fmt.Sprintf("sgr-%017x", i)), Remote: ruleset.Remote{Prefix: pre}})
		}
		slices.SortFunc(p.Rules, ruleset.Compare)
		return rs
	}
	groups := func(n int) *ruleset.Ruleset {
		rs := rules(b, "in tcp 443 from 203.0.113.0/24")
		p := &rs.Policies[1]
		p.Rules = nil
		m := ruleset.Member{VPC: "vpc-1", Addr: remote}
		for i := range 1000 {
			id := vpc.GroupID(fmt.Sprintf("sg-%017x", i))
			proto := flow.TCP
			if i%60 == 0 && len(m.Groups) < n {
				if m.Groups = append(m.Groups, id); len(m.Groups) < n {
					proto = flow.ICMP // only the last one matches
				}
			}
			p.Rules = append(p.Rules, ruleset.Rule{Protocol: proto, Ports: flow.PortRange{From: 80, To: 80}, ID: vpc.RuleID(fmt.Sprintf("sgr-%017x", i)), Remote: ruleset.Remote{Group: id}})
		}
		slices.SortFunc(p.Rules, ruleset.Compare)
		rs.Members = ruleset.NewMembers(m)
		return rs
	}
	four := pkt{src: netip.MustParseAddr("10.4.6.7"), dst: netip.MustParseAddr("10.0.0.5"), proto: 17, sport: 1234, dport: 80, payload: make([]byte, 64)}
	six := four
	six.src, six.dst = netip.MustParseAddr("2001:db8:123::7"), netip.MustParseAddr("2001:db8::5")
	member := four
	member.src = remote
	// The policy alone: a reset begins no flow, a reply of nothing neither.
	rst := func(k pkt) pkt { k.proto, k.flags, k.payload = 6, 4, nil; return k }
	tcp := func(rs *ruleset.Ruleset) *ruleset.Ruleset {
		p := &rs.Policies[1]
		for i := range p.Rules {
			p.Rules[i].Protocol = map[flow.Protocol]flow.Protocol{flow.UDP: flow.TCP, flow.TCP: flow.UDP}[p.Rules[i].Protocol]
		}
		slices.SortFunc(p.Rules, ruleset.Compare)
		return rs
	}
	const ordinary, fresh, first, expired, asked = "", "fresh", "first", "expired", "asked"
	forgets := [2]string{"v->epoch == c->epoch &&", "0 &&"}
	for _, row := range []struct {
		name   string
		rs     *ruleset.Ruleset
		packet pkt
		passes bool
		kind   string
		table  int
	}{
		{"tracked/IPv4", thousand("4"), four, true, ordinary, 1024},
		{"tracked/IPv6", thousand("6"), six, true, ordinary, 1024},
		{"admission/1000 rules IPv4", thousand("4"), four, true, fresh, 2000},
		{"admission/1000 rules IPv6", thousand("6"), six, true, fresh, 2000},
		{"admission/1000 rules, the first of its remote IPv4", thousand("4"), four, true, first, 2000},
		{"admission/1000 rules, the first of its remote IPv6", thousand("6"), six, true, first, 2000},
		{"admission/60000th flow, the first of its remote IPv4", thousand("4"), four, true, first, 61000},
		{"admission/60000th flow, the first of its remote IPv6", thousand("6"), six, true, first, 61000},
		{"admission/60000th flow IPv4", thousand("4"), four, true, fresh, 61000},
		{"admission/60000th flow IPv6", thousand("6"), six, true, fresh, 61000},
		{"replacement/1000 rules IPv4", thousand("4"), four, true, expired, 1024},
		{"replacement/1000 rules IPv6", thousand("6"), six, true, expired, 1024},
		{"policy/1000 rules IPv4", tcp(thousand("4")), rst(four), true, asked, 1024},
		{"policy/1000 rules IPv6", tcp(thousand("6")), rst(six), true, asked, 1024},
		{"policy/1000 references, remote in 2", groups(2), rst(member), true, asked, 1024},
		{"policy/1000 references, remote in 16", groups(16), rst(member), true, asked, 1024},
		{"policy/denied", thousand("4"), rst(four), false, asked, 1024},
	} {
		b.Run(row.name, func(b *testing.B) {
			x := newBench(b, Options{Flows4: 2 * row.table, Flows6: 2 * row.table})
			repeat := 200_000
			switch row.kind {
			case expired:
				const test = "return idle > 0 && (__u32)idle > patience(r, proto, six, f->bits);"
				x.p.spec = mutate(b, compiler(b), x.p, "moat.bpf.c", test, "return 1;")
			case asked:
				x.p.spec = mutate(b, compiler(b), x.p, "moat.bpf.c", forgets[0], forgets[1])
			case fresh, first:
				repeat = row.table - 1000
				const test = "	why = quick(skb, &c, r, l3, type, dir);\n"
				changes := [][2]string{{test, `
	static volatile __u16 port;
	if (data + 60 <= end)
		*(__u16 *)(data + (type == ETHERTYPE_IPV6 ? 54 : 34)) = port++;
` + test}}
				if row.kind == first {
					changes = append(changes, forgets)
				}
				x.p.spec = mutate2(b, compiler(b), x.p, "moat.bpf.c", changes)
			}
			if row.kind != ordinary {
				clear(x.p.programs)
				x.load()
			}
			apply(b, x.p, row.rs)
			x.on(eni, 0)
			if x.run(false, row.packet.bytes()) != row.passes {
				b.Fatalf("passes: %v", !row.passes)
			}
			best := time.Hour
			rounds := 21
			if repeat < 10_000 {
				rounds = 100
			}
			for range rounds {
				_, d, err := x.g.to.Benchmark(row.packet.bytes(), repeat, nil)
				if err != nil {
					b.Fatal(err)
				}
				best = min(best, d)
				if row.kind == fresh || row.kind == first {
					var s bpfEniState
					if err := x.p.maps.EniStates.Lookup(x.p.numbers[eni], &s); err != nil || s.all() < int64(repeat) {
						b.Fatalf("%d flows are begun (%v)", s.all(), err)
					}
					if err := x.p.dropFlows(x.p.numbers[eni]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(best.Nanoseconds()), "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("harness", func(b *testing.B) {
		newBench(b, Options{Flows4: 1024, Flows6: 1024})
		best := time.Hour
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: empty()})
		if err != nil {
			b.Fatal(err)
		}
		defer prog.Close()
		for range 7 {
			_, d, err := prog.Benchmark(four.bytes(), 200_000, nil)
			if err != nil {
				b.Fatal(err)
			}
			best = min(best, d)
		}
		b.ReportMetric(float64(best.Nanoseconds()), "ns/packet")
		b.ReportMetric(0, "ns/op")
	})
}

// What each feature costs a tracked packet, and the admission of a flow: the
// programs without it beside the programs as they are, in turns.
//
//	go test ./dataplane/ebpf -run XXX -bench Features -benchtime 1x
func BenchmarkFeatures(b *testing.B) {
	clang := compiler(b)
	rs := rules(b, "in udp 80 from 10.4.0.0/16")
	packet := (&pkt{src: netip.MustParseAddr("10.4.6.7"), dst: netip.MustParseAddr("10.0.0.5"), proto: 17, sport: 1234, dport: 80, payload: make([]byte, 64)}).bytes()
	type variant struct {
		what, old, new string
		programs       [2]*programs // for a tracked packet, and one that begins a flow
		plane          *Plane
		best           [2]time.Duration
	}
	const decide, begin = "	why = quick(skb, &c, r, l3, type, dir);\n", `
	static volatile __u16 port;
	if (data + 60 <= end)
		*(__u16 *)(data + 34) = port++;
`
	variants := []*variant{
		{what: "everything", old: decide, new: decide},
		{what: "everything once more", old: decide, new: decide},
		{what: "the counters of rules", old: "	struct rule_stat *s = bpf_map_lookup_elem(&rule_stats, &rule);\n", new: "	struct rule_stat *s = 0;\n"},
		{what: "the clock", old: "bpf_jiffies64()", new: "(1ull << 33)"},
		{what: "generations and expiry", old: "current(r, f, c->now) && !expired(r, proto, six, f, c->now) &&", new: ""},
		{what: "source/dest check", old: "if (r->flags & RULES_CHECK &&\n	    !(who", new: "if (0 &&\n	    !(who"},
		{what: "allowances", old: "if (!take(state, six))", new: "if (0)"},
		{what: "remembered verdicts", old: "v->epoch == c->epoch &&", new: "0 &&"},
		{what: "the policy", old: "	by = permitted(c, r, who, p->x, dir == DIR_OUT, six);", new: "	by = 1;"},
		{what: "the entry in the table", old: "bpf_map_update_elem(flows, key, &v, BPF_NOEXIST)", new: "0"}, // so that no packet is tracked
		{what: "the quick way", old: decide, new: "	why = LOOK;\n"},
	}
	for _, v := range variants {
		x := newBench(b, Options{Flows4: 2048, Flows6: 16})
		v.plane = x.p
		apply(b, x.p, rs)
		for i := range v.programs {
			new := v.new
			x.p.spec = mutate(b, clang, x.p, "moat.bpf.c", v.old, new)
			if i == 1 {
				at := decide
				if v.old == decide {
					at = v.new
				}
				x.p.spec = mutate2(b, clang, x.p, "moat.bpf.c", [][2]string{{v.old, new}, {at, begin + at}})
			}
			x.p.programs = map[uint32]*programs{}
			x.load()
			x.on(eni, 0)
			v.programs[i] = x.g
			v.best[i] = time.Hour
		}
	}
	for range 40 {
		for _, v := range variants {
			for i, repeat := range []int{100_000, 1000} {
				ret, d, err := v.programs[i].to.Benchmark(packet, repeat, nil)
				if err != nil || int32(ret) != -1 {
					b.Fatal(v.what, int32(ret), err)
				}
				v.best[i] = min(v.best[i], d)
				if i == 1 {
					if err := v.plane.dropAll(); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	for _, v := range variants {
		b.Run("without "+v.what, func(b *testing.B) {
			b.ReportMetric(float64(variants[0].best[0]-v.best[0]), "ns-less/tracked")
			b.ReportMetric(float64(variants[0].best[1]-v.best[1]), "ns-less/admission")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// dropAll removes all flows, whatever was counted.
func (p *Plane) dropAll() error {
	n := p.numbers[eni]
	if err := p.some(tendDrop, search{what: walkOf, enis: []uint32{n}}, nil); err != nil {
		return err
	}
	*p.share = bpfShare{Limit: p.share.Limit}
	return p.maps.EniStates.Put(n, bpfEniState{})
}

// empty is a program that only passes.
func empty() asm.Instructions { return asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()} }

// What the verifier reports of each program: its instructions, how many of them
// the verifier looked at before it was sure (at most a million), and how long that
// took.
//
//	go test ./dataplane/ebpf -run XXX -bench Verify -benchtime 1x
func BenchmarkVerify(b *testing.B) {
	p := open(b, Options{Flows4: 1024, Flows6: 1024})
	for _, name := range slices.Sorted(maps.Keys(p.spec.Programs)) {
		b.Run(name, func(b *testing.B) {
			spec := p.spec.Copy()
			maps.DeleteFunc(spec.Programs, func(n string, _ *ebpf.ProgramSpec) bool { return n != name })
			c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
				Maps: ebpf.MapOptions{PinPath: p.dir}, Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats}})
			if err != nil && strings.HasPrefix(name, "walk") {
				b.Skip("the kernel has no iterators: ", err)
			}
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			var took float64
			for line := range strings.Lines(c.Programs[name].VerifierLog) {
				fmt.Sscanf(line, "verification time %f usec", &took)
			}
			info, err := c.Programs[name].Info()
			if err != nil {
				b.Fatal(err)
			}
			verified, _ := info.VerifiedInstructions()
			b.ReportMetric(float64(spec.Programs[name].Instructions.Size()/asm.InstructionSize), "instructions")
			b.ReportMetric(float64(verified), "verified")
			b.ReportMetric(took/1000, "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
