package ec2

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeAddresses lists elastic addresses.
var DescribeAddresses = action.Describe[DescribeAddressesInput, DescribeAddressesOutput, *vpc.Address, Address]{
	Name: "DescribeAddresses",
	Doc:  "Lists elastic addresses: all, by allocation, by address, or by filter.",
	List: "addressesSet",

	IDs: func(c *action.Call, in *DescribeAddressesInput) ([]*vpc.Address, bool, error) {
		for _, id := range in.AllocationIds {
			if err := checkAllocationID(id); err != nil {
				return nil, false, err
			}
		}
		var rows []*vpc.Address
		var missing []string
		for _, id := range in.AllocationIds {
			if a := state.Addresses.Get(c, vpc.AllocationID(id)); a != nil {
				rows = append(rows, a)
			} else {
				missing = append(missing, id)
			}
		}
		switch {
		case len(missing) == 1:
			return nil, false, fault.InvalidAllocationNotFound.With(missing[0])
		case len(missing) > 1:
			return nil, false, fault.InvalidAllocationsNotFound.With(strings.Join(missing, ", "))
		}
		for _, ip := range in.PublicIps {
			a, err := addressOf(c, "", ip)
			if err != nil {
				return nil, false, err
			}
			rows = append(rows, a)
		}
		return rows, len(rows) > 0, nil
	},
	From: fromKind[DescribeAddressesInput](state.Addresses),
	ID:   func(a *vpc.Address) string { return string(a.ID) },

	Filters: []action.Match[*vpc.Address]{
		action.On("allocation-id", func(a *vpc.Address) string { return string(a.ID) }).Indexed(findID(state.Addresses)),
		action.On("public-ip", func(a *vpc.Address) string { return a.Address.String() }).Indexed(findBy(state.Addresses, state.AddressesByIP)),
		action.On("domain", func(*vpc.Address) string { return "vpc" }),
		{Name: "network-border-group", Values: func(c *action.Call, _ *vpc.Address, yield func(string)) { yield(c.Region) }},
		onAssociated("association-id", func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Association }).Indexed(addressesAssociated),
		onAssociated("network-interface-id", func(i *vpc.Interface, _ vpc.PublicAddress) string { return string(i.ID) }),
		onAssociated("network-interface-owner-id", func(i *vpc.Interface, _ vpc.PublicAddress) string { return string(i.Owner) }),
		onAssociated("private-ip-address", func(_ *vpc.Interface, p vpc.PublicAddress) string { return p.Private.String() }),
		onAssociated("instance-id", func(i *vpc.Interface, _ vpc.PublicAddress) string {
			if i.Attachment == nil {
				return ""
			}
			return i.Attachment.Instance
		}),
	},
	Tags: taggedRows(state.Addresses, func(a *vpc.Address) vpc.Tags { return a.Tags }),

	Shape: func(c *action.Call, a *vpc.Address) Address { return addressShape(c, c.Region, a) },
}

func onAssociated(name string, get func(*vpc.Interface, vpc.PublicAddress) string) action.Match[*vpc.Address] {
	return action.Match[*vpc.Address]{Name: name, Values: func(c *action.Call, a *vpc.Address, yield func(string)) {
		if i, p := interfaceWith(c, string(a.ID)); i != nil {
			if v := get(i, p); v != "" {
				yield(v)
			}
		}
	}}
}

func addressesAssociated(c *action.Call, association string) seq[*vpc.Address] {
	return func(yield func(*vpc.Address) bool) {
		if _, p := interfaceWith(c, association); p.Allocation != "" {
			if a := state.Addresses.Get(c, p.Allocation); a != nil {
				yield(a)
			}
		}
	}
}

// addressShape gives an elastic address as it is described.
func addressShape(r state.Reader, region string, a *vpc.Address) Address {
	s := Address{
		AllocationId: string(a.ID), Domain: "vpc", PublicIp: a.Address.String(), PublicIpv4Pool: a.Pool, NetworkBorderGroup: region, Tags: tagsIfAny(a.Tags),
	}
	if i, p := interfaceWith(r, string(a.ID)); i != nil {
		s.AssociationId, s.NetworkInterfaceId, s.NetworkInterfaceOwnerId, s.PrivateIpAddress = p.Association, string(i.ID), string(i.Owner), p.Private.String()
		if i.Attachment != nil {
			s.InstanceId = i.Attachment.Instance
		}
	}
	return s
}

// DescribeAddressesInput is what DescribeAddresses takes.
type DescribeAddressesInput struct {
	PublicIps     []string `in:"PublicIp"`
	DryRun        bool
	Filters       []Filter `in:"Filter"`
	AllocationIds []string `in:"AllocationId"`
}

// DescribeAddressesOutput is what DescribeAddresses gives.
type DescribeAddressesOutput struct {
	Addresses []Address `out:"addressesSet"`
}
