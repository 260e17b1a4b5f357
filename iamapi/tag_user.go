package iamapi

import (
	"moat/action"
	"moat/state"
)

// TagUser sets tags of a user.
var TagUser = action.Write[TagUserInput, TagUserOutput]{
	Name: "TagUser",
	Doc:  `Sets tags of a user.`,
	Plan: func(tx *state.Txn, in *TagUserInput) (*TagUserOutput, error) {
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		c := *u
		if c.Tags, err = mergeTags(tx, u.Tags, in.Tags); err != nil {
			return nil, err
		}
		state.Users.Put(tx, &c)
		return &TagUserOutput{}, nil
	},
}

// TagUserInput is what TagUser takes.
type TagUserInput struct {
	UserName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Tags     []Tag  `valid:"required,max=50"`
}

// TagUserOutput is what TagUser gives.
type TagUserOutput struct {
}
