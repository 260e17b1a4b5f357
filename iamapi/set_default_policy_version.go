package iamapi

import (
	"moat/action"
	"moat/state"
)

// SetDefaultPolicyVersion makes a version of a managed policy the one that counts.
var SetDefaultPolicyVersion = action.Write[SetDefaultPolicyVersionInput, SetDefaultPolicyVersionOutput]{
	Name: "SetDefaultPolicyVersion",
	Doc:  `Makes a version of a managed policy the one that counts.`,
	Plan: func(tx *state.Txn, in *SetDefaultPolicyVersionInput) (*SetDefaultPolicyVersionOutput, error) {
		p, err := ownPolicy(tx, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		v, err := versionOf(p, in.PolicyArn, in.VersionId)
		if err != nil {
			return nil, err
		}
		p.Default, p.Updated = v.Number, now(tx)
		state.ManagedPolicies.Put(tx, p)
		return &SetDefaultPolicyVersionOutput{}, nil
	},
}

// SetDefaultPolicyVersionInput is what SetDefaultPolicyVersion takes.
type SetDefaultPolicyVersionInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
	VersionId string `valid:"required" pattern:"v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"`
}

// SetDefaultPolicyVersionOutput is what SetDefaultPolicyVersion gives.
type SetDefaultPolicyVersionOutput struct {
}
