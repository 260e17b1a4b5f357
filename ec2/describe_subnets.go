package ec2

// DescribeSubnetsInput is what DescribeSubnets takes.
type DescribeSubnetsInput struct {
	Filters    []Filter `in:"Filter"`
	SubnetIds  []string `in:"SubnetId"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
}

// DescribeSubnetsOutput is what DescribeSubnets gives.
type DescribeSubnetsOutput struct {
	NextToken string
	Subnets   []Subnet `out:"subnetSet"`
}
