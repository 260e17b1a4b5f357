package ec2

// AssociateSubnetCidrBlockInput is what AssociateSubnetCidrBlock takes.
type AssociateSubnetCidrBlockInput struct {
	Ipv6IpamPoolId    string
	Ipv6NetmaskLength *int32
	SubnetId          string // required
	Ipv6CidrBlock     string
}

// AssociateSubnetCidrBlockOutput is what AssociateSubnetCidrBlock gives.
type AssociateSubnetCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *SubnetIpv6CidrBlockAssociation
	SubnetId                 string
}
