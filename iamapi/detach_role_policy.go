package iamapi

import (
	"moat/action"
	"moat/state"
)

// DetachRolePolicy detaches a managed policy from a role.
var DetachRolePolicy = action.Write[DetachRolePolicyInput, DetachRolePolicyOutput]{
	Name: "DetachRolePolicy",
	Doc:  `Detaches a managed policy from a role.`,
	Plan: func(tx *state.Txn, in *DetachRolePolicyInput) (*DetachRolePolicyOutput, error) {
		h, err := roleHolder(tx, in.RoleName)
		return &DetachRolePolicyOutput{}, detach(tx, h, err, in.PolicyArn)
	},
}

// DetachRolePolicyInput is what DetachRolePolicy takes.
type DetachRolePolicyInput struct {
	RoleName  string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// DetachRolePolicyOutput is what DetachRolePolicy gives.
type DetachRolePolicyOutput struct {
}
