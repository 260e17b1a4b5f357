package ec2

// ModifyManagedPrefixListInput is what ModifyManagedPrefixList takes.
type ModifyManagedPrefixListInput struct {
	DryRun                            bool
	PrefixListId                      string // required
	CurrentVersion                    *int64
	PrefixListName                    string
	AddEntries                        []AddPrefixListEntry    `in:"AddEntry"`
	RemoveEntries                     []RemovePrefixListEntry `in:"RemoveEntry"`
	MaxEntries                        *int32
	IpamPrefixListResolverSyncEnabled *bool
}

// ModifyManagedPrefixListOutput is what ModifyManagedPrefixList gives.
type ModifyManagedPrefixListOutput struct {
	PrefixList *ManagedPrefixList
}
