package ec2

// DisassociateSubnetCidrBlockInput is what DisassociateSubnetCidrBlock takes.
type DisassociateSubnetCidrBlockInput struct {
	AssociationId string // required
}

// DisassociateSubnetCidrBlockOutput is what DisassociateSubnetCidrBlock gives.
type DisassociateSubnetCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *SubnetIpv6CidrBlockAssociation
	SubnetId                 string
}
