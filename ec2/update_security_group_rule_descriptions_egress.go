package ec2

// UpdateSecurityGroupRuleDescriptionsEgressInput is what UpdateSecurityGroupRuleDescriptionsEgress takes.
type UpdateSecurityGroupRuleDescriptionsEgressInput struct {
	DryRun                        bool
	GroupId                       string
	GroupName                     string
	IpPermissions                 []IpPermission
	SecurityGroupRuleDescriptions []SecurityGroupRuleDescription `in:"SecurityGroupRuleDescription"`
}

// UpdateSecurityGroupRuleDescriptionsEgressOutput is what UpdateSecurityGroupRuleDescriptionsEgress gives.
type UpdateSecurityGroupRuleDescriptionsEgressOutput struct {
	Return bool
}
