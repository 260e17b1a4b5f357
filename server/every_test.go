package server_test

import (
	"strings"
	"testing"

	"moat/awsquery"
	"moat/ec2query"
	"moat/iamapi"
	"moat/sts"
)

// Every action's structs can be on the wire, in both directions.
func TestEveryActionHasAWire(t *testing.T) {
	for _, a := range append(iamapi.Actions[:len(iamapi.Actions):len(iamapi.Actions)], sts.Actions...) {
		info := a.Info()
		awsquery.Fields(info.In, ec2query.In)
		awsquery.Fields(info.Out, ec2query.Out)
		_ = awsquery.Validate(a.NewInput())
	}
}

func TestAuthorizationDetails(t *testing.T) {
	c := newClocked(t)
	c.root.newUser("alice")
	c.root.must("iam:CreateGroup", "GroupName", "g")
	c.root.must("iam:AddUserToGroup", "GroupName", "g", "UserName", "alice")
	c.root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust(account, ""))
	c.root.must("iam:PutRolePolicy", "RoleName", "deploy", "PolicyName", "p", "PolicyDocument", readVPCs)
	c.root.must("iam:CreateInstanceProfile", "InstanceProfileName", "deploy")
	c.root.must("iam:AddRoleToInstanceProfile", "InstanceProfileName", "deploy", "RoleName", "deploy")
	c.root.must("iam:CreatePolicy", "PolicyName", "read", "PolicyDocument", readVPCs)
	c.root.must("iam:AttachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	body := c.root.must("iam:GetAccountAuthorizationDetails")
	for _, want := range []string{"<UserName>alice</UserName>", "<GroupList><member>g</member></GroupList>", "<RoleName>deploy</RoleName>", "<PolicyName>read</PolicyName>", "<PolicyName>ReadOnlyAccess</PolicyName>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the details have no %s", want)
		}
	}
	first := c.root.must("iam:GetAccountAuthorizationDetails", "MaxItems", "1", "Filter.member.1", "Role", "Filter.member.2", "User")
	if element(first, "IsTruncated") != "true" || strings.Contains(first, "RoleName") {
		t.Errorf("the first of two: %s", first)
	}
}
