package iamapi

import (
	"moat/action"
	"moat/state"
)

// AttachRolePolicy attaches a managed policy to a role.
var AttachRolePolicy = action.Write[AttachRolePolicyInput, AttachRolePolicyOutput]{
	Name: "AttachRolePolicy",
	Doc:  `Attaches a managed policy to a role.`,
	Plan: func(tx *state.Txn, in *AttachRolePolicyInput) (*AttachRolePolicyOutput, error) {
		h, err := roleHolder(tx, in.RoleName)
		return &AttachRolePolicyOutput{}, attach(tx, h, err, in.PolicyArn)
	},
}

// AttachRolePolicyInput is what AttachRolePolicy takes.
type AttachRolePolicyInput struct {
	RoleName  string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// AttachRolePolicyOutput is what AttachRolePolicy gives.
type AttachRolePolicyOutput struct {
}
