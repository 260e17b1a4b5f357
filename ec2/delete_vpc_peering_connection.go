package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteVpcPeeringConnection ends a peering. Rules that refer to groups across
// it stay, and allow nobody: they are stale.
var DeleteVpcPeeringConnection = action.Write[DeleteVpcPeeringConnectionInput, DeleteVpcPeeringConnectionOutput]{
	Name: "DeleteVpcPeeringConnection",
	Doc:  `Deletes a peering, by either side, or takes a request for one back. Rules that refer to groups across it go stale.`,
	Plan: func(tx *state.Txn, in *DeleteVpcPeeringConnectionInput) (*DeleteVpcPeeringConnectionOutput, error) {
		p, err := peeringOf(tx, in.VpcPeeringConnectionId)
		if err != nil {
			return nil, err
		}
		switch status := p.StatusAt(tx.Now); {
		case !p.Usable(tx.Now):
			return nil, fault.InvalidStateTransition.With(p.ID, status, "deleting")
		case status == vpc.PeeringPending && sideScope(&p.Requester) != tx.Scope:
			return nil, fault.OperationNotPermitted.Say("User %s cannot delete peering %s", tx.Account, p.ID)
		}
		endPeering(tx, p, vpc.PeeringDeleted)
		return &DeleteVpcPeeringConnectionOutput{Return: true}, nil
	},
}

// DeleteVpcPeeringConnectionInput is what DeleteVpcPeeringConnection takes.
type DeleteVpcPeeringConnectionInput struct {
	DryRun                 bool
	VpcPeeringConnectionId string // required
}

// DeleteVpcPeeringConnectionOutput is what DeleteVpcPeeringConnection gives.
type DeleteVpcPeeringConnectionOutput struct {
	Return bool
}
