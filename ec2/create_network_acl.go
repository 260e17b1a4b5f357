package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateNetworkAcl makes a network ACL that lets nothing pass.
var CreateNetworkAcl = action.Write[CreateNetworkAclInput, CreateNetworkAclOutput]{
	Name: "CreateNetworkAcl",
	Doc:  `Creates a network ACL for a VPC, with nothing but the entries that deny everything. Network ACLs are kept and described; Moat does not enforce them.`,
	Plan: func(tx *state.Txn, in *CreateNetworkAclInput) (*CreateNetworkAclOutput, error) {
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "network-acl")
		if err != nil {
			return nil, err
		}
		most := tx.Quotas.ACLsPerVPC
		if state.NetworkACLs.Count(tx, state.NetworkACLsByVPC, in.VpcId, most) >= most {
			return nil, fault.NetworkACLLimitExceeded.With()
		}
		a := &vpc.NetworkACL{ID: vpc.NetworkACLID(tx.NewID(vpc.NetworkACLPrefix)), Owner: tx.Account, VPC: v.ID, Tags: tags}
		state.NetworkACLs.Put(tx, a)
		return &CreateNetworkAclOutput{NetworkAcl: networkACLShape(tx, a), ClientToken: in.ClientToken}, nil
	},
	Created: func(out *CreateNetworkAclOutput) string { return out.NetworkAcl.NetworkAclId },
	Replay: func(tx *state.Txn, in *CreateNetworkAclInput, id string) (*CreateNetworkAclOutput, error) {
		a, err := networkACLOf(tx, id)
		if err != nil {
			return nil, err
		}
		return &CreateNetworkAclOutput{NetworkAcl: networkACLShape(tx, a), ClientToken: in.ClientToken}, nil
	},
}

// CreateNetworkAclInput is what CreateNetworkAcl takes.
type CreateNetworkAclInput struct {
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	ClientToken       string
	DryRun            bool
	VpcId             string // required
}

// CreateNetworkAclOutput is what CreateNetworkAcl gives.
type CreateNetworkAclOutput struct {
	NetworkAcl  *NetworkAcl
	ClientToken string
}
