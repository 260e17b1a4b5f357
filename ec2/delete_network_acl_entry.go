package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteNetworkAclEntry removes an entry of a network ACL.
var DeleteNetworkAclEntry = action.Write[DeleteNetworkAclEntryInput, DeleteNetworkAclEntryOutput]{
	Name: "DeleteNetworkAclEntry",
	Doc:  `Deletes an entry of a network ACL, named by its direction and number.`,
	Plan: func(tx *state.Txn, in *DeleteNetworkAclEntryInput) (*DeleteNetworkAclEntryOutput, error) {
		switch {
		case in.NetworkAclId == "":
			return nil, fault.MissingParameter.With("networkAclId")
		case in.RuleNumber == nil:
			return nil, fault.MissingParameter.With("ruleNumber")
		case in.Egress == nil:
			return nil, fault.MissingParameter.With("egress")
		}
		if err := vpc.CheckACLNumber(*in.RuleNumber); err != nil {
			return nil, err
		}
		a, err := networkACLOf(tx, in.NetworkAclId)
		if err != nil {
			return nil, err
		}
		at, found := a.FindEntry(*in.Egress, *in.RuleNumber)
		if !found {
			return nil, fault.InvalidNetworkACLEntryNotFound.With(*in.RuleNumber)
		}
		putACLEntries(tx, a, slices.Delete(slices.Clone(a.Entries), at, at+1))
		return &DeleteNetworkAclEntryOutput{Return: true}, nil
	},
}

// DeleteNetworkAclEntryInput is what DeleteNetworkAclEntry takes.
type DeleteNetworkAclEntryInput struct {
	DryRun       bool
	NetworkAclId string // required
	RuleNumber   *int32 // required
	Egress       *bool  // required
}

// DeleteNetworkAclEntryOutput is what DeleteNetworkAclEntry gives.
type DeleteNetworkAclEntryOutput struct {
	Return bool
}
