package ec2

// UnassignPrivateIpAddressesInput is what UnassignPrivateIpAddresses takes.
type UnassignPrivateIpAddressesInput struct {
	Ipv4Prefixes       []string `in:"Ipv4Prefix"`
	NetworkInterfaceId string   // required
	PrivateIpAddresses []string `in:"PrivateIpAddress"`
}

// UnassignPrivateIpAddressesOutput is what UnassignPrivateIpAddresses gives.
type UnassignPrivateIpAddressesOutput struct {
	Return bool
}
