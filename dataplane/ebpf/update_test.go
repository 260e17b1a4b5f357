package ebpf

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"moat/flow"
	"moat/ruleset"
	"moat/test/clause"
	"moat/vpc"
)

// inGroup makes a ruleset whose rule is for the members of one group, and whose
// member is in another.
func inGroup(t testing.TB, rule, of vpc.GroupID) *ruleset.Ruleset {
	rs := rules(t, "in tcp 80 from "+string(rule))
	rs.Members = ruleset.NewMembers(ruleset.Member{VPC: "vpc-1", Addr: netip.MustParseAddr("10.1.0.9"), Groups: []vpc.GroupID{of}})
	return rs
}

// Two rulesets that take turns without a pause, of which each denies a packet,
// and the rules of one with the members of the other would allow it: it never
// passes. Nor does one that both allow ever fail to.
func TestNeverAMixture(t *testing.T) {
	clause.Holds(t, "F51")
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	denied := [2]*ruleset.Ruleset{inGroup(t, "sg-a", "sg-b"), inGroup(t, "sg-b", "sg-a")}
	allowed := [2]*ruleset.Ruleset{inGroup(t, "sg-a", "sg-a"), inGroup(t, "sg-b", "sg-b")}
	packet := b.packet("in tcp 80 R", false) // which begins no flow
	for _, row := range []struct {
		sets [2]*ruleset.Ruleset
		pass bool
	}{{denied, false}, {allowed, true}} {
		apply(t, b.p, row.sets[0])
		b.on(eni, 0)
		var wrong, packets atomic.Int64
		stop, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
				ret, _, err := b.g.to.Benchmark(packet, 2000, nil)
				packets.Add(2000)
				if err != nil || (int32(ret) == -1) != row.pass {
					wrong.Add(1)
				}
			}
		}()
		// Benchmark tells of the last packet only; each is looked at here.
		applies := 0
		for start := time.Now(); time.Since(start) < 700*time.Millisecond; {
			applies++
			apply(t, b.p, row.sets[applies%2])
			for range 3 {
				if b.run(false, packet) != row.pass {
					wrong.Add(1)
				}
			}
		}
		close(stop)
		<-done
		if n := b.refused(); wrong.Load() > 0 || row.pass && n > 0 {
			t.Errorf("passes: %v: %d wrong, %d refused, of %d packets beside %d updates", !row.pass, wrong.Load(), n, packets.Load(), applies)
		}
		if !row.pass {
			if hits := b.hits(); hits > 0 {
				t.Errorf("%d packets passed by a rule, of %d beside %d updates", hits, packets.Load(), applies)
			}
		}
		if applies < 50 {
			t.Errorf("only %d updates: they prove little", applies)
		}
		t.Logf("%d packets, %d updates", packets.Load(), applies)
		b.reset()
	}
}

// refused, hits and reset are of all counters.
func (b *bench) refused() (n uint64) {
	var each []bpfEniCount
	if err := b.p.maps.EniCounts.Lookup(b.p.numbers[eni], &each); err != nil {
		b.t.Fatal(err)
	}
	for _, c := range each {
		for _, d := range c.Drops {
			n += d
		}
	}
	return n
}

func (b *bench) hits() (n uint64) {
	var each []bpfRuleStat
	for i := range uint32(64) {
		if err := b.p.maps.RuleStats.Lookup(i, &each); err != nil {
			b.t.Fatal(err)
		}
		for _, c := range each {
			n += c.Packets
		}
	}
	return n
}

func (b *bench) reset() {
	if err := b.p.maps.EniCounts.Put(b.p.numbers[eni], make([]bpfEniCount, ebpf.MustPossibleCPU())); err != nil {
		b.t.Fatal(err)
	}
}

// A member that changes more often than its history has room for, and what is
// in force afterwards, also for another process.
func TestMemberChangesOften(t *testing.T) {
	o := Options{Flows4: 1024, Flows6: 1024, Identity: fmt.Sprintf("t-%d", os.Getpid())}
	b := newBench(t, o)
	packet := b.packet("in tcp 80 R", false)
	for i := range 40 {
		of := vpc.GroupID("sg-a")
		if i%3 > 0 {
			of = vpc.GroupID(fmt.Sprintf("sg-%d", i))
		}
		apply(t, b.p, inGroup(t, "sg-a", of))
		b.on(eni, 0)
		if got := b.run(false, packet); got != (i%3 == 0) {
			t.Fatalf("member of %s after change %d: passes: %v", of, i, got)
		}
	}
	last := inGroup(t, "sg-a", "sg-a")
	apply(t, b.p, last)
	b.p.mu.Lock()
	b.p.settle()
	free := 0
	for _, e := range b.p.arena.free {
		free += int(e.n)
	}
	used := len(b.p.arena.words) - 1 - free
	var want int
	for _, x := range b.p.have.policies {
		want += int(x.n)
	}
	for _, x := range b.p.have.blocks {
		want += int(x.n)
	}
	for _, x := range b.p.have.sets {
		want += int(x.n)
	}
	want += int(b.p.have.names.n + b.p.have.root.n)
	slots := len(b.p.slots) - len(b.p.vacant)
	b.p.mu.Unlock()
	if used != want || slots != 2 {
		t.Errorf("%d words are used, want %d; slots %d, want that of nothing and one", used, want, slots)
	}
	if err := b.p.Close(); err != nil {
		t.Fatal(err)
	}
	b.p = open(t, o)
	if got, err := b.p.Actual(t.Context()); err != nil || !ruleset.Diff(got, last).Empty() {
		t.Errorf("another process finds %+v, %v", got, err)
	}
	b.load()
	b.on(eni, 0)
	if !b.run(false, packet) {
		t.Error("with another process the member's packet does not pass")
	}
}

// What an update costs, from call to return, when the next packet obeys:
//
//	go test ./dataplane/ebpf -run XXX -bench Apply -benchtime 1x
func BenchmarkApply(b *testing.B) {
	timed := func(b *testing.B, n int, f func(i int)) {
		took := make([]time.Duration, n)
		for i := range took {
			start := time.Now()
			f(i)
			took[i] = time.Since(start)
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[n/2].Nanoseconds())/1e6, "ms/median")
		b.ReportMetric(float64(took[n*99/100].Nanoseconds())/1e6, "ms/99th")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("a rule, back to back", func(b *testing.B) {
		p := open(b, Options{})
		sets := [2]*ruleset.Ruleset{rules(b, "in tcp 80 from 10.1.0.0/16"), rules(b, "in tcp 81 from 10.1.0.0/16")}
		timed(b, 500, func(i int) { apply(b, p, sets[i%2]) })
	})
	b.Run("1000 interfaces of 100 rules", func(b *testing.B) {
		p := open(b, Options{})
		sets := [2]*ruleset.Ruleset{many(1000, 100, 0), many(1000, 100, 1)}
		apply(b, p, sets[1])
		timed(b, 10, func(i int) { apply(b, p, sets[i%2]) })
	})
	b.Run("one of 1000 interfaces of 100 rules", func(b *testing.B) {
		p := open(b, Options{})
		one := many(1000, 100, 0)
		other := *one // the rest is the same, as it is when Compile is told of a change
		sets := [2]*ruleset.Ruleset{one, &other}
		sets[1].Policies = slices.Clone(sets[1].Policies)
		pol := &sets[1].Policies[500]
		pol.Rules = slices.Clone(pol.Rules[1:])
		apply(b, p, sets[1])
		timed(b, 100, func(i int) { apply(b, p, sets[i%2]) })
	})
	b.Run("a member of 100000", func(b *testing.B) {
		p := open(b, Options{})
		sets := [2]*ruleset.Ruleset{rules(b, "in tcp 80 from sg-a"), rules(b, "in tcp 80 from sg-a")}
		one := []vpc.GroupID{"sg-a"} // which Compile shares, too
		var members []ruleset.Member
		for i := range 100_000 {
			m := ruleset.Member{VPC: "vpc-1", Addr: netip.AddrFrom4([4]byte{10, 8 | byte(i>>16), byte(i >> 8), byte(i)}), Groups: one}
			members = append(members, m)
		}
		sets[0].Members = ruleset.NewMembers(members...)
		sets[1].Members = ruleset.NewMembers(append(members, ruleset.Member{VPC: "vpc-1", Addr: netip.MustParseAddr("10.200.0.1"), Groups: []vpc.GroupID{"sg-a"}})...)
		apply(b, p, sets[0])
		p.mu.Lock()
		p.settle()
		before := p.puts
		p.mu.Unlock()
		apply(b, p, sets[1])
		p.mu.Lock()
		p.settle()
		puts := p.puts - before
		p.mu.Unlock()
		timed(b, 100, func(i int) { apply(b, p, sets[i%2]) })
		b.ReportMetric(float64(puts), "map-writes")
	})
}

// many makes interfaces with a policy of their own.
func many(interfaces, each, port int) *ruleset.Ruleset {
	rs := &ruleset.Ruleset{Rev: uint64(port + 1), Policies: []ruleset.Policy{{Name: "egress", Direction: flow.Egress}}}
	for i := range interfaces {
		p := ruleset.Policy{Name: fmt.Sprintf("ingress sg-%05d", i)}
		for j := range each {
			p.Rules = append(p.Rules, ruleset.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: int32(80 + port), To: int32(80 + port + j%5)},
				Remote: ruleset.Remote{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 4), byte(i<<4 | j>>4), byte(j << 4)}), 28)},
				ID:     vpc.RuleID(fmt.Sprintf("sgr-%05d%012d", i, j))})
		}
		slices.SortFunc(p.Rules, ruleset.Compare)
		rs.Policies = append(rs.Policies, p)
		rs.Interfaces = append(rs.Interfaces, ruleset.Interface{ID: vpc.InterfaceID(fmt.Sprintf("eni-%017x", i)), VPC: "vpc-1", Check: true, In: i + 1, Out: 0,
			Own: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(i >> 8), byte(i)}), 32)}, Timeouts: ruleset.DefaultTimeouts})
	}
	return rs
}

// What the kernel takes for what, by its own account of its maps:
//
//	go test ./dataplane/ebpf -run XXX -bench Memory -benchtime 1x
func BenchmarkMemory(b *testing.B) {
	memory := func(b *testing.B, m *ebpf.Map) float64 {
		data, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", m.FD()))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "memlock:"); ok {
				n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
				if err != nil {
					b.Fatal(err)
				}
				return n
			}
		}
		b.Fatal("the kernel does not tell")
		return 0
	}
	p := open(b, Options{})
	for _, row := range []struct {
		what string
		m    *ebpf.Map
	}{{"IPv4 flow", p.maps.Flows4}, {"IPv6 flow", p.maps.Flows6}, {"IPv4 member", p.maps.Members4}, {"IPv6 member", p.maps.Members6}} {
		b.Run(row.what, func(b *testing.B) {
			b.ReportMetric(memory(b, row.m)/float64(row.m.MaxEntries()), "B/each")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("all maps", func(b *testing.B) {
		sum := 0.0
		for _, m := range reflect.ValueOf(p.maps).Fields() {
			sum += memory(b, m.Interface().(*ebpf.Map))
		}
		b.ReportMetric(sum/(1<<20), "MiB")
		b.ReportMetric(0, "ns/op")
	})
	for _, row := range []struct {
		what  string
		rules int
	}{{"a policy of 10 rules", 10}, {"a policy of 100 rules", 100}, {"a policy of 1000 rules", 1000}} {
		b.Run(row.what, func(b *testing.B) {
			rs := many(1, row.rules, 0)
			apply(b, p, rs)
			n := p.have.policies[rs.Policies[1].Name].n
			b.ReportMetric(float64(n)*8, "B")
			b.ReportMetric(float64(n)*8/float64(row.rules), "B/rule")
			b.ReportMetric(0, "ns/op")
		})
	}
}
