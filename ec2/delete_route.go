package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteRoute removes a route from a table.
var DeleteRoute = action.Write[DeleteRouteInput, DeleteRouteOutput]{
	Name: "DeleteRoute",
	Doc:  `Deletes a route from a route table. Local routes and those of endpoints cannot be deleted.`,
	Plan: func(tx *state.Txn, in *DeleteRouteInput) (*DeleteRouteOutput, error) {
		t, err := routeTableOf(tx, in.RouteTableId)
		if err != nil {
			return nil, err
		}
		// A prefix list may be gone, or be another account's: only the route
		// has to be there.
		key, err := vpc.ParseRouteKey(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
		if err != nil {
			return nil, err
		}
		if state.VPCs.Get(tx, t.VPC).IsLocal(key) {
			return nil, fault.InvalidParameterValue.Say("cannot remove local route %s in route table %s", key, t.ID)
		}
		if e := endpointRoute(tx, t, key); e != nil {
			return nil, fault.InvalidParameterValue.Say("cannot remove VPC endpoint route %s in route table %s", key, t.ID)
		}
		at := t.FindRoute(key)
		if at < 0 {
			return nil, fault.InvalidRouteNotFound.With(key.Kind(), key, t.ID)
		}
		putRoutes(tx, t, slices.Delete(slices.Clone(t.Routes), at, at+1))
		return &DeleteRouteOutput{Return: true}, nil
	},
}

// DeleteRouteInput is what DeleteRoute takes.
type DeleteRouteInput struct {
	DestinationPrefixListId  string
	DryRun                   bool
	RouteTableId             string // required
	DestinationCidrBlock     string
	DestinationIpv6CidrBlock string
}

// DeleteRouteOutput is what DeleteRoute gives.
type DeleteRouteOutput struct {
	Return bool
}
