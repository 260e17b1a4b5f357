package iamapi

import (
	"moat/action"
)

// GetRole tells of a role, with its trust policy.
var GetRole = action.Read[GetRoleInput, GetRoleOutput]{
	Name: "GetRole",
	Doc:  `Tells of a role, with its trust policy.`,
	Read: func(c *action.Call, in *GetRoleInput) (*GetRoleOutput, error) {
		r, err := roleOf(c, in.RoleName)
		if err != nil {
			return nil, err
		}
		shape := wholeRoleShape(namesOf(c), r)
		shape.RoleLastUsed = &RoleLastUsed{}
		if use := lastUse(c, r.ID); use != nil {
			shape.RoleLastUsed = &RoleLastUsed{LastUsedDate: use.At, Region: use.Region}
		}
		return &GetRoleOutput{Role: shape}, nil
	},
}

// GetRoleInput is what GetRole takes.
type GetRoleInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// GetRoleOutput is what GetRole gives.
type GetRoleOutput struct {
	Role *Role
}
