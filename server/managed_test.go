package server_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The policies of AWS that everybody has: who has which may do what. A call
// that is allowed may fail for another reason.
func TestPoliciesOfAWS(t *testing.T) {
	c := newClocked(t)
	root := c.root
	const profile = "arn:aws:iam::123456789012:instance-profile/host"
	root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust(account, ""))
	root.must("iam:CreateInstanceProfile", "InstanceProfileName", "host")
	root.must("iam:AddRoleToInstanceProfile", "InstanceProfileName", "host", "RoleName", "deploy")
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")

	root.must("iam:CreateUser", "UserName", "twin")

	type call []string
	calls := map[string]call{
		"describe groups":        {"ec2:DescribeSecurityGroups"},
		"describe machine types": {"ec2:DescribeInstanceTypes"},
		"describe prefix lists":  {"ec2:DescribeManagedPrefixLists"},
		"get a list's entries":   {"ec2:GetManagedPrefixListEntries", "PrefixListId", "pl-0123456789abcdef0"},
		"groups for a VPC":       {"ec2:GetSecurityGroupsForVpc", "VpcId", "vpc-0123456789abcdef0"},
		"open a port":            {"ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8", "DryRun", "true"},
		"make a group":           {"ec2:CreateSecurityGroup", "GroupName", "x", "GroupDescription", "d", "DryRun", "true"},
		"make a route table":     {"ec2:CreateRouteTable", "VpcId", "vpc-0123456789abcdef0", "DryRun", "true"},
		"make a prefix list":     {"ec2:CreateManagedPrefixList", "PrefixListName", "x", "AddressFamily", "IPv4", "MaxEntries", "1", "DryRun", "true"},
		"tag":                    {"ec2:CreateTags", "ResourceId.1", group, "Tag.1.Key", "a", "Tag.1.Value", "b", "DryRun", "true"},
		"run a machine":          {"ec2:RunInstances", "ImageId", "ami-0123456789abcdef0", "MinCount", "1", "MaxCount", "1", "DryRun", "true"},
		"run one with a role":    {"ec2:RunInstances", "ImageId", "ami-0123456789abcdef0", "MinCount", "1", "MaxCount", "1", "IamInstanceProfile.Arn", profile, "DryRun", "true"},
		"make a key pair":        {"ec2:CreateKeyPair", "KeyName", "k", "DryRun", "true"},
		"list users":             {"iam:ListUsers"},
		"get a role":             {"iam:GetRole", "RoleName", "deploy"},
		"list roles":             {"iam:ListRoles"},
		"simulate":               {"iam:SimulateCustomPolicy", "PolicyInputList.member.1", readVPCs, "ActionNames.member.1", "ec2:DescribeVpcs"},
		"make a user":            {"iam:CreateUser", "UserName", "twin"},
		"give itself more":       {"iam:AttachUserPolicy", "UserName", "nobody", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"},
		"decode a message":       {"sts:DecodeAuthorizationMessage", "EncodedMessage", "x"},
		"say who it is":          {"sts:GetCallerIdentity"},
	}
	for policy, may := range map[string][]string{
		"AdministratorAccess": {"describe groups", "describe machine types", "describe prefix lists", "get a list's entries", "groups for a VPC", "open a port", "make a group",
			"make a route table", "make a prefix list", "tag", "run a machine", "run one with a role", "make a key pair", "list users", "get a role", "list roles",
			"simulate", "make a user", "give itself more", "decode a message", "say who it is"},
		"PowerUserAccess": {"describe groups", "describe machine types", "describe prefix lists", "get a list's entries", "groups for a VPC", "open a port", "make a group",
			"make a route table", "make a prefix list", "tag", "run a machine", "make a key pair", "list roles", "decode a message", "say who it is"},
		"AmazonEC2FullAccess": {"describe groups", "describe machine types", "describe prefix lists", "get a list's entries", "groups for a VPC", "open a port", "make a group",
			"make a route table", "make a prefix list", "tag", "run a machine", "make a key pair", "say who it is"},
		"AmazonEC2ReadOnlyAccess": {"describe groups", "describe machine types", "describe prefix lists", "groups for a VPC", "say who it is"},
		"AmazonVPCFullAccess":     {"describe groups", "groups for a VPC", "open a port", "make a group", "make a route table", "tag", "say who it is"},
		"AmazonVPCReadOnlyAccess": {"describe groups", "groups for a VPC", "say who it is"},
		"ReadOnlyAccess": {"describe groups", "describe machine types", "describe prefix lists", "get a list's entries", "groups for a VPC", "list users", "get a role", "list roles",
			"simulate", "say who it is"},
		"IAMFullAccess":     {"list users", "get a role", "list roles", "simulate", "make a user", "give itself more", "say who it is"},
		"IAMReadOnlyAccess": {"list users", "get a role", "list roles", "simulate", "say who it is"},
		"":                  {"say who it is"},
	} {
		user, _ := root.newUser("user-" + policy)
		if policy != "" {
			arn := "arn:aws:iam::aws:policy/" + policy
			root.must("iam:AttachUserPolicy", "UserName", "user-"+policy, "PolicyArn", arn)
			body := root.must("iam:GetPolicy", "PolicyArn", arn)
			if element(body, "Arn") != arn || element(body, "AttachmentCount") != "1" || element(body, "IsAttachable") != "true" {
				t.Errorf("%s: %s", policy, body)
			}
			version := element(body, "DefaultVersionId")
			doc, err := url.PathUnescape(element(root.must("iam:GetPolicyVersion", "PolicyArn", arn, "VersionId", version), "Document"))
			if err != nil || !json.Valid([]byte(doc)) {
				t.Errorf("the document of %s, version %s: %v: %s", policy, version, err, doc)
			}
			root.refused("AccessDenied", "iam:CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", readVPCs)
		}
		for _, name := range may {
			if calls[name] == nil {
				t.Fatalf("nothing is called %q", name)
			}
		}
		for name, call := range calls {
			_, code, message := user.try(call[0], call[1:]...)
			denied := code == "UnauthorizedOperation" || code == "AccessDenied"
			if denied == slices.Contains(may, name) {
				t.Errorf("who has %q may %s: %v, want %v (%s %s)", policy, name, !denied, denied, code, message)
			}
			if denied && name == "run one with a role" && policy == "AmazonEC2FullAccess" &&
				!strings.Contains(message, "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/deploy") {
				t.Errorf("%s with %s: %s", name, policy, message)
			}
		}
	}
}

// Who may make users may not give them tags by that: policies that speak of
// tags would be got round.
func TestTagsOfWhatIsMadeNeedAPermission(t *testing.T) {
	c := newClocked(t)
	alice, _ := c.root.newUser("alice")
	may := func(actions string) {
		c.root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "p", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"}]}`)
	}
	tagged := []string{"Tags.member.1.Key", "team", "Tags.member.1.Value", "web"}
	may(`"iam:Create*"`)
	for kind, params := range map[string][]string{
		"User":            {"UserName", "new"},
		"Role":            {"RoleName", "new", "AssumeRolePolicyDocument", trust(account, "")},
		"Policy":          {"PolicyName", "new", "PolicyDocument", readVPCs},
		"InstanceProfile": {"InstanceProfileName", "new"},
	} {
		if m := alice.refused("AccessDenied", "iam:Create"+kind, append(params, tagged...)...); !strings.Contains(m, "is not authorized to perform: iam:Tag"+kind+" on resource: ") {
			t.Errorf("%s: %s", kind, m)
		}
		alice.must("iam:Create"+kind, params...)
	}
	may(`"iam:CreateUser","iam:TagUser"`)
	alice.must("iam:CreateUser", append([]string{"UserName", "newer"}, tagged...)...)
}
