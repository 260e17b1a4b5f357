package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteInstanceProfile deletes an instance profile that holds no role.
var DeleteInstanceProfile = action.Write[DeleteInstanceProfileInput, DeleteInstanceProfileOutput]{
	Name: "DeleteInstanceProfile",
	Doc:  `Deletes an instance profile that holds no role.`,
	Plan: func(tx *state.Txn, in *DeleteInstanceProfileInput) (*DeleteInstanceProfileOutput, error) {
		p, err := profileOf(tx, in.InstanceProfileName)
		if err != nil {
			return nil, err
		}
		if p.Role != "" {
			return nil, fault.DeleteConflict.With("Cannot delete entity, must remove roles from instance profile first.")
		}
		state.InstanceProfiles.Delete(tx, state.InstanceProfiles.Key(p))
		return &DeleteInstanceProfileOutput{}, nil
	},
}

// DeleteInstanceProfileInput is what DeleteInstanceProfile takes.
type DeleteInstanceProfileInput struct {
	InstanceProfileName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// DeleteInstanceProfileOutput is what DeleteInstanceProfile gives.
type DeleteInstanceProfileOutput struct {
}
