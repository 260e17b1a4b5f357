package names

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"moat/flow"
	"moat/vpc"
)

// A Target is the word for the far side of a flow with its protocol and port.
type Target struct {
	Text     string
	Protocol flow.Protocol
	// Port is the destination's; for ICMP and ICMPv6 it is the type, and Code
	// the code.
	Port uint16
	Code uint8
}

// ParseTarget reads NAME:PORT, NAME:PORT/udp, NAME/icmp (an echo request),
// NAME:TYPE.CODE/icmp or NAME/PROTOCOL, the protocol by name or number. An
// IPv6 address stands in brackets where something follows it.
func ParseTarget(s string) (Target, error) {
	t := Target{Text: s, Protocol: flow.TCP}
	rest, proto := s, ""
	if i := strings.LastIndexByte(s, '/'); i > strings.LastIndexByte(s, ']') {
		// A slash belongs to VPC/NAME unless a protocol or a port is beside it.
		if p, err := vpc.ParseProtocol(s[i+1:]); err == nil && p != flow.AllProtocols {
			rest, proto, t.Protocol = s[:i], s[i+1:], p
		}
	}
	name, port := rest, ""
	if inner, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(inner, "[") {
		name, port = inner[1:], strings.TrimPrefix(after, ":")
	} else if _, err := netip.ParseAddr(rest); err != nil {
		if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			// Not the colon of tag:KEY=VALUE.
			if p := rest[i+1:]; !strings.Contains(p, "=") {
				name, port = rest[:i], p
			}
		}
	}
	if name == "" {
		return t, errors.New("want NAME:PORT, as web:443 or 10.0.1.5:53/udp")
	}
	t.Text = name
	switch t.Protocol {
	case flow.TCP, flow.UDP:
		if port == "" {
			if proto == "" {
				return t, fmt.Errorf("%q has no port: want NAME:PORT, as %s:443 or %s:53/udp, or NAME/PROTOCOL", s, name, name)
			}
			return t, fmt.Errorf("%q has no port: want NAME:PORT/%s", s, t.Protocol)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return t, fmt.Errorf("%q is no port from 0 to 65535", port)
		}
		t.Port = uint16(n)
	case flow.ICMP, flow.ICMPv6:
		t.Port = 8 // echo request
		if t.Protocol == flow.ICMPv6 {
			t.Port = 128
		}
		if port == "" {
			break
		}
		typ, code, _ := strings.Cut(port, ".")
		n, err := strconv.ParseUint(typ, 10, 8)
		if err != nil {
			return t, fmt.Errorf("%q is no ICMP type from 0 to 255", typ)
		}
		t.Port = uint16(n)
		if code != "" {
			if n, err = strconv.ParseUint(code, 10, 8); err != nil {
				return t, fmt.Errorf("%q is no ICMP code from 0 to 255", code)
			}
			t.Code = uint8(n)
		}
	default:
		if port != "" {
			return t, fmt.Errorf("%q: protocol %s has no ports", s, t.Protocol)
		}
	}
	return t, nil
}
