package ec2

// DescribeVpcsInput is what DescribeVpcs takes.
type DescribeVpcsInput struct {
	Filters    []Filter `in:"Filter"`
	VpcIds     []string `in:"VpcId"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
}

// DescribeVpcsOutput is what DescribeVpcs gives.
type DescribeVpcsOutput struct {
	NextToken string
	Vpcs      []Vpc `out:"vpcSet"`
}
