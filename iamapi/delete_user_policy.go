package iamapi

import (
	"moat/action"
	"moat/state"
)

// DeleteUserPolicy deletes an inline policy of a user.
var DeleteUserPolicy = action.Write[DeleteUserPolicyInput, DeleteUserPolicyOutput]{
	Name: "DeleteUserPolicy",
	Doc:  `Deletes an inline policy of a user.`,
	Plan: func(tx *state.Txn, in *DeleteUserPolicyInput) (*DeleteUserPolicyOutput, error) {
		h, err := userHolder(tx, in.UserName)
		return &DeleteUserPolicyOutput{}, deleteInline(tx, h, err, in.PolicyName)
	},
}

// DeleteUserPolicyInput is what DeleteUserPolicy takes.
type DeleteUserPolicyInput struct {
	UserName   string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// DeleteUserPolicyOutput is what DeleteUserPolicy gives.
type DeleteUserPolicyOutput struct {
}
