package iamapi

import (
	"slices"

	"moat/action"
)

// ListEntitiesForPolicy lists the users, groups and roles that have a managed policy.
var ListEntitiesForPolicy = action.Read[ListEntitiesForPolicyInput, ListEntitiesForPolicyOutput]{
	Name: "ListEntitiesForPolicy",
	Doc:  `Lists the users, groups and roles that have a managed policy.`,
	Read: func(c *action.Call, in *ListEntitiesForPolicyInput) (*ListEntitiesForPolicyOutput, error) {
		if _, err := readPolicy(c, in.PolicyArn); err != nil {
			return nil, err
		}
		all := entitiesOf(c, in.PolicyArn, in.EntityFilter, in.PathPrefix, in.PolicyUsageFilter)
		out := &ListEntitiesForPolicyOutput{}
		chosen, more, next, err := page(slices.Values(all), func(e entity) string { return e.key }, in.Marker, in.MaxItems, func(e entity) (entity, bool) { return e, true })
		for _, e := range chosen {
			switch {
			case e.user != nil:
				out.PolicyUsers = append(out.PolicyUsers, PolicyUser{UserName: e.user.Name, UserId: e.user.ID})
			case e.group != nil:
				out.PolicyGroups = append(out.PolicyGroups, PolicyGroup{GroupName: e.group.Name, GroupId: e.group.ID})
			case e.role != nil:
				out.PolicyRoles = append(out.PolicyRoles, PolicyRole{RoleName: e.role.Name, RoleId: e.role.ID})
			}
		}
		out.IsTruncated, out.Marker = more, next
		return out, err
	},
}

// ListEntitiesForPolicyInput is what ListEntitiesForPolicy takes.
type ListEntitiesForPolicyInput struct {
	PolicyArn         string `valid:"required,min=20,max=2048"`
	EntityFilter      string `valid:"enum=User|Role|Group|LocalManagedPolicy|AWSManagedPolicy"`
	PathPrefix        string `valid:"min=1,max=512" pattern:"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"`
	PolicyUsageFilter string `valid:"enum=PermissionsPolicy|PermissionsBoundary"`
	Marker            string `valid:"min=1,max=320" pattern:"[\\u0020-\\u00FF]+"`
	MaxItems          *int32 `valid:"min=1,max=1000"`
}

// ListEntitiesForPolicyOutput is what ListEntitiesForPolicy gives.
type ListEntitiesForPolicyOutput struct {
	PolicyGroups []PolicyGroup `out:"PolicyGroups,always"`
	PolicyUsers  []PolicyUser  `out:"PolicyUsers,always"`
	PolicyRoles  []PolicyRole  `out:"PolicyRoles,always"`
	IsTruncated  bool
	Marker       string
}
