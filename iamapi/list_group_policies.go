package iamapi

import (
	"moat/action"
)

// ListGroupPolicies lists the names of the inline policies of a group.
var ListGroupPolicies = action.Read[ListGroupPoliciesInput, ListGroupPoliciesOutput]{
	Name: "ListGroupPolicies",
	Doc:  `Lists the names of the inline policies of a group.`,
	Read: func(c *action.Call, in *ListGroupPoliciesInput) (*ListGroupPoliciesOutput, error) {
		h, err := groupHolder(c, in.GroupName)
		list, more, next, err := listInline(h, err, in.Marker, in.MaxItems)
		return &ListGroupPoliciesOutput{PolicyNames: list, IsTruncated: more, Marker: next}, err
	},
}

// ListGroupPoliciesInput is what ListGroupPolicies takes.
type ListGroupPoliciesInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker    string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems  *int32 `valid:"min=1,max=1000"`
}

// ListGroupPoliciesOutput is what ListGroupPolicies gives.
type ListGroupPoliciesOutput struct {
	PolicyNames []string `out:"PolicyNames,always"`
	IsTruncated bool
	Marker      string
}
