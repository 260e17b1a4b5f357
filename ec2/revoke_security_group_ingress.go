package ec2

// RevokeSecurityGroupIngressInput is what RevokeSecurityGroupIngress takes.
type RevokeSecurityGroupIngressInput struct {
	CidrIp                     string
	FromPort                   *int32
	GroupId                    string
	GroupName                  string
	IpPermissions              []IpPermission
	IpProtocol                 string
	SourceSecurityGroupName    string
	SourceSecurityGroupOwnerId string
	ToPort                     *int32
	SecurityGroupRuleIds       []string `in:"SecurityGroupRuleId"`
	DryRun                     bool
}

// RevokeSecurityGroupIngressOutput is what RevokeSecurityGroupIngress gives.
type RevokeSecurityGroupIngressOutput struct {
	Return                    bool
	UnknownIpPermissions      []IpPermission             `out:"unknownIpPermissionSet"`
	RevokedSecurityGroupRules []RevokedSecurityGroupRule `out:"revokedSecurityGroupRuleSet"`
}
