package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DisassociateSubnetCidrBlock takes the IPv6 block from a subnet.
var DisassociateSubnetCidrBlock = action.Write[DisassociateSubnetCidrBlockInput, DisassociateSubnetCidrBlockOutput]{
	Name: "DisassociateSubnetCidrBlock",
	Doc:  `Disassociates the IPv6 block from a subnet. No network interface may have an address of it.`,
	Plan: func(tx *state.Txn, in *DisassociateSubnetCidrBlockInput) (*DisassociateSubnetCidrBlockOutput, error) {
		if in.AssociationId == "" {
			return nil, fault.MissingParameter.With("associationId")
		}
		if !vpc.WellFormed(vpc.SubnetAssociationPrefix, in.AssociationId) {
			return nil, fault.InvalidSubnetCidrMalformed.With(in.AssociationId)
		}
		var old *vpc.Subnet
		for s := range state.Subnets.By(tx, state.SubnetsByAssociation, in.AssociationId) {
			old = s
		}
		if old == nil {
			return nil, fault.InvalidSubnetCidrAssociation.With(in.AssociationId)
		}
		at := slices.IndexFunc(old.IPv6, func(b vpc.Block) bool { return string(b.Association) == in.AssociationId })
		b := old.IPv6[at]
		refused := "The subnet IPv6 CIDR block with association ID " + in.AssociationId + " may not be disassociated"
		switch {
		case old.IPv6Native:
			return nil, fault.OperationNotPermitted.With(refused + ". It is the only CIDR block of the subnet")
		case old.AssignIPv6:
			return nil, fault.InvalidCidrBlockInUse.With(refused + ", because its subnet has assign-ipv6-address-on-creation set to true.")
		}
		if by := addressHolders(tx, old, b); len(by) > 0 {
			return nil, fault.InvalidCidrBlockInUse.With(holders(refused+", because it has addresses that are assigned to network interfaces.", by))
		}
		s := *old
		s.IPv6 = slices.Delete(slices.Clone(s.IPv6), at, at+1)
		s.EnableDNS64, s.DNSAAAA = false, false
		state.Subnets.Put(tx, &s)
		return &DisassociateSubnetCidrBlockOutput{SubnetId: string(s.ID), Ipv6CidrBlockAssociation: subnetIPv6Shape(b, "disassociating")}, nil
	},
}

// addressHolders names the interfaces with addresses of an IPv6 block.
func addressHolders(r state.Reader, s *vpc.Subnet, b vpc.Block) (by []string) {
	for i := range state.Interfaces.By(r, state.InterfacesBySubnet, string(s.ID)) {
		if slices.ContainsFunc(i.IPv6, b.CIDR.Contains) || slices.ContainsFunc(i.IPv6Prefixes, b.CIDR.Overlaps) {
			by = append(by, "network interface "+string(i.ID))
		}
	}
	return by
}

// DisassociateSubnetCidrBlockInput is what DisassociateSubnetCidrBlock takes.
type DisassociateSubnetCidrBlockInput struct {
	AssociationId string // required
}

// DisassociateSubnetCidrBlockOutput is what DisassociateSubnetCidrBlock gives.
type DisassociateSubnetCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *SubnetIpv6CidrBlockAssociation
	SubnetId                 string
}
