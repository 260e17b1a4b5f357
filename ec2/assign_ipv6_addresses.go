package ec2

// AssignIpv6AddressesInput is what AssignIpv6Addresses takes.
type AssignIpv6AddressesInput struct {
	Ipv6PrefixCount    *int32
	Ipv6Prefixes       []string `in:"Ipv6Prefix"`
	NetworkInterfaceId string   // required
	Ipv6Addresses      []string
	Ipv6AddressCount   *int32
}

// AssignIpv6AddressesOutput is what AssignIpv6Addresses gives.
type AssignIpv6AddressesOutput struct {
	AssignedIpv6Addresses []string
	AssignedIpv6Prefixes  []string `out:"assignedIpv6PrefixSet"`
	NetworkInterfaceId    string
}
