package iamapi

import (
	"moat/action"
)

// GetPolicy tells of a managed policy.
var GetPolicy = action.Read[GetPolicyInput, GetPolicyOutput]{
	Name: "GetPolicy",
	Doc:  `Tells of a managed policy.`,
	Read: func(c *action.Call, in *GetPolicyInput) (*GetPolicyOutput, error) {
		p, err := readPolicy(c, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		return &GetPolicyOutput{Policy: wholePolicyShape(c, in.PolicyArn, p)}, nil
	},
}

// GetPolicyInput is what GetPolicy takes.
type GetPolicyInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
}

// GetPolicyOutput is what GetPolicy gives.
type GetPolicyOutput struct {
	Policy *Policy
}
