package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeVpcs lists VPCs.
var DescribeVpcs = action.Describe[DescribeVpcsInput, DescribeVpcsOutput, *vpc.VPC, *Vpc]{
	Name: "DescribeVpcs",
	Doc:  `Lists VPCs: all, by id, or by filter.`,
	List: "vpcSet",
	IDs: func(c *action.Call, in *DescribeVpcsInput) ([]*vpc.VPC, bool, error) {
		return named(c, state.VPCs, in.VpcIds, checkVPCID, fault.InvalidVpcIDNotFound)
	},
	From: fromKind[DescribeVpcsInput](state.VPCs),
	ID:   func(v *vpc.VPC) string { return string(v.ID) },
	Filters: []action.Match[*vpc.VPC]{
		action.On("vpc-id", func(v *vpc.VPC) string { return string(v.ID) }).Indexed(findID(state.VPCs)),
		action.On("cidr", func(v *vpc.VPC) string { return v.CIDR().String() }).
			Also("cidr-block", "cidrBlock").Indexed(findBy(state.VPCs, state.VPCsByBlock)),
		vpcBlockFilter("cidr-block-association.cidr-block", false, func(b vpc.Block) string { return b.CIDR.String() }).
			Indexed(findBy(state.VPCs, state.VPCsByBlock)),
		vpcBlockFilter("cidr-block-association.association-id", false, func(b vpc.Block) string { return string(b.Association) }).
			Indexed(findBy(state.VPCs, state.VPCsByAssociation)),
		vpcBlockFilter("cidr-block-association.state", false, func(vpc.Block) string { return "associated" }),
		vpcBlockFilter("ipv6-cidr-block-association.ipv6-cidr-block", true, func(b vpc.Block) string { return b.CIDR.String() }).
			Indexed(findBy(state.VPCs, state.VPCsByBlock)),
		vpcBlockFilter("ipv6-cidr-block-association.ipv6-pool", true, func(b vpc.Block) string { return b.Pool }),
		vpcBlockFilter("ipv6-cidr-block-association.association-id", true, func(b vpc.Block) string { return string(b.Association) }).
			Indexed(findBy(state.VPCs, state.VPCsByAssociation)),
		vpcBlockFilter("ipv6-cidr-block-association.state", true, func(vpc.Block) string { return "associated" }),
		action.On("dhcp-options-id", func(v *vpc.VPC) string { return v.DHCPOptions }).
			Also("dhcpOptionsId").Indexed(findBy(state.VPCs, state.VPCsByDHCPOptions)),
		action.OnBool("is-default", func(v *vpc.VPC) bool { return v.Default }).
			Also("isDefault").Indexed(func(c *action.Call, value string) seq[*vpc.VPC] {
			if value == "true" {
				return state.VPCs.By(c, state.VPCsByDefault, "true")
			}
			return state.VPCs.All(c)
		}),
		action.On("owner-id", func(v *vpc.VPC) string { return string(v.Owner) }),
		action.On("state", func(*vpc.VPC) string { return "available" }),
	},
	Tags:  taggedRows(state.VPCs, func(v *vpc.VPC) vpc.Tags { return v.Tags }),
	Shape: func(_ *action.Call, v *vpc.VPC) *Vpc { return vpcShape(v) },
	Key:   func(v *vpc.VPC) any { return v },
}

// vpcBlockFilter gives a filter on the blocks of one family.
func vpcBlockFilter(name string, ipv6 bool, get func(vpc.Block) string) action.Match[*vpc.VPC] {
	return action.OnEach(name, func(v *vpc.VPC, yield func(string)) {
		for _, b := range v.Blocks {
			if b.CIDR.Addr().Is6() == ipv6 {
				yield(get(b))
			}
		}
	})
}

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
