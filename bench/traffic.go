package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The traffic is made by threads of this process that are bound to one
// processor. They call the kernel directly: what they need beside it is small
// and the same for every candidate. What counts is work per second of the
// processor's time that they used, in which the kernel does everything that a
// packet needs on its way, both ends included; that hardly depends on what
// else runs on the machine.

const (
	trafficPort = 7000 // and the next
	batch       = 64   // datagrams of a system call
	datagram    = 64   // bytes of payload
	fresh       = 40_000
)

// A path is two hosts that can speak to each other.
type path struct {
	client, server string // network namespaces
	to             [4]byte
	cpu            int
}

// A workload makes traffic for a while.
type workload struct {
	name string
	unit string
	run  func(p *path, d time.Duration) (*tally, error)
	// forget says that it fills tables, which are emptied after each turn.
	forget bool
}

// A tally is what was done and what it took.
type tally struct {
	work      float64
	wall, cpu time.Duration
}

var workloads = []workload{
	{name: "64-byte UDP", unit: "packets", run: (*path).udp},
	{name: "new UDP flows", unit: "flows", run: (*path).newFlows, forget: true},
	{name: "connect-exchange-close", unit: "connections", run: (*path).connect},
	{name: "one-byte ping-pong", unit: "exchanges", run: (*path).pingPong},
	{name: "bulk TCP", unit: "MB", run: (*path).bulk},
}

// in runs f on a thread of its own in a network namespace, on the processor.
func (p *path) in(netns string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		done <- func() error {
			if err := enter(netns); err != nil {
				return err
			}
			var set unix.CPUSet
			set.Set(p.cpu)
			if err := unix.SchedSetaffinity(0, &set); err != nil {
				return fmt.Errorf("stay on processor %d: %w", p.cpu, err)
			}
			// The runtime has its signals for threads that run long.
			var urgent unix.Sigset_t
			urgent.Val[(unix.SIGURG-1)/64] |= 1 << ((unix.SIGURG - 1) % 64)
			if err := unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, nil); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}

func enter(netns string) error {
	h, err := os.Open("/run/netns/" + netns)
	if err != nil {
		return err
	}
	defer h.Close()
	return unix.Setns(int(h.Fd()), unix.CLONE_NEWNET)
}

// bound gives a socket of the server, and listens if it is one of streams.
func (p *path) bound(typ, port int) (int, error) {
	var fd int
	err := p.in(p.server, func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
		if err = unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err == nil && typ == unix.SOCK_STREAM {
			err = unix.Listen(fd, 16)
		}
		return err
	})
	return fd, err
}

// clocks measures the processor time of threads and of the kernel's own on the
// processor.
type clocks struct {
	threads []int32 // clock ids
	soft    string
	at      time.Time
	spent   time.Duration
}

func (p *path) start(tids ...int) *clocks {
	c := &clocks{soft: softirqd(p.cpu)}
	for _, tid := range tids {
		c.threads = append(c.threads, int32(^tid<<3|6)) // CPUCLOCK_PERTHREAD_MASK|CPUCLOCK_SCHED
	}
	c.spent, c.at = c.now(), time.Now()
	return c
}

func (c *clocks) now() time.Duration {
	var sum time.Duration
	for _, id := range c.threads {
		var t unix.Timespec
		if unix.ClockGettime(id, &t) == nil {
			sum += time.Duration(t.Nano())
		}
	}
	if b, err := os.ReadFile(c.soft); err == nil {
		ns, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(ns, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}

func (c *clocks) stop(work float64) *tally {
	return &tally{work: work, wall: time.Since(c.at), cpu: c.now() - c.spent}
}

var softirqds = map[int]string{}

// softirqd finds the kernel's thread that takes over packets when there are
// too many for those that send them.
func softirqd(cpu int) string {
	if s, ok := softirqds[cpu]; ok {
		return s
	}
	found, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, f := range found {
		if b, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(b)) == fmt.Sprintf("ksoftirqd/%d", cpu) {
			softirqds[cpu] = filepath.Join(filepath.Dir(f), "schedstat")
		}
	}
	return softirqds[cpu]
}

// messages are datagrams to be sent or received in one system call.
type messages struct {
	headers [batch]struct {
		unix.Msghdr
		n uint32
		_ uint32
	}
	parts [batch]unix.Iovec
	data  [batch][2048]byte
}

func newMessages(size int) *messages {
	m := &messages{}
	for i := range m.headers {
		m.parts[i].Base = &m.data[i][0]
		m.parts[i].SetLen(size)
		m.headers[i].Iov = &m.parts[i]
		m.headers[i].SetIovlen(1)
	}
	return m
}

func (m *messages) send(fd int) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.headers[0])), batch, 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (m *messages) receive(fd int) int {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.headers[0])), batch, unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// udp sends datagrams of one flow. One thread sends a batch and then takes it
// out at the other end: nobody waits for anybody, and none is lost.
func (p *path) udp(d time.Duration) (t *tally, err error) {
	s, err := p.bound(unix.SOCK_DGRAM, trafficPort)
	if err != nil {
		return nil, err
	}
	defer unix.Close(s)
	err = p.in(p.client, func() error {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(c)
		if err := unix.Connect(c, &unix.SockaddrInet4{Port: trafficPort, Addr: p.to}); err != nil {
			return err
		}
		out, into := newMessages(datagram), newMessages(2048)
		var k *clocks
		arrived, sent := 0, 0
		for began := time.Now(); ; {
			now := time.Now()
			if k == nil && now.Sub(began) > d/10 {
				k, arrived, sent = p.start(unix.Gettid()), 0, 0
			} else if k != nil && now.Sub(k.at) > d {
				break
			}
			for range 8 {
				n, err := out.send(c)
				if err != nil {
					return err
				}
				sent += n
				arrived += p.take(into, s, n)
			}
		}
		t = k.stop(float64(arrived))
		return p.lost(arrived, sent)
	})
	return t, err
}

// reaches sends a datagram to a port of the server, and fails if it does not
// arrive.
func (p *path) reaches(port int) error {
	s, err := p.bound(unix.SOCK_DGRAM, port)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := p.in(p.client, func() error {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(c)
		return unix.Sendto(c, []byte("word"), 0, &unix.SockaddrInet4{Port: port, Addr: p.to})
	}); err != nil {
		return err
	}
	w := []unix.PollFd{{Fd: int32(s), Events: unix.POLLIN}}
	if n, err := unix.Poll(w, 500); n == 0 || err != nil {
		return errors.Join(errors.New("it does not arrive"), err)
	}
	return nil
}

// take receives n datagrams, which may need the kernel's thread.
func (p *path) take(m *messages, fd, n int) int {
	got := m.receive(fd)
	for tries := 0; got < n && tries < 200; tries++ {
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		got += m.receive(fd)
	}
	return got
}

func (p *path) lost(arrived, sent int) error {
	if arrived < sent-sent/100 {
		return fmt.Errorf("%d of %d datagrams arrived", arrived, sent)
	}
	return nil
}

// newFlows sends one datagram of each of many flows, as a raw socket that
// writes the source's port itself.
func (p *path) newFlows(time.Duration) (t *tally, err error) {
	s, err := p.bound(unix.SOCK_DGRAM, trafficPort)
	if err != nil {
		return nil, err
	}
	defer unix.Close(s)
	err = p.in(p.client, func() error {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		if err != nil {
			return err
		}
		defer unix.Close(c)
		if err := unix.Connect(c, &unix.SockaddrInet4{Addr: p.to}); err != nil {
			return err
		}
		out, into := newMessages(8+datagram), newMessages(2048)
		k := p.start(unix.Gettid())
		arrived, sent := 0, 0
		for sent < fresh {
			for i := range out.data {
				port := 10_000 + sent + i
				copy(out.data[i][:], []byte{byte(port >> 8), byte(port), trafficPort >> 8, trafficPort & 255, 0, 8 + datagram, 0, 0})
			}
			n, err := out.send(c)
			if err != nil {
				return err
			}
			sent += n
			arrived += p.take(into, s, n)
		}
		t = k.stop(float64(arrived))
		return p.lost(arrived, sent)
	})
	return t, err
}

// with runs a server's thread until the client is done with it, and the
// client's with the server's thread id.
func (p *path) with(server func() error, client func(tid int) error) error {
	id := make(chan int, 1)
	done := make(chan error, 1)
	go func() {
		done <- p.in(p.server, func() error {
			id <- unix.Gettid()
			return server()
		})
	}()
	var tid int
	select {
	case tid = <-id:
	case err := <-done:
		return err
	}
	return errors.Join(p.in(p.client, func() error { return client(tid) }), <-done)
}

// A stream is a TCP socket.
type stream int

func (p *path) dial() (stream, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	c := stream(fd)
	c.patience()
	a := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: trafficPort>>8 | trafficPort&255<<8, Addr: p.to}
	if _, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a)); e != 0 {
		c.close()
		return -1, e
	}
	return c, nil
}

// patience bounds every wait, so that a broken candidate ends.
func (s stream) patience() {
	unix.SetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	t := unix.Timeval{Sec: 3}
	unix.SetsockoptTimeval(int(s), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &t)
	unix.SetsockoptTimeval(int(s), unix.SOL_SOCKET, unix.SO_SNDTIMEO, &t)
}

func accept(listener int) (stream, error) {
	fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, e
	}
	return stream(fd), nil
}

func (s stream) read(b []byte) (int, error) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(s), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (s stream) write(b []byte) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (s stream) close() { unix.RawSyscall(unix.SYS_CLOSE, uintptr(s), 0, 0) }

// exchange sends a byte and waits for one.
func (s stream) exchange(b []byte) error {
	if _, err := s.write(b); err != nil {
		return err
	}
	n, err := s.read(b)
	if err == nil && n == 0 {
		err = errors.New("the server closed the connection")
	}
	return err
}

// during calls f over and over, and tallies what it did after a warm-up.
func (p *path) during(d time.Duration, server int, each int, f func() error) (*tally, error) {
	var k *clocks
	n := 0
	for began := time.Now(); ; n += each {
		now := time.Now()
		if k == nil && now.Sub(began) > d/10 {
			k, n = p.start(unix.Gettid(), server), 0
		} else if k != nil && now.Sub(k.at) > d {
			return k.stop(float64(n)), nil
		}
		for range each {
			if err := f(); err != nil {
				return nil, err
			}
		}
	}
}

// connect makes a connection, exchanges a byte and closes, over and over.
func (p *path) connect(d time.Duration) (t *tally, err error) {
	l, err := p.bound(unix.SOCK_STREAM, trafficPort)
	if err != nil {
		return nil, err
	}
	defer unix.Close(l)
	err = p.with(func() error {
		b := make([]byte, 1)
		for {
			c, err := accept(l)
			if err == unix.EINVAL {
				return nil // shut down
			}
			if err != nil {
				return err
			}
			c.patience()
			for {
				if n, err := c.read(b); n == 0 || err != nil {
					break
				}
				c.write(b)
			}
			c.close()
		}
	}, func(tid int) (err error) {
		defer unix.Shutdown(l, unix.SHUT_RDWR)
		b := make([]byte, 1)
		t, err = p.during(d, tid, 8, func() error {
			c, err := p.dial()
			if err != nil {
				return fmt.Errorf("connect: %w", err)
			}
			defer c.close()
			return c.exchange(b)
		})
		return err
	})
	return t, err
}

// pingPong sends a byte to and fro on one connection.
func (p *path) pingPong(d time.Duration) (t *tally, err error) {
	l, err := p.bound(unix.SOCK_STREAM, trafficPort)
	if err != nil {
		return nil, err
	}
	defer unix.Close(l)
	err = p.with(func() error {
		c, err := accept(l)
		if err != nil {
			return nil // shut down: the client tells why
		}
		defer c.close()
		c.patience()
		b := make([]byte, 1)
		for {
			if n, err := c.read(b); n == 0 || err != nil {
				return err
			}
			if _, err := c.write(b); err != nil {
				return err
			}
		}
	}, func(tid int) error {
		defer unix.Shutdown(l, unix.SHUT_RDWR)
		c, err := p.dial()
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer c.close()
		b := make([]byte, 1)
		t, err = p.during(d, tid, 16, func() error { return c.exchange(b) })
		return err
	})
	return t, err
}

// bulk sends as much as goes through one connection.
func (p *path) bulk(d time.Duration) (t *tally, err error) {
	l, err := p.bound(unix.SOCK_STREAM, trafficPort)
	if err != nil {
		return nil, err
	}
	defer unix.Close(l)
	var arrived atomic.Int64
	err = p.with(func() error {
		c, err := accept(l)
		if err != nil {
			return nil // shut down: the client tells why
		}
		defer c.close()
		c.patience()
		b := make([]byte, 256<<10)
		for {
			n, err := c.read(b)
			if n == 0 || err != nil {
				return err
			}
			arrived.Add(int64(n))
		}
	}, func(tid int) error {
		defer unix.Shutdown(l, unix.SHUT_RDWR)
		c, err := p.dial()
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer c.close()
		b := make([]byte, 128<<10)
		var k *clocks
		var before int64
		for began := time.Now(); ; {
			now := time.Now()
			if k == nil && now.Sub(began) > d/10 {
				k, before = p.start(unix.Gettid(), tid), arrived.Load()
			} else if k != nil && now.Sub(k.at) > d {
				t = k.stop(float64(arrived.Load()-before) / 1e6)
				return nil
			}
			if _, err := c.write(b); err != nil {
				return err
			}
		}
	})
	return t, err
}
