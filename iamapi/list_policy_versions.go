package iamapi

import (
	"fmt"
	"slices"

	"moat/action"
	"moat/iam"
)

// ListPolicyVersions lists the versions of a managed policy, the newest first.
var ListPolicyVersions = action.Read[ListPolicyVersionsInput, ListPolicyVersionsOutput]{
	Name: "ListPolicyVersions",
	Doc:  `Lists the versions of a managed policy, the newest first.`,
	Read: func(c *action.Call, in *ListPolicyVersionsInput) (*ListPolicyVersionsOutput, error) {
		p, err := readPolicy(c, in.PolicyArn)
		if err != nil {
			return nil, err
		}
		newestFirst := slices.Clone(p.Versions)
		slices.Reverse(newestFirst)
		key := func(v iam.PolicyVersion) string { return fmt.Sprintf("%010d", 1<<31-int64(v.Number)) }
		versions, more, next, err := page(slices.Values(newestFirst), key, in.Marker, in.MaxItems, func(v iam.PolicyVersion) (PolicyVersion, bool) {
			return versionShape(p, &v), true
		})
		return &ListPolicyVersionsOutput{Versions: versions, IsTruncated: more, Marker: next}, err
	},
}

// ListPolicyVersionsInput is what ListPolicyVersions takes.
type ListPolicyVersionsInput struct {
	PolicyArn string `valid:"required,min=20,max=2048"`
	Marker    string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems  *int32 `valid:"min=1,max=1000"`
}

// ListPolicyVersionsOutput is what ListPolicyVersions gives.
type ListPolicyVersionsOutput struct {
	Versions    []PolicyVersion `out:"Versions,always"`
	IsTruncated bool
	Marker      string
}
