package iamapi

import (
	"moat/action"
)

// ListRolePolicies lists the names of the inline policies of a role.
var ListRolePolicies = action.Read[ListRolePoliciesInput, ListRolePoliciesOutput]{
	Name: "ListRolePolicies",
	Doc:  `Lists the names of the inline policies of a role.`,
	Read: func(c *action.Call, in *ListRolePoliciesInput) (*ListRolePoliciesOutput, error) {
		h, err := roleHolder(c, in.RoleName)
		list, more, next, err := listInline(h, err, in.Marker, in.MaxItems)
		return &ListRolePoliciesOutput{PolicyNames: list, IsTruncated: more, Marker: next}, err
	},
}

// ListRolePoliciesInput is what ListRolePolicies takes.
type ListRolePoliciesInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListRolePoliciesOutput is what ListRolePolicies gives.
type ListRolePoliciesOutput struct {
	PolicyNames []string `out:"PolicyNames,always"`
	IsTruncated bool
	Marker      string
}
