package ec2

// AssociateSecurityGroupVpcInput is what AssociateSecurityGroupVpc takes.
type AssociateSecurityGroupVpcInput struct {
	GroupId string // required
	VpcId   string // required
	DryRun  bool
}

// AssociateSecurityGroupVpcOutput is what AssociateSecurityGroupVpc gives.
type AssociateSecurityGroupVpcOutput struct {
	State string
}
