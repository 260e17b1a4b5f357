package iamapi

import (
	"moat/action"
)

// ListUserTags lists the tags of a user.
var ListUserTags = action.Read[ListUserTagsInput, ListUserTagsOutput]{
	Name: "ListUserTags",
	Doc:  `Lists the tags of a user.`,
	Read: func(c *action.Call, in *ListUserTagsInput) (*ListUserTagsOutput, error) {
		u, err := userOf(c, in.UserName)
		if err != nil {
			return nil, err
		}
		tags, more, next, err := pageTags(u.Tags, in.Marker, in.MaxItems)
		return &ListUserTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
	},
}

// ListUserTagsInput is what ListUserTags takes.
type ListUserTagsInput struct {
	UserName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListUserTagsOutput is what ListUserTags gives.
type ListUserTagsOutput struct {
	Tags        []Tag `out:"Tags,always"`
	IsTruncated bool
	Marker      string
}
