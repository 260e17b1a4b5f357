package ec2

import (
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var DeleteTags = action.Write[DeleteTagsInput, DeleteTagsOutput]{
	Name: "DeleteTags",
	Doc:  "Removes tags from resources of any type: the named ones, or all when none is named.",

	Plan: func(tx *state.Txn, in *DeleteTagsInput) (*DeleteTagsOutput, error) {
		for _, t := range in.Tags {
			switch {
			case t.Key == "":
				return nil, fault.InvalidParameterValue.Say("Value ( '' ) for parameter Tag key is invalid. Tag key cannot be null or empty.")
			case isReservedKey(t.Key):
				return nil, fault.InvalidParameterValue.Say("Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", t.Key)
			}
		}
		resources, err := taggables(tx, in.Resources)
		if err != nil {
			return nil, err
		}
		err = retag(tx, resources, func(old vpc.Tags) (vpc.Tags, error) {
			return slices.DeleteFunc(slices.Clone(old), func(t vpc.Tag) bool { return deletes(in.Tags, t) }), nil
		})
		if err != nil {
			return nil, err
		}
		return &DeleteTagsOutput{Return: true}, nil
	},
}

// deletes reports whether a request's tags, or their absence, ask for a tag's
// removal. A tag without a value asks for its key whatever the value; an empty
// value asks for an empty one: API reference, DeleteTags.
func deletes(asked []Tag, t vpc.Tag) bool {
	if len(asked) == 0 {
		return !isReservedKey(t.Key)
	}
	return slices.ContainsFunc(asked, func(a Tag) bool {
		return a.Key == t.Key && (a.Value == nil || *a.Value == t.Value)
	})
}

func isReservedKey(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

// DeleteTagsInput is what DeleteTags takes.
type DeleteTagsInput struct {
	DryRun    bool
	Resources []string `in:"ResourceId"` // required
	Tags      []Tag    `in:"Tag"`
}

// DeleteTagsOutput is what DeleteTags gives.
type DeleteTagsOutput struct {
	Return bool
}
