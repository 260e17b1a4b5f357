package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ReplaceNetworkAclAssociation gives a subnet another network ACL.
var ReplaceNetworkAclAssociation = action.Write[ReplaceNetworkAclAssociationInput, ReplaceNetworkAclAssociationOutput]{
	Name: "ReplaceNetworkAclAssociation",
	Doc:  `Replaces the network ACL of a subnet. A subnet always has one.`,
	Plan: func(tx *state.Txn, in *ReplaceNetworkAclAssociationInput) (*ReplaceNetworkAclAssociationOutput, error) {
		if err := allGiven("associationId", in.AssociationId, "networkAclId", in.NetworkAclId); err != nil {
			return nil, err
		}
		if err := checkNetworkACLID(in.NetworkAclId); err != nil {
			return nil, err
		}
		old := state.NetworkACLAssociations.Get(tx, vpc.AssociationID(in.AssociationId))
		if old == nil {
			return nil, fault.InvalidAssociationNotFound.With(in.AssociationId)
		}
		a, err := networkACLOf(tx, in.NetworkAclId)
		if err != nil {
			return nil, err
		}
		if s := state.Subnets.Get(tx, old.Subnet); s.VPC != a.VPC {
			return nil, fault.InvalidParameterValue.Say("network ACL %s and subnet %s belong to different networks", a.ID, s.ID)
		}
		id := vpc.AssociationID(tx.NewID(vpc.NetworkACLAssociationPrefix))
		state.NetworkACLAssociations.Delete(tx, old.ID)
		state.NetworkACLAssociations.Put(tx, &vpc.NetworkACLAssociation{ID: id, ACL: a.ID, Subnet: old.Subnet})
		return &ReplaceNetworkAclAssociationOutput{NewAssociationId: string(id)}, nil
	},
}

// ReplaceNetworkAclAssociationInput is what ReplaceNetworkAclAssociation takes.
type ReplaceNetworkAclAssociationInput struct {
	DryRun        bool
	AssociationId string // required
	NetworkAclId  string // required
}

// ReplaceNetworkAclAssociationOutput is what ReplaceNetworkAclAssociation gives.
type ReplaceNetworkAclAssociationOutput struct {
	NewAssociationId string
}
