package firewall_test

import (
	"encoding/binary"
	"fmt"
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
	"unsafe"

	"golang.org/x/sys/unix"

	"moat/test/clause"
	"moat/test/ec2client"
	"moat/test/moattest"
)

// TestFlood: whatever is done to the server, to its rules and to the device, no
// packet that no rule allows gets through, and none that a rule allows is lost.
// Denied senders send as fast as they can, from outside and from the workload;
// an allowed one sends numbered datagrams, half of them of new flows.
//
// 10,000 rulesets: go test ./test/firewall -run TestFlood -long -timeout 1h
func TestFlood(t *testing.T) {
	clause.Holds(t, "F49", "F51")
	swaps := 300
	if *long {
		swaps = 10_000
	}
	l := newLab(t)
	shut := l.group("shut")
	web := &machine{}
	friend, stranger := l.machine("friend"), l.machine("stranger")
	l.authorize(shut, "Ingress", "udp 7000 "+friend.four+"/32")
	twin := l.group("twin")
	l.authorize(twin, "Ingress", "udp 6000-7000 "+friend.four+"/32", "tcp 7001 "+friend.four+"/32")

	// The device is made while the flood is on.
	r := l.call("CreateNetworkInterface", "SubnetId", l.subnet, "Ipv6AddressCount", "1", "SecurityGroupId.1", shut)
	*web = machine{lab: l, netns: l.name + "web", port: "web", eni: r.Get("networkInterfaceId"), four: r.Get("privateIpAddress"), six: r.Get("ipv6Address")}
	l.netns(web.netns)
	target := netip.MustParseAddr(web.four)
	mac := net.HardwareAddr{2, 0x77, 0, 0, 0, 1}
	for _, m := range []*machine{friend, stranger} {
		l.ip("-n", m.netns, "neigh", "replace", web.four, "lladdr", mac.String(), "dev", "eth0")
	}
	fromStranger := stranger.flood(target, 7000)
	toShut := friend.flood(target, 7001)
	sees := web.watch("came into the workload", "udp and not from the friend to port 7000", func(p []byte) bool {
		udp := len(p) >= 38 && p[12] == 8 && p[13] == 0 && p[23] == 17
		from, _ := netip.AddrFromSlice(p[26:30])
		return udp && p[6] != 2 && (from.String() != friend.four || binary.BigEndian.Uint16(p[36:]) != 7000) && from != target
	})
	times := 3
	if *long {
		times = 20
	}
	for n := range times {
		if n > 0 {
			l.ip("-n", l.host, "link", "del", web.port)
			web.shown("gone") // or what is shown next may be the one before
		}
		web.link()
		l.ip("-n", web.netns, "link", "set", "eth0", "address", mac.String())
		if n == 0 {
			web.attach()
		} else {
			web.shown("enforce")
		}
		web.up()
		time.Sleep(200 * time.Millisecond)
	}
	sees.none("while the device was made and made again")

	// From the workload's side, with a socket that outlives its device.
	l.ip("-n", web.netns, "neigh", "replace", friend.four, "lladdr", friend.mac(), "dev", "eth0")
	fromWeb := web.flood(netip.MustParseAddr(friend.four), 7003)
	escapes := friend.watch("came out of the workload", "udp to port 7003", func(p []byte) bool {
		return len(p) >= 38 && p[12] == 8 && p[13] == 0 && p[23] == 17 && binary.BigEndian.Uint16(p[36:]) == 7003
	})
	steady := friend.steady(web, 7000)
	check := func(when string) {
		t.Helper()
		sees.none(when)
		escapes.none(when)
		steady.lossless(when)
	}
	time.Sleep(200 * time.Millisecond)
	check("at first")

	// Rulesets: a rule comes and goes, and the interface's groups are others,
	// all of which allow the friend.
	swap := func(n int) error {
		var r *ec2client.Reply
		var err error
		rule := permissions("tcp 9000-9100 "+friend.four+"/32", "udp 7100-7200 0.0.0.0/0")
		switch n % 4 {
		case 0:
			r, err = l.client.Do(t.Context(), "AuthorizeSecurityGroupIngress", append([]string{"GroupId", shut}, rule...)...)
		case 2:
			r, err = l.client.Do(t.Context(), "RevokeSecurityGroupIngress", append([]string{"GroupId", shut}, rule...)...)
		default:
			r, err = l.client.Do(t.Context(), "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", web.eni, "SecurityGroupId.1", []string{1: twin, 3: shut}[n%4])
		}
		if err == nil && !r.OK() && r.Code != "InvalidPermission.Duplicate" && r.Code != "InvalidPermission.NotFound" {
			err = fmt.Errorf("ruleset %d: %v", n, r)
		}
		return err
	}
	began := time.Now()
	for n := range swaps {
		if err := swap(n); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	check(fmt.Sprintf("after %d rulesets", swaps))
	t.Logf("%d rulesets in %v", swaps, took.Round(time.Millisecond))

	// The server is upgraded, and killed in the middle of changes.
	l.server.Stop()
	time.Sleep(100 * time.Millisecond)
	check("after the server has stopped")
	l.server.Bin = upgraded(t)
	l.server.Again()
	check("after an upgrade")
	if got := l.moat("status"); !strings.Contains(got, "enforce") {
		t.Errorf("after the upgrade: %s", got)
	}
	rounds := 3
	if *long {
		rounds = 20
	}
	var swapped atomic.Int64
	for n := range rounds {
		stop := make(chan struct{})
		var change sync.WaitGroup
		change.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					if swap(i) == nil {
						swapped.Add(1)
					}
				}
			}
		})
		time.Sleep(time.Duration(50+37*n%100) * time.Millisecond)
		l.server.Kill()
		close(stop)
		change.Wait()
		check("after kill -9")
		l.server.Again()
		check("after another start")
	}
	t.Logf("%d rulesets before %d kills", swapped.Load(), rounds)

	sent, lost := steady.stop()
	denied := fromStranger.stop() + toShut.stop() + fromWeb.stop()
	check("at the end")
	t.Logf("allowed: %d sent, %d lost; denied: %d sent, %d arrived", sent, lost, denied, sees.seen.Load()+escapes.seen.Load())
	if denied < 10_000 || sent < 1000 {
		t.Errorf("that was no flood: %d denied and %d allowed datagrams", denied, sent)
	}
	if !sees.works(stranger, web) {
		t.Error("what watches the workload sees nothing when nothing filters")
	}
}

// upgraded gives another file of the same program: a process of it takes over
// as one of the next version does, and puts programs of its own in place.
func upgraded(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(moattest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "moat-next")
	if err := os.WriteFile(bin, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return bin
}

// shown waits until the interface is shown in a mode.
func (m *machine) shown(mode string) {
	m.lab.Helper()
	m.lab.until(10*time.Second, func() error {
		for line := range strings.Lines(m.lab.moat("interfaces")) {
			if strings.HasPrefix(line, m.eni) && strings.Contains(line, " "+mode+" ") {
				return nil
			}
		}
		return fmt.Errorf("%s is not shown as %s", m.port, mode)
	})
}

func (m *machine) mac() string {
	m.lab.Helper()
	var mac string
	m.must(func() error {
		dev, err := net.InterfaceByName("eth0")
		if err == nil {
			mac = dev.HardwareAddr.String()
		}
		return err
	})
	return mac
}

// A flood is a thread that sends as fast as it can.
type flood struct {
	sent atomic.Int64
	end  atomic.Bool
	done sync.WaitGroup
}

func (f *flood) stop() int64 {
	f.end.Store(true)
	f.done.Wait()
	return f.sent.Load()
}

// flood sends small datagrams, of many flows, as fast as the machine can.
func (m *machine) flood(to netip.Addr, port int) *flood { return m.paced(to, port, 0) }

// paced is a flood with a pause after each 32 datagrams.
func (m *machine) paced(to netip.Addr, port int, pause time.Duration) *flood {
	m.lab.Helper()
	f := &flood{}
	var fd int
	family := unix.AF_INET
	if to.Is6() {
		family = unix.AF_INET6
	}
	m.must(func() (err error) {
		if fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP); err != nil {
			return err
		}
		if to.Is6() { // the kernel writes the checksum
			return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, 6)
		}
		return nil
	})
	f.done.Go(func() {
		defer unix.Close(fd)
		// One processor is the allowed sender's, if there are two: what waits on a
		// processor for its turn is bounded by the kernel, whoever sent it.
		runtime.LockOSThread()
		stay(0)
		if !*long {
			unix.Setpriority(unix.PRIO_PROCESS, 0, 10) // other tests run beside it
		}
		const batch = 32
		type header struct {
			unix.Msghdr
			n uint32
			_ uint32
		}
		addr := unix.RawSockaddrInet6{Family: uint16(family), Addr: to.As16()}
		size := unsafe.Sizeof(addr)
		if to.Is4() {
			four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&addr))
			*four, size = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.As4()}, unsafe.Sizeof(*four)
		}
		headers := make([]header, batch)
		parts := make([]unix.Iovec, batch)
		data := make([][24]byte, batch)
		for i := range headers {
			headers[i].Name, headers[i].Namelen = (*byte)(unsafe.Pointer(&addr)), uint32(size)
			parts[i].Base = &data[i][0]
			parts[i].SetLen(len(data[i]))
			headers[i].Iov = &parts[i]
			headers[i].SetIovlen(1)
		}
		for n := 0; !f.end.Load(); n++ {
			for i := range data {
				binary.BigEndian.PutUint16(data[i][0:], uint16(10_000+(n*batch+i)%50_000))
				binary.BigEndian.PutUint16(data[i][2:], uint16(port))
				binary.BigEndian.PutUint16(data[i][4:], uint16(len(data[i])))
			}
			got, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&headers[0])), batch, 0, 0, 0)
			if e == 0 {
				f.sent.Add(int64(got))
			} else if e == unix.ENOBUFS {
				f.sent.Add(1) // it was dropped at the sender's own device
			} else {
				time.Sleep(time.Millisecond) // the device is not there
			}
			if pause > 0 {
				time.Sleep(pause)
			}
		}
	})
	m.lab.Cleanup(func() { f.stop() })
	return f
}

// stay binds the thread to a processor, counted round.
func stay(cpu int) {
	var set unix.CPUSet
	set.Set(cpu % runtime.NumCPU())
	unix.SchedSetaffinity(0, &set)
}

// A watcher sees every packet at a machine, before anything there could drop
// it, and counts those that must not be there.
type watcher struct {
	m    *machine
	what string
	seen atomic.Int64
	all  atomic.Int64
	last atomic.Pointer[[]byte]
}

func (m *machine) watch(what, which string, forbidden func(p []byte) bool) *watcher {
	m.lab.Helper()
	return m.watchFor(unix.ETH_P_IP, what, which, forbidden)
}

// watchFor is watch of another protocol than IPv4.
func (m *machine) watchFor(protocol int, what, which string, forbidden func(p []byte) bool) *watcher {
	m.lab.Helper()
	w := &watcher{m: m, what: what + " (" + which + ")"}
	m.must(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol>>8|protocol&0xff<<8)
		if err != nil {
			return err
		}
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		f := os.NewFile(uintptr(fd), "watch")
		m.lab.Cleanup(func() { f.Close() })
		go func() {
			p := make([]byte, 2048)
			for {
				n, err := f.Read(p)
				if err != nil {
					return
				}
				w.all.Add(1)
				if n >= 38 && forbidden(p[:n]) {
					b := append([]byte(nil), p[:n]...)
					w.last.Store(&b)
					w.seen.Add(1)
				}
			}
		}()
		return nil
	})
	return w
}

func (w *watcher) none(when string) {
	w.m.lab.Helper()
	if n := w.seen.Swap(0); n > 0 {
		w.m.lab.Errorf("%s: %d packets %s; the last is %x", when, n, w.what, *w.last.Load())
	}
}

// works reports whether the watcher sees a packet once nothing filters.
func (w *watcher) works(from, to *machine) bool {
	l := w.m.lab
	l.moat("detach", to.eni)
	c := from.packets(":0")
	a := netip.AddrPortFrom(netip.MustParseAddr(to.four), 7000)
	for range 100 {
		c.WriteToUDPAddrPort([]byte("word"), a)
		time.Sleep(10 * time.Millisecond)
		if w.seen.Load() > 0 {
			return true
		}
	}
	return false
}

// A steady sender numbers its datagrams, and its receiver misses none.
type steady struct {
	m       *machine
	end     atomic.Bool
	sending sync.WaitGroup
	mu      sync.Mutex
	sent    int
	got     map[uint32]bool
	unsent  int
	dropped int64
}

const pace = 500 * time.Microsecond

// steady sends from a machine to another at a steady rate: every other
// datagram from a socket that stays, the rest from a port that nobody used.
func (m *machine) steady(to *machine, port uint16) *steady {
	m.lab.Helper()
	s := &steady{m: m, got: map[uint32]bool{}, dropped: backlogDrops()}
	l := to.packets(fmt.Sprintf("0.0.0.0:%d", port))
	go func() {
		b := make([]byte, 64)
		for {
			n, _, err := l.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if n == 4 {
				s.mu.Lock()
				s.got[binary.BigEndian.Uint32(b)] = true
				s.mu.Unlock()
			}
		}
	}()
	a := netip.AddrPortFrom(netip.MustParseAddr(to.four), port)
	var fd int
	m.must(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		return err
	})
	s.sending.Go(func() {
		defer unix.Close(fd)
		runtime.LockOSThread()
		stay(1)
		sa := &unix.SockaddrInet4{Addr: a.Addr().As4()}
		for n := uint32(0); !s.end.Load(); n++ {
			from := uint16(9000)
			if n%2 == 1 {
				from = uint16(10_000 + n/2%50_000)
			}
			var p [12]byte
			binary.BigEndian.PutUint16(p[0:], from)
			binary.BigEndian.PutUint16(p[2:], port)
			binary.BigEndian.PutUint16(p[4:], 12)
			binary.BigEndian.PutUint32(p[8:], n)
			if err := unix.Sendto(fd, p[:], 0, sa); err != nil {
				s.mu.Lock()
				s.unsent++
				s.got[n] = true
				s.mu.Unlock()
			}
			s.mu.Lock()
			s.sent = int(n) + 1
			s.mu.Unlock()
			time.Sleep(pace)
		}
	})
	m.lab.Cleanup(func() { s.stop() })
	return s
}

// lossless waits for what was sent until now.
func (s *steady) lossless(when string) {
	s.m.lab.Helper()
	s.mu.Lock()
	sent := s.sent
	s.mu.Unlock()
	var missing []uint32
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		missing = nil
		s.mu.Lock()
		for n := range uint32(sent) {
			if !s.got[n] {
				missing = append(missing, n)
			}
		}
		s.mu.Unlock()
		if len(missing) == 0 || time.Now().After(end) {
			break
		}
	}
	if n := backlogDrops() - s.dropped; int64(len(missing)) <= n {
		return // the kernel's own queue was full: no filter's doing
	}
	if len(missing) > 0 {
		s.m.lab.Errorf("%s: of %d allowed datagrams %d are lost: %v…", when, sent, len(missing), missing[:min(10, len(missing))])
		s.mu.Lock()
		for _, n := range missing {
			s.got[n] = true
		}
		s.mu.Unlock()
	}
}

func (s *steady) stop() (sent, lost int) {
	s.end.Store(true)
	s.sending.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range uint32(s.sent) {
		if !s.got[n] {
			lost++
		}
	}
	return s.sent, lost
}

// backlogDrops counts the packets that the kernel dropped because the queue of
// the allowed sender's processor was full.
func backlogDrops() (dropped int64) {
	b, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return 0
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var total int64
	fmt.Sscanf(lines[min(1, len(lines)-1)], "%x %x", &total, &dropped)
	return dropped
}
