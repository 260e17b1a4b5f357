package ec2

// DeleteManagedPrefixListInput is what DeleteManagedPrefixList takes.
type DeleteManagedPrefixListInput struct {
	DryRun       bool
	PrefixListId string // required
}

// DeleteManagedPrefixListOutput is what DeleteManagedPrefixList gives.
type DeleteManagedPrefixListOutput struct {
	PrefixList *ManagedPrefixList
}
