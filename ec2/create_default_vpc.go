package ec2

// CreateDefaultVpcInput is what CreateDefaultVpc takes.
type CreateDefaultVpcInput struct {
	DryRun bool
}

// CreateDefaultVpcOutput is what CreateDefaultVpc gives.
type CreateDefaultVpcOutput struct {
	Vpc *Vpc
}
