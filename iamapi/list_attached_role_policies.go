package iamapi

import (
	"moat/action"
)

// ListAttachedRolePolicies lists the managed policies that are attached to a role.
var ListAttachedRolePolicies = action.Read[ListAttachedRolePoliciesInput, ListAttachedRolePoliciesOutput]{
	Name: "ListAttachedRolePolicies",
	Doc:  `Lists the managed policies that are attached to a role.`,
	Read: func(c *action.Call, in *ListAttachedRolePoliciesInput) (*ListAttachedRolePoliciesOutput, error) {
		h, err := roleHolder(c, in.RoleName)
		list, more, next, err := listAttached(namesOf(c), h, err, in.PathPrefix, in.Marker, in.MaxItems)
		return &ListAttachedRolePoliciesOutput{AttachedPolicies: list, IsTruncated: more, Marker: next}, err
	},
}

// ListAttachedRolePoliciesInput is what ListAttachedRolePolicies takes.
type ListAttachedRolePoliciesInput struct {
	RoleName   string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PathPrefix string `valid:"min=1,max=512" pattern:"((/[A-Za-z0-9\\.,\\+@=_-]+)*)/"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListAttachedRolePoliciesOutput is what ListAttachedRolePolicies gives.
type ListAttachedRolePoliciesOutput struct {
	AttachedPolicies []AttachedPolicy `out:"AttachedPolicies,always"`
	IsTruncated      bool
	Marker           string
}
