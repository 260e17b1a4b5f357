package iamapi

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
)

// AddUserToGroup puts a user into a group.
var AddUserToGroup = action.Write[AddUserToGroupInput, AddUserToGroupOutput]{
	Name: "AddUserToGroup",
	Doc:  `Puts a user into a group.`,
	Plan: func(tx *state.Txn, in *AddUserToGroupInput) (*AddUserToGroupOutput, error) {
		g, err := groupOf(tx, in.GroupName)
		if err != nil {
			return nil, err
		}
		u, err := userOf(tx, in.UserName)
		if err != nil {
			return nil, err
		}
		if slices.Contains(u.Groups, g.ID) {
			return &AddUserToGroupOutput{}, nil
		}
		if len(u.Groups) >= tx.Quotas.UserGroupsPerUser {
			return nil, fault.LimitExceeded.With("GroupsPerUser", tx.Quotas.UserGroupsPerUser)
		}
		c := *u
		c.Groups = append(slices.Clone(u.Groups), g.ID)
		state.Users.Put(tx, &c)
		return &AddUserToGroupOutput{}, nil
	},
}

// AddUserToGroupInput is what AddUserToGroup takes.
type AddUserToGroupInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	UserName  string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// AddUserToGroupOutput is what AddUserToGroup gives.
type AddUserToGroupOutput struct {
}
