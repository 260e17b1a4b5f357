package iamapi

import (
	"moat/action"
)

// GetPolicyVersion tells of a version of a managed policy, with its document.
var GetPolicyVersion = action.Read[GetPolicyVersionInput, GetPolicyVersionOutput]{
	Name: "GetPolicyVersion",
	Doc:  `Tells of a version of a managed policy, with its document.`,
	Read: func(c *action.Call, in *GetPolicyVersionInput) (*GetPolicyVersionOutput, error) {
		p, err := readPolicy(c, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		v, err := versionOf(p, in.PolicyArn, in.VersionId)
		if err != nil {
			return nil, err
		}
		shape := versionShape(p, v)
		shape.Document = encoded(v.Document.String())
		return &GetPolicyVersionOutput{PolicyVersion: &shape}, nil
	},
}

// GetPolicyVersionInput is what GetPolicyVersion takes.
type GetPolicyVersionInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
	VersionId string `valid:"required" pattern:"v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"`
}

// GetPolicyVersionOutput is what GetPolicyVersion gives.
type GetPolicyVersionOutput struct {
	PolicyVersion *PolicyVersion
}
