package state

import (
	"strings"

	"moat/iam"
)

// What IAM has of an account lives in the account's space of no region; see
// AccountScope. Names are unique whatever their case, so rows are keyed by
// names in lower case.
var (
	Users = &Kind[string, iam.User]{
		n: users, name: "user", key: func(u *iam.User) string { return strings.ToLower(u.Name) },
		indexes: []*Index[iam.User]{UsersByID, UsersByGroup, UsersByPolicy},
	}
	UsersByID = &Index[iam.User]{0, func(u *iam.User, yield func(string)) { yield(u.ID) }}
	// UsersByGroup has the unique ids of groups.
	UsersByGroup = &Index[iam.User]{1, func(u *iam.User, yield func(string)) { each(u.Groups, yield) }}
	// UsersByPolicy has the ARNs of attached policies, and under BoundaryKey
	// that of the boundary; so have its siblings.
	UsersByPolicy = &Index[iam.User]{2, func(u *iam.User, yield func(string)) { policies(u.Attached, u.Boundary, yield) }}

	UserGroups = &Kind[string, iam.Group]{
		n: userGroups, name: "group", key: func(g *iam.Group) string { return strings.ToLower(g.Name) },
		indexes: []*Index[iam.Group]{UserGroupsByID, UserGroupsByPolicy},
	}
	UserGroupsByID     = &Index[iam.Group]{0, func(g *iam.Group, yield func(string)) { yield(g.ID) }}
	UserGroupsByPolicy = &Index[iam.Group]{1, func(g *iam.Group, yield func(string)) { policies(g.Attached, "", yield) }}

	Roles = &Kind[string, iam.Role]{
		n: roles, name: "role", key: func(r *iam.Role) string { return strings.ToLower(r.Name) },
		indexes: []*Index[iam.Role]{RolesByID, RolesByPolicy},
	}
	RolesByID     = &Index[iam.Role]{0, func(r *iam.Role, yield func(string)) { yield(r.ID) }}
	RolesByPolicy = &Index[iam.Role]{1, func(r *iam.Role, yield func(string)) { policies(r.Attached, r.Boundary, yield) }}

	ManagedPolicies = &Kind[string, iam.ManagedPolicy]{
		n: managedPolicies, name: "policy", key: func(p *iam.ManagedPolicy) string { return strings.ToLower(p.Name) },
	}

	InstanceProfiles = &Kind[string, iam.InstanceProfile]{
		n: instanceProfiles, name: "profile", key: func(p *iam.InstanceProfile) string { return strings.ToLower(p.Name) },
		indexes: []*Index[iam.InstanceProfile]{InstanceProfilesByRole},
	}
	// InstanceProfilesByRole has the unique id of the role.
	InstanceProfilesByRole = &Index[iam.InstanceProfile]{0, func(p *iam.InstanceProfile, yield func(string)) {
		if p.Role != "" {
			yield(p.Role)
		}
	}}

	// Accounts holds one row in the space of an account that was told something.
	Accounts = &Kind[string, iam.Account]{
		n: accounts, name: "account", key: func(*iam.Account) string { return "account" },
	}

	// AccessKeys live in the space of no region and no account: a request
	// names its key before anybody knows whose it is. So do their uses.
	AccessKeys = &Kind[string, iam.AccessKey]{
		n: accessKeys, name: "key", key: func(k *iam.AccessKey) string { return k.ID },
		indexes: []*Index[iam.AccessKey]{AccessKeysByUser},
	}
	// AccessKeysByUser has the unique id of the user, and for a key of a root
	// that of the account.
	AccessKeysByUser = &Index[iam.AccessKey]{0, func(k *iam.AccessKey, yield func(string)) {
		if k.User == "" {
			yield(string(k.Account))
			return
		}
		yield(k.User)
	}}

	// KeyUses has the last uses of keys, and of roles by their unique ids.
	KeyUses = &Kind[string, iam.KeyUse]{
		n: keyUses, name: "keyuse", key: func(u *iam.KeyUse) string { return u.ID },
	}
)

// AccountScope gives the scope of what IAM has of the account of s.
func (s Scope) AccountScope() Scope { return Scope{Account: s.Account} }

// BoundaryKey gives a boundary's key in the indexes of policies.
func BoundaryKey(arn string) string { return "boundary " + arn }

func policies(attached []string, boundary string, yield func(string)) {
	each(attached, yield)
	if boundary != "" {
		yield(BoundaryKey(boundary))
	}
}

func each(all []string, yield func(string)) {
	for _, s := range all {
		yield(s)
	}
}

// First gives the first row that has the attribute in the index, or nil.
func (k *Kind[K, T]) First(r Reader, ix *Index[T], attr string) *T {
	for row := range k.By(r, ix, attr) {
		return row
	}
	return nil
}
