package ec2

// UnassignIpv6AddressesInput is what UnassignIpv6Addresses takes.
type UnassignIpv6AddressesInput struct {
	Ipv6Prefixes       []string `in:"Ipv6Prefix"`
	NetworkInterfaceId string   // required
	Ipv6Addresses      []string
}

// UnassignIpv6AddressesOutput is what UnassignIpv6Addresses gives.
type UnassignIpv6AddressesOutput struct {
	NetworkInterfaceId      string
	UnassignedIpv6Addresses []string
	UnassignedIpv6Prefixes  []string `out:"unassignedIpv6PrefixSet"`
}
