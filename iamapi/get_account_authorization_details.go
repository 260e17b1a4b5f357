package iamapi

import (
	"slices"

	"moat/action"
)

// GetAccountAuthorizationDetails lists users, groups, roles and managed policies with all that decides what they may do.
var GetAccountAuthorizationDetails = action.Read[GetAccountAuthorizationDetailsInput, GetAccountAuthorizationDetailsOutput]{
	Name: "GetAccountAuthorizationDetails",
	Doc:  `Lists users, groups, roles and managed policies with all that decides what they may do.`,
	Read: func(c *action.Call, in *GetAccountAuthorizationDetailsInput) (*GetAccountAuthorizationDetailsOutput, error) {
		n := namesOf(c)
		out := &GetAccountAuthorizationDetailsOutput{}
		chosen, more, next, err := page(slices.Values(detailsOf(c, in.Filter)), func(e entity) string { return e.key }, in.Marker, in.MaxItems, func(e entity) (entity, bool) { return e, true })
		for _, e := range chosen {
			switch {
			case e.user != nil:
				out.UserDetailList = append(out.UserDetailList, userDetail(c, n, e.user))
			case e.group != nil:
				out.GroupDetailList = append(out.GroupDetailList, groupDetail(n, e.group))
			case e.role != nil:
				out.RoleDetailList = append(out.RoleDetailList, roleDetail(c, n, e.role))
			case e.policy != nil:
				out.Policies = append(out.Policies, policyDetail(c, e.arn, e.policy))
			}
		}
		out.IsTruncated, out.Marker = more, next
		return out, err
	},
}

// GetAccountAuthorizationDetailsInput is what GetAccountAuthorizationDetails takes.
type GetAccountAuthorizationDetailsInput struct {
	Filter   []string `valid:"enum=User|Role|Group|LocalManagedPolicy|AWSManagedPolicy"`
	MaxItems *int32   `valid:"min=1,max=1000"`
	Marker   string   `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
}

// GetAccountAuthorizationDetailsOutput is what GetAccountAuthorizationDetails gives.
type GetAccountAuthorizationDetailsOutput struct {
	UserDetailList  []UserDetail          `out:"UserDetailList,always"`
	GroupDetailList []GroupDetail         `out:"GroupDetailList,always"`
	RoleDetailList  []RoleDetail          `out:"RoleDetailList,always"`
	Policies        []ManagedPolicyDetail `out:"Policies,always"`
	IsTruncated     bool
	Marker          string
}
