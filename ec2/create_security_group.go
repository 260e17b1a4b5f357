package ec2

// CreateSecurityGroupInput is what CreateSecurityGroup takes.
type CreateSecurityGroupInput struct {
	Description       string `in:"GroupDescription"` // required
	GroupName         string // required
	VpcId             string
	TagSpecifications []TagSpecification `in:"TagSpecification"`
	DryRun            bool
}

// CreateSecurityGroupOutput is what CreateSecurityGroup gives.
type CreateSecurityGroupOutput struct {
	GroupId          string
	Tags             []Tag `out:"tagSet"`
	SecurityGroupArn string
	Return           bool
}
