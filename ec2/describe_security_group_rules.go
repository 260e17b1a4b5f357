package ec2

// DescribeSecurityGroupRulesInput is what DescribeSecurityGroupRules takes.
type DescribeSecurityGroupRulesInput struct {
	Filters              []Filter `in:"Filter"`
	SecurityGroupRuleIds []string `in:"SecurityGroupRuleId"`
	DryRun               bool
	NextToken            string
	MaxResults           *int32
}

// DescribeSecurityGroupRulesOutput is what DescribeSecurityGroupRules gives.
type DescribeSecurityGroupRulesOutput struct {
	SecurityGroupRules []SecurityGroupRule `out:"securityGroupRuleSet"`
	NextToken          string
}
