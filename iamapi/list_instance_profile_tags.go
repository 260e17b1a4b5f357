package iamapi

import (
	"moat/action"
)

// ListInstanceProfileTags lists the tags of an instance profile.
var ListInstanceProfileTags = action.Read[ListInstanceProfileTagsInput, ListInstanceProfileTagsOutput]{
	Name: "ListInstanceProfileTags",
	Doc:  `Lists the tags of an instance profile.`,
	Read: func(c *action.Call, in *ListInstanceProfileTagsInput) (*ListInstanceProfileTagsOutput, error) {
		p, err := profileOf(c, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		tags, more, next, err := pageTags(p.Tags, in.Marker, in.MaxItems)
		return &ListInstanceProfileTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
	},
}

// ListInstanceProfileTagsInput is what ListInstanceProfileTags takes.
type ListInstanceProfileTagsInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker              string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems            *int32 `valid:"min=1,max=1000"`
}

// ListInstanceProfileTagsOutput is what ListInstanceProfileTags gives.
type ListInstanceProfileTagsOutput struct {
	Tags        []Tag `out:"Tags,always"`
	IsTruncated bool
	Marker      string
}
