package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListUsers lists the users, by name.
var ListUsers = action.Read[ListUsersInput, ListUsersOutput]{
	Name: "ListUsers",
	Doc:  `Lists the users, by name.`,
	Read: func(c *action.Call, in *ListUsersInput) (*ListUsersOutput, error) {
		n := namesOf(c)
		users, more, next, err := page(state.Users.All(c), state.Users.Key, in.Marker, in.MaxItems, func(u *iam.User) (User, bool) {
			return userShape(n, u), under(u.Path, in.PathPrefix)
		})
		return &ListUsersOutput{Users: users, IsTruncated: more, Marker: next}, err
	},
}

// ListUsersInput is what ListUsers takes.
type ListUsersInput struct {
	PathPrefix string `valid:"min=1,max=512" pattern:"\\u002F[\\u0021-\\u007F]*"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListUsersOutput is what ListUsers gives.
type ListUsersOutput struct {
	Users       []User `out:"Users,always"`
	IsTruncated bool
	Marker      string
}
