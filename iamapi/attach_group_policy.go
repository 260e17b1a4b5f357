package iamapi

import (
	"moat/action"
	"moat/state"
)

// AttachGroupPolicy attaches a managed policy to a group.
var AttachGroupPolicy = action.Write[AttachGroupPolicyInput, AttachGroupPolicyOutput]{
	Name: "AttachGroupPolicy",
	Doc:  `Attaches a managed policy to a group.`,
	Plan: func(tx *state.Txn, in *AttachGroupPolicyInput) (*AttachGroupPolicyOutput, error) {
		h, err := groupHolder(tx, in.GroupName)
		return &AttachGroupPolicyOutput{}, attach(tx, h, err, in.PolicyArn)
	},
}

// AttachGroupPolicyInput is what AttachGroupPolicy takes.
type AttachGroupPolicyInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// AttachGroupPolicyOutput is what AttachGroupPolicy gives.
type AttachGroupPolicyOutput struct {
}
