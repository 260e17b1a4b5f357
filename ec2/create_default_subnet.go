package ec2

import (
	"net/netip"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateDefaultSubnet makes the default subnet of a zone anew after it was
// deleted.
var CreateDefaultSubnet = action.Write[CreateDefaultSubnetInput, CreateDefaultSubnetOutput]{
	Name: "CreateDefaultSubnet",
	Doc:  `Creates the default subnet of an Availability Zone in the default VPC.`,
	Plan: func(tx *state.Txn, in *CreateDefaultSubnetInput) (*CreateDefaultSubnetOutput, error) {
		if in.AvailabilityZone == "" && in.AvailabilityZoneId == "" {
			return nil, fault.MissingParameter.With("availabilityZone")
		}
		zone, err := askedZone(tx, in.AvailabilityZone, in.AvailabilityZoneId)
		if err != nil {
			return nil, err
		}
		v := state.DefaultVPC(tx)
		if v == nil {
			return nil, fault.DefaultVpcDoesNotExist.With()
		}
		var taken []netip.Prefix
		for s := range state.Subnets.By(tx, state.SubnetsByVPC, string(v.ID)) {
			if s.DefaultForAZ && s.AvailabilityZone == zone.Name {
				return nil, fault.DefaultSubnetAlreadyExists.With(s.ID, zone.Name)
			}
			if s.CIDR.IsValid() {
				taken = append(taken, s.CIDR)
			}
			for _, b := range s.IPv6 {
				taken = append(taken, b.CIDR)
			}
		}
		native := in.Ipv6Native != nil && *in.Ipv6Native
		cidr, ok := defaultSubnetBlock(v, native, taken)
		switch {
		case !ok && native && !v.HasIPv6():
			return nil, fault.InvalidParameterValue.With("true", "ipv6Native", "The default VPC does not have an IPv6 CIDR block.")
		case !ok:
			return nil, fault.InvalidSubnetConflict.With(v.CIDR())
		}
		if err := subnetQuota(tx, v); err != nil {
			return nil, err
		}
		var s *vpc.Subnet
		if native {
			s = newDefaultSubnet(tx, v, zone, netip.Prefix{})
			s.MapPublicIP = false
			s.IPv6 = []vpc.Block{{Association: vpc.AssociationID(tx.NewID(vpc.SubnetAssociationPrefix)), CIDR: cidr}}
			makeNative(s)
		} else {
			s = newDefaultSubnet(tx, v, zone, cidr)
		}
		putSubnet(tx, s)
		return &CreateDefaultSubnetOutput{Subnet: newSubnetShape(tx, tx.Scope, s)}, nil
	},
}

// defaultSubnetBlock gives the first free block for a default subnet: a /20 of
// the VPC's IPv4 blocks, or for IPv6 alone a /64.
func defaultSubnetBlock(v *vpc.VPC, ipv6 bool, taken []netip.Prefix) (netip.Prefix, bool) {
	bits := 20
	if ipv6 {
		bits = 64
	}
	for _, b := range v.Blocks {
		if b.CIDR.Addr().Is6() != ipv6 {
			continue
		}
		if p, ok := vpc.NextFree(b.CIDR, bits, taken); ok {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// CreateDefaultSubnetInput is what CreateDefaultSubnet takes.
type CreateDefaultSubnetInput struct {
	AvailabilityZone   string
	DryRun             bool
	Ipv6Native         *bool
	AvailabilityZoneId string
}

// CreateDefaultSubnetOutput is what CreateDefaultSubnet gives.
type CreateDefaultSubnetOutput struct {
	Subnet *Subnet
}
