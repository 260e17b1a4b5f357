package ec2

// RestoreManagedPrefixListVersionInput is what RestoreManagedPrefixListVersion takes.
type RestoreManagedPrefixListVersionInput struct {
	DryRun          bool
	PrefixListId    string // required
	PreviousVersion *int64 // required
	CurrentVersion  *int64 // required
}

// RestoreManagedPrefixListVersionOutput is what RestoreManagedPrefixListVersion gives.
type RestoreManagedPrefixListVersionOutput struct {
	PrefixList *ManagedPrefixList
}
