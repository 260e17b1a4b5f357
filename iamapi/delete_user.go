package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteUser deletes a user that has no keys, policies and groups left.
var DeleteUser = action.Write[DeleteUserInput, DeleteUserOutput]{
	Name: "DeleteUser",
	Doc:  `Deletes a user that has no keys, policies and groups left.`,
	Plan: func(tx *state.Txn, in *DeleteUserInput) (*DeleteUserOutput, error) {
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		switch {
		case len(u.Attached) > 0:
			return nil, mustDetach(namesIn(tx), u.Attached)
		case len(u.Inline) > 0:
			return nil, mustDeletePolicies(u.Inline)
		case len(u.Groups) > 0:
			return nil, fault.DeleteConflict.With("Cannot delete entity, must remove users from group first.")
		case keysOf(tx, u.ID, 1) > 0:
			return nil, fault.DeleteConflict.With("Cannot delete entity, must delete access keys first.")
		}
		state.Users.Delete(tx, state.Users.Key(u))
		return &DeleteUserOutput{}, nil
	},
}

// DeleteUserInput is what DeleteUser takes.
type DeleteUserInput struct {
	UserName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// DeleteUserOutput is what DeleteUser gives.
type DeleteUserOutput struct {
}
