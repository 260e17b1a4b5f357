package ebpf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moat/dataplane"
	"moat/ruleset"
	"moat/test/clause"
)

// receive counts the datagrams that reach an address.
func receive(t testing.TB, ns, addr string) *atomic.Int64 {
	t.Helper()
	n := &atomic.Int64{}
	if err := in(t, ns, func() error {
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			b := make([]byte, 64)
			for {
				if _, _, err := c.ReadFrom(b); err != nil {
					return
				}
				n.Add(1)
			}
		}()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// flood sends datagrams to an address until the test ends, also while there is
// no way there.
func flood(t testing.TB, ns, addr string) {
	t.Helper()
	var c net.Conn
	if err := in(t, ns, func() (err error) {
		c, err = net.Dial("udp", addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done; c.Close() })
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			c.Write([]byte("flood"))
			if n%64 == 63 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
}

func mac(t testing.TB, ns, dev string) string {
	t.Helper()
	out, err := exec.Command("ip", "-n", ns, "-o", "link", "show", dev).Output()
	_, rest, ok := strings.Cut(string(out), "link/ether ")
	if err != nil || !ok {
		t.Fatalf("%s has no address: %v", dev, err)
	}
	return strings.Fields(rest)[0]
}

// guardNames guards devices by their names only.
func guardNames(p *Plane, patterns ...dataplane.Pattern) error {
	err, _ := p.Guard(context.Background(), dataplane.Guards{Names: patterns})
	return err
}

// A flood that is there before the device is: while it appears, is bound, is
// unbound, and appears again with no process there.
func TestDoorman(t *testing.T) {
	clause.Holds(t, "F71", "F73")
	for name, o := range map[string]Options{"programs": {}, "nftables": {NoDoorman: true}} {
		t.Run(name, func(t *testing.T) { doormanKeeps(t, o) })
	}
}

func doormanKeeps(t *testing.T, o Options) {
	l := newLab(t)
	// The workload has both ends of the link, and sends before the host's end
	// is the host's.
	mine, hosts := mac(t, l.workload, "eth0"), mac(t, l.host, "w")
	appear := func() {
		t.Helper()
		run(t, "ip -n "+l.workload+" link set w netns "+l.host)
		run(t, "ip -n "+l.host+" link set w up")
		for _, a := range []string{"10.0.0.5", "2001:db8::5"} {
			run(t, "ip -n "+l.host+" route add "+a+" dev w")
			run(t, "ip -n "+l.host+" neigh replace "+a+" dev w lladdr "+mine+" nud permanent")
		}
	}
	leave := func() {
		t.Helper()
		run(t, "ip -n "+l.host+" link set w netns "+l.workload)
		run(t, "ip -n "+l.workload+" link set w up")
	}
	prepare := func() {
		t.Helper()
		run(t, "ip -n "+l.workload+" link set w up")
		run(t, "ip -n "+l.workload+" link set eth0 up")
		run(t, "ip -n "+l.workload+" addr replace 10.0.0.5/24 dev eth0")
		run(t, "ip -n "+l.workload+" addr replace 2001:db8::5/64 dev eth0 nodad")
		for _, a := range []string{"10.0.0.1", "2001:db8::1"} {
			run(t, "ip -n "+l.workload+" neigh replace "+a+" dev eth0 lladdr "+hosts+" nud permanent")
			run(t, "ip -n "+l.workload+" route replace default via "+a)
		}
	}
	leave()
	prepare()
	counts := map[string]*atomic.Int64{}
	var allowed, denied []string
	add := func(list *[]string, from, to, addr string) {
		counts[addr] = receive(t, to, addr)
		flood(t, from, addr)
		*list = append(*list, addr)
	}
	for _, a := range []string{"10.1.0.9", "[2001:db8:1::9]"} {
		add(&denied, l.workload, l.client, a+":7000")
		add(&allowed, l.workload, l.client, a+":7001")
	}
	for _, a := range []string{"10.0.0.5", "[2001:db8::5]"} {
		add(&denied, l.client, l.workload, a+":7000")
		add(&allowed, l.client, l.workload, a+":7001")
	}
	for _, a := range []string{"10.1.0.1", "[2001:db8:1::1]"} { // the host itself
		add(&denied, l.workload, l.host, a+":7000")
	}
	all := append(append([]string{}, allowed...), denied...)
	reset := func() {
		for _, c := range counts {
			c.Store(0)
		}
	}
	none := func(when string, addrs []string) {
		t.Helper()
		for _, a := range addrs {
			if n := counts[a].Load(); n != 0 {
				t.Errorf("%s: %d packets to %s passed", when, n, a)
			}
		}
	}
	arrive := func(when string, addrs []string) {
		t.Helper()
		for _, a := range addrs {
			for end := time.Now().Add(5 * time.Second); counts[a].Load() == 0; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%s: no packet to %s passed", when, a)
				}
			}
		}
	}
	const while = 150 * time.Millisecond

	appear()
	arrive("a device that nobody guards", all)
	leave()
	time.Sleep(while)
	reset()

	o.Identity = fmt.Sprintf("t-%016x", rand.Uint64())
	p := open(t, o)
	guard := func(patterns ...dataplane.Pattern) error {
		return in(t, l.host, func() error { return guardNames(p, patterns...) })
	}
	one := dataplane.Pattern("?")
	if o.NoDoorman {
		if err := guard("?"); !errors.Is(err, dataplane.ErrNoDoorman) {
			t.Errorf("a pattern that nftables does not know: %v", err)
		}
		one = "c"
	}
	if err := guard("x", one); errors.Is(err, dataplane.ErrNoDoorman) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, l.host, "tcp", "10.1.0.9:1"); !isTimeout(err) {
		t.Errorf("from a host whose device c is guarded: %v, want a timeout", err)
	}
	if err := guard("x", "w*"); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, l.host, "tcp", "10.1.0.9:1"); isTimeout(err) {
		t.Errorf("from a host whose device c is not guarded any more: %v", err)
	}
	appear()
	time.Sleep(while)
	none("a guarded device", all)
	if s, err := p.Stats(t.Context()); err != nil || s.TurnedAway == 0 {
		t.Errorf("no packet was counted: %+v, %v", s, err)
	}
	want := rules(t, "in udp 7001 from 10.1.0.0/16", "in udp 7001 from 2001:db8:1::/64", "out udp 7001 to 10.1.0.0/16", "out udp 7001 to 2001:db8:1::/64")
	apply(t, p, want)
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	arrive("bound", allowed)
	none("bound", denied)
	// Unbound under the flood, what was allowed ends and nothing else begins.
	if err := p.Unbind(t.Context(), eni); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // what is on its way
	reset()
	time.Sleep(while)
	none("unbound", all)
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	arrive("bound again", allowed)
	none("bound again", denied)

	// With no process.
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	reset()
	arrive("with no process", allowed)
	run(t, "ip -n "+l.host+" link del w")
	run(t, "ip -n "+l.workload+" link add w address "+hosts+" type veth peer name eth0 address "+mine)
	prepare()
	time.Sleep(50 * time.Millisecond)
	reset()
	appear()
	time.Sleep(while)
	none("a device that comes with no process", all)

	// The next process changes places with it.
	p = open(t, o)
	if err := guard("w"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(while)
	none("the next process", all)
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	arrive("bound by the next process", allowed)
	none("bound by the next process", denied)
	if err := p.Unbind(t.Context(), eni); err != nil {
		t.Fatal(err)
	}
	if err := guard(); err != nil {
		t.Fatal(err)
	}
	arrive("nobody guards it any more", all)
}

// A port of a bridge whose name is guarded passes nothing from the moment that it
// appears, on any kernel, whether or not its bridge knows VLANs, and after it was
// detached. Before it is guarded it does.
func TestGuardedPortOfBridge(t *testing.T) {
	clause.Holds(t, "F71", "F72")
	l := newLab(t)
	const times = 40
	run(t, "ip -n "+l.host+" link add br9 type bridge forward_delay 0")
	run(t, "ip -n "+l.host+" link set br9 up")
	hosts := "02:00:00:00:09:01"
	port := func(name, ns string) {
		t.Helper()
		run(t, "ip -n "+l.host+" link add "+name+" type veth peer name eth9 netns "+ns)
		run(t, "ip -n "+ns+" link set eth9 up")
		run(t, "ip -n "+l.host+" link set "+name+" master br9 up")
	}
	port("other", l.client)
	run(t, "ip -n "+l.client+" addr add 10.99.0.2/24 dev eth9")
	run(t, "ip -n "+l.client+" link set eth9 address 02:00:00:00:09:02")
	run(t, "ip -n "+l.client+" neigh replace 10.99.0.3 dev eth9 lladdr "+hosts+" nud permanent")
	heard := receive(t, l.client, "10.99.0.2:7100")
	appear := func(name string) {
		t.Helper()
		port(name, l.workload)
		run(t, "ip -n "+l.workload+" link set eth9 address "+hosts)
		run(t, "ip -n "+l.workload+" addr add 10.99.0.3/24 dev eth9")
		run(t, "ip -n "+l.workload+" neigh replace 10.99.0.2 dev eth9 lladdr 02:00:00:00:09:02 nud permanent")
	}
	appear("plain")
	flood(t, l.workload, "10.99.0.2:7100")
	for end := time.Now().Add(5 * time.Second); heard.Load() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a port that nobody guards passes nothing")
		}
	}
	run(t, "ip -n "+l.host+" link del plain")
	time.Sleep(50 * time.Millisecond)
	p := open(t, Options{Identity: fmt.Sprintf("t-%016x", rand.Uint64())})
	if err := in(t, l.host, func() error { return guardNames(p, "vn*") }); err != nil {
		t.Skip(err)
	}
	heard.Store(0)
	for range times {
		appear("vn0")
		run(t, "ip -n "+l.host+" link del vn0")
	}
	if n := heard.Load(); n != 0 {
		t.Errorf("%d packets passed while a guarded port appeared %d times", n, times)
	}
	appear("vn0")
	apply(t, p, rules(t, "out udp 7100 to 10.99.0.0/24"))
	rs := rules(t, "out udp 7100 to 10.99.0.0/24")
	rs.Interfaces[0].Own = []netip.Prefix{netip.MustParsePrefix("10.99.0.3/32")}
	apply(t, p, rs)
	if err := p.Bind(t.Context(), dataplane.Binding{Interface: eni, Device: "vn0", Netns: l.binding.Netns}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); heard.Load() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a guarded port that is bound passes nothing")
		}
	}
	if err := p.Unbind(t.Context(), eni); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	heard.Store(0)
	time.Sleep(150 * time.Millisecond)
	if n := heard.Load(); n != 0 {
		t.Errorf("%d packets pass after it was detached", n)
	}
}

// Before a data plane is opened nftables alone guards, and lets what is bound pass as
// soon as the data plane guards.
func TestGuardFirst(t *testing.T) {
	clause.Holds(t, "F100")
	l := newLab(t)
	serve(t, l.workload, "tcp", "10.0.0.5:80")
	reaches := func() bool {
		t.Helper()
		c, err := dial(t, l.client, "tcp", "10.0.0.5:80")
		if err != nil {
			if !isTimeout(err) {
				t.Fatal(err)
			}
			return false
		}
		c.Close()
		return true
	}
	if !reaches() {
		t.Fatal("a device that nobody guards does not pass")
	}
	o := Options{Identity: fmt.Sprintf("t-%016x", rand.Uint64())}
	guards := dataplane.Guards{Names: []dataplane.Pattern{"?x", "w*"}}
	if err := in(t, l.host, func() error { return GuardFirst(o.Identity, guards) }); err != nil {
		t.Skip(err)
	}
	if reaches() {
		t.Error("a guarded device passes before a data plane is opened")
	}
	p := open(t, o)
	apply(t, p, rules(t, "in tcp 80 from 0.0.0.0/0"))
	guards.Names = guards.Names[1:]
	if err := in(t, l.host, func() error { return errors.Join(p.Guard(t.Context(), guards)) }); err != nil {
		t.Fatal(err)
	}
	if reaches() {
		t.Error("a guarded device passes before it is bound")
	}
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	if !reaches() {
		t.Error("a bound device does not pass what a rule allows")
	}
}

// The machine's own device, before it is bound, passes what the machine needs to get an
// address and its pinholes, each in its direction, and nothing else.
func TestGuardedOwnDevice(t *testing.T) {
	clause.Holds(t, "F74")
	l := newLab(t)
	for _, addr := range []string{"10.1.0.1:22", "10.1.0.1:23", "[2001:db8:1::1]:22"} {
		serve(t, l.host, "tcp", addr)
	}
	for _, addr := range []string{"10.1.0.9:2379", "10.1.0.9:2380", "10.1.0.9:22"} {
		serve(t, l.client, "tcp", addr)
	}
	check := func(when string, want bool, ns, addr string) {
		t.Helper()
		c, err := dial(t, ns, "tcp", addr)
		if err == nil {
			c.Close()
		}
		if err == nil != want {
			t.Errorf("%s: from %s to %s: %v, want it to pass: %v", when, ns, addr, err, want)
		}
	}
	var heard sync.Map // what has arrived
	socket := func(ns, addr string) (c net.PacketConn) {
		t.Helper()
		if err := in(t, ns, func() (err error) {
			c, err = net.ListenPacket("udp4", addr)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			for b := make([]byte, 64); ; {
				n, _, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				heard.Store(string(b[:n]), true)
			}
		}()
		return c
	}
	client, other, server := socket(l.host, "10.1.0.1:68"), socket(l.host, "10.1.0.1:69"), socket(l.client, "10.1.0.9:67")
	hole := func(text string) ruleset.Pinhole {
		p, err := ruleset.ParsePinhole(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open(t, Options{Identity: fmt.Sprintf("t-%016x", rand.Uint64())})
	guards := dataplane.Guards{Own: []dataplane.Pattern{"c"},
		Pinholes: []ruleset.Pinhole{hole("22/10.1.0.0/24"), hole("22/2001:db8:1::/64"), hole("out:2379/10.1.0.8/29")}}
	if err := in(t, l.host, func() error { return errors.Join(p.Guard(t.Context(), guards)) }); err != nil {
		t.Skip(err)
	}
	// Neighbours are looked for again, which IPv6 does by packets of its own.
	run(t, "ip -n "+l.host+" neigh flush dev c")
	run(t, "ip -n "+l.client+" neigh flush dev eth0")
	check("guarded", true, l.client, "10.1.0.1:22")
	check("guarded", true, l.client, "[2001:db8:1::1]:22")
	check("guarded", false, l.client, "10.1.0.1:23")
	check("guarded", true, l.host, "10.1.0.9:2379")
	check("guarded", false, l.host, "10.1.0.9:2380")
	check("guarded", false, l.host, "10.1.0.9:22")
	for what, x := range map[string]struct{ from, to net.PacketConn }{
		"a request": {client, server}, "a reply": {server, client},
		"a request from another port": {other, server}, "a reply to another port": {server, other},
	} {
		x.from.WriteTo([]byte(what), x.to.LocalAddr()) // the gate may refuse it here
	}
	for _, what := range []string{"a request", "a reply"} {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, ok := heard.Load(what); ok {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("guarded: %s of DHCP does not pass", what)
			}
		}
	}
	for _, what := range []string{"a request from another port", "a reply to another port"} {
		if _, ok := heard.Load(what); ok {
			t.Errorf("guarded: %s passes", what)
		}
	}
	// Bound and observing, it passes everything.
	b := l.binding
	b.Device, b.Side, b.Observe = "c", dataplane.Workload, true
	if err := p.Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	check("bound", true, l.client, "10.1.0.1:23")
	if err := p.Unbind(t.Context(), eni); err != nil {
		t.Fatal(err)
	}
	check("unbound", false, l.client, "10.1.0.1:23")
	if err := in(t, l.host, func() error { return errors.Join(p.Guard(t.Context(), dataplane.Guards{})) }); err != nil {
		t.Fatal(err)
	}
	check("not guarded any more", true, l.client, "10.1.0.1:23")
}
