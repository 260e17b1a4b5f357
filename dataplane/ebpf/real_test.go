package ebpf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
	"moat/test/moattest"
	"moat/vpc"
)

// open opens a data plane of its own for a test, which is skipped where it
// cannot be.
func open(t testing.TB, o Options) *Plane {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the kernel's data plane is not tested")
	}
	if o.PinDir == "" {
		o.PinDir = "/sys/fs/bpf/moat-t"
	}
	if o.Identity == "" {
		o.Identity = fmt.Sprintf("t-%016x", rand.Uint64())
	}
	p, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		os.RemoveAll(o.PinDir + "/" + o.Identity)
		os.Remove(o.PinDir)
	})
	return p
}

func run(t testing.TB, line string) {
	t.Helper()
	if err := tryRun(line); err != nil {
		t.Fatal(err)
	}
}

func tryRun(line string) error {
	f := strings.Fields(line)
	if out, err := exec.Command(f[0], f[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	return nil
}

// A lab is a workload behind a veth of a host that routes to a client:
// 10.0.0.5 and 2001:db8::5 on one side, 10.1.0.9 and 2001:db8:1::9 on the
// other.
type lab struct {
	host, workload, client string
	binding                dataplane.Binding
}

const eni = vpc.InterfaceID("eni-0123456789abcdef0")

func newLab(t testing.TB) *lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: real packets are not tested")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip of iproute2: real packets are not tested")
	}
	n := fmt.Sprintf("moat-t-%08x-", rand.Uint32())
	l := &lab{host: n + "h", workload: n + "w", client: n + "c"}
	for _, ns := range []string{l.host, l.workload, l.client} {
		run(t, "ip netns add "+ns)
		moattest.Undo(t, func() { exec.Command("ip", "netns", "del", ns).Run() })
	}
	run(t, "ip -n "+l.host+" link add w type veth peer name eth0 netns "+l.workload)
	run(t, "ip -n "+l.host+" link add c type veth peer name eth0 netns "+l.client)
	for _, x := range []struct{ ns, dev, four, six string }{
		{l.host, "w", "10.0.0.1/24", "2001:db8::1/64"}, {l.workload, "eth0", "10.0.0.5/24", "2001:db8::5/64"},
		{l.host, "c", "10.1.0.1/24", "2001:db8:1::1/64"}, {l.client, "eth0", "10.1.0.9/24", "2001:db8:1::9/64"},
	} {
		run(t, fmt.Sprintf("ip -n %s addr add %s dev %s", x.ns, x.four, x.dev))
		run(t, fmt.Sprintf("ip -n %s addr add %s dev %s nodad", x.ns, x.six, x.dev))
		run(t, fmt.Sprintf("ip -n %s link set %s up", x.ns, x.dev))
	}
	for _, x := range []struct{ ns, gw string }{{l.workload, "10.0.0.1"}, {l.client, "10.1.0.1"}, {l.workload, "2001:db8::1"}, {l.client, "2001:db8:1::1"}} {
		run(t, fmt.Sprintf("ip -n %s route add default via %s", x.ns, x.gw))
		run(t, fmt.Sprintf("ip -n %s link set lo up", x.ns))
	}
	run(t, "ip netns exec "+l.host+" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	l.binding = dataplane.Binding{Interface: eni, Device: "w", Netns: "/run/netns/" + l.host}
	return l
}

func in(t testing.TB, ns string, f func() error) error {
	t.Helper()
	return within("/run/netns/"+ns, func(uint32) error { return f() })
}

// serve answers what it is told, by TCP and UDP, in a namespace.
func serve(t testing.TB, ns, network, addr string) {
	t.Helper()
	if err := in(t, ns, func() error {
		if network == "udp" {
			c, err := net.ListenPacket(network, addr)
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				b := make([]byte, 2000)
				for {
					n, from, err := c.ReadFrom(b)
					if err != nil {
						return
					}
					c.WriteTo(b[:n], from)
				}
			}()
			return nil
		}
		s, err := net.Listen(network, addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { s.Close() })
		go func() {
			for {
				c, err := s.Accept()
				if err != nil {
					return
				}
				go func() { io.Copy(c, c); c.Close() }()
			}
		}()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func dial(t testing.TB, ns, network, addr string) (c net.Conn, err error) {
	t.Helper()
	err = in(t, ns, func() error {
		c, err = net.DialTimeout(network, addr, 400*time.Millisecond)
		return err
	})
	return c, err
}

// echo sends a word and waits for it to come back, for a moment: it may be that
// it does not.
func echo(c net.Conn) error { return echoWithin(c, 700*time.Millisecond) }

// patient is how long a test waits, on a machine with much to do, for what is to
// happen.
const patient = 10 * time.Second

func echoWithin(c net.Conn, patience time.Duration) error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("word")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 4))
	return err
}

// rules makes a ruleset for the lab's interface of lines such as "in tcp 80
// from 10.1.0.0/16".
func rules(t testing.TB, lines ...string) *ruleset.Ruleset {
	t.Helper()
	rs := &ruleset.Ruleset{Rev: uint64(len(lines))}
	i := ruleset.Interface{ID: eni, VPC: "vpc-1", MAC: "02:00:00:00:00:02", Check: true, In: 1, Out: 0, Timeouts: ruleset.DefaultTimeouts,
		Own:    []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32"), netip.MustParsePrefix("2001:db8::5/128")},
		OnLink: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8::/64")}}
	var in, out []ruleset.Rule
	for n, line := range lines {
		f := strings.Fields(line)
		if f[0] == "mode" {
			i.OnRevoke, _ = ruleset.ParseOnRevoke(strings.Join(f[1:], " "))
			continue
		}
		r := ruleset.Rule{Protocol: flow.AllProtocols, Ports: flow.NoPorts, ID: vpc.RuleID(fmt.Sprintf("sgr-%017x", n+1))}
		switch f[1] {
		case "tcp":
			r.Protocol = flow.TCP
		case "udp":
			r.Protocol = flow.UDP
		case "icmp":
			r.Protocol = flow.ICMP
		case "icmpv6":
			r.Protocol = flow.ICMPv6
		}
		if r.Protocol == flow.TCP || r.Protocol == flow.UDP {
			if _, err := fmt.Sscanf(f[2], "%d-%d", &r.Ports.From, &r.Ports.To); err != nil {
				fmt.Sscanf(f[2], "%d", &r.Ports.From)
				r.Ports.To = r.Ports.From
			}
		}
		if remote := f[len(f)-1]; strings.HasPrefix(remote, "sg-") {
			r.Remote.Group = vpc.GroupID(remote)
		} else {
			r.Remote.Prefix = netip.MustParsePrefix(remote)
		}
		if f[0] == "in" {
			in = append(in, r)
		} else {
			out = append(out, r)
		}
	}
	slices.SortFunc(in, ruleset.Compare)
	slices.SortFunc(out, ruleset.Compare)
	rs.Interfaces = []ruleset.Interface{i}
	rs.Policies = []ruleset.Policy{{Name: "egress sg-1", Direction: flow.Egress, Rules: out}, {Name: "ingress sg-1", Rules: in}}
	return rs
}

func apply(t testing.TB, p *Plane, rs *ruleset.Ruleset) {
	t.Helper()
	if err := p.Apply(context.Background(), rs); err != nil {
		t.Fatal(err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Every way to attach, and each end of the link.
func TestRealPackets(t *testing.T) {
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
			o := Options{ForceClsact: row.clsact, Identity: fmt.Sprintf("t-%016x", rand.Uint64())}
			p := open(t, o)
			l.test(t, p, func() *Plane {
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				p = open(t, o)
				return p
			})
		})
	}
}

func (l *lab) test(t *testing.T, p *Plane, restart func() *Plane) {
	ctx := context.Background()
	for _, a := range []string{"10.0.0.5", "[2001:db8::5]"} {
		for _, port := range []string{"80", "81"} {
			serve(t, l.workload, "tcp", a+":"+port)
			serve(t, l.workload, "udp", a+":"+port)
		}
	}
	serve(t, l.client, "tcp", "10.1.0.9:99")
	reach := func(network, addr string) error {
		c, err := dial(t, l.client, network, addr)
		if err != nil {
			return err
		}
		defer c.Close()
		return echo(c)
	}
	if err := reach("tcp", "10.0.0.5:80"); err != nil {
		t.Fatalf("before anything is bound: %v", err)
	}
	if err := p.Bind(ctx, l.binding); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"tcp", "udp"} {
		if err := reach(n, "10.0.0.5:80"); !isTimeout(err) {
			t.Fatalf("%s to an interface that no ruleset has: %v, want a timeout", n, err)
		}
	}
	want := rules(t, "in tcp 80 from 10.1.0.0/16", "in udp 80 from 10.1.0.9/32", "in tcp 80 from 2001:db8:1::/64", "out udp 53 to 0.0.0.0/0")
	apply(t, p, want)
	check := func(when string) {
		t.Helper()
		for _, row := range []struct {
			network, addr string
			allowed       bool
		}{
			{"tcp", "10.0.0.5:80", true}, {"tcp", "10.0.0.5:81", false},
			{"udp", "10.0.0.5:80", true}, {"udp", "10.0.0.5:81", false},
			{"tcp", "[2001:db8::5]:80", true}, {"tcp", "[2001:db8::5]:81", false}, {"udp", "[2001:db8::5]:80", false},
		} {
			err := reach(row.network, row.addr)
			if row.allowed && err != nil || !row.allowed && !isTimeout(err) {
				t.Errorf("%s: %s to %s: %v, want allowed: %v", when, row.network, row.addr, err, row.allowed)
			}
		}
		if c, err := dial(t, l.workload, "tcp", "10.1.0.9:99"); !isTimeout(err) {
			if err == nil {
				c.Close()
			}
			t.Errorf("%s: out by tcp without a rule: %v, want a timeout", when, err)
		}
	}
	check("applied")
	p = restart()
	check("restarted")
	actual, err := p.Actual(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c := ruleset.Diff(actual, want); !c.Empty() || actual.Rev != want.Rev {
		t.Errorf("after a restart the ruleset is another: %+v", c)
	}
	if b, err := p.Bindings(ctx); err != nil || len(b) != 1 || b[0].Interface != eni || b[0].Device != l.binding.Device || b[0].Netns != l.binding.Netns || b[0].Side != l.binding.Side {
		t.Errorf("bindings after a restart: %+v, %v", b, err)
	}

	// A revoke cuts what no rule allows any more, and nothing else.
	apply(t, p, rules(t, "in tcp 80-81 from 10.1.0.0/16", "in tcp 80-81 from 2001:db8:1::/64", "in udp 80-81 from 10.1.0.0/16"))
	var conns [4]net.Conn
	for i, a := range []string{"10.0.0.5:80", "10.0.0.5:81", "[2001:db8::5]:80", "[2001:db8::5]:81"} {
		if conns[i], err = dial(t, l.client, "tcp", a); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		if err := echo(conns[i]); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, p, rules(t, "in tcp 81 from 10.1.0.0/16", "in tcp 81 from 2001:db8:1::/64"))
	for i, c := range conns {
		err := echo(c)
		if i%2 == 0 && !isReset(err) {
			t.Errorf("connection to %s after its rule went: %v, want a reset", c.RemoteAddr(), err)
		}
		if i%2 == 1 && err != nil {
			t.Errorf("connection to %s, whose rule is there: %v", c.RemoteAddr(), err)
		}
	}
	// An idle connection is cut as well, at both ends.
	for i, a := range []string{"10.0.0.5:81", "[2001:db8::5]:81"} {
		if conns[2*i], err = dial(t, l.client, "tcp", a); err != nil {
			t.Fatal(err)
		}
		defer conns[2*i].Close()
		if err := echo(conns[2*i]); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, p, rules(t, "in tcp 82 from 10.1.0.0/16"))
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(make([]byte, 1)); !isReset(err) {
			t.Errorf("idle connection to %s after its rule went: %v, want a reset", c.RemoteAddr(), err)
		}
	}
	if out, err := exec.Command("ip", "netns", "exec", l.workload, "ss", "-Htn", "state", "established").Output(); err != nil || len(out) > 0 {
		t.Errorf("the workload's end of them lives: %s %v", out, err)
	}
	if err := reach("tcp", "10.0.0.5:80"); !isTimeout(err) {
		t.Errorf("a new connection after the revoke: %v, want a timeout", err)
	}
	s, err := p.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Drops[eni]["no_rule"] == 0 || s.Drops[eni]["cut"] == 0 || s.Flows[eni] == 0 {
		t.Errorf("stats: %+v", s)
	}
	if err := p.Unbind(ctx, eni); err != nil {
		t.Fatal(err)
	}
	if err := reach("tcp", "10.0.0.5:80"); err != nil {
		t.Errorf("unbound: %v", err)
	}
}

// tun makes a device without Ethernet headers, named tun0, in a namespace.
func tun(t testing.TB, ns string) (f *os.File) {
	t.Helper()
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("needs a device without Ethernet headers: %v", err)
	}
	if err := in(t, ns, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		r, err := unix.NewIfreq("tun0")
		if err != nil {
			return err
		}
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), "tun0")
		t.Cleanup(func() { f.Close() })
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

// An idle connection whose rule goes is reset at both ends also on a device
// without Ethernet headers, and when a device that observed enforces again.
func TestIdleIsCut(t *testing.T) {
	for _, row := range []struct {
		name    string
		tunnel  bool
		observe bool
	}{{"a device without Ethernet headers", true, false}, {"after observing", false, true}} {
		t.Run(row.name, func(t *testing.T) {
			ctx := t.Context()
			l := newLab(t)
			to := "10.0.0.5"
			want := rules(t, "in tcp 80-81 from 10.1.0.0/16")
			less := rules(t, "in tcp 81 from 10.1.0.0/16")
			if row.tunnel {
				to = "10.0.9.5"
				a, b := tun(t, l.host), tun(t, l.workload)
				for _, x := range []struct{ ns, addr string }{{l.host, "10.0.9.1/24"}, {l.workload, "10.0.9.5/24"}} {
					run(t, "ip -n "+x.ns+" link set tun0 up")
					run(t, "ip -n "+x.ns+" addr add "+x.addr+" dev tun0")
				}
				run(t, "ip -n "+l.workload+" route replace 10.1.0.0/24 via 10.0.9.1 dev tun0")
				go io.Copy(a, b)
				go io.Copy(b, a)
				l.binding.Device = "tun0"
				for _, rs := range []*ruleset.Ruleset{want, less} {
					rs.Interfaces[0].Own[0] = netip.MustParsePrefix("10.0.9.5/32")
				}
			}
			serve(t, l.workload, "tcp", to+":80")
			serve(t, l.workload, "tcp", to+":81")
			p := open(t, Options{})
			if err := p.Bind(ctx, l.binding); err != nil {
				t.Fatal(err)
			}
			apply(t, p, want)
			var conns [2]net.Conn
			for i := range conns {
				var err error
				for end := time.Now().Add(patient); conns[i] == nil && time.Now().Before(end); {
					conns[i], err = dial(t, l.client, "tcp", fmt.Sprintf("%s:%d", to, 80+i))
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conns[i].Close()
				if err := echoWithin(conns[i], patient); err != nil {
					t.Fatal(err)
				}
			}
			bind := func(observe bool) {
				t.Helper()
				l.binding.Observe = observe
				if err := p.Bind(ctx, l.binding); err != nil {
					t.Fatal(err)
				}
			}
			if row.observe {
				bind(true)
			}
			apply(t, p, less)
			if row.observe {
				if err := echoWithin(conns[0], patient); err != nil {
					t.Errorf("while it observes: %v", err)
				}
				bind(false)
			}
			conns[0].SetReadDeadline(time.Now().Add(patient))
			if _, err := conns[0].Read(make([]byte, 1)); !isReset(err) {
				t.Errorf("the connection whose rule went: %v, want a reset", err)
			}
			// The resets to the two ends are two packets.
			for end := time.Now().Add(patient); ; time.Sleep(10 * time.Millisecond) {
				out, err := exec.Command("ip", "netns", "exec", l.workload, "ss", "-Htn", "state", "established", "sport", "=", ":80").Output()
				if err == nil && len(out) == 0 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the workload's end of it lives: %s %v", out, err)
				}
			}
			if err := echoWithin(conns[1], patient); err != nil {
				t.Errorf("the connection whose rule is there: %v", err)
			}
		})
	}
}
