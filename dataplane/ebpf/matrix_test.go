package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// newBridgedLab is newLab with a bridge between, instead of a router.
func newBridgedLab(t testing.TB) *lab {
	t.Helper()
	l := newLab(t)
	for _, dev := range []string{"w", "c"} {
		run(t, "ip -n "+l.host+" addr flush dev "+dev)
	}
	run(t, "ip -n "+l.host+" link add br0 type bridge forward_delay 0")
	run(t, "ip -n "+l.host+" link set br0 up")
	for _, dev := range []string{"w", "c"} {
		run(t, "ip -n "+l.host+" link set "+dev+" master br0")
	}
	for _, x := range []struct{ ns, four, six string }{{l.workload, "10.0.0.5/8", "2001:db8::5/32"}, {l.client, "10.1.0.9/8", "2001:db8:1::9/32"}} {
		run(t, "ip -n "+x.ns+" addr flush dev eth0 scope global")
		run(t, "ip -n "+x.ns+" addr add "+x.four+" dev eth0")
		run(t, "ip -n "+x.ns+" addr add "+x.six+" dev eth0 nodad")
	}
	return l
}

// answerEverywhere answers at all of some addresses and ports, by TCP and UDP.
func answerEverywhere(t testing.TB, ns string, addrs []netip.Addr, ports []uint16) {
	t.Helper()
	if err := in(t, ns, func() error {
		for _, a := range addrs {
			for _, port := range ports {
				at := netip.AddrPortFrom(a, port)
				l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
				if err != nil {
					return err
				}
				u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
				if err != nil {
					return err
				}
				t.Cleanup(func() { l.Close(); u.Close() })
				go func() {
					for {
						c, err := l.Accept()
						if err != nil {
							return
						}
						go func() { io.Copy(c, c); c.Close() }()
					}
				}()
				go func() {
					b := make([]byte, 2000)
					for {
						n, from, err := u.ReadFrom(b)
						if err != nil {
							return
						}
						u.WriteTo(b[:n], from)
					}
				}()
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// ask sends a word from an address of a namespace and waits until it comes
// back.
func ask(t testing.TB, ns string, protocol flow.Protocol, from, to netip.AddrPort) error {
	t.Helper()
	var c net.Conn
	err := in(t, ns, func() (err error) {
		d := net.Dialer{Timeout: 400 * time.Millisecond}
		switch protocol {
		case flow.TCP:
			d.LocalAddr = net.TCPAddrFromAddrPort(from)
			c, err = d.Dial("tcp", to.String())
		case flow.UDP:
			d.LocalAddr = net.UDPAddrFromAddrPort(from)
			c, err = d.Dial("udp", to.String())
		default:
			network := map[bool]string{false: "ip4:1", true: "ip6:58"}[to.Addr().Is6()]
			d.LocalAddr = &net.IPAddr{IP: from.Addr().AsSlice()}
			c, err = d.Dial(network, to.Addr().String())
		}
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if protocol == flow.TCP || protocol == flow.UDP {
		return echo(c)
	}
	id := uint16(time.Now().UnixNano())
	word, reply := binary.BigEndian.AppendUint16([]byte{8, 0, 0, 0}, id), byte(0)
	word = append(word, 0, 1)
	if to.Addr().Is6() {
		word[0], reply = 128, 129
	} else {
		binary.BigEndian.PutUint16(word[2:], checksum(word, 0))
	}
	c.SetDeadline(time.Now().Add(700 * time.Millisecond))
	if _, err := c.Write(word); err != nil {
		return err
	}
	for b := make([]byte, 1500); ; {
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		p := b[:n]
		if to.Addr().Is4() {
			p = p[min(n, int(p[0]&15)*4):] // the IP header comes along
		}
		if len(p) >= 6 && p[0] == reply && binary.BigEndian.Uint16(p[4:]) == id {
			return nil
		}
	}
}

// An allowance is what one rule of the matrix allows.
type allowance struct {
	direction flow.Direction
	protocol  flow.Protocol
	six       bool
	port      uint16
}

func (a allowance) rule(n int, remote netip.Addr) ruleset.Rule {
	r := ruleset.Rule{Protocol: a.protocol, ID: vpc.RuleID(fmt.Sprintf("sgr-%017x", n)), Remote: ruleset.Remote{Prefix: netip.PrefixFrom(remote, remote.BitLen())},
		Ports: flow.PortRange{From: int32(a.port), To: int32(a.port)}}
	if a.protocol == flow.ICMP || a.protocol == flow.ICMPv6 {
		r.Ports = flow.PortRange{From: map[bool]int32{false: 8, true: 128}[a.six], To: -1}
	}
	return r
}

// TestMatrix sends real packets of every kind across a router, a bridge and at
// a machine's own device: what one rule allows passes, and its neighbours do
// not: the next port and the one before, the next address, the other family,
// the other protocol, the other direction. Rules added in one order and in the
// other mean the same.
func TestMatrix(t *testing.T) {
	for _, row := range []struct {
		name string
		lab  func(testing.TB) *lab
		own  bool
	}{{"routed", newLab, false}, {"bridged", newBridgedLab, false}, {"own device", newLab, true}} {
		t.Run(row.name, func(t *testing.T) {
			l := row.lab(t)
			if row.own {
				l.binding = dataplane.Binding{Interface: eni, Device: "eth0", Netns: "/run/netns/" + l.workload, Side: dataplane.Workload}
			}
			l.matrix(t)
		})
	}
}

func (l *lab) matrix(t *testing.T) {
	local := map[bool]netip.Addr{false: netip.MustParseAddr("10.0.0.5"), true: netip.MustParseAddr("2001:db8::5")}
	remote := map[bool]netip.Addr{false: netip.MustParseAddr("10.1.0.9"), true: netip.MustParseAddr("2001:db8:1::9")}
	for _, six := range []bool{false, true} {
		// The next address is the other's too.
		run(t, fmt.Sprintf("ip -n %s addr add %v/%d dev eth0 %s", l.client, remote[six].Next(), remote[six].BitLen(), map[bool]string{true: "nodad"}[six]))
	}
	// Echo is allowed in by one family and out by the other, then the other way
	// round: it has no port to tell the directions apart.
	for _, echoIn := range []bool{false, true} {
		var all []allowance
		var ports []uint16
		for _, direction := range []flow.Direction{flow.Ingress, flow.Egress} {
			for _, six := range []bool{false, true} {
				for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP} {
					port := uint16(1000 + 100*len(all))
					ports = append(ports, port-1, port, port+1)
					all = append(all, allowance{direction, protocol, six, port})
				}
				if six == echoIn == (direction == flow.Ingress) {
					all = append(all, allowance{direction, map[bool]flow.Protocol{false: flow.ICMP, true: flow.ICMPv6}[six], six, 0})
				}
			}
		}
		t.Run(fmt.Sprintf("echo in by IPv6 %v", echoIn), func(t *testing.T) {
			answerEverywhere(t, l.workload, []netip.Addr{local[false], local[true]}, ports)
			answerEverywhere(t, l.client, []netip.Addr{remote[false], remote[true], remote[false].Next(), remote[true].Next()}, ports)
			for _, backwards := range []bool{false, true} {
				p := open(t, Options{Flows4: 4096, Flows6: 4096})
				if err := p.Bind(t.Context(), l.binding); err != nil {
					t.Fatal(err)
				}
				order := slices.Clone(all)
				if backwards {
					slices.Reverse(order)
				}
				for n := range order {
					rs := rules(t)
					// Everybody is on the one link, where it is a bridge.
					rs.Interfaces[0].OnLink = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
					for i, a := range order[:n+1] {
						pol := &rs.Policies[map[flow.Direction]int{flow.Egress: 0, flow.Ingress: 1}[a.direction]]
						pol.Rules = append(pol.Rules, a.rule(i+1, remote[a.six]))
						slices.SortFunc(pol.Rules, ruleset.Compare)
					}
					rs.Rev = uint64(n + 1)
					apply(t, p, rs)
				}
				l.probe(t, all, local, remote)
				if err := p.Unbind(t.Context(), eni); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (l *lab) probe(t *testing.T, all []allowance, local, remote map[bool]netip.Addr) {
	var wait sync.WaitGroup
	gate := make(chan struct{}, 100) // one lost packet is no verdict: not all at once
	try := func(allowed bool, what string, direction flow.Direction, protocol flow.Protocol, six bool, far netip.Addr, port uint16) {
		wait.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			ns, from, to := l.client, netip.AddrPortFrom(far, 0), netip.AddrPortFrom(local[six], port)
			if direction == flow.Egress {
				ns, from, to = l.workload, netip.AddrPortFrom(local[six], 0), netip.AddrPortFrom(far, port)
			}
			err := ask(t, ns, protocol, from, to)
			for n := 0; allowed && err != nil && n < 8; n++ {
				err = ask(t, ns, protocol, from, to) // a busy machine may be slow
			}
			// A device of the workload's own tells it at once.
			refused := isTimeout(err) || direction == flow.Egress && errors.Is(err, unix.ENOBUFS)
			if allowed && err != nil || !allowed && !refused {
				t.Errorf("%s: %v %v to %v from %v: %v, want allowed: %v", what, direction, protocol, to, from.Addr(), err, allowed)
			}
		})
	}
	for _, a := range all {
		d, p, six, far := a.direction, a.protocol, a.six, remote[a.six]
		try(true, "what the rule says", d, p, six, far, a.port)
		try(false, "the next address", d, p, six, far.Next(), a.port)
		if p == flow.ICMP || p == flow.ICMPv6 {
			try(false, "the other direction", !d, p, six, far, 0)
			try(false, "the other family", d, map[bool]flow.Protocol{true: flow.ICMP, false: flow.ICMPv6}[six], !six, remote[!six], 0)
			continue
		}
		try(false, "the next port", d, p, six, far, a.port+1)
		try(false, "the port before", d, p, six, far, a.port-1)
		try(false, "the other family", d, p, !six, remote[!six], a.port)
		try(false, "the other protocol", d, flow.TCP+flow.UDP-p, six, far, a.port)
		try(false, "the other direction", !d, p, six, far, a.port)
	}
	wait.Wait()
}
