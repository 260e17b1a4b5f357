package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var AssignIpv6Addresses = action.Write[AssignIpv6AddressesInput, AssignIpv6AddressesOutput]{
	Name: "AssignIpv6Addresses",
	Doc:  "Gives a network interface IPv6 addresses, or blocks of them.",

	Plan: func(tx *state.Txn, in *AssignIpv6AddressesInput) (*AssignIpv6AddressesOutput, error) {
		if err := needInterfaceID(in.NetworkInterfaceId); err != nil {
			return nil, err
		}
		w, err := in.wish()
		if err != nil {
			return nil, err
		}
		old, err := interfaceOf(tx, in.NetworkInterfaceId)
		if err != nil {
			return nil, err
		}
		if old.Type == "efa-only" {
			return nil, fault.InvalidParameterCombination.Say("Network interfaces of type efa-only do not support IP addresses.")
		}
		s := state.Subnets.Get(tx, old.Subnet)
		if err := hasIPv6(s, w); err != nil {
			return nil, err
		}
		if err := room(tx, len(old.IPv6)+len(old.IPv6Prefixes), w); err != nil {
			return nil, err
		}
		addresses, blocks, err := w.grantIPv6(allocatorFor(tx, s))
		if err != nil {
			return nil, err
		}
		i := *old
		i.IPv6 = slices.Concat(old.IPv6, addresses)
		i.IPv6Prefixes = slices.Concat(old.IPv6Prefixes, blocks)
		state.Interfaces.Put(tx, &i)
		return &AssignIpv6AddressesOutput{
			NetworkInterfaceId: string(i.ID), AssignedIpv6Addresses: texts(addresses), AssignedIpv6Prefixes: texts(blocks),
		}, nil
	},
}

func (in *AssignIpv6AddressesInput) wish() (*wish, error) {
	w := &wish{}
	var err error
	if w.addresses, err = eachParsed(in.Ipv6Addresses, vpc.ParseIPv6); err != nil {
		return nil, err
	}
	if w.count, err = howMany(in.Ipv6AddressCount, "ipv6AddressCount"); err != nil {
		return nil, err
	}
	if w.blocks, err = eachParsed(in.Ipv6Prefixes, vpc.ParseIPv6Block); err != nil {
		return nil, err
	}
	if w.blockNum, err = howMany(in.Ipv6PrefixCount, "ipv6PrefixCount"); err != nil {
		return nil, err
	}
	if err := onlyOne(given{"ipv6Addresses", len(w.addresses) > 0}, given{"ipv6AddressCount", w.count > 0}); err != nil {
		return nil, err
	}
	if err := onlyOne(given{"ipv6Prefixes", len(w.blocks) > 0}, given{"ipv6PrefixCount", w.blockNum > 0}); err != nil {
		return nil, err
	}
	if w.empty() {
		return nil, fault.MissingParameter.With("ipv6AddressCount or ipv6Addresses")
	}
	return w, nil
}

// texts gives the text of addresses or blocks.
func texts[T interface{ String() string }](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}

// AssignIpv6AddressesInput is what AssignIpv6Addresses takes.
type AssignIpv6AddressesInput struct {
	Ipv6PrefixCount    *int32
	Ipv6Prefixes       []string `in:"Ipv6Prefix"`
	NetworkInterfaceId string   // required
	Ipv6Addresses      []string
	Ipv6AddressCount   *int32
}

// AssignIpv6AddressesOutput is what AssignIpv6Addresses gives.
type AssignIpv6AddressesOutput struct {
	AssignedIpv6Addresses []string
	AssignedIpv6Prefixes  []string `out:"assignedIpv6PrefixSet"`
	NetworkInterfaceId    string
}
