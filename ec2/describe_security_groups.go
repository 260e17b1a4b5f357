package ec2

// DescribeSecurityGroupsInput is what DescribeSecurityGroups takes.
type DescribeSecurityGroupsInput struct {
	GroupIds   []string `in:"GroupId"`
	GroupNames []string `in:"GroupName"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
	Filters    []Filter `in:"Filter"`
}

// DescribeSecurityGroupsOutput is what DescribeSecurityGroups gives.
type DescribeSecurityGroupsOutput struct {
	NextToken      string
	SecurityGroups []SecurityGroup `out:"securityGroupInfo"`
}
