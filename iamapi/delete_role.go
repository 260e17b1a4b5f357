package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteRole deletes a role that has no policies and no instance profile left. Its sessions end with it.
var DeleteRole = action.Write[DeleteRoleInput, DeleteRoleOutput]{
	Name: "DeleteRole",
	Doc:  `Deletes a role that has no policies and no instance profile left. Its sessions end with it.`,
	Plan: func(tx *state.Txn, in *DeleteRoleInput) (*DeleteRoleOutput, error) {
		r, err := roleOf(tx, in.RoleName)
		if err != nil {
			return nil, err
		}
		switch {
		case state.InstanceProfiles.Count(tx, state.InstanceProfilesByRole, r.ID, 1) > 0:
			return nil, fault.DeleteConflict.With("Cannot delete entity, must remove roles from instance profile first.")
		case len(r.Attached) > 0:
			return nil, mustDetach(namesIn(tx), r.Attached)
		case len(r.Inline) > 0:
			return nil, mustDeletePolicies(r.Inline)
		}
		state.Roles.Delete(tx, state.Roles.Key(r))
		state.KeyUses.Delete(tx.In(state.Scope{}), r.ID)
		return &DeleteRoleOutput{}, nil
	},
}

// DeleteRoleInput is what DeleteRole takes.
type DeleteRoleInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
}

// DeleteRoleOutput is what DeleteRole gives.
type DeleteRoleOutput struct {
}
