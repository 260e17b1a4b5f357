package ec2

// AccountAttribute: in a reply.
type AccountAttribute struct {
	AttributeName   string
	AttributeValues []AccountAttributeValue `out:"attributeValueSet"`
}

// AccountAttributeValue: in a reply.
type AccountAttributeValue struct {
	AttributeValue string
}

// AvailabilityZone: in a reply.
type AvailabilityZone struct {
	OptInStatus        string
	Messages           []AvailabilityZoneMessage `out:"messageSet"`
	RegionName         string
	ZoneName           string
	ZoneId             string
	GroupName          string
	NetworkBorderGroup string
	ZoneType           string
	ParentZoneName     string
	ParentZoneId       string
	GroupLongName      string
	Geography          []AvailabilityZoneGeography    `out:"geographySet"`
	SubGeography       []AvailabilityZoneSubGeography `out:"subGeographySet"`
	State              string                         `out:"zoneState"`
}

// AvailabilityZoneGeography: in a reply.
type AvailabilityZoneGeography struct {
	Name string
}

// AvailabilityZoneMessage: in a reply.
type AvailabilityZoneMessage struct {
	Message string
}

// AvailabilityZoneSubGeography: in a reply.
type AvailabilityZoneSubGeography struct {
	Name string
}

// BlockPublicAccessStates: in a reply.
type BlockPublicAccessStates struct {
	InternetGatewayBlockMode string
}

// OperatorRequest: in a request.
type OperatorRequest struct {
	Principal string
}

// PrivateDnsNameOptionsOnLaunch: in a reply.
type PrivateDnsNameOptionsOnLaunch struct {
	HostnameType                    string
	EnableResourceNameDnsARecord    bool
	EnableResourceNameDnsAAAARecord bool
}

// Region: in a reply.
type Region struct {
	OptInStatus string
	Geography   []RegionGeography `out:"geographySet"`
	RegionName  string
	Endpoint    string `out:"regionEndpoint"`
}

// RegionGeography: in a reply.
type RegionGeography struct {
	Name string
}

// Subnet: in a reply.
type Subnet struct {
	AvailabilityZoneId            string
	EnableLniAtDeviceIndex        *int32
	MapCustomerOwnedIpOnLaunch    bool
	CustomerOwnedIpv4Pool         string
	OwnerId                       string
	AssignIpv6AddressOnCreation   bool
	Ipv6CidrBlockAssociationSet   []SubnetIpv6CidrBlockAssociation
	Tags                          []Tag `out:"tagSet"`
	SubnetArn                     string
	OutpostArn                    string
	EnableDns64                   bool
	Ipv6Native                    bool
	PrivateDnsNameOptionsOnLaunch *PrivateDnsNameOptionsOnLaunch
	BlockPublicAccessStates       *BlockPublicAccessStates
	Type                          string
	SubnetId                      string
	State                         string
	VpcId                         string
	CidrBlock                     string
	AvailableIpAddressCount       *int32
	AvailabilityZone              string
	DefaultForAz                  bool
	MapPublicIpOnLaunch           bool
}

// SubnetCidrBlockState: in a reply.
type SubnetCidrBlockState struct {
	State         string
	StatusMessage string
}

// SubnetIpv6CidrBlockAssociation: in a reply.
type SubnetIpv6CidrBlockAssociation struct {
	AssociationId        string
	Ipv6CidrBlock        string
	Ipv6CidrBlockState   *SubnetCidrBlockState
	Ipv6AddressAttribute string
	IpSource             string
}

// Vpc: in a reply.
type Vpc struct {
	OwnerId                     string
	InstanceTenancy             string
	Ipv6CidrBlockAssociationSet []VpcIpv6CidrBlockAssociation
	CidrBlockAssociationSet     []VpcCidrBlockAssociation
	IsDefault                   bool
	EncryptionControl           *VpcEncryptionControl
	Tags                        []Tag `out:"tagSet"`
	BlockPublicAccessStates     *BlockPublicAccessStates
	VpcId                       string
	State                       string
	CidrBlock                   string
	DhcpOptionsId               string
}

// VpcCidrBlockAssociation: in a reply.
type VpcCidrBlockAssociation struct {
	AssociationId  string
	CidrBlock      string
	CidrBlockState *VpcCidrBlockState
}

// VpcCidrBlockState: in a reply.
type VpcCidrBlockState struct {
	State         string
	StatusMessage string
}

// VpcEncryptionControl: in a reply.
type VpcEncryptionControl struct {
	VpcId                  string
	VpcEncryptionControlId string
	Mode                   string
	State                  string
	StateMessage           string
	ResourceExclusions     *VpcEncryptionControlExclusions
	Tags                   []Tag `out:"tagSet"`
}

// VpcEncryptionControlConfiguration: in a request.
type VpcEncryptionControlConfiguration struct {
	Mode                               string // required
	InternetGatewayExclusion           string
	EgressOnlyInternetGatewayExclusion string
	NatGatewayExclusion                string
	VirtualPrivateGatewayExclusion     string
	VpcPeeringExclusion                string
	LambdaExclusion                    string
	VpcLatticeExclusion                string
	ElasticFileSystemExclusion         string
}

// VpcEncryptionControlExclusion: in a reply.
type VpcEncryptionControlExclusion struct {
	State        string
	StateMessage string
}

// VpcEncryptionControlExclusions: in a reply.
type VpcEncryptionControlExclusions struct {
	InternetGateway           *VpcEncryptionControlExclusion
	EgressOnlyInternetGateway *VpcEncryptionControlExclusion
	NatGateway                *VpcEncryptionControlExclusion
	VirtualPrivateGateway     *VpcEncryptionControlExclusion
	VpcPeering                *VpcEncryptionControlExclusion
	Lambda                    *VpcEncryptionControlExclusion
	VpcLattice                *VpcEncryptionControlExclusion
	ElasticFileSystem         *VpcEncryptionControlExclusion
}

// VpcIpv6CidrBlockAssociation: in a reply.
type VpcIpv6CidrBlockAssociation struct {
	AssociationId        string
	Ipv6CidrBlock        string
	Ipv6CidrBlockState   *VpcCidrBlockState
	NetworkBorderGroup   string
	Ipv6Pool             string
	Ipv6AddressAttribute string
	IpSource             string
}
