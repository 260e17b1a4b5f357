package ec2

// CreateManagedPrefixListInput is what CreateManagedPrefixList takes.
type CreateManagedPrefixListInput struct {
	DryRun            bool
	PrefixListName    string               // required
	Entries           []AddPrefixListEntry `in:"Entry"`
	MaxEntries        *int32               // required
	TagSpecifications []TagSpecification   `in:"TagSpecification"`
	AddressFamily     string               // required
	ClientToken       string
}

// CreateManagedPrefixListOutput is what CreateManagedPrefixList gives.
type CreateManagedPrefixListOutput struct {
	PrefixList *ManagedPrefixList
}
