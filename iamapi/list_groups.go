package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListGroups lists the groups, by name.
var ListGroups = action.Read[ListGroupsInput, ListGroupsOutput]{
	Name: "ListGroups",
	Doc:  `Lists the groups, by name.`,
	Read: func(c *action.Call, in *ListGroupsInput) (*ListGroupsOutput, error) {
		n := namesOf(c)
		groups, more, next, err := page(state.UserGroups.All(c), state.UserGroups.Key, in.Marker, in.MaxItems, func(g *iam.Group) (Group, bool) {
			return groupShape(n, g), under(g.Path, in.PathPrefix)
		})
		return &ListGroupsOutput{Groups: groups, IsTruncated: more, Marker: next}, err
	},
}

// ListGroupsInput is what ListGroups takes.
type ListGroupsInput struct {
	PathPrefix string `valid:"min=1,max=512" pattern:"\\u002F[\\u0021-\\u007F]*"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListGroupsOutput is what ListGroups gives.
type ListGroupsOutput struct {
	Groups      []Group `out:"Groups,always"`
	IsTruncated bool
	Marker      string
}
