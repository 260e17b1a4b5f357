package ec2

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
