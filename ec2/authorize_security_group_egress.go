package ec2

// AuthorizeSecurityGroupEgressInput is what AuthorizeSecurityGroupEgress takes.
type AuthorizeSecurityGroupEgressInput struct {
	TagSpecifications          []TagSpecification `in:"TagSpecification"`
	DryRun                     bool
	GroupId                    string // required
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string
	IpProtocol                 string
	FromPort                   *int32
	ToPort                     *int32
	CidrIp                     string
	IpPermissions              []IpPermission
}

// AuthorizeSecurityGroupEgressOutput is what AuthorizeSecurityGroupEgress gives.
type AuthorizeSecurityGroupEgressOutput struct {
	Return             bool
	SecurityGroupRules []SecurityGroupRule `out:"securityGroupRuleSet"`
}
