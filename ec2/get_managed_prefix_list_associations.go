package ec2

// GetManagedPrefixListAssociationsInput is what GetManagedPrefixListAssociations takes.
type GetManagedPrefixListAssociationsInput struct {
	DryRun       bool
	PrefixListId string // required
	MaxResults   *int32
	NextToken    string
}

// GetManagedPrefixListAssociationsOutput is what GetManagedPrefixListAssociations gives.
type GetManagedPrefixListAssociationsOutput struct {
	PrefixListAssociations []PrefixListAssociation `out:"prefixListAssociationSet"`
	NextToken              string
}
