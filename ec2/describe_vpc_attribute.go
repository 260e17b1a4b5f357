package ec2

import (
	"moat/action"
	"moat/fault"
)

// DescribeVpcAttribute shows one attribute of a VPC.
var DescribeVpcAttribute = action.Read[DescribeVpcAttributeInput, DescribeVpcAttributeOutput]{
	Name: "DescribeVpcAttribute",
	Doc:  `Shows one attribute of a VPC: enableDnsSupport, enableDnsHostnames or enableNetworkAddressUsageMetrics.`,
	Read: func(c *action.Call, in *DescribeVpcAttributeInput) (*DescribeVpcAttributeOutput, error) {
		if in.VpcId == "" {
			return nil, fault.MissingParameter.With("vpcId")
		}
		if in.Attribute == "" {
			return nil, fault.MissingParameter.With("attribute")
		}
		v, err := vpcOf(c, in.VpcId)
		if err != nil {
			return nil, err
		}
		out := &DescribeVpcAttributeOutput{VpcId: in.VpcId}
		switch in.Attribute {
		case "enableDnsSupport":
			out.EnableDnsSupport = &AttributeBooleanValue{&v.EnableDNSSupport}
		case "enableDnsHostnames":
			out.EnableDnsHostnames = &AttributeBooleanValue{&v.EnableDNSHostnames}
		case "enableNetworkAddressUsageMetrics":
			out.EnableNetworkAddressUsageMetrics = &AttributeBooleanValue{&v.EnableAddressUsageMetrics}
		default:
			return nil, fault.InvalidParameterValue.With(in.Attribute, "attribute", "Unknown VPC attribute.")
		}
		return out, nil
	},
}

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
