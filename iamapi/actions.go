// Package iamapi knows the actions of IAM that Moat serves, one file each:
// users and their keys, groups, roles, policies. It also knows who a key makes
// its holder, and which policies apply to whom; what a policy says is the
// business of package iam.
package iamapi

import (
	"slices"

	"moat/action"
)

// Actions lists every action.
var Actions = slices.Concat(userActions, keyActions, groupActions, policyActions, roleActions, profileActions, accountActions)

var userActions = []action.Action{
	CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser, TagUser, UntagUser, ListUserTags,
	PutUserPermissionsBoundary, DeleteUserPermissionsBoundary,
	PutUserPolicy, GetUserPolicy, DeleteUserPolicy, ListUserPolicies,
	AttachUserPolicy, DetachUserPolicy, ListAttachedUserPolicies,
}

var keyActions = []action.Action{
	CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed,
}

var groupActions = []action.Action{
	CreateGroup, GetGroup, ListGroups, UpdateGroup, DeleteGroup, AddUserToGroup, RemoveUserFromGroup, ListGroupsForUser,
	PutGroupPolicy, GetGroupPolicy, DeleteGroupPolicy, ListGroupPolicies,
	AttachGroupPolicy, DetachGroupPolicy, ListAttachedGroupPolicies,
}

var policyActions = []action.Action{
	CreatePolicy, GetPolicy, DeletePolicy, ListPolicies, TagPolicy, UntagPolicy, ListPolicyTags,
	CreatePolicyVersion, GetPolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion, DeletePolicyVersion,
	ListEntitiesForPolicy,
}

var roleActions = []action.Action{
	CreateRole, GetRole, ListRoles, UpdateRole, UpdateRoleDescription, DeleteRole, UpdateAssumeRolePolicy,
	TagRole, UntagRole, ListRoleTags, PutRolePermissionsBoundary, DeleteRolePermissionsBoundary,
	PutRolePolicy, GetRolePolicy, DeleteRolePolicy, ListRolePolicies,
	AttachRolePolicy, DetachRolePolicy, ListAttachedRolePolicies,
}

var profileActions = []action.Action{
	CreateInstanceProfile, GetInstanceProfile, ListInstanceProfiles, ListInstanceProfilesForRole, DeleteInstanceProfile,
	AddRoleToInstanceProfile, RemoveRoleFromInstanceProfile, TagInstanceProfile, UntagInstanceProfile, ListInstanceProfileTags,
}

var accountActions = []action.Action{
	SimulatePrincipalPolicy, SimulateCustomPolicy, GetContextKeysForPrincipalPolicy, GetContextKeysForCustomPolicy,
	GetAccountSummary, GetAccountAuthorizationDetails, CreateAccountAlias, DeleteAccountAlias, ListAccountAliases,
}
