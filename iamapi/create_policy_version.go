package iamapi

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreatePolicyVersion gives a managed policy another text, which counts at once if it is set as the default.
var CreatePolicyVersion = action.Write[CreatePolicyVersionInput, CreatePolicyVersionOutput]{
	Name: "CreatePolicyVersion",
	Doc:  `Gives a managed policy another text, which counts at once if it is set as the default.`,
	Plan: func(tx *state.Txn, in *CreatePolicyVersionInput) (*CreatePolicyVersionOutput, error) {
		p, err := ownPolicy(tx, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		doc, err := policyDocument(p, in.PolicyArn, in.PolicyDocument)
		if err != nil {
			return nil, err
		}
		if len(p.Versions) >= maxVersions {
			return nil, fault.PolicyVersionsLimit.With(maxVersions)
		}
		p.Last++
		v := iam.PolicyVersion{Number: p.Last, Document: doc, Created: now(tx)}
		p.Versions = append(slices.Clone(p.Versions), v)
		p.Updated = now(tx)
		if in.SetAsDefault {
			p.Default = v.Number
		}
		state.ManagedPolicies.Put(tx, p)
		shape := versionShape(p, &v)
		return &CreatePolicyVersionOutput{PolicyVersion: &shape}, nil
	},
}

// CreatePolicyVersionInput is what CreatePolicyVersion takes.
type CreatePolicyVersionInput struct {
	PolicyArn      string `valid:"required,min=20,max=2048"`
	PolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	SetAsDefault   bool
}

// CreatePolicyVersionOutput is what CreatePolicyVersion gives.
type CreatePolicyVersionOutput struct {
	PolicyVersion *PolicyVersion
}
