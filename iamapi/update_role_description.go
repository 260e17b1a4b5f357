package iamapi

import (
	"moat/action"
	"moat/state"
)

// UpdateRoleDescription changes the description of a role.
var UpdateRoleDescription = action.Write[UpdateRoleDescriptionInput, UpdateRoleDescriptionOutput]{
	Name: "UpdateRoleDescription",
	Doc:  `Changes the description of a role.`,
	Plan: func(tx *state.Txn, in *UpdateRoleDescriptionInput) (*UpdateRoleDescriptionOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		c := *r
		c.Description = in.Description
		state.Roles.Put(tx, &c)
		return &UpdateRoleDescriptionOutput{Role: wholeRoleShape(namesIn(tx), &c)}, nil
	},
}

// UpdateRoleDescriptionInput is what UpdateRoleDescription takes.
type UpdateRoleDescriptionInput struct {
	RoleName    string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	Description string `valid:"required,max=1000" pattern:"[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*"`
}

// UpdateRoleDescriptionOutput is what UpdateRoleDescription gives.
type UpdateRoleDescriptionOutput struct {
	Role *Role
}
