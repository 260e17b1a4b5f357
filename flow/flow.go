// Package flow knows the words in which one packet is described: protocols,
// ports and directions. Who owns an address is not its business.
package flow

import "strconv"

// A Protocol is an IP protocol number, or AllProtocols.
type Protocol int16

// The protocols that EC2 knows by name, and the one that stands for all.
const (
	AllProtocols Protocol = -1
	ICMP         Protocol = 1
	TCP          Protocol = 6
	UDP          Protocol = 17
	ICMPv6       Protocol = 58
)

// String gives the protocol as EC2 reports it: tcp, udp, icmp and icmpv6 by
// name, every other as its decimal number, all protocols as -1.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case ICMP:
		return "icmp"
	case ICMPv6:
		return "icmpv6"
	}
	return strconv.Itoa(int(p))
}

// IsIPv6Extension reports whether the number is that of an IPv6 extension
// header that is read through to the protocol behind it: hop-by-hop options,
// routing, fragment and destination options. No IPv6 packet is judged as one
// of these. AH, 51, is judged as itself.
func (p Protocol) IsIPv6Extension() bool {
	switch p {
	case 0, 43, 44, 60:
		return true
	}
	return false
}

// A PortRange holds the ports of a TCP or UDP rule, or the type and the code
// of an ICMP rule. NoPorts stands for a rule whose protocol has none.
type PortRange struct {
	From int32 `cbor:"1,keyasint,omitempty"`
	To   int32 `cbor:"2,keyasint,omitempty"`
}

// NoPorts is the range of a rule that does not look at ports; for ICMP it
// means every type and code.
var NoPorts = PortRange{-1, -1}

// A Direction tells which way a rule looks. The zero value is ingress.
type Direction bool

// The two directions.
const (
	Ingress Direction = false
	Egress  Direction = true
)

// String gives "ingress" or "egress".
func (d Direction) String() string {
	if d {
		return "egress"
	}
	return "ingress"
}
