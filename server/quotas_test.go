package server_test

import (
	"fmt"
	"strings"
	"testing"

	"moat/server"
	"moat/vpc"
)

// Every quota of IAM, reached and passed, in AWS's words.
func TestQuotasOfIAM(t *testing.T) {
	quotas := vpc.DefaultQuotas()
	quotas.UsersPerAccount, quotas.UserGroupsPerAccount, quotas.UserGroupsPerUser, quotas.RolesPerAccount = 3, 3, 2, 2
	quotas.PoliciesPerAccount, quotas.AttachedPolicies, quotas.InstanceProfilesPerAccount = 3, 2, 2
	ts, _ := newAPI(t, func(c *server.Config) { c.Quotas = quotas })
	root := rootOf(t, ts)
	times := func(n int, action string, params func(i int) []string) {
		t.Helper()
		for i := range n {
			root.must(action, params(i)...)
		}
	}
	last := func(want, action string, params ...string) {
		t.Helper()
		code, text, _ := strings.Cut(want, ": ")
		if got := root.refused(code, action, params...); got != text {
			t.Errorf("%s: %q, want %q", action, got, text)
		}
	}
	named := func(member string, more ...string) func(int) []string {
		return func(i int) []string { return append([]string{member, fmt.Sprint("n", i)}, more...) }
	}
	times(3, "iam:CreateUser", named("UserName"))
	last("LimitExceeded: Cannot exceed quota for UsersPerAccount: 3", "iam:CreateUser", "UserName", "more")
	times(3, "iam:CreateGroup", named("GroupName"))
	last("LimitExceeded: Cannot exceed quota for GroupsPerAccount: 3", "iam:CreateGroup", "GroupName", "more")
	times(2, "iam:AddUserToGroup", named("GroupName", "UserName", "n0"))
	last("LimitExceeded: Cannot exceed quota for GroupsPerUser: 2", "iam:AddUserToGroup", "GroupName", "n2", "UserName", "n0")
	times(2, "iam:CreateRole", named("RoleName", "AssumeRolePolicyDocument", trust(account, "")))
	last("LimitExceeded: Cannot exceed quota for RolesPerAccount: 2", "iam:CreateRole", "RoleName", "more", "AssumeRolePolicyDocument", trust(account, ""))
	times(2, "iam:CreateInstanceProfile", named("InstanceProfileName"))
	last("LimitExceeded: Cannot exceed quota for InstanceProfilesPerAccount: 2", "iam:CreateInstanceProfile", "InstanceProfileName", "more")
	root.must("iam:AddRoleToInstanceProfile", "InstanceProfileName", "n0", "RoleName", "n0")
	last("LimitExceeded: Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", "iam:AddRoleToInstanceProfile", "InstanceProfileName", "n0", "RoleName", "n1")
	times(3, "iam:CreatePolicy", named("PolicyName", "PolicyDocument", readVPCs))
	last("LimitExceeded: Cannot exceed quota for PoliciesPerAccount: 3", "iam:CreatePolicy", "PolicyName", "more", "PolicyDocument", readVPCs)
	arn := "arn:aws:iam::" + account + ":policy/n"
	for _, h := range []string{"User", "Group", "Role"} {
		times(2, "iam:Attach"+h+"Policy", func(i int) []string { return []string{h + "Name", "n0", "PolicyArn", fmt.Sprint(arn, i)} })
		last("LimitExceeded: Cannot exceed quota for PoliciesPer"+h+": 2", "iam:Attach"+h+"Policy", h+"Name", "n0", "PolicyArn", arn+"2")
	}
	times(4, "iam:CreatePolicyVersion", func(int) []string { return []string{"PolicyArn", arn + "0", "PolicyDocument", readVPCs} })
	last("LimitExceeded: A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.", "iam:CreatePolicyVersion", "PolicyArn", arn+"0", "PolicyDocument", readVPCs)
	times(2, "iam:CreateAccessKey", func(int) []string { return []string{"UserName", "n0"} })
	last("LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2", "iam:CreateAccessKey", "UserName", "n0")

	// Sizes, of which white space is no part.
	long := func(n int) string {
		doc := strings.Replace(readVPCs, "ec2:DescribeVpcs", "ec2:"+strings.Repeat("x", n), 1)
		return doc
	}
	base := len(long(0))
	for _, row := range []struct {
		size   int
		want   string
		action string
		params []string
	}{
		{2048, "LimitExceeded: Maximum policy size of 2048 bytes exceeded for user n1", "iam:PutUserPolicy", []string{"UserName", "n1", "PolicyName", "p", "PolicyDocument"}},
		{5120, "LimitExceeded: Maximum policy size of 5120 bytes exceeded for group n1", "iam:PutGroupPolicy", []string{"GroupName", "n1", "PolicyName", "p", "PolicyDocument"}},
		{10240, "LimitExceeded: Maximum policy size of 10240 bytes exceeded for role n1", "iam:PutRolePolicy", []string{"RoleName", "n1", "PolicyName", "p", "PolicyDocument"}},
		{6144, "LimitExceeded: Cannot exceed quota for PolicySize: 6144", "iam:CreatePolicyVersion", []string{"PolicyArn", arn + "1", "PolicyDocument"}},
	} {
		last(row.want, row.action, append(row.params, long(row.size-base+1))...)
		root.must(row.action, append(row.params, long(row.size-base)+strings.Repeat(" \n", 500))...)
	}
}
