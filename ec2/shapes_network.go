package ec2

import "time"

// CidrBlock: in a reply.
type CidrBlock struct {
	CidrBlock string
}

// ClassicLinkDnsSupport: in a reply.
type ClassicLinkDnsSupport struct {
	ClassicLinkDnsSupported bool
	VpcId                   string
}

// DhcpConfiguration: in a reply.
type DhcpConfiguration struct {
	Key    string
	Values []AttributeValue `out:"valueSet"`
}

// DhcpOptions: in a reply.
type DhcpOptions struct {
	OwnerId            string
	Tags               []Tag `out:"tagSet"`
	DhcpOptionsId      string
	DhcpConfigurations []DhcpConfiguration `out:"dhcpConfigurationSet"`
}

// DnsEntry: in a reply.
type DnsEntry struct {
	DnsName      string
	HostedZoneId string
}

// DnsOptions: in a reply.
type DnsOptions struct {
	DnsRecordIpType                          string
	PrivateDnsOnlyForInboundResolverEndpoint bool
	PrivateDnsPreference                     string
	PrivateDnsSpecifiedDomains               []string `out:"privateDnsSpecifiedDomainSet"`
}

// DnsOptionsSpecification: in a request.
type DnsOptionsSpecification struct {
	DnsRecordIpType                          string
	PrivateDnsOnlyForInboundResolverEndpoint *bool
	PrivateDnsPreference                     string
	PrivateDnsSpecifiedDomains               []string `in:"PrivateDnsSpecifiedDomain"`
}

// IcmpTypeCode: in a request and in a reply.
type IcmpTypeCode struct {
	Code *int32
	Type *int32
}

// InternetGateway: in a reply.
type InternetGateway struct {
	Attachments       []InternetGatewayAttachment `out:"attachmentSet"`
	InternetGatewayId string
	OwnerId           string
	Tags              []Tag `out:"tagSet"`
}

// InternetGatewayAttachment: in a reply.
type InternetGatewayAttachment struct {
	State string
	VpcId string
}

// Ipv6CidrBlock: in a reply.
type Ipv6CidrBlock struct {
	Ipv6CidrBlock string
}

// LastError: in a reply.
type LastError struct {
	Message string
	Code    string
}

// NetworkAcl: in a reply.
type NetworkAcl struct {
	Associations []NetworkAclAssociation `out:"associationSet"`
	Entries      []NetworkAclEntry       `out:"entrySet"`
	IsDefault    bool                    `out:"default"`
	NetworkAclId string
	Tags         []Tag `out:"tagSet"`
	VpcId        string
	OwnerId      string
}

// NetworkAclAssociation: in a reply.
type NetworkAclAssociation struct {
	NetworkAclAssociationId string
	NetworkAclId            string
	SubnetId                string
}

// NetworkAclEntry: in a reply.
type NetworkAclEntry struct {
	CidrBlock     string
	Egress        bool
	IcmpTypeCode  *IcmpTypeCode
	Ipv6CidrBlock string
	PortRange     *PortRange
	Protocol      string
	RuleAction    string
	RuleNumber    *int32
}

// NewDhcpConfiguration: in a request.
type NewDhcpConfiguration struct {
	Key    string
	Values []string `in:"Value"`
}

// PeeringConnectionOptions: in a reply.
type PeeringConnectionOptions struct {
	AllowDnsResolutionFromRemoteVpc            bool
	AllowEgressFromLocalClassicLinkToRemoteVpc bool
	AllowEgressFromLocalVpcToRemoteClassicLink bool
}

// PeeringConnectionOptionsRequest: in a request.
type PeeringConnectionOptionsRequest struct {
	AllowDnsResolutionFromRemoteVpc            *bool
	AllowEgressFromLocalClassicLinkToRemoteVpc *bool
	AllowEgressFromLocalVpcToRemoteClassicLink *bool
}

// PortRange: in a request and in a reply.
type PortRange struct {
	From *int32
	To   *int32
}

// PrivateDnsDetails: in a reply.
type PrivateDnsDetails struct {
	PrivateDnsName string
}

// PropagatingVgw: in a reply.
type PropagatingVgw struct {
	GatewayId string
}

// Route: in a reply.
type Route struct {
	DestinationCidrBlock        string
	DestinationIpv6CidrBlock    string
	DestinationPrefixListId     string
	EgressOnlyInternetGatewayId string
	GatewayId                   string
	InstanceId                  string
	InstanceOwnerId             string
	NatGatewayId                string
	TransitGatewayId            string
	LocalGatewayId              string
	CarrierGatewayId            string
	NetworkInterfaceId          string
	Origin                      string
	State                       string
	VpcPeeringConnectionId      string
	CoreNetworkArn              string
	OdbNetworkArn               string
	IpAddress                   string
}

// RouteTable: in a reply.
type RouteTable struct {
	Associations    []RouteTableAssociation `out:"associationSet"`
	PropagatingVgws []PropagatingVgw        `out:"propagatingVgwSet"`
	RouteTableId    string
	Routes          []Route `out:"routeSet"`
	Tags            []Tag   `out:"tagSet"`
	VpcId           string
	OwnerId         string
}

// RouteTableAssociation: in a reply.
type RouteTableAssociation struct {
	Main                    bool
	RouteTableAssociationId string
	RouteTableId            string
	SubnetId                string
	GatewayId               string
	PublicIpv4Pool          string
	AssociationState        *RouteTableAssociationState
}

// RouteTableAssociationState: in a reply.
type RouteTableAssociationState struct {
	State         string
	StatusMessage string
}

// SecurityGroupIdentifier: in a reply.
type SecurityGroupIdentifier struct {
	GroupId   string
	GroupName string
}

// ServiceDetail: in a reply.
type ServiceDetail struct {
	ServiceName                     string
	ServiceId                       string
	ServiceType                     []ServiceTypeDetail
	ServiceRegion                   string
	AvailabilityZoneIds             []string `out:"availabilityZoneIdSet"`
	AvailabilityZones               []string `out:"availabilityZoneSet"`
	Owner                           string
	BaseEndpointDnsNames            []string `out:"baseEndpointDnsNameSet"`
	PrivateDnsName                  string
	PrivateDnsNames                 []PrivateDnsDetails `out:"privateDnsNameSet"`
	VpcEndpointPolicySupported      bool
	AcceptanceRequired              bool
	ManagesVpcEndpoints             bool
	PayerResponsibility             string
	Tags                            []Tag `out:"tagSet"`
	PrivateDnsNameVerificationState string
	SupportedIpAddressTypes         []string `out:"supportedIpAddressTypeSet"`
}

// ServiceTypeDetail: in a reply.
type ServiceTypeDetail struct {
	ServiceType string
}

// SubnetConfiguration: in a request.
type SubnetConfiguration struct {
	SubnetId string
	Ipv4     string
	Ipv6     string
}

// SubnetIpPrefixes: in a reply.
type SubnetIpPrefixes struct {
	SubnetId   string
	IpPrefixes []string `out:"ipPrefixSet"`
}

// UnsuccessfulItem: in a reply.
type UnsuccessfulItem struct {
	Error      *UnsuccessfulItemError
	ResourceId string
}

// UnsuccessfulItemError: in a reply.
type UnsuccessfulItemError struct {
	Code    string
	Message string
}

// VpcClassicLink: in a reply.
type VpcClassicLink struct {
	ClassicLinkEnabled bool
	Tags               []Tag `out:"tagSet"`
	VpcId              string
}

// VpcEndpoint: in a reply.
type VpcEndpoint struct {
	VpcEndpointId            string
	VpcEndpointType          string
	VpcId                    string
	ServiceName              string
	State                    string
	PolicyDocument           string
	RouteTableIds            []string                  `out:"routeTableIdSet"`
	SubnetIds                []string                  `out:"subnetIdSet"`
	Groups                   []SecurityGroupIdentifier `out:"groupSet"`
	IpAddressType            string
	DnsOptions               *DnsOptions
	PrivateDnsEnabled        bool
	RequesterManaged         bool
	NetworkInterfaceIds      []string   `out:"networkInterfaceIdSet"`
	DnsEntries               []DnsEntry `out:"dnsEntrySet"`
	CreationTimestamp        time.Time
	Tags                     []Tag `out:"tagSet"`
	OwnerId                  string
	LastError                *LastError
	Ipv4Prefixes             []SubnetIpPrefixes `out:"ipv4PrefixSet"`
	Ipv6Prefixes             []SubnetIpPrefixes `out:"ipv6PrefixSet"`
	FailureReason            string
	ServiceNetworkArn        string
	ResourceConfigurationArn string
	ServiceRegion            string
	PayerResponsibilities    []PayerResponsibilityEntry `out:"payerResponsibilitySet"`
}

// VpcPeeringConnection: in a reply.
type VpcPeeringConnection struct {
	AccepterVpcInfo        *VpcPeeringConnectionVpcInfo
	ExpirationTime         time.Time
	RequesterVpcInfo       *VpcPeeringConnectionVpcInfo
	Status                 *VpcPeeringConnectionStateReason
	Tags                   []Tag `out:"tagSet"`
	VpcPeeringConnectionId string
}

// VpcPeeringConnectionOptionsDescription: in a reply.
type VpcPeeringConnectionOptionsDescription struct {
	AllowDnsResolutionFromRemoteVpc            bool
	AllowEgressFromLocalClassicLinkToRemoteVpc bool
	AllowEgressFromLocalVpcToRemoteClassicLink bool
}

// VpcPeeringConnectionStateReason: in a reply.
type VpcPeeringConnectionStateReason struct {
	Code    string
	Message string
}

// VpcPeeringConnectionVpcInfo: in a reply.
type VpcPeeringConnectionVpcInfo struct {
	CidrBlock        string
	Ipv6CidrBlockSet []Ipv6CidrBlock
	CidrBlockSet     []CidrBlock
	OwnerId          string
	PeeringOptions   *VpcPeeringConnectionOptionsDescription
	VpcId            string
	Region           string
}

// PayerResponsibilityEntry: in a reply.
type PayerResponsibilityEntry struct {
	PayerResponsibilityType string
	Scope                   string
}
