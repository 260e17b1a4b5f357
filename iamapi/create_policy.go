package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreatePolicy creates a managed policy.
var CreatePolicy = action.Write[CreatePolicyInput, CreatePolicyOutput]{
	Name: "CreatePolicy",
	Doc:  `Creates a managed policy.`,
	Plan: func(tx *state.Txn, in *CreatePolicyInput) (*CreatePolicyOutput, error) {
		if state.ManagedPolicies.Get(tx, strings.ToLower(in.PolicyName)) != nil {
			return nil, fault.PolicyAlreadyExists.With(in.PolicyName)
		}
		p := &iam.ManagedPolicy{
			Name: in.PolicyName, Path: pathOr(in.Path), Created: now(tx), Updated: now(tx), Description: in.Description, Default: 1, Last: 1,
		}
		n := namesIn(tx)
		doc, err := policyDocument(p, n.policy(p), in.PolicyDocument)
		if err != nil {
			return nil, err
		}
		if p.Tags, err = mergeTags(tx, nil, in.Tags); err != nil {
			return nil, err
		}
		if state.ManagedPolicies.Len(tx) >= tx.Quotas.PoliciesPerAccount {
			return nil, fault.LimitExceeded.With("PoliciesPerAccount", tx.Quotas.PoliciesPerAccount)
		}
		p.ID = newID(tx, "ANPA")
		p.Versions = []iam.PolicyVersion{{Number: 1, Document: doc, Created: p.Created}}
		state.ManagedPolicies.Put(tx, p)
		shape := policyShape(tx, n.policy(p), p)
		shape.Tags = tagShapes(p.Tags)
		return &CreatePolicyOutput{Policy: &shape}, nil
	},
}

// CreatePolicyInput is what CreatePolicy takes.
type CreatePolicyInput struct {
	PolicyName     string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Path           string `valid:"min=1,max=512" pattern:"((/[A-Za-z0-9\\.,\\+@=_-]+)*)/"`
	PolicyDocument string `valid:"required,min=1,max=131072" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"`
	Description    string `valid:"max=1000"`
	Tags           []Tag  `valid:"max=50"`
}

// CreatePolicyOutput is what CreatePolicy gives.
type CreatePolicyOutput struct {
	Policy *Policy
}
