package iamapi

import (
	"moat/action"
	"moat/state"
)

// UntagUser removes tags from a user.
var UntagUser = action.Write[UntagUserInput, UntagUserOutput]{
	Name: "UntagUser",
	Doc:  `Removes tags from a user.`,
	Plan: func(tx *state.Txn, in *UntagUserInput) (*UntagUserOutput, error) {
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		c := *u
		c.Tags = withoutTags(u.Tags, in.TagKeys)
		state.Users.Put(tx, &c)
		return &UntagUserOutput{}, nil
	},
}

// UntagUserInput is what UntagUser takes.
type UntagUserInput struct {
	UserName string   `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	TagKeys  []string `valid:"required,min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
}

// UntagUserOutput is what UntagUser gives.
type UntagUserOutput struct {
}
