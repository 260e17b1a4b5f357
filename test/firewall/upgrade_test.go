package firewall_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/test/clause"
	"moat/test/moattest"
)

// TestUpgradeFromV2: the server of the last commit whose kernel maps have layout 2 is
// replaced by this one, under traffic: no tracked flow is lost, and no packet that no
// rule allows gets through. So it is when the old server is killed, when the new one is
// killed while it takes over, and on the way back.
//
//	go test ./test/firewall -run TestUpgradeFromV2 -long -timeout 1h
func TestUpgradeFromV2(t *testing.T) {
	clause.Holds(t, "F49", "F61")
	kills := 4
	if *long {
		kills = 60
	}
	old := moattest.Released(t, moattest.Layout2, "./cmd/moat", nil)
	l := newLabOf(t, old)
	friend, stranger := l.machine("friend"), l.machine("stranger")
	// What one side may begin, and the other may only answer.
	group := l.group("work")
	for _, a := range []string{friend.four + "/32", friend.six + "/128"} {
		l.authorize(group, "Ingress", "tcp 7000 "+a, "udp 7001 "+a)
		l.authorize(group, "Egress", "tcp 7100 "+a, "udp 7101-7109 "+a)
	}
	cut, aws := l.group("cut"), l.group("aws", "moat:on-revoke", "aws")
	u := &upgrading{lab: l, friend: friend, stranger: stranger, workloads: []*machine{
		l.machine("bridged", group, cut), l.workloadSide("side", group), l.routed("routed", friend, group)}}
	u.outlived = l.machine("outlived", aws)
	u.outlive(aws)
	u.open()
	u.flood(cut)
	u.check("with the old server")

	// Forward, as it should be.
	u.saveCounters()
	if status := l.server.Stop(); status != 0 {
		t.Errorf("the old server ended with %d", status)
	}
	u.check("with no server")
	l.server.Bin = moattest.Binary(t)
	l.server.Again()
	u.check("after the upgrade")
	u.checkCounters()
	u.enforced("v3")
	ready := l.server.ToReady
	t.Logf("the new server was ready after %v", ready.Round(time.Millisecond))
	l.authorize(group, "Ingress", "tcp 7002 "+friend.four+"/32")
	u.check("after a change with the new server")

	// The way back: the old server does not know this layout, leaves it in force, and is
	// made to begin anew. What is open is tracked again if a rule allows its next packet.
	l.server.Stop()
	l.server.Bin = old
	l.server.Again()
	if s := l.moat("status"); !strings.Contains(s, "the kernel has rules of layout v3") {
		t.Errorf("the old server says:\n%s", s)
	}
	u.check("with the old server again")
	if out := l.moat("detach", "--force"); !strings.Contains(out, "is enforced") {
		t.Fatalf("moat detach --force: %s", out)
	}
	u.trackAgain()
	u.check("with the old server, which began anew")
	u.enforced("v2")
	u.outlive(aws)

	// Forward, when everybody is killed.
	u.saveCounters()
	l.server.Kill()
	l.server.Bin = moattest.Binary(t)
	left := map[string]int{}
	for range kills {
		l.server.StartAndKill(time.Duration(rand.Int64N(int64(ready + ready/4))))
		folders := strings.Join(u.folders(), " ")
		left[folders]++
		u.check("killed with " + folders)
	}
	l.server.Again()
	u.check("after the upgrade with kills")
	u.checkCounters()
	u.enforced("v3")
	t.Logf("what the kernel had after the kills: %v", left)
	u.end()
}

// workloadSide makes a machine that is enforced on its own device.
func (l *lab) workloadSide(name string, groups ...string) *machine {
	l.Helper()
	m := l.made(name, groups)
	m.link()
	m.up()
	if out := l.moat("attach", m.eni, "--dev", "eth0", "--netns", m.netns, "--side", "workload"); !strings.Contains(out, "enforced (revision ") {
		l.Fatalf("moat attach: %s", out)
	}
	return m
}

// routed makes a machine behind a link of its own, to which the host routes. A peer on
// the bridge, and everything else, is reached by the host.
func (l *lab) routed(name string, peer *machine, groups ...string) *machine {
	l.Helper()
	m := l.made(name, groups)
	const ours, guests, bridge = "02:77:00:00:10:01", "02:77:00:00:10:02", "02:77:00:00:10:03"
	l.ip("-n", l.host, "link", "set", "br0", "address", bridge)
	l.ip("-n", l.host, "link", "add", m.port, "address", ours, "type", "veth", "peer", "name", "eth0", "address", guests, "netns", m.netns)
	m.attach()
	l.sysctl(l.host, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.br0.rp_filter=0", "net.ipv4.conf."+m.port+".rp_filter=0")
	l.ip("-n", l.host, "link", "set", m.port, "up")
	l.ip("-n", m.netns, "link", "set", "lo", "up")
	l.ip("-n", m.netns, "link", "set", "eth0", "up")
	for _, x := range []struct{ own, peer, bits, gateway string }{{m.four, peer.four, "/32", "169.254.1.1"}, {m.six, peer.six, "/128", "fe80::1"}} {
		l.ip("-n", m.netns, "addr", "add", x.own+x.bits, "dev", "eth0")
		l.ip("-n", m.netns, "neigh", "replace", x.gateway, "lladdr", ours, "dev", "eth0", "nud", "permanent")
		l.ip("-n", m.netns, "route", "add", "default", "via", x.gateway, "dev", "eth0", "onlink")
		l.ip("-n", l.host, "neigh", "replace", x.own, "lladdr", guests, "dev", m.port, "nud", "permanent")
		l.ip("-n", l.host, "route", "add", x.own+x.bits, "dev", m.port)
		l.ip("-n", l.host, "neigh", "replace", x.peer, "lladdr", peer.mac(), "dev", "br0", "nud", "permanent")
		l.ip("-n", l.host, "route", "add", x.peer+x.bits, "dev", "br0")
		l.ip("-n", peer.netns, "neigh", "replace", x.own, "lladdr", bridge, "dev", "eth0", "nud", "permanent")
	}
	return m
}

// upgrading has the traffic of the test, and what is known of it.
type upgrading struct {
	*lab
	friend, stranger *machine
	workloads        []*machine
	outlived         *machine // whose flows outlive their rules

	idle     []*call
	survivor []*call // flows of outlived
	busy     []*echoing
	streams  []*stream
	floods   []*flood
	watchers []*watcher
	refused  []*strange
	counts   map[string]uint64
}

// A call is a TCP connection of which either side may speak.
type call struct {
	name             string
	dialed, accepted net.Conn
}

// call makes one.
func (l *lab) openCall(from, to *machine, addr string, port int) *call {
	l.Helper()
	c := &call{name: fmt.Sprintf("%s to %s, %s", from.netns[len(l.name):], to.netns[len(l.name):], addr)}
	var s net.Listener
	at := net.JoinHostPort(addr, fmt.Sprint(port))
	to.must(func() (err error) {
		s, err = net.Listen("tcp", at)
		return err
	})
	defer s.Close()
	from.must(func() (err error) {
		c.dialed, err = net.DialTimeout("tcp", at, 10*time.Second)
		return err
	})
	var err error
	if c.accepted, err = s.Accept(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { c.dialed.Close(); c.accepted.Close() })
	if err := errors.Join(speaks(c.dialed, c.accepted), speaks(c.accepted, c.dialed)); err != nil {
		l.Fatalf("%s: %v", c.name, err)
	}
	return c
}

// speaks sends a word from one end to the other.
func speaks(from, to net.Conn) error {
	word := fmt.Sprintf("%08x", rand.Uint32())
	if _, err := from.Write([]byte(word)); err != nil {
		return err
	}
	to.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, len(word))
	if _, err := io.ReadFull(to, b); err != nil {
		return err
	}
	if string(b) != word {
		return fmt.Errorf("%q arrived, want %q", b, word)
	}
	return nil
}

// An echoing is a call that is in use all the time: what is dialed sends numbers, which
// come back.
type echoing struct {
	*call
	n    atomic.Uint64
	fail atomic.Pointer[error]
}

func (c *call) use() *echoing {
	e := &echoing{call: c}
	c.dialed.SetDeadline(time.Time{})
	c.accepted.SetDeadline(time.Time{})
	go io.Copy(c.accepted, c.accepted)
	go func() {
		b := make([]byte, 1000)
		for n := uint64(1); ; n++ {
			binary.BigEndian.PutUint64(b, n)
			_, err := c.dialed.Write(b)
			if err == nil {
				_, err = io.ReadFull(c.dialed, b)
			}
			if got := binary.BigEndian.Uint64(b); err == nil && got != n {
				err = fmt.Errorf("%d came back of %d", got, n)
			}
			if err != nil {
				e.fail.Store(&err)
				return
			}
			e.n.Store(n)
			time.Sleep(2 * time.Millisecond)
		}
	}()
	return e
}

// goesOn reports why numbers do not come back.
func (e *echoing) goesOn() error {
	for n, end := e.n.Load(), time.Now().Add(10*time.Second); e.n.Load() < n+2; time.Sleep(2 * time.Millisecond) {
		if err := e.fail.Load(); err != nil {
			return *err
		}
		if time.Now().After(end) {
			return errors.New("no number comes back")
		}
	}
	return nil
}

// A stream is UDP: numbers go one way, which a rule allows, and their answers come back,
// which are let through because the flow is tracked.
type stream struct {
	name string
	conn net.Conn
	mu   sync.Mutex
	sent uint32
	from uint32 // what was sent before is of no interest
	got  map[uint32]bool
}

// A strange has the datagrams that came to a port from another than the friend.
type strange struct {
	name string
	n    atomic.Int64
}

// stream makes one, and counts what comes to its port from somebody else.
func (u *upgrading) stream(from, to *machine, addr string, port int) *stream {
	u.Helper()
	s := &stream{name: fmt.Sprintf("%s to %s, %s", from.netns[len(u.name):], to.netns[len(u.name):], addr), got: map[uint32]bool{}}
	at := net.JoinHostPort(addr, fmt.Sprint(port))
	l := to.packets(at)
	from.must(func() (err error) {
		s.conn, err = net.Dial("udp", at)
		return err
	})
	u.Cleanup(func() { s.conn.Close() })
	s.conn.(*net.UDPConn).SetReadBuffer(8 << 20)
	mine := s.conn.LocalAddr().String()
	other := &strange{name: s.name}
	u.refused = append(u.refused, other)
	// As the flood is on the other processor, no queue is full of it.
	go func() {
		runtime.LockOSThread()
		stay(1)
		for b := make([]byte, 64); ; {
			n, who, err := l.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if who.String() == mine {
				l.WriteToUDPAddrPort(b[:n], who)
			} else {
				other.n.Add(1)
			}
		}
	}()
	go func() {
		for b := make([]byte, 64); ; {
			n, err := s.conn.Read(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if n == 4 {
				s.mu.Lock()
				s.got[binary.BigEndian.Uint32(b)] = true
				s.mu.Unlock()
			}
		}
	}()
	u.streams = append(u.streams, s)
	return s
}

// send sends the next number of each stream, again and again.
func (u *upgrading) send() {
	stop := make(chan struct{})
	u.Cleanup(func() { close(stop) })
	go func() {
		runtime.LockOSThread()
		stay(1)
		for {
			for _, s := range u.streams {
				s.mu.Lock()
				n := s.sent
				s.sent++
				s.mu.Unlock()
				s.conn.Write(binary.BigEndian.AppendUint32(nil, n))
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
}

// lossless waits until everything that was sent until now has been answered.
func (s *stream) lossless() error {
	s.mu.Lock()
	sent := s.sent
	s.mu.Unlock()
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		var missing []uint32
		s.mu.Lock()
		for n := s.from; n < sent; n++ {
			if !s.got[n] {
				missing = append(missing, n)
			}
		}
		s.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		if time.Now().After(end) {
			s.mu.Lock()
			s.from = sent
			s.mu.Unlock()
			return fmt.Errorf("of %d numbers %d were not answered: %v…", sent, len(missing), missing[:min(10, len(missing))])
		}
	}
}

// open opens what is tracked: from either side, idle and in use.
func (u *upgrading) open() {
	u.Helper()
	for i, w := range u.workloads {
		for _, six := range []bool{false, true} {
			mine, friends := w.four, u.friend.four
			if six {
				mine, friends = w.six, u.friend.six
			}
			u.idle = append(u.idle, u.openCall(u.friend, w, mine, 7000), u.openCall(w, u.friend, friends, 7100))
			u.busy = append(u.busy, u.openCall(u.friend, w, mine, 7000).use(), u.openCall(w, u.friend, friends, 7100).use())
			u.stream(u.friend, w, mine, 7001)
			u.stream(w, u.friend, friends, 7101+i)
		}
	}
	u.send()
}

// outlive opens flows whose rules go away then, and which outlive them.
func (u *upgrading) outlive(group string) {
	u.Helper()
	rules := []string{"tcp 7200 " + u.friend.four + "/32", "tcp 7200 " + u.friend.six + "/128"}
	for _, r := range rules {
		u.authorize(group, "Ingress", r)
	}
	u.survivor = []*call{u.openCall(u.friend, u.outlived, u.outlived.four, 7200), u.openCall(u.friend, u.outlived, u.outlived.six, 7200)}
	for _, r := range rules {
		u.revoke(group, "Ingress", r)
	}
}

// flood begins what no rule allows: from a stranger, from the workloads, and by the
// ports of flows whose rule went away.
func (u *upgrading) flood(cut string) {
	u.Helper()
	pause := 2 * time.Millisecond // other tests run beside it
	if *long {
		pause = 0
	}
	bridged, side, routed := u.workloads[0], u.workloads[1], u.workloads[2]
	// The cut ones first.
	rules := []string{"tcp 7300 " + u.friend.four + "/32", "udp 7301 " + u.friend.four + "/32"}
	for _, r := range rules {
		u.authorize(cut, "Ingress", r)
	}
	gone := u.openCall(u.friend, bridged, bridged.four, 7300)
	l := bridged.packets(bridged.four + ":7301")
	var c net.Conn
	u.friend.must(func() (err error) {
		c, err = net.Dial("udp", bridged.four+":7301")
		return err
	})
	u.Cleanup(func() { c.Close() })
	c.Write([]byte("word"))
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, _, err := l.ReadFrom(make([]byte, 64)); err != nil {
		u.Fatal(err)
	}
	for _, r := range rules {
		u.revoke(cut, "Ingress", r)
	}
	gone.dialed.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := gone.dialed.Read(make([]byte, 1)); !isReset(err) {
		u.Errorf("a connection whose rule went: %v, want a reset", err)
	}
	friendAt, bridgedAt := netip.MustParseAddr(u.friend.four), netip.MustParseAddr(bridged.four)
	port := netip.MustParseAddrPort(gone.dialed.LocalAddr().String()).Port()
	var raw int
	u.friend.must(func() (err error) {
		raw, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		return err
	})
	stop := make(chan struct{})
	var ended sync.WaitGroup
	u.Cleanup(func() { close(stop); ended.Wait(); unix.Close(raw) })
	ended.Go(func() {
		for n := uint32(0); ; n++ {
			unix.Sendto(raw, segment(friendAt, bridgedAt, port, 7300, n), 0, &unix.SockaddrInet4{Addr: bridgedAt.As4()})
			c.Write([]byte("word"))
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})

	is := func(p []byte, protocol byte) (transport []byte, from netip.Addr) {
		switch {
		case len(p) >= 14+28 && p[12] == 8 && p[13] == 0 && p[14] == 0x45 && p[23] == protocol:
			from, _ = netip.AddrFromSlice(p[26:30])
			return p[34:], from
		case len(p) >= 14+48 && p[12] == 0x86 && p[13] == 0xdd && p[20] == protocol:
			from, _ = netip.AddrFromSlice(p[22:38])
			return p[54:], from
		}
		return nil, netip.Addr{}
	}
	strangers := []string{u.stranger.four, u.stranger.six}
	watch := func(m *machine, protocol int, which string, forbidden func(p []byte) bool) {
		u.watchers = append(u.watchers, m.watchFor(protocol, "came to "+m.netns[len(u.name):], which, forbidden))
	}
	// The server provokes whoever has an idle connection that was cut, by a packet of this
	// number: it is none of the friend's.
	const provoked = 0x4d6f6174
	watch(bridged, unix.ETH_P_IP, "of the stranger, or of a flow whose rule went", func(p []byte) bool {
		if t, from := is(p, 17); t != nil {
			return from.String() == strangers[0] || from == friendAt && binary.BigEndian.Uint16(t[2:]) == 7301
		}
		t, from := is(p, 6)
		return t != nil && from == friendAt && binary.BigEndian.Uint16(t[2:]) == 7300 && t[13]&4 == 0 && binary.BigEndian.Uint32(t[4:]) != provoked
	})
	watch(routed, unix.ETH_P_IPV6, "of the stranger", func(p []byte) bool {
		t, from := is(p, 17)
		return t != nil && from.String() == strangers[1]
	})
	for _, protocol := range []int{unix.ETH_P_IP, unix.ETH_P_IPV6} {
		watch(u.friend, protocol, "of a workload, to a port that no rule allows", func(p []byte) bool {
			t, _ := is(p, 17)
			return t != nil && binary.BigEndian.Uint16(t[2:]) == 7003
		})
	}
	l4 := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	// Who floods need not look for its neighbours.
	for _, x := range []struct {
		from *machine
		to   string
		mac  string
	}{{u.stranger, bridged.four, bridged.mac()}, {u.stranger, side.four, side.mac()}, {u.stranger, routed.six, "02:77:00:00:10:03"},
		{bridged, u.friend.four, u.friend.mac()}, {side, u.friend.six, u.friend.mac()}} {
		u.ip("-n", x.from.netns, "neigh", "replace", x.to, "lladdr", x.mac, "dev", "eth0", "nud", "permanent")
	}
	u.floods = append(u.floods, u.stranger.paced(l4(bridged.four), 7001, pause), u.stranger.paced(l4(side.four), 7001, pause), u.stranger.paced(l4(routed.six), 7001, pause),
		bridged.paced(friendAt, 7003, pause), side.paced(l4(u.friend.six), 7003, pause), routed.paced(friendAt, 7003, pause))
}

// segment is an acknowledgement of TCP.
func segment(from, to netip.Addr, sport, dport uint16, n uint32) []byte {
	p := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, sport), dport)
	p = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p, n), n)
	p = append(p, 0x50, 0x10, 1, 0, 0, 0, 0, 0)
	sum := uint32(6 + len(p))
	a, b := from.As4(), to.As4()
	for _, part := range [][]byte{a[:], b[:], p} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(p[16:], ^uint16(sum))
	return p
}

// check looks whether everything is as it should be; if not, the test ends.
func (u *upgrading) check(when string) {
	u.Helper()
	var looks sync.WaitGroup
	look := func(what string, f func() error) {
		looks.Go(func() {
			if err := f(); err != nil {
				u.Errorf("%s: %s: %v", when, what, err)
			}
		})
	}
	for _, c := range append(append([]*call{}, u.idle...), u.survivor...) {
		// First the side that no rule allows to begin.
		look("idle connection, "+c.name, func() error { return errors.Join(speaks(c.accepted, c.dialed), speaks(c.dialed, c.accepted)) })
	}
	for _, e := range u.busy {
		look("connection in use, "+e.name, e.goesOn)
	}
	for _, s := range u.streams {
		look("stream, "+s.name, s.lossless)
	}
	looks.Wait()
	for _, w := range u.watchers {
		w.none(when)
	}
	for _, r := range u.refused {
		if n := r.n.Swap(0); n > 0 {
			u.Errorf("%s: %d datagrams of a stranger came to %s", when, n, r.name)
		}
	}
	if u.Failed() {
		u.FailNow()
	}
}

// trackAgain has every flow that a rule allows tracked again, after all were forgotten.
func (u *upgrading) trackAgain() {
	u.Helper()
	for _, c := range u.survivor {
		c.dialed.Close()
	}
	u.survivor = nil
	for _, c := range u.idle {
		if err := speaks(c.dialed, c.accepted); err != nil {
			u.Errorf("a connection, when its flow was forgotten: %s: %v", c.name, err)
		}
	}
	for _, s := range u.streams {
		s.mu.Lock()
		s.from = s.sent
		s.mu.Unlock()
	}
}

// saveCounters reads the counters of rules and interfaces; checkCounters checks that they
// have not gone back since.
func (u *upgrading) saveCounters() {
	u.Helper()
	u.counts = u.readCounters()
}

func (u *upgrading) checkCounters() {
	u.Helper()
	now := u.readCounters()
	for what, n := range u.counts {
		if now[what] < n {
			u.Errorf("%s: %d now, and was %d", what, now[what], n)
		}
	}
	if len(u.counts) < 8 {
		u.Errorf("counted is only %v", u.counts)
	}
}

func (u *upgrading) readCounters() map[string]uint64 {
	u.Helper()
	counts := map[string]uint64{}
	var hits struct {
		Rules []struct {
			Rule, Text                  string
			Packets, Bytes, Connections uint64
		}
	}
	u.json(&hits, "rules", "--hits", "--json")
	for _, r := range hits.Rules {
		if r.Text == "" {
			continue // it has just gone
		}
		counts["packets of "+r.Rule], counts["bytes of "+r.Rule], counts["connections of "+r.Rule] = r.Packets, r.Bytes, r.Connections
	}
	var status struct {
		Interfaces []struct {
			Interface string
			Drops     map[string]uint64
		}
	}
	u.json(&status, "status", "--json")
	for _, i := range status.Interfaces {
		for why, n := range i.Drops {
			counts["drops of "+i.Interface+" for "+why] = n
		}
	}
	return counts
}

func (u *upgrading) json(v any, args ...string) {
	u.Helper()
	if out := u.moat(args...); json.Unmarshal([]byte(out), v) != nil {
		u.Fatalf("moat %s: %s", strings.Join(args, " "), out)
	}
}

// enforced looks that the server says that all is well, and has one folder of pins.
func (u *upgrading) enforced(folder string) {
	u.Helper()
	var s struct {
		Enforced   string
		Error      string
		Interfaces []struct{ Interface, Mode, Error string }
	}
	u.until(10*time.Second, func() error {
		u.json(&s, "status", "--json")
		if s.Enforced != "yes" || s.Error != "" || len(s.Interfaces) != len(u.workloads)+1 {
			return fmt.Errorf("status: %+v", s)
		}
		for _, i := range s.Interfaces {
			if i.Mode != "enforce" || i.Error != "" {
				return fmt.Errorf("status: %+v", s)
			}
		}
		if f := u.folders(); len(f) != 1 || f[0] != folder {
			return fmt.Errorf("pinned are %v, want %s", f, folder)
		}
		return nil
	})
	if out := u.moat("status", "--probe"); strings.Contains(out, "NOT proved") || strings.Count(out, "by a probe") != len(u.workloads)+1 {
		u.Errorf("status --probe says:\n%s", out)
	}
}

// folders are those of pins.
func (u *upgrading) folders() (names []string) {
	u.Helper()
	id, err := os.ReadFile(filepath.Join(u.server.Dir, "identity"))
	if err != nil {
		u.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join("/sys/fs/bpf/moat", strings.TrimSpace(string(id))))
	if err != nil {
		u.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// end stops the traffic, and looks that it was some.
func (u *upgrading) end() {
	u.Helper()
	var sent int64
	for i, f := range u.floods {
		n := f.stop()
		if n < 100 {
			u.Errorf("that was no flood: %d datagrams of sender %d", n, i)
		}
		sent += n
	}
	u.check("at the end")
	numbers := uint32(0)
	for _, s := range u.streams {
		s.mu.Lock()
		numbers += s.sent
		s.mu.Unlock()
	}
	u.Logf("%d datagrams that no rule allows were sent, and none arrived; %d numbers of %d streams", sent, numbers, len(u.streams))
	// What watches would see them.
	u.moat("detach", u.workloads[0].eni)
	f := u.stranger.paced(netip.MustParseAddr(u.workloads[0].four), 7001, time.Millisecond)
	u.until(10*time.Second, func() error {
		if u.watchers[0].seen.Load() == 0 {
			return errors.New("what watches the workload sees nothing when nothing filters")
		}
		return nil
	})
	f.stop()
}
