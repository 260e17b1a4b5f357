package iamapi

import (
	"reflect"
	"strings"

	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// Needs gives the permission that an action needs: on the user, group, role,
// policy or instance profile that its input names, with its tags, or on "*"
// where it names none. Service authorization reference, "Actions, resources,
// and condition keys for AWS Identity and Access Management".
func Needs(action string, at Place, caller iam.Principal, in any) []iam.Need {
	v := reflect.ValueOf(in).Elem()
	text := func(member string) string {
		if f := v.FieldByName(member); f.IsValid() && f.Kind() == reflect.String {
			return f.String()
		}
		return ""
	}
	// An ARN that a call gives is judged as it is written in the caller's
	// partition, which is how policies have it.
	arn := func(member string) string { return names{partition: caller.Partition()}.shown(kept(text(member))) }
	n := needed{names: names{caller.Partition(), caller.Account}, space: at(state.Scope{Account: caller.Account})}
	need := iam.Need{Action: "iam:" + action, Resource: "*"}
	name := func(member string) bool { return v.FieldByName(member).IsValid() }
	switch {
	case listsAll[action]:
	case action == "GetAccessKeyLastUsed":
		k := state.AccessKeys.Get(at(state.Scope{}), text("AccessKeyId"))
		if k == nil || k.Account != caller.Account || k.User == "" {
			break
		}
		if u := state.Users.First(n.space, state.UsersByID, k.User); u != nil {
			need.Resource, need.Tags = n.names.user(u), u.Tags
		}
	case action == "SimulatePrincipalPolicy" || action == "GetContextKeysForPrincipalPolicy":
		need.Resource = arn("PolicySourceArn")
	case name("GroupName") && action != "ListGroupsForUser": // AddUserToGroup too is about the group
		need.Resource = n.group(text("GroupName"), text("Path"))
	case name("InstanceProfileName"):
		need.Resource, need.Tags = n.profile(text("InstanceProfileName"), text("Path"))
	case name("RoleName"):
		need.Resource, need.Tags = n.role(text("RoleName"), text("Path"))
	case name("UserName"):
		user := text("UserName")
		if user == "" {
			if caller.Type != iam.TypeUser {
				break
			}
			user = caller.Name
		}
		need.Resource, need.Tags = n.user(user, text("Path"))
	case name("PolicyName"): // CreatePolicy
		need.Resource = iam.ARN(n.names.partition, n.names.account, "policy", pathOr(text("Path")), text("PolicyName"))
	case name("PolicyArn"):
		need.Resource, need.Tags = n.policy(arn("PolicyArn"))
	}
	if arn := arn("PolicyArn"); arn != "" && (strings.HasPrefix(action, "Attach") || strings.HasPrefix(action, "Detach")) {
		need.Keys = append(need.Keys, iam.Key{Name: "iam:policyarn", Values: []string{arn}})
	}
	// Whose boundary is set or changed by the call, and of the user or role
	// that is changed the one that it has.
	if b := arn("PermissionsBoundary"); b != "" {
		need.Keys = append(need.Keys, iam.Key{Name: "iam:permissionsboundary", Values: []string{b}})
	} else if n.boundary != "" {
		need.Keys = append(need.Keys, iam.Key{Name: "iam:permissionsboundary", Values: []string{n.names.shown(n.boundary)}})
	}
	if f := v.FieldByName("Tags"); f.IsValid() {
		for _, t := range f.Interface().([]Tag) {
			need.RequestTags = append(need.RequestTags, vpc.Tag{Key: t.Key, Value: t.Value})
		}
	}
	if f := v.FieldByName("TagKeys"); f.IsValid() {
		need.TagKeys = f.Interface().([]string)
	}
	needs := []iam.Need{need}
	// Who renames or moves something needs the permission for what it becomes too.
	if path, to := text("NewPath"), text("NewUserName")+text("NewGroupName"); path+to != "" {
		target := need
		target.Resource = n.moved(need.Resource, path, to)
		needs = append(needs, target)
	}
	// Who gives tags to what it makes needs the permission to tag it: IAM user
	// guide, "Tags for IAM resources".
	if made, ok := strings.CutPrefix(action, "Create"); ok && len(need.RequestTags) > 0 {
		tag := need
		tag.Action = "iam:Tag" + made
		needs = append(needs, tag)
	}
	if action == "AddRoleToInstanceProfile" {
		pass := iam.Need{Action: "iam:PassRole"}
		pass.Resource, pass.Tags = n.role(text("RoleName"), "")
		needs = append(needs, pass)
	}
	return needs
}

// listsAll are the actions that name no resource, though they take a member
// that others name one by.
var listsAll = map[string]bool{
	"ListUsers": true, "ListGroups": true, "ListRoles": true, "ListPolicies": true, "ListInstanceProfiles": true,
	"GetAccountSummary": true, "GetAccountAuthorizationDetails": true,
	"CreateAccountAlias": true, "DeleteAccountAlias": true, "ListAccountAliases": true,
	"SimulateCustomPolicy": true, "GetContextKeysForCustomPolicy": true,
}

// needed looks up what a call is about. What does not exist yet has the path
// that it is to get.
type needed struct {
	names    names
	space    state.Reader
	boundary string
}

func (n *needed) user(name, path string) (string, vpc.Tags) {
	u, err := userOf(n.space, name)
	if err != nil {
		return n.names.user(&iam.User{Name: name, Path: pathOr(path)}), nil
	}
	n.boundary = u.Boundary
	return n.names.user(u), u.Tags
}

func (n *needed) group(name, path string) string {
	g, err := groupOf(n.space, name)
	if err != nil {
		g = &iam.Group{Name: name, Path: pathOr(path)}
	}
	return n.names.group(g)
}

func (n *needed) role(name, path string) (string, vpc.Tags) {
	r, err := roleOf(n.space, name)
	if err != nil {
		return n.names.role(&iam.Role{Name: name, Path: pathOr(path)}), nil
	}
	n.boundary = r.Boundary
	return n.names.role(r), r.Tags
}

func (n *needed) profile(name, path string) (string, vpc.Tags) {
	p, err := profileOf(n.space, name)
	if err != nil {
		return n.names.profile(&iam.InstanceProfile{Name: name, Path: pathOr(path)}), nil
	}
	return n.names.profile(p), p.Tags
}

func (n *needed) policy(arn string) (string, vpc.Tags) {
	p, _, err := policyOf(n.space, n.names.account, arn)
	if err != nil || p == nil {
		return arn, nil
	}
	return arn, p.Tags
}

// moved gives the ARN that something has under another path, or name, or both.
func (n *needed) moved(arn, path, name string) string {
	head, old := arn[:strings.IndexByte(arn, '/')], arn[strings.LastIndexByte(arn, '/')+1:]
	if path == "" {
		path = arn[len(head) : len(arn)-len(old)]
	}
	if name == "" {
		name = old
	}
	return head + path + name
}
