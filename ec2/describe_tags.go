package ec2

// DescribeTagsInput is what DescribeTags takes.
type DescribeTagsInput struct {
	DryRun     bool
	Filters    []Filter `in:"Filter"`
	MaxResults *int32
	NextToken  string
}

// DescribeTagsOutput is what DescribeTags gives.
type DescribeTagsOutput struct {
	NextToken string
	Tags      []TagDescription `out:"tagSet"`
}
