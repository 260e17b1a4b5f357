package words

import (
	"fmt"
	"strconv"
	"strings"

	"moat/flow"
	"moat/vpc"
)

// A What is traffic as somebody wrote it.
type What struct {
	// Protocol is AllProtocols also where Either is set.
	Protocol flow.Protocol
	Ports    flow.PortRange
	// Either tells that ports were given without a protocol: which of TCP and
	// UDP is meant is for the asker to say.
	Either bool
}

// ParseWhat reads protocol and ports as people write them:
//
//	22   8000-8100   22/tcp   53/udp   tcp/22   8000-8100/udp
//	ssh   dns/udp   postgres                     (services)
//	tcp   udp   icmp   icmpv6   gre   47/proto   (whole protocols)
//	ping   ping6   icmp:8   icmp:3.4   icmpv6:128 (type and code)
//	all
//
// Numbers without a protocol, and the names of services that use both, are
// Either.
func ParseWhat(s string) (What, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	switch text {
	case "":
		return What{}, fmt.Errorf("want a port, as 22, 53/udp, 8000-8100, ssh, or a protocol, as icmp or all")
	case "all", "any", "everything", "-1":
		return What{Protocol: flow.AllProtocols, Ports: flow.NoPorts}, nil
	case "ping":
		return What{Protocol: flow.ICMP, Ports: flow.PortRange{From: 8, To: -1}}, nil
	case "ping6":
		return What{Protocol: flow.ICMPv6, Ports: flow.PortRange{From: 128, To: -1}}, nil
	case "tcp", "udp", "icmp", "icmpv6":
		p, _ := vpc.ParseProtocol(text)
		return What{Protocol: p, Ports: wholeOf(p)}, nil
	}
	for _, p := range protocols {
		if p.name == text {
			return What{Protocol: p.number, Ports: flow.NoPorts}, nil
		}
	}
	if proto, typ, ok := strings.Cut(text, ":"); ok && (proto == "icmp" || proto == "icmpv6") {
		return parseType(s, proto, typ)
	}
	left, right, ok := strings.Cut(text, "/")
	if !ok {
		return parsePorts(s, text, 0)
	}
	if right == "proto" || right == "protocol" {
		n, err := strconv.ParseUint(left, 10, 8)
		if err != nil {
			return What{}, fmt.Errorf("%q: %s is no protocol's number from 0 to 255", s, left)
		}
		return What{Protocol: flow.Protocol(n), Ports: wholeOf(flow.Protocol(n))}, nil
	}
	if left == "tcp" || left == "udp" {
		left, right = right, left
	}
	p := flow.TCP
	switch right {
	case "tcp":
	case "udp":
		p = flow.UDP
	default:
		return What{}, fmt.Errorf("%q: %q is not tcp or udp: want a port with its protocol, as 22/tcp or 53/udp", s, right)
	}
	if left == "all" || left == "any" {
		return What{Protocol: p, Ports: wholeOf(p)}, nil
	}
	return parsePorts(s, left, p)
}

// Or gives the traffic with a protocol in place of Either.
func (w What) Or(p flow.Protocol) What {
	if w.Either {
		w.Protocol, w.Either = p, false
	}
	return w
}

// String gives the traffic in words.
func (w What) String() string {
	if w.Either {
		if w.Ports.From == w.Ports.To {
			return "port " + strconv.Itoa(int(w.Ports.From))
		}
		return fmt.Sprintf("ports %d-%d", w.Ports.From, w.Ports.To)
	}
	return Traffic(w.Protocol, w.Ports)
}

// wholeOf gives all ports, or all types, of a protocol.
func wholeOf(p flow.Protocol) flow.PortRange {
	if p == flow.TCP || p == flow.UDP {
		return flow.PortRange{From: 0, To: 65535}
	}
	return flow.NoPorts
}

// parsePorts reads a port, a range or a service; p is 0 if none was named.
func parsePorts(whole, text string, p flow.Protocol) (What, error) {
	from, to, isRange := strings.Cut(text, "-")
	a, err := strconv.ParseUint(from, 10, 16)
	if err != nil {
		if allDigits(from) {
			return What{}, fmt.Errorf("%q: %s is no port from 0 to 65535", whole, from)
		}
		return parseService(whole, text, p)
	}
	b := a
	if isRange {
		if b, err = strconv.ParseUint(to, 10, 16); err != nil {
			return What{}, fmt.Errorf("%q: %q is no port from 0 to 65535", whole, to)
		}
		if b < a {
			return What{}, fmt.Errorf("%q: the range ends before it begins: did you mean %d-%d?", whole, b, a)
		}
	}
	w := What{Protocol: p, Ports: flow.PortRange{From: int32(a), To: int32(b)}}
	if p == 0 {
		w.Protocol, w.Either = flow.AllProtocols, true
	}
	return w, nil
}

func parseService(whole, name string, p flow.Protocol) (What, error) {
	if other, ok := aliases[name]; ok {
		name = other
	}
	for i := range services {
		s := &services[i]
		if s.name != name || p != 0 && !s.uses(p) {
			continue
		}
		w := What{Protocol: p, Ports: flow.PortRange{From: s.port, To: s.port}}
		switch {
		case p != 0:
		case s.on == "tcp":
			w.Protocol = flow.TCP
		case s.on == "udp":
			w.Protocol = flow.UDP
		default:
			w.Protocol, w.Either = flow.AllProtocols, true
		}
		return w, nil
	}
	return What{}, fmt.Errorf("%q is no port, service or protocol: want such as 22, 22/tcp, 53/udp, 8000-8100, ssh, icmp or all", whole)
}

func parseType(whole, proto, text string) (What, error) {
	p, _ := vpc.ParseProtocol(proto)
	typ, code, hasCode := strings.Cut(text, ".")
	t, err := strconv.ParseUint(typ, 10, 8)
	if err != nil {
		return What{}, fmt.Errorf("%q: %q is no ICMP type from 0 to 255", whole, typ)
	}
	w := What{Protocol: p, Ports: flow.PortRange{From: int32(t), To: -1}}
	if hasCode {
		c, err := strconv.ParseUint(code, 10, 8)
		if err != nil {
			return What{}, fmt.Errorf("%q: %q is no ICMP code from 0 to 255", whole, code)
		}
		w.Ports.To = int32(c)
	}
	return w, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
