package ec2

// DescribeRegionsInput is what DescribeRegions takes.
type DescribeRegionsInput struct {
	RegionNames []string `in:"RegionName"`
	AllRegions  *bool
	DryRun      bool
	Filters     []Filter `in:"Filter"`
}

// DescribeRegionsOutput is what DescribeRegions gives.
type DescribeRegionsOutput struct {
	Regions []Region `out:"regionInfo"`
}
