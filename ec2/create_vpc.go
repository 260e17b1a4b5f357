package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateVpc makes a VPC with what every one begins with: a default security group, a
// main route table and a default network ACL.
var CreateVpc = action.Write[CreateVpcInput, CreateVpcOutput]{
	Name: "CreateVpc",
	Doc:  `Creates a VPC with an IPv4 block, on request also an IPv6 block, its default security group, main route table and default network ACL.`,
	Plan: func(tx *state.Txn, in *CreateVpcInput) (*CreateVpcOutput, error) {
		amazon := in.AmazonProvidedIpv6CidrBlock != nil && *in.AmazonProvidedIpv6CidrBlock
		if err := noPools(in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength); err != nil {
			return nil, err
		}
		if in.CidrBlock == "" {
			return nil, fault.MissingParameter.Say("Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
		}
		own, err := ownIPv6Block(amazon, in.Ipv6Pool, in.Ipv6CidrBlock)
		if err != nil {
			return nil, err
		}
		border, err := borderGroup(tx, amazon, in.Ipv6CidrBlockNetworkBorderGroup)
		if err != nil {
			return nil, err
		}
		tenancy := in.InstanceTenancy
		switch tenancy {
		case "":
			tenancy = "default"
		case "default", "dedicated":
		default:
			return nil, fault.InvalidParameterValue.With(tenancy, "instanceTenancy", "Use default or dedicated.")
		}
		if in.VpcEncryptionControl != nil {
			// Traffic that Moat does not encrypt must not be reported as encrypted.
			return nil, fault.UnsupportedOperation.With("VPC Encryption Control is not supported in this Region.")
		}
		block, err := vpc.PrimaryBlock(in.CidrBlock)
		if err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "vpc")
		if err != nil {
			return nil, err
		}
		if state.VPCs.Len(tx) >= tx.Quotas.VPCsPerRegion {
			return nil, fault.VpcLimitExceeded.With()
		}
		v := newVPC(tx, block)
		v.Tenancy, v.Tags = tenancy, tags
		if amazon || own.IsValid() {
			b, err := newIPv6Block(tx, own, border)
			if err != nil {
				return nil, err
			}
			v.Blocks = append(v.Blocks, b)
		}
		state.VPCs.Put(tx, v)
		newDefaultGroup(tx, v)
		furnishVPC(tx, v)
		return &CreateVpcOutput{Vpc: newVPCShape(v)}, nil
	},
}

// CreateVpcInput is what CreateVpc takes.
type CreateVpcInput struct {
	CidrBlock                       string
	Ipv6Pool                        string
	Ipv6CidrBlock                   string
	Ipv4IpamPoolId                  string
	Ipv4NetmaskLength               *int32
	Ipv6IpamPoolId                  string
	Ipv6NetmaskLength               *int32
	Ipv6CidrBlockNetworkBorderGroup string
	VpcEncryptionControl            *VpcEncryptionControlConfiguration
	TagSpecifications               []TagSpecification `in:"TagSpecification"`
	DryRun                          bool
	InstanceTenancy                 string
	AmazonProvidedIpv6CidrBlock     *bool
}

// CreateVpcOutput is what CreateVpc gives.
type CreateVpcOutput struct {
	Vpc *Vpc
}
