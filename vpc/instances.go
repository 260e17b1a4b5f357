package vpc

import (
	"crypto/sha256"
	"encoding/base32"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/fault"
)

// Ids of instances and of what is with them.
type (
	InstanceID   string
	VolumeID     string
	KeyPairID    string
	AllocationID string
)

// Prefixes of their ids, without the dash.
const (
	InstancePrefix           = "i"
	ReservationPrefix        = "r"
	ImagePrefix              = "ami"
	VolumePrefix             = "vol"
	SnapshotPrefix           = "snap"
	KeyPairPrefix            = "key"
	AllocationPrefix         = "eipalloc"
	AddressAssociationPrefix = "eipassoc"
)

// An Instance is the record of a machine, a container or a namespace that holds
// interfaces. Moat runs none: it says which interfaces belong together, and
// whoever runs the workload binds them to its devices.
type Instance struct {
	ID    InstanceID `cbor:"1,keyasint"`
	Owner AccountID  `cbor:"2,keyasint"`
	// Reservation is the call that launched it, LaunchIndex its place in it.
	Reservation string `cbor:"3,keyasint"`
	LaunchIndex int32  `cbor:"4,keyasint,omitempty"`
	Requester   string `cbor:"5,keyasint,omitempty"`
	ClientToken string `cbor:"6,keyasint,omitempty"`
	// State is one of those that last: what is between them is over by the
	// time that anybody looks.
	State InstanceState `cbor:"7,keyasint"`
	// Launched is when it was last started, Ended when it was stopped or
	// terminated; zero while it runs.
	Launched time.Time `cbor:"8,keyasint"`
	Ended    time.Time `cbor:"9,keyasint,omitzero"`

	Image string `cbor:"10,keyasint"`
	Type  string `cbor:"11,keyasint"`
	Key   string `cbor:"12,keyasint,omitempty"` // a key pair's name
	// VPC and Subnet are those of the primary interface.
	VPC              VPCID    `cbor:"13,keyasint"`
	Subnet           SubnetID `cbor:"14,keyasint"`
	AvailabilityZone string   `cbor:"15,keyasint"`
	Tenancy          string   `cbor:"16,keyasint,omitempty"`
	// UserData is base64, as it was sent.
	UserData string `cbor:"17,keyasint,omitempty"`
	// Profile is the ARN of an instance profile.
	Profile            string          `cbor:"18,keyasint,omitempty"`
	ShutdownBehavior   string          `cbor:"19,keyasint"` // stop or terminate
	DisableTermination bool            `cbor:"20,keyasint,omitempty"`
	DisableStop        bool            `cbor:"21,keyasint,omitempty"`
	Monitoring         bool            `cbor:"22,keyasint,omitempty"`
	EBSOptimized       bool            `cbor:"23,keyasint,omitempty"`
	Hibernation        bool            `cbor:"24,keyasint,omitempty"`
	Enclave            bool            `cbor:"25,keyasint,omitempty"`
	CPUCredits         string          `cbor:"26,keyasint,omitempty"`
	AutoRecovery       string          `cbor:"27,keyasint"`
	Metadata           MetadataOptions `cbor:"28,keyasint"`
	// Cores and ThreadsPerCore are 0 for those of the type.
	Cores          int32  `cbor:"29,keyasint,omitempty"`
	ThreadsPerCore int32  `cbor:"30,keyasint,omitempty"`
	HostnameType   string `cbor:"31,keyasint,omitempty"`
	DNSARecord     bool   `cbor:"32,keyasint,omitempty"`
	DNSAAAA        bool   `cbor:"33,keyasint,omitempty"`
	Tags           Tags   `cbor:"34,keyasint,omitempty"`
	// RebootMigration is empty for EC2's default.
	RebootMigration string `cbor:"35,keyasint,omitempty"`
	// CapacityReservation is the preference for capacity reservations.
	CapacityReservation string `cbor:"36,keyasint,omitempty"`
	// Of the image.
	Architecture string `cbor:"37,keyasint"`
	RootDevice   string `cbor:"38,keyasint"`
	BootMode     string `cbor:"39,keyasint,omitempty"`
}

// An InstanceState is a state that lasts.
type InstanceState string

// The states.
const (
	Running    InstanceState = "running"
	Stopped    InstanceState = "stopped"
	Terminated InstanceState = "terminated"
)

// TerminatedLife is how long a terminated instance is still shown: EC2 user
// guide, "Terminate Amazon EC2 instances" ("a short time", about an hour).
const TerminatedLife = time.Hour

// Shown reports whether an instance is still to be seen.
func (i *Instance) Shown(now time.Time) bool {
	return i.State != Terminated || now.Sub(i.Ended) < TerminatedLife
}

// MetadataOptions are those of the instance metadata service.
type MetadataOptions struct {
	Tokens   string `cbor:"1,keyasint"` // optional or required
	HopLimit int32  `cbor:"2,keyasint"`
	Endpoint string `cbor:"3,keyasint"` // enabled or disabled, as the next two
	IPv6     string `cbor:"4,keyasint"`
	Tags     string `cbor:"5,keyasint"`
}

// Set changes the options that are not empty.
func (m *MetadataOptions) Set(tokens string, hopLimit *int32, endpoint, ipv6, tags string) error {
	for _, o := range []struct {
		name, value string
		to          *string
		allowed     []string
	}{
		{"httpTokens", tokens, &m.Tokens, []string{"optional", "required"}},
		{"httpEndpoint", endpoint, &m.Endpoint, []string{"enabled", "disabled"}},
		{"httpProtocolIpv6", ipv6, &m.IPv6, []string{"enabled", "disabled"}},
		{"instanceMetadataTags", tags, &m.Tags, []string{"enabled", "disabled"}},
	} {
		switch {
		case o.value == "":
		case !slices.Contains(o.allowed, o.value):
			return fault.InvalidParameterValue.With(o.value, o.name, "Valid values are: "+strings.Join(o.allowed, ", ")+".")
		default:
			*o.to = o.value
		}
	}
	if hopLimit != nil {
		if *hopLimit < 1 || *hopLimit > 64 {
			return fault.InvalidParameterValue.Say("Value (%d) for parameter httpPutResponseHopLimit is invalid. Valid values are from 1 to 64.", *hopLimit)
		}
		m.HopLimit = *hopLimit
	}
	return nil
}

// A Volume is the record of a disk of an instance. Nothing is stored in it.
type Volume struct {
	ID               VolumeID  `cbor:"1,keyasint"`
	Owner            AccountID `cbor:"2,keyasint"`
	AvailabilityZone string    `cbor:"3,keyasint"`
	Size             int32     `cbor:"4,keyasint"` // GiB
	Type             string    `cbor:"5,keyasint"`
	IOPS             int32     `cbor:"6,keyasint,omitempty"`
	Throughput       int32     `cbor:"7,keyasint,omitempty"`
	Encrypted        bool      `cbor:"8,keyasint,omitempty"`
	KMSKey           string    `cbor:"9,keyasint,omitempty"`
	Snapshot         string    `cbor:"10,keyasint,omitempty"`
	Created          time.Time `cbor:"11,keyasint"`
	// Instance and Device are empty once the instance is gone.
	Instance            InstanceID `cbor:"12,keyasint,omitempty"`
	Device              string     `cbor:"13,keyasint,omitempty"`
	DeleteOnTermination bool       `cbor:"14,keyasint,omitempty"`
	Attached            time.Time  `cbor:"15,keyasint,omitzero"`
	Tags                Tags       `cbor:"16,keyasint,omitempty"`
}

// A KeyPair is the public half of a key pair. The private half is given to who
// creates one, once, and kept nowhere.
type KeyPair struct {
	ID          KeyPairID `cbor:"1,keyasint"`
	Owner       AccountID `cbor:"2,keyasint"`
	Name        string    `cbor:"3,keyasint"`
	Type        string    `cbor:"4,keyasint"` // rsa or ed25519
	Fingerprint string    `cbor:"5,keyasint"`
	// Public is a line as authorized_keys has it, without the line's end.
	Public  string    `cbor:"6,keyasint"`
	Created time.Time `cbor:"7,keyasint"`
	Tags    Tags      `cbor:"8,keyasint,omitempty"`
}

// An Address is an elastic address of an account. The interface that it is
// associated with has the association.
type Address struct {
	ID      AllocationID `cbor:"1,keyasint"`
	Owner   AccountID    `cbor:"2,keyasint"`
	Address netip.Addr   `cbor:"3,keyasint"`
	Pool    string       `cbor:"4,keyasint"`
	Created time.Time    `cbor:"5,keyasint"`
	Tags    Tags         `cbor:"6,keyasint,omitempty"`
}

// A PublicAddress stands, outside, for one of an interface's private addresses.
type PublicAddress struct {
	Private netip.Addr `cbor:"1,keyasint"`
	Address netip.Addr `cbor:"2,keyasint"`
	// Allocation and Association are those of an elastic address. An address
	// without came with the launch and goes when the instance stops.
	Allocation  AllocationID `cbor:"3,keyasint,omitempty"`
	Association string       `cbor:"4,keyasint,omitempty"`
}

// PublicFor gives the public address for a private one of the interface.
func (i *Interface) PublicFor(private netip.Addr) (PublicAddress, bool) {
	for _, p := range i.Public {
		if p.Private == private {
			return p, true
		}
	}
	return PublicAddress{}, false
}

// WithoutPublic gives the interface's public addresses but those that gone
// names.
func (i *Interface) WithoutPublic(gone func(PublicAddress) bool) []PublicAddress {
	var left []PublicAddress
	for _, p := range i.Public {
		if !gone(p) {
			left = append(left, p)
		}
	}
	return left
}

// Launched reports whether the address came with the launch of an instance.
func (p PublicAddress) Launched() bool { return p.Allocation == "" }

// PublicPool is where public addresses are taken from unless the caller names
// one: the range that is set aside for measuring networks (RFC 2544), since it
// belongs to nobody and is routed nowhere. Whoever has public addresses of
// their own allocates them by name.
var PublicPool = netip.MustParsePrefix("198.18.0.0/15")

// PublicPoolName is how EC2 calls the pool of its own addresses.
const PublicPoolName = "amazon"

// PublicAddressAt gives an address of the pool for a random number: never the
// first or the last of 256.
func PublicAddressAt(random uint64) netip.Addr {
	b := PublicPool.Addr().As4()
	b[1] |= byte(random>>16) & 1
	b[2] = byte(random >> 8)
	b[3] = byte(random)%254 + 1
	return netip.AddrFrom4(b)
}

// PublicDNSName gives the public name of an address: EC2 user guide, "EC2
// instance hostnames".
func PublicDNSName(region string, a netip.Addr) string {
	name := []byte("ec2-")
	for n, c := range a.As4() {
		if n > 0 {
			name = append(name, '-')
		}
		name = strconv.AppendUint(name, uint64(c), 10)
	}
	suffix := ".amazonaws.com"
	if Partition(region) == "aws-cn" {
		suffix += ".cn"
	}
	if region == "us-east-1" {
		return string(name) + ".compute-1" + suffix
	}
	return string(name) + "." + region + ".compute" + suffix
}

// ResourceDNSName gives the private name of an instance that is named by its
// id.
func ResourceDNSName(region, id string) string {
	if region == "us-east-1" {
		return id + ".ec2.internal"
	}
	return id + "." + region + ".compute.internal"
}

// ProfileID gives the id of an instance profile. It is always the same one for
// an ARN.
func ProfileID(arn string) string {
	sum := sha256.Sum256([]byte("instance profile " + arn))
	return "AIPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
}
