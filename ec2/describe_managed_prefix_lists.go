package ec2

// DescribeManagedPrefixListsInput is what DescribeManagedPrefixLists takes.
type DescribeManagedPrefixListsInput struct {
	DryRun        bool
	Filters       []Filter `in:"Filter"`
	MaxResults    *int32
	NextToken     string
	PrefixListIds []string `in:"PrefixListId"`
}

// DescribeManagedPrefixListsOutput is what DescribeManagedPrefixLists gives.
type DescribeManagedPrefixListsOutput struct {
	NextToken   string
	PrefixLists []ManagedPrefixList `out:"prefixListSet"`
}
