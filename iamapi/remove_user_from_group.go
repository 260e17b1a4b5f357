package iamapi

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
)

// RemoveUserFromGroup takes a user out of a group.
var RemoveUserFromGroup = action.Write[RemoveUserFromGroupInput, RemoveUserFromGroupOutput]{
	Name: "RemoveUserFromGroup",
	Doc:  `Takes a user out of a group.`,
	Plan: func(tx *state.Txn, in *RemoveUserFromGroupInput) (*RemoveUserFromGroupOutput, error) {
		g, err := groupOf(tx, in.GroupName)
		if err != nil {
			return nil, err
		}
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		i := slices.Index(u.Groups, g.ID)
		if i < 0 {
			return nil, fault.NoSuchEntity.With("User " + u.Name + " is not in group " + g.Name + ".")
		}
		c := *u
		c.Groups = slices.Delete(slices.Clone(u.Groups), i, i+1)
		state.Users.Put(tx, &c)
		return &RemoveUserFromGroupOutput{}, nil
	},
}

// RemoveUserFromGroupInput is what RemoveUserFromGroup takes.
type RemoveUserFromGroupInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	UserName  string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// RemoveUserFromGroupOutput is what RemoveUserFromGroup gives.
type RemoveUserFromGroupOutput struct {
}
