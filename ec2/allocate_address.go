package ec2

import (
	"net/netip"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// AllocateAddress takes a public address for the account.
var AllocateAddress = action.Write[AllocateAddressInput, AllocateAddressOutput]{
	Name: "AllocateAddress",
	Doc:  "Allocates an elastic address: one of 198.18.0.0/15, which is routed nowhere, or the address of yours that Address names.",

	Plan: func(tx *state.Txn, in *AllocateAddressInput) (*AllocateAddressOutput, error) {
		if in.Domain != "" {
			if err := oneOf("domain", in.Domain, "vpc", "standard"); err != nil {
				return nil, err
			}
		}
		switch {
		case in.PublicIpv4Pool != "" && in.PublicIpv4Pool != vpc.PublicPoolName:
			return nil, fault.InvalidPoolNotFound.With(in.PublicIpv4Pool)
		case in.IpamPoolId != "":
			return nil, fault.InvalidIpamPoolNotFound.With(in.IpamPoolId)
		case in.CustomerOwnedIpv4Pool != "":
			return nil, fault.InvalidPoolNotFound.With(in.CustomerOwnedIpv4Pool)
		case in.NetworkBorderGroup != "" && in.NetworkBorderGroup != tx.Region:
			return nil, fault.InvalidParameterValue.With(in.NetworkBorderGroup, "networkBorderGroup", "The network border group is not of this region.")
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "elastic-ip")
		if err != nil {
			return nil, err
		}
		if state.Addresses.Len(tx) >= tx.Quotas.AddressesPerRegion {
			return nil, fault.AddressLimitExceeded.With()
		}
		a := &vpc.Address{ID: vpc.AllocationID(tx.NewID(vpc.AllocationPrefix)), Owner: tx.Account, Pool: vpc.PublicPoolName, Created: tx.Now, Tags: tags}
		if in.Address == "" {
			if a.Address, err = newPublicAddress(tx); err != nil {
				return nil, err
			}
		} else if a.Address, err = ownAddress(tx, in.Address); err != nil {
			return nil, err
		}
		state.Addresses.Put(tx, a)
		return &AllocateAddressOutput{
			AllocationId: string(a.ID), PublicIp: a.Address.String(), PublicIpv4Pool: a.Pool, NetworkBorderGroup: tx.Region, Domain: "vpc",
		}, nil
	},
}

// ownAddress reads the address that a request names. EC2 gives back one that
// the account released; here it is any that the operator has.
func ownAddress(tx *state.Txn, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() || !a.IsGlobalUnicast() || a.IsPrivate() {
		return a, fault.InvalidParameterValue.With(text, "address", "It is no public IPv4 address.")
	}
	if publicHeld(tx, a) {
		return a, fault.InvalidIPAddressInUse.With(text)
	}
	return a, nil
}

// AllocateAddressInput is what AllocateAddress takes.
type AllocateAddressInput struct {
	Domain                string
	Address               string
	PublicIpv4Pool        string
	NetworkBorderGroup    string
	CustomerOwnedIpv4Pool string
	TagSpecifications     []TagSpecification `in:"TagSpecification"`
	IpamPoolId            string
	DryRun                bool
}

// AllocateAddressOutput is what AllocateAddress gives.
type AllocateAddressOutput struct {
	AllocationId          string
	PublicIpv4Pool        string
	NetworkBorderGroup    string
	Domain                string
	CustomerOwnedIp       string
	CustomerOwnedIpv4Pool string
	CarrierIp             string
	PublicIp              string
}
