package survey_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"moat/ec2/ec2test"
	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/survey"
	"moat/vpc"
	"moat/words"
)

// A site is a world with names for what the calls made.
type site struct {
	*ec2test.World
	t      *testing.T
	subnet string
	ids    map[string]string
}

func newSite(t *testing.T) *site {
	w := &site{World: ec2test.New(t), t: t, ids: map[string]string{}}
	for s := range state.Subnets.All(w.Space()) {
		if s.CIDR.Contains(netip.MustParseAddr("172.31.0.1")) {
			w.subnet = string(s.ID)
		}
	}
	return w
}

func (w *site) group(name string) {
	w.ids[name] = ec2test.One(w.Must("CreateSecurityGroup", "GroupName", name, "GroupDescription", "d"), "groupId")
}

func (w *site) iface(name, address string, groups ...string) {
	params := []string{"SubnetId", w.subnet, "PrivateIpAddress", address, "TagSpecification.1.ResourceType", "network-interface",
		"TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", name}
	for i, g := range groups {
		params = append(params, fmt.Sprintf("SecurityGroupId.%d", i+1), w.ids[g])
	}
	w.ids[name] = ec2test.One(w.Must("CreateNetworkInterface", params...), "networkInterfaceId")
}

func (w *site) list(name string, cidrs ...string) {
	params := []string{"PrefixListName", name, "AddressFamily", "IPv4", "MaxEntries", "20"}
	for i, c := range cidrs {
		params = append(params, fmt.Sprintf("Entry.%d.Cidr", i+1), c)
	}
	w.ids[name] = ec2test.One(w.Must("CreateManagedPrefixList", params...), "prefixListId")
}

// allow adds a rule: direction, group, "tcp 22" or "-1", peer.
func (w *site) allow(direction, group, what, peer string) {
	proto, ports, _ := strings.Cut(what, " ")
	params := []string{"GroupId", w.ids[group], "IpPermissions.1.IpProtocol", proto}
	if ports != "" {
		from, to, isRange := strings.Cut(ports, "-")
		if !isRange {
			to = from
		}
		if i := strings.Index(ports, "."); i > 0 {
			from, to = ports[:i], ports[i+1:]
		}
		params = append(params, "IpPermissions.1.FromPort", from, "IpPermissions.1.ToPort", to)
	}
	switch id := w.ids[peer]; {
	case strings.HasPrefix(id, "sg-"):
		params = append(params, "IpPermissions.1.Groups.1.GroupId", id)
	case strings.HasPrefix(id, "pl-"):
		params = append(params, "IpPermissions.1.PrefixListIds.1.PrefixListId", id)
	case strings.Contains(peer, ":"):
		params = append(params, "IpPermissions.1.Ipv6Ranges.1.CidrIpv6", peer)
	default:
		params = append(params, "IpPermissions.1.IpRanges.1.CidrIp", peer)
	}
	name := map[string]string{"in": "AuthorizeSecurityGroupIngress", "out": "AuthorizeSecurityGroupEgress"}[direction]
	w.Must(name, params...)
}

func (w *site) survey() *survey.Survey { return &survey.Survey{View: w.View, Scope: w.Scope} }

func search(t *testing.T, ip, port string, m survey.Match) survey.Search {
	t.Helper()
	q := survey.Search{Match: m}
	if ip != "" {
		p, err := survey.ParseAddresses(ip)
		if err != nil {
			t.Fatal(err)
		}
		q.Addresses = p
	}
	if port != "" {
		what, err := words.ParseWhat(port)
		if err != nil {
			t.Fatal(err)
		}
		q.Traffic = &what
	}
	return q
}

func TestFind(t *testing.T) {
	w := newSite(t)
	for _, g := range []string{"web", "app", "db", "ops"} {
		w.group(g)
	}
	w.list("office", "203.0.113.0/25", "203.0.113.128/25", "198.51.100.7/32")
	w.iface("web1", "172.31.0.10", "web")
	w.iface("web2", "172.31.0.11", "web")
	w.iface("app1", "172.31.0.20", "app")
	w.allow("in", "web", "tcp 443", "0.0.0.0/0")
	w.allow("in", "web", "tcp 443", "::/0")
	w.allow("in", "web", "tcp 22", "office")
	w.allow("in", "app", "tcp 8000-8100", "web")
	w.allow("in", "app", "udp 8000", "10.0.0.0/8")
	w.allow("in", "app", "icmp 8.-1", "10.0.0.0/8")
	w.allow("in", "db", "-1", "app")
	w.allow("in", "ops", "tcp 22", "203.0.113.7/32")
	w.allow("in", "ops", "tcp 20-25", "203.0.113.0/24")
	w.allow("in", "ops", "47", "192.0.2.0/24")
	w.allow("in", "ops", "60", "2001:db8::/32")
	for _, row := range []struct {
		ip, port string
		match    survey.Match
		want     string // "GROUP: RULE [via]; …"
	}{
		{"203.0.113.7", "22", "", "ops: 20-25/tcp from 203.0.113.0/24; ops: ssh 22/tcp from 203.0.113.7/32; web: ssh 22/tcp from list office [203.0.113.0/25]"},
		{"203.0.113.8", "22", "", "ops: 20-25/tcp from 203.0.113.0/24; web: ssh 22/tcp from list office [203.0.113.0/25]"},
		{"203.0.114.7", "22", "", ""},
		{"203.0.113.7", "26", "", ""},
		{"203.0.113.7", "22/udp", "", ""},
		{"203.0.113.7", "22-23", "", "ops: 20-25/tcp from 203.0.113.0/24"},
		{"203.0.113.7", "24-26", "", ""},
		{"203.0.113.7", "24-26", survey.Overlapping, "ops: 20-25/tcp from 203.0.113.0/24"},
		{"203.0.113.7", "22", survey.Exact, "ops: ssh 22/tcp from 203.0.113.7/32"},
		{"203.0.113.0/24", "20-25", survey.Exact, "ops: 20-25/tcp from 203.0.113.0/24"},
		{"203.0.113.128/25", "22", survey.Exact, "web: ssh 22/tcp from list office [203.0.113.128/25]"},
		// A range is contained if all of it is let in, also by several entries.
		{"203.0.113.0/24", "22", "", "ops: 20-25/tcp from 203.0.113.0/24; web: ssh 22/tcp from list office [203.0.113.0/25 203.0.113.128/25]"},
		{"203.0.112.0/23", "22", "", ""},
		{"203.0.112.0/23", "22", survey.Overlapping, "ops: 20-25/tcp from 203.0.113.0/24; ops: ssh 22/tcp from 203.0.113.7/32; web: ssh 22/tcp from list office [203.0.113.0/25 203.0.113.128/25]"},
		// Groups are their members.
		{"172.31.0.10", "8000", "", "app: 8000-8100/tcp from group web [web1 172.31.0.10/32]"},
		{"172.31.0.11", "8100", "", "app: 8000-8100/tcp from group web [web2 172.31.0.11/32]"},
		{"172.31.0.12", "8000", "", ""},
		{"172.31.0.10/31", "8000", "", "app: 8000-8100/tcp from group web [web1 172.31.0.10/32 web2 172.31.0.11/32]"},
		{"172.31.0.8/29", "8000", "", ""},
		{"172.31.0.8/29", "8000", survey.Overlapping, "app: 8000-8100/tcp from group web [web1 172.31.0.10/32 web2 172.31.0.11/32]"},
		{"172.31.0.11", "8000-8100", survey.Exact, "app: 8000-8100/tcp from group web [web2 172.31.0.11/32]"},
		{"172.31.0.20", "5432", "", "db: everything from group app [app1 172.31.0.20/32]"},
		{"172.31.0.20", "5432/udp", "", "db: everything from group app [app1 172.31.0.20/32]"},
		{"172.31.0.20", "5432", survey.Exact, ""},
		{"172.31.0.20", "all", survey.Exact, "db: everything from group app [app1 172.31.0.20/32]"},
		// Protocols.
		{"10.1.2.3", "8000", "", "app: 8000/udp from 10.0.0.0/8"},
		{"10.1.2.3", "8000/tcp", "", ""},
		{"10.1.2.3", "ping", "", "app: ping (icmp type 8) from 10.0.0.0/8"},
		{"10.1.2.3", "icmp:8.0", "", "app: ping (icmp type 8) from 10.0.0.0/8"},
		{"10.1.2.3", "icmp:0", "", ""},
		{"10.1.2.3", "icmp", "", ""},
		{"10.1.2.3", "icmp", survey.Overlapping, "app: ping (icmp type 8) from 10.0.0.0/8"},
		{"192.0.2.9", "gre", "", "ops: gre (protocol 47) from 192.0.2.0/24"},
		{"192.0.2.9", "esp", "", ""},
		{"2001:db8::1", "60/proto", "", ""}, // an extension header, which no packet is judged as
		{"2001:db8::1", "https", "", "web: https 443/tcp from anywhere (::/0)"},
		{"192.0.2.1", "https", "", "web: https 443/tcp from anywhere (0.0.0.0/0)"},
		// What is not asked fits any.
		{"", "443", "", "db: everything from group app; web: https 443/tcp from anywhere (0.0.0.0/0); web: https 443/tcp from anywhere (::/0)"},
		{"10.1.2.3", "", "", "app: ping (icmp type 8) from 10.0.0.0/8; app: 8000/udp from 10.0.0.0/8; web: https 443/tcp from anywhere (0.0.0.0/0)"},
	} {
		q := search(t, row.ip, row.port, row.match)
		found, err := w.survey().Find(q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range found.Rules {
			if h.Group.Name == "default" {
				continue
			}
			text := h.Group.Name + ": " + h.Text
			var via []string
			for _, v := range h.Via {
				if v.Interface != nil {
					via = append(via, v.Interface.Name)
				}
				via = append(via, v.CIDR)
			}
			if via != nil {
				text += " [" + strings.Join(via, " ") + "]"
			}
			got = append(got, text)
		}
		if strings.Join(got, "; ") != row.want {
			t.Errorf("%s %s %s\n got %s\nwant %s", row.ip, row.port, row.match, strings.Join(got, "; "), row.want)
		}
	}
	// Outwards it is the other rules.
	q := search(t, "192.0.2.1", "25", "")
	q.Egress, q.Group = flow.Egress, "web"
	if found, err := w.survey().Find(q); err != nil || len(found.Rules) != 1 || found.Rules[0].Text != "everything to anywhere (0.0.0.0/0)" || len(found.Rules[0].Interfaces) != 2 {
		t.Errorf("outwards: %+v, %v", found, err)
	}
}

// A rule that is found for an address and a port is one that the firewall goes
// by, and no other: Judge says the same of every interface.
func TestFindIsWhatJudgeSays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	found, denied := 0, 0
	for range 12 {
		w := newSite(t)
		groups := []string{"a", "b", "c", "d"}
		for _, g := range groups {
			w.group(g)
		}
		w.list("l", "192.0.2.0/25", "192.0.2.200/32", "172.31.0.10/32")
		addrs := []string{"172.31.0.10", "172.31.0.11", "172.31.0.12", "172.31.0.13"}
		for i, a := range addrs {
			w.iface(fmt.Sprintf("i%d", i), a, groups[r.IntN(4)])
		}
		peers := append([]string{"l", "192.0.2.0/24", "192.0.2.7/32", "172.31.0.0/16", "0.0.0.0/0"}, groups...)
		whats := []string{"tcp 22", "tcp 20-30", "udp 53", "tcp 0-65535", "icmp 8.0", "icmp 8.-1", "icmp -1.-1", "47", "-1"}
		seen := map[string]bool{}
		for range 12 {
			d, g, what, peer := []string{"in", "out"}[r.IntN(2)], groups[r.IntN(4)], whats[r.IntN(len(whats))], peers[r.IntN(len(peers))]
			if key := d + g + what + peer; !seen[key] && (d != "out" || what+peer != "-10.0.0.0/0") {
				seen[key] = true
				w.allow(d, g, what, peer)
			}
		}
		var locals []ruleset.Local
		for _, i := range []string{"i0", "i1", "i2", "i3"} {
			locals = append(locals, ruleset.Local{Scope: w.Scope, ID: vpc.InterfaceID(w.ids[i])})
		}
		rs := ruleset.Compile(w.View, locals, ruleset.Options{})
		for range 60 {
			remote := netip.MustParseAddr([]string{"192.0.2.7", "192.0.2.130", "192.0.2.200", "172.31.0.10", "172.31.0.11", "172.31.0.12", "172.31.0.77", "198.51.100.1"}[r.IntN(8)])
			port := []string{"22/tcp", "25/tcp", "31/tcp", "53/udp", "22/udp", "icmp:8.0", "icmp:0.0", "gre", "esp"}[r.IntN(9)]
			q := search(t, remote.String(), port, "")
			q.Egress = r.IntN(2) == 0
			hits, err := w.survey().Find(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range locals {
				verdict := rs.Judge(ruleset.Flow{Interface: l.ID, Direction: q.Egress, Remote: remote, Protocol: q.Traffic.Protocol,
					Port: uint16(max(0, q.Traffic.Ports.From)), Code: uint8(max(0, q.Traffic.Ports.To))})
				var ours []vpc.RuleID
				for _, h := range hits.Rules {
					if slices.ContainsFunc(h.Interfaces, func(i survey.Ref) bool { return i.ID == string(l.ID) }) {
						ours = append(ours, h.ID)
					}
				}
				if verdict.Allowed != (len(ours) > 0) || verdict.Allowed && !slices.Contains(ours, verdict.Rule) {
					t.Fatalf("%s %v of %s, egress %v: judged %v by %s, found %v", remote, port, l.ID, q.Egress, verdict.Allowed, verdict.Rule, ours)
				}
				if verdict.Allowed {
					found++
				} else {
					denied++
				}
			}
		}
	}
	if found < 300 || denied < 300 {
		t.Errorf("%d flows were allowed and %d denied: too few of one", found, denied)
	}
}

func TestParseAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7/32", "203.0.113.7/24": "203.0.113.0/24", "2001:db8::1": "2001:db8::1/128", "2001:db8::1/32": "2001:db8::/32",
		"::ffff:10.0.0.1": "10.0.0.1/32", "::ffff:10.0.0.1/104": "10.0.0.0/8", "0.0.0.0/0": "0.0.0.0/0",
		"": "error", "web": "error", "10.0.0.0/33": "error", "fe80::1%eth0": "error", "::ffff:10.0.0.1/90": "error",
	} {
		p, err := survey.ParseAddresses(text)
		got := p.String()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
