package iamapi

import (
	"errors"
	"sync"
	"time"

	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// The policies of AWS that people attach, as they stand there in 2026: AWS
// managed policy reference guide. Of ReadOnlyAccess only what is about services
// that Moat has. They are the same in every account and are no records.
var managedByAWS = []struct {
	name, id    string
	created     string
	updated     string
	version     int32
	description string
	document    string
}{
	{
		"AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "2015-02-06T18:39:46Z", "2015-02-06T18:39:46Z", 1,
		"Provides full access to AWS services and resources.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	},
	{
		"AmazonEC2FullAccess", "ANPAI3VAJF5ZCRZ7MCQE6", "2015-02-06T18:40:15Z", "2018-11-27T02:16:56Z", 5,
		"Provides full access to Amazon EC2 via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[` +
			`{"Action":"ec2:*","Effect":"Allow","Resource":"*"},` +
			`{"Effect":"Allow","Action":"elasticloadbalancing:*","Resource":"*"},` +
			`{"Effect":"Allow","Action":"cloudwatch:*","Resource":"*"},` +
			`{"Effect":"Allow","Action":"autoscaling:*","Resource":"*"},` +
			`{"Effect":"Allow","Action":"iam:CreateServiceLinkedRole","Resource":"*","Condition":{"StringEquals":{"iam:AWSServiceName":["autoscaling.amazonaws.com","ec2scheduled.amazonaws.com","elasticloadbalancing.amazonaws.com","spot.amazonaws.com","spotfleet.amazonaws.com","transitgateway.amazonaws.com"]}}}]}`,
	},
	{
		"AmazonEC2ReadOnlyAccess", "ANPAIGDT4SV4GSETWTBZK", "2015-02-06T18:40:17Z", "2026-02-12T18:03:17Z", 5,
		"Provides read only access to Amazon EC2 via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Action":["ec2:Describe*","ec2:GetSecurityGroupsForVpc"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":"elasticloadbalancing:Describe*","Resource":"*"},` +
			`{"Effect":"Allow","Action":["cloudwatch:ListMetrics","cloudwatch:GetMetricStatistics","cloudwatch:Describe*"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":"autoscaling:Describe*","Resource":"*"}]}`,
	},
	{
		"AmazonVPCFullAccess", "ANPAJBWPGNOVKZD3JI2P2", "2015-02-06T18:41:16Z", "2026-02-12T18:00:44Z", 13,
		"Provides full access to Amazon VPC via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Sid":"AmazonVPCFullAccess","Effect":"Allow","Action":[` +
			`"ec2:AcceptVpcPeeringConnection","ec2:AcceptVpcEndpointConnections","ec2:AllocateAddress","ec2:AssignIpv6Addresses",` +
			`"ec2:AssignPrivateIpAddresses","ec2:AssociateAddress","ec2:AssociateDhcpOptions","ec2:AssociateRouteTable","ec2:AssociateSecurityGroupVpc",` +
			`"ec2:AssociateSubnetCidrBlock","ec2:AssociateVpcCidrBlock","ec2:AttachClassicLinkVpc","ec2:AttachInternetGateway","ec2:AttachNetworkInterface",` +
			`"ec2:AttachVpnGateway","ec2:AuthorizeSecurityGroupEgress","ec2:AuthorizeSecurityGroupIngress","ec2:CreateCarrierGateway",` +
			`"ec2:CreateCustomerGateway","ec2:CreateDefaultSubnet","ec2:CreateDefaultVpc","ec2:CreateDhcpOptions","ec2:CreateEgressOnlyInternetGateway",` +
			`"ec2:CreateFlowLogs","ec2:CreateInternetGateway","ec2:CreateLocalGatewayRouteTableVpcAssociation","ec2:CreateNatGateway","ec2:CreateNetworkAcl",` +
			`"ec2:CreateNetworkAclEntry","ec2:CreateNetworkInterface","ec2:CreateNetworkInterfacePermission","ec2:CreateRoute","ec2:CreateRouteTable",` +
			`"ec2:CreateSecurityGroup","ec2:CreateSubnet","ec2:CreateTags","ec2:CreateVpc","ec2:CreateVpcEndpoint",` +
			`"ec2:CreateVpcEndpointConnectionNotification","ec2:CreateVpcEndpointServiceConfiguration","ec2:CreateVpcPeeringConnection",` +
			`"ec2:CreateVpnConnection","ec2:CreateVpnConnectionRoute","ec2:CreateVpnGateway","ec2:DeleteCarrierGateway","ec2:DeleteCustomerGateway",` +
			`"ec2:DeleteDhcpOptions","ec2:DeleteEgressOnlyInternetGateway","ec2:DeleteFlowLogs","ec2:DeleteInternetGateway",` +
			`"ec2:DeleteLocalGatewayRouteTableVpcAssociation","ec2:DeleteNatGateway","ec2:DeleteNetworkAcl","ec2:DeleteNetworkAclEntry",` +
			`"ec2:DeleteNetworkInterface","ec2:DeleteNetworkInterfacePermission","ec2:DeleteRoute","ec2:DeleteRouteTable","ec2:DeleteSecurityGroup",` +
			`"ec2:DeleteSubnet","ec2:DeleteTags","ec2:DeleteVpc","ec2:DeleteVpcEndpoints","ec2:DeleteVpcEndpointConnectionNotifications",` +
			`"ec2:DeleteVpcEndpointServiceConfigurations","ec2:DeleteVpcPeeringConnection","ec2:DeleteVpnConnection","ec2:DeleteVpnConnectionRoute",` +
			`"ec2:DeleteVpnGateway","ec2:DescribeAccountAttributes","ec2:DescribeAddresses","ec2:DescribeAvailabilityZones","ec2:DescribeCarrierGateways",` +
			`"ec2:DescribeClassicLinkInstances","ec2:DescribeCustomerGateways","ec2:DescribeDhcpOptions","ec2:DescribeEgressOnlyInternetGateways",` +
			`"ec2:DescribeFlowLogs","ec2:DescribeInstances","ec2:DescribeInternetGateways","ec2:DescribeIpv6Pools","ec2:DescribeLocalGatewayRouteTables",` +
			`"ec2:DescribeLocalGatewayRouteTableVpcAssociations","ec2:DescribeKeyPairs","ec2:DescribeMovingAddresses","ec2:DescribeNatGateways",` +
			`"ec2:DescribeNetworkAcls","ec2:DescribeNetworkInterfaceAttribute","ec2:DescribeNetworkInterfacePermissions","ec2:DescribeNetworkInterfaces",` +
			`"ec2:DescribePrefixLists","ec2:DescribeRouteTables","ec2:DescribeSecurityGroupReferences","ec2:DescribeSecurityGroupRules",` +
			`"ec2:DescribeSecurityGroups","ec2:DescribeSecurityGroupVpcAssociations","ec2:DescribeStaleSecurityGroups","ec2:DescribeSubnets",` +
			`"ec2:DescribeTags","ec2:DescribeVpcAttribute","ec2:DescribeVpcClassicLink","ec2:DescribeVpcClassicLinkDnsSupport",` +
			`"ec2:DescribeVpcEndpointConnectionNotifications","ec2:DescribeVpcEndpointConnections","ec2:DescribeVpcEndpoints",` +
			`"ec2:DescribeVpcEndpointServiceConfigurations","ec2:DescribeVpcEndpointServicePermissions","ec2:DescribeVpcEndpointServices",` +
			`"ec2:DescribeVpcPeeringConnections","ec2:DescribeVpcs","ec2:DescribeVpnConnections","ec2:DescribeVpnGateways","ec2:DetachClassicLinkVpc",` +
			`"ec2:DetachInternetGateway","ec2:DetachNetworkInterface","ec2:DetachVpnGateway","ec2:DisableVgwRoutePropagation","ec2:DisableVpcClassicLink",` +
			`"ec2:DisableVpcClassicLinkDnsSupport","ec2:DisassociateAddress","ec2:DisassociateRouteTable","ec2:DisassociateSecurityGroupVpc",` +
			`"ec2:DisassociateSubnetCidrBlock","ec2:DisassociateVpcCidrBlock","ec2:EnableVgwRoutePropagation","ec2:EnableVpcClassicLink",` +
			`"ec2:EnableVpcClassicLinkDnsSupport","ec2:GetSecurityGroupsForVpc","ec2:ModifyNetworkInterfaceAttribute","ec2:ModifySecurityGroupRules",` +
			`"ec2:ModifySubnetAttribute","ec2:ModifyVpcAttribute","ec2:ModifyVpcEndpoint","ec2:ModifyVpcEndpointConnectionNotification",` +
			`"ec2:ModifyVpcEndpointServiceConfiguration","ec2:ModifyVpcEndpointServicePermissions","ec2:ModifyVpcPeeringConnectionOptions",` +
			`"ec2:ModifyVpcTenancy","ec2:MoveAddressToVpc","ec2:RejectVpcEndpointConnections","ec2:RejectVpcPeeringConnection","ec2:ReleaseAddress",` +
			`"ec2:ReplaceNetworkAclAssociation","ec2:ReplaceNetworkAclEntry","ec2:ReplaceRoute","ec2:ReplaceRouteTableAssociation",` +
			`"ec2:ResetNetworkInterfaceAttribute","ec2:RestoreAddressToClassic","ec2:RevokeSecurityGroupEgress","ec2:RevokeSecurityGroupIngress",` +
			`"ec2:UnassignIpv6Addresses","ec2:UnassignPrivateIpAddresses","ec2:UpdateSecurityGroupRuleDescriptionsEgress",` +
			`"ec2:UpdateSecurityGroupRuleDescriptionsIngress"],"Resource":"*"}]}`,
	},
	{
		"AmazonVPCReadOnlyAccess", "ANPAIICZJNOJN36GTG6CM", "2015-02-06T18:41:17Z", "2026-02-12T17:58:19Z", 12,
		"Provides read only access to Amazon VPC via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Sid":"AmazonVPCReadOnlyAccess","Effect":"Allow","Action":[` +
			`"ec2:DescribeAccountAttributes","ec2:DescribeAddresses","ec2:DescribeCarrierGateways","ec2:DescribeClassicLinkInstances",` +
			`"ec2:DescribeCustomerGateways","ec2:DescribeDhcpOptions","ec2:DescribeEgressOnlyInternetGateways","ec2:DescribeFlowLogs",` +
			`"ec2:DescribeInternetGateways","ec2:DescribeLocalGatewayRouteTables","ec2:DescribeLocalGatewayRouteTableVpcAssociations",` +
			`"ec2:DescribeMovingAddresses","ec2:DescribeNatGateways","ec2:DescribeNetworkAcls","ec2:DescribeNetworkInterfaceAttribute",` +
			`"ec2:DescribeNetworkInterfacePermissions","ec2:DescribeNetworkInterfaces","ec2:DescribePrefixLists","ec2:DescribeRouteTables",` +
			`"ec2:DescribeSecurityGroupReferences","ec2:DescribeSecurityGroupRules","ec2:DescribeSecurityGroups","ec2:DescribeSecurityGroupVpcAssociations",` +
			`"ec2:DescribeStaleSecurityGroups","ec2:DescribeSubnets","ec2:DescribeTags","ec2:DescribeVpcAttribute","ec2:DescribeVpcClassicLink",` +
			`"ec2:DescribeVpcClassicLinkDnsSupport","ec2:DescribeVpcEndpoints","ec2:DescribeVpcEndpointConnectionNotifications",` +
			`"ec2:DescribeVpcEndpointConnections","ec2:DescribeVpcEndpointServiceConfigurations","ec2:DescribeVpcEndpointServicePermissions",` +
			`"ec2:DescribeVpcEndpointServices","ec2:DescribeVpcPeeringConnections","ec2:DescribeVpcs","ec2:DescribeVpnConnections","ec2:DescribeVpnGateways",` +
			`"ec2:GetSecurityGroupsForVpc"],"Resource":"*"}]}`,
	},
	{
		"IAMFullAccess", "ANPAI7XKCFMBPM3QQRRVQ", "2015-02-06T18:40:38Z", "2019-06-21T19:40:00Z", 2,
		"Provides full access to IAM via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}`,
	},
	{
		"IAMReadOnlyAccess", "ANPAJKSO7NDY4T57MWDSQ", "2015-02-06T18:40:39Z", "2018-01-25T19:11:27Z", 4,
		"Provides read only access to IAM via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}`,
	},
	{
		"PowerUserAccess", "ANPAJYRXTHIB4FOVS3ZXS", "2015-02-06T18:39:47Z", "2026-02-12T17:59:14Z", 12,
		"Provides full access to AWS services and resources, but does not allow management of Users and groups.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":["account:GetAccountInformation","account:GetGovCloudAccountInformation","account:GetPrimaryEmail","account:ListRegions","iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeEffectivePolicy","organizations:DescribeOrganization"],"Resource":"*"}]}`,
	},
	{
		"ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ", "2015-02-06T18:39:48Z", "2026-04-03T15:27:12Z", 182,
		"Provides read-only access to AWS services and resources.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*","cloudtrail:LookupEvents","ec2:Describe*","ec2:Get*","ec2:ListImagesInRecycleBin","ec2:ListSnapshotsInRecycleBin","ec2:SearchLocalGatewayRoutes","ec2:SearchTransitGatewayRoutes","iam:Generate*","iam:Get*","iam:List*","iam:Simulate*","sts:GetAccessKeyInfo","sts:GetCallerIdentity","sts:GetSessionToken"],"Resource":"*"}]}`,
	},
}

const awsPolicyPrefix = "arn:aws:iam::aws:policy/"

var awsPolicies = sync.OnceValue(func() []*iam.ManagedPolicy {
	var all []*iam.ManagedPolicy
	for _, m := range managedByAWS {
		at, err := time.Parse(time.RFC3339, m.created)
		updated, err2 := time.Parse(time.RFC3339, m.updated)
		if err = errors.Join(err, err2); err != nil {
			panic(err)
		}
		p := &iam.ManagedPolicy{
			Name: m.name, ID: m.id, Path: "/", Created: at, Updated: updated, Description: m.description,
			Default: m.version, Last: m.version,
			Versions: []iam.PolicyVersion{{Number: m.version, Document: iam.NewText(m.document), Created: updated}},
		}
		if _, err := p.Versions[0].Document.Policy(iam.IdentityPolicy, awsPolicyPrefix+m.name, "aws-managed"); err != nil {
			panic("iamapi: " + m.name + ": " + err.Error())
		}
		all = append(all, p)
	}
	return all
})

// awsManaged gives a policy of AWS's, or nil.
func awsManaged(path, name string) *iam.ManagedPolicy {
	for _, p := range awsPolicies() {
		if p.Name == name && p.Path == path {
			return p
		}
	}
	return nil
}

// AllowAll gives the policy that allows everything.
func AllowAll() *iam.Policy {
	p, _ := awsManaged("/", "AdministratorAccess").Versions[0].Document.Policy(iam.IdentityPolicy, "", "")
	return p
}

// HasPolicy reports whether a managed policy is there for an account to use.
func HasPolicy(v *state.View, account vpc.AccountID, arn string) bool {
	p, _, err := policyOf(v.In(state.Scope{Account: account}), account, arn)
	return err == nil && p != nil
}
