package server_test

import "testing"

// A role may be trusted to users and roles that exist, of any account, under the
// whole name that they have.
func TestATrustPolicyNamesWhoExists(t *testing.T) {
	c := newClocked(t)
	root := c.root
	const iam = "arn:aws:iam::123456789012:"
	root.must("iam:CreateUser", "UserName", "bob", "Path", "/team/")
	root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust(account, ""))
	for _, who := range []string{"user/nobody", "role/nothing", "user/bob", "user/team/BOB", "user/other/bob", "role/team/bob", "user/deploy"} {
		want := `Invalid principal in policy: "AWS":"` + iam + who + `"`
		for _, call := range [][]string{
			{"iam:CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust(iam+who, "")},
			{"iam:UpdateAssumeRolePolicy", "RoleName", "deploy", "PolicyDocument", trust(iam+who, "")},
		} {
			if m := root.refused("MalformedPolicyDocument", call[0], call[1:]...); m != want {
				t.Errorf("%s: %s, want %s", call[0], m, want)
			}
		}
	}
	for _, who := range []string{iam + "user/team/bob", iam + "role/deploy", iam + "root", "*", "arn:aws:iam::210987654321:root"} {
		root.must("iam:UpdateAssumeRolePolicy", "RoleName", "deploy", "PolicyDocument", trust(who, ""))
	}
	for _, who := range []string{"arn:aws-cn:iam::123456789012:user/team/bob", "arn:aws:iam::210987654321:user/bob"} {
		root.refused("MalformedPolicyDocument", "iam:UpdateAssumeRolePolicy", "RoleName", "deploy", "PolicyDocument", trust(who, ""))
	}
}
