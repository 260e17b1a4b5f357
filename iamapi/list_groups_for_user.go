package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListGroupsForUser lists the groups that a user is in.
var ListGroupsForUser = action.Read[ListGroupsForUserInput, ListGroupsForUserOutput]{
	Name: "ListGroupsForUser",
	Doc:  `Lists the groups that a user is in.`,
	Read: func(c *action.Call, in *ListGroupsForUserInput) (*ListGroupsForUserOutput, error) {
		u, err := userOf(c, in.UserName)
		if err != nil {
			return nil, err
		}
		n := namesOf(c)
		groups, more, next, err := page(groupsOf(c, u), state.UserGroups.Key, in.Marker, in.MaxItems, func(g *iam.Group) (Group, bool) {
			return groupShape(n, g), true
		})
		return &ListGroupsForUserOutput{Groups: groups, IsTruncated: more, Marker: next}, err
	},
}

// ListGroupsForUserInput is what ListGroupsForUser takes.
type ListGroupsForUserInput struct {
	UserName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListGroupsForUserOutput is what ListGroupsForUser gives.
type ListGroupsForUserOutput struct {
	Groups      []Group `out:"Groups,always"`
	IsTruncated bool
	Marker      string
}
