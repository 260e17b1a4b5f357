package iamapi

import (
	"moat/action"
)

// ListPolicies lists managed policies: the account's own and those of AWS.
var ListPolicies = action.Read[ListPoliciesInput, ListPoliciesOutput]{
	Name: "ListPolicies",
	Doc:  `Lists managed policies: the account's own and those of AWS.`,
	Read: func(c *action.Call, in *ListPoliciesInput) (*ListPoliciesOutput, error) {
		n := namesOf(c)
		policies, more, next, err := page(managedPolicies(c, n, in.Scope), listedPolicy.key, in.Marker, in.MaxItems, func(l listedPolicy) (Policy, bool) {
			s := policyShape(c, l.arn, l.p)
			switch {
			case !under(l.p.Path, in.PathPrefix):
				return s, false
			case in.OnlyAttached && s.AttachmentCount == 0 && s.PermissionsBoundaryUsageCount == 0:
				return s, false
			case in.PolicyUsageFilter == "PermissionsPolicy" && s.AttachmentCount == 0:
				return s, false
			case in.PolicyUsageFilter == "PermissionsBoundary" && s.PermissionsBoundaryUsageCount == 0:
				return s, false
			}
			return s, true
		})
		return &ListPoliciesOutput{Policies: policies, IsTruncated: more, Marker: next}, err
	},
}

// ListPoliciesInput is what ListPolicies takes.
type ListPoliciesInput struct {
	Scope             string `valid:"enum=All|AWS|Local"`
	OnlyAttached      bool
	PathPrefix        string `valid:"min=1,max=512" pattern:"((/[A-Za-z0-9\\.,\\+@=_-]+)*)/"`
	PolicyUsageFilter string `valid:"enum=PermissionsPolicy|PermissionsBoundary"`
	Marker            string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems          *int32 `valid:"min=1,max=1000"`
}

// ListPoliciesOutput is what ListPolicies gives.
type ListPoliciesOutput struct {
	Policies    []Policy `out:"Policies,always"`
	IsTruncated bool
	Marker      string
}
