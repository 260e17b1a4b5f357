package ec2

// GetManagedPrefixListEntriesInput is what GetManagedPrefixListEntries takes.
type GetManagedPrefixListEntriesInput struct {
	DryRun        bool
	PrefixListId  string // required
	TargetVersion *int64
	MaxResults    *int32
	NextToken     string
}

// GetManagedPrefixListEntriesOutput is what GetManagedPrefixListEntries gives.
type GetManagedPrefixListEntriesOutput struct {
	Entries   []PrefixListEntry `out:"entrySet"`
	NextToken string
}
