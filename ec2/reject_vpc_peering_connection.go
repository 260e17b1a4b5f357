package ec2

import (
	"moat/action"
	"moat/state"
	"moat/vpc"
)

// RejectVpcPeeringConnection declines a peering that was asked for.
var RejectVpcPeeringConnection = action.Write[RejectVpcPeeringConnectionInput, RejectVpcPeeringConnectionOutput]{
	Name: "RejectVpcPeeringConnection",
	Doc:  `Rejects a request for a peering.`,
	Plan: func(tx *state.Txn, in *RejectVpcPeeringConnectionInput) (*RejectVpcPeeringConnectionOutput, error) {
		p, err := answerable(tx, in.VpcPeeringConnectionId, "reject", vpc.PeeringRejected)
		if err != nil {
			return nil, err
		}
		endPeering(tx, p, vpc.PeeringRejected)
		return &RejectVpcPeeringConnectionOutput{Return: true}, nil
	},
}

// RejectVpcPeeringConnectionInput is what RejectVpcPeeringConnection takes.
type RejectVpcPeeringConnectionInput struct {
	DryRun                 bool
	VpcPeeringConnectionId string // required
}

// RejectVpcPeeringConnectionOutput is what RejectVpcPeeringConnection gives.
type RejectVpcPeeringConnectionOutput struct {
	Return bool
}
