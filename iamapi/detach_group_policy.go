package iamapi

import (
	"moat/action"
	"moat/state"
)

// DetachGroupPolicy detaches a managed policy from a group.
var DetachGroupPolicy = action.Write[DetachGroupPolicyInput, DetachGroupPolicyOutput]{
	Name: "DetachGroupPolicy",
	Doc:  `Detaches a managed policy from a group.`,
	Plan: func(tx *state.Txn, in *DetachGroupPolicyInput) (*DetachGroupPolicyOutput, error) {
		h, err := groupHolder(tx, in.GroupName)
		return &DetachGroupPolicyOutput{}, detach(tx, h, err, in.PolicyArn)
	},
}

// DetachGroupPolicyInput is what DetachGroupPolicy takes.
type DetachGroupPolicyInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// DetachGroupPolicyOutput is what DetachGroupPolicy gives.
type DetachGroupPolicyOutput struct {
}
