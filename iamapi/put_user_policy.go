package iamapi

import (
	"moat/action"
	"moat/state"
)

// PutUserPolicy sets an inline policy of a user.
var PutUserPolicy = action.Write[PutUserPolicyInput, PutUserPolicyOutput]{
	Name: "PutUserPolicy",
	Doc:  `Sets an inline policy of a user.`,
	Plan: func(tx *state.Txn, in *PutUserPolicyInput) (*PutUserPolicyOutput, error) {
		h, err := userHolder(tx, in.UserName)
		return &PutUserPolicyOutput{}, putInline(tx, h, err, in.PolicyName, in.PolicyDocument)
	},
}

// PutUserPolicyInput is what PutUserPolicy takes.
type PutUserPolicyInput struct {
	UserName       string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyName     string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
}

// PutUserPolicyOutput is what PutUserPolicy gives.
type PutUserPolicyOutput struct {
}
