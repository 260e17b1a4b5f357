package iamapi

import (
	"moat/action"
	"moat/state"
)

// DeleteGroupPolicy deletes an inline policy of a group.
var DeleteGroupPolicy = action.Write[DeleteGroupPolicyInput, DeleteGroupPolicyOutput]{
	Name: "DeleteGroupPolicy",
	Doc:  `Deletes an inline policy of a group.`,
	Plan: func(tx *state.Txn, in *DeleteGroupPolicyInput) (*DeleteGroupPolicyOutput, error) {
		h, err := groupHolder(tx, in.GroupName)
		return &DeleteGroupPolicyOutput{}, deleteInline(tx, h, err, in.PolicyName)
	},
}

// DeleteGroupPolicyInput is what DeleteGroupPolicy takes.
type DeleteGroupPolicyInput struct {
	GroupName  string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// DeleteGroupPolicyOutput is what DeleteGroupPolicy gives.
type DeleteGroupPolicyOutput struct {
}
