package iamapi

import (
	"moat/action"
	"moat/state"
)

// UpdateRole changes the description of a role, and how long its sessions may be.
var UpdateRole = action.Write[UpdateRoleInput, UpdateRoleOutput]{
	Name: "UpdateRole",
	Doc:  `Changes the description of a role, and how long its sessions may be.`,
	Plan: func(tx *state.Txn, in *UpdateRoleInput) (*UpdateRoleOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		c := *r
		if in.Description != nil {
			c.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			c.MaxSession = *in.MaxSessionDuration
		}
		state.Roles.Put(tx, &c)
		return &UpdateRoleOutput{}, nil
	},
}

// UpdateRoleInput is what UpdateRole takes.
type UpdateRoleInput struct {
	RoleName           string  `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	Description        *string `valid:"max=1000" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*"`
	MaxSessionDuration *int32  `valid:"min=3600,max=43200"`
}

// UpdateRoleOutput is what UpdateRole gives.
type UpdateRoleOutput struct {
}

// EmptyResult tells that the model declares the output, without members.
func (UpdateRoleOutput) EmptyResult() {}
