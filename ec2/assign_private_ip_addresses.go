package ec2

import (
	"net/netip"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var AssignPrivateIpAddresses = action.Write[AssignPrivateIpAddressesInput, AssignPrivateIpAddressesOutput]{
	Name: "AssignPrivateIpAddresses",
	Doc:  "Gives a network interface secondary private IPv4 addresses, or blocks of them.",

	Plan: func(tx *state.Txn, in *AssignPrivateIpAddressesInput) (*AssignPrivateIpAddressesOutput, error) {
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
		if len(old.Addresses) == 0 {
			return nil, fault.UnsupportedOperation.With("Network interface '" + string(old.ID) + "' does not have a primary private IPv4 address.")
		}
		out := &AssignPrivateIpAddressesOutput{NetworkInterfaceId: string(old.ID)}
		for _, a := range w.addresses {
			out.AssignedPrivateIpAddresses = append(out.AssignedPrivateIpAddresses, AssignedPrivateIpAddress{a.String()})
		}
		if w.addresses, err = makeFree(tx, old, w.addresses, in.AllowReassignment != nil && *in.AllowReassignment); err != nil {
			return nil, err
		}
		if err := room(tx, len(old.Addresses)+len(old.IPv4Prefixes), w); err != nil {
			return nil, err
		}
		addresses, blocks, err := w.grantIPv4(allocatorFor(tx, state.Subnets.Get(tx, old.Subnet)))
		if err != nil {
			return nil, err
		}
		i := *old
		i.Addresses = slices.Concat(old.Addresses, addresses)
		i.IPv4Prefixes = slices.Concat(old.IPv4Prefixes, blocks)
		state.Interfaces.Put(tx, &i)

		for _, a := range addresses[len(w.addresses):] {
			out.AssignedPrivateIpAddresses = append(out.AssignedPrivateIpAddresses, AssignedPrivateIpAddress{a.String()})
		}
		for _, b := range blocks {
			out.AssignedIpv4Prefixes = append(out.AssignedIpv4Prefixes, Ipv4PrefixSpecification{b.String()})
		}
		return out, nil
	},
}

func (in *AssignPrivateIpAddressesInput) wish() (*wish, error) {
	w := &wish{}
	var err error
	if w.addresses, err = eachParsed(in.PrivateIpAddresses, vpc.ParseIPv4); err != nil {
		return nil, err
	}
	if w.count, err = howMany(in.SecondaryPrivateIpAddressCount, "secondaryPrivateIpAddressCount"); err != nil {
		return nil, err
	}
	if w.blocks, err = eachParsed(in.Ipv4Prefixes, vpc.ParseIPv4Block); err != nil {
		return nil, err
	}
	if w.blockNum, err = howMany(in.Ipv4PrefixCount, "ipv4PrefixCount"); err != nil {
		return nil, err
	}
	if err := onlyOne(given{"privateIpAddresses", len(w.addresses) > 0}, given{"secondaryPrivateIpAddressCount", w.count > 0}); err != nil {
		return nil, err
	}
	if err := onlyOne(given{"ipv4Prefixes", len(w.blocks) > 0}, given{"ipv4PrefixCount", w.blockNum > 0}); err != nil {
		return nil, err
	}
	if w.empty() {
		return nil, fault.MissingParameter.With("secondaryPrivateIpAddressCount or privateIpAddresses")
	}
	return w, nil
}

// makeFree takes secondary addresses that i is to get away from those that
// hold them, if the request allows it, and gives the addresses that i does not
// have yet.
func makeFree(tx *state.Txn, i *vpc.Interface, addresses []netip.Addr, allow bool) ([]netip.Addr, error) {
	var wanted []netip.Addr
	var held []string
	for _, a := range addresses {
		h := holderOf(tx, i.Subnet, a)
		switch {
		case h == nil:
			wanted = append(wanted, a)
		case !allow:
			held = append(held, a.String())
		case h.ID == i.ID:
		case h.Addresses[0] == a:
			return nil, fault.InvalidParameterValue.With(a, "privateIpAddress", "The primary IP address of an interface cannot be reassigned.")
		default:
			c := *h
			c.Addresses = without(h.Addresses, a)
			c.Public = publicOfHis(&c)
			state.Interfaces.Put(tx, &c)
			wanted = append(wanted, a)
		}
	}
	if len(held) > 0 {
		return nil, fault.InvalidParameterValue.Say("[%s] assigned, but move is not allowed.", strings.Join(held, ", "))
	}
	return wanted, nil
}

// without gives a copy of a list without some of its values.
func without[T comparable](list []T, gone ...T) []T {
	var out []T
	for _, v := range list {
		if !slices.Contains(gone, v) {
			out = append(out, v)
		}
	}
	return out
}

// AssignPrivateIpAddressesInput is what AssignPrivateIpAddresses takes.
type AssignPrivateIpAddressesInput struct {
	Ipv4Prefixes                   []string `in:"Ipv4Prefix"`
	Ipv4PrefixCount                *int32
	NetworkInterfaceId             string   // required
	PrivateIpAddresses             []string `in:"PrivateIpAddress"`
	SecondaryPrivateIpAddressCount *int32
	AllowReassignment              *bool
}

// AssignPrivateIpAddressesOutput is what AssignPrivateIpAddresses gives.
type AssignPrivateIpAddressesOutput struct {
	NetworkInterfaceId         string
	AssignedPrivateIpAddresses []AssignedPrivateIpAddress `out:"assignedPrivateIpAddressesSet"`
	AssignedIpv4Prefixes       []Ipv4PrefixSpecification  `out:"assignedIpv4PrefixSet"`
}
