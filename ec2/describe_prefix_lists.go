package ec2

// DescribePrefixListsInput is what DescribePrefixLists takes.
type DescribePrefixListsInput struct {
	DryRun        bool
	Filters       []Filter `in:"Filter"`
	MaxResults    *int32
	NextToken     string
	PrefixListIds []string `in:"PrefixListId"`
}

// DescribePrefixListsOutput is what DescribePrefixLists gives.
type DescribePrefixListsOutput struct {
	NextToken   string
	PrefixLists []PrefixList `out:"prefixListSet"`
}
