package ec2

// DescribeSecurityGroupVpcAssociationsInput is what DescribeSecurityGroupVpcAssociations takes.
type DescribeSecurityGroupVpcAssociationsInput struct {
	Filters    []Filter `in:"Filter"`
	NextToken  string
	MaxResults *int32
	DryRun     bool
}

// DescribeSecurityGroupVpcAssociationsOutput is what DescribeSecurityGroupVpcAssociations gives.
type DescribeSecurityGroupVpcAssociationsOutput struct {
	SecurityGroupVpcAssociations []SecurityGroupVpcAssociation `out:"securityGroupVpcAssociationSet"`
	NextToken                    string
}
