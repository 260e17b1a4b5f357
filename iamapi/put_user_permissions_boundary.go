package iamapi

import (
	"moat/action"
	"moat/state"
)

// PutUserPermissionsBoundary sets the policy that bounds what a user can be allowed.
var PutUserPermissionsBoundary = action.Write[PutUserPermissionsBoundaryInput, PutUserPermissionsBoundaryOutput]{
	Name: "PutUserPermissionsBoundary",
	Doc:  `Sets the policy that bounds what a user can be allowed.`,
	Plan: func(tx *state.Txn, in *PutUserPermissionsBoundaryInput) (*PutUserPermissionsBoundaryOutput, error) {
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		c := *u
		if c.Boundary, err = boundary(tx, in.PermissionsBoundary); err != nil {
			return nil, err
		}
		state.Users.Put(tx, &c)
		return &PutUserPermissionsBoundaryOutput{}, nil
	},
}

// PutUserPermissionsBoundaryInput is what PutUserPermissionsBoundary takes.
type PutUserPermissionsBoundaryInput struct {
	UserName            string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PermissionsBoundary string `valid:"required,min=20,max=2048"`
}

// PutUserPermissionsBoundaryOutput is what PutUserPermissionsBoundary gives.
type PutUserPermissionsBoundaryOutput struct {
}
