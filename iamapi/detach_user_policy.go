package iamapi

import (
	"moat/action"
	"moat/state"
)

// DetachUserPolicy detaches a managed policy from a user.
var DetachUserPolicy = action.Write[DetachUserPolicyInput, DetachUserPolicyOutput]{
	Name: "DetachUserPolicy",
	Doc:  `Detaches a managed policy from a user.`,
	Plan: func(tx *state.Txn, in *DetachUserPolicyInput) (*DetachUserPolicyOutput, error) {
		h, err := userHolder(tx, in.UserName)
		return &DetachUserPolicyOutput{}, detach(tx, h, err, in.PolicyArn)
	},
}

// DetachUserPolicyInput is what DetachUserPolicy takes.
type DetachUserPolicyInput struct {
	UserName  string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// DetachUserPolicyOutput is what DetachUserPolicy gives.
type DetachUserPolicyOutput struct {
}
