package iamapi

import (
	"moat/action"
	"moat/state"
)

// UntagRole removes tags from a role.
var UntagRole = action.Write[UntagRoleInput, UntagRoleOutput]{
	Name: "UntagRole",
	Doc:  `Removes tags from a role.`,
	Plan: func(tx *state.Txn, in *UntagRoleInput) (*UntagRoleOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		c := *r
		c.Tags = withoutTags(r.Tags, in.TagKeys)
		state.Roles.Put(tx, &c)
		return &UntagRoleOutput{}, nil
	},
}

// UntagRoleInput is what UntagRole takes.
type UntagRoleInput struct {
	RoleName string   `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	TagKeys  []string `valid:"required,min=1,max=128" pattern:"[\\pL\\pZ\\pN_.:/=+\\-@]+"`
}

// UntagRoleOutput is what UntagRole gives.
type UntagRoleOutput struct {
}
