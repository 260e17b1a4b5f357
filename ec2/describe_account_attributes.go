package ec2

// DescribeAccountAttributesInput is what DescribeAccountAttributes takes.
type DescribeAccountAttributesInput struct {
	DryRun         bool
	AttributeNames []string `in:"AttributeName"`
}

// DescribeAccountAttributesOutput is what DescribeAccountAttributes gives.
type DescribeAccountAttributesOutput struct {
	AccountAttributes []AccountAttribute `out:"accountAttributeSet"`
}
