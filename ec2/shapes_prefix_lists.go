package ec2

// AddPrefixListEntry: in a request.
type AddPrefixListEntry struct {
	Cidr        string // required
	Description string
}

// ManagedPrefixList: in a reply.
type ManagedPrefixList struct {
	PrefixListId                      string
	AddressFamily                     string
	State                             string
	StateMessage                      string
	PrefixListArn                     string
	PrefixListName                    string
	MaxEntries                        *int32
	Version                           *int64
	Tags                              []Tag `out:"tagSet"`
	OwnerId                           string
	IpamPrefixListResolverTargetId    string
	IpamPrefixListResolverSyncEnabled *bool
}

// PrefixList: in a reply.
type PrefixList struct {
	Cidrs          []string `out:"cidrSet"`
	PrefixListId   string
	PrefixListName string
}

// PrefixListAssociation: in a reply.
type PrefixListAssociation struct {
	ResourceId    string
	ResourceOwner string
}

// PrefixListEntry: in a reply.
type PrefixListEntry struct {
	Cidr        string
	Description string
}

// RemovePrefixListEntry: in a request.
type RemovePrefixListEntry struct {
	Cidr string // required
}
