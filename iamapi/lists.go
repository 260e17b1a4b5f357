package iamapi

import (
	"iter"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/iam"
	"moat/state"
)

// A SummaryEntry is one number of an account's summary.
type SummaryEntry struct {
	Key   string `out:"key"`
	Value int32  `out:"value"`
}

// mustDetach and mustDeletePolicies are AWS's refusals to delete what still
// has policies, followed by those that it has.
func mustDetach(n names, arns []string) error {
	shown := make([]string, len(arns))
	for i, a := range arns {
		shown[i] = n.shown(a)
	}
	return fault.DeleteConflict.With("Cannot delete entity, must detach all policies first. (attached: " + strings.Join(shown, ", ") + ")")
}

func mustDeletePolicies(inline []iam.InlinePolicy) error {
	var all []string
	for i := range inline {
		all = append(all, inline[i].Name)
	}
	return fault.DeleteConflict.With("Cannot delete entity, must delete policies first. (inline: " + strings.Join(all, ", ") + ")")
}

// groupsOf gives the groups of a user, by name.
func groupsOf(r state.Reader, u *iam.User) iter.Seq[*iam.Group] {
	var all []*iam.Group
	for _, id := range u.Groups {
		if g := state.UserGroups.First(r, state.UserGroupsByID, id); g != nil {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *iam.Group) int { return strings.Compare(state.UserGroups.Key(a), state.UserGroups.Key(b)) })
	return slices.Values(all)
}

// A listedPolicy is a managed policy with its ARN.
type listedPolicy struct {
	p   *iam.ManagedPolicy
	arn string
}

func (l listedPolicy) key() string { return strings.ToLower(l.p.Name) + " " + l.arn }

// managedPolicies gives the policies of a scope, All, AWS or Local, by name.
func managedPolicies(r state.Reader, n names, scope string) iter.Seq[listedPolicy] {
	var all []listedPolicy
	if scope != "Local" {
		for _, p := range awsPolicies() {
			all = append(all, listedPolicy{p, n.shown(awsPolicyPrefix + p.Name)})
		}
	}
	if scope != "AWS" {
		for p := range state.ManagedPolicies.All(r) {
			all = append(all, listedPolicy{p, n.policy(p)})
		}
	}
	slices.SortFunc(all, func(a, b listedPolicy) int { return strings.Compare(a.key(), b.key()) })
	return slices.Values(all)
}

// An entity is a user, a group, a role or a managed policy, in a list of all.
type entity struct {
	key    string
	user   *iam.User
	group  *iam.Group
	role   *iam.Role
	policy *iam.ManagedPolicy
	arn    string // of a policy
}

// entitiesOf gives who has a managed policy, for use as it is asked: attached,
// as a boundary, or either.
func entitiesOf(r state.Reader, arn, filter, prefix, usage string) []entity {
	var all []entity
	wanted := func(kind, path string) bool {
		return (filter == "" || filter == kind) && under(path, prefix)
	}
	var attrs []string
	if usage != "PermissionsBoundary" {
		attrs = append(attrs, kept(arn))
	}
	if usage != "PermissionsPolicy" {
		attrs = append(attrs, state.BoundaryKey(kept(arn)))
	}
	for _, attr := range attrs {
		for g := range state.UserGroups.By(r, state.UserGroupsByPolicy, attr) {
			if wanted("Group", g.Path) {
				all = append(all, entity{key: "1 " + state.UserGroups.Key(g), group: g})
			}
		}
		for u := range state.Users.By(r, state.UsersByPolicy, attr) {
			if wanted("User", u.Path) {
				all = append(all, entity{key: "2 " + state.Users.Key(u), user: u})
			}
		}
		for role := range state.Roles.By(r, state.RolesByPolicy, attr) {
			if wanted("Role", role.Path) {
				all = append(all, entity{key: "3 " + state.Roles.Key(role), role: role})
			}
		}
	}
	slices.SortFunc(all, func(a, b entity) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(all, func(a, b entity) bool { return a.key == b.key })
}

// detailsOf gives all of an account that GetAccountAuthorizationDetails lists.
func detailsOf(c *action.Call, filter []string) []entity {
	n := namesOf(c)
	wanted := func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) }
	var all []entity
	if wanted("User") {
		for u := range state.Users.All(c) {
			all = append(all, entity{key: "1 " + state.Users.Key(u), user: u})
		}
	}
	if wanted("Group") {
		for g := range state.UserGroups.All(c) {
			all = append(all, entity{key: "2 " + state.UserGroups.Key(g), group: g})
		}
	}
	if wanted("Role") {
		for r := range state.Roles.All(c) {
			all = append(all, entity{key: "3 " + state.Roles.Key(r), role: r})
		}
	}
	for _, s := range []struct{ kind, scope string }{{"LocalManagedPolicy", "Local"}, {"AWSManagedPolicy", "AWS"}} {
		if !wanted(s.kind) {
			continue
		}
		for l := range managedPolicies(c, n, s.scope) {
			if attached, boundaries := holdersOf(c, l.arn); s.scope == "AWS" && attached+boundaries == 0 {
				continue // of AWS's those in use
			}
			all = append(all, entity{key: "4 " + l.key(), policy: l.p, arn: l.arn})
		}
	}
	slices.SortFunc(all, func(a, b entity) int { return strings.Compare(a.key, b.key) })
	return all
}

func policyDetails(inline []iam.InlinePolicy) []PolicyDetail {
	var out []PolicyDetail
	for i := range inline {
		out = append(out, PolicyDetail{PolicyName: inline[i].Name, PolicyDocument: encoded(inline[i].Document.String())})
	}
	return out
}

func attachedShapes(n names, arns []string) []AttachedPolicy {
	out := []AttachedPolicy{}
	for _, arn := range arns {
		_, name := splitPolicyARN(arn)
		out = append(out, AttachedPolicy{PolicyName: name, PolicyArn: n.shown(arn)})
	}
	return out
}

func userDetail(r state.Reader, n names, u *iam.User) UserDetail {
	d := UserDetail{
		Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: n.user(u), CreateDate: u.Created, UserPolicyList: policyDetails(u.Inline),
		GroupList: []string{}, AttachedManagedPolicies: attachedShapes(n, u.Attached), PermissionsBoundary: boundaryShape(n, u.Boundary),
		Tags: tagShapes(u.Tags),
	}
	for g := range groupsOf(r, u) {
		d.GroupList = append(d.GroupList, g.Name)
	}
	return d
}

func groupDetail(n names, g *iam.Group) GroupDetail {
	return GroupDetail{
		Path: g.Path, GroupName: g.Name, GroupId: g.ID, Arn: n.group(g), CreateDate: g.Created,
		GroupPolicyList: policyDetails(g.Inline), AttachedManagedPolicies: attachedShapes(n, g.Attached),
	}
}

func roleDetail(c *action.Call, n names, r *iam.Role) RoleDetail {
	d := RoleDetail{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: n.role(r), CreateDate: r.Created,
		AssumeRolePolicyDocument: encoded(r.Trust.String()), InstanceProfileList: []InstanceProfile{},
		RolePolicyList: policyDetails(r.Inline), AttachedManagedPolicies: attachedShapes(n, r.Attached),
		PermissionsBoundary: boundaryShape(n, r.Boundary), Tags: tagShapes(r.Tags), RoleLastUsed: &RoleLastUsed{},
	}
	if use := lastUse(c, r.ID); use != nil {
		d.RoleLastUsed = &RoleLastUsed{LastUsedDate: use.At, Region: use.Region}
	}
	for p := range state.InstanceProfiles.By(c, state.InstanceProfilesByRole, r.ID) {
		d.InstanceProfileList = append(d.InstanceProfileList, profileShape(c, n, p))
	}
	return d
}

func policyDetail(r state.Reader, arn string, p *iam.ManagedPolicy) ManagedPolicyDetail {
	attached, boundaries := holdersOf(r, arn)
	d := ManagedPolicyDetail{
		PolicyName: p.Name, PolicyId: p.ID, Arn: arn, Path: p.Path, DefaultVersionId: versionName(p.Default),
		AttachmentCount: int32(attached), PermissionsBoundaryUsageCount: int32(boundaries), IsAttachable: true, Description: p.Description,
		CreateDate: p.Created, UpdateDate: p.Updated,
	}
	for i := range p.Versions {
		v := versionShape(p, &p.Versions[i])
		v.Document = encoded(p.Versions[i].Document.String())
		d.PolicyVersionList = append(d.PolicyVersionList, v)
	}
	return d
}

// summaryOf counts. What Moat has none of is 0, as in an account that has none.
func summaryOf(c *action.Call) []SummaryEntry {
	policies, versions := 0, 0
	for p := range state.ManagedPolicies.All(c) {
		policies++
		versions += len(p.Versions)
	}
	rootKeys := int32(0)
	for k := range state.AccessKeys.By(c.View.In(state.Scope{}), state.AccessKeysByUser, string(c.Account)) {
		if k.User == "" && !k.Inactive {
			rootKeys = 1
		}
	}
	q := c.Quotas
	var out []SummaryEntry
	for _, e := range []struct {
		key   string
		value int
	}{
		{"AccessKeysPerUserQuota", q.AccessKeysPerUser},
		{"AccountAccessKeysPresent", int(rootKeys)},
		{"AccountMFAEnabled", 0},
		{"AccountSigningCertificatesPresent", 0},
		{"AssumeRolePolicySizeQuota", trustSize},
		{"AttachedPoliciesPerGroupQuota", q.AttachedPolicies},
		{"AttachedPoliciesPerRoleQuota", q.AttachedPolicies},
		{"AttachedPoliciesPerUserQuota", q.AttachedPolicies},
		{"GlobalEndpointTokenVersion", 2},
		{"GroupPolicySizeQuota", groupInlineSize},
		{"Groups", state.UserGroups.Len(c)},
		{"GroupsPerUserQuota", q.UserGroupsPerUser},
		{"GroupsQuota", q.UserGroupsPerAccount},
		{"InstanceProfiles", state.InstanceProfiles.Len(c)},
		{"InstanceProfilesQuota", q.InstanceProfilesPerAccount},
		{"MFADevices", 0},
		{"MFADevicesInUse", 0},
		{"Policies", policies},
		{"PoliciesQuota", q.PoliciesPerAccount},
		{"PolicySizeQuota", managedSize},
		{"PolicyVersionsInUse", versions},
		{"PolicyVersionsInUseQuota", 10000},
		{"Providers", 0},
		{"RolePolicySizeQuota", roleInlineSize},
		{"Roles", state.Roles.Len(c)},
		{"RolesQuota", q.RolesPerAccount},
		{"ServerCertificates", 0},
		{"ServerCertificatesQuota", 20},
		{"SigningCertificatesPerUserQuota", 2},
		{"UserPolicySizeQuota", userInlineSize},
		{"Users", state.Users.Len(c)},
		{"UsersQuota", q.UsersPerAccount},
		{"VersionsPerPolicyQuota", maxVersions},
	} {
		out = append(out, SummaryEntry{e.key, int32(e.value)})
	}
	return out
}
