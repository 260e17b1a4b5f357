package iamapi

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// DeletePolicyVersion deletes a version of a managed policy that is not the default one.
var DeletePolicyVersion = action.Write[DeletePolicyVersionInput, DeletePolicyVersionOutput]{
	Name: "DeletePolicyVersion",
	Doc:  `Deletes a version of a managed policy that is not the default one.`,
	Plan: func(tx *state.Txn, in *DeletePolicyVersionInput) (*DeletePolicyVersionOutput, error) {
		p, err := ownPolicy(tx, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		v, err := versionOf(p, in.PolicyArn, in.VersionId)
		if err != nil {
			return nil, err
		}
		if v.Number == p.Default {
			return nil, fault.DeleteConflict.With("Cannot delete the default version of a policy.")
		}
		number := v.Number
		p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v iam.PolicyVersion) bool { return v.Number == number })
		p.Updated = now(tx)
		state.ManagedPolicies.Put(tx, p)
		return &DeletePolicyVersionOutput{}, nil
	},
}

// DeletePolicyVersionInput is what DeletePolicyVersion takes.
type DeletePolicyVersionInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
	VersionId string `valid:"required" pattern:"v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"`
}

// DeletePolicyVersionOutput is what DeletePolicyVersion gives.
type DeletePolicyVersionOutput struct {
}
