package iamapi

import (
	"moat/action"
)

// GetGroupPolicy tells of an inline policy of a group, with its document.
var GetGroupPolicy = action.Read[GetGroupPolicyInput, GetGroupPolicyOutput]{
	Name: "GetGroupPolicy",
	Doc:  `Tells of an inline policy of a group, with its document.`,
	Read: func(c *action.Call, in *GetGroupPolicyInput) (*GetGroupPolicyOutput, error) {
		h, err := groupHolder(c, in.GroupName)
		doc, err := getInline(h, err, in.PolicyName)
		if err != nil {
			return nil, err
		}
		return &GetGroupPolicyOutput{GroupName: h.name, PolicyName: in.PolicyName, PolicyDocument: doc}, nil
	},
}

// GetGroupPolicyInput is what GetGroupPolicy takes.
type GetGroupPolicyInput struct {
	GroupName  string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// GetGroupPolicyOutput is what GetGroupPolicy gives.
type GetGroupPolicyOutput struct {
	GroupName      string
	PolicyName     string
	PolicyDocument string
}
