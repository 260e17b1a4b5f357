package ec2

// AssociateVpcCidrBlockInput is what AssociateVpcCidrBlock takes.
type AssociateVpcCidrBlockInput struct {
	CidrBlock                       string
	Ipv6CidrBlockNetworkBorderGroup string
	Ipv6Pool                        string
	Ipv6CidrBlock                   string
	Ipv4IpamPoolId                  string
	Ipv4NetmaskLength               *int32
	Ipv6IpamPoolId                  string
	Ipv6NetmaskLength               *int32
	VpcId                           string // required
	AmazonProvidedIpv6CidrBlock     *bool
}

// AssociateVpcCidrBlockOutput is what AssociateVpcCidrBlock gives.
type AssociateVpcCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *VpcIpv6CidrBlockAssociation
	CidrBlockAssociation     *VpcCidrBlockAssociation
	VpcId                    string
}
