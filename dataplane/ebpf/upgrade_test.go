package ebpf

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"moat/dataplane"
	"moat/dataplane/dataplanetest"
	"moat/flow"
	"moat/ruleset"
	"moat/test/clause"
	"moat/test/moattest"
	"moat/vpc"
)

func TestMain(m *testing.M) { moattest.Main(m) }

// A v2Plane is the data plane of the last commit with layout 2, in a process of its
// own.
type v2Plane struct {
	t   testing.TB
	o   Options
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func openV2Plane(t testing.TB, o Options, netns ...string) *v2Plane {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the kernel's data plane is not tested")
	}
	main, err := os.ReadFile("testdata/v2plane/main.go")
	if err != nil {
		t.Fatal(err)
	}
	bin := moattest.Released(t, moattest.Layout2, "./cmd/v2plane", map[string]string{"cmd/v2plane/main.go": string(main)})
	o.PinDir = "/sys/fs/bpf/moat-t"
	if o.Identity == "" {
		o.Identity = fmt.Sprintf("t-%016x", rand.Uint64())
	}
	v := &v2Plane{t: t, o: o, cmd: exec.Command(bin)}
	v.cmd.Stderr = os.Stderr
	if v.in, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.out = bufio.NewReader(out)
	start := v.cmd.Start
	if len(netns) > 0 {
		start = func() error { return in(t, netns[0], v.cmd.Start) }
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	moattest.Undo(t, func() {
		v.kill()
		os.RemoveAll(o.PinDir + "/" + o.Identity)
		os.Remove(o.PinDir)
	})
	v.order(map[string]any{"Open": o})
	return v
}

// order has it do something that must succeed.
func (v *v2Plane) order(o map[string]any) {
	v.t.Helper()
	if line, err := v.try(o); line != "<nil>\n" || err != nil {
		v.t.Fatalf("layout 2: %v: %q %v", o, line, err)
	}
}

// try has it do something, and returns its answer.
func (v *v2Plane) try(o map[string]any) (string, error) {
	v.t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.in.Write(append(b, '\n')); err != nil {
		v.t.Fatal(err)
	}
	line, err := v.out.ReadString('\n')
	return line, err
}

func (v *v2Plane) apply(rs *ruleset.Ruleset) {
	v.t.Helper()
	var members []ruleset.Member
	for m := range rs.Members.All() {
		members = append(members, m)
	}
	v.order(map[string]any{"Apply": rs, "Members": members})
}

func (v *v2Plane) bind(b dataplane.Binding) {
	v.t.Helper()
	v.order(map[string]any{"Bind": b})
}

// kill ends it as a crash does.
func (v *v2Plane) kill() {
	if v.cmd.ProcessState == nil {
		v.cmd.Process.Kill()
		v.cmd.Wait()
	}
}

// pin returns the name of one of its pins.
func (v *v2Plane) pin(name string) string {
	return filepath.Join(v.o.PinDir, v.o.Identity, versionBefore, name)
}

// table opens one of its maps.
func (v *v2Plane) table(name string) *ebpf.Map {
	v.t.Helper()
	m, err := ebpf.LoadPinnedMap(v.pin(name), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { m.Close() })
	return m
}

// upgraded ends it, and has this layout take over.
func (v *v2Plane) upgraded() *Plane {
	v.t.Helper()
	v.kill()
	began := time.Now()
	p := open(v.t, v.o)
	v.t.Logf("taken over in %v", time.Since(began).Round(time.Millisecond))
	if left, _ := filepath.Glob(filepath.Join(v.o.PinDir, v.o.Identity, "*")); len(left) != 1 || filepath.Base(left[0]) != version {
		v.t.Errorf("after the upgrade there are %s", strings.Join(left, " "))
	}
	return p
}

// v2Key returns the key of a flow of the lab's interface at a number, by its remote
// port; UDP to port 53 and TCP to port 80 of the workload.
func v2Key(number uint32, six bool, proto uint8, remote uint16) (k bpfFlow6Key) {
	x := pkt{src: netip.MustParseAddr("10.1.0.9"), dst: netip.MustParseAddr("10.0.0.5"), proto: proto, sport: remote, dport: 80, flags: 2}
	if six {
		x.src, x.dst = netip.MustParseAddr("2001:db8:1::9"), netip.MustParseAddr("2001:db8::5")
	}
	if proto == 17 {
		x.dport = 53
	}
	k, _, _ = x.key(number, false, true)
	return k
}

// flowsOf returns the map of a family and the key in its form.
func flowsOf(four, six *ebpf.Map, k *bpfFlow6Key, is6 bool) (*ebpf.Map, any) {
	if is6 {
		return six, k
	}
	return four, flow4(k)
}

// A carrying has flows of layout 2 carried into a plane's tables, without anything
// else of an upgrade.
type carrying struct {
	*testing.T
	u *upgrade
}

func newCarrying(t *testing.T, size uint32) *carrying {
	t.Helper()
	p := open(t, Options{Flows4: int(size), Flows6: int(size)})
	table := func(name string, key uint32) *ebpf.Map {
		m, err := ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Hash, KeySize: key, ValueSize: 16, MaxEntries: size})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	u := &upgrade{p: p, fresh: true, old: &v2Maps{flows4: table("flows4", 20), flows6: table("flows6", 44)}}
	t.Cleanup(u.close)
	if err := u.load(); err != nil {
		t.Fatal(err)
	}
	return &carrying{t, u}
}

// empty removes all flows, and what was counted of them.
func (c *carrying) empty() {
	c.Helper()
	u := c.u
	for i, six := range []bool{false, true} {
		for n := range uint16(2) {
			k := v2Key(7, six, 6, 1000+n)
			for _, m := range [][2]*ebpf.Map{{u.old.flows4, u.old.flows6}, {u.p.maps.Flows4, u.p.maps.Flows6}} {
				m, key := flowsOf(m[0], m[1], &k, six)
				c.do(ignore(m.Delete(key), ebpf.ErrKeyNotExist))
			}
		}
		u.p.share.Used[i] = 0
	}
	c.do(u.p.maps.EniStates.Put(uint32(7), bpfEniState{}))
	u.fresh = true
}

func (c *carrying) do(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// A tracked is the part of a tracked flow that the tests look at.
type tracked struct{ bits, gen, rule uint32 }

// v2 writes a flow of layout 2 as its programs do when it begins.
func (c *carrying) v2(k bpfFlow6Key, six bool, v tracked) {
	c.Helper()
	m, key := flowsOf(c.u.old.flows4, c.u.old.flows6, &k, six)
	c.do(m.Put(key, v2Flow{Seen: c.u.p.now(), Gen: v.gen, Rule: v.rule, Bits: v.bits}))
}

// meets changes a flow as a packet does that layout 2's programs see: bits are set and
// cleared.
func (c *carrying) meets(k bpfFlow6Key, six bool, to tracked, clear uint32) {
	c.Helper()
	m, key := flowsOf(c.u.old.flows4, c.u.old.flows6, &k, six)
	var v v2Flow
	c.do(m.Lookup(key, &v))
	c.do(m.Put(key, v2Flow{Seen: c.u.p.now(), Gen: to.gen, Rule: to.rule, Bits: v.Bits&^clear | to.bits}))
}

// v3 returns a flow of this layout; false if there is none.
func (c *carrying) v3(k bpfFlow6Key, six bool) (v bpfFlowValue, ok bool) {
	c.Helper()
	m, key := flowsOf(c.u.p.maps.Flows4, c.u.p.maps.Flows6, &k, six)
	return v, m.Lookup(key, &v) == nil
}

// change changes a flow of this layout.
func (c *carrying) change(k bpfFlow6Key, six bool, f func(v *bpfFlowValue)) {
	c.Helper()
	v, _ := c.v3(k, six)
	f(&v)
	m, key := flowsOf(c.u.p.maps.Flows4, c.u.p.maps.Flows6, &k, six)
	c.do(m.Put(key, v))
}

// What becomes of flows that change while they are carried.
func TestUpgradeCarriesFlows(t *testing.T) {
	const (
		number      = 7
		both        = (64 | seenACK) | (64|seenACK)<<8
		half        = 1 << 17
		opening     = 64 | 2 | half
		established = both | 2 | 2<<8
		closed      = established | seenFIN | seenFIN<<8
	)
	type flow = tracked
	c := newCarrying(t, 1024)
	for _, r := range []struct {
		name string
		was  flow
		then func(c *carrying, k bpfFlow6Key, six bool) // before the next look
		want flow                                       // the zero one: none
		half int64                                      // connections that count as half-open
	}{
		{name: "nothing happens", was: flow{established, 5, 3}, want: flow{established, 5, 3}},
		{name: "admitted by rules before, as a packet out", was: flow{established | flowOut, 4, 3}, want: flow{established | flowOut, 4, 3}},
		{name: "cut", was: flow{established | flowCut, 4, 3}, want: flow{established | flowCut, 4, 3}},
		{name: "half-open", was: flow{opening, 5, 3}, want: flow{opening, 5, 3}, half: 1},
		{name: "opened meanwhile", was: flow{opening, 5, 3}, want: flow{established, 5, 3},
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.meets(k, six, flow{established, 5, 3}, half) }},
		{name: "closed by both", was: flow{established, 5, 3}, want: flow{closed, 5, 3},
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.meets(k, six, flow{closed, 5, 3}, 0) }},
		{name: "a reset that was not believed", was: flow{established | seenRST, 5, 3}, want: flow{established, 5, 3},
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.meets(k, six, flow{established, 5, 3}, seenRST) }},
		{name: "cut meanwhile", was: flow{both, 4, 3}, want: flow{established | flowCut, 4, 3},
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.meets(k, six, flow{established | flowCut, 4, 3}, 0) }},
		{name: "judged again meanwhile", was: flow{established, 4, 3}, want: flow{established, 5, 9},
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.meets(k, six, flow{established, 5, 9}, 0) }},
		{name: "begun again meanwhile", was: flow{closed, 5, 3}, want: flow{opening, 6, 4}, half: 1,
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.v2(k, six, flow{opening, 6, 4}) }},
		{name: "begun again while it was half-open", was: flow{opening, 5, 3}, want: flow{established, 6, 4},
			then: func(c *carrying, k bpfFlow6Key, six bool) { c.v2(k, six, flow{established, 6, 4}) }},
		{name: "met a packet of the new programs", was: flow{established, 5, 3}, want: flow{closed, 8, 1},
			then: func(c *carrying, k bpfFlow6Key, six bool) {
				c.change(k, six, func(v *bpfFlowValue) { v.Side[dirOut].Packets, v.Gen, v.Rule = 1, 8, 1 })
				c.meets(k, six, flow{closed, 5, 3}, 0)
			}},
		{name: "closed, and then begun again by the new programs", was: flow{established, 5, 3}, want: flow{both, 8, 1},
			then: func(c *carrying, k bpfFlow6Key, six bool) {
				c.meets(k, six, flow{closed, 5, 3}, 0)
				c.u.p.control.NowOffset += 2
				c.change(k, six, func(v *bpfFlowValue) {
					*v = bpfFlowValue{Bits: both, Gen: 8, Rule: 1, Seen: c.u.p.now(), Begun: c.u.p.now()}
					v.Side[dirIn].Packets = 1
				})
			}},
		{name: "begun again, and then closed by the new programs", was: flow{closed, 5, 3}, want: flow{closed, 8, 1},
			then: func(c *carrying, k bpfFlow6Key, six bool) {
				c.v2(k, six, flow{both, 6, 4})
				c.u.p.control.NowOffset += 2
				c.change(k, six, func(v *bpfFlowValue) {
					*v = bpfFlowValue{Bits: closed, Gen: 8, Rule: 1, Seen: c.u.p.now(), Begun: c.u.p.now()}
					v.Side[dirIn].Packets = 1
				})
			}},
		{name: "ended by the new programs", was: flow{established, 5, 3},
			then: func(c *carrying, k bpfFlow6Key, six bool) {
				m, key := flowsOf(c.u.p.maps.Flows4, c.u.p.maps.Flows6, &k, six)
				c.do(m.Delete(key))
				c.meets(k, six, flow{closed, 5, 3}, 0)
			}},
	} {
		for i, family := range []string{"IPv4", "IPv6"} {
			t.Run(r.name+" "+family, func(t *testing.T) {
				c := &carrying{t, c.u}
				c.empty()
				six := i == 1
				k := v2Key(number, six, 6, 1000)
				// It had no packet for a while: nothing is looked at twice.
				m, key := flowsOf(c.u.old.flows4, c.u.old.flows6, &k, six)
				seen := c.u.p.now() - 100
				c.do(m.Put(key, v2Flow{Seen: seen, Gen: r.was.gen, Rule: r.was.rule, Bits: r.was.bits}))
				c.do(c.u.carryAll())
				c.u.fresh = false
				v, _ := c.v3(k, six)
				if want := [2]bpfFlowSide{{Bits: 14 << 8}, {Bits: 14 << 8}}; v.Side != want {
					t.Errorf("what its sides have sent: %+v, want %+v", v.Side, want)
				}
				if now := c.u.p.now(); now-v.Begun > 10 || v.Seen != seen {
					t.Errorf("begun at %d; now is %d; seen at %d, want %d", v.Begun, now, v.Seen, seen)
				}
				if r.then != nil {
					r.then(c, k, six)
				}
				c.do(c.u.carryChanges())
				v, there := c.v3(k, six)
				if there && r.then != nil && c.u.p.now()-v.Seen > 10 {
					t.Errorf("seen at %d; now is %d", v.Seen, c.u.p.now())
				}
				if got := (flow{v.Bits, v.Gen, v.Rule}); got != r.want {
					t.Errorf("%#x, want %#x", got, r.want)
				}
				var s bpfEniState
				c.do(c.u.p.maps.EniStates.Lookup(uint32(number), &s))
				if s.Half != r.half || there && s.Flows[i] != 1 || s.Flows[1-i] != 0 {
					t.Errorf("counted are %d flows, %d half-open; want 1 and %d", s.Flows, s.Half, r.half)
				}
				// Another look changes nothing.
				c.do(c.u.carryChanges())
				if again, _ := c.v3(k, six); again != v {
					t.Errorf("after another look %+v, before %+v", again, v)
				}
			})
		}
	}
}

// The marks of a process that was killed before its folder was complete mean nothing to
// the next one.
func TestUpgradeBeginsAgain(t *testing.T) {
	c := newCarrying(t, 1024)
	for n := range uint16(100) {
		c.v2(v2Key(7, n%2 == 0, 6, n), n%2 == 0, tracked{bits: 64 | 2, gen: 1})
	}
	c.do(c.u.carryAll())
	next := newCarrying(t, 1024)
	next.u.old.flows4, next.u.old.flows6 = c.u.old.flows4, c.u.old.flows6
	next.u.carry.Close()
	next.u.drop.Close()
	next.u.maps.Close()
	next.do(next.u.load())
	next.do(next.u.carryAll())
	for n := range uint16(100) {
		if _, ok := next.v3(v2Key(7, n%2 == 0, 6, n), n%2 == 0); !ok {
			t.Errorf("flow %d is not there", n)
		}
	}
}

// What ended in layout 2 before its programs were replaced is not there afterwards;
// what the new programs have let in is.
func TestUpgradeDropsWhatEnded(t *testing.T) {
	c := newCarrying(t, 1024)
	for _, six := range []bool{false, true} {
		for _, port := range []uint16{1, 2, 3} {
			c.v2(v2Key(7, six, 6, port), six, tracked{bits: 64 | 2 | 1<<17, gen: 1})
		}
	}
	c.do(c.u.carryAll())
	c.u.fresh = false
	for _, six := range []bool{false, true} {
		for _, port := range []uint16{1, 2} {
			k := v2Key(7, six, 6, port)
			m, key := flowsOf(c.u.old.flows4, c.u.old.flows6, &k, six)
			c.do(m.Delete(key))
		}
		c.change(v2Key(7, six, 6, 2), six, func(v *bpfFlowValue) { v.Side[dirIn].Packets = 1 })
	}
	c.do(c.u.carryAll()) // as a process does that goes on
	for _, six := range []bool{false, true} {
		for port, want := range map[uint16]bool{1: false, 2: true, 3: true} {
			if _, ok := c.v3(v2Key(7, six, 6, port), six); ok != want {
				t.Errorf("six %v: flow %d is there: %v", six, port, ok)
			}
		}
	}
	var s bpfEniState
	c.do(c.u.p.maps.EniStates.Lookup(uint32(7), &s))
	if s.Flows != [2]int64{2, 2} || s.Half != 4 {
		t.Errorf("counted are %d flows, %d half-open", s.Flows, s.Half)
	}
}

// How long it takes to carry many flows, and to look for those that changed; and that
// all are there, with the shares of the tables that are for whoever comes first:
//
//	go test ./dataplane/ebpf -run TestUpgradeOfManyFlows -packets 1000000 -v
func TestUpgradeOfManyFlows(t *testing.T) {
	rows := []int{0, 1000, 100_000}
	if *packets >= 1_000_000 {
		rows = append(rows, 200_000)
	}
	for _, n := range rows {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newCarrying(t, 262_144)
			now := c.u.p.now()
			for _, six := range []bool{false, true} {
				var k4 []bpfFlow4Key
				var k6 []bpfFlow6Key
				var v []v2Flow
				for i := range n / 2 {
					k := v2Key(uint32(i%100), six, 17, uint16(i))
					if six {
						k.Remote[15] = byte(i >> 16)
					} else {
						flow4(&k).RemoteBe += uint32(i>>16) << 16
					}
					k4, k6, v = append(k4, *flow4(&k)), append(k6, k), append(v, v2Flow{Seen: now - uint32(i%20), Gen: 1, Rule: 2, Bits: 64})
				}
				if n == 0 {
					continue
				}
				m, keys := c.u.old.flows4, any(k4)
				if six {
					m, keys = c.u.old.flows6, k6
				}
				if done, err := m.BatchUpdate(keys, v, nil); err != nil || done != n/2 {
					t.Fatal(done, err)
				}
			}
			began := time.Now()
			c.do(c.u.carryAll())
			all := time.Since(began)
			c.u.fresh = false
			var looks []time.Duration
			for range 10 {
				began = time.Now()
				c.do(c.u.carryChanges())
				looks = append(looks, time.Since(began))
			}
			slices.Sort(looks)
			t.Logf("%d flows: all in %v, a look for changes %v (median of 10)", n, all.Round(10*time.Microsecond), looks[5].Round(10*time.Microsecond))
			var have [2]int64
			c.do(c.u.p.eachFlow(func(k bpfFlow6Key, six bool, v bpfFlowValue) bool {
				if six {
					have[1]++
				} else {
					have[0]++
				}
				return v.Bits == 64 && v.Gen == 1 && v.Rule == 2
			}))
			if want := int64(n / 2); have != [2]int64{want, want} {
				t.Errorf("there are %d flows, want %d of each family", have, want)
			}
			var used [2]int64
			for i := range uint32(100) {
				var s bpfEniState
				c.do(c.u.p.maps.EniStates.Lookup(i, &s))
				for f := range used {
					used[f] += max(0, s.Flows[f]-assured)
				}
			}
			if want := [2]int64{max(0, int64(n/2)-100*assured), max(0, int64(n/2)-100*assured)}; used != want || c.u.p.share.Used != want || c.u.run.Lost != 0 {
				t.Errorf("above what is assured: %d by interface, %d of all, want %d; no room for %d", used, c.u.p.share.Used, want, c.u.run.Lost)
			}
		})
	}
}

// What has not changed between the layouts is as it was: whoever changes one of these
// has to convert it in an upgrade.
func TestUpgradeSharesWhatIsTheSame(t *testing.T) {
	shape := func(v any) (s string) {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if f.Name != "_" {
				s += fmt.Sprintf("%s %v at %d; ", f.Name, f.Type, f.Offset)
			}
		}
		return s
	}
	for _, row := range []struct {
		v    any
		want string
	}{
		{bpfDeviceKey{}, "Netns uint32 at 0; Index uint32 at 4; "},
		{bpfDevice{}, "Eni uint32 at 0; Flags uint32 at 4; Until uint32 at 8; Attached uint32 at 12; "},
		{bpfBinding{}, "Interface [32]uint8 at 0; Device [16]uint8 at 32; NetnsPath [200]uint8 at 48; Netns uint32 at 248; Index uint32 at 252; Flags uint32 at 256; Clsact uint32 at 260; "},
		{bpfRuleStat{}, "Packets uint64 at 0; Bytes uint64 at 8; Connections uint64 at 16; Last uint64 at 24; "},
		{bpfFragKey{}, "Lhi uint64 at 0; Llo uint64 at 8; Rhi uint64 at 16; Rlo uint64 at 24; Eni uint32 at 32; Id uint32 at 36; Proto uint8 at 40; Dir uint8 at 41; Six uint8 at 42; Pad [5]uint8 at 43; "},
		{bpfFragValue{}, "End uint32 at 0; Seen uint32 at 4; "},
		{bpfFlow4Key{}, "Eni uint32 at 0; LocalBe uint32 at 4; RemoteBe uint32 at 8; LportBe uint16 at 12; RportBe uint16 at 14; Proto uint8 at 16; Pad [3]uint8 at 17; "},
		{bpfFlow6Key{}, "Eni uint32 at 0; Local [16]uint8 at 4; Remote [16]uint8 at 20; LportBe uint16 at 36; RportBe uint16 at 38; Proto uint8 at 40; Pad [3]uint8 at 41; "},
		{doormanPattern{}, "Take [256]uint32 at 0; Stay uint32 at 1024; End uint32 at 1028; "},
		{doormanDoorman{}, "Round uint32 at 0; Patterns uint32 at 4; "},
		{doormanKnown{}, "Name [2]uint64 at 0; Round uint32 at 16; Guarded uint32 at 20; "},
	} {
		if got := shape(row.v); got != row.want {
			t.Errorf("%T has another layout than before: an upgrade may not share it any more\n got %s\nwant %s", row.v, got, row.want)
		}
	}
}

// state reads what layout 2 has in force.
func (v *v2Plane) state() *v2State {
	v.t.Helper()
	m, err := openV2(v.pin(""))
	if err != nil {
		v.t.Fatal(err)
	}
	defer m.close()
	s, err := m.read()
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// known returns the part of a ruleset that both layouts have.
func known(rs *ruleset.Ruleset) *ruleset.Ruleset {
	out := *rs
	out.Interfaces = nil
	for _, i := range rs.Interfaces {
		out.Interfaces = append(out.Interfaces, ruleset.Interface{ID: i.ID, VPC: i.VPC, MAC: i.MAC, Own: i.Own, Check: i.Check, In: i.In, Out: i.Out, Timeouts: i.Timeouts, OnRevoke: i.OnRevoke})
	}
	return &out
}

// Rules, interfaces' and counters' numbers, generations, deadlines: all are as before,
// of random rulesets one after the other.
func TestUpgradeKeepsRules(t *testing.T) {
	clause.Holds(t, "F61")
	for _, last := range []uint64{0, 3, 11} {
		l := newLab(t)
		l.binding.Interface = interfaces[0]
		v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024, Adopt: time.Hour})
		// Interfaces have other numbers than in the order of their ids.
		rs := newWorld(100).rs
		rs.Interfaces = rs.Interfaces[2:]
		v.apply(rs)
		for seed := range last + 1 {
			rs = newWorld(seed).rs
			if seed%3 == 2 {
				rs.Interfaces[0].OnRevoke = ruleset.OnRevoke{Mode: ruleset.Drain, Drain: 1000}
			}
			v.apply(rs)
		}
		v.bind(l.binding)
		was := v.state()
		if c := ruleset.Diff(was.rules, known(rs)); !c.Empty() || was.rules.Rev != rs.Rev {
			t.Fatalf("seed %d: layout 2 is read as something else: %.1000v", last, fmt.Sprintf("%+v", c))
		}
		p := v.upgraded()
		got, err := p.Actual(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c := ruleset.Diff(got, known(rs)); !c.Empty() || got.Rev != rs.Rev {
			t.Errorf("seed %d: the ruleset is another: %.1000v", last, fmt.Sprintf("%+v", c))
		}
		if !maps.Equal(p.numbers, was.numbers) {
			t.Errorf("seed %d: interfaces have the numbers %v, want %v", last, p.numbers, was.numbers)
		}
		if !maps.Equal(p.counters.places, was.places) {
			t.Errorf("seed %d: rules are counted elsewhere: %d, want %d", last, len(p.counters.places), len(was.places))
		}
		if p.control.Gens < was.control.Gens {
			t.Errorf("seed %d: the last generation is %d, and was %d", last, p.control.Gens, was.control.Gens)
		}
		deadlines := 0
		for id, old := range was.slots {
			now := p.rulesOf(p.numbers[id])
			if now.Gen != old.Gen || now.DrainUntil != old.DrainUntil || now.AdoptUntil != old.AdoptUntil || now.Flags != old.Flags ||
				now.TcpEstablished != old.TCPEstablished || now.UdpStream != old.UDPStream || now.Udp != old.UDP || now.FlowLimit != old.FlowLimit || now.HalfLimit != old.HalfLimit {
				t.Errorf("seed %d: of %s in force is %+v, and was %+v", last, id, now, old)
			}
			if old.AdoptUntil > 0 {
				deadlines++
			}
		}
		if last == 0 && deadlines == 0 {
			t.Error("no interface adopts connections: this proves little")
		}
		// A counter that nothing uses is for the next rule.
		for n, c := range p.counters.rules {
			if (c.uses == 0) != slices.Contains(p.counters.free, uint32(n)) {
				t.Errorf("seed %d: counter %d has %d uses and is free: %v", last, n, c.uses, !(c.uses == 0))
			}
		}
		p.Close()
	}
}

// What cannot be read stays in force, and the error says what to do.
func TestUpgradeOfWhatIsDamaged(t *testing.T) {
	clause.Holds(t, "F62")
	for _, row := range []struct {
		name   string
		damage func(v *v2Plane)
	}{
		{"names that are none", func(v *v2Plane) {
			root := uint32(v.state().control.Root)
			if err := v.table("words").Put(root+1, uint64(1)<<31); err != nil {
				v.t.Fatal(err)
			}
		}},
		{"a map that is missing", func(v *v2Plane) {
			if err := os.Remove(v.pin("eni_states")); err != nil {
				v.t.Fatal(err)
			}
		}},
		{"a map that is shared, and missing", func(v *v2Plane) {
			if err := os.Remove(v.pin("rule_stats")); err != nil {
				v.t.Fatal(err)
			}
		}},
		{"a map of another size", func(v *v2Plane) {
			if err := os.Remove(v.pin("slots")); err != nil {
				v.t.Fatal(err)
			}
			m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 88, MaxEntries: 1})
			if err == nil {
				err = m.Pin(v.pin("slots"))
				m.Close()
			}
			if err != nil {
				v.t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t)
			serve(t, l.workload, "tcp", ":80")
			serve(t, l.workload, "tcp", ":81")
			v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024})
			v.apply(rules(t, "in tcp 80 from 10.1.0.0/16"))
			v.bind(l.binding)
			check := func(when string) {
				t.Helper()
				if c, err := dial(t, l.client, "tcp", "10.0.0.5:80"); err != nil {
					t.Errorf("%s: to the port that a rule allows: %v", when, err)
				} else {
					c.Close()
				}
				if _, err := dial(t, l.client, "tcp", "10.0.0.5:81"); !isTimeout(err) {
					t.Errorf("%s: to the port that no rule allows: %v", when, err)
				}
			}
			v.kill()
			row.damage(v)
			for range 2 {
				_, err := Open(v.o)
				if err == nil || !strings.Contains(err.Error(), "`moat detach --force`") || !strings.Contains(err.Error(), "stay in force") {
					t.Fatalf("taking over: %v", err)
				}
			}
			check("damaged")
			if err := SetAside(v.o.PinDir, v.o.Identity); err != nil {
				t.Fatal(err)
			}
			p := open(t, v.o)
			check("set aside")
			apply(t, p, rules(t, "in tcp 80 from 10.1.0.0/16"))
			bind(t, p, l)
			if done, err := p.Settled(); !done || err != nil {
				t.Error(done, err)
			}
			check("anew")
		})
	}
}

// A process that ended before it had bound anything has left nothing to take over.
func TestUpgradeOfNothing(t *testing.T) {
	v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024})
	v.kill()
	for _, name := range []string{"words", "flows6", "bindings"} {
		if err := os.Remove(v.pin(name)); err != nil {
			t.Fatal(err)
		}
	}
	v.upgraded()
}

// A call is a TCP connection or a UDP stream between two namespaces, of which either
// side may speak.
type call struct {
	dialed   net.Conn
	accepted net.Conn
}

// pair makes a call, over which a word has gone in each direction.
func pair(t *testing.T, from, to, network, addr string) *call {
	t.Helper()
	c := &call{}
	var err error
	if network == "udp" {
		var l net.PacketConn
		if err := in(t, to, func() (err error) {
			l, err = net.ListenPacket(network, addr)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if c.dialed, err = dial(t, from, network, addr); err != nil {
			t.Fatal(err)
		}
		c.accepted = &answering{PacketConn: l, to: c.dialed.LocalAddr()}
	} else {
		var l net.Listener
		if err := in(t, to, func() (err error) {
			l, err = net.Listen(network, addr)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if c.dialed, err = dial(t, from, network, addr); err != nil {
			t.Fatalf("%s to %s: %v", network, addr, err)
		}
		if c.accepted, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { c.dialed.Close(); c.accepted.Close() })
	for range 2 { // a stream of UDP is one after the second packet
		if err := errors.Join(says(c.dialed, c.accepted, patient), says(c.accepted, c.dialed, patient)); err != nil {
			t.Fatalf("%s to %s: %v", network, addr, err)
		}
	}
	return c
}

// acquainted waits until the namespaces of a lab, whose devices are not bound yet, have
// found each other.
func (l *lab) acquainted(t *testing.T) {
	t.Helper()
	for _, x := range [][2]string{{l.client, "10.0.0.5:1"}, {l.client, "[2001:db8::5]:1"}, {l.workload, "10.1.0.9:1"}, {l.workload, "[2001:db8:1::9]:1"}} {
		for end := time.Now().Add(patient); ; {
			_, err := dial(t, x[0], "tcp", x[1])
			if errors.Is(err, syscall.ECONNREFUSED) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("to %s: %v", x[1], err)
			}
		}
	}
}

// answering is a UDP socket that speaks with one other.
type answering struct {
	net.PacketConn
	to net.Addr
}

func (a *answering) Write(b []byte) (int, error) { return a.WriteTo(b, a.to) }
func (a *answering) RemoteAddr() net.Addr        { return a.to }
func (a *answering) Read(b []byte) (int, error) {
	n, _, err := a.ReadFrom(b)
	return n, err
}

// says sends a word and waits until it has arrived.
func says(from, to net.Conn, patience time.Duration) error {
	word := fmt.Sprintf("%08x", rand.Uint32())
	if _, err := from.Write([]byte(word)); err != nil {
		return err
	}
	to.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, len(word))
	if _, err := io.ReadFull(to, b); err != nil {
		return err
	}
	if string(b) != word {
		return fmt.Errorf("got %q, want %q", b, word)
	}
	return nil
}

// Calls that were open go on, also from the side that no rule allows; those whose rule
// went away before live on or not by the mode; counters go on. Every way to attach, and
// each end of the link.
func TestUpgradeOfRealPackets(t *testing.T) {
	for _, row := range []struct {
		name   string
		clsact bool
		side   dataplane.Side
	}{{"host side", false, dataplane.Host}, {"host side by clsact", true, dataplane.Host}, {"workload side", false, dataplane.Workload}} {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t)
			if row.side == dataplane.Workload {
				l.binding.Device, l.binding.Netns, l.binding.Side = "eth0", "/run/netns/"+l.workload, dataplane.Workload
			}
			l.acquainted(t)
			v := openV2Plane(t, Options{Flows4: 4096, Flows6: 4096, ForceClsact: row.clsact})
			lines := []string{"in tcp 80 from 10.1.0.9/32", "in tcp 80 from 2001:db8:1::9/128", "in udp 80 from 10.1.0.9/32", "in udp 80 from 2001:db8:1::9/128",
				"out tcp 90 to 10.1.0.9/32", "out tcp 90 to 2001:db8:1::9/128", "out udp 90 to 10.1.0.9/32", "out udp 90 to 2001:db8:1::9/128"}
			v.apply(rules(t, lines...))
			v.bind(l.binding)
			calls := map[string]*call{}
			for _, network := range []string{"tcp", "udp"} {
				for _, a := range [][2]string{{"10.0.0.5", "10.1.0.9"}, {"[2001:db8::5]", "[2001:db8:1::9]"}} {
					calls["in by "+network+" to "+a[0]] = pair(t, l.client, l.workload, network, a[0]+":80")
					calls["out by "+network+" to "+a[1]] = pair(t, l.workload, l.client, network, a[1]+":90")
				}
			}
			closed := func(p *Plane) {
				t.Helper()
				for _, addr := range []string{"10.0.0.5:81", "[2001:db8::5]:81"} {
					if _, err := dial(t, l.client, "tcp", addr); !isTimeout(err) {
						t.Errorf("to %s, which no rule allows: %v", addr, err)
					}
				}
			}
			closed(nil)
			drops := func(s *dataplane.Stats) (n uint64) { return s.Drops[eni]["no_rule"] }
			var was uint64
			var counts []v2EniCount
			if err := v.table("eni_counts").Lookup(v.state().numbers[eni], &counts); err != nil {
				t.Fatal(err)
			}
			for _, c := range counts {
				was += c.Drops[1]
			}
			if was < 2 {
				t.Fatalf("layout 2 has counted %d drops: this proves little", was)
			}
			links := func(b *bound) (ids []link.ID) {
				for dir := range 2 {
					l, err := link.LoadPinnedLink(filepath.Join(v.o.PinDir, v.o.Identity, versionBefore, fmt.Sprintf("link-0-%d", dir)), nil)
					if b != nil {
						l, err = b.links[dir], nil
					}
					if err != nil || l == nil {
						return nil // there are none with clsact
					}
					info, err := l.Info()
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, info.ID)
					if b == nil {
						l.Close()
					}
				}
				return ids
			}
			linked := links(nil)
			p := v.upgraded()
			if now := links(p.bound[eni]); !slices.Equal(linked, now) || row.clsact != (len(now) == 0) {
				t.Errorf("links are %v, and were %v", now, linked)
			}
			s, err := p.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.Flows[eni] != uint64(len(calls)) || drops(s) != was {
				t.Errorf("%d flows and %d drops, want %d and %d", s.Flows[eni], drops(s), len(calls), was)
			}
			before := s.Rules
			for id, r := range before {
				if r.Connections != 1 || r.Packets < 4 {
					t.Errorf("%s has counted %+v", id, r)
				}
			}
			for name, c := range calls {
				// First the side that no rule allows to begin.
				if err := errors.Join(says(c.accepted, c.dialed, patient), says(c.dialed, c.accepted, patient)); err != nil {
					t.Errorf("a call %s: %v", name, err)
				}
			}
			closed(p)
			if s, err = p.Stats(t.Context()); err != nil {
				t.Fatal(err)
			}
			for id, r := range s.Rules {
				if r.Connections != 1 || r.Packets < before[id].Packets+2 {
					t.Errorf("%s has counted %+v, before %+v", id, r, before[id])
				}
			}
			if drops(s) < was+2 {
				t.Errorf("%d drops, before %d", drops(s), was)
			}
			// The programs that were there before are not.
			for dir, hook := range p.bound[eni].hooks() {
				if err := within(l.binding.Netns, func(uint32) error {
					ids, err := attached(int(p.bound[eni].bpfBinding.Index), hook)
					if len(ids) != 1 {
						t.Errorf("direction %d: %d programs are on the device", dir, len(ids))
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			// A rule that goes now ends its calls, and those only.
			apply(t, p, rules(t, lines[1:]...))
			c := calls["in by tcp to 10.0.0.5"]
			for _, end := range []net.Conn{c.accepted, c.dialed} {
				end.SetReadDeadline(time.Now().Add(patient))
				if _, err := end.Read(make([]byte, 1)); !isReset(err) {
					t.Errorf("an end of an idle call whose rule went after the upgrade: %v, want a reset", err)
				}
			}
			c = calls["in by tcp to [2001:db8::5]"]
			if err := says(c.accepted, c.dialed, patient); err != nil {
				t.Errorf("a call whose rule is there: %v", err)
			}
			if err := p.Unbind(t.Context(), eni); err != nil {
				t.Error(err)
			}
		})
	}
}

// Calls whose rule went away before, and which nobody came to cut, end or live on by
// the mode.
func TestUpgradeAfterARevoke(t *testing.T) {
	for mode, lives := range map[string]bool{"cut": false, "aws": true, "drain 3600": true} {
		t.Run(mode, func(t *testing.T) {
			l := newLab(t)
			l.acquainted(t)
			v := openV2Plane(t, Options{Flows4: 4096, Flows6: 4096})
			kept, gone := "in tcp 80 from 10.1.0.0/16", []string{"in tcp 81 from 10.1.0.0/16", "in udp 81 from 2001:db8:1::/64", "out tcp 90 to 2001:db8:1::/64"}
			v.apply(rules(t, append([]string{"mode " + mode, kept}, gone...)...))
			v.bind(l.binding)
			stays := pair(t, l.client, l.workload, "tcp", "10.0.0.5:80")
			calls := []*call{pair(t, l.client, l.workload, "tcp", "10.0.0.5:81"), pair(t, l.client, l.workload, "udp", "[2001:db8::5]:81"),
				pair(t, l.workload, l.client, "tcp", "[2001:db8:1::9]:90")}
			// The flows are as nobody has found them yet, whether or not somebody has.
			number := v.state().numbers[eni]
			var k4 []bpfFlow4Key
			var v4 []v2Flow
			flows4, flows6 := v.table("flows4"), v.table("flows6")
			k4, v4, err := all[bpfFlow4Key, v2Flow](flows4)
			if err != nil {
				t.Fatal(err)
			}
			k6, v6, err := all[bpfFlow6Key, v2Flow](flows6)
			if err != nil || len(k4) != 2 || len(k6) != 2 || k4[0].Eni != number {
				t.Fatalf("layout 2 has %d and %d flows: %v", len(k4), len(k6), err)
			}
			v.apply(rules(t, "mode "+mode, kept))
			v.kill()
			for i := range k4 {
				if err := flows4.Put(k4[i], v4[i]); err != nil {
					t.Fatal(err)
				}
			}
			for i := range k6 {
				if err := flows6.Put(k6[i], v6[i]); err != nil {
					t.Fatal(err)
				}
			}
			v.upgraded()
			if err := errors.Join(says(stays.accepted, stays.dialed, patient), says(stays.dialed, stays.accepted, patient)); err != nil {
				t.Errorf("a call whose rule is there: %v", err)
			}
			for i, c := range calls {
				patience := 300 * time.Millisecond
				if lives {
					patience = patient
				}
				for _, err := range []error{says(c.accepted, c.dialed, patience), says(c.dialed, c.accepted, patience)} {
					if (err == nil) != lives {
						t.Errorf("call %d: %v; lives: want %v", i, err, lives)
					}
				}
			}
		})
	}
}

// Calls begin all the while, by TCP and UDP: each that a rule lets in is tracked
// afterwards, also those of the moment in which the programs changed.
func TestUpgradeUnderNewCalls(t *testing.T) {
	l := newLab(t)
	l.acquainted(t)
	v := openV2Plane(t, Options{Flows4: 65536, Flows6: 65536})
	v.apply(rules(t, "in tcp 80 from 10.1.0.0/16", "in udp 80 from 2001:db8:1::/64"))
	v.bind(l.binding)
	v.kill()
	var tcp net.Listener
	var udp net.PacketConn
	if err := in(t, l.workload, func() (err error) {
		if tcp, err = net.Listen("tcp", "10.0.0.5:80"); err == nil {
			udp, err = net.ListenPacket("udp", "[2001:db8::5]:80")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	defer udp.Close()
	udp.(*net.UDPConn).SetReadBuffer(8 << 20)
	var all sync.WaitGroup
	var mu sync.Mutex
	accepted := map[string]net.Conn{}
	all.Go(func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			accepted[c.RemoteAddr().String()] = c
			mu.Unlock()
		}
	})
	heard := map[string]net.Addr{}
	all.Go(func() {
		for b := make([]byte, 64); ; {
			_, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			udp.WriteTo(b[:1], from)
			mu.Lock()
			heard[from.String()] = from
			mu.Unlock()
		}
	})
	// Callers stay in their namespace: a socket is made in some microseconds.
	stop := make(chan struct{})
	var callers sync.WaitGroup
	var dialed, asked []net.Conn
	late := 0
	for _, f := range []func() error{
		func() error {
			c, err := net.DialTimeout("tcp", "10.0.0.5:80", patient)
			if err == nil {
				dialed = append(dialed, c)
			}
			return err
		},
		func() error {
			c, err := net.Dial("udp", "[2001:db8::5]:80")
			if err != nil {
				return err
			}
			if _, err = c.Write([]byte("?")); err == nil {
				asked = append(asked, c)
			}
			return err
		},
	} {
		callers.Go(func() {
			if err := in(t, l.client, func() error {
				for n := 0; n < 10_000; n++ {
					select {
					case <-stop:
						return nil
					default:
					}
					if err := f(); err != nil {
						return err
					}
					time.Sleep(500 * time.Microsecond)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	v.upgraded()
	time.Sleep(200 * time.Millisecond)
	close(stop)
	callers.Wait()
	defer func() {
		for _, c := range append(dialed, asked...) {
			c.Close()
		}
		tcp.Close()
		udp.Close()
		all.Wait()
	}()
	// What the workload says now is of a tracked flow, or is dropped.
	for _, c := range dialed {
		mu.Lock()
		a := accepted[c.LocalAddr().String()]
		mu.Unlock()
		if a == nil {
			t.Fatalf("a connection of %s is open at one end", c.LocalAddr())
		}
		if err := says(a, c, patient); err != nil {
			t.Errorf("to %s, by TCP: %v", c.LocalAddr(), err)
		}
		a.Close()
	}
	for _, c := range asked {
		mu.Lock()
		to := heard[c.LocalAddr().String()]
		mu.Unlock()
		if to == nil {
			t.Errorf("a datagram of %s, which a rule allows, did not arrive", c.LocalAddr())
			continue
		}
		b := make([]byte, 64)
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(b); err != nil {
			late++
		}
		for c.SetReadDeadline(time.Now().Add(time.Microsecond)); ; {
			if _, err := c.Read(b); err != nil {
				break
			}
		}
		if err := says(&answering{udp, to}, c, patient); err != nil {
			t.Errorf("to %s, by UDP: %v", c.LocalAddr(), err)
		}
	}
	t.Logf("%d connections, %d streams, of which the first answer to %d was lost", len(dialed), len(asked), late)
	if len(dialed) < 100 || len(asked) < 100 {
		t.Error("that was little")
	}
}

// Devices of all kinds: one that observes, one on trial, one that is gone, one whose
// interface no ruleset has, one that passes nothing. Each is afterwards as it was.
func TestUpgradeKeepsBindings(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"d1", "d2", "d3", "d4", "d5"} {
		run(t, "ip -n "+l.host+" link add "+name+" type veth peer name p-"+name)
	}
	v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024})
	rs := rules(t, "in tcp 80 from 10.1.0.0/16")
	for _, id := range []vpc.InterfaceID{"eni-2", "eni-3", "eni-4", "eni-6"} {
		i := rs.Interfaces[0]
		i.ID = id
		rs.Interfaces = append(rs.Interfaces, i)
	}
	slices.SortFunc(rs.Interfaces, func(a, b ruleset.Interface) int { return strings.Compare(string(a.ID), string(b.ID)) })
	v.apply(rs)
	netns := "/run/netns/" + l.host
	until := time.Now().Add(time.Hour)
	want := []dataplane.Binding{l.binding, {Interface: "eni-2", Device: "d1", Netns: netns, Observe: true}, {Interface: "eni-3", Device: "d2", Netns: netns, Until: until},
		{Interface: "eni-6", Device: "d5", Netns: netns}, {Interface: "eni-no-ruleset", Device: "d4", Netns: netns, Side: dataplane.Workload}}
	for _, b := range want {
		v.bind(b)
	}
	v.bind(dataplane.Binding{Interface: "eni-4", Device: "d3", Netns: netns})
	was := v.state().numbers
	// A change to eni-6 could not be put into force: it passes nothing.
	slots, slot := v.table("slots"), v.state().slots["eni-6"]
	for at := range slots.MaxEntries() {
		var r v2Rules
		if err := slots.Lookup(at, &r); err != nil {
			t.Fatal(err)
		}
		if r == slot {
			r.Block = 0
			if err := slots.Put(at, r); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	v.kill()
	run(t, "ip -n "+l.host+" link del d3")
	v.o.Flows4, v.o.Flows6 = 512, 4096
	p := v.upgraded()
	if a, b := p.maps.Flows4.MaxEntries(), p.maps.Flows6.MaxEntries(); a != 1024 || b != 1024 {
		t.Errorf("there is room for %d and %d flows, and was for 1024 each", a, b)
	}
	got, err := p.Bindings(t.Context())
	if err != nil || len(got) != len(want) {
		t.Fatalf("bound are %+v, %v", got, err)
	}
	for i, b := range got {
		if d := b.Until.Sub(want[i].Until); b.Interface != want[i].Interface || b.Device != want[i].Device || b.Netns != netns || b.Side != want[i].Side || b.Observe != want[i].Observe ||
			d.Abs() > 10*time.Second {
			t.Errorf("bound is %+v, and was %+v", b, want[i])
		}
		if n, ok := was[b.Interface]; ok && n != p.bound[b.Interface].number {
			t.Errorf("%s has number %d, and had %d", b.Interface, p.bound[b.Interface].number, n)
		}
	}
	for device, passes := range map[string][2]bool{"d1": {true, true}, "d2": {true, false}, "d4": {false, false}, "d5": {false, false}} {
		for i, port := range []uint16{80, 81} {
			if err := in(t, l.host, func() error {
				got, err := meet(device, dataplanetest.Packet{Direction: flow.Ingress, Local: netip.MustParseAddr("10.0.0.5"), Remote: netip.MustParseAddr("10.1.0.9"),
					Protocol: flow.TCP, TCP: dataplanetest.SYN, LocalPort: port, RemotePort: 999})
				if got != passes[i] {
					t.Errorf("at %s a packet to port %d passes: %v", device, port, got)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What is bound next gets a place of its own.
	if err := p.Bind(t.Context(), dataplane.Binding{Interface: "eni-5", Device: "c", Netns: netns}); err != nil {
		t.Fatal(err)
	}
	for id, b := range p.bound {
		if id != "eni-5" && b.number == p.bound["eni-5"].number {
			t.Errorf("eni-5 has the place of %s", id)
		}
	}
}

// A name that was guarded is guarded all the while, before the next server guards
// anything, and devices that are bound meanwhile pass.
func TestUpgradeKeepsDoorman(t *testing.T) {
	l := newLab(t)
	serve(t, l.workload, "tcp", ":80")
	serve(t, l.client, "tcp", ":80")
	v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024}, l.host)
	v.apply(rules(t, "in tcp 80 from 10.1.0.0/16"))
	// A kernel may have no such hooks.
	if line, err := v.try(map[string]any{"Guard": []dataplane.Pattern{"w", "g*"}}); err != nil {
		t.Fatal(err)
	} else if strings.Contains(line, "not supported") {
		t.Skip(line)
	}
	if _, err := dial(t, l.client, "tcp", "10.0.0.5:80"); !isTimeout(err) {
		t.Fatalf("through a device that is guarded: %v", err)
	}
	v.bind(dataplane.Binding{Interface: "eni-other", Device: "c", Netns: "/run/netns/" + l.host, Observe: true})
	stop := make(chan struct{})
	leaks := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				leaks <- n
				return
			default:
			}
			if c, err := dial(t, l.client, "tcp", "10.0.0.5:80"); err == nil {
				n++
				c.Close()
			}
		}
	}()
	p := v.upgraded()
	time.Sleep(300 * time.Millisecond)
	close(stop)
	if n := <-leaks; n > 0 {
		t.Errorf("%d connections through a device that was guarded", n)
	}
	// The next server may bind before it guards.
	bind(t, p, l)
	if c, err := dial(t, l.client, "tcp", "10.0.0.5:80"); err != nil {
		t.Errorf("bound: %v", err)
	} else {
		c.Close()
	}
	guard := func(patterns ...dataplane.Pattern) {
		t.Helper()
		if err := in(t, l.host, func() error { return guardNames(p, patterns...) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Unbind(t.Context(), eni); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, l.client, "tcp", "10.0.0.5:80"); !isTimeout(err) {
		t.Errorf("unbound, and guarded by the doorman of before: %v", err)
	}
	guard("w")
	if s, err := p.Stats(t.Context()); err != nil || s.TurnedAway < 2 {
		t.Errorf("turned away were %d packets: %v", s.TurnedAway, err)
	}
	if _, err := dial(t, l.client, "tcp", "10.0.0.5:80"); !isTimeout(err) {
		t.Errorf("guarded again: %v", err)
	}
	guard()
	if c, err := dial(t, l.client, "tcp", "10.0.0.5:80"); err != nil {
		t.Errorf("not guarded any more: %v", err)
	} else {
		c.Close()
	}
}

// A server of layout 2 that is started again, after one of this layout was killed while
// it built its folder, goes on with its own.
func TestUpgradeThatIsGivenUp(t *testing.T) {
	l := newLab(t)
	l.acquainted(t)
	v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024})
	v.apply(rules(t, "in tcp 80 from 10.1.0.9/32"))
	v.bind(l.binding)
	c := pair(t, l.client, l.workload, "tcp", "10.0.0.5:80")
	v.kill()
	p := &Plane{options: v.o, dir: filepath.Join(v.o.PinDir, v.o.Identity, version)}
	u, err := p.checkLayout()
	if err != nil {
		t.Fatal(err)
	}
	defer u.close()
	if err := u.share(); err != nil {
		t.Fatal(err)
	}
	again := openV2Plane(t, v.o)
	again.apply(rules(t, "in tcp 80 from 10.1.0.9/32", "in tcp 81 from 10.1.0.9/32"))
	if err := errors.Join(says(c.accepted, c.dialed, patient), says(c.dialed, c.accepted, patient)); err != nil {
		t.Errorf("a call that was open: %v", err)
	}
	again.upgraded()
	if err := errors.Join(says(c.accepted, c.dialed, patient), says(c.dialed, c.accepted, patient)); err != nil {
		t.Errorf("a call that was open, after the upgrade: %v", err)
	}
}

// A device that another Moat has bound, of the layout before, is that one's.
func TestDeviceOfAnotherMoatBefore(t *testing.T) {
	l := newLab(t)
	v := openV2Plane(t, Options{Flows4: 1024, Flows6: 1024})
	v.bind(l.binding)
	p := open(t, Options{Flows4: 1024, Flows6: 1024})
	if err := p.Bind(t.Context(), l.binding); err == nil || !strings.Contains(err.Error(), "another Moat, of identity "+v.o.Identity) {
		t.Errorf("bound twice: %v", err)
	}
}

// The process that TestUpgradeKilled kills: it takes over, and then waits for that.
func TestUpgradeToBeKilled(t *testing.T) {
	text := os.Getenv("MOAT_TEST_TO_BE_KILLED")
	if text == "" {
		t.Skip("is run by TestUpgradeKilled")
	}
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err != nil {
		t.Fatal(err)
	}
	fmt.Println("taken over")
	time.Sleep(time.Minute)
}

// A process that is killed while it takes over leaves either layout in force, and the
// next one goes on: nothing is open, and calls go on. It is killed anywhere, while the
// new folder is built, and in the moments after it is complete; more often with -packets
// 1000000.
func TestUpgradeKilled(t *testing.T) {
	rounds := 2
	if *packets >= 1_000_000 {
		rounds = 30
	}
	l := newLab(t)
	l.acquainted(t)
	left := map[string]int{}
	for n := range 3 * rounds {
		v := openV2Plane(t, Options{Flows4: 65536, Flows6: 65536})
		v.apply(rules(t, "in tcp 80 from 10.1.0.9/32", "in udp 80 from 2001:db8:1::9/128"))
		v.bind(l.binding)
		calls := []*call{pair(t, l.client, l.workload, "tcp", "10.0.0.5:80"), pair(t, l.client, l.workload, "udp", "[2001:db8::5]:80")}
		v.kill()
		check := func(when string) {
			t.Helper()
			for _, c := range calls {
				if err := errors.Join(says(c.accepted, c.dialed, patient), says(c.dialed, c.accepted, patient)); err != nil {
					t.Errorf("round %d, %s: %v", n, when, err)
				}
			}
			if _, err := dial(t, l.client, "tcp", "10.0.0.5:81"); !isTimeout(err) {
				t.Errorf("round %d, %s: to a port that no rule allows: %v", n, when, err)
			}
		}
		text, err := json.Marshal(v.o)
		if err != nil {
			t.Fatal(err)
		}
		home := filepath.Join(v.o.PinDir, v.o.Identity)
		for range 3 {
			c := exec.Command(os.Args[0], "-test.run", "^TestUpgradeToBeKilled$")
			c.Env = append(os.Environ(), "MOAT_TEST_TO_BE_KILLED="+string(text))
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			seen := func(folder string, wait time.Duration) {
				for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
					if _, err := os.Lstat(filepath.Join(home, folder)); err == nil {
						break
					}
				}
				time.Sleep(time.Duration(rand.Int64N(int64(wait))))
			}
			_, complete := os.Lstat(filepath.Join(home, version))
			switch {
			case n%3 == 0:
				time.Sleep(time.Duration(rand.Int64N(int64(600 * time.Millisecond))))
			case n%3 == 1 && complete != nil:
				seen(unfinished, 200*time.Millisecond)
			default:
				seen(version, 15*time.Millisecond)
			}
			c.Process.Kill()
			c.Wait()
			entries, err := os.ReadDir(home)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			left[strings.Join(names, " ")]++
			check("killed with " + strings.Join(names, " "))
		}
		p := v.upgraded()
		check("at the end")
		if s, err := p.Stats(t.Context()); err != nil || s.Flows[eni] != 2 {
			t.Errorf("round %d: %d flows, %v", n, s.Flows[eni], err)
		}
		if err := p.Unbind(t.Context(), eni); err != nil {
			t.Fatal(err)
		}
		p.Close()
		os.RemoveAll(home)
		for _, c := range calls {
			c.dialed.Close()
			c.accepted.Close()
			if a, ok := c.accepted.(*answering); ok {
				a.PacketConn.Close()
			}
		}
	}
	for what, n := range left {
		t.Logf("killed %d times with %s", n, what)
	}
}
