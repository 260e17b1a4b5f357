package ec2

import (
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeSubnets lists subnets.
var DescribeSubnets = action.Describe[DescribeSubnetsInput, DescribeSubnetsOutput, *vpc.Subnet, *Subnet]{
	Name: "DescribeSubnets",
	Doc:  `Lists subnets: all, by id, or by filter.`,
	List: "subnetSet",
	IDs: func(c *action.Call, in *DescribeSubnetsInput) ([]*vpc.Subnet, bool, error) {
		return named(c, state.Subnets, in.SubnetIds, checkSubnetID, fault.InvalidSubnetIDNotFound)
	},
	From: fromKind[DescribeSubnetsInput](state.Subnets),
	ID:   func(s *vpc.Subnet) string { return string(s.ID) },
	Filters: []action.Match[*vpc.Subnet]{
		action.On("subnet-id", func(s *vpc.Subnet) string { return string(s.ID) }).Indexed(findID(state.Subnets)),
		action.On("vpc-id", func(s *vpc.Subnet) string { return string(s.VPC) }).Indexed(findBy(state.Subnets, state.SubnetsByVPC)),
		action.On("availability-zone", func(s *vpc.Subnet) string { return s.AvailabilityZone }).Also("availabilityZone"),
		subnetFilter("availability-zone-id", func(c *action.Call, s *vpc.Subnet) string { return zoneID(c.Scope, s) }).Also("availabilityZoneId"),
		subnetFilter("available-ip-address-count", func(c *action.Call, s *vpc.Subnet) string { return strconv.Itoa(freeAddresses(c, s)) }),
		action.On("cidr-block", func(s *vpc.Subnet) string {
			if s.CIDR.IsValid() {
				return s.CIDR.String()
			}
			return ""
		}).Also("cidr", "cidrBlock"),
		action.On("customer-owned-ipv4-pool", func(s *vpc.Subnet) string { return s.CustomerOwnedIPPool }),
		action.OnBool("default-for-az", func(s *vpc.Subnet) bool { return s.DefaultForAZ }).Also("defaultForAz"),
		action.OnBool("enable-dns64", func(s *vpc.Subnet) bool { return s.EnableDNS64 }),
		action.On("enable-lni-at-device-index", func(s *vpc.Subnet) string {
			if s.LNIDeviceIndex > 0 {
				return strconv.Itoa(int(s.LNIDeviceIndex))
			}
			return ""
		}),
		subnetBlockFilter("ipv6-cidr-block-association.ipv6-cidr-block", func(b vpc.Block) string { return b.CIDR.String() }),
		subnetBlockFilter("ipv6-cidr-block-association.association-id", func(b vpc.Block) string { return string(b.Association) }).
			Indexed(findBy(state.Subnets, state.SubnetsByAssociation)),
		subnetBlockFilter("ipv6-cidr-block-association.state", func(vpc.Block) string { return "associated" }),
		action.OnBool("ipv6-native", func(s *vpc.Subnet) bool { return s.IPv6Native }),
		action.OnBool("map-customer-owned-ip-on-launch", func(s *vpc.Subnet) bool { return s.MapCustomerOwnedIP }),
		action.OnBool("map-public-ip-on-launch", func(s *vpc.Subnet) bool { return s.MapPublicIP }),
		action.On("outpost-arn", func(s *vpc.Subnet) string { return s.OutpostARN }),
		action.On("owner-id", func(s *vpc.Subnet) string { return string(s.Owner) }),
		action.On("private-dns-name-options-on-launch.hostname-type", func(s *vpc.Subnet) string { return s.HostnameType }),
		action.OnBool("private-dns-name-options-on-launch.enable-resource-name-dns-a-record", func(s *vpc.Subnet) bool { return s.DNSARecord }),
		action.OnBool("private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", func(s *vpc.Subnet) bool { return s.DNSAAAA }),
		action.On("state", func(*vpc.Subnet) string { return "available" }),
		subnetFilter("subnet-arn", func(c *action.Call, s *vpc.Subnet) string { return subnetARN(c.Scope, s) }),
	},
	Tags: taggedRows(state.Subnets, func(s *vpc.Subnet) vpc.Tags { return s.Tags }),
	// The number of free addresses depends on more than the row: no Key.
	Shape: func(c *action.Call, s *vpc.Subnet) *Subnet { return subnetShape(c, c.Scope, s) },
}

// subnetFilter gives a filter on what a subnet alone does not tell.
func subnetFilter(name string, get func(*action.Call, *vpc.Subnet) string) action.Match[*vpc.Subnet] {
	return action.Match[*vpc.Subnet]{Name: name, Values: func(c *action.Call, s *vpc.Subnet, yield func(string)) { yield(get(c, s)) }}
}

// subnetBlockFilter gives a filter on a subnet's IPv6 blocks.
func subnetBlockFilter(name string, get func(vpc.Block) string) action.Match[*vpc.Subnet] {
	return action.OnEach(name, func(s *vpc.Subnet, yield func(string)) {
		for _, b := range s.IPv6 {
			yield(get(b))
		}
	})
}

// freeAddresses gives how many IPv4 addresses of a subnet no interface has.
func freeAddresses(r state.Reader, s *vpc.Subnet) int {
	if !s.CIDR.IsValid() {
		return 0
	}
	n := vpc.HostAddresses(s.CIDR)
	for i := range state.Interfaces.By(r, state.InterfacesBySubnet, string(s.ID)) {
		n -= i.IPv4Held()
	}
	return n
}

// DescribeSubnetsInput is what DescribeSubnets takes.
type DescribeSubnetsInput struct {
	Filters    []Filter `in:"Filter"`
	SubnetIds  []string `in:"SubnetId"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
}

// DescribeSubnetsOutput is what DescribeSubnets gives.
type DescribeSubnetsOutput struct {
	NextToken string
	Subnets   []Subnet `out:"subnetSet"`
}
