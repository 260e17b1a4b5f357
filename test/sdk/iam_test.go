package sdk

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// says gives a policy of one statement.
func says(effect, action, resource string) *string {
	return new(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`, effect, action, resource))
}

func allows(action string) *string { return says("Allow", action, "*") }

// opened gives a document as it was stored: IAM sends documents URL-encoded.
func opened(w *world, doc *string) string {
	w.Helper()
	text, err := url.PathUnescape(*doc)
	if err != nil || !json.Valid([]byte(text)) {
		w.Errorf("the document %q is no JSON, URL-encoded", *doc)
	}
	return text
}

// as gives the clients of somebody with these credentials.
func (w *world) as(id, secret, token *string) (*ec2.Client, *sts.Client) {
	session := ""
	if token != nil {
		session = *token
	}
	keys := credentials.NewStaticCredentialsProvider(*id, *secret, session)
	return ec2.New(ec2.Options{Region: w.region, Credentials: keys, BaseEndpoint: &w.server.URL, APIOptions: w.note}),
		sts.New(sts.Options{Region: w.region, Credentials: keys, BaseEndpoint: &w.server.URL, APIOptions: w.note})
}

const iamARN = "arn:aws:iam::" + account + ":"

// testIAM calls every action of IAM and STS, and uses what it made.
func testIAM(w *world) {
	i := w.iam
	s := func(text string) *string { return &text }
	alice, team, role, profile := s("Alice"), s("team"), s("deploy"), s("host")
	tag := []types.Tag{{Key: s("team"), Value: s("web")}}

	// Users.
	u := must(w, i.CreateUser, &iam.CreateUserInput{UserName: alice, Path: s("/people/"), Tags: tag}).User
	equal(w, "user", *u.Arn, iamARN+"user/people/Alice")
	refused(w, i.CreateUser, &iam.CreateUserInput{UserName: s("ALICE")}, "409 EntityAlreadyExists", "User with name ALICE already exists.")
	must(w, i.TagUser, &iam.TagUserInput{UserName: alice, Tags: []types.Tag{{Key: s("a"), Value: s("")}}})
	must(w, i.UntagUser, &iam.UntagUserInput{UserName: alice, TagKeys: []string{"TEAM"}})
	equal(w, "tags", must(w, i.ListUserTags, &iam.ListUserTagsInput{UserName: alice}).Tags, []types.Tag{{Key: s("a"), Value: s("")}})
	must(w, i.UpdateUser, &iam.UpdateUserInput{UserName: alice, NewPath: s("/staff/")})
	equal(w, "user", *must(w, i.GetUser, &iam.GetUserInput{UserName: alice}).User.Arn, iamARN+"user/staff/Alice")
	for n := range 5 {
		must(w, i.CreateUser, &iam.CreateUserInput{UserName: s(fmt.Sprintf("u%d", n))})
	}
	var found []string
	walk(w, iam.NewListUsersPaginator(i, &iam.ListUsersInput{MaxItems: new(int32(2))}), func(p *iam.ListUsersOutput) {
		for _, u := range p.Users {
			found = append(found, *u.UserName)
		}
	})
	equal(w, "users", found, []string{"Alice", "u0", "u1", "u2", "u3", "u4"})

	// Keys.
	key := must(w, i.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: alice}).AccessKey
	as, who := w.as(key.AccessKeyId, key.SecretAccessKey, nil)
	equal(w, "who", *must(w, who.GetCallerIdentity, &sts.GetCallerIdentityInput{}).UserId, *u.UserId)
	equal(w, "whose", *must(w, w.sts.GetAccessKeyInfo, &sts.GetAccessKeyInfoInput{AccessKeyId: key.AccessKeyId}).Account, account)
	equal(w, "used for", *must(w, i.GetAccessKeyLastUsed, &iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId}).AccessKeyLastUsed.ServiceName, "sts")
	must(w, i.UpdateAccessKey, &iam.UpdateAccessKeyInput{UserName: alice, AccessKeyId: key.AccessKeyId, Status: types.StatusTypeInactive})
	refused(w, who.GetCallerIdentity, &sts.GetCallerIdentityInput{}, "403 InvalidClientTokenId", "The security token included in the request is invalid.")
	must(w, i.UpdateAccessKey, &iam.UpdateAccessKeyInput{UserName: alice, AccessKeyId: key.AccessKeyId, Status: types.StatusTypeActive})
	equal(w, "keys", len(must(w, i.ListAccessKeys, &iam.ListAccessKeysInput{UserName: alice}).AccessKeyMetadata), 1)

	// Groups.
	must(w, i.CreateGroup, &iam.CreateGroupInput{GroupName: s("teem")})
	must(w, i.UpdateGroup, &iam.UpdateGroupInput{GroupName: s("teem"), NewGroupName: team, NewPath: s("/teams/")})
	must(w, i.AddUserToGroup, &iam.AddUserToGroupInput{GroupName: team, UserName: alice})
	equal(w, "members", *must(w, i.GetGroup, &iam.GetGroupInput{GroupName: team}).Users[0].UserName, "Alice")
	equal(w, "groups", *must(w, i.ListGroups, &iam.ListGroupsInput{}).Groups[0].Arn, iamARN+"group/teams/team")
	equal(w, "groups", *must(w, i.ListGroupsForUser, &iam.ListGroupsForUserInput{UserName: alice}).Groups[0].GroupName, "team")

	// Policies: of a group, managed with versions, inline, a boundary.
	refused(w, as.DescribeVpcs, &ec2.DescribeVpcsInput{}, "403 UnauthorizedOperation", "~You are not authorized to perform this operation\\. User: .*user/staff/Alice is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows .*")
	must(w, i.PutGroupPolicy, &iam.PutGroupPolicyInput{GroupName: team, PolicyName: s("vpcs"), PolicyDocument: allows("ec2:DescribeVpcs")})
	must(w, as.DescribeVpcs, &ec2.DescribeVpcsInput{})
	equal(w, "document", opened(w, must(w, i.GetGroupPolicy, &iam.GetGroupPolicyInput{GroupName: team, PolicyName: s("vpcs")}).PolicyDocument), *allows("ec2:DescribeVpcs"))
	equal(w, "inline", must(w, i.ListGroupPolicies, &iam.ListGroupPoliciesInput{GroupName: team}).PolicyNames, []string{"vpcs"})
	must(w, i.PutUserPolicy, &iam.PutUserPolicyInput{UserName: alice, PolicyName: s("assume"), PolicyDocument: allows("sts:*")})
	equal(w, "document", opened(w, must(w, i.GetUserPolicy, &iam.GetUserPolicyInput{UserName: alice, PolicyName: s("assume")}).PolicyDocument), *allows("sts:*"))
	equal(w, "inline", must(w, i.ListUserPolicies, &iam.ListUserPoliciesInput{UserName: alice}).PolicyNames, []string{"assume"})
	refused(w, i.PutUserPolicy, &iam.PutUserPolicyInput{UserName: alice, PolicyName: s("bad"), PolicyDocument: s("{")}, "MalformedPolicyDocument", "~.*line 1.*")
	p := must(w, i.CreatePolicy, &iam.CreatePolicyInput{PolicyName: s("read"), PolicyDocument: allows("ec2:Describe*"), Tags: tag, Description: s("reads")}).Policy
	must(w, i.CreatePolicyVersion, &iam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: says("Deny", "ec2:*", "*"), SetAsDefault: true})
	must(w, i.AttachUserPolicy, &iam.AttachUserPolicyInput{UserName: alice, PolicyArn: p.Arn})
	refused(w, as.DescribeVpcs, &ec2.DescribeVpcsInput{}, "403 UnauthorizedOperation", "~.*with an explicit deny in an identity-based policy.*")
	must(w, i.SetDefaultPolicyVersion, &iam.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v1")})
	must(w, as.DescribeSubnets, &ec2.DescribeSubnetsInput{})
	equal(w, "versions", len(must(w, i.ListPolicyVersions, &iam.ListPolicyVersionsInput{PolicyArn: p.Arn}).Versions), 2)
	equal(w, "version", opened(w, must(w, i.GetPolicyVersion, &iam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v2")}).PolicyVersion.Document), *says("Deny", "ec2:*", "*"))
	must(w, i.DeletePolicyVersion, &iam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: s("v2")})
	must(w, i.TagPolicy, &iam.TagPolicyInput{PolicyArn: p.Arn, Tags: []types.Tag{{Key: s("k"), Value: s("v")}}})
	must(w, i.UntagPolicy, &iam.UntagPolicyInput{PolicyArn: p.Arn, TagKeys: []string{"team"}})
	equal(w, "tags", must(w, i.ListPolicyTags, &iam.ListPolicyTagsInput{PolicyArn: p.Arn}).Tags, []types.Tag{{Key: s("k"), Value: s("v")}})
	equal(w, "attachments", *must(w, i.GetPolicy, &iam.GetPolicyInput{PolicyArn: p.Arn}).Policy.AttachmentCount, 1)
	equal(w, "own policies", len(must(w, i.ListPolicies, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}).Policies), 1)
	must(w, i.AttachGroupPolicy, &iam.AttachGroupPolicyInput{GroupName: team, PolicyArn: s("arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")})
	equal(w, "attached", *must(w, i.ListAttachedGroupPolicies, &iam.ListAttachedGroupPoliciesInput{GroupName: team}).AttachedPolicies[0].PolicyName, "AmazonEC2ReadOnlyAccess")
	equal(w, "attached", *must(w, i.ListAttachedUserPolicies, &iam.ListAttachedUserPoliciesInput{UserName: alice}).AttachedPolicies[0].PolicyArn, *p.Arn)
	equal(w, "entities", *must(w, i.ListEntitiesForPolicy, &iam.ListEntitiesForPolicyInput{PolicyArn: p.Arn}).PolicyUsers[0].UserId, *u.UserId)
	must(w, i.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryInput{UserName: alice, PermissionsBoundary: s("arn:aws:iam::aws:policy/AdministratorAccess")})

	// Simulations, whole and without some of the policies.
	simulated := func(what string, want types.PolicyEvaluationDecisionType, action string, without ...types.PolicyIdentifier) {
		w.Helper()
		out := must(w, i.SimulatePrincipalPolicy, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: s(iamARN + "user/staff/Alice"), ActionNames: []string{action}, PolicyExclusionList: without})
		equal(w, what, out.EvaluationResults[0].EvalDecision, want)
	}
	inline := func(kind types.AttachmentType, holder, policy string) types.PolicyIdentifier {
		return &types.PolicyIdentifierMemberInlinePolicyIdentifier{Value: types.InlinePolicyIdentifierType{AttachmentType: kind, AttachmentName: &holder, PolicyName: &policy}}
	}
	ofKind := func(k types.PolicyIdentifierPolicyType) types.PolicyIdentifier {
		return &types.PolicyIdentifierMemberPolicyType{Value: k}
	}
	arn := func(a string) types.PolicyIdentifier { return &types.PolicyIdentifierMemberPolicyArn{Value: a} }
	simulated("as it is", "allowed", "sts:AssumeRole")
	simulated("without the inline policy", "implicitDeny", "sts:AssumeRole", inline("user", "A*e", "assume"))
	simulated("without one of another name", "allowed", "sts:AssumeRole", inline("user", "Alice", "assumes"))
	simulated("without one of a group", "allowed", "sts:AssumeRole", inline("group", "*", "assume"))
	simulated("without inline policies", "implicitDeny", "sts:AssumeRole", ofKind("inline"))
	simulated("without two of three", "allowed", "ec2:DescribeVpcs", ofKind("inline"), ofKind("aws-managed"))
	simulated("without all three", "implicitDeny", "ec2:DescribeVpcs", ofKind("inline"), arn("arn:aws:iam::aws:policy/AmazonEC2*"), arn(*p.Arn))
	_, err := i.SimulatePrincipalPolicy(w.ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: u.Arn, ActionNames: []string{"ec2:DescribeVpcs"}, PolicyExclusionList: []types.PolicyIdentifier{arn("arn:aws:iam::*:policy/x")}})
	w.isRefusal("a star in the account", err, "InvalidInput", "~The policy identifier .* is invalid.*")
	custom := must(w, i.SimulateCustomPolicy, &iam.SimulateCustomPolicyInput{PolicyInputList: []string{*allows("ec2:*")}, ActionNames: []string{"ec2:RunInstances", "iam:GetUser"}}).EvaluationResults
	equal(w, "custom", []types.PolicyEvaluationDecisionType{custom[0].EvalDecision, custom[1].EvalDecision}, []types.PolicyEvaluationDecisionType{"allowed", "implicitDeny"})
	refused(w, i.SimulateCustomPolicy, &iam.SimulateCustomPolicyInput{PolicyInputList: []string{*allows("ec2:*")}, ActionNames: []string{"ec2:RunInstances"}, OrderedOrganizationPolicyInputList: []types.OrderedOrganizationPolicyType{{ServiceControlPolicyInputList: []string{*allows("*")}}}},
		"InvalidInput", "There is no organization here: leave OrderedOrganizationPolicyInputList out.")
	must(w, i.GetContextKeysForCustomPolicy, &iam.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{*allows("ec2:*")}})
	must(w, i.GetContextKeysForPrincipalPolicy, &iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: s(iamARN + "user/staff/Alice")})

	// Roles and sessions.
	trust := s(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)
	r := must(w, i.CreateRole, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: trust, Tags: tag}).Role
	equal(w, "trust", opened(w, r.AssumeRolePolicyDocument), *trust)
	must(w, i.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: p.Arn})
	must(w, i.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role, PolicyName: s("decode"), PolicyDocument: allows("sts:DecodeAuthorizationMessage")})
	equal(w, "document", opened(w, must(w, i.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: role, PolicyName: s("decode")}).PolicyDocument), *allows("sts:DecodeAuthorizationMessage"))
	equal(w, "inline", must(w, i.ListRolePolicies, &iam.ListRolePoliciesInput{RoleName: role}).PolicyNames, []string{"decode"})
	equal(w, "attached", *must(w, i.ListAttachedRolePolicies, &iam.ListAttachedRolePoliciesInput{RoleName: role}).AttachedPolicies[0].PolicyName, "read")
	must(w, i.TagRole, &iam.TagRoleInput{RoleName: role, Tags: []types.Tag{{Key: s("k"), Value: s("v")}}})
	must(w, i.UntagRole, &iam.UntagRoleInput{RoleName: role, TagKeys: []string{"k"}})
	equal(w, "tags", must(w, i.ListRoleTags, &iam.ListRoleTagsInput{RoleName: role}).Tags, tag)
	must(w, i.UpdateRole, &iam.UpdateRoleInput{RoleName: role, MaxSessionDuration: new(int32(7200)), Description: s("x")})
	must(w, i.UpdateRoleDescription, &iam.UpdateRoleDescriptionInput{RoleName: role, Description: s("ships")})
	must(w, i.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: trust})
	must(w, i.PutRolePermissionsBoundary, &iam.PutRolePermissionsBoundaryInput{RoleName: role, PermissionsBoundary: s("arn:aws:iam::aws:policy/AdministratorAccess")})
	got := must(w, i.GetRole, &iam.GetRoleInput{RoleName: role}).Role
	equal(w, "role", []string{*got.Description, fmt.Sprint(*got.MaxSessionDuration), *got.PermissionsBoundary.PermissionsBoundaryArn}, []string{"ships", "7200", "arn:aws:iam::aws:policy/AdministratorAccess"})
	equal(w, "roles", len(must(w, i.ListRoles, &iam.ListRolesInput{}).Roles), 1)
	assumed := must(w, who.AssumeRole, &sts.AssumeRoleInput{RoleArn: r.Arn, RoleSessionName: s("s1"), Tags: []ststypes.Tag{{Key: s("x"), Value: s("y")}}, DurationSeconds: new(int32(7200))})
	sessionEC2, session := w.as(assumed.Credentials.AccessKeyId, assumed.Credentials.SecretAccessKey, assumed.Credentials.SessionToken)
	equal(w, "session", *must(w, session.GetCallerIdentity, &sts.GetCallerIdentityInput{}).Arn, "arn:aws:sts::"+account+":assumed-role/deploy/s1")
	must(w, sessionEC2.DescribeVpcs, &ec2.DescribeVpcsInput{})
	_, err = sessionEC2.DeleteVpc(w.ctx, &ec2.DeleteVpcInput{VpcId: s(w.defaultVPC())})
	w.isRefusal("a change by who may read", err, "403 UnauthorizedOperation", "~.*Encoded authorization failure message: .*")
	_, encoded, _ := strings.Cut(fmt.Sprint(err), "Encoded authorization failure message: ")
	decoded := must(w, session.DecodeAuthorizationMessage, &sts.DecodeAuthorizationMessageInput{EncodedMessage: s(strings.TrimSpace(encoded))})
	if !strings.Contains(*decoded.DecodedMessage, `"action":"ec2:DeleteVpc"`) {
		w.Errorf("decoded: %s", *decoded.DecodedMessage)
	}
	own := must(w, who.GetSessionToken, &sts.GetSessionTokenInput{})
	_, mine := w.as(own.Credentials.AccessKeyId, own.Credentials.SecretAccessKey, own.Credentials.SessionToken)
	equal(w, "session", *must(w, mine.GetCallerIdentity, &sts.GetCallerIdentityInput{}).Arn, iamARN+"user/staff/Alice")

	// Instance profiles.
	must(w, i.CreateInstanceProfile, &iam.CreateInstanceProfileInput{InstanceProfileName: profile, Tags: tag})
	must(w, i.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: role})
	equal(w, "role", *must(w, i.GetInstanceProfile, &iam.GetInstanceProfileInput{InstanceProfileName: profile}).InstanceProfile.Roles[0].RoleName, "deploy")
	equal(w, "profiles", len(must(w, i.ListInstanceProfiles, &iam.ListInstanceProfilesInput{}).InstanceProfiles), 1)
	equal(w, "profiles", len(must(w, i.ListInstanceProfilesForRole, &iam.ListInstanceProfilesForRoleInput{RoleName: role}).InstanceProfiles), 1)
	must(w, i.TagInstanceProfile, &iam.TagInstanceProfileInput{InstanceProfileName: profile, Tags: []types.Tag{{Key: s("k"), Value: s("v")}}})
	must(w, i.UntagInstanceProfile, &iam.UntagInstanceProfileInput{InstanceProfileName: profile, TagKeys: []string{"k"}})
	equal(w, "tags", must(w, i.ListInstanceProfileTags, &iam.ListInstanceProfileTagsInput{InstanceProfileName: profile}).Tags, tag)

	// The account.
	must(w, i.CreateAccountAlias, &iam.CreateAccountAliasInput{AccountAlias: s("our-lab")})
	equal(w, "alias", must(w, i.ListAccountAliases, &iam.ListAccountAliasesInput{}).AccountAliases, []string{"our-lab"})
	must(w, i.DeleteAccountAlias, &iam.DeleteAccountAliasInput{AccountAlias: s("our-lab")})
	summary := must(w, i.GetAccountSummary, &iam.GetAccountSummaryInput{}).SummaryMap
	equal(w, "summary", []int32{summary["Users"], summary["Groups"], summary["Roles"], summary["Policies"], summary["InstanceProfiles"], summary["GroupsPerUserQuota"]}, []int32{6, 1, 1, 1, 1, 10})
	details := must(w, i.GetAccountAuthorizationDetails, &iam.GetAccountAuthorizationDetailsInput{})
	equal(w, "details", []int{len(details.UserDetailList), len(details.GroupDetailList), len(details.RoleDetailList)}, []int{6, 1, 1})

	// And back, in an order in which nothing hangs on anything.
	refused(w, i.DeleteUser, &iam.DeleteUserInput{UserName: alice}, "409 DeleteConflict", "~Cannot delete entity, must .*")
	must(w, i.RemoveRoleFromInstanceProfile, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: profile, RoleName: role})
	must(w, i.DeleteInstanceProfile, &iam.DeleteInstanceProfileInput{InstanceProfileName: profile})
	must(w, i.DeleteRolePermissionsBoundary, &iam.DeleteRolePermissionsBoundaryInput{RoleName: role})
	must(w, i.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: s("decode")})
	must(w, i.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: p.Arn})
	must(w, i.DeleteRole, &iam.DeleteRoleInput{RoleName: role})
	must(w, i.DeleteUserPermissionsBoundary, &iam.DeleteUserPermissionsBoundaryInput{UserName: alice})
	must(w, i.DeleteUserPolicy, &iam.DeleteUserPolicyInput{UserName: alice, PolicyName: s("assume")})
	must(w, i.DetachUserPolicy, &iam.DetachUserPolicyInput{UserName: alice, PolicyArn: p.Arn})
	must(w, i.RemoveUserFromGroup, &iam.RemoveUserFromGroupInput{GroupName: team, UserName: alice})
	must(w, i.DeleteAccessKey, &iam.DeleteAccessKeyInput{UserName: alice, AccessKeyId: key.AccessKeyId})
	must(w, i.DeleteUser, &iam.DeleteUserInput{UserName: alice})
	must(w, i.DeleteGroupPolicy, &iam.DeleteGroupPolicyInput{GroupName: team, PolicyName: s("vpcs")})
	must(w, i.DetachGroupPolicy, &iam.DetachGroupPolicyInput{GroupName: team, PolicyArn: s("arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")})
	must(w, i.DeleteGroup, &iam.DeleteGroupInput{GroupName: team})
	must(w, i.DeletePolicy, &iam.DeletePolicyInput{PolicyArn: p.Arn})
	refused(w, i.GetPolicy, &iam.GetPolicyInput{PolicyArn: p.Arn}, "404 NoSuchEntity", "Policy "+*p.Arn+" was not found.")
}
