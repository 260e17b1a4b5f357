package words

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"moat/flow"
	"moat/vpc"
)

func TestRules(t *testing.T) {
	cidr := func(s string) vpc.Peer { return vpc.Peer{CIDR: netip.MustParsePrefix(s)} }
	for _, row := range []struct {
		want string
		rule vpc.Rule
		name string
	}{
		{"ssh 22/tcp from 203.0.113.7/32", vpc.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: 22, To: 22}, Peer: cidr("203.0.113.7/32")}, ""},
		{"22/udp from 203.0.113.7/32", vpc.Rule{Protocol: flow.UDP, Ports: flow.PortRange{From: 22, To: 22}, Peer: cidr("203.0.113.7/32")}, ""},
		{"dns 53/udp to 10.0.0.2/32", vpc.Rule{Direction: flow.Egress, Protocol: flow.UDP, Ports: flow.PortRange{From: 53, To: 53}, Peer: cidr("10.0.0.2/32")}, ""},
		{"8000-8100/tcp from anywhere (::/0)", vpc.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: 8000, To: 8100}, Peer: cidr("::/0")}, ""},
		{"all tcp from group web", vpc.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: 0, To: 65535}, Peer: vpc.Peer{Ref: "sg-1"}}, "group web"},
		{"0-65534/tcp from group sg-1", vpc.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: 0, To: 65534}, Peer: vpc.Peer{Ref: "sg-1"}}, ""},
		{"everything to anywhere (0.0.0.0/0)", vpc.Rule{Direction: flow.Egress, Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: cidr("0.0.0.0/0")}, ""},
		{"ping (icmp type 8) from list pl-1", vpc.Rule{Protocol: flow.ICMP, Ports: flow.PortRange{From: 8, To: -1}, Peer: vpc.Peer{Ref: "pl-1"}}, ""},
		{"icmp type 3 code 4 from 10.0.0.0/8", vpc.Rule{Protocol: flow.ICMP, Ports: flow.PortRange{From: 3, To: 4}, Peer: cidr("10.0.0.0/8")}, ""},
		{"icmp type 8 code 1 from 10.0.0.0/8", vpc.Rule{Protocol: flow.ICMP, Ports: flow.PortRange{From: 8, To: 1}, Peer: cidr("10.0.0.0/8")}, ""},
		{"all icmpv6 from 2001:db8::/32", vpc.Rule{Protocol: flow.ICMPv6, Ports: flow.NoPorts, Peer: cidr("2001:db8::/32")}, ""},
		{"gre (protocol 47) from 10.0.0.0/8", vpc.Rule{Protocol: 47, Ports: flow.NoPorts, Peer: cidr("10.0.0.0/8")}, ""},
		{"protocol 99 from 10.0.0.0/8", vpc.Rule{Protocol: 99, Ports: flow.NoPorts, Peer: cidr("10.0.0.0/8")}, ""},
	} {
		if got := Rule(&row.rule, row.name); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

func TestParseWhat(t *testing.T) {
	ports := func(p flow.Protocol, from, to int32) What {
		return What{Protocol: p, Ports: flow.PortRange{From: from, To: to}}
	}
	either := func(from, to int32) What { w := ports(flow.AllProtocols, from, to); w.Either = true; return w }
	for _, row := range []struct {
		text string
		want What
	}{
		{"22", either(22, 22)}, {"0", either(0, 0)}, {"65535", either(65535, 65535)}, {"8000-8100", either(8000, 8100)},
		{"22/tcp", ports(flow.TCP, 22, 22)}, {"tcp/22", ports(flow.TCP, 22, 22)}, {"53/udp", ports(flow.UDP, 53, 53)}, {"8000-8100/udp", ports(flow.UDP, 8000, 8100)},
		{"ssh", ports(flow.TCP, 22, 22)}, {"SSH", ports(flow.TCP, 22, 22)}, {"dns", either(53, 53)}, {"dns/udp", ports(flow.UDP, 53, 53)}, {"postgresql", ports(flow.TCP, 5432, 5432)},
		{"http-alt", ports(flow.TCP, 8080, 8080)}, {"wireguard", ports(flow.UDP, 51820, 51820)},
		{"tcp", ports(flow.TCP, 0, 65535)}, {"all/udp", ports(flow.UDP, 0, 65535)}, {"icmp", ports(flow.ICMP, -1, -1)}, {"gre", ports(47, -1, -1)}, {"99/proto", ports(99, -1, -1)}, {"6/proto", ports(flow.TCP, 0, 65535)},
		{"ping", ports(flow.ICMP, 8, -1)}, {"ping6", ports(flow.ICMPv6, 128, -1)}, {"icmp:3.4", ports(flow.ICMP, 3, 4)}, {"icmpv6:128", ports(flow.ICMPv6, 128, -1)},
		{"all", ports(flow.AllProtocols, -1, -1)}, {"-1", ports(flow.AllProtocols, -1, -1)},
	} {
		if got, err := ParseWhat(row.text); err != nil || got != row.want {
			t.Errorf("%q is %+v, %v; want %+v", row.text, got, err, row.want)
		}
	}
	for text, want := range map[string]string{
		"": "want a port", "65536": "no port from 0 to 65535", "22-": "no port", "8100-8000": "did you mean 8000-8100?", "sssh": "no port, service or protocol",
		"22/sctp": "not tcp or udp", "ssh/udp": "no port, service", "256/proto": "no protocol's number", "icmp:256": "no ICMP type", "icmp:3.x": "no ICMP code", "-22": "no port",
	} {
		if got, err := ParseWhat(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %+v, %v; want an error: %s", text, got, err, want)
		}
	}
}

// What is said of traffic can be written.
func TestServicesAreRead(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range services {
		for _, p := range []flow.Protocol{flow.TCP, flow.UDP} {
			if !s.uses(p) {
				continue
			}
			text := Traffic(p, flow.PortRange{From: s.port, To: s.port})
			name, port, _ := strings.Cut(text, " ")
			byName, err := ParseWhat(name + "/" + p.String())
			byPort, err2 := ParseWhat(port)
			if err != nil || err2 != nil || byName != byPort {
				t.Errorf("%s: %+v %v, %+v %v", text, byName, err, byPort, err2)
			}
		}
		if seen[s.name] {
			t.Errorf("%s is there twice", s.name)
		}
		seen[s.name] = true
	}
	for from, to := range aliases {
		if seen[from] || !seen[to] {
			t.Errorf("alias %s of %s", from, to)
		}
	}
}

func TestAgo(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Minute: "just now", time.Second: "just now", 59 * time.Second: "59 s ago", time.Minute: "1 min ago", 90 * time.Minute: "1 h ago",
		47 * time.Hour: "47 h ago", 3*day + time.Hour: "3 d ago", 59 * day: "59 d ago", 61 * day: "2 months ago", 800 * day: "2 years ago",
	} {
		if got := Ago(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestCaller(t *testing.T) {
	for arn, want := range map[string]string{
		"":                                     "moat",
		"arn:aws:iam::123456789012:root":       "root",
		"arn:aws:iam::123456789012:user/alice": "alice",
		"arn:aws:iam::123456789012:user/team/blue/alice":  "alice",
		"arn:aws:sts::123456789012:assumed-role/ops/bob":  "ops/bob",
		"arn:aws-cn:iam::123456789012:user/\x1b[31malice": `\x1b[31malice`,
		"somebody": "somebody",
	} {
		if got := Caller(arn); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"web server 1": "web server 1", "größe-日本": "größe-日本", "a\x1b]0;b\a": `a\x1b]0;b\a`, "a\nb\tc": `a\nb\tc`, "a\u202eb": `a\u202eb`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
