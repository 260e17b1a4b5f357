package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// RemoveRoleFromInstanceProfile takes the role out of an instance profile.
var RemoveRoleFromInstanceProfile = action.Write[RemoveRoleFromInstanceProfileInput, RemoveRoleFromInstanceProfileOutput]{
	Name: "RemoveRoleFromInstanceProfile",
	Doc:  `Takes the role out of an instance profile.`,
	Plan: func(tx *state.Txn, in *RemoveRoleFromInstanceProfileInput) (*RemoveRoleFromInstanceProfileOutput, error) {
		p, err := profileOf(tx, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		if p.Role != r.ID {
			return nil, fault.NoSuchRole.With(in.RoleName)
		}
		c := *p
		c.Role = ""
		state.InstanceProfiles.Put(tx, &c)
		return &RemoveRoleFromInstanceProfileOutput{}, nil
	},
}

// RemoveRoleFromInstanceProfileInput is what RemoveRoleFromInstanceProfile takes.
type RemoveRoleFromInstanceProfileInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	RoleName            string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// RemoveRoleFromInstanceProfileOutput is what RemoveRoleFromInstanceProfile gives.
type RemoveRoleFromInstanceProfileOutput struct {
}
