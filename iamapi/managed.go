package iamapi

import (
	"sync"
	"time"

	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// The policies of AWS that people attach, by their names there, with the
// statements that matter to what Moat serves: IAM user guide, "AWS managed
// policies". They are the same in every account and are no records.
var managedByAWS = []struct {
	name, id    string
	created     string
	version     int32
	description string
	document    string
}{
	{
		"AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "2015-02-06T18:39:46Z", 1,
		"Provides full access to AWS services and resources.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	},
	{
		"AmazonEC2FullAccess", "ANPAI3VAJF5ZCRZ7MCQE6", "2015-02-06T18:40:15Z", 5,
		"Provides full access to Amazon EC2 via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[` +
			`{"Action":"ec2:*","Effect":"Allow","Resource":"*"},` +
			`{"Effect":"Allow","Action":"elasticloadbalancing:*","Resource":"*"},` +
			`{"Effect":"Allow","Action":"cloudwatch:*","Resource":"*"},` +
			`{"Effect":"Allow","Action":"autoscaling:*","Resource":"*"},` +
			`{"Effect":"Allow","Action":"iam:CreateServiceLinkedRole","Resource":"*","Condition":{"StringEquals":{"iam:AWSServiceName":["autoscaling.amazonaws.com","ec2scheduled.amazonaws.com","elasticloadbalancing.amazonaws.com","spot.amazonaws.com","spotfleet.amazonaws.com","transitgateway.amazonaws.com"]}}}]}`,
	},
	{
		"AmazonEC2ReadOnlyAccess", "ANPAIGDT4SV4GSETWTBZK", "2015-02-06T18:40:17Z", 5,
		"Provides read only access to Amazon EC2 via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Action":["ec2:Describe*","ec2:GetSecurityGroupsForVpc"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":"elasticloadbalancing:Describe*","Resource":"*"},` +
			`{"Effect":"Allow","Action":["cloudwatch:ListMetrics","cloudwatch:GetMetricStatistics","cloudwatch:Describe*"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":"autoscaling:Describe*","Resource":"*"}]}`,
	},
	{
		"AmazonVPCFullAccess", "ANPAJBWPGNOVKZD3JI2P2", "2015-02-06T18:41:16Z", 12,
		"Provides full access to Amazon VPC via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
			`"ec2:AcceptVpcPeeringConnection","ec2:AssignIpv6Addresses","ec2:AssignPrivateIpAddresses","ec2:AssociateRouteTable","ec2:AssociateSecurityGroupVpc",` +
			`"ec2:AssociateSubnetCidrBlock","ec2:AssociateVpcCidrBlock","ec2:AttachNetworkInterface","ec2:AuthorizeSecurityGroupEgress","ec2:AuthorizeSecurityGroupIngress",` +
			`"ec2:CreateDefaultSubnet","ec2:CreateDefaultVpc","ec2:CreateFlowLogs","ec2:CreateManagedPrefixList","ec2:CreateNetworkInterface","ec2:CreateSecurityGroup",` +
			`"ec2:CreateSubnet","ec2:CreateTags","ec2:CreateVpc","ec2:CreateVpcPeeringConnection","ec2:DeleteFlowLogs","ec2:DeleteManagedPrefixList",` +
			`"ec2:DeleteNetworkInterface","ec2:DeleteSecurityGroup","ec2:DeleteSubnet","ec2:DeleteTags","ec2:DeleteVpc","ec2:DeleteVpcPeeringConnection",` +
			`"ec2:Describe*","ec2:DetachNetworkInterface","ec2:DisassociateSecurityGroupVpc","ec2:DisassociateSubnetCidrBlock","ec2:DisassociateVpcCidrBlock",` +
			`"ec2:GetManagedPrefixListAssociations","ec2:GetManagedPrefixListEntries","ec2:GetSecurityGroupsForVpc","ec2:ModifyManagedPrefixList",` +
			`"ec2:ModifyNetworkInterfaceAttribute","ec2:ModifySecurityGroupRules","ec2:ModifySubnetAttribute","ec2:ModifyVpcAttribute","ec2:ModifyVpcPeeringConnectionOptions",` +
			`"ec2:RejectVpcPeeringConnection","ec2:ResetNetworkInterfaceAttribute","ec2:RestoreManagedPrefixListVersion","ec2:RevokeSecurityGroupEgress","ec2:RevokeSecurityGroupIngress",` +
			`"ec2:UnassignIpv6Addresses","ec2:UnassignPrivateIpAddresses","ec2:UpdateSecurityGroupRuleDescriptionsEgress","ec2:UpdateSecurityGroupRuleDescriptionsIngress"],"Resource":"*"}]}`,
	},
	{
		"AmazonVPCReadOnlyAccess", "ANPAIICZJNOJN36GTG6CM", "2015-02-06T18:41:17Z", 10,
		"Provides read only access to Amazon VPC via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","ec2:GetManagedPrefixListAssociations","ec2:GetManagedPrefixListEntries","ec2:GetSecurityGroupsForVpc"],"Resource":"*"}]}`,
	},
	{
		"IAMFullAccess", "ANPAI7XKCFMBPM3QQRRVQ", "2015-02-06T18:40:38Z", 2,
		"Provides full access to IAM via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}`,
	},
	{
		"IAMReadOnlyAccess", "ANPAJKSO7NDY4T57MWDSQ", "2015-02-06T18:40:39Z", 4,
		"Provides read only access to IAM via the AWS Management Console.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}`,
	},
	{
		"PowerUserAccess", "ANPAJYRXTHIB4FOVS3ZXS", "2015-02-06T18:39:47Z", 5,
		"Provides full access to AWS services and resources, but does not allow management of Users and groups.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":["account:GetAccountInformation","account:GetPrimaryEmail","account:ListRegions","iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeOrganization"],"Resource":"*"}]}`,
	},
	{
		"ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ", "2015-02-06T18:39:48Z", 100,
		"Provides read-only access to AWS services and resources.",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*","cloudtrail:LookupEvents","ec2:Describe*","ec2:Get*","ec2:List*","ec2:Search*","iam:Generate*","iam:Get*","iam:List*","iam:Simulate*","sts:GetAccessKeyInfo","sts:GetCallerIdentity","sts:GetSessionToken"],"Resource":"*"}]}`,
	},
}

const awsPolicyPrefix = "arn:aws:iam::aws:policy/"

var awsPolicies = sync.OnceValue(func() []*iam.ManagedPolicy {
	var all []*iam.ManagedPolicy
	for _, m := range managedByAWS {
		at, err := time.Parse(time.RFC3339, m.created)
		if err != nil {
			panic(err)
		}
		p := &iam.ManagedPolicy{
			Name: m.name, ID: m.id, Path: "/", Created: at, Updated: at, Description: m.description,
			Default: m.version, Last: m.version,
			Versions: []iam.PolicyVersion{{Number: m.version, Document: iam.NewText(m.document), Created: at}},
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
