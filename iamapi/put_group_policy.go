package iamapi

import (
	"moat/action"
	"moat/state"
)

// PutGroupPolicy sets an inline policy of a group.
var PutGroupPolicy = action.Write[PutGroupPolicyInput, PutGroupPolicyOutput]{
	Name: "PutGroupPolicy",
	Doc:  `Sets an inline policy of a group.`,
	Plan: func(tx *state.Txn, in *PutGroupPolicyInput) (*PutGroupPolicyOutput, error) {
		h, err := groupHolder(tx, in.GroupName)
		return &PutGroupPolicyOutput{}, putInline(tx, h, err, in.PolicyName, in.PolicyDocument)
	},
}

// PutGroupPolicyInput is what PutGroupPolicy takes.
type PutGroupPolicyInput struct {
	GroupName      string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyName     string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
}

// PutGroupPolicyOutput is what PutGroupPolicy gives.
type PutGroupPolicyOutput struct {
}
