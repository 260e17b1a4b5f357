package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// AddRoleToInstanceProfile puts a role into an instance profile, which holds one at most.
var AddRoleToInstanceProfile = action.Write[AddRoleToInstanceProfileInput, AddRoleToInstanceProfileOutput]{
	Name: "AddRoleToInstanceProfile",
	Doc:  `Puts a role into an instance profile, which holds one at most.`,
	Plan: func(tx *state.Txn, in *AddRoleToInstanceProfileInput) (*AddRoleToInstanceProfileOutput, error) {
		p, err := profileOf(tx, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		if p.Role != "" {
			return nil, fault.LimitExceeded.With("InstanceSessionsPerInstanceProfile", 1)
		}
		c := *p
		c.Role = r.ID
		state.InstanceProfiles.Put(tx, &c)
		return &AddRoleToInstanceProfileOutput{}, nil
	},
}

// AddRoleToInstanceProfileInput is what AddRoleToInstanceProfile takes.
type AddRoleToInstanceProfileInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	RoleName            string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// AddRoleToInstanceProfileOutput is what AddRoleToInstanceProfile gives.
type AddRoleToInstanceProfileOutput struct {
}
