package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeVpcEndpoints lists endpoints.
var DescribeVpcEndpoints = action.Describe[DescribeVpcEndpointsInput, DescribeVpcEndpointsOutput, *vpc.Endpoint, *VpcEndpoint]{
	Name: "DescribeVpcEndpoints",
	Doc:  `Lists endpoints of VPCs: all, by id, or by filter.`,
	List: "vpcEndpointSet",
	IDs: func(c *action.Call, in *DescribeVpcEndpointsInput) ([]*vpc.Endpoint, bool, error) {
		return named(c, state.Endpoints, in.VpcEndpointIds, checkEndpointID, fault.InvalidVpcEndpointNotFound)
	},
	From: fromKind[DescribeVpcEndpointsInput](state.Endpoints),
	ID:   func(e *vpc.Endpoint) string { return string(e.ID) },
	Page: action.Page{Min: 1, Max: 1000},
	Filters: []action.Match[*vpc.Endpoint]{
		action.On("vpc-endpoint-id", func(e *vpc.Endpoint) string { return string(e.ID) }).Indexed(findID(state.Endpoints)),
		action.On("vpc-id", func(e *vpc.Endpoint) string { return string(e.VPC) }).Indexed(findBy(state.Endpoints, state.EndpointsByVPC)),
		action.On("service-name", func(e *vpc.Endpoint) string { return e.Service }),
		onAttached("service-region", func(c *action.Call, _ *vpc.Endpoint, yield func(string)) { yield(c.Region) }),
		action.On("ip-address-type", func(*vpc.Endpoint) string { return "" }),
		action.On("vpc-endpoint-state", func(*vpc.Endpoint) string { return "available" }),
		action.On("vpc-endpoint-type", func(*vpc.Endpoint) string { return "Gateway" }),
	},
	Tags:  taggedRows(state.Endpoints, func(e *vpc.Endpoint) vpc.Tags { return e.Tags }),
	Shape: func(c *action.Call, e *vpc.Endpoint) *VpcEndpoint { return endpointShape(c.Region, e) },
	Key:   func(e *vpc.Endpoint) any { return e },
}

// DescribeVpcEndpointsInput is what DescribeVpcEndpoints takes.
type DescribeVpcEndpointsInput struct {
	DryRun         bool
	VpcEndpointIds []string `in:"VpcEndpointId"`
	Filters        []Filter `in:"Filter"`
	MaxResults     *int32
	NextToken      string
}

// DescribeVpcEndpointsOutput is what DescribeVpcEndpoints gives.
type DescribeVpcEndpointsOutput struct {
	VpcEndpoints []VpcEndpoint `out:"vpcEndpointSet"`
	NextToken    string
}
