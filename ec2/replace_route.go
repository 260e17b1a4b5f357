package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ReplaceRoute lets a route of a table lead elsewhere.
var ReplaceRoute = action.Write[ReplaceRouteInput, ReplaceRouteOutput]{
	Name: "ReplaceRoute",
	Doc:  `Replaces the target of a route. A local route can lead to an interface, and with LocalTarget back again.`,
	Plan: func(tx *state.Txn, in *ReplaceRouteInput) (*ReplaceRouteOutput, error) {
		t, err := routeTableOf(tx, in.RouteTableId)
		if err != nil {
			return nil, err
		}
		key, err := routeKeyOf(tx, in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
		if err != nil {
			return nil, err
		}
		local := ""
		if in.LocalTarget != nil && *in.LocalTarget {
			local = "local"
		}
		target, err := askedTarget(
			routeTarget{"gatewayId", in.GatewayId}, routeTarget{"natGatewayId", in.NatGatewayId},
			routeTarget{"networkInterfaceId", in.NetworkInterfaceId}, routeTarget{"instanceId", in.InstanceId},
			routeTarget{"vpcPeeringConnectionId", in.VpcPeeringConnectionId},
			routeTarget{"egressOnlyInternetGatewayId", in.EgressOnlyInternetGatewayId},
			routeTarget{"transitGatewayId", in.TransitGatewayId}, routeTarget{"localGatewayId", in.LocalGatewayId},
			routeTarget{"carrierGatewayId", in.CarrierGatewayId}, routeTarget{"vpcEndpointId", in.VpcEndpointId},
			routeTarget{"coreNetworkArn", in.CoreNetworkArn}, routeTarget{"odbNetworkArn", in.OdbNetworkArn},
			routeTarget{"localTarget", local},
		)
		if err != nil {
			return nil, err
		}
		v, at := state.VPCs.Get(tx, t.VPC), t.FindRoute(key)
		if local != "" {
			if !v.IsLocal(key) {
				return nil, fault.InvalidParameterValue.Say("The destination CIDR block %s is not a local route of route table %s.", key, t.ID)
			}
			if at >= 0 {
				putRoutes(tx, t, slices.Delete(slices.Clone(t.Routes), at, at+1))
			}
			return &ReplaceRouteOutput{Return: true}, nil
		}
		id, err := target.resolve(tx, t)
		if err != nil {
			return nil, err
		}
		if e := endpointRoute(tx, t, key); e != nil {
			return nil, fault.InvalidParameterValue.Say("The route for %s belongs to VPC endpoint %s and cannot be replaced.", key, e.ID)
		}
		if at < 0 && !v.IsLocal(key) {
			return nil, fault.InvalidParameterValue.Say("There is no route defined for '%s' in the route table. Use CreateRoute instead.", key)
		}
		if err := target.checkPlace(v, key); err != nil {
			return nil, err
		}
		routes, route := slices.Clone(t.Routes), vpc.Route{Destination: key.Range, PrefixList: key.PrefixList, Target: id}
		if at >= 0 {
			routes[at] = route
		} else {
			routes = append(routes, route)
		}
		putRoutes(tx, t, routes)
		return &ReplaceRouteOutput{Return: true}, nil
	},
}

// putRoutes stages a table with other routes.
func putRoutes(tx *state.Txn, t *vpc.RouteTable, routes []vpc.Route) {
	c := *t
	c.Routes = routes
	state.RouteTables.Put(tx, &c)
}

// ReplaceRouteInput is what ReplaceRoute takes.
type ReplaceRouteInput struct {
	DestinationPrefixListId     string
	VpcEndpointId               string
	LocalTarget                 *bool
	TransitGatewayId            string
	LocalGatewayId              string
	CarrierGatewayId            string
	CoreNetworkArn              string
	OdbNetworkArn               string
	DryRun                      bool
	RouteTableId                string // required
	DestinationCidrBlock        string
	GatewayId                   string
	DestinationIpv6CidrBlock    string
	EgressOnlyInternetGatewayId string
	InstanceId                  string
	NetworkInterfaceId          string
	VpcPeeringConnectionId      string
	NatGatewayId                string
}

// ReplaceRouteOutput is what ReplaceRoute gives.
type ReplaceRouteOutput struct {
	Return bool
}
