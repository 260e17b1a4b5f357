package ec2

// UpdateSecurityGroupRuleDescriptionsIngressInput is what UpdateSecurityGroupRuleDescriptionsIngress takes.
type UpdateSecurityGroupRuleDescriptionsIngressInput struct {
	DryRun                        bool
	GroupId                       string
	GroupName                     string
	IpPermissions                 []IpPermission
	SecurityGroupRuleDescriptions []SecurityGroupRuleDescription `in:"SecurityGroupRuleDescription"`
}

// UpdateSecurityGroupRuleDescriptionsIngressOutput is what UpdateSecurityGroupRuleDescriptionsIngress gives.
type UpdateSecurityGroupRuleDescriptionsIngressOutput struct {
	Return bool
}
