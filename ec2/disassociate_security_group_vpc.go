package ec2

// DisassociateSecurityGroupVpcInput is what DisassociateSecurityGroupVpc takes.
type DisassociateSecurityGroupVpcInput struct {
	GroupId string // required
	VpcId   string // required
	DryRun  bool
}

// DisassociateSecurityGroupVpcOutput is what DisassociateSecurityGroupVpc gives.
type DisassociateSecurityGroupVpcOutput struct {
	State string
}
