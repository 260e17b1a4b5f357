package iamapi

import (
	"moat/action"
)

// ListAttachedUserPolicies lists the managed policies that are attached to a user.
var ListAttachedUserPolicies = action.Read[ListAttachedUserPoliciesInput, ListAttachedUserPoliciesOutput]{
	Name: "ListAttachedUserPolicies",
	Doc:  `Lists the managed policies that are attached to a user.`,
	Read: func(c *action.Call, in *ListAttachedUserPoliciesInput) (*ListAttachedUserPoliciesOutput, error) {
		h, err := userHolder(c, in.UserName)
		list, more, next, err := listAttached(namesOf(c), h, err, in.PathPrefix, in.Marker, in.MaxItems)
		return &ListAttachedUserPoliciesOutput{AttachedPolicies: list, IsTruncated: more, Marker: next}, err
	},
}

// ListAttachedUserPoliciesInput is what ListAttachedUserPolicies takes.
type ListAttachedUserPoliciesInput struct {
	UserName   string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PathPrefix string `valid:"min=1,max=512" pattern:"((/[A-Za-z0-9\\.,\\+@=_-]+)*)/"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListAttachedUserPoliciesOutput is what ListAttachedUserPolicies gives.
type ListAttachedUserPoliciesOutput struct {
	AttachedPolicies []AttachedPolicy `out:"AttachedPolicies,always"`
	IsTruncated      bool
	Marker           string
}
