package firewall_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A wire is the link of a workload with a tap at each end. On a bridge the far end
// is the other machine's device; behind a router it is the router's. Most addresses
// in the cast belong to no kernel, so that nobody answers and the test sends every
// frame itself.
type wire struct {
	*lab
	*cast
	routed            bool
	side              string
	w, o              *machine
	near, far         *tap
	rules, everything string // groups: with the rules that rows rely on, and with all
	id                uint32 // of the last frame
	life                     // of the block that runs
	spent             int    // units of the rate limit, since second
	second            time.Time
}

func newWire(t *testing.T, routed bool, side string, args ...string) *wire {
	t.Helper()
	l := newLab(t, args...)
	w := &wire{lab: l, routed: routed, side: side, life: life{port: 20_000}}
	l.ip("-n", l.host, "link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
	// Netfilter on bridges would cut off bytes that follow a packet. Not every kernel has it.
	exec.Command("ip", "netns", "exec", l.host, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0").Run()
	w.rules, w.everything = l.group("rules"), l.group("everything")
	l.authorize(w.everything, "Ingress", "-1 0.0.0.0/0", "-1 ::/0")
	l.authorize(w.everything, "Egress", "-1 0.0.0.0/0", "-1 ::/0")
	w.cast = &cast{
		mac: map[string]net.HardwareAddr{"N": {2, 0, 0, 0, 0, 0x50}, "R": {2, 0, 0, 0, 0, 1}},
		v4:  map[string]netip.Addr{}, v6: map[string]netip.Addr{},
	}
	var four, six []netip.Addr
	w.w, four, six = w.workload("w", w.rules)
	w.v4["W"], w.v6["W"], w.v4["V"], w.v6["V"] = four[0], six[0], four[1], six[1]
	for name, a := range map[string][2]string{
		"R": {"10.77.0.1", "::1"}, "N": {"10.77.0.50", "::50"}, // IPv6: in the subnet
		"X": {"198.51.100.9", "2001:db8:99::9"}, "Q": {"198.51.100.66", "2001:db8:99::66"},
		"Y": {"198.51.100.51", "2001:db8:99::51"}, "Z": {"198.51.100.60", "2001:db8:99::60"},
		"OFF": {"192.0.2.99", "2001:db8:ff::99"}, "ANY": {"0.0.0.0", "::"}, "BC": {"255.255.255.255", "::"}, "Xl": {"0.0.0.0", "fe80::77:1"},
	} {
		w.v4[name], w.v6[name] = netip.MustParseAddr(a[0]), netip.MustParseAddr(a[1])
		if b := w.v6[name].As16(); name == "R" || name == "N" {
			prefix := six[0].As16()
			w.v6[name] = netip.AddrFrom16([16]byte(append(prefix[:8:8], b[8:]...)))
		}
	}
	if routed {
		w.beyond()
		w.far = w.router().tap(w.w.port)
		w.mac["R"] = w.far.mac
	} else {
		w.o = l.machine("o")
		w.far = w.o.tap("eth0")
	}
	w.near = w.w.tap("eth0")
	w.mac["W"], w.mac["far"] = w.near.mac, w.far.mac
	for name, mac := range w.mac {
		w.v6[name+"l"] = linkLocal(mac)
	}
	w.v4["O"], w.v6["O"] = netip.MustParseAddr(w.o.four), netip.MustParseAddr(w.o.six)
	for _, m := range []*machine{w.w, w.o} { // rows must not change how the machines route
		l.sysctl(m.netns, "net.ipv6.conf.eth0.accept_ra=0", "net.ipv6.conf.eth0.accept_redirects=0")
	}
	l.call("AssociateVpcCidrBlock", "VpcId", l.vpc, "CidrBlock", "100.64.0.0/28") // once the workload is bound
	rule := func(what, name string) []string {
		return []string{fmt.Sprintf("%s %s/32", what, w.v4[name]), fmt.Sprintf("%s %s/128", what, w.v6[name])}
	}
	both := slices.Concat(rule("udp 7777", "X"), rule("51", "Y"), rule("60", "Z"), []string{"udp 7777 fe80::/64"})
	l.authorize(w.rules, "Egress", slices.Concat(both, rule("tcp 443", "X"))...)
	l.authorize(w.rules, "Ingress", slices.Concat(both, rule("tcp 80", "X"), rule("tcp 5000-5010", "O"), rule("udp 5000-5010", "O"),
		rule("icmp", "O")[:1], rule("icmpv6", "O")[1:])...)
	return w
}

func linkLocal(mac net.HardwareAddr) netip.Addr {
	a := netip.MustParseAddr("fe80::ff:fe00:0").As16()
	copy(a[8:], mac[:3])
	copy(a[13:], mac[3:])
	a[8] ^= 2
	return netip.AddrFrom16(a)
}

// workload makes an enforced machine with two addresses of each family. Its kernel
// has the first of each. The link is up before the device is bound.
func (w *wire) workload(name string, group string) (m *machine, four, six []netip.Addr) {
	w.Helper()
	r := w.call("CreateNetworkInterface", "SubnetId", w.subnet, "Ipv6AddressCount", "2", "SecondaryPrivateIpAddressCount", "1", "SecurityGroupId.1", group)
	for _, a := range regexp.MustCompile(`<(privateIpAddress|ipv6Address)>([0-9a-f.:]+)<`).FindAllStringSubmatch(string(r.Body), -1) {
		if a := netip.MustParseAddr(a[2]); a.Is6() && !slices.Contains(six, a) {
			six = append(six, a)
		} else if a.Is4() && !slices.Contains(four, a) {
			four = append(four, a)
		}
	}
	if len(four) != 2 || len(six) != 2 {
		w.Fatalf("an interface with the addresses %v and %v, want two of each:\n%s", four, six, r.Body)
	}
	if mac, err := net.ParseMAC(r.Get("macAddress")); err == nil && w.cast != nil && w.mac["E"] == nil {
		w.mac["E"] = mac
	}
	m = &machine{lab: w.lab, netns: w.name + name, port: name, eni: r.Get("networkInterfaceId"), four: four[0].String(), six: six[0].String()}
	w.netns(m.netns)
	m.link()
	w.batch(w.host, "link set "+m.port+" up")
	w.batch(m.netns, "link set lo up", "link set eth0 up")
	if name == "w" {
		w.batch(m.netns, "addr add fe80::77:1/64 dev eth0 nodad") // before the device is bound
	}
	if w.routed {
		w.sysctl(w.host, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf."+m.port+".send_redirects=0")
		w.batch(w.host, "link set "+m.port+" nomaster", "addr add 10.77.0.1/32 dev "+m.port,
			"route add "+m.four+"/32 dev "+m.port, "route add "+m.six+"/128 dev "+m.port)
		w.batch(m.netns, "addr add "+m.four+"/32 dev eth0", "addr add "+m.six+"/128 dev eth0 nodad",
			"route add 10.77.0.1/32 dev eth0", "route add default via 10.77.0.1",
			"route add default via "+linkLocal(w.router().hardware(m.port)).String()+" dev eth0")
	} else {
		w.batch(m.netns, "addr add "+m.four+"/16 dev eth0", "addr add "+m.six+"/64 dev eth0 nodad")
	}
	args := []string{"attach", m.eni, "--dev", m.port, "--netns", w.host}
	if w.side == "workload" {
		args = []string{"attach", m.eni, "--dev", "eth0", "--netns", m.netns, "--side", "workload"}
	}
	if out := w.moat(args...); !strings.Contains(out, "enforced (revision ") {
		w.Fatalf("moat %v: %s", args, out)
	}
	return m, four, six
}

// batch runs commands of ip in a network namespace.
func (l *lab) batch(netns string, commands ...string) {
	l.Helper()
	c := exec.Command("ip", "-n", netns, "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(commands, "\n"))
	if out, err := c.CombinedOutput(); err != nil {
		l.Fatalf("ip %q: %v: %s", commands, err, out)
	}
}

func (w *wire) router() *machine { return &machine{lab: w.lab, netns: w.host} }

// beyond makes the other machine, on the router's far side. The router silently
// discards what is for addresses that do not exist.
func (w *wire) beyond() {
	w.Helper()
	w.o = &machine{lab: w.lab, netns: w.name + "o", port: "o", four: "10.78.0.9", six: "2001:db8:78::9"}
	w.netns(w.o.netns)
	w.o.link()
	w.batch(w.host, "link set o nomaster", "addr add 10.78.0.1/24 dev o", "addr add 2001:db8:78::1/64 dev o nodad", "link set o up",
		"route add blackhole 0.0.0.0/0", "route add blackhole ::/0")
	w.batch(w.o.netns, "addr add 10.78.0.9/24 dev eth0", "addr add 2001:db8:78::9/64 dev eth0 nodad", "link set lo up", "link set eth0 up",
		"route add default via 10.78.0.1", "route add default via 2001:db8:78::1")
}

// A tap sends and sees frames at a device.
type tap struct {
	*lab
	mac   net.HardwareAddr
	index int
	send  int
	polls []unix.PollFd // a socket for each protocol
	b     []byte
}

// tapped are the protocols that a tap sees. A socket for all protocols would see
// frames before the filter of its device drops them; these do not.
var tapped = []uint16{unix.ETH_P_IP, unix.ETH_P_IPV6, unix.ETH_P_ARP, 0x88cc}

func (m *machine) hardware(dev string) (mac net.HardwareAddr) {
	m.lab.Helper()
	m.must(func() error {
		d, err := net.InterfaceByName(dev)
		if err == nil {
			mac = d.HardwareAddr
		}
		return err
	})
	return mac
}

func (m *machine) tap(dev string) *tap {
	m.lab.Helper()
	p := &tap{lab: m.lab, b: make([]byte, 1<<17)}
	m.must(func() error {
		d, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		p.mac, p.index = d.HardwareAddr, d.Index
		open := func(protocol uint16) (int, error) {
			protocol = protocol>>8 | protocol<<8
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return 0, err
			}
			m.lab.Cleanup(func() { unix.Close(fd) })
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
			return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: d.Index})
		}
		if p.send, err = open(0); err != nil {
			return err
		}
		for _, protocol := range tapped {
			fd, err := open(protocol)
			if err != nil {
				return err
			}
			p.polls = append(p.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		return nil
	})
	return p
}

// drain calls f for each frame that was received since the last call.
func (p *tap) drain(f func(frame []byte)) {
	for _, s := range p.polls {
		for {
			n, _, err := unix.Recvfrom(int(s.Fd), p.b, 0)
			if err != nil {
				break
			}
			f(p.b[:n])
		}
	}
}

// write sends frames in order. It stays on one processor, because each has its own
// queue in the kernel.
func (p *tap) write(frames ...[]byte) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	unix.SchedGetaffinity(0, &before)
	stay(0)
	defer unix.SchedSetaffinity(0, &before)
	for _, f := range frames {
		// ENOBUFS means that a filter on this device dropped the frame.
		if err := unix.Sendto(p.send, f, 0, &unix.SockaddrLinklayer{Ifindex: p.index}); err != nil && err != unix.ENOBUFS {
			return fmt.Errorf("send %x: %w", f, err)
		}
	}
	return nil
}

// frame builds a frame, marked by a number of its own.
func (w *wire) frame(out, six bool, text string) ([]byte, error) {
	w.id = (w.id + 1) & 0xffff
	return (&builder{cast: w.cast, out: out, six: six, life: w.life, id: w.id}).build(text)
}

// exchange sends frames from one end to the other, followed by a frame that a rule
// allows. Frames keep their order, so once the last one has arrived the others have
// arrived too or never will. It returns how many did.
func (w *wire) exchange(out bool, frames ...[]byte) (arrived int, err error) {
	from, to := w.far, w.near
	if out {
		from, to = to, from
	}
	last, err := w.frame(out, false, map[bool]string{true: "udp >7777 sport=7", false: "udp 7777 sport=7"}[out])
	if err != nil {
		return 0, err
	}
	to.drain(func([]byte) {})
	if err := from.write(append(slices.Clone(frames), last)...); err != nil {
		return 0, err
	}
	ended := false
	see := func(p []byte) {
		if bytes.Equal(p, last) {
			ended = true
		}
		for _, f := range frames {
			if bytes.Equal(p, f) {
				arrived++
				break
			}
		}
	}
	for end := time.Now().Add(5 * time.Second); !ended; to.drain(see) {
		if time.Now().After(end) {
			return arrived, fmt.Errorf("the last frame, which a rule allows, does not arrive")
		}
		unix.Poll(to.polls, 100)
	}
	to.drain(see) // of the other protocols
	return arrived, nil
}
