package ec2

// DescribeStaleSecurityGroupsInput is what DescribeStaleSecurityGroups takes.
type DescribeStaleSecurityGroupsInput struct {
	DryRun     bool
	MaxResults *int32
	NextToken  string
	VpcId      string // required
}

// DescribeStaleSecurityGroupsOutput is what DescribeStaleSecurityGroups gives.
type DescribeStaleSecurityGroupsOutput struct {
	NextToken             string
	StaleSecurityGroupSet []StaleSecurityGroup
}
