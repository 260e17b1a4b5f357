package iamapi

import (
	"moat/action"
	"moat/state"
)

// UntagPolicy removes tags from a managed policy.
var UntagPolicy = action.Write[UntagPolicyInput, UntagPolicyOutput]{
	Name: "UntagPolicy",
	Doc:  `Removes tags from a managed policy.`,
	Plan: func(tx *state.Txn, in *UntagPolicyInput) (*UntagPolicyOutput, error) {
		p, err := ownPolicy(tx, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		p.Tags = withoutTags(p.Tags, in.TagKeys)
		state.ManagedPolicies.Put(tx, p)
		return &UntagPolicyOutput{}, nil
	},
}

// UntagPolicyInput is what UntagPolicy takes.
type UntagPolicyInput struct {
	PolicyArn string   `valid:"required,min=20,max=2048"`
	TagKeys   []string `valid:"required,min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
}

// UntagPolicyOutput is what UntagPolicy gives.
type UntagPolicyOutput struct {
}
