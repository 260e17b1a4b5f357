package ec2

// DeleteSubnetInput is what DeleteSubnet takes.
type DeleteSubnetInput struct {
	SubnetId string // required
	DryRun   bool
}

// DeleteSubnetOutput is what DeleteSubnet gives.
type DeleteSubnetOutput struct {
	Return bool
}
