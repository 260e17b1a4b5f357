package ec2

// DescribeSecurityGroupReferencesInput is what DescribeSecurityGroupReferences takes.
type DescribeSecurityGroupReferencesInput struct {
	DryRun  bool
	GroupId []string // required
}

// DescribeSecurityGroupReferencesOutput is what DescribeSecurityGroupReferences gives.
type DescribeSecurityGroupReferencesOutput struct {
	SecurityGroupReferenceSet []SecurityGroupReference
}
