package iamapi

import (
	"moat/action"
	"moat/state"
)

// TagRole sets tags of a role.
var TagRole = action.Write[TagRoleInput, TagRoleOutput]{
	Name: "TagRole",
	Doc:  `Sets tags of a role.`,
	Plan: func(tx *state.Txn, in *TagRoleInput) (*TagRoleOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		c := *r
		if c.Tags, err = mergeTags(tx, r.Tags, in.Tags); err != nil {
			return nil, err
		}
		state.Roles.Put(tx, &c)
		return &TagRoleOutput{}, nil
	},
}

// TagRoleInput is what TagRole takes.
type TagRoleInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	Tags     []Tag  `valid:"required,max=50"`
}

// TagRoleOutput is what TagRole gives.
type TagRoleOutput struct {
}
