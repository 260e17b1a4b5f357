package ebpf

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/test/clause"
)

// The table of docs/firewall.md, on this kernel and on Debian 12's:
//
//	go test ./dataplane/ebpf -run TestAppearances -appearances 1000 -v
//	test/vm/run ./dataplane/ebpf -test.run TestAppearances -appearances 1000 -test.v
var appearances = flag.Int("appearances", 25, "how many times a device appears under a flood")

// A stage is a lab whose device w appears and leaves while floods go to and from the
// workload behind it.
type stage struct {
	*testing.T
	*lab
	bridge bool
	plane  *Plane
	// hostLinks and workloadLinks make changes in the two namespaces.
	hostLinks, workloadLinks *netlink.Handle
	hostNS, workloadNS       netns.NsHandle
	mac                      net.HardwareAddr // of the workload
	out, in                  *atomic.Int64    // packets that passed, from and to the workload
}

const appearingBridge = "br9"

func newStage(t *testing.T, bridge bool) *stage {
	s := &stage{T: t, lab: newLab(t), bridge: bridge}
	for _, x := range []struct {
		name   string
		ns     *netns.NsHandle
		handle **netlink.Handle
	}{{s.host, &s.hostNS, &s.hostLinks}, {s.workload, &s.workloadNS, &s.workloadLinks}} {
		ns, err := netns.GetFromName(x.name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := netlink.NewHandleAt(ns)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close(); ns.Close() })
		*x.ns, *x.handle = ns, h
	}
	workloadMAC, hostMAC := mac(t, s.workload, "eth0"), mac(t, s.host, "w")
	s.mac, _ = net.ParseMAC(workloadMAC)
	remote, gateway := "10.1.0.9", "10.0.0.1"
	if bridge {
		remote, gateway = "10.0.0.9", "10.0.0.9"
		run(t, "ip -n "+s.host+" link add "+appearingBridge+" type bridge forward_delay 0 mcast_snooping 0")
		run(t, "ip -n "+s.host+" link set "+appearingBridge+" up")
		run(t, "ip -n "+s.host+" link set c master "+appearingBridge)
		run(t, "ip -n "+s.host+" addr flush dev w")
		run(t, "ip -n "+s.client+" addr add 10.0.0.9/24 dev eth0")
		run(t, "ip -n "+s.client+" neigh replace 10.0.0.5 dev eth0 lladdr "+workloadMAC+" nud permanent")
		hostMAC = mac(t, s.client, "eth0")
	}
	s.leave()
	run(t, "ip -n "+s.workload+" neigh replace "+gateway+" dev eth0 lladdr "+hostMAC+" nud permanent")
	s.out = receive(t, s.client, remote+":7000")
	s.in = receive(t, s.workload, "10.0.0.5:7000")
	drizzle(t, s.workload, remote+":7000")
	drizzle(t, s.client, "10.0.0.5:7000")
	return s
}

// drizzle sends a datagram every 100 microseconds, so that some are sent in each
// appearance and an emulated machine has time left for the rest.
func drizzle(t *testing.T, ns, addr string) {
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
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				c.Write([]byte("flood"))
			}
		}
	}()
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// appear makes w appear to the host, up and on its bridge.
func (s *stage) appear() {
	s.Helper()
	w, err := s.workloadLinks.LinkByName("w")
	s.must(err)
	s.must(s.workloadLinks.LinkSetNsFd(w, int(s.hostNS)))
	w, err = s.hostLinks.LinkByName("w")
	s.must(err)
	if s.bridge {
		br, err := s.hostLinks.LinkByName(appearingBridge)
		s.must(err)
		s.must(s.hostLinks.LinkSetMaster(w, br))
	}
	s.must(s.hostLinks.LinkSetUp(w))
	if !s.bridge {
		to := &net.IPNet{IP: net.IPv4(10, 0, 0, 5).To4(), Mask: net.CIDRMask(32, 32)}
		s.must(s.hostLinks.NeighSet(&netlink.Neigh{LinkIndex: w.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: to.IP, HardwareAddr: s.mac}))
		s.must(s.hostLinks.RouteAdd(&netlink.Route{LinkIndex: w.Attrs().Index, Dst: to, Scope: netlink.SCOPE_LINK}))
	}
}

// leave makes w leave the host.
func (s *stage) leave() {
	s.Helper()
	w, err := s.hostLinks.LinkByName("w")
	s.must(err)
	s.must(s.hostLinks.LinkSetNsFd(w, int(s.workloadNS)))
	w, err = s.workloadLinks.LinkByName("w")
	s.must(err)
	s.must(s.workloadLinks.LinkSetUp(w)) // so that the flood's end of the link has a carrier, and the flood does not wait
}

// vlans makes a bridge filter by VLAN. Ports that are there get one, and those that
// come get one too unless they are to get none.
func (s *stage) vlans(none bool) {
	s.Helper()
	pvid := 1
	if none {
		pvid = 0
	}
	for _, line := range []string{
		fmt.Sprintf("ip -n %s link set %s type bridge vlan_default_pvid %d", s.host, appearingBridge, pvid),
		"bridge -n " + s.host + " vlan add vid 1 dev c pvid untagged",
		"ip -n " + s.host + " link set " + appearingBridge + " type bridge vlan_filtering 1",
	} {
		if err := tryRun(line); err != nil {
			s.Skipf("the kernel's bridges do not filter by VLAN (CONFIG_BRIDGE_VLAN_FILTERING): %v", err)
		}
	}
}

// Packets of a flood that pass while a device appears, before it is bound and after it
// is unbound: none, with each mechanism that guards it. Without any some do.
func TestAppearances(t *testing.T) {
	clause.Holds(t, "F71", "F75")
	guard := func(want dataplane.Guards) func(s *stage) {
		return func(s *stage) {
			s.Helper()
			s.must(in(s.T, s.host, func() error { return errors.Join(s.plane.Guard(s.Context(), want)) }))
		}
	}
	byName := dataplane.Guards{Names: []dataplane.Pattern{"w"}}
	ofBridge := dataplane.Guards{Bridges: []string{appearingBridge}}
	nftables, programs := Options{NoDoorman: true}, Options{}
	for _, row := range []struct {
		device, mechanism string
		bridge            bool
		options           Options
		prepare           func(s *stage)
	}{
		{"routed", "none", false, programs, nil},
		{"routed, guarded name", "nftables", false, nftables, guard(byName)},
		{"routed, guarded name", "netfilter programs", false, programs, func(s *stage) {
			guard(byName)(s)
			if s.plane.doorman == nil {
				s.Skip("needs Linux 6.4 with CONFIG_NETFILTER_BPF_LINK")
			}
		}},
		{"port of a bridge", "none", true, programs, nil},
		{"port of a bridge, guarded name", "nftables", true, programs, guard(byName)},
		{"port of a bridge with VLANs", "none", true, programs, func(s *stage) { s.vlans(false) }},
		{"port of a bridge with VLANs, guarded name", "nftables", true, programs, func(s *stage) { s.vlans(false); guard(byName)(s) }},
		{"port of a managed bridge", "VLANs", true, programs, func(s *stage) { s.vlans(true) }},
		{"port of a managed bridge", "nftables", true, programs, guard(ofBridge)},
		{"port of a managed bridge with VLANs", "nftables", true, programs, func(s *stage) { s.vlans(false); guard(ofBridge)(s) }},
	} {
		t.Run(row.device+" by "+row.mechanism, func(t *testing.T) {
			s := newStage(t, row.bridge)
			s.plane = open(t, row.options)
			// Its programs are in the kernel before the first appearance: what is bound
			// passes nothing, because nothing allows the flood.
			apply(t, s.plane, rules(t))
			c := s.binding
			c.Device, c.Interface = "c", eni+"c"
			if row.prepare != nil {
				row.prepare(s)
			}
			if row.bridge && len(s.plane.guarded.Bridges) > 0 {
				// The other port is bound, and lets the flood pass.
				c.Observe = true
				s.must(s.plane.Bind(t.Context(), c))
			}
			time.Sleep(100 * time.Millisecond)
			s.out.Store(0)
			s.in.Store(0)
			began, with := time.Now(), 0
			for n := range *appearances {
				before := s.out.Load() + s.in.Load()
				s.appear()
				time.Sleep(5 * time.Millisecond)
				if n%100 == 0 && row.mechanism != "VLANs" { // there only a bound port gets its VLAN
					s.must(s.plane.Bind(t.Context(), s.binding))
					s.must(s.plane.Unbind(t.Context(), s.binding.Interface))
				}
				s.leave()
				if s.out.Load()+s.in.Load() > before {
					with++
				}
			}
			out, in := s.out.Load(), s.in.Load()
			t.Logf("| %s | %s | %s | %d | %d | %d |", release(), row.device, row.mechanism, *appearances, with, out+in)
			t.Logf("%d from the workload, %d to it, in %v", out, in, time.Since(began).Round(time.Millisecond))
			if row.mechanism == "none" {
				if out == 0 || in == 0 {
					t.Error("no packet passed although nothing guards the device: the test cannot see one")
				}
				return
			}
			if out+in > 0 {
				t.Error("packets passed before the device was bound")
			}
			// Bound, and not enforced, it passes the flood: nothing else kept it from passing.
			s.appear()
			w := s.binding
			w.Observe = true
			s.must(s.plane.Bind(t.Context(), w))
			if row.mechanism == "VLANs" {
				run(t, "bridge -n "+s.host+" vlan add vid 1 dev w pvid untagged")
			}
			for end := time.Now().Add(10 * time.Second); s.out.Load() == 0 || s.in.Load() == 0; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("bound, it passes nothing: %d from the workload, %d to it", s.out.Load(), s.in.Load())
				}
			}
		})
	}
}

// release returns the kernel's version, such as 6.1.
func release() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	f := strings.SplitN(string(b), ".", 3)
	return f[0] + "." + f[1]
}
