package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
)

// UpdateUser renames a user, or moves it to another path; its keys, groups and policies stay.
var UpdateUser = action.Write[UpdateUserInput, UpdateUserOutput]{
	Name: "UpdateUser",
	Doc:  `Renames a user, or moves it to another path; its keys, groups and policies stay.`,
	Plan: func(tx *state.Txn, in *UpdateUserInput) (*UpdateUserOutput, error) {
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		c := *u
		if in.NewPath != "" {
			c.Path = in.NewPath
		}
		if in.NewUserName != "" {
			if other := state.Users.Get(tx, strings.ToLower(in.NewUserName)); other != nil && other.ID != u.ID {
				return nil, fault.EntityAlreadyExists.With("User", in.NewUserName)
			}
			c.Name = in.NewUserName
		}
		if state.Users.Key(&c) != state.Users.Key(u) {
			state.Users.Delete(tx, state.Users.Key(u))
		}
		state.Users.Put(tx, &c)
		return &UpdateUserOutput{}, nil
	},
}

// UpdateUserInput is what UpdateUser takes.
type UpdateUserInput struct {
	UserName    string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	NewPath     string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	NewUserName string `valid:"min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// UpdateUserOutput is what UpdateUser gives.
type UpdateUserOutput struct {
}
