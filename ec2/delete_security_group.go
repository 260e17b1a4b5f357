package ec2

// DeleteSecurityGroupInput is what DeleteSecurityGroup takes.
type DeleteSecurityGroupInput struct {
	GroupId   string
	GroupName string
	DryRun    bool
}

// DeleteSecurityGroupOutput is what DeleteSecurityGroup gives.
type DeleteSecurityGroupOutput struct {
	Return  bool
	GroupId string
}
