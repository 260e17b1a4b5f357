package iamapi

import (
	"moat/action"
	"moat/state"
)

// AttachUserPolicy attaches a managed policy to a user.
var AttachUserPolicy = action.Write[AttachUserPolicyInput, AttachUserPolicyOutput]{
	Name: "AttachUserPolicy",
	Doc:  `Attaches a managed policy to a user.`,
	Plan: func(tx *state.Txn, in *AttachUserPolicyInput) (*AttachUserPolicyOutput, error) {
		h, err := userHolder(tx, in.UserName)
		return &AttachUserPolicyOutput{}, attach(tx, h, err, in.PolicyArn)
	},
}

// AttachUserPolicyInput is what AttachUserPolicy takes.
type AttachUserPolicyInput struct {
	UserName  string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// AttachUserPolicyOutput is what AttachUserPolicy gives.
type AttachUserPolicyOutput struct {
}
