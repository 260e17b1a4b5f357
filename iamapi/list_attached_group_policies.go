package iamapi

import (
	"moat/action"
)

// ListAttachedGroupPolicies lists the managed policies that are attached to a group.
var ListAttachedGroupPolicies = action.Read[ListAttachedGroupPoliciesInput, ListAttachedGroupPoliciesOutput]{
	Name: "ListAttachedGroupPolicies",
	Doc:  `Lists the managed policies that are attached to a group.`,
	Read: func(c *action.Call, in *ListAttachedGroupPoliciesInput) (*ListAttachedGroupPoliciesOutput, error) {
		h, err := groupHolder(c, in.GroupName)
		list, more, next, err := listAttached(namesOf(c), h, err, in.PathPrefix, in.Marker, in.MaxItems)
		return &ListAttachedGroupPoliciesOutput{AttachedPolicies: list, IsTruncated: more, Marker: next}, err
	},
}

// ListAttachedGroupPoliciesInput is what ListAttachedGroupPolicies takes.
type ListAttachedGroupPoliciesInput struct {
	GroupName  string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	PathPrefix string `valid:"min=1,max=512" pattern:"((/[A-Za-z0-9\\.,\\+@=_-]+)*)/"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListAttachedGroupPoliciesOutput is what ListAttachedGroupPolicies gives.
type ListAttachedGroupPoliciesOutput struct {
	AttachedPolicies []AttachedPolicy `out:"AttachedPolicies,always"`
	IsTruncated      bool
	Marker           string
}
