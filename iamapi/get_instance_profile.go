package iamapi

import (
	"moat/action"
)

// GetInstanceProfile tells of an instance profile.
var GetInstanceProfile = action.Read[GetInstanceProfileInput, GetInstanceProfileOutput]{
	Name: "GetInstanceProfile",
	Doc:  `Tells of an instance profile.`,
	Read: func(c *action.Call, in *GetInstanceProfileInput) (*GetInstanceProfileOutput, error) {
		p, err := profileOf(c, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		shape := profileShape(c, namesOf(c), p)
		return &GetInstanceProfileOutput{InstanceProfile: &shape}, nil
	},
}

// GetInstanceProfileInput is what GetInstanceProfile takes.
type GetInstanceProfileInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// GetInstanceProfileOutput is what GetInstanceProfile gives.
type GetInstanceProfileOutput struct {
	InstanceProfile *InstanceProfile
}
