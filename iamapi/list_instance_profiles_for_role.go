package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListInstanceProfilesForRole lists the instance profiles that hold a role.
var ListInstanceProfilesForRole = action.Read[ListInstanceProfilesForRoleInput, ListInstanceProfilesForRoleOutput]{
	Name: "ListInstanceProfilesForRole",
	Doc:  `Lists the instance profiles that hold a role.`,
	Read: func(c *action.Call, in *ListInstanceProfilesForRoleInput) (*ListInstanceProfilesForRoleOutput, error) {
		r, err := roleOf(c, in.RoleName)
		if err != nil {
			return nil, err
		}
		n := namesOf(c)
		profiles, more, next, err := page(state.InstanceProfiles.By(c, state.InstanceProfilesByRole, r.ID), state.InstanceProfiles.Key, in.Marker, in.MaxItems, func(p *iam.InstanceProfile) (InstanceProfile, bool) {
			s := profileShape(c, n, p)
			s.Tags = nil
			return s, true
		})
		return &ListInstanceProfilesForRoleOutput{InstanceProfiles: profiles, IsTruncated: more, Marker: next}, err
	},
}

// ListInstanceProfilesForRoleInput is what ListInstanceProfilesForRole takes.
type ListInstanceProfilesForRoleInput struct {
	RoleName string `valid:"required,min=1,max=64" pattern:"[\\w+=,.@-]+"`
	Marker   string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems *int32 `valid:"min=1,max=1000"`
}

// ListInstanceProfilesForRoleOutput is what ListInstanceProfilesForRole gives.
type ListInstanceProfilesForRoleOutput struct {
	InstanceProfiles []InstanceProfile `out:"InstanceProfiles,always"`
	IsTruncated      bool
	Marker           string
}
