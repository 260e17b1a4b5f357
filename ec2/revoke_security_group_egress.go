package ec2

// RevokeSecurityGroupEgressInput is what RevokeSecurityGroupEgress takes.
type RevokeSecurityGroupEgressInput struct {
	SecurityGroupRuleIds       []string `in:"SecurityGroupRuleId"`
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

// RevokeSecurityGroupEgressOutput is what RevokeSecurityGroupEgress gives.
type RevokeSecurityGroupEgressOutput struct {
	Return                    bool
	UnknownIpPermissions      []IpPermission             `out:"unknownIpPermissionSet"`
	RevokedSecurityGroupRules []RevokedSecurityGroupRule `out:"revokedSecurityGroupRuleSet"`
}
