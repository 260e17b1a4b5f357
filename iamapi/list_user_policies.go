package iamapi

import (
	"moat/action"
)

// ListUserPolicies lists the names of the inline policies of a user.
var ListUserPolicies = action.Read[ListUserPoliciesInput, ListUserPoliciesOutput]{
	Name: "ListUserPolicies",
	Doc:  `Lists the names of the inline policies of a user.`,
	Read: func(c *action.Call, in *ListUserPoliciesInput) (*ListUserPoliciesOutput, error) {
		h, err := userHolder(c, in.UserName)
		list, more, next, err := listInline(h, err, in.Marker, in.MaxItems)
		return &ListUserPoliciesOutput{PolicyNames: list, IsTruncated: more, Marker: next}, err
	},
}

// ListUserPoliciesInput is what ListUserPolicies takes.
type ListUserPoliciesInput struct {
	UserName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListUserPoliciesOutput is what ListUserPolicies gives.
type ListUserPoliciesOutput struct {
	PolicyNames []string `out:"PolicyNames,always"`
	IsTruncated bool
	Marker      string
}
