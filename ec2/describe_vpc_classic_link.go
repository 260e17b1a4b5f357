package ec2

import "moat/action"

// DescribeVpcClassicLink says that there is no EC2-Classic to link to.
var DescribeVpcClassicLink = action.Read[DescribeVpcClassicLinkInput, DescribeVpcClassicLinkOutput]{
	Name: "DescribeVpcClassicLink",
	Doc:  `Answers as a region without EC2-Classic does: UnsupportedOperation. Tools ask, and take it for no.`,
	Read: func(*action.Call, *DescribeVpcClassicLinkInput) (*DescribeVpcClassicLinkOutput, error) {
		return nil, noClassicLink()
	},
}

// DescribeVpcClassicLinkInput is what DescribeVpcClassicLink takes.
type DescribeVpcClassicLinkInput struct {
	DryRun  bool
	VpcIds  []string `in:"VpcId"`
	Filters []Filter `in:"Filter"`
}

// DescribeVpcClassicLinkOutput is what DescribeVpcClassicLink gives.
type DescribeVpcClassicLinkOutput struct {
	Vpcs []VpcClassicLink `out:"vpcSet"`
}
