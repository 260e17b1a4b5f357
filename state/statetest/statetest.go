// Package statetest makes random rows of every kind, and compares views: for
// the tests of what keeps, sends or replays the state.
package statetest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"moat/flow"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// A Kind is a kind of record without its types, with all that a test needs.
type Kind struct {
	state.AnyKind
	// Key gives a row's id.
	Key func(row any) string
	// New gives an empty row.
	New func() any
	// Random gives a row filled at random, with the n-th id of its kind. What
	// the indexes look at has few values, so that rows meet there.
	Random func(r *rand.Rand, n int) any
	Put    func(tx *state.Txn, row any)
	Delete func(tx *state.Txn, id string)
	Get    func(r state.Reader, id string) any // nil if there is none
	All    func(r state.Reader) []any
	Len    func(r state.Reader) int
	// Lookups has every index of the kind.
	Lookups []Lookup
}

// A Lookup is an index that is asked by attribute.
type Lookup struct {
	Name string
	By   func(r state.Reader, attr string) []any
	// Attrs gives the attributes by which a row should be found, told again
	// without the index.
	Attrs func(row any) []string
}

// Kinds has every kind of state.Kinds, in the same order.
var Kinds = []Kind{
	kind(state.VPCs, byPrefix(func(v *vpc.VPC, id string) { v.ID = vpc.VPCID(id) }, vpc.VPCPrefix),
		lookup("default", state.VPCs, state.VPCsByDefault, func(v *vpc.VPC) []string {
			if v.Default {
				return []string{"true"}
			}
			return nil
		}),
		lookup("association", state.VPCs, state.VPCsByAssociation, func(v *vpc.VPC) []string { return associations(v.Blocks) }),
		lookup("block", state.VPCs, state.VPCsByBlock, func(v *vpc.VPC) (blocks []string) {
			for _, b := range v.Blocks {
				blocks = append(blocks, b.CIDR.String())
			}
			return blocks
		}),
		lookup("dhcp options", state.VPCs, state.VPCsByDHCPOptions, func(v *vpc.VPC) []string { return []string{v.DHCPOptions} })),
	kind(state.Subnets, byPrefix(func(s *vpc.Subnet, id string) { s.ID = vpc.SubnetID(id) }, vpc.SubnetPrefix),
		lookup("vpc", state.Subnets, state.SubnetsByVPC, func(s *vpc.Subnet) []string { return []string{string(s.VPC)} }),
		lookup("association", state.Subnets, state.SubnetsByAssociation, func(s *vpc.Subnet) []string { return associations(s.IPv6) })),
	kind(state.Groups, byPrefix(func(g *vpc.SecurityGroup, id string) { g.ID = vpc.GroupID(id) }, vpc.GroupPrefix),
		lookup("vpc", state.Groups, state.GroupsByVPC, func(g *vpc.SecurityGroup) []string { return []string{string(g.VPC)} }),
		lookup("name", state.Groups, state.GroupsByName, func(g *vpc.SecurityGroup) []string { return []string{strings.ToLower(g.Name)} }),
		lookup("reference", state.Groups, state.GroupsByRef, func(g *vpc.SecurityGroup) (refs []string) {
			for _, r := range g.Rules {
				if r.Peer.Ref != "" {
					refs = append(refs, r.Peer.Ref)
				}
			}
			return refs
		}),
		lookup("tag of a rule", state.Groups, state.GroupsByRuleTag, func(g *vpc.SecurityGroup) (keys []string) {
			for _, r := range g.Rules {
				for _, tag := range r.Tags {
					keys = append(keys, "", state.TagKey(tag.Key, tag.Value))
				}
			}
			return keys
		}),
		lookup("rules of another VPC", state.Groups, state.GroupsByForeign, func(g *vpc.SecurityGroup) []string {
			if slices.ContainsFunc(g.Rules, func(r vpc.Rule) bool { return r.Foreign != nil }) {
				return []string{string(g.VPC)}
			}
			return nil
		})),
	kind(state.Interfaces, byPrefix(func(i *vpc.Interface, id string) { i.ID = vpc.InterfaceID(id) }, vpc.InterfacePrefix),
		lookup("vpc", state.Interfaces, state.InterfacesByVPC, func(i *vpc.Interface) []string { return []string{string(i.VPC)} }),
		lookup("subnet", state.Interfaces, state.InterfacesBySubnet, func(i *vpc.Interface) []string { return []string{string(i.Subnet)} }),
		lookup("group", state.Interfaces, state.InterfacesByGroup, func(i *vpc.Interface) (ids []string) {
			for _, g := range i.Groups {
				ids = append(ids, string(g))
			}
			return ids
		}),
		lookup("address", state.Interfaces, state.InterfacesByAddress, func(i *vpc.Interface) (keys []string) {
			for _, a := range i.Addresses {
				keys = append(keys, state.AddressKey(i.Subnet, a))
			}
			for _, a := range i.IPv6 {
				keys = append(keys, state.AddressKey(i.Subnet, a), state.TouchedKey(i.Subnet, vpc.BlockOf(a)))
			}
			for _, b := range i.IPv4Prefixes {
				keys = append(keys, state.BlockKey(i.Subnet, b))
			}
			for _, b := range i.IPv6Prefixes {
				keys = append(keys, state.BlockKey(i.Subnet, b))
			}
			return keys
		}),
		lookup("mac", state.Interfaces, state.InterfacesByMAC, func(i *vpc.Interface) []string { return []string{i.MAC} }),
		lookup("attachment", state.Interfaces, state.InterfacesByAttachment, func(i *vpc.Interface) []string {
			switch a := i.Attachment; {
			case a == nil:
				return nil
			case a.Instance == "":
				return []string{a.ID}
			default:
				return []string{a.ID, a.Instance}
			}
		}),
		lookup("host", state.Interfaces, state.InterfacesByHost, func(i *vpc.Interface) []string {
			if i.Attachment == nil || i.Attachment.Device == nil {
				return nil
			}
			return []string{i.Attachment.Device.Host}
		}),
		lookup("public address", state.Interfaces, state.InterfacesByPublic, func(i *vpc.Interface) (keys []string) {
			for _, p := range i.Public {
				for _, key := range []string{p.Address.String(), string(p.Allocation), p.Association} {
					if key != "" {
						keys = append(keys, key)
					}
				}
			}
			return keys
		})),
	kind(state.PrefixLists, byPrefix(func(l *vpc.PrefixList, id string) { l.ID = vpc.PrefixListID(id) }, vpc.PrefixListPrefix),
		lookup("name", state.PrefixLists, state.PrefixListsByName, func(l *vpc.PrefixList) []string { return []string{l.Name} })),
	kind(state.PrefixListVersions, func(v *vpc.PrefixListVersion, n int) {
		v.List, v.Number = vpc.PrefixListID(fmt.Sprintf("pl-%d", n%3)), int64(n/3)
	},
		lookup("list", state.PrefixListVersions, state.PrefixListVersionsByList, func(v *vpc.PrefixListVersion) []string { return []string{string(v.List)} })),
	kind(state.GroupAssociations, func(a *vpc.GroupAssociation, n int) {
		a.Group, a.VPC = vpc.GroupID(fmt.Sprintf("sg-%d", n%5)), vpc.VPCID(fmt.Sprintf("vpc-%d", n/5))
	},
		lookup("group", state.GroupAssociations, state.GroupAssociationsByGroup, func(a *vpc.GroupAssociation) []string { return []string{string(a.Group)} }),
		lookup("vpc", state.GroupAssociations, state.GroupAssociationsByVPC, func(a *vpc.GroupAssociation) []string { return []string{string(a.VPC)} })),
	// A token may hold any character, also the one that parts the keys.
	kind(state.ClientTokens, func(t *vpc.ClientToken, n int) { t.Key = fmt.Sprintf("CreateVpc/to/ken %d", n) }),
	kind(state.AccessKeys, func(k *iam.AccessKey, n int) { k.ID = fmt.Sprintf("AKIA%d", n) },
		lookup("user", state.AccessKeys, state.AccessKeysByUser, func(k *iam.AccessKey) []string {
			if k.User == "" {
				return []string{string(k.Account)}
			}
			return []string{k.User}
		})),
	kind(state.Spaces, func(*vpc.Space, int) {}),
	kind(state.Users, func(u *iam.User, n int) { u.Name, u.ID = fmt.Sprintf("User%d", n), fmt.Sprintf("AIDA%d", n) },
		lookup("id", state.Users, state.UsersByID, func(u *iam.User) []string { return []string{u.ID} }),
		lookup("group", state.Users, state.UsersByGroup, func(u *iam.User) []string { return slices.Clone(u.Groups) }),
		lookup("policy", state.Users, state.UsersByPolicy, func(u *iam.User) []string { return policies(u.Attached, u.Boundary) })),
	kind(state.UserGroups, func(g *iam.Group, n int) { g.Name, g.ID = fmt.Sprintf("Group%d", n), fmt.Sprintf("AGPA%d", n) },
		lookup("id", state.UserGroups, state.UserGroupsByID, func(g *iam.Group) []string { return []string{g.ID} }),
		lookup("policy", state.UserGroups, state.UserGroupsByPolicy, func(g *iam.Group) []string { return slices.Clone(g.Attached) })),
	kind(state.Roles, func(r *iam.Role, n int) { r.Name, r.ID = fmt.Sprintf("Role%d", n), fmt.Sprintf("AROA%d", n) },
		lookup("id", state.Roles, state.RolesByID, func(r *iam.Role) []string { return []string{r.ID} }),
		lookup("policy", state.Roles, state.RolesByPolicy, func(r *iam.Role) []string { return policies(r.Attached, r.Boundary) })),
	kind(state.ManagedPolicies, func(p *iam.ManagedPolicy, n int) { p.Name = fmt.Sprintf("Policy%d", n) }),
	kind(state.InstanceProfiles, func(p *iam.InstanceProfile, n int) { p.Name = fmt.Sprintf("Profile%d", n) },
		lookup("role", state.InstanceProfiles, state.InstanceProfilesByRole, func(p *iam.InstanceProfile) []string {
			if p.Role == "" {
				return nil
			}
			return []string{p.Role}
		})),
	kind(state.Accounts, func(*iam.Account, int) {}),
	kind(state.KeyUses, func(u *iam.KeyUse, n int) { u.ID = fmt.Sprintf("AKIA%d", n) }),
	kind(state.InternetGateways, byPrefix(func(g *vpc.InternetGateway, id string) { g.ID = vpc.InternetGatewayID(id) }, vpc.InternetGatewayPrefix),
		lookup("vpc", state.InternetGateways, state.InternetGatewaysByVPC, func(g *vpc.InternetGateway) []string {
			if g.VPC == "" {
				return nil
			}
			return []string{string(g.VPC)}
		})),
	kind(state.RouteTables, byPrefix(func(t *vpc.RouteTable, id string) { t.ID = vpc.RouteTableID(id) }, vpc.RouteTablePrefix),
		lookup("vpc", state.RouteTables, state.RouteTablesByVPC, func(t *vpc.RouteTable) []string { return []string{string(t.VPC)} }),
		lookup("target", state.RouteTables, state.RouteTablesByTarget, func(t *vpc.RouteTable) (ids []string) {
			for _, r := range t.Routes {
				if ids = append(ids, r.Target); r.PrefixList != "" {
					ids = append(ids, string(r.PrefixList))
				}
			}
			return ids
		})),
	kind(state.RouteTableAssociations, byPrefix(func(a *vpc.RouteTableAssociation, id string) { a.ID = vpc.AssociationID(id) }, vpc.RouteTableAssociationPrefix),
		lookup("table", state.RouteTableAssociations, state.RouteTableAssociationsByTable, func(a *vpc.RouteTableAssociation) []string { return []string{string(a.Table)} }),
		lookup("user", state.RouteTableAssociations, state.RouteTableAssociationsByUser, func(a *vpc.RouteTableAssociation) []string {
			if a.Main {
				return []string{string(a.VPC)}
			}
			if a.Subnet != "" {
				return []string{string(a.Subnet)}
			}
			return []string{string(a.Gateway)}
		})),
	kind(state.NetworkACLs, byPrefix(func(a *vpc.NetworkACL, id string) { a.ID = vpc.NetworkACLID(id) }, vpc.NetworkACLPrefix),
		lookup("vpc", state.NetworkACLs, state.NetworkACLsByVPC, func(a *vpc.NetworkACL) []string { return []string{string(a.VPC)} }),
		lookup("default", state.NetworkACLs, state.NetworkACLsByDefault, func(a *vpc.NetworkACL) []string {
			if !a.Default {
				return nil
			}
			return []string{string(a.VPC)}
		})),
	kind(state.NetworkACLAssociations, byPrefix(func(a *vpc.NetworkACLAssociation, id string) { a.ID = vpc.AssociationID(id) }, vpc.NetworkACLAssociationPrefix),
		lookup("acl", state.NetworkACLAssociations, state.NetworkACLAssociationsByACL, func(a *vpc.NetworkACLAssociation) []string { return []string{string(a.ACL)} }),
		lookup("subnet", state.NetworkACLAssociations, state.NetworkACLAssociationsBySubnet, func(a *vpc.NetworkACLAssociation) []string { return []string{string(a.Subnet)} })),
	kind(state.DHCPOptions, byPrefix(func(d *vpc.DHCPOptions, id string) { d.ID = vpc.DHCPOptionsID(id) }, vpc.DHCPOptionsPrefix)),
	kind(state.Endpoints, byPrefix(func(e *vpc.Endpoint, id string) { e.ID = vpc.EndpointID(id) }, vpc.EndpointPrefix),
		lookup("vpc", state.Endpoints, state.EndpointsByVPC, func(e *vpc.Endpoint) []string { return []string{string(e.VPC)} }),
		lookup("table", state.Endpoints, state.EndpointsByTable, func(e *vpc.Endpoint) (ids []string) {
			for _, t := range e.Tables {
				ids = append(ids, string(t))
			}
			return ids
		})),
	kind(state.Peerings, byPrefix(func(p *vpc.Peering, id string) { p.ID = vpc.PeeringID(id) }, vpc.PeeringPrefix),
		lookup("vpc", state.Peerings, state.PeeringsByVPC, func(p *vpc.Peering) []string {
			return []string{string(p.Requester.VPC), string(p.Accepter.VPC)}
		})),
	kind(state.Instances, byPrefix(func(i *vpc.Instance, id string) { i.ID = vpc.InstanceID(id) }, vpc.InstancePrefix),
		lookup("reservation", state.Instances, state.InstancesByReservation, func(i *vpc.Instance) []string { return []string{i.Reservation} }),
		lookup("vpc", state.Instances, state.InstancesByVPC, func(i *vpc.Instance) []string { return []string{string(i.VPC)} }),
		lookup("subnet", state.Instances, state.InstancesBySubnet, func(i *vpc.Instance) []string { return []string{string(i.Subnet)} })),
	kind(state.Volumes, byPrefix(func(v *vpc.Volume, id string) { v.ID = vpc.VolumeID(id) }, vpc.VolumePrefix),
		lookup("instance", state.Volumes, state.VolumesByInstance, func(v *vpc.Volume) []string {
			if v.Instance == "" {
				return nil
			}
			return []string{string(v.Instance)}
		})),
	kind(state.KeyPairs, byPrefix(func(k *vpc.KeyPair, id string) { k.ID = vpc.KeyPairID(id) }, vpc.KeyPairPrefix),
		lookup("name", state.KeyPairs, state.KeyPairsByName, func(k *vpc.KeyPair) []string { return []string{k.Name} })),
	kind(state.Addresses, byPrefix(func(a *vpc.Address, id string) { a.ID = vpc.AllocationID(id) }, vpc.AllocationPrefix),
		lookup("address", state.Addresses, state.AddressesByIP, func(a *vpc.Address) []string { return []string{a.Address.String()} })),
	kind(state.Guardrails, func(g *vpc.Guardrail, n int) { g.Name = fmt.Sprintf("guardrail-%d", n) }),
}

func policies(attached []string, boundary string) []string {
	if boundary == "" {
		return slices.Clone(attached)
	}
	return append(slices.Clone(attached), state.BoundaryKey(boundary))
}

func associations(blocks []vpc.Block) (ids []string) {
	for _, b := range blocks {
		ids = append(ids, string(b.Association))
	}
	return ids
}

// byPrefix names rows as their kind does. Ids two by two begin alike, as far
// as the ids of rules take over.
func byPrefix[T any](set func(*T, string), prefix string) func(*T, int) {
	return func(row *T, n int) { set(row, fmt.Sprintf("%s-0%08x%08x", prefix, n/2, n)) }
}

func kind[K ~string, T any](k *state.Kind[K, T], name func(row *T, n int), lookups ...Lookup) Kind {
	return Kind{
		AnyKind: k,
		Key:     func(row any) string { return string(k.Key(row.(*T))) },
		New:     func() any { return new(T) },
		Random: func(r *rand.Rand, n int) any {
			row := new(T)
			Fill(r, row)
			name(row, n)
			return row
		},
		Put:    func(tx *state.Txn, row any) { k.Put(tx, row.(*T)) },
		Delete: func(tx *state.Txn, id string) { k.Delete(tx, K(id)) },
		Get: func(r state.Reader, id string) any {
			if row := k.Get(r, K(id)); row != nil {
				return row
			}
			return nil
		},
		All:     func(r state.Reader) []any { return anys(k.All(r)) },
		Len:     k.Len,
		Lookups: lookups,
	}
}

func lookup[K ~string, T any](name string, k *state.Kind[K, T], ix *state.Index[T], attrs func(*T) []string) Lookup {
	return Lookup{
		Name:  name,
		By:    func(r state.Reader, attr string) []any { return anys(k.By(r, ix, attr)) },
		Attrs: func(row any) []string { return attrs(row.(*T)) },
	}
}

func anys[T any](rows iter.Seq[*T]) (out []any) {
	for row := range rows {
		out = append(out, row)
	}
	return out
}

// Rows gives every row of a view in its stored form, by its key in the store.
func Rows(v *state.View) map[string]string {
	out := map[string]string{}
	for sp := range v.Spaces() {
		for _, k := range Kinds {
			for _, row := range k.All(sp) {
				out[state.Key(sp.Scope, k.AnyKind, k.Key(row))] = string(state.Encode(row))
			}
		}
	}
	return out
}

// Diff tells the first differences of two views' rows, "" if there is none.
func Diff(want, got map[string]string) string {
	var b strings.Builder
	n := 0
	tell := func(format string, args ...any) {
		if n++; n <= 5 {
			fmt.Fprintf(&b, format+"\n", args...)
		}
	}
	for key, w := range want {
		if g, ok := got[key]; !ok {
			tell("%q is missing", key)
		} else if g != w {
			tell("%q differs: want %x, got %x", key, w, g)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			tell("%q should not be there", key)
		}
	}
	if n > 5 {
		fmt.Fprintf(&b, "and %d more\n", n-5)
	}
	return b.String()
}

// Change stages a random change of a row: new, other, or gone.
func Change(tx *state.Txn, r *rand.Rand) {
	k := Kinds[r.IntN(len(Kinds))]
	row := k.Random(r, r.IntN(24))
	if r.IntN(3) == 0 {
		k.Delete(tx, k.Key(row))
	} else {
		k.Put(tx, row)
	}
}

// Fill sets every field of the struct that p points to: strings to one of a
// few words, slices of up to three, pointers set or nil.
func Fill(r *rand.Rand, p any) { fill(r, reflect.ValueOf(p).Elem()) }

var words = []string{"", "a", "A", "b", "sg-00000000100000002", "pl-1", "web", "Web", "ü\x00/\n", strings.Repeat("long ", 40)}

func fill(r *rand.Rand, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		// As a clock gives it, to the nanosecond.
		*p = time.Unix(1_700_000_000+r.Int64N(1e9), r.Int64N(1e9)).UTC()
		return
	case *netip.Addr:
		*p = addr(r)
		return
	case *netip.Prefix:
		a := addr(r)
		*p, _ = a.Prefix(r.IntN(a.BitLen() + 1))
		return
	case *vpc.Tags:
		*p = nil
		for _, key := range []string{"Name", "env", "ü"} {
			if r.IntN(2) == 0 {
				*p = append(*p, vpc.Tag{Key: key, Value: words[r.IntN(len(words))]})
			}
		}
		return
	case *vpc.Peer:
		*p = vpc.Peer{}
		if r.IntN(2) == 0 {
			fill(r, reflect.ValueOf(&p.CIDR).Elem())
		} else {
			p.Ref = words[4+r.IntN(2)]
		}
		return
	case *iam.Text:
		*p = iam.NewText(words[r.IntN(len(words))])
		return
	case *flow.PortRange:
		a, b := int32(r.IntN(1<<16)), int32(r.IntN(1<<16))
		*p = flow.PortRange{From: min(a, b), To: max(a, b)}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(words[r.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Slice:
		v.SetZero()
		if n := r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(r, v.Index(i))
			}
		}
	case reflect.Pointer:
		v.SetZero()
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	default:
		panic(fmt.Sprintf("statetest: a field of type %s cannot be filled: teach it", v.Type()))
	}
}

// addr gives one of a few IPv4 or IPv6 addresses.
func addr(r *rand.Rand) netip.Addr {
	if r.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{10, byte(r.IntN(2)), 0, byte(r.IntN(8))})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 10: byte(r.IntN(2)), 15: byte(r.IntN(8))})
}
