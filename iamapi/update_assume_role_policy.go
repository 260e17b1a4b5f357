package iamapi

import (
	"moat/action"
	"moat/state"
)

// UpdateAssumeRolePolicy says anew who may assume a role.
var UpdateAssumeRolePolicy = action.Write[UpdateAssumeRolePolicyInput, UpdateAssumeRolePolicyOutput]{
	Name: "UpdateAssumeRolePolicy",
	Doc:  `Says anew who may assume a role.`,
	Plan: func(tx *state.Txn, in *UpdateAssumeRolePolicyInput) (*UpdateAssumeRolePolicyOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		c := *r
		if c.Trust, err = trustDocument(tx, r.Name, in.PolicyDocument); err != nil {
			return nil, err
		}
		state.Roles.Put(tx, &c)
		return &UpdateAssumeRolePolicyOutput{}, nil
	},
}

// UpdateAssumeRolePolicyInput is what UpdateAssumeRolePolicy takes.
type UpdateAssumeRolePolicyInput struct {
	RoleName       string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
}

// UpdateAssumeRolePolicyOutput is what UpdateAssumeRolePolicy gives.
type UpdateAssumeRolePolicyOutput struct {
}
