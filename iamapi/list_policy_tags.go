package iamapi

import (
	"moat/action"
)

// ListPolicyTags lists the tags of a managed policy.
var ListPolicyTags = action.Read[ListPolicyTagsInput, ListPolicyTagsOutput]{
	Name: "ListPolicyTags",
	Doc:  `Lists the tags of a managed policy.`,
	Read: func(c *action.Call, in *ListPolicyTagsInput) (*ListPolicyTagsOutput, error) {
		p, err := readPolicy(c, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		tags, more, next, err := pageTags(p.Tags, in.Marker, in.MaxItems)
		return &ListPolicyTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
	},
}

// ListPolicyTagsInput is what ListPolicyTags takes.
type ListPolicyTagsInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
	Marker    string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems  *int32 `valid:"min=1,max=1000"`
}

// ListPolicyTagsOutput is what ListPolicyTags gives.
type ListPolicyTagsOutput struct {
	Tags        []Tag `out:"Tags,always"`
	IsTruncated bool
	Marker      string
}
