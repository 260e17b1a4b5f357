package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// GetGroup tells of a group, and lists the users in it.
var GetGroup = action.Read[GetGroupInput, GetGroupOutput]{
	Name: "GetGroup",
	Doc:  `Tells of a group, and lists the users in it.`,
	Read: func(c *action.Call, in *GetGroupInput) (*GetGroupOutput, error) {
		g, err := groupOf(c, in.GroupName)
		if err != nil {
			return nil, err
		}
		n := namesOf(c)
		users, more, next, err := page(state.Users.By(c, state.UsersByGroup, g.ID), state.Users.Key, in.Marker, in.MaxItems, func(u *iam.User) (User, bool) {
			return userShape(n, u), true
		})
		shape := groupShape(n, g)
		return &GetGroupOutput{Group: &shape, Users: users, IsTruncated: more, Marker: next}, err
	},
}

// GetGroupInput is what GetGroup takes.
type GetGroupInput struct {
	GroupName string `valid:"required,min=1,max=128" pattern:"[\\w+=,.@-]+"`
	Marker    string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems  *int32 `valid:"min=1,max=1000"`
}

// GetGroupOutput is what GetGroup gives.
type GetGroupOutput struct {
	Group       *Group
	Users       []User `out:"Users,always"`
	IsTruncated bool
	Marker      string
}
