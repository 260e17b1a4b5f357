package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeInternetGateways lists internet gateways.
var DescribeInternetGateways = action.Describe[DescribeInternetGatewaysInput, DescribeInternetGatewaysOutput, *vpc.InternetGateway, *InternetGateway]{
	Name: "DescribeInternetGateways",
	Doc:  `Lists internet gateways: all, by id, or by filter.`,
	List: "internetGatewaySet",
	IDs: func(c *action.Call, in *DescribeInternetGatewaysInput) ([]*vpc.InternetGateway, bool, error) {
		return named(c, state.InternetGateways, in.InternetGatewayIds, checkInternetGatewayID, fault.InvalidInternetGatewayNotFound)
	},
	From: fromKind[DescribeInternetGatewaysInput](state.InternetGateways),
	ID:   func(g *vpc.InternetGateway) string { return string(g.ID) },
	Filters: []action.Match[*vpc.InternetGateway]{
		action.On("internet-gateway-id", func(g *vpc.InternetGateway) string { return string(g.ID) }).Indexed(findID(state.InternetGateways)),
		action.On("attachment.vpc-id", func(g *vpc.InternetGateway) string { return string(g.VPC) }).
			Indexed(findBy(state.InternetGateways, state.InternetGatewaysByVPC)),
		action.On("attachment.state", func(g *vpc.InternetGateway) string {
			if g.VPC == "" {
				return ""
			}
			return "available"
		}),
		action.On("owner-id", func(g *vpc.InternetGateway) string { return string(g.Owner) }),
	},
	Tags:  taggedRows(state.InternetGateways, func(g *vpc.InternetGateway) vpc.Tags { return g.Tags }),
	Shape: func(_ *action.Call, g *vpc.InternetGateway) *InternetGateway { return internetGatewayShape(g) },
	Key:   func(g *vpc.InternetGateway) any { return g },
}

// internetGatewayShape gives a gateway as it is described. An attachment's
// state is available: that is what the service writes, whatever its model says.
func internetGatewayShape(g *vpc.InternetGateway) *InternetGateway {
	shape := &InternetGateway{
		InternetGatewayId: string(g.ID), OwnerId: string(g.Owner), Tags: tagShapes(g.Tags), Attachments: []InternetGatewayAttachment{},
	}
	if g.VPC != "" {
		shape.Attachments = append(shape.Attachments, InternetGatewayAttachment{State: "available", VpcId: string(g.VPC)})
	}
	return shape
}

// DescribeInternetGatewaysInput is what DescribeInternetGateways takes.
type DescribeInternetGatewaysInput struct {
	NextToken          string
	MaxResults         *int32
	DryRun             bool
	InternetGatewayIds []string `in:"InternetGatewayId"`
	Filters            []Filter `in:"Filter"`
}

// DescribeInternetGatewaysOutput is what DescribeInternetGateways gives.
type DescribeInternetGatewaysOutput struct {
	InternetGateways []InternetGateway `out:"internetGatewaySet"`
	NextToken        string
}
