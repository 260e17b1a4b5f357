package iamapi

import (
	"moat/action"
	"moat/state"
)

// UntagInstanceProfile removes tags from an instance profile.
var UntagInstanceProfile = action.Write[UntagInstanceProfileInput, UntagInstanceProfileOutput]{
	Name: "UntagInstanceProfile",
	Doc:  `Removes tags from an instance profile.`,
	Plan: func(tx *state.Txn, in *UntagInstanceProfileInput) (*UntagInstanceProfileOutput, error) {
		p, err := profileOf(tx, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		c := *p
		c.Tags = withoutTags(p.Tags, in.TagKeys)
		state.InstanceProfiles.Put(tx, &c)
		return &UntagInstanceProfileOutput{}, nil
	},
}

// UntagInstanceProfileInput is what UntagInstanceProfile takes.
type UntagInstanceProfileInput struct {
	InstanceProfileName string   `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	TagKeys             []string `valid:"required,min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
}

// UntagInstanceProfileOutput is what UntagInstanceProfile gives.
type UntagInstanceProfileOutput struct {
}
