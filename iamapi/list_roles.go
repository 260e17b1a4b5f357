package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListRoles lists the roles, by name.
var ListRoles = action.Read[ListRolesInput, ListRolesOutput]{
	Name: "ListRoles",
	Doc:  `Lists the roles, by name.`,
	Read: func(c *action.Call, in *ListRolesInput) (*ListRolesOutput, error) {
		n := namesOf(c)
		roles, more, next, err := page(state.Roles.All(c), state.Roles.Key, in.Marker, in.MaxItems, func(r *iam.Role) (Role, bool) {
			return roleShape(n, r), under(r.Path, in.PathPrefix)
		})
		return &ListRolesOutput{Roles: roles, IsTruncated: more, Marker: next}, err
	},
}

// ListRolesInput is what ListRoles takes.
type ListRolesInput struct {
	PathPrefix string `valid:"min=1,max=512" pattern:"\\u002F[\\u0021-\\u007F]*"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListRolesOutput is what ListRoles gives.
type ListRolesOutput struct {
	Roles       []Role `out:"Roles,always"`
	IsTruncated bool
	Marker      string
}
