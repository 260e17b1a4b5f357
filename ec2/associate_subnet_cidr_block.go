package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AssociateSubnetCidrBlock gives a subnet its IPv6 block.
var AssociateSubnetCidrBlock = action.Write[AssociateSubnetCidrBlockInput, AssociateSubnetCidrBlockOutput]{
	Name: "AssociateSubnetCidrBlock",
	Doc:  `Associates an IPv6 block of the VPC with a subnet that has none.`,
	Plan: func(tx *state.Txn, in *AssociateSubnetCidrBlockInput) (*AssociateSubnetCidrBlockOutput, error) {
		if in.SubnetId == "" {
			return nil, fault.MissingParameter.With("subnetId")
		}
		if err := checkSubnetID(in.SubnetId); err != nil {
			return nil, err
		}
		if err := noPools("", nil, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength); err != nil {
			return nil, err
		}
		if in.Ipv6CidrBlock == "" {
			return nil, fault.MissingParameter.Say("Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided.")
		}
		old, err := subnetOf(tx, in.SubnetId)
		if err != nil {
			return nil, err
		}
		b, err := subnetIPv6Block(tx, state.VPCs.Get(tx, old.VPC), in.Ipv6CidrBlock)
		if err != nil {
			return nil, err
		}
		// VPC user guide, "Amazon VPC quotas": one IPv6 block a subnet.
		if old.HasIPv6() {
			return nil, fault.CidrLimitExceeded.With(in.SubnetId, 1)
		}
		s := *old
		s.IPv6 = []vpc.Block{b}
		state.Subnets.Put(tx, &s)
		return &AssociateSubnetCidrBlockOutput{SubnetId: in.SubnetId, Ipv6CidrBlockAssociation: subnetIPv6Shape(b, "associating")}, nil
	},
}

// AssociateSubnetCidrBlockInput is what AssociateSubnetCidrBlock takes.
type AssociateSubnetCidrBlockInput struct {
	Ipv6IpamPoolId    string
	Ipv6NetmaskLength *int32
	SubnetId          string // required
	Ipv6CidrBlock     string
}

// AssociateSubnetCidrBlockOutput is what AssociateSubnetCidrBlock gives.
type AssociateSubnetCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *SubnetIpv6CidrBlockAssociation
	SubnetId                 string
}
