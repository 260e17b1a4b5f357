package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreateInstanceProfile creates an instance profile, which holds a role for instances.
var CreateInstanceProfile = action.Write[CreateInstanceProfileInput, CreateInstanceProfileOutput]{
	Name: "CreateInstanceProfile",
	Doc:  `Creates an instance profile, which holds a role for instances.`,
	Plan: func(tx *state.Txn, in *CreateInstanceProfileInput) (*CreateInstanceProfileOutput, error) {
		if state.InstanceProfiles.Get(tx, strings.ToLower(in.InstanceProfileName)) != nil {
			return nil, fault.EntityAlreadyExists.With("Instance Profile", in.InstanceProfileName)
		}
		if state.InstanceProfiles.Len(tx) >= tx.Quotas.InstanceProfilesPerAccount {
			return nil, fault.LimitExceeded.With("InstanceProfilesPerAccount", tx.Quotas.InstanceProfilesPerAccount)
		}
		p := &iam.InstanceProfile{Name: in.InstanceProfileName, Path: pathOr(in.Path), Created: now(tx)}
		var err error
		if p.Tags, err = mergeTags(tx, nil, in.Tags); err != nil {
			return nil, err
		}
		p.ID = newID(tx, "AIPA")
		state.InstanceProfiles.Put(tx, p)
		shape := profileShape(tx, namesIn(tx), p)
		return &CreateInstanceProfileOutput{InstanceProfile: &shape}, nil
	},
}

// CreateInstanceProfileInput is what CreateInstanceProfile takes.
type CreateInstanceProfileInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Path                string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	Tags                []Tag  `valid:"max=50"`
}

// CreateInstanceProfileOutput is what CreateInstanceProfile gives.
type CreateInstanceProfileOutput struct {
	InstanceProfile *InstanceProfile
}
