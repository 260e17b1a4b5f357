package ec2

import "time"

// AssignedPrivateIpAddress: in a reply.
type AssignedPrivateIpAddress struct {
	PrivateIpAddress string
}

// AttachmentEnaSrdSpecification: in a reply.
type AttachmentEnaSrdSpecification struct {
	EnaSrdEnabled          bool
	EnaSrdUdpSpecification *AttachmentEnaSrdUdpSpecification
}

// AttachmentEnaSrdUdpSpecification: in a reply.
type AttachmentEnaSrdUdpSpecification struct {
	EnaSrdUdpEnabled bool
}

// ConnectionTrackingConfiguration: in a reply.
type ConnectionTrackingConfiguration struct {
	TcpEstablishedTimeout *int32
	UdpStreamTimeout      *int32
	UdpTimeout            *int32
}

// ConnectionTrackingSpecificationRequest: in a request.
type ConnectionTrackingSpecificationRequest struct {
	TcpEstablishedTimeout *int32
	UdpStreamTimeout      *int32
	UdpTimeout            *int32
}

// EnaSrdSpecification: in a request.
type EnaSrdSpecification struct {
	EnaSrdEnabled          *bool
	EnaSrdUdpSpecification *EnaSrdUdpSpecification
}

// EnaSrdUdpSpecification: in a request.
type EnaSrdUdpSpecification struct {
	EnaSrdUdpEnabled *bool
}

// GroupIdentifier: in a reply.
type GroupIdentifier struct {
	GroupId   string
	GroupName string
}

// InstanceIpv6Address: in a request.
type InstanceIpv6Address struct {
	Ipv6Address   string
	IsPrimaryIpv6 *bool
}

// Ipv4PrefixSpecification: in a reply.
type Ipv4PrefixSpecification struct {
	Ipv4Prefix string
}

// Ipv4PrefixSpecificationRequest: in a request.
type Ipv4PrefixSpecificationRequest struct {
	Ipv4Prefix string
}

// Ipv6PrefixSpecification: in a reply.
type Ipv6PrefixSpecification struct {
	Ipv6Prefix string
}

// Ipv6PrefixSpecificationRequest: in a request.
type Ipv6PrefixSpecificationRequest struct {
	Ipv6Prefix string
}

// NetworkInterface: in a reply.
type NetworkInterface struct {
	Association                     *NetworkInterfaceAssociation
	Attachment                      *NetworkInterfaceAttachment
	AvailabilityZone                string
	ConnectionTrackingConfiguration *ConnectionTrackingConfiguration
	Description                     string
	Groups                          []GroupIdentifier `out:"groupSet"`
	InterfaceType                   string
	Ipv6Addresses                   []NetworkInterfaceIpv6Address `out:"ipv6AddressesSet"`
	MacAddress                      string
	NetworkInterfaceId              string
	OutpostArn                      string
	OwnerId                         string
	PrivateDnsName                  string
	PublicDnsName                   string
	PublicIpDnsNameOptions          *PublicIpDnsNameOptions
	PrivateIpAddress                string
	PrivateIpAddresses              []NetworkInterfacePrivateIpAddress `out:"privateIpAddressesSet"`
	Ipv4Prefixes                    []Ipv4PrefixSpecification          `out:"ipv4PrefixSet"`
	Ipv6Prefixes                    []Ipv6PrefixSpecification          `out:"ipv6PrefixSet"`
	RequesterId                     string
	RequesterManaged                bool
	SourceDestCheck                 bool
	Status                          string
	SubnetId                        string
	TagSet                          []Tag
	VpcId                           string
	DenyAllIgwTraffic               bool
	Ipv6Native                      bool
	Ipv6Address                     string
	Operator                        *OperatorResponse
	AssociatedSubnets               []string `out:"associatedSubnetSet"`
	AvailabilityZoneId              string
}

// NetworkInterfaceAssociation: in a reply.
type NetworkInterfaceAssociation struct {
	AllocationId    string
	AssociationId   string
	IpOwnerId       string
	PublicDnsName   string
	PublicIp        string
	CustomerOwnedIp string
	CarrierIp       string
}

// NetworkInterfaceAttachment: in a reply.
type NetworkInterfaceAttachment struct {
	AttachTime          time.Time
	AttachmentId        string
	DeleteOnTermination bool
	DeviceIndex         *int32
	NetworkCardIndex    *int32
	InstanceId          string
	InstanceOwnerId     string
	Status              string
	EnaSrdSpecification *AttachmentEnaSrdSpecification
	EnaQueueCount       *int32
}

// NetworkInterfaceAttachmentChanges: in a request.
type NetworkInterfaceAttachmentChanges struct {
	DefaultEnaQueueCount *bool
	EnaQueueCount        *int32
	AttachmentId         string
	DeleteOnTermination  *bool
}

// NetworkInterfaceIpv6Address: in a reply.
type NetworkInterfaceIpv6Address struct {
	Ipv6Address       string
	PublicIpv6DnsName string
	IsPrimaryIpv6     bool
}

// NetworkInterfacePrivateIpAddress: in a reply.
type NetworkInterfacePrivateIpAddress struct {
	Association      *NetworkInterfaceAssociation
	Primary          bool
	PrivateDnsName   string
	PrivateIpAddress string
}

// PrivateIpAddressSpecification: in a request.
type PrivateIpAddressSpecification struct {
	Primary          *bool
	PrivateIpAddress string
}

// PublicIpDnsNameOptions: in a reply.
type PublicIpDnsNameOptions struct {
	DnsHostnameType        string
	PublicIpv4DnsName      string
	PublicIpv6DnsName      string
	PublicDualStackDnsName string
}
