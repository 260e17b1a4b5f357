package server_test

import (
	"fmt"
	"strings"
	"testing"
)

// A Deny on a thing holds however a call names the thing: by another partition,
// by its address or its association in place of its id, by name or by id.
func TestADenyIsNotGotRoundByAnotherName(t *testing.T) {
	c := newClocked(t)
	root := c.root
	vpc := element(root.must("ec2:CreateVpc", "CidrBlock", "10.1.0.0/16"), "vpcId")
	subnet := element(root.must("ec2:CreateSubnet", "VpcId", vpc, "CidrBlock", "10.1.0.0/24"), "subnetId")
	eni := element(root.must("ec2:CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId")
	gateway := element(root.must("ec2:CreateInternetGateway"), "internetGatewayId")
	root.must("ec2:AttachInternetGateway", "InternetGatewayId", gateway, "VpcId", vpc)
	address := root.must("ec2:AllocateAddress")
	allocation, ip := element(address, "allocationId"), element(address, "publicIp")
	other := element(root.must("ec2:AllocateAddress"), "allocationId")
	association := element(root.must("ec2:AssociateAddress", "AllocationId", allocation, "NetworkInterfaceId", eni), "associationId")
	table := element(root.must("ec2:CreateRouteTable", "VpcId", vpc), "routeTableId")
	tableAssociation := element(root.must("ec2:AssociateRouteTable", "RouteTableId", table, "SubnetId", subnet), "associationId")
	pair := element(root.must("ec2:CreateKeyPair", "KeyName", "prod"), "keyPairId")
	spare := element(root.must("ec2:CreateKeyPair", "KeyName", "spare"), "keyPairId")
	root.must("ec2:CreateTags", "ResourceId.1", pair, "ResourceId.2", allocation, "ResourceId.3", table, "Tag.1.Key", "tier", "Tag.1.Value", "prod")
	root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust(account, ""))
	root.must("iam:CreateUser", "UserName", "bob")
	root.must("iam:CreatePolicy", "PolicyName", "own", "PolicyDocument", readVPCs)
	alice, _ := root.newUser("alice")
	deny := func(what string) {
		t.Helper()
		root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "p", "PolicyDocument",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny",`+what+`}]}`)
	}
	const own, admin = "arn:aws:iam::123456789012:policy/own", "arn:aws:iam::aws:policy/AdministratorAccess"
	in := func(partition, arn string) string { return strings.Replace(arn, "arn:aws:", "arn:"+partition+":", 1) }
	byARN := func(resources string) string { return `"Action":"ec2:*","Resource":[` + resources + `]` }
	ec2ARN := `"arn:aws:ec2:us-east-1:123456789012:%s"`
	byTag := `"Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/tier":"prod"}}`
	all := fmt.Sprintf(ec2ARN+","+ec2ARN+","+ec2ARN, "key-pair/prod", "elastic-ip/"+allocation, "route-table/"+table)
	ec2Calls := [][]string{
		{"ec2:DeleteKeyPair", "KeyName", "prod"},
		{"ec2:DeleteKeyPair", "KeyPairId", pair},
		{"ec2:ReleaseAddress", "AllocationId", allocation},
		{"ec2:ReleaseAddress", "PublicIp", ip},
		{"ec2:AssociateAddress", "AllocationId", allocation, "NetworkInterfaceId", eni},
		{"ec2:AssociateAddress", "PublicIp", ip, "NetworkInterfaceId", eni},
		{"ec2:DisassociateAddress", "AssociationId", association},
		{"ec2:DisassociateAddress", "PublicIp", ip},
		{"ec2:DisassociateRouteTable", "AssociationId", tableAssociation},
		{"ec2:CreateTags", "ResourceId.1", pair, "Tag.1.Key", "tier", "Tag.1.Value", "test"},
	}
	for _, rule := range []string{byARN(all), byTag} {
		deny(rule)
		for _, call := range ec2Calls {
			alice.refused("UnauthorizedOperation", call[0], append(call[1:], "DryRun", "true")...)
			alice.refused("UnauthorizedOperation", call[0], call[1:]...)
		}
		// What the Deny does not speak of passes.
		alice.refused("DryRunOperation", "ec2:DeleteKeyPair", "KeyPairId", spare, "DryRun", "true")
		alice.refused("DryRunOperation", "ec2:DeleteKeyPair", "KeyName", "spare", "DryRun", "true")
		alice.refused("DryRunOperation", "ec2:ReleaseAddress", "AllocationId", other, "DryRun", "true")
	}

	attach := func(arn string) []string { return []string{"UserName", "bob", "PolicyArn", arn} }
	deny(`"Action":"iam:*","Resource":"*","Condition":{"ArnLike":{"iam:PolicyARN":"` + admin + `"}}`)
	alice.refused("AccessDenied", "iam:AttachUserPolicy", attach(admin)...)
	alice.refused("AccessDenied", "iam:AttachUserPolicy", attach(in("aws-cn", admin))...)
	alice.must("iam:AttachUserPolicy", attach(own)...)
	if m := root.refused("InvalidInput", "iam:AttachUserPolicy", attach(in("aws-cn", own))...); m != "ARN "+in("aws-cn", own)+" is not valid." {
		t.Errorf("a policy of another partition: %s", m)
	}
	root.refused("InvalidInput", "iam:DetachUserPolicy", attach(in("aws-cn", own))...)
	root.refused("InvalidInput", "iam:GetPolicy", "PolicyArn", in("aws-us-gov", own))
	deny(`"Action":"iam:*","Resource":"` + own + `"`)
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		alice.refused("AccessDenied", "iam:CreatePolicyVersion", "PolicyArn", in(partition, own), "PolicyDocument", readVPCs)
	}
	deny(`"Action":"iam:*","Resource":"arn:aws:iam::123456789012:user/bob"`)
	alice.refused("AccessDenied", "iam:SimulatePrincipalPolicy", "PolicySourceArn", "arn:aws-cn:iam::123456789012:user/bob", "ActionNames.member.1", "ec2:DescribeVpcs")
	alice.refused("AccessDenied", "iam:CreateAccessKey", "UserName", "BOB")
	deny(`"Action":"sts:AssumeRole","Resource":"` + roleARN + `"`)
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		alice.refused("AccessDenied", "sts:AssumeRole", "RoleArn", in(partition, roleARN), "RoleSessionName", "s1")
	}

	// Nor by signing for a region of another partition, where no ARN of a policy
	// would match. The root, to whom no policy applies, may.
	deny(`"Action":["ec2:*","iam:*","sts:AssumeRole"],"Resource":"arn:aws:*:*:*:*"`)
	for _, region := range []string{"us-gov-west-1", "cn-north-1"} {
		there := alice.with(func(s *signer) { s.region = region })
		there.refused("InvalidClientTokenId", "iam:CreateAccessKey", "UserName", "bob")
		there.refused("InvalidClientTokenId", "sts:AssumeRole", "RoleArn", in("aws-cn", roleARN), "RoleSessionName", "s1")
		there.refused("AuthFailure", "ec2:CreateVpc", "CidrBlock", "10.2.0.0/16")
		there.refused("AuthFailure", "ec2:DescribeVpcs")
		root.with(func(s *signer) { s.region = region }).must("ec2:DescribeVpcs")
	}
	alice.with(func(s *signer) { s.region = "eu-west-1" }).must("ec2:DescribeVpcs")
}
