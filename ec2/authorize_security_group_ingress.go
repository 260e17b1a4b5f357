package ec2

// AuthorizeSecurityGroupIngressInput is what AuthorizeSecurityGroupIngress takes.
type AuthorizeSecurityGroupIngressInput struct {
	CidrIp                     string
	FromPort                   *int32
	GroupId                    string
	GroupName                  string
	IpPermissions              []IpPermission
	IpProtocol                 string
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string
	ToPort                     *int32
	TagSpecifications          []TagSpecification `in:"TagSpecification"`
	DryRun                     bool
}

// AuthorizeSecurityGroupIngressOutput is what AuthorizeSecurityGroupIngress gives.
type AuthorizeSecurityGroupIngressOutput struct {
	Return             bool
	SecurityGroupRules []SecurityGroupRule `out:"securityGroupRuleSet"`
}
