package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteVpcEndpoints removes endpoints with the routes to them. One that does
// not exist is reported, and the others are removed: API reference.
var DeleteVpcEndpoints = action.Write[DeleteVpcEndpointsInput, DeleteVpcEndpointsOutput]{
	Name: "DeleteVpcEndpoints",
	Doc:  `Deletes endpoints and the routes to them. Those that do not exist are reported.`,
	Plan: func(tx *state.Txn, in *DeleteVpcEndpointsInput) (*DeleteVpcEndpointsOutput, error) {
		if len(in.VpcEndpointIds) == 0 {
			return nil, fault.MissingParameter.With("vpcEndpointIds")
		}
		for _, id := range in.VpcEndpointIds {
			if err := checkEndpointID(id); err != nil {
				return nil, err
			}
		}
		out := &DeleteVpcEndpointsOutput{Unsuccessful: []UnsuccessfulItem{}}
		for _, id := range in.VpcEndpointIds {
			if state.Endpoints.Get(tx, vpc.EndpointID(id)) == nil {
				f := fault.InvalidVpcEndpointNotFound.With(id)
				out.Unsuccessful = append(out.Unsuccessful, UnsuccessfulItem{ResourceId: id, Error: &UnsuccessfulItemError{Code: "InvalidVpcEndpoint.NotFound", Message: f.Message}})
				continue
			}
			state.Endpoints.Delete(tx, vpc.EndpointID(id))
		}
		return out, nil
	},
}

// DeleteVpcEndpointsInput is what DeleteVpcEndpoints takes.
type DeleteVpcEndpointsInput struct {
	DryRun         bool
	VpcEndpointIds []string `in:"VpcEndpointId"` // required
}

// DeleteVpcEndpointsOutput is what DeleteVpcEndpoints gives.
type DeleteVpcEndpointsOutput struct {
	Unsuccessful []UnsuccessfulItem
}
