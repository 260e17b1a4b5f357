package ec2

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// allocatorFor gives an allocator for a subnet as the transaction sees it.
func allocatorFor(tx *state.Txn, s *vpc.Subnet) *vpc.Allocator {
	has := func(key string) bool {
		return state.Interfaces.Count(tx, state.InterfacesByAddress, key, 1) > 0
	}
	return vpc.NewAllocator(s, vpc.Held{
		Address:   func(a netip.Addr) bool { return has(state.AddressKey(s.ID, a)) },
		Delegated: func(b netip.Prefix) bool { return has(state.BlockKey(s.ID, b)) },
		Touched: func(b netip.Prefix) bool {
			if b.Addr().Is6() {
				return has(state.TouchedKey(s.ID, b))
			}
			for a := b.Addr(); b.Contains(a); a = a.Next() {
				if has(state.AddressKey(s.ID, a)) {
					return true
				}
			}
			return false
		},
		Interfaces: func() iter.Seq[*vpc.Interface] {
			return state.Interfaces.By(tx, state.InterfacesBySubnet, string(s.ID))
		},
	}, tx.Random)
}

// holderOf gives the interface of a subnet that has an address, not by a
// delegated block, or nil.
func holderOf(r state.Reader, s vpc.SubnetID, a netip.Addr) *vpc.Interface {
	for i := range state.Interfaces.By(r, state.InterfacesByAddress, state.AddressKey(s, a)) {
		return i
	}
	return nil
}

// needInterfaceID refuses a required interface id that is missing or not one.
func needInterfaceID(id string) error {
	if id == "" {
		return fault.MissingParameter.With("networkInterfaceId")
	}
	return checkInterfaceID(id)
}

// A wish is what a request wants for an interface in one address family.
type wish struct {
	addresses []netip.Addr // these, in this order
	count     int          // and so many more
	blocks    []netip.Prefix
	blockNum  int
}

func (w *wish) empty() bool { return w.total() == 0 }

func (w *wish) total() int { return len(w.addresses) + w.count + len(w.blocks) + w.blockNum }

// grant takes what is wished: first what is named, then what is only counted.
func (w *wish) grant(al *vpc.Allocator, address func() (netip.Addr, error), block func() (netip.Prefix, error)) ([]netip.Addr, []netip.Prefix, error) {
	addresses, blocks := slices.Clone(w.addresses), slices.Clone(w.blocks)
	for _, a := range w.addresses {
		if err := al.Take(a); err != nil {
			return nil, nil, err
		}
	}
	for _, b := range w.blocks {
		if err := al.TakeBlock(b); err != nil {
			return nil, nil, err
		}
	}
	for range w.count {
		a, err := address()
		if err != nil {
			return nil, nil, err
		}
		addresses = append(addresses, a)
	}
	for range w.blockNum {
		b, err := block()
		if err != nil {
			return nil, nil, err
		}
		blocks = append(blocks, b)
	}
	return addresses, blocks, nil
}

func (w *wish) grantIPv4(al *vpc.Allocator) ([]netip.Addr, []netip.Prefix, error) {
	return w.grant(al, al.IPv4, al.IPv4Block)
}

func (w *wish) grantIPv6(al *vpc.Allocator) ([]netip.Addr, []netip.Prefix, error) {
	return w.grant(al, al.IPv6, al.IPv6Block)
}

// mostAddresses bounds what one interface has in one family when quotas are
// off, so that a request cannot ask for more than a record holds.
const mostAddresses = 1 << 14

// room refuses when an interface that has so many addresses and blocks of one
// family would have too many. EC2's limit depends on the instance's type; an
// interface without one is held to the quota.
func room(tx *state.Txn, has int, w *wish) error {
	if has+w.total() > min(tx.Quotas.AddressesPerInterface, mostAddresses) {
		return fault.PrivateIpAddressLimitExceeded.With()
	}
	return nil
}

// howMany reads a count of a request; an absent one is 0.
func howMany(n *int32, parameter string) (int, error) {
	switch {
	case n == nil:
		return 0, nil
	case *n < 0:
		return 0, fault.InvalidParameterValue.Say("Value (%d) for parameter %s is invalid. A count cannot be negative.", *n, parameter)
	}
	return int(*n), nil
}

// eachParsed parses every string of a list.
func eachParsed[T any](list []string, parse func(string) (T, error)) ([]T, error) {
	var out []T
	for _, s := range list {
		v, err := parse(s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// A given is a parameter and whether the request has it.
type given struct {
	name string
	is   bool
}

// onlyOne refuses a request with two of some parameters.
func onlyOne(params ...given) error {
	first := ""
	for _, p := range params {
		switch {
		case !p.is:
		case first != "":
			return fault.InvalidParameterCombination.With(first, p.name)
		default:
			first = p.name
		}
	}
	return nil
}

// interfaceGroups gives the groups that a request names for an interface in a
// VPC, within the quotas.
func interfaceGroups(tx *state.Txn, in vpc.VPCID, ids []string) ([]vpc.GroupID, error) {
	groups, err := groupsUsableIn(tx, in, ids)
	if err != nil {
		return nil, err
	}
	if len(groups) > groupLimit(tx.Quotas) {
		return nil, fault.GroupsPerInterfaceLimitExceeded.With()
	}
	return groups, nil
}

// groupLimit is how many groups an interface may have. The product with the
// rules that a group may have is bounded too: who raises one quota lowers the
// other. VPC user guide, "Amazon VPC quotas", "Security groups".
func groupLimit(q *vpc.Quotas) int {
	const off = 1 << 30 // as vpc.NoQuotas has it
	if q.RulesTimesGroups >= off || q.RulesPerGroup <= 0 {
		return q.GroupsPerInterface
	}
	return min(q.GroupsPerInterface, max(1, q.RulesTimesGroups/q.RulesPerGroup))
}

// newMAC gives a hardware address that no interface of the space has.
func newMAC(tx *state.Txn) string {
	for {
		mac := vpc.MAC(tx.Random())
		if state.Interfaces.Count(tx, state.InterfacesByMAC, mac, 1) == 0 {
			return mac
		}
	}
}

// interfacesWithAddress finds interfaces by a private address in any subnet.
func interfacesWithAddress(c *action.Call, value string) seq[*vpc.Interface] {
	a, err := netip.ParseAddr(value)
	var found []*vpc.Interface
	if err == nil {
		for s := range state.Subnets.All(c) {
			inside := s.CIDR.Contains(a) || slices.ContainsFunc(s.IPv6, func(b vpc.Block) bool { return b.CIDR.Contains(a) })
			if !inside {
				continue
			}
			if i := holderOf(c, s.ID, a); i != nil {
				found = append(found, i)
			}
		}
	}
	slices.SortFunc(found, func(x, y *vpc.Interface) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return slices.Values(found)
}

// interfacesWithDNSName finds interfaces by a private name, which tells the
// address.
func interfacesWithDNSName(c *action.Call, value string) seq[*vpc.Interface] {
	host, _, _ := strings.Cut(strings.TrimPrefix(value, "ip-"), ".")
	return interfacesWithAddress(c, strings.ReplaceAll(host, "-", "."))
}
