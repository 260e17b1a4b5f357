package iamapi

import (
	"moat/action"
	"moat/fault"
	"moat/state"
)

// DeleteGroup deletes a group that has no users and no policies left.
var DeleteGroup = action.Write[DeleteGroupInput, DeleteGroupOutput]{
	Name: "DeleteGroup",
	Doc:  `Deletes a group that has no users and no policies left.`,
	Plan: func(tx *state.Txn, in *DeleteGroupInput) (*DeleteGroupOutput, error) {
		g, err := groupOf(tx, in.GroupName)
		if err != nil {
			return nil, err
		}
		switch {
		case len(g.Attached) > 0:
			return nil, mustDetach(namesIn(tx), g.Attached)
		case len(g.Inline) > 0:
			return nil, mustDeletePolicies(g.Inline)
		case state.Users.Count(tx, state.UsersByGroup, g.ID, 1) > 0:
			return nil, fault.DeleteConflict.With("Cannot delete entity, must remove users from group first.")
		}
		state.UserGroups.Delete(tx, state.UserGroups.Key(g))
		return &DeleteGroupOutput{}, nil
	},
}

// DeleteGroupInput is what DeleteGroup takes.
type DeleteGroupInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// DeleteGroupOutput is what DeleteGroup gives.
type DeleteGroupOutput struct {
}
