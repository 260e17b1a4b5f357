package firewall_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reuse connects sockets to the workload 60 times from the same port, and ends the
// connections in different ways. Endings after which the kernel makes a socket wait
// are in testdata/hostile/tcp.txt, with hand-made segments.
func (w *wire) reuse(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, way := range []string{"the server closes", "the server resets", "the client resets"} {
			t.Run(way+map[bool]string{false: ", IPv4", true: ", IPv6"}[six], func(t *testing.T) {
				if err := w.reconnect(way, six); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func (w *wire) reconnect(way string, six bool) error {
	var l net.Listener
	w.w.must(func() (err error) {
		l, err = net.Listen("tcp", ":5000")
		return err
	})
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, make([]byte, 4))
			c.Write([]byte("word"))
			switch way {
			case "the server resets":
				c.(*net.TCPConn).SetLinger(0)
			case "the client resets":
				c.Read(make([]byte, 1))
			}
			c.Close()
		}
	}()
	from, to := w.o.four, w.w.four
	if six {
		from, to = w.o.six, w.w.six
	}
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 25_000)), Timeout: 3 * time.Second,
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		},
	}
	for n := range 60 {
		var c net.Conn
		if err := w.o.in(func() (err error) {
			c, err = d.Dial("tcp", net.JoinHostPort(to, "5000"))
			return err
		}); err != nil {
			return fmt.Errorf("connection %d: %w", n+1, err)
		}
		c.SetDeadline(time.Now().Add(3 * time.Second))
		c.Write([]byte("word"))
		_, err := io.ReadFull(c, make([]byte, 4))
		if err != nil && !isReset(err) {
			return fmt.Errorf("connection %d: %w", n+1, err)
		}
		if way == "the client resets" {
			c.(*net.TCPConn).SetLinger(0)
		} else {
			c.Read(make([]byte, 1)) // waits for the end
		}
		c.Close()
	}
	return nil
}

const bulkSize = 100 << 20

// bulk sends 100 MB each way in GSO packets, while forged resets, FINs and SYNs with
// the addresses and ports of the connection are sprayed from both ends. Every byte
// must arrive, and UDP and ICMP beside it must continue.
func (w *wire) bulk(t *testing.T) {
	answers := w.w.answerer(5002)
	for _, six := range []bool{false, true} {
		t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[six], func(t *testing.T) {
			var beside []*talk
			for _, protocol := range []string{"udp", "icmp"} {
				f, err := w.o.begin(protocol, protocol, six, answers, 5002)
				if err != nil {
					t.Fatal(err)
				}
				beside = append(beside, f.talk(5*time.Millisecond))
			}
			if err := w.stream(t, six); err != nil {
				t.Error(err)
			}
			for _, f := range beside {
				if err := f.goesOn(); err != nil {
					t.Errorf("%s beside it: %v", f.protocol, err)
				}
				f.conn.Close()
			}
		})
	}
}

// stream is one connection of bulk.
func (w *wire) stream(t *testing.T, six bool) error {
	var l net.Listener
	w.w.must(func() (err error) {
		l, err = net.Listen("tcp", ":5001")
		return err
	})
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			err = pump(c)
		}
		served <- err
	}()
	w.far.drain(func([]byte) {})
	var c net.Conn
	if err := w.o.in(func() (err error) {
		to := w.w.four
		if six {
			to = w.w.six
		}
		c, err = net.DialTimeout("tcp", net.JoinHostPort(to, "5001"), 3*time.Second)
		return err
	}); err != nil {
		return err
	}
	defer c.Close()
	seq, ack, ok := w.numbers(six)
	if !ok {
		return errors.New("no SYN+ACK was seen")
	}
	before, err := w.counts(w.w.eni)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var sprayed atomic.Int64
	var spraying sync.WaitGroup
	spraying.Go(func() { w.spray(t, six, uint16(c.LocalAddr().(*net.TCPAddr).Port), seq, ack, &sprayed, stop) })
	began := time.Now()
	err = pump(c)
	if e := <-served; err == nil {
		err = e
	}
	took := time.Since(began)
	close(stop)
	spraying.Wait()
	if err != nil {
		return err
	}
	t.Logf("%d MB each way in %v, %d segments sprayed", bulkSize>>20, took.Round(time.Millisecond), sprayed.Load())
	after, err := w.counts(w.w.eni)
	if err != nil {
		return err
	}
	if n := after.Drops["no_rule"] - before.Drops["no_rule"]; sprayed.Load() < 60 || n == 0 {
		return fmt.Errorf("of %d sprayed segments %d are dropped, want the workload's SYNs to be; %s", sprayed.Load(), n, since(before, after))
	}
	return nil
}

// numbers returns the sequence and acknowledgement numbers of the last SYN+ACK that
// the workload sent from port 5001.
func (w *wire) numbers(six bool) (seq, ack uint32, ok bool) {
	at := 14 + 20
	if six {
		at = 14 + 40
	}
	w.far.drain(func(p []byte) {
		if len(p) >= at+20 && (p[12] == 0x86) == six && be.Uint16(p[at:]) == 5001 && p[at+13]&0x3f == 0x12 {
			seq, ack, ok = be.Uint32(p[at+4:]), be.Uint32(p[at+8:]), true
		}
	})
	return seq, ack, ok
}

// spray sends forged segments of a connection in both directions until stop is
// closed. Their sequence numbers are at least 2^30 away from those in use.
func (w *wire) spray(t *testing.T, six bool, port uint16, local, remote uint32, sprayed *atomic.Int64, stop <-chan struct{}) {
	for n := uint32(0); ; {
		select {
		case <-stop:
			return
		case <-time.After(200 * time.Microsecond):
		}
		for _, out := range []bool{false, true} {
			var frames [][]byte
			for _, flags := range strings.Fields("R FA S RA R FA S RA R FA S RA R FA S RA") {
				far := 1<<30 + rand.Uint32N(1<<31)
				text := fmt.Sprintf("ip src=O dst=W / tcp 5001 %s seq=%d ack=%d", flags, remote+far, local+far)
				if out {
					text = fmt.Sprintf("ip src=W dst=O / tcp 5001 %s seq=%d ack=%d", flags, local+far, remote+far)
				}
				n++
				p, err := (&builder{cast: w.cast, out: out, six: six, life: life{port: port}, id: n & 0xffff}).build(text)
				if err != nil {
					t.Error(err)
					return
				}
				frames = append(frames, p)
			}
			if err := map[bool]*tap{false: w.far, true: w.near}[out].write(frames...); err != nil {
				t.Error(err)
				return
			}
			sprayed.Add(int64(len(frames)))
		}
	}
}

// pump sends a stream on c, and checks that it receives the same stream.
func pump(c net.Conn) error {
	pattern := make([]byte, 65_521)
	rand.NewChaCha8([32]byte{1}).Read(pattern)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	sent := make(chan error, 1)
	go func() {
		for n := 0; n < bulkSize; n += len(pattern) {
			if _, err := c.Write(pattern[:min(len(pattern), bulkSize-n)]); err != nil {
				sent <- fmt.Errorf("after %d bytes: %w", n, err)
				return
			}
		}
		sent <- c.(*net.TCPConn).CloseWrite()
	}()
	b := make([]byte, len(pattern))
	n := 0
	for {
		k, err := io.ReadFull(c, b)
		if !bytes.Equal(b[:k], pattern[:k]) {
			return fmt.Errorf("the bytes after %d differ from what was sent", n)
		}
		n += k
		if err != nil {
			if n != bulkSize {
				return fmt.Errorf("%d bytes arrive, want %d: %w", n, bulkSize, err)
			}
			return <-sent
		}
	}
}

// rate floods with each kind that passes without a rule. At most 1,024 units of
// ARP and neighbour discovery, and 256 of MLD and DHCP, may arrive each second.
func (w *wire) rate(t *testing.T) {
	const sent = 20_000
	time.Sleep(1100 * time.Millisecond) // a second in which nothing was sent
	for _, row := range []struct {
		name, frame string
		six         bool
		limit       int
	}{
		{"ARP", "arp", false, 1024},
		{"neighbour discovery", "ip src=V dst=sol:N / ns N / slla W", true, 1024},
		{"MLD", "ip src=Wl dst=ff02::16 / alert / report2 / record sol:V", true, 256},
		{"DHCP", "ip src=ANY dst=BC / client / dhcp", false, 85},
		{"DHCPv6", "ip src=Wl dst=ff02::1:2 / client / dhcp6", true, 256},
	} {
		t.Run(row.name, func(t *testing.T) {
			frame, err := w.frame(true, row.six, row.frame)
			if err != nil {
				t.Fatal(err)
			}
			before, err := w.counts(w.w.eni)
			if err != nil {
				t.Fatal(err)
			}
			frames := make([][]byte, sent)
			for i := range frames {
				frames[i] = frame
			}
			began := time.Now()
			arrived, err := w.exchange(true, frames...) // ends with a frame that a rule allows
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			after, err := w.counts(w.w.eni)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d of %d arrive in %v", arrived, sent, took.Round(time.Millisecond))
			if most := row.limit * int(took/time.Second+2); arrived > most || arrived < row.limit/2 {
				t.Errorf("%d of %d arrive in %v, want %d to %d; %s", arrived, sent, took, row.limit/2, most, since(before, after))
			}
			if n := after.Drops["rate"] - before.Drops["rate"]; int(n) < sent/2 {
				t.Errorf("%d are dropped as rate; %s", n, since(before, after))
			}
			time.Sleep(1100 * time.Millisecond) // the next second has its own limit
			if n, err := w.exchange(true, frame); err != nil || n != 1 {
				t.Errorf("a frame more than a second later does not arrive (%v)", err)
			}
		})
	}
}

// bystander makes another enforced machine, which boots and does nothing else.
func (w *wire) bystander() *machine {
	w.Helper()
	m, _, _ := w.workload("idle", w.rules)
	w.boot(m.netns, m.six+map[bool]string{false: "/64", true: "/128"}[w.routed])
	return m
}

// boot restarts IPv6 on a machine's device, so that it detects duplicates, joins
// groups and solicits routers as after a boot.
func (l *lab) boot(netns, addr string) {
	l.Helper()
	l.batch(netns, "link set eth0 down")
	l.sysctl(netns, "net.ipv6.conf.all.accept_dad=1", "net.ipv6.conf.eth0.accept_dad=1", "net.ipv6.conf.eth0.router_solicitation_interval=1")
	l.batch(netns, "link set eth0 up", "addr add "+addr+" dev eth0")
}

// healthy checks that an idle workload has no drops that would indicate an attack.
func (w *wire) healthy(t *testing.T, m *machine) {
	c, err := w.counts(m.eni)
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"spoofed", "mac_spoofed", "arp_spoofed", "rate"} {
		if n := c.Drops[reason]; n > 0 {
			t.Errorf("%d packets of an idle workload are dropped as %s", n, reason)
		}
	}
}

// TestHostileQuerier runs a bridge that snoops MLD and queries, so that neighbour
// solicitations reach only machines whose reports it has seen lately. Enforced
// machines must remain reachable by IPv6, and have no drops for it.
func TestHostileQuerier(t *testing.T) {
	l := newLab(t)
	l.ip("-n", l.host, "link", "set", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1", "mcast_mld_version", "2",
		"mcast_startup_query_interval", "25", "mcast_query_interval", "100", "mcast_query_response_interval", "50", "mcast_membership_interval", "250")
	group := l.group("web")
	o := l.machine("o")
	l.authorize(group, "Ingress", "udp 5000 "+o.six+"/128")
	w := &wire{lab: l}
	machines := map[string]*machine{}
	for _, row := range []struct{ name, side, joins string }{
		{"host's side", "host", "ff02::fb"},
		{"workload's side", "workload", "ff02::fb"},
		{"a member of a group beyond the link", "host", "ff05::c"}, // one report names all groups
	} {
		w.side = row.side
		m, _, _ := w.workload(fmt.Sprintf("w%d", len(machines)), group)
		machines[row.name] = m
		l.boot(m.netns, m.six+"/64")
		m.answerer(5000)
		m.must(func() error {
			dev, err := net.InterfaceByName("eth0")
			if err != nil {
				return err
			}
			c, err := net.ListenMulticastUDP("udp6", dev, &net.UDPAddr{IP: net.ParseIP(row.joins), Port: 5353})
			if err == nil {
				t.Cleanup(func() { c.Close() })
			}
			return err
		})
	}
	time.Sleep(6 * time.Second) // the reports of the boot have expired
	c := o.packets("[::]:0")
	for name, m := range machines {
		t.Run(name, func(t *testing.T) {
			for n := range 3 {
				l.ip("-n", o.netns, "-6", "neigh", "flush", "dev", "eth0")
				c.WriteToUDPAddrPort([]byte("word"), netip.AddrPortFrom(netip.MustParseAddr(m.six), 5000))
				c.SetReadDeadline(time.Now().Add(3 * time.Second))
				if _, _, err := c.ReadFromUDPAddrPort(make([]byte, 100)); err != nil {
					t.Errorf("after %d answers the workload is not found: %v", n, err)
					break
				}
				time.Sleep(time.Second)
			}
			w.healthy(t, m)
		})
	}
}
