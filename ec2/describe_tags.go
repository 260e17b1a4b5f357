package ec2

import (
	"slices"
	"strings"

	"moat/action"
	"moat/vpc"
)

// DescribeTags gives one row for each tag, in the order of resource ids and
// then of keys; a page's token names the last row, so that it can be resumed.
var DescribeTags = action.Describe[DescribeTagsInput, DescribeTagsOutput, tagRow, TagDescription]{
	Name: "DescribeTags",
	Doc:  "Lists the tags of resources of every type.",
	List: "tagSet",

	From: func(c *action.Call, in *DescribeTagsInput, id string) seq[tagRow] {
		resource, _, _ := strings.Cut(id, "\x00")
		return tagsFrom(c, resource, func(kind string) bool { return wantsType(in.Filters, kind) })
	},
	ID: tagRow.id,
	Filters: []action.Match[tagRow]{
		action.On("key", func(t tagRow) string { return t.tag.Key }),
		action.On("resource-id", func(t tagRow) string { return t.resource }).Indexed(tagsOf),
		action.On("resource-type", func(t tagRow) string { return t.kind }),
		action.OnEach("value", func(t tagRow, yield func(string)) { yield(t.tag.Value) }),
	},
	// tag:KEY asks for the tag's own key and value.
	Tags: &action.Tags[tagRow]{Of: func(t tagRow) vpc.Tags { return vpc.Tags{t.tag} }, Find: tagsWith},

	Shape: func(_ *action.Call, t tagRow) TagDescription {
		return TagDescription{Key: t.tag.Key, ResourceId: t.resource, ResourceType: t.kind, Value: &t.tag.Value}
	},
}

// wantsType reports whether filters let a type of resource pass, so that the
// others need not be walked.
func wantsType(filters []Filter, kind string) bool {
	for _, f := range filters {
		if f.Name == "resource-type" && !slices.ContainsFunc(f.Values, func(v string) bool { return action.Glob(v, kind) }) {
			return false
		}
	}
	return true
}

// DescribeTagsInput is what DescribeTags takes.
type DescribeTagsInput struct {
	DryRun     bool
	Filters    []Filter `in:"Filter"`
	MaxResults *int32
	NextToken  string
}

// DescribeTagsOutput is what DescribeTags gives.
type DescribeTagsOutput struct {
	NextToken string
	Tags      []TagDescription `out:"tagSet"`
}
