package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var UnassignIpv6Addresses = action.Write[UnassignIpv6AddressesInput, UnassignIpv6AddressesOutput]{
	Name: "UnassignIpv6Addresses",
	Doc:  "Takes IPv6 addresses, or blocks of them, from a network interface.",

	Plan: func(tx *state.Txn, in *UnassignIpv6AddressesInput) (*UnassignIpv6AddressesOutput, error) {
		if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
			return nil, err
		}
		addresses, err := eachParsed(in.Ipv6Addresses, vpc.ParseIPv6)
		if err != nil {
			return nil, err
		}
		blocks, err := eachParsed(in.Ipv6Prefixes, vpc.ParseIPv6Block)
		if err != nil {
			return nil, err
		}
		if len(addresses)+len(blocks) == 0 {
			return nil, fault.MissingParameter.With("ipv6Addresses")
		}
		old, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if old.PrimaryIPv6 && old.IPv6[0] == a {
				return nil, fault.InvalidParameterValue.With(a, "ipv6Addresses", "The primary IPv6 address of an interface cannot be unassigned.")
			}
		}
		i := *old
		if i.IPv6, err = unassign(old, old.IPv6, addresses, "addresses"); err != nil {
			return nil, err
		}
		if i.IPv6Prefixes, err = unassign(old, old.IPv6Prefixes, blocks, "prefixes"); err != nil {
			return nil, err
		}
		state.Interfaces.Put(tx, &i)
		return &UnassignIpv6AddressesOutput{
			NetworkInterfaceId: string(i.ID), UnassignedIpv6Addresses: texts(addresses), UnassignedIpv6Prefixes: texts(blocks),
		}, nil
	},
}

// UnassignIpv6AddressesInput is what UnassignIpv6Addresses takes.
type UnassignIpv6AddressesInput struct {
	Ipv6Prefixes       []string `in:"Ipv6Prefix"`
	NetworkInterfaceId string   // required
	Ipv6Addresses      []string
}

// UnassignIpv6AddressesOutput is what UnassignIpv6Addresses gives.
type UnassignIpv6AddressesOutput struct {
	NetworkInterfaceId      string
	UnassignedIpv6Addresses []string
	UnassignedIpv6Prefixes  []string `out:"unassignedIpv6PrefixSet"`
}
