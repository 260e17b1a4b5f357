package iamapi

import (
	"moat/action"
	"moat/state"
)

// PutRolePermissionsBoundary sets the policy that bounds what a role can be allowed.
var PutRolePermissionsBoundary = action.Write[PutRolePermissionsBoundaryInput, PutRolePermissionsBoundaryOutput]{
	Name: "PutRolePermissionsBoundary",
	Doc:  `Sets the policy that bounds what a role can be allowed.`,
	Plan: func(tx *state.Txn, in *PutRolePermissionsBoundaryInput) (*PutRolePermissionsBoundaryOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		c := *r
		if c.Boundary, err = boundary(tx, in.PermissionsBoundary); err != nil {
			return nil, err
		}
		state.Roles.Put(tx, &c)
		return &PutRolePermissionsBoundaryOutput{}, nil
	},
}

// PutRolePermissionsBoundaryInput is what PutRolePermissionsBoundary takes.
type PutRolePermissionsBoundaryInput struct {
	RoleName            string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	PermissionsBoundary string `valid:"required,min=20,max=2048"`
}

// PutRolePermissionsBoundaryOutput is what PutRolePermissionsBoundary gives.
type PutRolePermissionsBoundaryOutput struct {
}
