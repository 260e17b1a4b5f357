package ec2

import (
	"net/netip"
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var CreateNetworkInterface = action.Write[CreateNetworkInterfaceInput, CreateNetworkInterfaceOutput]{
	Name: "CreateNetworkInterface",
	Doc:  "Creates a network interface in a subnet, with addresses of it and with security groups.",

	Plan: func(tx *state.Txn, in *CreateNetworkInterfaceInput) (*CreateNetworkInterfaceOutput, error) {
		if in.SubnetId == "" {
			return nil, fault.MissingParameter.With("subnetId")
		}
		if err := checkSubnetID(in.SubnetId); err != nil {
			return nil, err
		}
		for _, id := range in.Groups {
			if err := checkGroupID(id); err != nil {
				return nil, err
			}
		}
		i, err := makeInterface(tx, in)
		if err != nil {
			return nil, err
		}
		state.Interfaces.Put(tx, i)
		return createdInterface(tx, in, i), nil
	},

	Created: func(out *CreateNetworkInterfaceOutput) string { return out.NetworkInterface.NetworkInterfaceId },

	Replay: func(tx *state.Txn, in *CreateNetworkInterfaceInput, id string) (*CreateNetworkInterfaceOutput, error) {
		i := state.Interfaces.Get(tx, vpc.InterfaceID(id))
		if i == nil {
			return nil, fault.InvalidNetworkInterfaceNotFound.With(id)
		}
		return createdInterface(tx, in, i), nil
	},
}

// makeInterface gives the interface that a request asks for, with its id and
// its addresses, not yet put.
func makeInterface(tx *state.Txn, in *CreateNetworkInterfaceInput) (*vpc.Interface, error) {
	i, v4, v6, err := newInterface(tx, in)
	if err != nil {
		return nil, err
	}
	s, err := subnetOf(tx, in.SubnetId)
	if err != nil {
		return nil, err
	}
	i.VPC, i.Subnet, i.AvailabilityZone = s.VPC, s.ID, s.AvailabilityZone
	if len(in.Groups) == 0 {
		i.Groups = []vpc.GroupID{state.DefaultGroup(tx, s.VPC).ID}
	} else if i.Groups, err = interfaceGroups(tx, s.VPC, in.Groups); err != nil {
		return nil, err
	}
	if err := defaultAddresses(in, i, s, v4, v6); err != nil {
		return nil, err
	}
	if state.Interfaces.Len(tx) >= tx.Quotas.InterfacesPerRegion {
		return nil, fault.NetworkInterfaceLimitExceeded.With()
	}
	if err := room(tx, 0, v4); err != nil {
		return nil, err
	}
	if err := room(tx, 0, v6); err != nil {
		return nil, err
	}
	al := allocatorFor(tx, s)
	if i.Addresses, i.IPv4Prefixes, err = v4.grantIPv4(al); err != nil {
		return nil, err
	}
	if n := len(v4.addresses); n < len(i.Addresses) && !in.namesPrimary() {
		i.Addresses = slices.Concat(i.Addresses[n:n+1], i.Addresses[:n], i.Addresses[n+1:])
	}
	if i.IPv6, i.IPv6Prefixes, err = v6.grantIPv6(al); err != nil {
		return nil, err
	}
	i.ID, i.MAC = vpc.InterfaceID(tx.NewID(vpc.InterfacePrefix)), newMAC(tx)
	return i, nil
}

// createdInterface answers with a new interface, which EC2 shows as pending
// once: the next Describe has it available.
func createdInterface(tx *state.Txn, in *CreateNetworkInterfaceInput, i *vpc.Interface) *CreateNetworkInterfaceOutput {
	shape := interfaceShape(tx, tx.Region, i)
	shape.Status = "pending"
	return &CreateNetworkInterfaceOutput{NetworkInterface: &shape, ClientToken: in.ClientToken}
}

// newInterface reads what a request says without a look at the state.
func newInterface(tx *state.Txn, in *CreateNetworkInterfaceInput) (i *vpc.Interface, v4, v6 *wish, err error) {
	i = &vpc.Interface{
		Owner: tx.Account, Description: in.Description, SourceDestCheck: true, Type: "interface",
		Requester: tx.Caller.ID, Created: tx.Now,
	}
	switch in.InterfaceType {
	case "":
	case "interface", "efa", "efa-only", "branch", "trunk":
		i.Type = in.InterfaceType
	default:
		return nil, nil, nil, fault.InvalidParameterValue.With(in.InterfaceType, "interfaceType", "The interface type is not supported.")
	}
	if in.Operator != nil {
		// Services manage interfaces by it: an ordinary account has no use of it.
		return nil, nil, nil, fault.UnsupportedOperation.With("The parameter operator is reserved for internal use.")
	}
	if t := in.ConnectionTrackingSpecification; t != nil {
		if i.Tracking, err = i.Tracking.With(t.TcpEstablishedTimeout, t.UdpStreamTimeout, t.UdpTimeout); err != nil {
			return nil, nil, nil, err
		}
	}
	if v4, err = in.ipv4Wish(); err != nil {
		return nil, nil, nil, err
	}
	if v6, i.PrimaryIPv6, err = in.ipv6Wish(); err != nil {
		return nil, nil, nil, err
	}
	i.Tags, err = taggedWith(tx, in.TagSpecifications, "network-interface")
	return i, v4, v6, err
}

// ipv4Wish gives the private IPv4 addresses of a request, the primary one
// first if it is named. What cannot stand together: API reference,
// CreateNetworkInterface.
func (in *CreateNetworkInterfaceInput) ipv4Wish() (*wish, error) {
	w := &wish{}
	var err error
	if w.count, err = howMany(in.SecondaryPrivateIpAddressCount, "secondaryPrivateIpAddressCount"); err != nil {
		return nil, err
	}
	if w.blockNum, err = howMany(in.Ipv4PrefixCount, "ipv4PrefixCount"); err != nil {
		return nil, err
	}
	if err := onlyOne(
		given{"secondaryPrivateIpAddressCount", w.count > 0},
		given{"privateIpAddresses", len(in.PrivateIpAddresses) > 1},
		given{"ipv4Prefixes", len(in.Ipv4Prefixes) > 0},
		given{"ipv4PrefixCount", w.blockNum > 0},
	); err != nil {
		return nil, err
	}
	var primary netip.Addr
	if in.PrivateIpAddress != "" {
		if primary, err = vpc.ParseIPv4(in.PrivateIpAddress); err != nil {
			return nil, err
		}
	}
	for _, p := range in.PrivateIpAddresses {
		a, err := vpc.ParseIPv4(p.PrivateIpAddress)
		if err != nil {
			return nil, err
		}
		if p.Primary != nil && *p.Primary {
			if primary.IsValid() && primary != a {
				return nil, fault.InvalidParameterCombination.Say("Only one primary private IP address can be specified.")
			}
			primary = a
			continue
		}
		if a != primary {
			w.addresses = append(w.addresses, a)
		}
	}
	if primary.IsValid() {
		w.addresses = slices.Insert(w.addresses, 0, primary)
	}
	for _, p := range in.Ipv4Prefixes {
		b, err := vpc.ParseIPv4Block(p.Ipv4Prefix)
		if err != nil {
			return nil, err
		}
		w.blocks = append(w.blocks, b)
	}
	return w, nil
}

// namesPrimary reports whether the request names the primary IPv4 address.
func (in *CreateNetworkInterfaceInput) namesPrimary() bool {
	return in.PrivateIpAddress != "" || slices.ContainsFunc(in.PrivateIpAddresses, func(p PrivateIpAddressSpecification) bool {
		return p.Primary != nil && *p.Primary
	})
}

// ipv6Wish gives the IPv6 addresses of a request, the primary one first, and
// whether there is to be a primary one.
func (in *CreateNetworkInterfaceInput) ipv6Wish() (w *wish, primary bool, err error) {
	w = &wish{}
	if w.count, err = howMany(in.Ipv6AddressCount, "ipv6AddressCount"); err != nil {
		return nil, false, err
	}
	if w.blockNum, err = howMany(in.Ipv6PrefixCount, "ipv6PrefixCount"); err != nil {
		return nil, false, err
	}
	if err := onlyOne(
		given{"ipv6AddressCount", w.count > 0},
		given{"ipv6Addresses", len(in.Ipv6Addresses) > 0},
		given{"ipv6Prefixes", len(in.Ipv6Prefixes) > 0},
		given{"ipv6PrefixCount", w.blockNum > 0},
	); err != nil {
		return nil, false, err
	}
	for _, p := range in.Ipv6Addresses {
		a, err := vpc.ParseIPv6(p.Ipv6Address)
		if err != nil {
			return nil, false, err
		}
		if p.IsPrimaryIpv6 == nil || !*p.IsPrimaryIpv6 {
			w.addresses = append(w.addresses, a)
			continue
		}
		if primary {
			return nil, false, fault.InvalidParameterCombination.Say("Only one primary IPv6 address can be specified.")
		}
		primary = true
		w.addresses = slices.Insert(w.addresses, 0, a)
	}
	for _, p := range in.Ipv6Prefixes {
		b, err := vpc.ParseIPv6Block(p.Ipv6Prefix)
		if err != nil {
			return nil, false, err
		}
		w.blocks = append(w.blocks, b)
	}
	return w, primary || in.EnablePrimaryIpv6 != nil && *in.EnablePrimaryIpv6, nil
}

// defaultAddresses adds to the wishes what the subnet and the type of the
// interface imply, and refuses what they cannot have.
func defaultAddresses(in *CreateNetworkInterfaceInput, i *vpc.Interface, s *vpc.Subnet, v4, v6 *wish) error {
	if i.Type == "efa-only" {
		if !v4.empty() || !v6.empty() || i.PrimaryIPv6 {
			return fault.InvalidParameterCombination.Say("Network interfaces of type efa-only do not support IP addresses.")
		}
		return nil
	}
	switch {
	case s.IPv6Native && !v4.empty():
		return fault.InvalidParameterCombination.Say("Subnet %s is IPv6 only: private IPv4 addresses cannot be assigned in it.", s.ID)
	case !s.IPv6Native && !in.namesPrimary():
		v4.count++
	}
	if v6.empty() && s.AssignIPv6 && in.Ipv6AddressCount == nil || len(v6.addresses)+v6.count == 0 && (s.IPv6Native || i.PrimaryIPv6) {
		v6.count = 1
	}
	return hasIPv6(s, v6)
}

// hasIPv6 refuses a wish for IPv6 in a subnet without.
func hasIPv6(s *vpc.Subnet, v6 *wish) error {
	if !v6.empty() && len(s.IPv6) == 0 {
		return fault.InvalidParameterValue.Say("Subnet %s does not have an IPv6 CIDR block associated with it.", s.ID)
	}
	return nil
}

// CreateNetworkInterfaceInput is what CreateNetworkInterface takes.
type CreateNetworkInterfaceInput struct {
	Ipv4Prefixes                    []Ipv4PrefixSpecificationRequest `in:"Ipv4Prefix"`
	Ipv4PrefixCount                 *int32
	Ipv6Prefixes                    []Ipv6PrefixSpecificationRequest `in:"Ipv6Prefix"`
	Ipv6PrefixCount                 *int32
	InterfaceType                   string
	TagSpecifications               []TagSpecification `in:"TagSpecification"`
	ClientToken                     string
	EnablePrimaryIpv6               *bool
	ConnectionTrackingSpecification *ConnectionTrackingSpecificationRequest
	Operator                        *OperatorRequest
	SubnetId                        string // required
	Description                     string
	PrivateIpAddress                string
	Groups                          []string `in:"SecurityGroupId"`
	PrivateIpAddresses              []PrivateIpAddressSpecification
	SecondaryPrivateIpAddressCount  *int32
	Ipv6Addresses                   []InstanceIpv6Address
	Ipv6AddressCount                *int32
	DryRun                          bool
}

// CreateNetworkInterfaceOutput is what CreateNetworkInterface gives.
type CreateNetworkInterfaceOutput struct {
	NetworkInterface *NetworkInterface
	ClientToken      string
}
