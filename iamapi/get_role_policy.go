package iamapi

import (
	"moat/action"
)

// GetRolePolicy tells of an inline policy of a role, with its document.
var GetRolePolicy = action.Read[GetRolePolicyInput, GetRolePolicyOutput]{
	Name: "GetRolePolicy",
	Doc:  `Tells of an inline policy of a role, with its document.`,
	Read: func(c *action.Call, in *GetRolePolicyInput) (*GetRolePolicyOutput, error) {
		h, err := roleHolder(c, in.RoleName)
		doc, err := getInline(h, err, in.PolicyName)
		if err != nil {
			return nil, err
		}
		return &GetRolePolicyOutput{RoleName: h.name, PolicyName: in.PolicyName, PolicyDocument: doc}, nil
	},
}

// GetRolePolicyInput is what GetRolePolicy takes.
type GetRolePolicyInput struct {
	RoleName   string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PolicyName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// GetRolePolicyOutput is what GetRolePolicy gives.
type GetRolePolicyOutput struct {
	RoleName       string
	PolicyName     string
	PolicyDocument string
}
