package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreateUser creates a user.
var CreateUser = action.Write[CreateUserInput, CreateUserOutput]{
	Name: "CreateUser",
	Doc:  `Creates a user.`,
	Plan: func(tx *state.Txn, in *CreateUserInput) (*CreateUserOutput, error) {
		u := &iam.User{Name: in.UserName, Path: pathOr(in.Path), Created: now(tx)}
		if old := state.Users.Get(tx, strings.ToLower(u.Name)); old != nil {
			return nil, fault.EntityAlreadyExists.With("User", in.UserName)
		}
		var err error
		if u.Tags, err = mergeTags(tx, nil, in.Tags); err != nil {
			return nil, err
		}
		if u.Boundary, err = boundary(tx, in.PermissionsBoundary); err != nil {
			return nil, err
		}
		if state.Users.Len(tx) >= tx.Quotas.UsersPerAccount {
			return nil, fault.LimitExceeded.With("UsersPerAccount", tx.Quotas.UsersPerAccount)
		}
		u.ID = newID(tx, "AIDA")
		state.Users.Put(tx, u)
		return &CreateUserOutput{User: wholeUserShape(namesIn(tx), u)}, nil
	},
}

// CreateUserInput is what CreateUser takes.
type CreateUserInput struct {
	Path                string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	UserName            string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PermissionsBoundary string `valid:"min=20,max=2048"`
	Tags                []Tag  `valid:"max=50"`
}

// CreateUserOutput is what CreateUser gives.
type CreateUserOutput struct {
	User *User
}
