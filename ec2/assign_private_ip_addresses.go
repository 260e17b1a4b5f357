package ec2

// AssignPrivateIpAddressesInput is what AssignPrivateIpAddresses takes.
type AssignPrivateIpAddressesInput struct {
	Ipv4Prefixes                   []string `in:"Ipv4Prefix"`
	Ipv4PrefixCount                *int32
	NetworkInterfaceId             string   // required
	PrivateIpAddresses             []string `in:"PrivateIpAddress"`
	SecondaryPrivateIpAddressCount *int32
	AllowReassignment              *bool
}

// AssignPrivateIpAddressesOutput is what AssignPrivateIpAddresses gives.
type AssignPrivateIpAddressesOutput struct {
	NetworkInterfaceId         string
	AssignedPrivateIpAddresses []AssignedPrivateIpAddress `out:"assignedPrivateIpAddressesSet"`
	AssignedIpv4Prefixes       []Ipv4PrefixSpecification  `out:"assignedIpv4PrefixSet"`
}
