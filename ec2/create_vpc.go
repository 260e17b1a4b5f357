package ec2

// CreateVpcInput is what CreateVpc takes.
type CreateVpcInput struct {
	CidrBlock                       string
	Ipv6Pool                        string
	Ipv6CidrBlock                   string
	Ipv4IpamPoolId                  string
	Ipv4NetmaskLength               *int32
	Ipv6IpamPoolId                  string
	Ipv6NetmaskLength               *int32
	Ipv6CidrBlockNetworkBorderGroup string
	VpcEncryptionControl            *VpcEncryptionControlConfiguration
	TagSpecifications               []TagSpecification `in:"TagSpecification"`
	DryRun                          bool
	InstanceTenancy                 string
	AmazonProvidedIpv6CidrBlock     *bool
}

// CreateVpcOutput is what CreateVpc gives.
type CreateVpcOutput struct {
	Vpc *Vpc
}
