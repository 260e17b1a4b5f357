package vpc

import (
	"net/netip"
	"time"
)

// The ids of what stands around the subnets of a VPC.
type (
	InternetGatewayID string
	RouteTableID      string
	NetworkACLID      string
	DHCPOptionsID     string
	EndpointID        string
	PeeringID         string
)

// Their prefixes, without the dash.
const (
	InternetGatewayPrefix       = "igw"
	RouteTablePrefix            = "rtb"
	RouteTableAssociationPrefix = "rtbassoc"
	NetworkACLPrefix            = "acl"
	NetworkACLAssociationPrefix = "aclassoc"
	EndpointPrefix              = "vpce"
	PeeringPrefix               = "pcx"
)

// An InternetGateway may be attached to one VPC.
type InternetGateway struct {
	ID    InternetGatewayID `cbor:"1,keyasint"`
	Owner AccountID         `cbor:"2,keyasint"`
	// VPC is the one it is attached to, or empty.
	VPC  VPCID `cbor:"3,keyasint,omitempty"`
	Tags Tags  `cbor:"4,keyasint,omitempty"`
}

// A RouteTable holds the routes that somebody made. The local ones, one for
// each block of the VPC, and those of endpoints are not stored: they follow
// from the VPC and from the endpoints.
type RouteTable struct {
	ID     RouteTableID `cbor:"1,keyasint"`
	Owner  AccountID    `cbor:"2,keyasint"`
	VPC    VPCID        `cbor:"3,keyasint"`
	Routes []Route      `cbor:"4,keyasint,omitempty"`
	Tags   Tags         `cbor:"5,keyasint,omitempty"`
}

// A Route leads to a target from a range or a prefix list. One to a block of
// the VPC stands in place of the local route.
type Route struct {
	Destination netip.Prefix `cbor:"1,keyasint,omitzero"`
	PrefixList  PrefixListID `cbor:"2,keyasint,omitempty"`
	// Target is the id of an internet gateway, an interface or a peering.
	Target string `cbor:"3,keyasint"`
}

// A RouteTableAssociation says which table a subnet, a gateway or, if it is
// the main one, the VPC's other subnets use.
type RouteTableAssociation struct {
	ID      AssociationID     `cbor:"1,keyasint"`
	Table   RouteTableID      `cbor:"2,keyasint"`
	VPC     VPCID             `cbor:"3,keyasint"`
	Main    bool              `cbor:"4,keyasint,omitempty"`
	Subnet  SubnetID          `cbor:"5,keyasint,omitempty"`
	Gateway InternetGatewayID `cbor:"6,keyasint,omitempty"`
}

// A NetworkACL is a list of rules for subnets. The last entries, which deny
// what no other decides, are not stored.
type NetworkACL struct {
	ID      NetworkACLID `cbor:"1,keyasint"`
	Owner   AccountID    `cbor:"2,keyasint"`
	VPC     VPCID        `cbor:"3,keyasint"`
	Default bool         `cbor:"4,keyasint,omitempty"`
	// Entries by direction, inbound first, and by number.
	Entries []ACLEntry `cbor:"5,keyasint,omitempty"`
	Tags    Tags       `cbor:"6,keyasint,omitempty"`
}

// An ACLEntry is one rule of a network ACL.
type ACLEntry struct {
	Number int32 `cbor:"1,keyasint"`
	Egress bool  `cbor:"2,keyasint,omitempty"`
	Allow  bool  `cbor:"3,keyasint,omitempty"`
	// Protocol is a number, -1 for all.
	Protocol int16        `cbor:"4,keyasint"`
	CIDR     netip.Prefix `cbor:"5,keyasint"`
	// From and To are ports, or for ICMP type and code; both are -1 where they
	// mean nothing.
	From int32 `cbor:"6,keyasint"`
	To   int32 `cbor:"7,keyasint"`
}

// A NetworkACLAssociation says which ACL a subnet has; every subnet has one.
type NetworkACLAssociation struct {
	ID     AssociationID `cbor:"1,keyasint"`
	ACL    NetworkACLID  `cbor:"2,keyasint"`
	Subnet SubnetID      `cbor:"3,keyasint"`
}

// A DHCPOptions is a set of options that VPCs may use.
type DHCPOptions struct {
	ID      DHCPOptionsID `cbor:"1,keyasint"`
	Owner   AccountID     `cbor:"2,keyasint"`
	Options []DHCPOption  `cbor:"3,keyasint"`
	Tags    Tags          `cbor:"4,keyasint,omitempty"`
}

// A DHCPOption is one option with its values.
type DHCPOption struct {
	Key    string   `cbor:"1,keyasint"`
	Values []string `cbor:"2,keyasint"`
}

// An Endpoint is a VPC's gateway endpoint for a service.
type Endpoint struct {
	ID      EndpointID     `cbor:"1,keyasint"`
	Owner   AccountID      `cbor:"2,keyasint"`
	VPC     VPCID          `cbor:"3,keyasint"`
	Service string         `cbor:"4,keyasint"`
	Policy  string         `cbor:"5,keyasint"`
	Tables  []RouteTableID `cbor:"6,keyasint,omitempty"` // sorted
	Tags    Tags           `cbor:"7,keyasint,omitempty"`
	Created time.Time      `cbor:"8,keyasint"`
}

// A Peering connects two VPCs. Where they are of two accounts or regions each
// of the two spaces has a copy; the copies differ in their tags alone.
type Peering struct {
	ID        PeeringID   `cbor:"1,keyasint"`
	Requester PeeringSide `cbor:"2,keyasint"`
	Accepter  PeeringSide `cbor:"3,keyasint"`
	// Status is the last one that somebody brought about; Now tells the one of
	// a moment.
	Status  string    `cbor:"4,keyasint"`
	Message string    `cbor:"5,keyasint,omitempty"`
	Created time.Time `cbor:"6,keyasint"`
	// Ended is when it was rejected, deleted or failed, and EndedBy by whom.
	Ended   time.Time `cbor:"7,keyasint,omitzero"`
	EndedBy AccountID `cbor:"8,keyasint,omitempty"`
	Tags    Tags      `cbor:"9,keyasint,omitempty"`
}

// A PeeringSide is one of the two VPCs of a peering.
type PeeringSide struct {
	Owner  AccountID `cbor:"1,keyasint"`
	Region string    `cbor:"2,keyasint"`
	VPC    VPCID     `cbor:"3,keyasint"`
	// Blocks are those that the VPC had when last something was done with the
	// peering: the VPC may be gone, and the peering still be described.
	Blocks []netip.Prefix `cbor:"4,keyasint,omitempty"`
	// RemoteDNS lets the other side's names resolve to private addresses.
	RemoteDNS bool `cbor:"5,keyasint,omitempty"`
}
