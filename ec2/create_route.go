package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateRoute adds a route to a table.
var CreateRoute = action.Write[CreateRouteInput, CreateRouteOutput]{
	Name: "CreateRoute",
	Doc:  `Adds a route to a route table: from a range or a prefix list to one target. Routes are kept and described; they lead no packet.`,
	Plan: func(tx *state.Txn, in *CreateRouteInput) (*CreateRouteOutput, error) {
		t, err := routeTableOf(tx, in.RouteTableId)
		if err != nil {
			return nil, err
		}
		key, err := routeKeyOf(tx, in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
		if err != nil {
			return nil, err
		}
		target, err := askedTarget(
			routeTarget{"gatewayId", in.GatewayId}, routeTarget{"natGatewayId", in.NatGatewayId},
			routeTarget{"networkInterfaceId", in.NetworkInterfaceId}, routeTarget{"instanceId", in.InstanceId},
			routeTarget{"vpcPeeringConnectionId", in.VpcPeeringConnectionId},
			routeTarget{"egressOnlyInternetGatewayId", in.EgressOnlyInternetGatewayId},
			routeTarget{"transitGatewayId", in.TransitGatewayId}, routeTarget{"localGatewayId", in.LocalGatewayId},
			routeTarget{"carrierGatewayId", in.CarrierGatewayId}, routeTarget{"vpcEndpointId", in.VpcEndpointId},
			routeTarget{"coreNetworkArn", in.CoreNetworkArn}, routeTarget{"odbNetworkArn", in.OdbNetworkArn},
		)
		if err != nil {
			return nil, err
		}
		id, err := target.resolve(tx, t)
		if err != nil {
			return nil, err
		}
		v := state.VPCs.Get(tx, t.VPC)
		if v.IsLocal(key) || t.FindRoute(key) >= 0 || endpointRoute(tx, t, key) != nil {
			return nil, fault.RouteAlreadyExists.With(key)
		}
		if err := target.checkPlace(v, key); err != nil {
			return nil, err
		}
		c := *t
		c.Routes = append(slices.Clone(t.Routes), vpc.Route{Destination: key.Range, PrefixList: key.PrefixList, Target: id})
		if countRoutes(tx, c.Routes) > tx.Quotas.RoutesPerTable {
			return nil, fault.RouteLimitExceeded.With()
		}
		state.RouteTables.Put(tx, &c)
		return &CreateRouteOutput{Return: true}, nil
	},
}

// endpointRoute gives the endpoint whose route in t is for k, or nil.
func endpointRoute(r state.Reader, t *vpc.RouteTable, k vpc.RouteKey) *vpc.Endpoint {
	if k.PrefixList == "" {
		return nil
	}
	for e := range state.Endpoints.By(r, state.EndpointsByTable, string(t.ID)) {
		if slices.Contains(vpc.EndpointPrefixLists(regionOf(r), e.Service), k.PrefixList) {
			return e
		}
	}
	return nil
}

// CreateRouteInput is what CreateRoute takes.
type CreateRouteInput struct {
	DestinationPrefixListId     string
	VpcEndpointId               string
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

// CreateRouteOutput is what CreateRoute gives.
type CreateRouteOutput struct {
	Return bool
}
