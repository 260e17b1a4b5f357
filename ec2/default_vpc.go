package ec2

import (
	"net/netip"

	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// NewDefaultVPC puts a default VPC: 172.31.0.0/16, host names on, a subnet of
// 4096 addresses in each zone, an internet gateway with a route to it, and what
// every VPC begins with. A space that has one
// already is refused with DefaultVpcAlreadyExists. VPC user guide, "Default
// VPCs".
func NewDefaultVPC(tx *state.Txn) (*vpc.VPC, error) {
	if state.DefaultVPC(tx) != nil {
		return nil, fault.DefaultVpcAlreadyExists.With()
	}
	block := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, 0, 0}), 16)
	v := newVPC(tx, block)
	v.Default, v.EnableDNSHostnames = true, true
	state.VPCs.Put(tx, v)
	newDefaultGroup(tx, v)
	openToInternet(tx, v, furnishVPC(tx, v))
	for i, z := range vpc.Zones(tx.Region) {
		cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(i) << 4, 0}), 20)
		putSubnet(tx, newDefaultSubnet(tx, v, z, cidr))
	}
	return v, nil
}

// newVPC gives a VPC with one IPv4 block and EC2's defaults, not yet put.
func newVPC(tx *state.Txn, block netip.Prefix) *vpc.VPC {
	return &vpc.VPC{
		ID: vpc.VPCID(tx.NewID(vpc.VPCPrefix)), Owner: tx.Account, Tenancy: "default",
		Blocks: []vpc.Block{{
			Association: vpc.AssociationID(tx.NewID(vpc.VPCAssociationPrefix)), CIDR: block,
		}},
		DHCPOptions:      vpc.DefaultDHCPOptions(tx.Region, tx.Account),
		EnableDNSSupport: true,
		Created:          tx.Now,
	}
}

// newSubnet gives a subnet with EC2's defaults, not yet put.
func newSubnet(tx *state.Txn, v *vpc.VPC, z vpc.Zone, cidr netip.Prefix) *vpc.Subnet {
	return &vpc.Subnet{
		ID: vpc.SubnetID(tx.NewID(vpc.SubnetPrefix)), Owner: tx.Account, VPC: v.ID, CIDR: cidr,
		AvailabilityZone: z.Name, HostnameType: "ip-name",
	}
}

// newDefaultSubnet gives the default subnet of a zone, not yet put: what is
// launched there gets a public address.
func newDefaultSubnet(tx *state.Txn, v *vpc.VPC, z vpc.Zone, cidr netip.Prefix) *vpc.Subnet {
	s := newSubnet(tx, v, z, cidr)
	s.DefaultForAZ, s.MapPublicIP = true, true
	return s
}
