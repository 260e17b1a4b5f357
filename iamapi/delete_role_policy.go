package iamapi

import (
	"moat/action"
	"moat/state"
)

// DeleteRolePolicy deletes an inline policy of a role.
var DeleteRolePolicy = action.Write[DeleteRolePolicyInput, DeleteRolePolicyOutput]{
	Name: "DeleteRolePolicy",
	Doc:  `Deletes an inline policy of a role.`,
	Plan: func(tx *state.Txn, in *DeleteRolePolicyInput) (*DeleteRolePolicyOutput, error) {
		h, err := roleHolder(tx, in.RoleName)
		return &DeleteRolePolicyOutput{}, deleteInline(tx, h, err, in.PolicyName)
	},
}

// DeleteRolePolicyInput is what DeleteRolePolicy takes.
type DeleteRolePolicyInput struct {
	RoleName   string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// DeleteRolePolicyOutput is what DeleteRolePolicy gives.
type DeleteRolePolicyOutput struct {
}
