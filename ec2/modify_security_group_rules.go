package ec2

// ModifySecurityGroupRulesInput is what ModifySecurityGroupRules takes.
type ModifySecurityGroupRulesInput struct {
	GroupId            string                    // required
	SecurityGroupRules []SecurityGroupRuleUpdate `in:"SecurityGroupRule"` // required
	DryRun             bool
}

// ModifySecurityGroupRulesOutput is what ModifySecurityGroupRules gives.
type ModifySecurityGroupRulesOutput struct {
	Return bool
}
