package ec2

import (
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeRouteTables lists route tables.
var DescribeRouteTables = action.Describe[DescribeRouteTablesInput, DescribeRouteTablesOutput, *vpc.RouteTable, *RouteTable]{
	Name: "DescribeRouteTables",
	Doc:  `Lists route tables with their routes and associations: all, by id, or by filter.`,
	List: "routeTableSet",
	IDs: func(c *action.Call, in *DescribeRouteTablesInput) ([]*vpc.RouteTable, bool, error) {
		return named(c, state.RouteTables, in.RouteTableIds, checkRouteTableID, fault.InvalidRouteTableNotFound)
	},
	From: fromKind[DescribeRouteTablesInput](state.RouteTables),
	ID:   func(t *vpc.RouteTable) string { return string(t.ID) },
	Page: action.Page{Min: 5, Max: 100},
	Filters: []action.Match[*vpc.RouteTable]{
		action.On("route-table-id", func(t *vpc.RouteTable) string { return string(t.ID) }).Indexed(findID(state.RouteTables)),
		action.On("vpc-id", func(t *vpc.RouteTable) string { return string(t.VPC) }).Indexed(findBy(state.RouteTables, state.RouteTablesByVPC)),
		action.On("owner-id", func(t *vpc.RouteTable) string { return string(t.Owner) }),
		tableUseFilter("association.subnet-id", func(a *vpc.RouteTableAssociation) string { return string(a.Subnet) }).Indexed(tablesUsedBy),
		tableUseFilter("association.gateway-id", func(a *vpc.RouteTableAssociation) string { return string(a.Gateway) }).Indexed(tablesUsedBy),
		tableUseFilter("association.main", func(a *vpc.RouteTableAssociation) string { return strconv.FormatBool(a.Main) }),
		tableUseFilter("association.route-table-id", func(a *vpc.RouteTableAssociation) string { return string(a.Table) }).Indexed(findID(state.RouteTables)),
		tableUseFilter("association.route-table-association-id", func(a *vpc.RouteTableAssociation) string { return string(a.ID) }).
			Indexed(func(c *action.Call, id string) seq[*vpc.RouteTable] {
				return func(yield func(*vpc.RouteTable) bool) {
					if a := state.RouteTableAssociations.Get(c, vpc.AssociationID(id)); a != nil {
						yield(state.RouteTables.Get(c, a.Table))
					}
				}
			}),
		routeFilter("route.destination-cidr-block", func(r *Route) string { return r.DestinationCidrBlock }),
		routeFilter("route.destination-ipv6-cidr-block", func(r *Route) string { return r.DestinationIpv6CidrBlock }),
		routeFilter("route.destination-prefix-list-id", func(r *Route) string { return r.DestinationPrefixListId }),
		routeFilter("route.egress-only-internet-gateway-id", func(r *Route) string { return r.EgressOnlyInternetGatewayId }),
		routeFilter("route.gateway-id", func(r *Route) string { return r.GatewayId }),
		routeFilter("route.instance-id", func(r *Route) string { return r.InstanceId }),
		routeFilter("route.nat-gateway-id", func(r *Route) string { return r.NatGatewayId }),
		routeFilter("route.transit-gateway-id", func(r *Route) string { return r.TransitGatewayId }),
		routeFilter("route.vpc-peering-connection-id", func(r *Route) string { return r.VpcPeeringConnectionId }).
			Indexed(findBy(state.RouteTables, state.RouteTablesByTarget)),
		routeFilter("route.origin", func(r *Route) string { return r.Origin }),
		routeFilter("route.state", func(r *Route) string { return r.State }),
	},
	Tags: taggedRows(state.RouteTables, func(t *vpc.RouteTable) vpc.Tags { return t.Tags }),
	// Local routes and states depend on more than the row: no Key.
	Shape: func(c *action.Call, t *vpc.RouteTable) *RouteTable { return routeTableShape(c, t) },
}

// tableUseFilter gives a filter on the associations of a table.
func tableUseFilter(name string, get func(*vpc.RouteTableAssociation) string) action.Match[*vpc.RouteTable] {
	return onAttached(name, func(c *action.Call, t *vpc.RouteTable, yield func(string)) {
		for a := range state.RouteTableAssociations.By(c, state.RouteTableAssociationsByTable, string(t.ID)) {
			if v := get(a); v != "" {
				yield(v)
			}
		}
	})
}

// routeFilter gives a filter on the routes of a table, as they are described.
func routeFilter(name string, get func(*Route) string) action.Match[*vpc.RouteTable] {
	return onAttached(name, func(c *action.Call, t *vpc.RouteTable, yield func(string)) {
		for _, r := range routeShapes(c, t) {
			if v := get(&r); v != "" {
				yield(v)
			}
		}
	})
}

// tablesUsedBy finds the table of a subnet or a gateway.
func tablesUsedBy(c *action.Call, user string) seq[*vpc.RouteTable] {
	return func(yield func(*vpc.RouteTable) bool) {
		for a := range state.RouteTableAssociations.By(c, state.RouteTableAssociationsByUser, user) {
			if t := state.RouteTables.Get(c, a.Table); t != nil && !yield(t) {
				return
			}
		}
	}
}

// DescribeRouteTablesInput is what DescribeRouteTables takes.
type DescribeRouteTablesInput struct {
	NextToken     string
	MaxResults    *int32
	DryRun        bool
	RouteTableIds []string `in:"RouteTableId"`
	Filters       []Filter `in:"Filter"`
}

// DescribeRouteTablesOutput is what DescribeRouteTables gives.
type DescribeRouteTablesOutput struct {
	RouteTables []RouteTable `out:"routeTableSet"`
	NextToken   string
}
