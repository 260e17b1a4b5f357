package ec2

import "moat/action"

// DescribeVpcClassicLinkDnsSupport says that there is no EC2-Classic to link to.
var DescribeVpcClassicLinkDnsSupport = action.Read[DescribeVpcClassicLinkDnsSupportInput, DescribeVpcClassicLinkDnsSupportOutput]{
	Name: "DescribeVpcClassicLinkDnsSupport",
	Doc:  `Answers as a region without EC2-Classic does: UnsupportedOperation. Tools ask, and take it for no.`,
	Read: func(*action.Call, *DescribeVpcClassicLinkDnsSupportInput) (*DescribeVpcClassicLinkDnsSupportOutput, error) {
		return nil, noClassicLink()
	},
}

// DescribeVpcClassicLinkDnsSupportInput is what DescribeVpcClassicLinkDnsSupport takes.
type DescribeVpcClassicLinkDnsSupportInput struct {
	VpcIds     []string
	MaxResults *int32
	NextToken  string
}

// DescribeVpcClassicLinkDnsSupportOutput is what DescribeVpcClassicLinkDnsSupport gives.
type DescribeVpcClassicLinkDnsSupportOutput struct {
	NextToken string
	Vpcs      []ClassicLinkDnsSupport
}
