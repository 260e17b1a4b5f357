package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteRolePermissionsBoundary removes the permissions boundary of a role.
var DeleteRolePermissionsBoundary = action.Write[DeleteRolePermissionsBoundaryInput, DeleteRolePermissionsBoundaryOutput]{
	Name: "DeleteRolePermissionsBoundary",
	Doc:  `Removes the permissions boundary of a role.`,
	Plan: func(tx *state.Txn, in *DeleteRolePermissionsBoundaryInput) (*DeleteRolePermissionsBoundaryOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		if r.Boundary == "" {
			return nil, fault.NoSuchEntity.With("The role with name " + r.Name + " has no permissions boundary.")
		}
		c := *r
		c.Boundary = ""
		state.Roles.Put(tx, &c)
		return &DeleteRolePermissionsBoundaryOutput{}, nil
	},
}

// DeleteRolePermissionsBoundaryInput is what DeleteRolePermissionsBoundary takes.
type DeleteRolePermissionsBoundaryInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// DeleteRolePermissionsBoundaryOutput is what DeleteRolePermissionsBoundary gives.
type DeleteRolePermissionsBoundaryOutput struct {
}
