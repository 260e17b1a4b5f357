package ec2

// DeleteVpcInput is what DeleteVpc takes.
type DeleteVpcInput struct {
	VpcId  string // required
	DryRun bool
}

// DeleteVpcOutput is what DeleteVpc gives.
type DeleteVpcOutput struct {
	Return bool
}
