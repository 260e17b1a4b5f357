package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeAddressesAttribute lists the names that addresses have in DNS.
var DescribeAddressesAttribute = action.Describe[DescribeAddressesAttributeInput, DescribeAddressesAttributeOutput, *vpc.Address, AddressAttribute]{
	Name: "DescribeAddressesAttribute",
	Doc:  "Lists the names that elastic addresses have in reverse DNS, which Moat does not serve: none has one.",
	List: "addressSet",

	Check: func(_ *action.Call, in *DescribeAddressesAttributeInput) error {
		if in.Attribute == "" {
			return nil
		}
		return oneOf("attribute", in.Attribute, "domain-name")
	},
	IDs: func(c *action.Call, in *DescribeAddressesAttributeInput) ([]*vpc.Address, bool, error) {
		return named(c, state.Addresses, in.AllocationIds, checkAllocationID, fault.InvalidAllocationNotFound)
	},
	// Those with a name are listed, and there is none.
	From: func(*action.Call, *DescribeAddressesAttributeInput, string) seq[*vpc.Address] {
		return func(func(*vpc.Address) bool) {}
	},
	ID: func(a *vpc.Address) string { return string(a.ID) },
	Shape: func(_ *action.Call, a *vpc.Address) AddressAttribute {
		return AddressAttribute{PublicIp: a.Address.String(), AllocationId: string(a.ID)}
	},
}

// DescribeAddressesAttributeInput is what DescribeAddressesAttribute takes.
type DescribeAddressesAttributeInput struct {
	AllocationIds []string `in:"AllocationId"`
	Attribute     string
	NextToken     string
	MaxResults    *int32
	DryRun        bool
}

// DescribeAddressesAttributeOutput is what DescribeAddressesAttribute gives.
type DescribeAddressesAttributeOutput struct {
	Addresses []AddressAttribute `out:"addressSet"`
	NextToken string
}
