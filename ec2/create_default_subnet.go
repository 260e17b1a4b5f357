package ec2

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
