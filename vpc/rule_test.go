package vpc_test

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"moat/fault"
	"moat/flow"
	"moat/vpc"
)

// message gives what a caller sees of an error, "" for none.
func message(err error) string {
	if err == nil {
		return ""
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return "not a fault: " + err.Error()
	}
	return f.Code + ": " + f.Message
}

func TestParseProtocol(t *testing.T) {
	const null = "InvalidParameterValue: Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
	unknown := func(s string) string {
		return "InvalidParameterValue: Invalid value '" + s + "' for IP protocol. Unknown protocol."
	}
	for _, c := range []struct{ in, want, refused string }{
		{"tcp", "tcp", ""}, {"TCP", "tcp", ""}, {"6", "tcp", ""},
		{"udp", "udp", ""}, {"17", "udp", ""},
		{"icmp", "icmp", ""}, {"1", "icmp", ""},
		{"icmpv6", "icmpv6", ""}, {"ICMPv6", "icmpv6", ""}, {"58", "icmpv6", ""},
		{"-1", "-1", ""}, {"50", "50", ""}, {"0", "0", ""}, {"255", "255", ""},
		{"", "", null},
		{"all", "", unknown("all")}, {"any", "", unknown("any")}, {"256", "", unknown("256")},
		{"-2", "", unknown("-2")}, {"+6", "", unknown("+6")}, {"6 ", "", unknown("6 ")},
	} {
		got, err := vpc.ParseProtocol(c.in)
		if message(err) != c.refused {
			t.Errorf("protocol %q: refused %q, want %q", c.in, message(err), c.refused)
		} else if err == nil && got.String() != c.want {
			t.Errorf("protocol %q: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestParsePorts(t *testing.T) {
	const (
		none     = "InvalidParameterValue: Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
		noneICMP = "InvalidParameterValue: Invalid value for portRange. Must specify both from and to ports with ICMP."
		both     = "InvalidParameterValue: You may not specify all protocols and specific ports. Please specify each protocol and port range combination individually, or all protocols and no port range."
		value    = "InvalidParameterValue: "
	)
	for _, c := range []struct{ in, want, modify string }{ // modify "": as want
		{"tcp 22 22", "22 22", ""},
		{"udp 0 65535", "0 65535", ""},
		{"tcp . .", none, ""}, {"tcp 22 .", none, ""}, {"udp . 22", none, ""}, {"tcp -1 -1", none, ""},
		{"tcp -1 22", value + "TCP/UDP port (-1) out of range", ""},
		{"tcp 1 65536", value + "TCP/UDP port (65536) out of range", ""},
		{"tcp 23 22", value + "Invalid TCP/UDP port range (23:22)", ""},
		{"icmp 8 -1", "8 -1", ""}, {"icmp 3 4", "3 4", ""}, {"icmp -1 -1", "-1 -1", ""}, {"icmp 255 255", "255 255", ""},
		{"icmp . .", noneICMP, ""}, {"icmp 8 .", noneICMP, ""},
		{"icmp 256 -1", value + "ICMP type (256) out of range", ""},
		{"icmp -2 -1", value + "ICMP type (-2) out of range", ""},
		{"icmp 0 65535", value + "ICMP code (65535) out of range", ""},
		{"icmp -1 0", value + "ICMP code (0) out of range", ""},
		{"icmpv6 . .", "-1 -1", ""}, {"icmpv6 128 .", "128 -1", ""}, {"icmpv6 1 4", "1 4", ""},
		{"icmpv6 . 4", value + "ICMP code (4) out of range", ""},
		{"-1 . .", "-1 -1", ""}, {"-1 -1 -1", "-1 -1", ""},
		{"-1 0 0", "-1 -1", both}, {"-1 22 22", "-1 -1", both}, {"-1 . 0", "-1 -1", both}, {"-1 0 65535", "-1 -1", both},
		{"50 22 22", "-1 -1", ""},
	} {
		f := strings.Fields(c.in)
		p, err := vpc.ParseProtocol(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if c.modify == "" {
			c.modify = c.want
		}
		show := func(r flow.PortRange, err error) string {
			if err != nil {
				return message(err)
			}
			return strconv.Itoa(int(r.From)) + " " + strconv.Itoa(int(r.To))
		}
		if got := show(vpc.ParsePorts(p, port(f[1]), port(f[2]))); got != c.want {
			t.Errorf("ports %q: %s, want %s", c.in, got, c.want)
		}
		if got := show(vpc.ParsePortsStrictly(p, port(f[1]), port(f[2]))); got != c.modify {
			t.Errorf("ports %q in Modify: %s, want %s", c.in, got, c.modify)
		}
	}
}

// port reads a number, "." for one that is absent.
func port(s string) *int32 {
	if s == "." {
		return nil
	}
	n, _ := strconv.Atoi(s)
	v := int32(n)
	return &v
}

func TestParseRanges(t *testing.T) {
	for _, c := range []struct{ in, v4, v6 string }{ // "" for malformed
		{"10.0.0.0/8", "10.0.0.0/8", ""},
		{"100.68.0.18/18", "100.68.0.0/18", ""},
		{"203.0.113.7/32", "203.0.113.7/32", ""},
		{"0.0.0.0/0", "0.0.0.0/0", ""},
		{"10.0.0.1", "", ""}, {"10.0.0.0/33", "", ""}, {"10.0.0/8", "", ""}, {"10.0.0.0/08", "", ""}, {"", "", ""}, {"10.0.0.0/8 ", "", ""},
		{"::/0", "", "::/0"},
		{"2001:DB8:0:0::1/32", "", "2001:db8::/32"},
		{"2001:db8::1", "", ""}, {"::/129", "", ""}, {"fe80::%eth0/64", "", ""},
	} {
		check := func(what, want string, got netip.Prefix, err error) {
			t.Helper()
			switch {
			case want == "" && message(err) != "InvalidParameterValue: CIDR block "+c.in+" is malformed":
				t.Errorf("%s range %q: %v %q, want malformed", what, c.in, got, message(err))
			case want != "" && (err != nil || got.String() != want):
				t.Errorf("%s range %q: %v %q, want %s", what, c.in, got, message(err), want)
			}
		}
		got, err := vpc.ParseIPv4Range(c.in)
		check("IPv4", c.v4, got, err)
		got, err = vpc.ParseIPv6Range(c.in)
		check("IPv6", c.v6, got, err)
	}
}

func TestRuleQuoted(t *testing.T) {
	anyone := vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}
	for _, c := range []struct {
		rule vpc.Rule
		want string
	}{
		{vpc.Rule{Protocol: flow.TCP, Ports: flow.PortRange{From: 22, To: 22}, Peer: vpc.Peer{CIDR: netip.MustParsePrefix("10.0.0.0/8")}}, "peer: 10.0.0.0/8, TCP, from port: 22, to port: 22, ALLOW"},
		{vpc.Rule{Protocol: flow.UDP, Ports: flow.PortRange{From: 1, To: 9}, Peer: vpc.Peer{Ref: "sg-1"}}, "peer: sg-1, UDP, from port: 1, to port: 9, ALLOW"},
		{vpc.Rule{Protocol: flow.AllProtocols, Ports: flow.NoPorts, Peer: anyone}, "peer: 0.0.0.0/0, ALL, ALLOW"},
		{vpc.Rule{Protocol: flow.ICMP, Ports: flow.NoPorts, Peer: anyone}, "peer: 0.0.0.0/0, ICMP, type: ALL, code: ALL, ALLOW"},
		{vpc.Rule{Protocol: flow.ICMP, Ports: flow.PortRange{From: 8, To: -1}, Peer: anyone}, "peer: 0.0.0.0/0, ICMP, type: 8, code: ALL, ALLOW"},
		{vpc.Rule{Protocol: 50, Ports: flow.NoPorts, Peer: vpc.Peer{Ref: "pl-1"}}, "peer: pl-1, protocol: 50, ALLOW"},
	} {
		if got := c.rule.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
