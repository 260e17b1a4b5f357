package ec2

import (
	"net/netip"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var addressActions = []action.Action{
	AllocateAddress, AssociateAddress, DisassociateAddress, ReleaseAddress, DescribeAddresses, DescribeAddressesAttribute,
}

var (
	checkAllocationID         = wellFormed(vpc.AllocationPrefix, fault.InvalidAllocationMalformed)
	checkAddressAssociationID = wellFormed(vpc.AddressAssociationPrefix, fault.InvalidAssociationMalformed)
)

// addressOf gives the elastic address that a request names by its allocation
// or by itself.
func addressOf(r state.Reader, allocation, public string) (*vpc.Address, error) {
	switch {
	case allocation != "" && public != "":
		return nil, fault.InvalidParameterCombination.Say("You may specify public IP or allocation id, but not both in the same call")
	case allocation != "":
		if err := checkAllocationID(allocation); err != nil {
			return nil, err
		}
		a := state.Addresses.Get(r, vpc.AllocationID(allocation))
		if a == nil {
			return nil, fault.InvalidAllocationNotFound.With(allocation)
		}
		return a, nil
	case public != "":
		for a := range state.Addresses.By(r, state.AddressesByIP, public) {
			return a, nil
		}
		return nil, fault.InvalidAddressNotFound.With(public)
	}
	return nil, fault.MissingParameter.With("AllocationId")
}

// interfaceWith gives the interface that a public address, an allocation or an
// association belongs to, with what it has of it; nil for none.
func interfaceWith(r state.Reader, key string) (*vpc.Interface, vpc.PublicAddress) {
	for i := range state.Interfaces.By(r, state.InterfacesByPublic, key) {
		for _, p := range i.Public {
			if p.Address.String() == key || string(p.Allocation) == key || p.Association == key {
				return i, p
			}
		}
	}
	return nil, vpc.PublicAddress{}
}

// disassociate takes an elastic address off its interface. The primary
// interface of an instance that was launched with a public address gets a new
// one: EC2 user guide, "Disassociate an Elastic IP address".
func disassociate(tx *state.Txn, eni *vpc.Interface, p vpc.PublicAddress) error {
	c := *eni
	c.Public = eni.WithoutPublic(func(o vpc.PublicAddress) bool { return o == p })
	state.Interfaces.Put(tx, &c)
	if a := eni.Attachment; a != nil && a.Instance != "" {
		if i := state.Instances.Get(tx, vpc.InstanceID(a.Instance)); i != nil && i.State == vpc.Running {
			return relaunchPublic(tx, i.ID)
		}
	}
	return nil
}

// publicHeld reports whether a public address is somebody's in this account
// and region.
func publicHeld(r state.Reader, a netip.Addr) bool {
	return state.Addresses.Count(r, state.AddressesByIP, a.String(), 1) > 0 ||
		state.Interfaces.Count(r, state.InterfacesByPublic, a.String(), 1) > 0
}

// newPublicAddress draws an address of the pool that nobody has.
func newPublicAddress(tx *state.Txn) (netip.Addr, error) {
	for range 1000 {
		if a := vpc.PublicAddressAt(tx.Random()); !publicHeld(tx, a) {
			return a, nil
		}
	}
	return netip.Addr{}, fault.InsufficientAddressCapacity.With(vpc.PublicPoolName)
}

// publicOfHis gives the public addresses that an interface keeps: those of
// private addresses that it has.
func publicOfHis(i *vpc.Interface) []vpc.PublicAddress {
	return i.WithoutPublic(func(p vpc.PublicAddress) bool { return !slices.Contains(i.Addresses, p.Private) })
}
