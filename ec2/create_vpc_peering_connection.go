package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateVpcPeeringConnection asks the owner of another VPC for a connection.
var CreateVpcPeeringConnection = action.Write[CreateVpcPeeringConnectionInput, CreateVpcPeeringConnectionOutput]{
	Name: "CreateVpcPeeringConnection",
	Doc:  `Asks for a peering of two VPCs, also of two accounts or regions of this Moat. While it is active, security group rules of either may refer to groups of the other in the same region.`,
	Plan: func(tx *state.Txn, in *CreateVpcPeeringConnectionInput) (*CreateVpcPeeringConnectionOutput, error) {
		if err := allGiven("vpcId", in.VpcId, "peerVpcId", in.PeerVpcId); err != nil {
			return nil, err
		}
		if err := checkVPCID(in.PeerVpcId); err != nil {
			return nil, err
		}
		to := tx.Scope
		if in.PeerOwnerId != "" {
			if !isAccount(in.PeerOwnerId) {
				return nil, fault.InvalidParameterValue.With(in.PeerOwnerId, "peerOwnerId", "An account has 12 digits.")
			}
			to.Account = vpc.AccountID(in.PeerOwnerId)
		}
		if in.PeerRegion != "" {
			to.Region = in.PeerRegion
		}
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "vpc-peering-connection")
		if err != nil {
			return nil, err
		}
		other := state.VPCs.Get(tx.In(to), vpc.VPCID(in.PeerVpcId))
		if other == nil && to == tx.Scope {
			return nil, fault.InvalidVpcIDNotFound.With(in.PeerVpcId)
		}
		if in.VpcId == in.PeerVpcId {
			return nil, fault.InvalidParameterValue.With(in.PeerVpcId, "peerVpcId", "A VPC cannot be peered with itself.")
		}
		outstanding := 0
		for p := range state.Peerings.All(tx) {
			if p.StatusAt(tx.Now) == vpc.PeeringPending && sideScope(&p.Requester) == tx.Scope {
				outstanding++
			}
		}
		for p := range state.Peerings.By(tx, state.PeeringsByVPC, in.VpcId) {
			if o, _ := p.Other(v.ID); o.VPC == vpc.VPCID(in.PeerVpcId) && p.Usable(tx.Now) {
				return nil, fault.VpcPeeringConnectionExists.With(in.VpcId, in.PeerVpcId, p.ID)
			}
		}
		if outstanding >= tx.Quotas.PeeringsOutstanding {
			return nil, fault.OutstandingPeeringLimit.With()
		}
		if err := checkPeeringQuota(tx, v.ID); err != nil {
			return nil, err
		}
		p := &vpc.Peering{
			ID:        vpc.PeeringID(tx.NewID(vpc.PeeringPrefix)),
			Requester: vpc.PeeringSide{Owner: tx.Account, Region: tx.Region, VPC: v.ID},
			Accepter:  vpc.PeeringSide{Owner: to.Account, Region: to.Region, VPC: vpc.VPCID(in.PeerVpcId)},
			Status:    vpc.PeeringPending, Created: tx.Now, Tags: tags,
		}
		noteBlocks(tx, p)
		if other == nil || vpc.Overlaps(p.Requester.Blocks, p.Accepter.Blocks) {
			p.Status, p.Ended = vpc.PeeringFailed, tx.Now
		}
		putPeering(tx, p)
		// The service answers before it has looked at the other side.
		asked := *p
		asked.Status = vpc.PeeringInitiating
		return &CreateVpcPeeringConnectionOutput{VpcPeeringConnection: peeringShape(tx, &asked)}, nil
	},
}

// CreateVpcPeeringConnectionInput is what CreateVpcPeeringConnection takes.
type CreateVpcPeeringConnectionInput struct {
	PeerRegion        string
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	DryRun            bool
	VpcId             string // required
	PeerVpcId         string
	PeerOwnerId       string
}

// CreateVpcPeeringConnectionOutput is what CreateVpcPeeringConnection gives.
type CreateVpcPeeringConnectionOutput struct {
	VpcPeeringConnection *VpcPeeringConnection
}
