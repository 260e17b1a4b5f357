package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var CreateTags = action.Write[CreateTagsInput, CreateTagsOutput]{
	Name: "CreateTags",
	Doc:  "Sets tags on resources of any type, in place of those with the same keys. All are tagged or none is.",

	Plan: func(tx *state.Txn, in *CreateTagsInput) (*CreateTagsOutput, error) {
		if len(in.Resources) > 0 && len(in.Tags) == 0 {
			return nil, fault.MissingParameter.With("tagSet")
		}
		if _, err := mergeTags(tx, nil, in.Tags); err != nil {
			return nil, err
		}
		resources, err := taggables(tx, in.Resources)
		if err != nil {
			return nil, err
		}
		err = retag(tx, resources, func(old vpc.Tags) (vpc.Tags, error) { return mergeTags(tx, old, in.Tags) })
		if err != nil {
			return nil, err
		}
		return &CreateTagsOutput{Return: true}, nil
	},
}

// CreateTagsInput is what CreateTags takes.
type CreateTagsInput struct {
	DryRun    bool
	Resources []string `in:"ResourceId"` // required
	Tags      []Tag    `in:"Tag"`        // required
}

// CreateTagsOutput is what CreateTags gives.
type CreateTagsOutput struct {
	Return bool
}
