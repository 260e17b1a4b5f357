package vpc

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"moat/fault"
	"moat/flow"
)

// A RuleKey is what makes two rules of a group the same rule. Description and
// tags are not in it; the owner of a referenced group is not needed, since no
// two groups have one id.
type RuleKey struct {
	Direction flow.Direction
	Protocol  flow.Protocol
	Ports     flow.PortRange
	Peer      Peer
}

// Key gives the rule's identity.
func (r *Rule) Key() RuleKey { return RuleKey{r.Direction, r.Protocol, r.Ports, r.Peer} }

// HasPorts reports whether ports, or type and code, mean something to the
// rule's protocol.
func (r *Rule) HasPorts() bool { return hasPorts(r.Protocol) }

func hasPorts(p flow.Protocol) bool {
	return p == flow.TCP || p == flow.UDP || p == flow.ICMP || p == flow.ICMPv6
}

// String gives the rule as EC2 quotes it when it exists already.
func (r *Rule) String() string {
	peer := r.Peer.String()
	switch r.Protocol {
	case flow.AllProtocols:
		return fmt.Sprintf("peer: %s, ALL, ALLOW", peer)
	case flow.TCP, flow.UDP:
		return fmt.Sprintf("peer: %s, %s, from port: %d, to port: %d, ALLOW", peer, strings.ToUpper(r.Protocol.String()), r.Ports.From, r.Ports.To)
	case flow.ICMP, flow.ICMPv6:
		return fmt.Sprintf("peer: %s, %s, type: %s, code: %s, ALLOW", peer, strings.ToUpper(r.Protocol.String()), orAll(r.Ports.From), orAll(r.Ports.To))
	}
	return fmt.Sprintf("peer: %s, protocol: %d, ALLOW", peer, r.Protocol)
}

func orAll(n int32) string {
	if n < 0 {
		return "ALL"
	}
	return strconv.Itoa(int(n))
}

// String gives the peer's range or id.
func (p Peer) String() string {
	if p.Ref != "" {
		return p.Ref
	}
	return p.CIDR.String()
}

// ParseProtocol reads a rule's protocol: a name that EC2 knows, in any case, a
// number, or -1. The word "all" belongs to the command line alone.
func ParseProtocol(s string) (flow.Protocol, error) {
	switch strings.ToLower(s) {
	case "":
		return 0, fault.InvalidParameterValue.Say("Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.")
	case "tcp":
		return flow.TCP, nil
	case "udp":
		return flow.UDP, nil
	case "icmp":
		return flow.ICMP, nil
	case "icmpv6":
		return flow.ICMPv6, nil
	case "-1":
		return flow.AllProtocols, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fault.InvalidParameterValue.Say("Invalid value '%s' for IP protocol. Unknown protocol.", s)
	}
	return flow.Protocol(n), nil
}

// ParsePorts reads the ports of a rule, or its ICMP type and code. Protocols
// without ports ignore whatever is there.
func ParsePorts(p flow.Protocol, from, to *int32) (flow.PortRange, error) {
	switch p {
	case flow.TCP, flow.UDP:
		return parseRange(from, to)
	case flow.ICMP:
		if from == nil || to == nil {
			return flow.PortRange{}, fault.InvalidParameterValue.Say("Invalid value for portRange. Must specify both from and to ports with ICMP.")
		}
		return parseType(*from, *to)
	case flow.ICMPv6: // type and code may be left out: all of them
		r := flow.NoPorts
		if from != nil {
			r.From = *from
		}
		if to != nil {
			r.To = *to
		}
		return parseType(r.From, r.To)
	}
	return flow.NoPorts, nil
}

// ParsePortsStrictly is ParsePorts for ModifySecurityGroupRules, which refuses
// ports beside all protocols, 0 and 0 included.
func ParsePortsStrictly(p flow.Protocol, from, to *int32) (flow.PortRange, error) {
	if p == flow.AllProtocols && (from != nil && *from != -1 || to != nil && *to != -1) {
		return flow.PortRange{}, fault.InvalidParameterValue.Say("You may not specify all protocols and specific ports. Please specify each protocol and port range combination individually, or all protocols and no port range.")
	}
	return ParsePorts(p, from, to)
}

func parseRange(from, to *int32) (flow.PortRange, error) {
	if from == nil || to == nil || *from == -1 && *to == -1 {
		return flow.PortRange{}, fault.InvalidParameterValue.Say("Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
	}
	for _, n := range []int32{*from, *to} {
		if n < 0 || n > 65535 {
			return flow.PortRange{}, fault.InvalidParameterValue.Say("TCP/UDP port (%d) out of range", n)
		}
	}
	if *from > *to {
		return flow.PortRange{}, fault.InvalidParameterValue.Say("Invalid TCP/UDP port range (%d:%d)", *from, *to)
	}
	return flow.PortRange{From: *from, To: *to}, nil
}

// parseType checks an ICMP type and code; every type goes with every code only.
func parseType(typ, code int32) (flow.PortRange, error) {
	switch {
	case typ < -1 || typ > 255:
		return flow.PortRange{}, fault.InvalidParameterValue.Say("ICMP type (%d) out of range", typ)
	case code < -1 || code > 255 || typ == -1 && code != -1:
		return flow.PortRange{}, fault.InvalidParameterValue.Say("ICMP code (%d) out of range", code)
	}
	return flow.PortRange{From: typ, To: code}, nil
}

// ParseIPv4Range and ParseIPv6Range read the range of a rule, with the length
// of its prefix, and clear its host bits.
func ParseIPv4Range(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fault.InvalidParameterValue.Say("CIDR block %s is malformed", s)
	}
	return p.Masked(), nil
}

func ParseIPv6Range(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is6() {
		return netip.Prefix{}, fault.InvalidParameterValue.Say("CIDR block %s is malformed", s)
	}
	return p.Masked(), nil
}
