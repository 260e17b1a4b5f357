// Package vpc knows what a VPC is made of: security groups with their rules,
// VPCs, subnets, network interfaces and prefix lists, and what is valid in
// each. How they are stored, sent or enforced is left to others.
//
// The records are values: once one is in a view it is never changed; copy it,
// change the copy and put that. Numbers in the cbor tags are the stored form
// and are never reused.
package vpc

import (
	"net/netip"
	"time"

	"moat/flow"
)

// A Tag is a key with its value.
type Tag struct {
	Key   string `cbor:"1,keyasint"`
	Value string `cbor:"2,keyasint,omitempty"`
}

// Tags are sorted by key, each key once.
type Tags []Tag

// A SecurityGroup is a group with its rules, one record.
type SecurityGroup struct {
	ID          GroupID   `cbor:"1,keyasint"`
	Owner       AccountID `cbor:"2,keyasint"`
	VPC         VPCID     `cbor:"3,keyasint"`
	Name        string    `cbor:"4,keyasint"`
	Description string    `cbor:"5,keyasint"`
	// Rules of both directions, in the order in which they were added.
	Rules []Rule `cbor:"6,keyasint,omitempty"`
	Tags  Tags   `cbor:"7,keyasint,omitempty"`
	// EgressTouched tells that somebody changed the egress rules, so that an
	// IPv6 block added to the VPC later adds no ::/0 rule.
	EgressTouched bool `cbor:"8,keyasint,omitempty"`
}

// IsDefault reports whether g is its VPC's default group. The name is
// reserved, so it tells.
func (g *SecurityGroup) IsDefault() bool { return g.Name == "default" }

// A Rule is one atomic rule: one protocol, one range, one peer.
type Rule struct {
	ID          RuleID         `cbor:"1,keyasint"`
	Direction   flow.Direction `cbor:"2,keyasint,omitempty"`
	Protocol    flow.Protocol  `cbor:"3,keyasint,omitempty"`
	Ports       flow.PortRange `cbor:"4,keyasint"`
	Peer        Peer           `cbor:"5,keyasint"`
	Description string         `cbor:"6,keyasint,omitempty"`
	Tags        Tags           `cbor:"7,keyasint,omitempty"`
	// Foreign describes a referenced group that is not of the same VPC.
	Foreign *Foreign `cbor:"8,keyasint,omitempty"`
}

// A Peer is the other side that a rule allows: exactly one of an address
// range, a prefix list or a security group. Its canonical form is comparable.
type Peer struct {
	// CIDR is a masked range; the zero value when the peer is something else.
	CIDR netip.Prefix `cbor:"1,keyasint,omitzero"`
	// Ref is the id of a security group (sg-…) or of a prefix list (pl-…).
	Ref string `cbor:"2,keyasint,omitempty"`
}

// A Foreign names where a group of another VPC is.
type Foreign struct {
	Owner   AccountID `cbor:"1,keyasint,omitempty"`
	VPC     VPCID     `cbor:"2,keyasint,omitempty"`
	Peering string    `cbor:"3,keyasint,omitempty"`
}

// Group gives the referenced group's id; ok is false for another kind of peer.
func (p Peer) Group() (id GroupID, ok bool) {
	if len(p.Ref) > 3 && p.Ref[:3] == "sg-" {
		return GroupID(p.Ref), true
	}
	return "", false
}

// PrefixList gives the prefix list's id; ok is false for another kind of peer.
func (p Peer) PrefixList() (id PrefixListID, ok bool) {
	if len(p.Ref) > 3 && p.Ref[:3] == "pl-" {
		return PrefixListID(p.Ref), true
	}
	return "", false
}

// A VPC is a network with its address blocks.
type VPC struct {
	ID      VPCID     `cbor:"1,keyasint"`
	Owner   AccountID `cbor:"2,keyasint"`
	Default bool      `cbor:"3,keyasint,omitempty"`
	Tenancy string    `cbor:"4,keyasint"`
	// Blocks are the IPv4 and IPv6 blocks; the first IPv4 one is primary.
	Blocks                    []Block   `cbor:"5,keyasint"`
	DHCPOptions               string    `cbor:"6,keyasint,omitempty"`
	EnableDNSSupport          bool      `cbor:"7,keyasint,omitempty"`
	EnableDNSHostnames        bool      `cbor:"8,keyasint,omitempty"`
	EnableAddressUsageMetrics bool      `cbor:"9,keyasint,omitempty"`
	Tags                      Tags      `cbor:"10,keyasint,omitempty"`
	Created                   time.Time `cbor:"11,keyasint"`
}

// A Block is an address block associated with a VPC or a subnet.
type Block struct {
	Association AssociationID `cbor:"1,keyasint"`
	CIDR        netip.Prefix  `cbor:"2,keyasint"`
	// Pool and BorderGroup describe an IPv6 block. A subnet's has a Pool if it is
	// the operator's own.
	Pool        string `cbor:"3,keyasint,omitempty"`
	BorderGroup string `cbor:"4,keyasint,omitempty"`
}

// HasIPv6 reports whether the VPC has an IPv6 block.
func (v *VPC) HasIPv6() bool {
	for _, b := range v.Blocks {
		if b.CIDR.Addr().Is6() {
			return true
		}
	}
	return false
}

// CIDR gives the primary IPv4 block.
func (v *VPC) CIDR() netip.Prefix { return v.Blocks[0].CIDR }

// Resolver returns the address of the VPC's DNS resolver, the third of its
// primary IPv4 block. The same address of another block is nothing special: VPC
// user guide, "Understanding Amazon DNS". Not valid without an IPv4 block.
func (v *VPC) Resolver() netip.Addr {
	for _, b := range v.Blocks {
		if a := b.CIDR.Addr(); a.Is4() {
			return a.Next().Next()
		}
	}
	return netip.Addr{}
}

// A Subnet is a range of one VPC in one availability zone.
type Subnet struct {
	ID               SubnetID     `cbor:"1,keyasint"`
	Owner            AccountID    `cbor:"2,keyasint"`
	VPC              VPCID        `cbor:"3,keyasint"`
	CIDR             netip.Prefix `cbor:"4,keyasint,omitzero"`
	IPv6             []Block      `cbor:"5,keyasint,omitempty"`
	AvailabilityZone string       `cbor:"6,keyasint"`
	DefaultForAZ     bool         `cbor:"7,keyasint,omitempty"`
	MapPublicIP      bool         `cbor:"8,keyasint,omitempty"`
	AssignIPv6       bool         `cbor:"9,keyasint,omitempty"`
	EnableDNS64      bool         `cbor:"10,keyasint,omitempty"`
	IPv6Native       bool         `cbor:"11,keyasint,omitempty"`
	// HostnameType is ip-name or resource-name.
	HostnameType string `cbor:"12,keyasint,omitempty"`
	DNSARecord   bool   `cbor:"13,keyasint,omitempty"`
	DNSAAAA      bool   `cbor:"14,keyasint,omitempty"`
	// LNIDeviceIndex is the device index for local network interfaces, 0 for none.
	LNIDeviceIndex      int32  `cbor:"15,keyasint,omitempty"`
	MapCustomerOwnedIP  bool   `cbor:"16,keyasint,omitempty"`
	CustomerOwnedIPPool string `cbor:"17,keyasint,omitempty"`
	OutpostARN          string `cbor:"18,keyasint,omitempty"`
	Tags                Tags   `cbor:"19,keyasint,omitempty"`
}

// An Interface is an elastic network interface.
type Interface struct {
	ID               InterfaceID `cbor:"1,keyasint"`
	Owner            AccountID   `cbor:"2,keyasint"`
	VPC              VPCID       `cbor:"3,keyasint"`
	Subnet           SubnetID    `cbor:"4,keyasint"`
	AvailabilityZone string      `cbor:"5,keyasint"`
	Description      string      `cbor:"6,keyasint,omitempty"`
	// Groups in the order given, each once.
	Groups []GroupID `cbor:"7,keyasint"`
	MAC    string    `cbor:"8,keyasint"`
	// Addresses are the private IPv4 addresses; the first is primary.
	Addresses []netip.Addr `cbor:"9,keyasint,omitempty"`
	// IPv6 addresses; with PrimaryIPv6 the first is the primary one.
	IPv6             []netip.Addr        `cbor:"10,keyasint,omitempty"`
	PrimaryIPv6      bool                `cbor:"11,keyasint,omitempty"`
	IPv4Prefixes     []netip.Prefix      `cbor:"12,keyasint,omitzero"`
	IPv6Prefixes     []netip.Prefix      `cbor:"13,keyasint,omitzero"`
	SourceDestCheck  bool                `cbor:"14,keyasint,omitempty"`
	Type             string              `cbor:"15,keyasint"`
	Requester        string              `cbor:"16,keyasint,omitempty"`
	Tracking         *ConnectionTracking `cbor:"17,keyasint,omitempty"`
	Attachment       *Attachment         `cbor:"18,keyasint,omitempty"`
	PublicIPOnAttach bool                `cbor:"19,keyasint,omitempty"`
	Tags             Tags                `cbor:"20,keyasint,omitempty"`
	Created          time.Time           `cbor:"21,keyasint"`
	ENASrd           bool                `cbor:"22,keyasint,omitempty"`
	ENASrdUDP        bool                `cbor:"23,keyasint,omitempty"`
	// Public has at most one address for each private one.
	Public []PublicAddress `cbor:"24,keyasint,omitempty"`
}

// A ConnectionTracking holds idle timeouts in seconds; 0 means not set.
type ConnectionTracking struct {
	TCPEstablished int32 `cbor:"1,keyasint,omitempty"`
	UDPStream      int32 `cbor:"2,keyasint,omitempty"`
	UDP            int32 `cbor:"3,keyasint,omitempty"`
}

// An Attachment binds an interface to an instance, or to a device of a host, or
// to both: which instance it belongs to is the API's to say, which device
// carries it the operator's.
type Attachment struct {
	ID                  string    `cbor:"1,keyasint"`
	Instance            string    `cbor:"2,keyasint,omitempty"`
	InstanceOwner       AccountID `cbor:"3,keyasint,omitempty"`
	DeviceIndex         int32     `cbor:"4,keyasint,omitempty"`
	CardIndex           int32     `cbor:"5,keyasint,omitempty"`
	DeleteOnTermination bool      `cbor:"6,keyasint,omitempty"`
	Attached            time.Time `cbor:"7,keyasint"`
	// ENAQueues is a count of queues other than the default, or 0.
	ENAQueues int32   `cbor:"8,keyasint,omitempty"`
	Device    *Device `cbor:"9,keyasint,omitempty"`
}

// A Device is what carries an interface on a host.
type Device struct {
	Host string `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
	// Netns is the path of its network namespace; empty for the host's own.
	Netns string `cbor:"3,keyasint,omitempty"`
	// Workload tells that the device carries the interface's addresses itself,
	// rather than being the host's end of the workload's link.
	Workload bool `cbor:"4,keyasint,omitempty"`
	// Observe judges and counts, and drops nothing.
	Observe bool `cbor:"5,keyasint,omitempty"`
	// Until is when a device that is enforced on trial observes again; zero for
	// one that is not.
	Until time.Time `cbor:"6,keyasint,omitzero"`
	// Detaching tells that another server has asked for the detachment. The host's
	// own server takes the filter off, and then removes the Device.
	Detaching bool `cbor:"7,keyasint,omitempty"`
}

// A PrefixList is a managed prefix list with the versions that are kept.
type PrefixList struct {
	ID         PrefixListID `cbor:"1,keyasint"`
	Owner      AccountID    `cbor:"2,keyasint"`
	Name       string       `cbor:"3,keyasint"`
	Family     string       `cbor:"4,keyasint"` // IPv4 or IPv6
	MaxEntries int32        `cbor:"5,keyasint"`
	// State is one of EC2's states; StateMessage explains a failed one.
	State        string `cbor:"6,keyasint"`
	StateMessage string `cbor:"7,keyasint,omitempty"`
	// Version counts the changes of the entries, from 1.
	Version int64 `cbor:"8,keyasint"`
	// Entries are those of the current version.
	Entries []PrefixListEntry `cbor:"9,keyasint,omitempty"`
	Tags    Tags              `cbor:"10,keyasint,omitempty"`
}

// A PrefixListVersion is the content of a list at a version before the
// current one; a record of its own, since up to 1000 are kept.
type PrefixListVersion struct {
	List    PrefixListID      `cbor:"1,keyasint"`
	Number  int64             `cbor:"2,keyasint"`
	Entries []PrefixListEntry `cbor:"3,keyasint,omitempty"`
}

// A PrefixListEntry is one range of a list.
type PrefixListEntry struct {
	CIDR        netip.Prefix `cbor:"1,keyasint"`
	Description string       `cbor:"2,keyasint,omitempty"`
}

// A GroupAssociation makes a group usable in a VPC other than its own.
type GroupAssociation struct {
	Group      GroupID   `cbor:"1,keyasint"`
	VPC        VPCID     `cbor:"2,keyasint"`
	GroupOwner AccountID `cbor:"3,keyasint"`
	VPCOwner   AccountID `cbor:"4,keyasint"`
	State      string    `cbor:"5,keyasint"`
}

// A ClientToken remembers what an idempotent request answered.
type ClientToken struct {
	// Key is the action, a slash and the caller's token.
	Key string `cbor:"1,keyasint"`
	// Hash is of the request without its token.
	Hash string `cbor:"2,keyasint"`
	// Resource is the id of what was created.
	Resource string    `cbor:"3,keyasint"`
	Used     time.Time `cbor:"4,keyasint"`
}

// A Space marks a region of an account that was used.
type Space struct {
	Created time.Time `cbor:"1,keyasint"`
	// Furnished counts the sets of beginnings that the space was given: 1 is
	// the default VPC with its subnets and group, 2 what stands around the
	// subnets: route tables, network ACLs, DHCP options, internet gateway.
	Furnished int `cbor:"2,keyasint"`
}
