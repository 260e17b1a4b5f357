package iamapi

import (
	"moat/action"
	"moat/state"
)

// TagPolicy sets tags of a managed policy.
var TagPolicy = action.Write[TagPolicyInput, TagPolicyOutput]{
	Name: "TagPolicy",
	Doc:  `Sets tags of a managed policy.`,
	Plan: func(tx *state.Txn, in *TagPolicyInput) (*TagPolicyOutput, error) {
		p, err := ownPolicy(tx, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		if p.Tags, err = mergeTags(tx, p.Tags, in.Tags); err != nil {
			return nil, err
		}
		state.ManagedPolicies.Put(tx, p)
		return &TagPolicyOutput{}, nil
	},
}

// TagPolicyInput is what TagPolicy takes.
type TagPolicyInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
	Tags      []Tag  `valid:"required,max=50"`
}

// TagPolicyOutput is what TagPolicy gives.
type TagPolicyOutput struct {
}
