package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteNetworkAcl removes a network ACL that no subnet has.
var DeleteNetworkAcl = action.Write[DeleteNetworkAclInput, DeleteNetworkAclOutput]{
	Name: "DeleteNetworkAcl",
	Doc:  `Deletes a network ACL. Not the default one of a VPC, and none that a subnet has.`,
	Plan: func(tx *state.Txn, in *DeleteNetworkAclInput) (*DeleteNetworkAclOutput, error) {
		a, err := networkACLOf(tx, in.NetworkAclId)
		if err != nil {
			return nil, err
		}
		if a.Default {
			return nil, fault.InvalidParameterValue.Say("cannot delete default network ACL %s", a.ID)
		}
		var by []string
		for use := range state.NetworkACLAssociations.By(tx, state.NetworkACLAssociationsByACL, in.NetworkAclId) {
			by = append(by, "subnet "+string(use.Subnet))
		}
		if len(by) > 0 {
			return nil, fault.DependencyViolation.With(holders("The networkAcl '"+in.NetworkAclId+"' has dependencies and cannot be deleted.", by))
		}
		state.NetworkACLs.Delete(tx, a.ID)
		return &DeleteNetworkAclOutput{Return: true}, nil
	},
}

// DeleteNetworkAclInput is what DeleteNetworkAcl takes.
type DeleteNetworkAclInput struct {
	DryRun       bool
	NetworkAclId string // required
}

// DeleteNetworkAclOutput is what DeleteNetworkAcl gives.
type DeleteNetworkAclOutput struct {
	Return bool
}
