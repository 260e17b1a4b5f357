package ebpf

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"moat/test/clause"
)

// pinned gives the first value of one of a plane's maps, by its pin, and writes
// it back when f has changed it.
func pinned[T any](t testing.TB, dir, name string, f func(v *T)) (v T) {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Lookup(uint32(0), &v); err != nil {
		t.Fatal(err)
	}
	if f != nil {
		f(&v)
		if err := m.Put(uint32(0), v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// With no process there, flows that are expired make room for new ones in a table
// that is full, in an interface's allowance and in that of half-open connections;
// flows that live are not touched.
func TestExpiredFlowsMakeRoomWithNoServer(t *testing.T) {
	clause.Holds(t, "F58", "F59")
	for _, row := range []struct {
		name     string
		options  Options
		remote   string
		protocol string
		floods   int
	}{
		{"the table", Options{Flows4: 1024, Flows6: 1024}, "10.0.0.5", "udp", 1500},
		{"the table of IPv6", Options{Flows4: 1024, Flows6: 1024}, "2001:db8::5", "udp", 1500},
		{"the allowance", Options{Flows4: 1024, Flows6: 1024, FlowLimit: 200}, "10.0.0.5", "udp", 300},
		{"the allowance of half-open connections", Options{Flows4: 1024, Flows6: 1024, HalfLimit: 50}, "10.0.0.5", "tcp", 80},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t)
			serve(t, l.workload, "tcp", ":22")
			at := func(port int) string { return net.JoinHostPort(row.remote, fmt.Sprint(port)) }
			for n := 0; ; n++ { // neighbours have to be found first
				c, err := dial(t, l.client, "tcp", at(22))
				if err == nil {
					c.Close()
					break
				}
				if n == 10 {
					t.Fatal(err)
				}
			}
			row.options.Identity = fmt.Sprintf("t-%016x", rand.Uint64())
			p := open(t, row.options)
			bind(t, p, l)
			apply(t, p, rules(t, "in udp 1-60000 from 10.1.0.0/16", "in tcp 1-60000 from 10.1.0.0/16", "in udp 1-60000 from 2001:db8:1::/64", "in tcp 22 from 2001:db8:1::/64"))
			serve(t, l.workload, row.protocol, ":53")
			lives, err := dial(t, l.client, "tcp", at(22))
			if err != nil {
				t.Fatal("a connection: ", err)
			}
			defer lives.Close()
			if err := echo(lives); err != nil {
				t.Fatal(err)
			}
			begins := func() error {
				c, err := dial(t, l.client, row.protocol, at(53))
				if err != nil {
					return err
				}
				defer c.Close()
				return echo(c)
			}
			if err := begins(); err != nil {
				t.Fatal("before the flood: ", err)
			}
			if row.protocol == "tcp" {
				run(t, "ip -n "+l.workload+" route replace blackhole 10.1.0.0/24") // it does not answer
			}
			flood := func() {
				if err := in(t, l.client, func() error {
					for i := range row.floods {
						d := net.Dialer{Timeout: time.Millisecond}
						if c, err := d.Dial(row.protocol, at(2000+i)); err == nil {
							c.Write([]byte("flood"))
							c.Close()
						}
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			flood()
			if row.protocol == "tcp" {
				run(t, "ip -n "+l.workload+" route del blackhole 10.1.0.0/24")
			}
			if begins() == nil {
				t.Fatal("the flood has left room: the test tests nothing")
			}
			dir, number := p.dir, p.numbers[eni]
			p.Close()
			pass := func(seconds uint64) { pinned(t, dir, "controls", func(c *bpfControl) { c.NowOffset += seconds }) }
			flows := func() int64 {
				m, err := ebpf.LoadPinnedMap(filepath.Join(dir, "eni_states"), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				var s bpfEniState
				if err := m.Lookup(number, &s); err != nil {
					t.Fatal(err)
				}
				return s.all()
			}
			full := flows()
			pass(15)
			if begins() == nil || flows() < full {
				t.Errorf("flows that are not expired made room: %d of %d are left", flows(), full)
			}
			pass(70)
			begins() // which is dropped, and makes room
			if err := begins(); err != nil {
				t.Errorf("with expired flows only, a new one: %v; %d of %d are left", err, flows(), full)
			}
			if n := flows(); n > full/2 {
				t.Errorf("%d of %d flows are left", n, full)
			}
			if err := echo(lives); err != nil {
				t.Errorf("a connection that was there before: %v", err)
			}
		})
	}
}

// How long a packet takes that finds the table full of flows that live, with no
// process there: one in ten seconds may have to look at all of them.
//
//	go test ./dataplane/ebpf -run XXX -bench MakeRoom -benchtime 20x
func BenchmarkMakeRoom(b *testing.B) {
	x := newBench(b, Options{})
	apply(b, x.p, rules(b, "in udp 1-60000 from 10.1.0.0/16"))
	x.on(eni, 0)
	n := x.p.numbers[eni]
	r, now := x.p.rulesOf(n), x.p.now()
	const live = 196_608
	keys, values := make([]bpfFlow4Key, live), make([]bpfFlowValue, live)
	for i := range keys {
		keys[i] = bpfFlow4Key{Eni: n, LocalBe: 0x0500000a, RemoteBe: rand.Uint32(), LportBe: uint16(i), RportBe: uint16(i >> 16), Proto: 6}
		values[i] = bpfFlowValue{Seen: now, Gen: r.Gen[dirIn], Bits: seenACK | seenACK<<8}
	}
	if _, err := x.p.maps.Flows4.BatchUpdate(keys, values, nil); err != nil {
		b.Fatal(err)
	}
	if err := x.p.maps.EniStates.Put(n, bpfEniState{Flows: [2]int64{live}}); err != nil {
		b.Fatal(err)
	}
	x.p.share.Used[0] = live
	packet := x.packet("in udp 53", false)
	for b.Loop() {
		b.StopTimer()
		x.p.reclaim.Collected, x.p.reclaim.Next = x.p.now()-60, [2]uint32{}
		b.StartTimer()
		if x.run(false, packet) {
			b.Fatal("there was room")
		}
	}
}
