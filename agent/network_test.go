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
		carries := func(local, remote string, want ...string) {
			t.Helper()
			var got []string
			for _, d := range n.Devices {
				ok, err := n.Carries(d.Name, netip.MustParseAddr(local), netip.MustParseAddr(remote))
				if err != nil {
					t.Errorf("%s: %v", d.Name, err)
				}
				if ok {
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
		carries("192.0.2.5", "10.9.1.2", "uplink", "wl") // it may come in by uplink
		carries("192.0.2.5", "10.9.1.1")                 // of the machine with itself
		carries("10.9.2.1", "10.9.2.7", "lan", "pa", "pb")
		mac := "02:00:00:00:00:07"
		ip("ip -n NS neigh add 10.9.2.7 dev lan lladdr " + mac + " && bridge -n NS fdb add " + mac + " dev wp master")
		carries("10.9.2.1", "10.9.2.7", "lan", "wp")
		ip("ip -n NS route del default && ip -n NS route add default nexthop via 192.0.2.1 nexthop via 10.9.1.2 && ip -n NS route add unreachable default metric 9999")
		if n, err = agent.ReadNetwork(""); err != nil || !n.UseOf("wl").DefaultRoute || !n.UseOf("uplink").DefaultRoute || n.UseOf("lan").DefaultRoute {
			t.Errorf("of two ways for everything: wl %+v, up %+v, lan %+v, %v", n.UseOf("wl"), n.UseOf("uplink"), n.UseOf("lan"), err)
		}
		ip("ip -n NS route del default && ip -n NS route add 128.0.0.0/1 via 192.0.2.1")
		if n, err = agent.ReadNetwork(""); err != nil || !n.UseOf("uplink").DefaultRoute {
			t.Errorf("of a route for half of everything: %+v, %v", n.UseOf("uplink"), err)
		}
	})
	n, err := agent.ReadNetwork("/run/netns/" + name)
	if err != nil || !n.UseOf("uplink").Any() || n.UseOf("wl").Any() {
		t.Errorf("read from another namespace: up %+v, wl %+v, %v", n.UseOf("uplink"), n.UseOf("wl"), err)
	}
	if _, err := agent.ReadNetwork("/run/netns/moat-t-nowhere"); err == nil {
		t.Error("a namespace that does not exist is read")
	}
}
