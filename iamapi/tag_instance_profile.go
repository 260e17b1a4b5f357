package iamapi

import (
	"moat/action"
	"moat/state"
)

// TagInstanceProfile sets tags of an instance profile.
var TagInstanceProfile = action.Write[TagInstanceProfileInput, TagInstanceProfileOutput]{
	Name: "TagInstanceProfile",
	Doc:  `Sets tags of an instance profile.`,
	Plan: func(tx *state.Txn, in *TagInstanceProfileInput) (*TagInstanceProfileOutput, error) {
		p, err := profileOf(tx, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		c := *p
		if c.Tags, err = mergeTags(tx, p.Tags, in.Tags); err != nil {
			return nil, err
		}
		state.InstanceProfiles.Put(tx, &c)
		return &TagInstanceProfileOutput{}, nil
	},
}

// TagInstanceProfileInput is what TagInstanceProfile takes.
type TagInstanceProfileInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Tags                []Tag  `valid:"required,max=50"`
}

// TagInstanceProfileOutput is what TagInstanceProfile gives.
type TagInstanceProfileOutput struct {
}
