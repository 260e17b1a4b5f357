package iamapi

import (
	"moat/action"
)

// GetUserPolicy tells of an inline policy of a user, with its document.
var GetUserPolicy = action.Read[GetUserPolicyInput, GetUserPolicyOutput]{
	Name: "GetUserPolicy",
	Doc:  `Tells of an inline policy of a user, with its document.`,
	Read: func(c *action.Call, in *GetUserPolicyInput) (*GetUserPolicyOutput, error) {
		h, err := userHolder(c, in.UserName)
		doc, err := getInline(h, err, in.PolicyName)
		if err != nil {
			return nil, err
		}
		return &GetUserPolicyOutput{UserName: h.name, PolicyName: in.PolicyName, PolicyDocument: doc}, nil
	},
}

// GetUserPolicyInput is what GetUserPolicy takes.
type GetUserPolicyInput struct {
	UserName   string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PolicyName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// GetUserPolicyOutput is what GetUserPolicy gives.
type GetUserPolicyOutput struct {
	UserName       string
	PolicyName     string
	PolicyDocument string
}
