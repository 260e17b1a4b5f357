package vpc

// Quotas are the limits that EC2 puts on an account in a region, and IAM on
// an account.
type Quotas struct {
	GroupsPerRegion       int `yaml:"security-groups-per-region"`
	RulesPerGroup         int `yaml:"rules-per-security-group"`
	GroupsPerInterface    int `yaml:"security-groups-per-network-interface"`
	RulesTimesGroups      int `yaml:"rules-times-groups"`
	PrefixListsPerRegion  int `yaml:"prefix-lists-per-region"`
	PrefixListEntries     int `yaml:"entries-per-prefix-list"`
	PrefixListVersions    int `yaml:"versions-per-prefix-list"`
	VPCsPerRegion         int `yaml:"vpcs-per-region"`
	CIDRsPerVPC           int `yaml:"ipv4-cidrs-per-vpc"`
	IPv6CIDRsPerVPC       int `yaml:"ipv6-cidrs-per-vpc"`
	SubnetsPerVPC         int `yaml:"subnets-per-vpc"`
	InterfacesPerRegion   int `yaml:"network-interfaces-per-region"`
	AddressesPerInterface int `yaml:"addresses-per-network-interface"`
	TagsPerResource       int `yaml:"tags-per-resource"`
	AddressesPerRegion    int `yaml:"elastic-ips-per-region"`

	InternetGatewaysPerRegion  int `yaml:"internet-gateways-per-region"`
	RouteTablesPerVPC          int `yaml:"route-tables-per-vpc"`
	RoutesPerTable             int `yaml:"routes-per-route-table"`
	ACLsPerVPC                 int `yaml:"network-acls-per-vpc"`
	ACLEntries                 int `yaml:"rules-per-network-acl"`
	EndpointsPerRegion         int `yaml:"gateway-endpoints-per-region"`
	PeeringsPerVPC             int `yaml:"peering-connections-per-vpc"`
	PeeringsOutstanding        int `yaml:"outstanding-peering-connections"`
	UsersPerAccount            int `yaml:"users-per-account"`
	UserGroupsPerAccount       int `yaml:"user-groups-per-account"`
	UserGroupsPerUser          int `yaml:"user-groups-per-user"`
	RolesPerAccount            int `yaml:"roles-per-account"`
	PoliciesPerAccount         int `yaml:"policies-per-account"`
	AttachedPolicies           int `yaml:"attached-policies-per-principal"`
	InstanceProfilesPerAccount int `yaml:"instance-profiles-per-account"`
	AccessKeysPerUser          int `yaml:"access-keys-per-user"`
}

// DefaultQuotas gives the quotas of a new AWS account: VPC user guide,
// "Amazon VPC quotas", and IAM user guide, "IAM and AWS STS quotas".
func DefaultQuotas() *Quotas {
	return &Quotas{
		GroupsPerRegion: 2500, RulesPerGroup: 60, GroupsPerInterface: 5, RulesTimesGroups: 1000,
		PrefixListsPerRegion: 100, PrefixListEntries: 1000, PrefixListVersions: 1000,
		VPCsPerRegion: 5, CIDRsPerVPC: 5, IPv6CIDRsPerVPC: 5, SubnetsPerVPC: 200,
		InterfacesPerRegion: 5000, AddressesPerInterface: 50, TagsPerResource: 50, AddressesPerRegion: 5,
		InternetGatewaysPerRegion: 5, RouteTablesPerVPC: 200, RoutesPerTable: 500, ACLsPerVPC: 200, ACLEntries: 20,
		EndpointsPerRegion: 20, PeeringsPerVPC: 50, PeeringsOutstanding: 25,
		UsersPerAccount: 5000, UserGroupsPerAccount: 300, UserGroupsPerUser: 10, RolesPerAccount: 1000, PoliciesPerAccount: 1500,
		AttachedPolicies: 10, InstanceProfilesPerAccount: 1000, AccessKeysPerUser: 2,
	}
}

// NoQuotas gives limits that nothing reaches. The kept versions of a prefix
// list, the tags of a resource and the keys of a user stay bounded as on AWS:
// they are not quotas that an account could have raised.
func NoQuotas() *Quotas {
	const no = 1 << 30
	return &Quotas{
		GroupsPerRegion: no, RulesPerGroup: no, GroupsPerInterface: no, RulesTimesGroups: no,
		PrefixListsPerRegion: no, PrefixListEntries: 1000, PrefixListVersions: 1000,
		VPCsPerRegion: no, CIDRsPerVPC: no, IPv6CIDRsPerVPC: no, SubnetsPerVPC: no,
		InterfacesPerRegion: no, AddressesPerInterface: no, TagsPerResource: 50, AddressesPerRegion: no,
		InternetGatewaysPerRegion: no, RouteTablesPerVPC: no, RoutesPerTable: no, ACLsPerVPC: no, ACLEntries: no,
		EndpointsPerRegion: no, PeeringsPerVPC: no, PeeringsOutstanding: no,
		UsersPerAccount: no, UserGroupsPerAccount: no, UserGroupsPerUser: no, RolesPerAccount: no, PoliciesPerAccount: no,
		AttachedPolicies: no, InstanceProfilesPerAccount: no, AccessKeysPerUser: 2,
	}
}
