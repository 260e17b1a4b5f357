package iamapi

import (
	"moat/action"
	"moat/iam"
	"moat/state"
)

// ListInstanceProfiles lists the instance profiles, by name.
var ListInstanceProfiles = action.Read[ListInstanceProfilesInput, ListInstanceProfilesOutput]{
	Name: "ListInstanceProfiles",
	Doc:  `Lists the instance profiles, by name.`,
	Read: func(c *action.Call, in *ListInstanceProfilesInput) (*ListInstanceProfilesOutput, error) {
		n := namesOf(c)
		profiles, more, next, err := page(state.InstanceProfiles.All(c), state.InstanceProfiles.Key, in.Marker, in.MaxItems, func(p *iam.InstanceProfile) (InstanceProfile, bool) {
			s := profileShape(c, n, p)
			s.Tags = nil
			return s, under(p.Path, in.PathPrefix)
		})
		return &ListInstanceProfilesOutput{InstanceProfiles: profiles, IsTruncated: more, Marker: next}, err
	},
}

// ListInstanceProfilesInput is what ListInstanceProfiles takes.
type ListInstanceProfilesInput struct {
	PathPrefix string `valid:"min=1,max=512" pattern:"\\u002F[\\u0021-\\u007F]*"`
	Marker     string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems   *int32 `valid:"min=1,max=1000"`
}

// ListInstanceProfilesOutput is what ListInstanceProfiles gives.
type ListInstanceProfilesOutput struct {
	InstanceProfiles []InstanceProfile `out:"InstanceProfiles,always"`
	IsTruncated      bool
	Marker           string
}
