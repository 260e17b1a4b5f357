package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteUserPermissionsBoundary removes the permissions boundary of a user.
var DeleteUserPermissionsBoundary = action.Write[DeleteUserPermissionsBoundaryInput, DeleteUserPermissionsBoundaryOutput]{
	Name: "DeleteUserPermissionsBoundary",
	Doc:  `Removes the permissions boundary of a user.`,
	Plan: func(tx *state.Txn, in *DeleteUserPermissionsBoundaryInput) (*DeleteUserPermissionsBoundaryOutput, error) {
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		if u.Boundary == "" {
			return nil, fault.NoSuchEntity.With("The user with name " + u.Name + " has no permissions boundary.")
		}
		c := *u
		c.Boundary = ""
		state.Users.Put(tx, &c)
		return &DeleteUserPermissionsBoundaryOutput{}, nil
	},
}

// DeleteUserPermissionsBoundaryInput is what DeleteUserPermissionsBoundary takes.
type DeleteUserPermissionsBoundaryInput struct {
	UserName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// DeleteUserPermissionsBoundaryOutput is what DeleteUserPermissionsBoundary gives.
type DeleteUserPermissionsBoundaryOutput struct {
}
