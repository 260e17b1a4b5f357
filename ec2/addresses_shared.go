package ec2

import (
	"net/netip"
	"slices"

	"moat/fault"
	"moat/state"
	"moat/vpc"
)

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
