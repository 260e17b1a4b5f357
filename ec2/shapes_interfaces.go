package ec2

import (
	"time"

	"moat/state"
	"moat/vpc"
)

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

// NetworkInterface: in a reply. Real replies have the lists of addresses,
// groups and tags, and the description, also when they are empty.
type NetworkInterface struct {
	Association                     *NetworkInterfaceAssociation
	Attachment                      *NetworkInterfaceAttachment
	AvailabilityZone                string
	ConnectionTrackingConfiguration *ConnectionTrackingConfiguration
	Description                     string            `out:"description,always"`
	Groups                          []GroupIdentifier `out:"groupSet,always"`
	InterfaceType                   string
	Ipv6Addresses                   []NetworkInterfaceIpv6Address `out:"ipv6AddressesSet,always"`
	MacAddress                      string
	NetworkInterfaceId              string
	OutpostArn                      string
	OwnerId                         string
	PrivateDnsName                  string
	PublicDnsName                   string
	PublicIpDnsNameOptions          *PublicIpDnsNameOptions
	PrivateIpAddress                string
	PrivateIpAddresses              []NetworkInterfacePrivateIpAddress `out:"privateIpAddressesSet,always"`
	Ipv4Prefixes                    []Ipv4PrefixSpecification          `out:"ipv4PrefixSet"`
	Ipv6Prefixes                    []Ipv6PrefixSpecification          `out:"ipv6PrefixSet"`
	RequesterId                     string
	RequesterManaged                bool
	SourceDestCheck                 bool
	Status                          string
	SubnetId                        string
	TagSet                          []Tag
	VpcId                           string
	DenyAllIgwTraffic               bool `out:"denyAllIgwTraffic,omitzero"`
	Ipv6Native                      bool `out:"ipv6Native,omitzero"`
	Ipv6Address                     string
	Operator                        *OperatorResponse
	AssociatedSubnets               []string `out:"associatedSubnetSet"`
	AvailabilityZoneId              string
}

// interfaceShape gives an interface as replies show it. Without a public
// address it depends on nothing but the interface: a group's name never changes,
// nor a zone's id. With one it depends on whether the VPC has names, too.
func interfaceShape(r state.Reader, region string, i *vpc.Interface) NetworkInterface {
	zone, _ := vpc.ZoneNamed(region, i.AvailabilityZone)
	s := NetworkInterface{
		Attachment:         attachmentShape(i),
		AvailabilityZone:   i.AvailabilityZone,
		AvailabilityZoneId: zone.ID,
		Description:        i.Description,
		Groups:             groupIdentifiers(r, i.Groups),
		InterfaceType:      i.Type,
		MacAddress:         i.MAC,
		NetworkInterfaceId: string(i.ID),
		OwnerId:            string(i.Owner),
		RequesterId:        i.Requester,
		SourceDestCheck:    i.SourceDestCheck,
		Status:             interfaceStatus(i),
		SubnetId:           string(i.Subnet),
		TagSet:             tagShapes(i.Tags),
		VpcId:              string(i.VPC),
		Ipv6Native:         len(i.Addresses) == 0 && len(i.IPv6) > 0,
		Operator:           &OperatorResponse{},
	}
	if t := i.Tracking; t != nil {
		s.ConnectionTrackingConfiguration = &ConnectionTrackingConfiguration{
			TcpEstablishedTimeout: nonZero(t.TCPEstablished), UdpStreamTimeout: nonZero(t.UDPStream), UdpTimeout: nonZero(t.UDP),
		}
	}
	for n, a := range i.Addresses {
		p := NetworkInterfacePrivateIpAddress{
			Primary: n == 0, PrivateDnsName: vpc.PrivateDNSName(region, a), PrivateIpAddress: a.String(),
		}
		if public, ok := i.PublicFor(a); ok {
			p.Association = associationShape(r, region, i, public)
		}
		s.PrivateIpAddresses = append(s.PrivateIpAddresses, p)
	}
	if len(i.Addresses) > 0 {
		s.Association = s.PrivateIpAddresses[0].Association
		s.PrivateIpAddress, s.PrivateDnsName = s.PrivateIpAddresses[0].PrivateIpAddress, s.PrivateIpAddresses[0].PrivateDnsName
	}
	for n, a := range i.IPv6 {
		s.Ipv6Addresses = append(s.Ipv6Addresses, NetworkInterfaceIpv6Address{
			Ipv6Address: a.String(), IsPrimaryIpv6: n == 0 && i.PrimaryIPv6,
		})
	}
	if len(i.IPv6) > 0 {
		s.Ipv6Address = i.IPv6[0].String()
	}
	for _, b := range i.IPv4Prefixes {
		s.Ipv4Prefixes = append(s.Ipv4Prefixes, Ipv4PrefixSpecification{b.String()})
	}
	for _, b := range i.IPv6Prefixes {
		s.Ipv6Prefixes = append(s.Ipv6Prefixes, Ipv6PrefixSpecification{b.String()})
	}
	return s
}

// interfaceStatus gives the status that follows from the attachment.
func interfaceStatus(i *vpc.Interface) string {
	if i.Attachment != nil {
		return "in-use"
	}
	return "available"
}

// attachmentShape gives an interface's attachment, or nil.
func attachmentShape(i *vpc.Interface) *NetworkInterfaceAttachment {
	a := i.Attachment
	if a == nil {
		return nil
	}
	s := &NetworkInterfaceAttachment{
		AttachTime:          a.Attached,
		AttachmentId:        a.ID,
		DeleteOnTermination: a.DeleteOnTermination,
		DeviceIndex:         &a.DeviceIndex,
		NetworkCardIndex:    &a.CardIndex,
		InstanceId:          a.Instance,
		InstanceOwnerId:     string(a.InstanceOwner),
		Status:              "attached",
		EnaQueueCount:       nonZero(a.ENAQueues),
	}
	if i.ENASrd {
		s.EnaSrdSpecification = &AttachmentEnaSrdSpecification{
			EnaSrdEnabled: true, EnaSrdUdpSpecification: &AttachmentEnaSrdUdpSpecification{i.ENASrdUDP},
		}
	}
	return s
}

// associationShape gives the public side of a private address. It has a name
// where the VPC has names.
func associationShape(r state.Reader, region string, i *vpc.Interface, p vpc.PublicAddress) *NetworkInterfaceAssociation {
	s := &NetworkInterfaceAssociation{
		AllocationId: string(p.Allocation), AssociationId: p.Association, IpOwnerId: publicOwner(i, p), PublicIp: p.Address.String(),
	}
	if v := state.VPCs.Get(r, i.VPC); v != nil && v.EnableDNSHostnames {
		s.PublicDnsName = vpc.PublicDNSName(region, p.Address)
	}
	return s
}

// groupIdentifiers gives ids and names of groups, all of which must exist.
func groupIdentifiers(r state.Reader, ids []vpc.GroupID) []GroupIdentifier {
	out := make([]GroupIdentifier, 0, len(ids))
	for _, id := range ids {
		out = append(out, GroupIdentifier{string(id), groupName(r, id)})
	}
	return out
}

// nonZero gives a number that is left out when it is 0.
func nonZero(n int32) *int32 {
	if n == 0 {
		return nil
	}
	return &n
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

// groupName gives the name of a group. An interface's groups exist: who deletes
// one is refused; should a damaged store say otherwise, the name is left out.
func groupName(r state.Reader, id vpc.GroupID) string {
	if g := state.Groups.Get(r, id); g != nil {
		return g.Name
	}
	return ""
}
