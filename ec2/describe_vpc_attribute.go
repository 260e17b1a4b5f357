package ec2

// DescribeVpcAttributeInput is what DescribeVpcAttribute takes.
type DescribeVpcAttributeInput struct {
	Attribute string // required
	VpcId     string // required
	DryRun    bool
}

// DescribeVpcAttributeOutput is what DescribeVpcAttribute gives.
type DescribeVpcAttributeOutput struct {
	EnableDnsHostnames               *AttributeBooleanValue
	EnableDnsSupport                 *AttributeBooleanValue
	EnableNetworkAddressUsageMetrics *AttributeBooleanValue
	VpcId                            string
}
