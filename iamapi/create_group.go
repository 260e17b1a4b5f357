package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// CreateGroup creates a group of users.
var CreateGroup = action.Write[CreateGroupInput, CreateGroupOutput]{
	Name: "CreateGroup",
	Doc:  `Creates a group of users.`,
	Plan: func(tx *state.Txn, in *CreateGroupInput) (*CreateGroupOutput, error) {
		if state.UserGroups.Get(tx, strings.ToLower(in.GroupName)) != nil {
			return nil, fault.EntityAlreadyExists.With("Group", in.GroupName)
		}
		if state.UserGroups.Len(tx) >= tx.Quotas.UserGroupsPerAccount {
			return nil, fault.LimitExceeded.With("GroupsPerAccount", tx.Quotas.UserGroupsPerAccount)
		}
		g := &iam.Group{Name: in.GroupName, ID: newID(tx, "AGPA"), Path: pathOr(in.Path), Created: now(tx)}
		state.UserGroups.Put(tx, g)
		shape := groupShape(namesIn(tx), g)
		return &CreateGroupOutput{Group: &shape}, nil
	},
}

// CreateGroupInput is what CreateGroup takes.
type CreateGroupInput struct {
	Path      string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// CreateGroupOutput is what CreateGroup gives.
type CreateGroupOutput struct {
	Group *Group
}
