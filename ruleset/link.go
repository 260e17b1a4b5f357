package ruleset

import (
	"net/netip"

	"moat/flow"
)

// WithoutRule names what a link needs and passes without a rule, where a packet to
// an address with this protocol and port (for ICMPv6 the type) may be that. It is
// empty for all others. Whether a packet has the shape that it needs is for the
// data plane to see: Judge does not know it.
func WithoutRule(p flow.Protocol, port uint16, to netip.Addr) string {
	switch six := to.Is6() && !to.Is4In6(); {
	case p == flow.UDP && !six && (port == 67 || port == 68):
		return "DHCP"
	case p == flow.UDP && six && (port == 546 || port == 547):
		return "DHCPv6"
	case p == flow.ICMPv6 && six && port >= 133 && port <= 136:
		return "Neighbour discovery"
	case p == flow.ICMPv6 && six && (port >= 130 && port <= 132 || port == 143):
		return "MLD"
	}
	return ""
}
