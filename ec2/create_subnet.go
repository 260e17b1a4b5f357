package ec2

import (
	"net/netip"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateSubnet makes a subnet in one zone of a VPC.
var CreateSubnet = action.Write[CreateSubnetInput, CreateSubnetOutput]{
	Name: "CreateSubnet",
	Doc:  `Creates a subnet in an Availability Zone of a VPC, with an IPv4 block, an IPv6 block or both.`,
	Plan: func(tx *state.Txn, in *CreateSubnetInput) (*CreateSubnetOutput, error) {
		native := in.Ipv6Native != nil && *in.Ipv6Native
		if in.VpcId == "" {
			return nil, fault.MissingParameter.With("vpcId")
		}
		switch {
		case native && in.Ipv6CidrBlock == "" && in.Ipv6IpamPoolId == "":
			return nil, fault.MissingParameter.Say("Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided.")
		case native && (in.CidrBlock != "" || in.Ipv4IpamPoolId != ""):
			return nil, fault.InvalidParameterCombination.Say("When specifying ipv4 parameters, cidrBlock or ipv4IpamPoolId, you cannot set ipv6Native to true.")
		case !native && in.CidrBlock == "" && in.Ipv4IpamPoolId == "":
			return nil, fault.MissingParameter.Say("Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
		}
		if err := checkVPCID(in.VpcId); err != nil {
			return nil, err
		}
		if err := noPools(in.Ipv4IpamPoolId, in.Ipv4NetmaskLength, in.Ipv6IpamPoolId, in.Ipv6NetmaskLength); err != nil {
			return nil, err
		}
		if in.OutpostArn != "" {
			return nil, fault.InvalidParameterValue.With(in.OutpostArn, "outpostArn", "The Outpost does not exist.")
		}
		if in.CidrBlock != "" {
			if _, err := vpc.ParseCIDR4("cidrBlock", in.CidrBlock); err != nil {
				return nil, err
			}
		}
		zone, err := askedZone(tx, in.AvailabilityZone, in.AvailabilityZoneId)
		if err != nil {
			return nil, err
		}
		tags, err := taggedWith(tx, in.TagSpecifications, "subnet")
		if err != nil {
			return nil, err
		}
		v, err := vpcOf(tx, in.VpcId)
		if err != nil {
			return nil, err
		}
		if zone.Name == "" {
			zone = emptiestZone(tx, v)
		}
		s := newSubnet(tx, v, zone, netip.Prefix{})
		s.Tags = tags
		if in.CidrBlock != "" {
			if s.CIDR, err = v.SubnetBlock(in.CidrBlock); err != nil {
				return nil, err
			}
			if conflicts(tx, v, s.CIDR) {
				return nil, fault.InvalidSubnetConflict.With(in.CidrBlock)
			}
		}
		if in.Ipv6CidrBlock != "" {
			b, err := subnetIPv6Block(tx, v, in.Ipv6CidrBlock)
			if err != nil {
				return nil, err
			}
			s.IPv6 = []vpc.Block{b}
		}
		if native {
			makeNative(s)
		}
		if err := subnetQuota(tx, v); err != nil {
			return nil, err
		}
		putSubnet(tx, s)
		return &CreateSubnetOutput{Subnet: newSubnetShape(tx, tx.Scope, s)}, nil
	},
}

// makeNative makes a new subnet one of IPv6 alone: addresses are given out by
// themselves, and names come from instances, since there is no IPv4 address to
// name. VPC user guide, "Subnet types".
func makeNative(s *vpc.Subnet) {
	s.IPv6Native, s.AssignIPv6, s.HostnameType = true, true, "resource-name"
}

// askedZone gives the zone that a request names, by name or by id; the zero
// zone when it names none.
func askedZone(tx *state.Txn, name, id string) (vpc.Zone, error) {
	parameter, value, find := "availabilityZone", name, vpc.ZoneNamed
	switch {
	case name != "" && id != "":
		return vpc.Zone{}, fault.InvalidParameterCombination.With("availabilityZone", "availabilityZoneId")
	case name == "" && id == "":
		return vpc.Zone{}, nil
	case id != "":
		parameter, value, find = "availabilityZoneId", id, vpc.ZoneByID
	}
	z, ok := find(tx.Region, value)
	if ok {
		return z, nil
	}
	var there []string
	for _, z := range vpc.Zones(tx.Region) {
		if id != "" {
			there = append(there, z.ID)
		} else {
			there = append(there, z.Name)
		}
	}
	return vpc.Zone{}, fault.InvalidParameterValue.With(value, parameter,
		"Subnets can currently only be created in the following availability zones: "+strings.Join(there, ", ")+".")
}

// emptiestZone gives the zone in which a VPC has the fewest subnets.
func emptiestZone(tx *state.Txn, v *vpc.VPC) vpc.Zone {
	n := map[string]int{}
	for s := range state.Subnets.By(tx, state.SubnetsByVPC, string(v.ID)) {
		n[s.AvailabilityZone]++
	}
	zones := vpc.Zones(tx.Region)
	best := zones[0]
	for _, z := range zones[1:] {
		if n[z.Name] < n[best.Name] {
			best = z
		}
	}
	return best
}

// conflicts reports whether a subnet of a VPC has addresses of p.
func conflicts(r state.Reader, v *vpc.VPC, p netip.Prefix) bool {
	for s := range state.Subnets.By(r, state.SubnetsByVPC, string(v.ID)) {
		if s.Conflicts(p) {
			return true
		}
	}
	return false
}

// subnetIPv6Block gives the IPv6 block for a subnet of a VPC.
func subnetIPv6Block(tx *state.Txn, v *vpc.VPC, cidr string) (vpc.Block, error) {
	p, err := v.SubnetIPv6Block(cidr)
	if err != nil {
		return vpc.Block{}, err
	}
	if conflicts(tx, v, p) {
		return vpc.Block{}, fault.InvalidSubnetConflict.Say("The IPv6 CIDR '%s' conflicts with another subnet", cidr)
	}
	b := vpc.Block{Association: vpc.AssociationID(tx.NewID(vpc.SubnetAssociationPrefix)), CIDR: p}
	for _, of := range v.Blocks {
		if of.Pool == vpc.OwnIPv6Pool && vpc.Contains(of.CIDR, p) {
			b.Pool = of.Pool
		}
	}
	return b, nil
}

// subnetQuota refuses one more subnet in a VPC that is full.
func subnetQuota(tx *state.Txn, v *vpc.VPC) error {
	most := tx.Quotas.SubnetsPerVPC
	if state.Subnets.Count(tx, state.SubnetsByVPC, string(v.ID), most) >= most {
		return fault.SubnetLimitExceeded.With()
	}
	return nil
}

// CreateSubnetInput is what CreateSubnet takes.
type CreateSubnetInput struct {
	TagSpecifications  []TagSpecification `in:"TagSpecification"`
	AvailabilityZone   string
	AvailabilityZoneId string
	CidrBlock          string
	Ipv6CidrBlock      string
	OutpostArn         string
	VpcId              string // required
	Ipv6Native         *bool
	Ipv4IpamPoolId     string
	Ipv4NetmaskLength  *int32
	Ipv6IpamPoolId     string
	Ipv6NetmaskLength  *int32
	DryRun             bool
}

// CreateSubnetOutput is what CreateSubnet gives.
type CreateSubnetOutput struct {
	Subnet *Subnet
}
