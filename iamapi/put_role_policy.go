package iamapi

import (
	"moat/action"
	"moat/state"
)

// PutRolePolicy sets an inline policy of a role.
var PutRolePolicy = action.Write[PutRolePolicyInput, PutRolePolicyOutput]{
	Name: "PutRolePolicy",
	Doc:  `Sets an inline policy of a role.`,
	Plan: func(tx *state.Txn, in *PutRolePolicyInput) (*PutRolePolicyOutput, error) {
		h, err := roleHolder(tx, in.RoleName)
		return &PutRolePolicyOutput{}, putInline(tx, h, err, in.PolicyName, in.PolicyDocument)
	},
}

// PutRolePolicyInput is what PutRolePolicy takes.
type PutRolePolicyInput struct {
	RoleName       string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyName     string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
}

// PutRolePolicyOutput is what PutRolePolicy gives.
type PutRolePolicyOutput struct {
}
