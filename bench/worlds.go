package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

var (
	clientAddr = netip.MustParseAddr("10.200.0.2")
	serverAddr = netip.MustParseAddr("10.200.0.3")
)

// A world is one candidate: two network namespaces, or three with a bridge
// between, and a filter on the way or none. All worlds are there all the time,
// so that nothing is set up while something is measured.
type world struct {
	path
	name   string
	bridge string // its namespace; empty where client and server are on one link
	rules  int
	forget func() error // makes the filter forget its flows
}

func newWorld(kind string, rules int, bridge bool, cpu int, undo *[]func()) (*world, error) {
	n := fmt.Sprintf("moat-t-b%08x", rand.Uint32())
	w := &world{name: kind, rules: rules, path: path{client: n + "-c", server: n + "-s", to: serverAddr.As4(), cpu: cpu}}
	if rules > 0 {
		w.name += fmt.Sprintf(" %d", rules)
	}
	hosts := []string{w.client, w.server}
	if bridge {
		w.bridge = n + "-h"
		hosts = append(hosts, w.bridge)
	}
	for _, ns := range hosts {
		if err := ip("netns add " + ns); err != nil {
			return nil, err
		}
		*undo = append(*undo, func() { ip("netns del " + ns) })
		if err := command("", "ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
			"net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=10000 65000"); err != nil {
			return nil, err
		}
	}
	var lines []string
	if bridge {
		lines = append(lines, "-n "+w.bridge+" link add br0 type bridge", "-n "+w.bridge+" link set br0 up")
		for _, x := range [][2]string{{"c", w.client}, {"s", w.server}} {
			lines = append(lines,
				fmt.Sprintf("-n %s link add %s type veth peer name eth0 netns %s", w.bridge, x[0], x[1]),
				fmt.Sprintf("-n %s link set %s master br0 up", w.bridge, x[0]))
		}
	} else {
		lines = append(lines, fmt.Sprintf("-n %s link add eth0 type veth peer name eth0 netns %s", w.client, w.server))
	}
	lines = append(lines,
		fmt.Sprintf("-n %s addr add %s/24 dev eth0", w.client, clientAddr), fmt.Sprintf("-n %s link set eth0 up", w.client),
		fmt.Sprintf("-n %s addr add %s/24 dev eth0", w.server, serverAddr), fmt.Sprintf("-n %s link set eth0 up", w.server))
	for _, l := range lines {
		if err := ip(l); err != nil {
			return nil, err
		}
	}
	for _, ns := range hosts[:2] {
		// Nobody asks who is who while something is measured.
		if err := command("", "ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.neigh.eth0.base_reachable_time_ms=3600000"); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func ip(line string) error { return command("", "ip", strings.Fields(line)...) }

func command(stdin, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// A row is a rule, for Moat and for nftables.
type row struct {
	remote   netip.Prefix
	protocol flow.Protocol
	ports    flow.PortRange
}

// rows gives n rules, of which two allow the traffic.
func rows(n int) []row {
	all := flow.PortRange{From: trafficPort, To: trafficPort + 1}
	near := netip.MustParsePrefix("10.200.0.0/24")
	out := []row{{near, flow.TCP, all}, {near, flow.UDP, all}}
	for i := len(out); i < n; i++ {
		from := int32(1000 + i%5000)
		out = append(out, row{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24),
			[]flow.Protocol{flow.TCP, flow.UDP}[i%2],
			flow.PortRange{From: from, To: from + int32(i%7)},
		})
	}
	return out
}

// addPolicy gives the place of the policy with n rules, which is made if it is
// not there.
func addPolicy(rs *ruleset.Ruleset, d flow.Direction, n int) int {
	name := fmt.Sprintf("%s sg-%05d", d, n)
	if i := slices.IndexFunc(rs.Policies, func(p ruleset.Policy) bool { return p.Name == name }); i >= 0 {
		return i
	}
	p := ruleset.Policy{Name: name, Direction: d}
	if n > 0 {
		for i, r := range rows(n) {
			id := vpc.RuleID(fmt.Sprintf("sgr-%v%d-%d", d, n, i))
			p.Rules = append(p.Rules, ruleset.Rule{Protocol: r.protocol, Ports: r.ports, Remote: ruleset.Remote{Prefix: r.remote}, ID: id})
		}
		slices.SortFunc(p.Rules, ruleset.Compare)
	}
	rs.Policies = append(rs.Policies, p)
	return len(rs.Policies) - 1
}

// interfaces adds the world's to a ruleset, and gives where they are bound: the
// server's own device, or the host's end of both links. Each has as many rules
// in the direction in which flows begin, and none in the other.
func (w *world) interfaces(rs *ruleset.Ruleset) []dataplane.Binding {
	add := func(which string, addr netip.Addr, in, out int, b dataplane.Binding) dataplane.Binding {
		b.Interface = vpc.InterfaceID(fmt.Sprintf("eni-%s-%05d", which, w.rules))
		rs.Interfaces = append(rs.Interfaces, ruleset.Interface{
			ID: b.Interface, VPC: vpc.VPCID(fmt.Sprintf("vpc-%05d", w.rules)), Own: []netip.Prefix{netip.PrefixFrom(addr, 32)}, Check: true,
			In: addPolicy(rs, flow.Ingress, in), Out: addPolicy(rs, flow.Egress, out), Timeouts: ruleset.DefaultTimeouts,
		})
		return b
	}
	if w.bridge == "" {
		return []dataplane.Binding{add("server", serverAddr, w.rules, 0, dataplane.Binding{Device: "eth0", Netns: "/run/netns/" + w.server, Side: dataplane.Workload})}
	}
	return []dataplane.Binding{
		add("client", clientAddr, 0, w.rules, dataplane.Binding{Device: "c", Netns: "/run/netns/" + w.bridge}),
		add("server", serverAddr, w.rules, 0, dataplane.Binding{Device: "s", Netns: "/run/netns/" + w.bridge}),
	}
}

// ordered brings a ruleset into the order that Compile gives.
func ordered(rs *ruleset.Ruleset) {
	slices.SortFunc(rs.Interfaces, func(a, b ruleset.Interface) int { return strings.Compare(string(a.ID), string(b.ID)) })
	names := make([]string, len(rs.Policies))
	for i, p := range rs.Policies {
		names[i] = p.Name
	}
	slices.SortFunc(rs.Policies, func(a, b ruleset.Policy) int { return strings.Compare(a.Name, b.Name) })
	at := func(i int) int {
		return slices.IndexFunc(rs.Policies, func(p ruleset.Policy) bool { return p.Name == names[i] })
	}
	for i := range rs.Interfaces {
		x := &rs.Interfaces[i]
		x.In, x.Out = at(x.In), at(x.Out)
	}
}

// nft does the same job with nftables as well as it can: established
// connections first, then one look into a set of all rules. On a bridge it
// needs br_netfilter, whose filter sees each packet once: one rule looks into
// the sets of both ends.
func (w *world) nft() error {
	set := func(name string) string {
		elements := make([]string, 0, w.rules)
		for _, r := range rows(w.rules) {
			elements = append(elements, fmt.Sprintf("%v . %v . %d-%d", r.remote, r.protocol, r.ports.From, r.ports.To))
		}
		return "set " + name + " { type ipv4_addr . inet_proto . inet_service; flags interval; elements = { " + strings.Join(elements, ", ") + " } }\n"
	}
	const established = "ct state established,related accept\n"
	ns, rules := w.server, set("ingress")+
		"chain input { type filter hook input priority 0; policy drop; "+established+"ip saddr . meta l4proto . th dport @ingress accept\n}\n"+
		"chain output { type filter hook output priority 0; policy drop; "+established+"}\n"
	if w.bridge != "" {
		ns, rules = w.bridge, set("egress")+set("ingress")+
			"chain forward { type filter hook forward priority 0; policy drop; "+established+
			"ip daddr . meta l4proto . th dport @egress ip saddr . meta l4proto . th dport @ingress accept\n}\n"
		if err := command("", "ip", "netns", "exec", ns, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"); err != nil {
			return fmt.Errorf("nftables sees no packet of a bridge without br_netfilter: %w", err)
		}
	}
	if err := command("table ip moat {\n"+rules+"}\n", "ip", "netns", "exec", ns, "nft", "-f", "-"); err != nil {
		return err
	}
	w.forget = func() error {
		return w.in(ns, func() error { return netlink.ConntrackTableFlush(netlink.ConntrackTable) })
	}
	return nil
}

// A wrong port shows that a world's filter filters: it must not let it pass.
func (w *world) proves() error {
	open, shut := w.reaches(trafficPort), w.reaches(trafficPort+2)
	if open != nil {
		return fmt.Errorf("%s: a datagram to an allowed port: %w", w.name, open)
	}
	if w.forget != nil && shut == nil {
		return fmt.Errorf("%s: a datagram to a port that no rule allows arrives", w.name)
	}
	return nil
}
