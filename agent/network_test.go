package agent_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"moat/agent"
	"moat/test/moattest"
)

// A machine has an uplink, links to workloads, a bridge, a tunnel and a pair of
// devices of its own: what is the machine's is told from what is a workload's.
func TestReadNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	name := fmt.Sprintf("moat-t-%06x", rand.Uint32()&0xffffff)
	ip := func(line string) {
		t.Helper()
		if out, err := exec.Command("sh", "-ec", strings.ReplaceAll(line, "NS", name)).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	for _, ns := range []string{name, name + "w"} {
		moattest.Undo(t, func() { exec.Command("ip", "netns", "del", ns).Run() })
		ip("ip netns add " + ns)
	}
	ip(`ip -n NS -batch - <<END
link set lo up
addr add 203.0.113.200/32 dev lo
link add wl type veth peer name wl-w netns NSw
addr add 10.9.1.1/30 dev wl
link set wl up
link add uplink type veth peer name uplink-w netns NSw
addr add 192.0.2.5/24 dev uplink
addr add 2001:db8::5/64 dev uplink nodad
link set uplink up
link add lan type bridge
addr add 10.9.2.1/24 dev lan
link add wp type veth peer name wp-w netns NSw
link set wp master lan up
link add pa type veth peer name pb
link set pb master lan up
link set pa up
link set lan up
tuntap add tap0 mode tap
addr add 10.9.3.1/30 dev tap0
tuntap add tun0 mode tun
addr add 10.9.4.1/30 dev tun0
link add xa type veth peer name xb
addr add 10.9.5.1/24 dev xb
link add bare type veth peer name bare-w netns NSw
END
for d in wl-w uplink-w wp-w bare-w; do ip -n NSw link set $d up; done
ip -n NS route add default via 192.0.2.1`)
	dummy := exec.Command("ip", "-n", name, "link", "add", "dum", "type", "dummy").Run() == nil
	if dummy {
		ip("ip -n NS addr add 10.9.6.1/32 dev dum")
	} else {
		t.Log("this kernel has no dummy devices: a tun device stands for one")
	}

	inside := func(f func()) {
		var err error
		done := make(chan bool)
		go func() {
			defer close(done)
			runtime.LockOSThread() // the thread ends with the goroutine
			var h *os.File
			h, err := os.Open("/run/netns/" + name)
			if err == nil {
				defer h.Close()
				err = unix.Setns(int(h.Fd()), unix.CLONE_NEWNET)
			}
			if err == nil {
				f()
			}
		}()
		if <-done; err != nil {
			t.Fatal(err)
		}
	}
	inside(func() {
		n, err := agent.ReadNetwork("")
		if err != nil {
			t.Error(err)
			return
		}
		uses := map[string]string{ // "" for none
			"wl": "", "tap0": "", "wp": "", "bare": "",
			"uplink": "192.0.2.5 2001:db8::5 default", "lan": "10.9.2.1", "tun0": "10.9.4.1",
			"pb": "10.9.2.1", "pa": "10.9.2.1", // by the bridge
			"xa": "10.9.5.1", "xb": "10.9.5.1", // by its other end
			"nowhere": "",
		}
		if dummy {
			uses["dum"] = "10.9.6.1"
		}
		for device, want := range uses {
			u := n.UseOf(device)
			var got []string
			for _, a := range u.Addresses {
				got = append(got, a.String())
			}
			slices.Sort(got)
			if u.DefaultRoute {
				got = append(got, "default")
			}
			if s := strings.Join(got, " "); s != want || u.Any() != (want != "") {
				t.Errorf("%s: used for %q, want %q", device, s, want)
			}
		}
		if u := n.UseOf("uplink"); fmt.Sprint(u.Inner) != "[203.0.113.200]" || n.UseOf("lan").Inner != nil {
			t.Errorf("by the default route lo's addresses are reached: %v, and by none: %v", u.Inner, n.UseOf("lan").Inner)
		}
		carries := func(local, remote string, want ...string) {
			t.Helper()
			var got []string
			for _, d := range n.Devices {
				passes, err := n.Connection(netip.MustParseAddr(local), netip.MustParseAddr(remote)).Passes(d.Name)
				if err != nil {
					t.Errorf("%s: %v", d.Name, err)
				}
				if passes != agent.PassesNot {
					got = append(got, d.Name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("a connection from %s to %s is carried by %v, want %v", local, remote, got, want)
			}
		}
		carries("192.0.2.5", "192.0.2.9", "uplink")
		carries("192.0.2.5", "203.0.113.1", "uplink")
		carries("2001:db8::5", "2001:db8::9", "uplink")
		carries("10.9.1.1", "10.9.1.2", "wl")
		local := linkLocal(t, n, "uplink")
		carries(local, "fe80::9%uplink", "uplink")
		carries(local+"%uplink", "fe80::9", "uplink") // as /proc has neither zone
		carries(local, "fe80::9", "uplink")
		carries(local, "fe80::9%wl")
		carries(linkLocal(t, n, "wl"), "fe80::9%wl", "wl")
		carries("203.0.113.200", "203.0.113.1", "lo", "uplink") // an address on lo
		ip("ip -n NS rule add to 203.0.113.77 table 77 && ip -n NS route add default via 10.9.2.7 table 77")
		carries("203.0.113.200", "203.0.113.77", "lan", "lo", "pa", "pb") // by another table
		if n, err = agent.ReadNetwork(""); err != nil || !n.UseOf("lan").DefaultRoute {
			t.Errorf("of a default route in another table: %+v, %v", n.UseOf("lan"), err)
		}
		ip("ip -n NS rule del to 203.0.113.77 table 77 && ip -n NS route flush table 77")
		carries("192.0.2.5", "10.9.1.2", "uplink", "wl") // it may come in by uplink
		carries("192.0.2.5", "10.9.1.1")                 // of the machine with itself
		carries("10.9.2.1", "10.9.2.7", "lan", "pa", "pb")
		mac := "02:00:00:00:00:07"
		ip("ip -n NS neigh add 10.9.2.7 dev lan lladdr " + mac + " && bridge -n NS fdb add " + mac + " dev wp master")
		carries("10.9.2.1", "10.9.2.7", "lan", "wp")
		ip("ip -n NS route del default && ip -n NS route add default nexthop via 192.0.2.1 nexthop via 10.9.1.2")
		carries("203.0.113.200", "203.0.113.1", "lo", "uplink", "wl")
		ip("ip -n NS route add unreachable default metric 9999")
		if n, err = agent.ReadNetwork(""); err != nil || !n.UseOf("wl").DefaultRoute || !n.UseOf("uplink").DefaultRoute || n.UseOf("lan").DefaultRoute {
			t.Errorf("of two ways for everything: wl %+v, up %+v, lan %+v, %v", n.UseOf("wl"), n.UseOf("uplink"), n.UseOf("lan"), err)
		}
		ip("ip -n NS route del default && ip -n NS route add 128.0.0.0/1 via 192.0.2.1")
		if n, err = agent.ReadNetwork(""); err != nil || !n.UseOf("uplink").DefaultRoute {
			t.Errorf("of a route for half of everything: %+v, %v", n.UseOf("uplink"), err)
		}
	})
	n, err := agent.ReadNetwork("/run/netns/" + name)
	if own := n.Owned("wl"); !own.UseOf("wl").Any() || n.UseOf("wl").Any() {
		t.Errorf("wl as a device of its own: %+v; as a workload's link: %+v", own.UseOf("wl"), n.UseOf("wl"))
	}
	if err != nil || !n.UseOf("uplink").Any() || n.UseOf("wl").Any() {
		t.Errorf("read from another namespace: up %+v, wl %+v, %v", n.UseOf("uplink"), n.UseOf("wl"), err)
	}
	if _, err := agent.ReadNetwork("/run/netns/moat-t-nowhere"); err == nil {
		t.Error("a namespace that does not exist is read")
	}
}

// linkLocal returns the address that a device has by IPv6 alone.
func linkLocal(t *testing.T, n *agent.Network, device string) string {
	for _, a := range n.Device(device).Addresses {
		if a.Is6() && a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	t.Fatalf("%s has no link-local address: %v", device, n.Device(device).Addresses)
	return ""
}

// What lies above a device: a bond, a VLAN of it, a bridge of that, and a VLAN
// beside. Kernels without these are spared the devices.
func TestPassesByDevicesAbove(t *testing.T) {
	addr := netip.MustParseAddr
	n := &agent.Network{Devices: []agent.NetworkDevice{
		{Name: "eth0", Index: 1, Above: []int{2, 6}},
		{Name: "bond0", Index: 2, Above: []int{3}, Addresses: []netip.Addr{addr("192.0.2.5")}},
		{Name: "bond0.5", Index: 3, VLAN: true, Above: []int{4}},
		{Name: "br5", Index: 4, Bridge: true, Addresses: []netip.Addr{addr("198.51.100.5")}},
		{Name: "wl", Index: 5, WorkloadLink: true, Above: []int{4}},
		{Name: "eth0.7", Index: 6, VLAN: true, Addresses: []netip.Addr{addr("203.0.113.5"), addr("fe80::7")}},
	}}
	n.Routes = func(local, remote netip.Addr) ([]agent.Hop, error) {
		index := map[netip.Addr]int{addr("192.0.2.9"): 2, addr("198.51.100.9"): 4, addr("198.51.100.10"): 4, addr("203.0.113.9"): 6}[remote]
		if index == 0 {
			return nil, nil
		}
		return []agent.Hop{{Index: index, Neighbour: remote}}, nil
	}
	n.Port = func(bridge, device int, neighbour netip.Addr) (int, error) {
		return map[netip.Addr]int{addr("198.51.100.9"): 3, addr("198.51.100.10"): 5}[neighbour], nil
	}
	if u := n.UseOf("eth0"); fmt.Sprint(u.Addresses) != "[192.0.2.5]" || fmt.Sprint(u.VLANs) != "[br5 eth0.7]" && fmt.Sprint(u.VLANs) != "[eth0.7 br5]" {
		t.Errorf("eth0 is used for %+v", u)
	}
	for _, row := range []struct {
		local, remote string
		by            map[string]agent.Passage
	}{
		{"192.0.2.5", "192.0.2.9", map[string]agent.Passage{"eth0": agent.Passes, "bond0": agent.Passes}},
		{"198.51.100.5", "198.51.100.9", map[string]agent.Passage{"eth0": agent.PassesTagged, "bond0": agent.PassesTagged, "bond0.5": agent.Passes, "br5": agent.Passes}},
		{"198.51.100.5", "198.51.100.10", map[string]agent.Passage{"wl": agent.Passes, "br5": agent.Passes}},
		{"203.0.113.5", "203.0.113.9", map[string]agent.Passage{"eth0": agent.PassesTagged, "eth0.7": agent.Passes}},
		{"fe80::7", "fe80::9", map[string]agent.Passage{"eth0": agent.PassesTagged, "eth0.7": agent.Passes}},
		{"192.0.2.5", "203.0.113.5", nil}, // the host with itself
	} {
		for _, d := range n.Devices {
			got, err := n.Connection(addr(row.local), addr(row.remote)).Passes(d.Name)
			if err != nil || got != row.by[d.Name] {
				t.Errorf("%s carries %s to %s: %v, %v, want %v", d.Name, row.local, row.remote, got, err, row.by[d.Name])
			}
		}
	}
}
