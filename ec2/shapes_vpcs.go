package ec2

import (
	"moat/state"
	"moat/vpc"
)

// tagsIfAny gives tags as VPCs and subnets show them: none leaves the element
// out.
func tagsIfAny(tags vpc.Tags) []Tag {
	if len(tags) == 0 {
		return nil
	}
	return tagShapes(tags)
}

// vpcShape gives a VPC as it is described.
func vpcShape(v *vpc.VPC) *Vpc {
	shape := &Vpc{
		OwnerId: string(v.Owner), InstanceTenancy: v.Tenancy, IsDefault: v.Default, Tags: tagsIfAny(v.Tags),
		BlockPublicAccessStates: publicAccess(), VpcId: string(v.ID), State: "available",
		CidrBlock: v.CIDR().String(), DhcpOptionsId: v.DHCPOptions,
	}
	for _, b := range v.Blocks {
		if b.CIDR.Addr().Is6() {
			shape.Ipv6CidrBlockAssociationSet = append(shape.Ipv6CidrBlockAssociationSet, *vpcIPv6Shape(b, "associated"))
		} else {
			shape.CidrBlockAssociationSet = append(shape.CidrBlockAssociationSet, *vpcIPv4Shape(b, "associated"))
		}
	}
	return shape
}

// newVPCShape gives a VPC as the call that makes it shows it: EC2 answers
// before it is done, and clients wait for the state that they then describe.
func newVPCShape(v *vpc.VPC) *Vpc {
	shape := vpcShape(v)
	shape.State = "pending"
	shape.BlockPublicAccessStates = nil
	for i := range shape.Ipv6CidrBlockAssociationSet {
		shape.Ipv6CidrBlockAssociationSet[i].Ipv6CidrBlockState.State = "associating"
	}
	if shape.Ipv6CidrBlockAssociationSet == nil {
		shape.Ipv6CidrBlockAssociationSet = []VpcIpv6CidrBlockAssociation{}
	}
	return shape
}

func vpcIPv4Shape(b vpc.Block, state string) *VpcCidrBlockAssociation {
	return &VpcCidrBlockAssociation{
		AssociationId: string(b.Association), CidrBlock: b.CIDR.String(),
		CidrBlockState: &VpcCidrBlockState{State: state},
	}
}

func vpcIPv6Shape(b vpc.Block, state string) *VpcIpv6CidrBlockAssociation {
	return &VpcIpv6CidrBlockAssociation{
		AssociationId: string(b.Association), Ipv6CidrBlock: b.CIDR.String(),
		Ipv6CidrBlockState: &VpcCidrBlockState{State: state},
		NetworkBorderGroup: b.BorderGroup, Ipv6Pool: b.Pool, Ipv6AddressAttribute: addressAttribute(b), IpSource: ipSource(b),
	}
}

// addressAttribute says whether the addresses of an IPv6 block are announced to
// the internet: unique local ones are not.
func addressAttribute(b vpc.Block) string {
	if b.CIDR.Addr().IsPrivate() {
		return "private"
	}
	return "public"
}

func ipSource(b vpc.Block) string {
	if b.Pool == vpc.OwnIPv6Pool {
		return "byoip"
	}
	return "amazon"
}

// publicAccess tells that nothing blocks public access: Moat has no VPC Block
// Public Access.
func publicAccess() *BlockPublicAccessStates {
	return &BlockPublicAccessStates{InternetGatewayBlockMode: "off"}
}

// subnetShape gives a subnet as it is described.
func subnetShape(r state.Reader, at state.Scope, s *vpc.Subnet) *Subnet {
	shape := newSubnetShape(r, at, s)
	shape.BlockPublicAccessStates = publicAccess()
	for i := range shape.Ipv6CidrBlockAssociationSet {
		shape.Ipv6CidrBlockAssociationSet[i].Ipv6CidrBlockState.State = "associated"
	}
	return shape
}

// newSubnetShape gives a subnet as the call that makes it shows it.
func newSubnetShape(r state.Reader, at state.Scope, s *vpc.Subnet) *Subnet {
	shape := &Subnet{
		AvailabilityZoneId: zoneID(at, s), MapCustomerOwnedIpOnLaunch: s.MapCustomerOwnedIP,
		CustomerOwnedIpv4Pool: s.CustomerOwnedIPPool, OwnerId: string(s.Owner), AssignIpv6AddressOnCreation: s.AssignIPv6,
		Ipv6CidrBlockAssociationSet: []SubnetIpv6CidrBlockAssociation{}, Tags: tagsIfAny(s.Tags),
		SubnetArn: subnetARN(at, s), OutpostArn: s.OutpostARN, EnableDns64: s.EnableDNS64, Ipv6Native: s.IPv6Native,
		PrivateDnsNameOptionsOnLaunch: &PrivateDnsNameOptionsOnLaunch{s.HostnameType, s.DNSARecord, s.DNSAAAA},
		SubnetId:                      string(s.ID), State: "available", VpcId: string(s.VPC),
		AvailableIpAddressCount: ptr(int32(freeAddresses(r, s))), AvailabilityZone: s.AvailabilityZone,
		DefaultForAz: s.DefaultForAZ, MapPublicIpOnLaunch: s.MapPublicIP,
	}
	if s.LNIDeviceIndex > 0 {
		shape.EnableLniAtDeviceIndex = ptr(s.LNIDeviceIndex)
	}
	if s.CIDR.IsValid() {
		shape.CidrBlock = s.CIDR.String()
	}
	for _, b := range s.IPv6 {
		shape.Ipv6CidrBlockAssociationSet = append(shape.Ipv6CidrBlockAssociationSet, *subnetIPv6Shape(b, "associating"))
	}
	return shape
}

func subnetIPv6Shape(b vpc.Block, state string) *SubnetIpv6CidrBlockAssociation {
	return &SubnetIpv6CidrBlockAssociation{
		AssociationId: string(b.Association), Ipv6CidrBlock: b.CIDR.String(),
		Ipv6CidrBlockState: &SubnetCidrBlockState{State: state}, Ipv6AddressAttribute: addressAttribute(b), IpSource: ipSource(b),
	}
}

func subnetARN(at state.Scope, s *vpc.Subnet) string {
	return vpc.ARN(at.Region, s.Owner, "subnet", string(s.ID))
}

// zoneID gives the id of a subnet's zone.
func zoneID(at state.Scope, s *vpc.Subnet) string {
	z, _ := vpc.ZoneNamed(at.Region, s.AvailabilityZone)
	return z.ID
}

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
