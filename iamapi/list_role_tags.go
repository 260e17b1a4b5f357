package iamapi

import (
	"moat/action"
)

// ListRoleTags lists the tags of a role.
var ListRoleTags = action.Read[ListRoleTagsInput, ListRoleTagsOutput]{
	Name: "ListRoleTags",
	Doc:  `Lists the tags of a role.`,
	Read: func(c *action.Call, in *ListRoleTagsInput) (*ListRoleTagsOutput, error) {
		r, err := roleOf(c, in.RoleName)
		if err != nil {
			return nil, err
		}
		tags, more, next, err := pageTags(r.Tags, in.Marker, in.MaxItems)
		return &ListRoleTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
	},
}

// ListRoleTagsInput is what ListRoleTags takes.
type ListRoleTagsInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListRoleTagsOutput is what ListRoleTags gives.
type ListRoleTagsOutput struct {
	Tags        []Tag `out:"Tags,always"`
	IsTruncated bool
	Marker      string
}
