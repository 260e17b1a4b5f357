package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AcceptVpcPeeringConnection agrees to a peering that was asked for.
var AcceptVpcPeeringConnection = action.Write[AcceptVpcPeeringConnectionInput, AcceptVpcPeeringConnectionOutput]{
	Name: "AcceptVpcPeeringConnection",
	Doc:  `Accepts a request for a peering, in the region and by the account of the VPC that was asked. The peering is active when the call returns.`,
	Plan: func(tx *state.Txn, in *AcceptVpcPeeringConnectionInput) (*AcceptVpcPeeringConnectionOutput, error) {
		old, err := answerable(tx, in.VpcPeeringConnectionId, "accept", "provisioning")
		if err != nil {
			return nil, err
		}
		if state.VPCs.Get(tx, old.Accepter.VPC) == nil {
			return nil, fault.InvalidVpcIDNotFound.With(old.Accepter.VPC)
		}
		if err := checkPeeringQuota(tx, old.Accepter.VPC); err != nil {
			return nil, err
		}
		p := *old
		noteBlocks(tx, &p)
		if vpc.Overlaps(p.Requester.Blocks, p.Accepter.Blocks) {
			return nil, fault.InvalidStateTransition.Say("The VPCs %s and %s have overlapping CIDR blocks and cannot be peered", p.Requester.VPC, p.Accepter.VPC)
		}
		p.Status = vpc.PeeringActive
		putPeering(tx, &p)
		shape := peeringShape(tx, &p)
		shape.Status = &VpcPeeringConnectionStateReason{Code: "provisioning", Message: "Provisioning"}
		return &AcceptVpcPeeringConnectionOutput{VpcPeeringConnection: shape}, nil
	},
}

// answerable gives a peering that the caller was asked for and has not answered.
func answerable(tx *state.Txn, id, verb, to string) (*vpc.Peering, error) {
	p, err := peeringOf(tx, id)
	if err != nil {
		return nil, err
	}
	if sideScope(&p.Accepter) != tx.Scope {
		return nil, fault.OperationNotPermitted.Say("User %s cannot %s peering %s", tx.Account, verb, p.ID)
	}
	if status := p.StatusAt(tx.Now); status != vpc.PeeringPending {
		return nil, fault.InvalidStateTransition.With(p.ID, status, to)
	}
	return p, nil
}

// AcceptVpcPeeringConnectionInput is what AcceptVpcPeeringConnection takes.
type AcceptVpcPeeringConnectionInput struct {
	DryRun                 bool
	VpcPeeringConnectionId string // required
}

// AcceptVpcPeeringConnectionOutput is what AcceptVpcPeeringConnection gives.
type AcceptVpcPeeringConnectionOutput struct {
	VpcPeeringConnection *VpcPeeringConnection
}
