package ec2

// CreateNetworkInterfaceInput is what CreateNetworkInterface takes.
type CreateNetworkInterfaceInput struct {
	Ipv4Prefixes                    []Ipv4PrefixSpecificationRequest `in:"Ipv4Prefix"`
	Ipv4PrefixCount                 *int32
	Ipv6Prefixes                    []Ipv6PrefixSpecificationRequest `in:"Ipv6Prefix"`
	Ipv6PrefixCount                 *int32
	InterfaceType                   string
	TagSpecifications               []TagSpecification `in:"TagSpecification"`
	ClientToken                     string
	EnablePrimaryIpv6               *bool
	ConnectionTrackingSpecification *ConnectionTrackingSpecificationRequest
	Operator                        *OperatorRequest
	SubnetId                        string // required
	Description                     string
	PrivateIpAddress                string
	Groups                          []string `in:"SecurityGroupId"`
	PrivateIpAddresses              []PrivateIpAddressSpecification
	SecondaryPrivateIpAddressCount  *int32
	Ipv6Addresses                   []InstanceIpv6Address
	Ipv6AddressCount                *int32
	DryRun                          bool
}

// CreateNetworkInterfaceOutput is what CreateNetworkInterface gives.
type CreateNetworkInterfaceOutput struct {
	NetworkInterface *NetworkInterface
	ClientToken      string
}
