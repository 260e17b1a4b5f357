package ec2

// GetSecurityGroupsForVpcInput is what GetSecurityGroupsForVpc takes.
type GetSecurityGroupsForVpcInput struct {
	VpcId      string // required
	NextToken  string
	MaxResults *int32
	Filters    []Filter `in:"Filter"`
	DryRun     bool
}

// GetSecurityGroupsForVpcOutput is what GetSecurityGroupsForVpc gives.
type GetSecurityGroupsForVpcOutput struct {
	NextToken            string
	SecurityGroupForVpcs []SecurityGroupForVpc `out:"securityGroupForVpcSet"`
}
