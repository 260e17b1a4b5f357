package ec2

// DisassociateVpcCidrBlockInput is what DisassociateVpcCidrBlock takes.
type DisassociateVpcCidrBlockInput struct {
	AssociationId string // required
}

// DisassociateVpcCidrBlockOutput is what DisassociateVpcCidrBlock gives.
type DisassociateVpcCidrBlockOutput struct {
	Ipv6CidrBlockAssociation *VpcIpv6CidrBlockAssociation
	CidrBlockAssociation     *VpcCidrBlockAssociation
	VpcId                    string
}
