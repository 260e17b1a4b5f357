package vpc

import (
	"net/netip"
	"slices"
	"strings"

	"moat/fault"
)

// A RouteKey is what a route is for: a range or a prefix list. A table has one
// route for each.
type RouteKey struct {
	Range      netip.Prefix
	PrefixList PrefixListID
}

// Key gives what a route is for.
func (r Route) Key() RouteKey { return RouteKey{r.Destination, r.PrefixList} }

// String gives the range or the id of the list.
func (k RouteKey) String() string {
	if k.PrefixList != "" {
		return string(k.PrefixList)
	}
	return k.Range.String()
}

// Kind gives the name of the parameter that names such a key.
func (k RouteKey) Kind() string {
	switch {
	case k.PrefixList != "":
		return "destination-prefix-list-id"
	case k.Range.Addr().Is6():
		return "destination-ipv6-cidr-block"
	}
	return "destination-cidr-block"
}

// ParseRouteKey reads the destination of a request, in canonical form; exactly
// one has to be given. That a list exists is for the caller to see.
func ParseRouteKey(cidr4, cidr6, list string) (RouteKey, error) {
	given := 0
	for _, s := range []string{cidr4, cidr6, list} {
		if s != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return RouteKey{}, fault.MissingParameter.With("destinationCidrBlock")
	case given > 1:
		return RouteKey{}, fault.InvalidParameterCombination.Say("Only one of destinationCidrBlock, destinationIpv6CidrBlock and destinationPrefixListId may be specified")
	case cidr4 != "":
		p, err := ParseCIDR4("destinationCidrBlock", cidr4)
		return RouteKey{Range: p}, err
	case cidr6 != "":
		p, err := ParseCIDR6("destinationIpv6CidrBlock", cidr6)
		return RouteKey{Range: p}, err
	}
	if !WellFormed(PrefixListPrefix, list) {
		return RouteKey{}, fault.InvalidPrefixListIdMalformed.With(list)
	}
	return RouteKey{PrefixList: PrefixListID(list)}, nil
}

// IsLocal reports whether a route for k is one of the VPC's local routes.
func (v *VPC) IsLocal(k RouteKey) bool {
	return slices.ContainsFunc(v.Blocks, func(b Block) bool { return b.CIDR == k.Range })
}

// Inside reports whether k lies within one of the VPC's blocks without being
// the whole of it.
func (v *VPC) Inside(k RouteKey) bool {
	return k.Range.IsValid() && slices.ContainsFunc(v.Blocks, func(b Block) bool {
		return b.CIDR.Contains(k.Range.Addr()) && b.CIDR.Bits() < k.Range.Bits()
	})
}

// FindRoute gives the place of the route for k, or -1.
func (t *RouteTable) FindRoute(k RouteKey) int {
	return slices.IndexFunc(t.Routes, func(r Route) bool { return r.Key() == k })
}

// IsInterface reports whether the route leads to an interface.
func (r Route) IsInterface() bool { return strings.HasPrefix(r.Target, InterfacePrefix+"-") }

// IsGateway reports whether the route leads to an internet gateway.
func (r Route) IsGateway() bool { return strings.HasPrefix(r.Target, InternetGatewayPrefix+"-") }

// IsPeering reports whether the route leads to a peering.
func (r Route) IsPeering() bool { return strings.HasPrefix(r.Target, PeeringPrefix+"-") }
