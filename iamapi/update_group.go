package iamapi

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
)

// UpdateGroup renames a group, or moves it to another path.
var UpdateGroup = action.Write[UpdateGroupInput, UpdateGroupOutput]{
	Name: "UpdateGroup",
	Doc:  `Renames a group, or moves it to another path.`,
	Plan: func(tx *state.Txn, in *UpdateGroupInput) (*UpdateGroupOutput, error) {
		g, err := groupOf(tx, in.GroupName)
		if err != nil {
			return nil, err
		}
		c := *g
		if in.NewPath != "" {
			c.Path = in.NewPath
		}
		if in.NewGroupName != "" {
			if other := state.UserGroups.Get(tx, strings.ToLower(in.NewGroupName)); other != nil && other.ID != g.ID {
				return nil, fault.EntityAlreadyExists.With("Group", in.NewGroupName)
			}
			c.Name = in.NewGroupName
		}
		if state.UserGroups.Key(&c) != state.UserGroups.Key(g) {
			state.UserGroups.Delete(tx, state.UserGroups.Key(g))
		}
		state.UserGroups.Put(tx, &c)
		return &UpdateGroupOutput{}, nil
	},
}

// UpdateGroupInput is what UpdateGroup takes.
type UpdateGroupInput struct {
	GroupName    string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	NewPath      string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	NewGroupName string `valid:"min=1,max=128" pattern:"[\\w+=,.@-]+"`
}

// UpdateGroupOutput is what UpdateGroup gives.
type UpdateGroupOutput struct {
}
