package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var UnassignPrivateIpAddresses = action.Write[UnassignPrivateIpAddressesInput, UnassignPrivateIpAddressesOutput]{
	Name: "UnassignPrivateIpAddresses",
	Doc:  "Takes secondary private IPv4 addresses, or blocks of them, from a network interface.",

	Plan: func(tx *state.Txn, in *UnassignPrivateIpAddressesInput) (*UnassignPrivateIpAddressesOutput, error) {
		if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
			return nil, err
		}
		addresses, err := eachParsed(in.PrivateIpAddresses, vpc.ParseIPv4)
		if err != nil {
			return nil, err
		}
		blocks, err := eachParsed(in.Ipv4Prefixes, vpc.ParseIPv4Block)
		if err != nil {
			return nil, err
		}
		if len(addresses)+len(blocks) == 0 {
			return nil, fault.MissingParameter.With("privateIpAddress")
		}
		old, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if len(old.Addresses) > 0 && old.Addresses[0] == a {
				return nil, fault.InvalidParameterValue.With(a, "privateIpAddress", "The primary IP address of an interface cannot be unassigned.")
			}
		}
		i := *old
		if i.Addresses, err = unassign(old, old.Addresses, addresses, "addresses"); err != nil {
			return nil, err
		}
		if i.IPv4Prefixes, err = unassign(old, old.IPv4Prefixes, blocks, "prefixes"); err != nil {
			return nil, err
		}
		i.Public = publicOfHis(&i)
		state.Interfaces.Put(tx, &i)
		return &UnassignPrivateIpAddressesOutput{Return: true}, nil
	},
}

// unassign gives what an interface keeps of a list of things; all that go must
// be there.
func unassign[T comparable](i *vpc.Interface, has, gone []T, things string) ([]T, error) {
	for _, g := range gone {
		if !slices.Contains(has, g) {
			return nil, fault.InvalidParameterValue.Say("Some of the specified %s are not assigned to interface %s", things, i.ID)
		}
	}
	return without(has, gone...), nil
}

// UnassignPrivateIpAddressesInput is what UnassignPrivateIpAddresses takes.
type UnassignPrivateIpAddressesInput struct {
	Ipv4Prefixes       []string `in:"Ipv4Prefix"`
	NetworkInterfaceId string   // required
	PrivateIpAddresses []string `in:"PrivateIpAddress"`
}

// UnassignPrivateIpAddressesOutput is what UnassignPrivateIpAddresses gives.
type UnassignPrivateIpAddressesOutput struct {
	Return bool
}
