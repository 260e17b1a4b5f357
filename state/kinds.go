package state

import (
	"strings"

	"moat/vpc"
)

type kindNumber int

const (
	vpcs kindNumber = iota
	subnets
	groups
	interfaces
	prefixLists
	prefixListVersions
	groupAssociations
	clientTokens
	accessKeys
	spaces
	users
	userGroups
	roles
	managedPolicies
	instanceProfiles
	accounts
	keyUses
	internetGateways
	routeTables
	routeTableAssociations
	networkACLs
	networkACLAssociations
	dhcpOptions
	endpoints
	peerings
	instances
	volumes
	keyPairs
	addresses
	guardrails
	numKinds
)

// Kinds lists every kind of record.
var Kinds = [numKinds]AnyKind{
	VPCs, Subnets, Groups, Interfaces, PrefixLists, PrefixListVersions, GroupAssociations, ClientTokens, AccessKeys, Spaces,
	Users, UserGroups, Roles, ManagedPolicies, InstanceProfiles, Accounts, KeyUses,
	InternetGateways, RouteTables, RouteTableAssociations, NetworkACLs, NetworkACLAssociations, DHCPOptions, Endpoints, Peerings,
	Instances, Volumes, KeyPairs, Addresses,
	Guardrails,
}

// The kinds with their indexes.
var (
	VPCs = &Kind[vpc.VPCID, vpc.VPC]{
		n: vpcs, name: "vpc", key: func(v *vpc.VPC) vpc.VPCID { return v.ID },
		resource: "vpc", idPrefix: vpc.VPCPrefix, tags: func(v *vpc.VPC) *vpc.Tags { return &v.Tags },
		indexes: []*Index[vpc.VPC]{VPCsByDefault, VPCsByAssociation, VPCsByBlock, VPCsByDHCPOptions},
	}
	// VPCsByDefault has the default VPC under "true".
	VPCsByDefault = &Index[vpc.VPC]{0, func(v *vpc.VPC, yield func(string)) {
		if v.Default {
			yield("true")
		}
	}}
	// VPCsByAssociation finds a VPC by the id of a block's association.
	VPCsByAssociation = &Index[vpc.VPC]{1, func(v *vpc.VPC, yield func(string)) {
		for _, b := range v.Blocks {
			yield(string(b.Association))
		}
	}}
	// VPCsByBlock has every block's text.
	VPCsByBlock = &Index[vpc.VPC]{2, func(v *vpc.VPC, yield func(string)) {
		for _, b := range v.Blocks {
			yield(b.CIDR.String())
		}
	}}
	VPCsByDHCPOptions = &Index[vpc.VPC]{3, func(v *vpc.VPC, yield func(string)) { yield(v.DHCPOptions) }}

	Subnets = &Kind[vpc.SubnetID, vpc.Subnet]{
		n: subnets, name: "subnet", key: func(s *vpc.Subnet) vpc.SubnetID { return s.ID },
		resource: "subnet", idPrefix: vpc.SubnetPrefix, tags: func(s *vpc.Subnet) *vpc.Tags { return &s.Tags },
		indexes: []*Index[vpc.Subnet]{SubnetsByVPC, SubnetsByAssociation},
	}
	SubnetsByVPC         = &Index[vpc.Subnet]{0, func(s *vpc.Subnet, yield func(string)) { yield(string(s.VPC)) }}
	SubnetsByAssociation = &Index[vpc.Subnet]{1, func(s *vpc.Subnet, yield func(string)) {
		for _, b := range s.IPv6 {
			yield(string(b.Association))
		}
	}}

	Groups = &Kind[vpc.GroupID, vpc.SecurityGroup]{
		n: groups, name: "sg", key: func(g *vpc.SecurityGroup) vpc.GroupID { return g.ID },
		resource: "security-group", idPrefix: vpc.GroupPrefix, tags: func(g *vpc.SecurityGroup) *vpc.Tags { return &g.Tags },
		indexes: []*Index[vpc.SecurityGroup]{GroupsByVPC, GroupsByName, GroupsByRef, GroupsByRuleTag, GroupsByForeign},
	}
	GroupsByVPC = &Index[vpc.SecurityGroup]{0, func(g *vpc.SecurityGroup, yield func(string)) { yield(string(g.VPC)) }}
	// GroupsByName has the names in lower case, since names are unique in a
	// VPC whatever their case.
	GroupsByName = &Index[vpc.SecurityGroup]{1, func(g *vpc.SecurityGroup, yield func(string)) { yield(strings.ToLower(g.Name)) }}
	// GroupsByRef finds the groups with a rule that refers to another group or
	// to a prefix list, by its id.
	GroupsByRef = &Index[vpc.SecurityGroup]{2, func(g *vpc.SecurityGroup, yield func(string)) {
		last := ""
		for i := range g.Rules {
			if ref := g.Rules[i].Peer.Ref; ref != last && ref != "" {
				yield(ref)
				last = ref
			}
		}
	}}
	// GroupsByRuleTag finds the groups with a rule that has a tag, by TagKey;
	// under "" it has all groups with a tagged rule.
	GroupsByRuleTag = &Index[vpc.SecurityGroup]{3, func(g *vpc.SecurityGroup, yield func(string)) {
		any := false
		for i := range g.Rules {
			if len(g.Rules[i].Tags) > 0 && !any {
				any = true
				yield("")
			}
			for _, t := range g.Rules[i].Tags {
				yield(TagKey(t.Key, t.Value))
			}
		}
	}}
	// GroupsByForeign finds the groups of a VPC with a rule that refers to a
	// group of another VPC.
	GroupsByForeign = &Index[vpc.SecurityGroup]{4, func(g *vpc.SecurityGroup, yield func(string)) {
		for i := range g.Rules {
			if g.Rules[i].Foreign != nil {
				yield(string(g.VPC))
				return
			}
		}
	}}

	Interfaces = &Kind[vpc.InterfaceID, vpc.Interface]{
		n: interfaces, name: "eni", key: func(i *vpc.Interface) vpc.InterfaceID { return i.ID },
		resource: "network-interface", idPrefix: vpc.InterfacePrefix, tags: func(i *vpc.Interface) *vpc.Tags { return &i.Tags },
		indexes: []*Index[vpc.Interface]{
			InterfacesByVPC, InterfacesBySubnet, InterfacesByGroup, InterfacesByAddress, InterfacesByMAC, InterfacesByAttachment,
			InterfacesByHost, InterfacesByPublic,
		},
	}
	InterfacesByVPC    = &Index[vpc.Interface]{0, func(i *vpc.Interface, yield func(string)) { yield(string(i.VPC)) }}
	InterfacesBySubnet = &Index[vpc.Interface]{1, func(i *vpc.Interface, yield func(string)) { yield(string(i.Subnet)) }}
	InterfacesByGroup  = &Index[vpc.Interface]{2, func(i *vpc.Interface, yield func(string)) {
		for _, g := range i.Groups {
			yield(string(g))
		}
	}}
	// InterfacesByAddress has every address under AddressKey, every delegated
	// block under BlockKey, and the block that an IPv6 address is in under
	// TouchedKey: it has too many addresses to ask for each.
	InterfacesByAddress = &Index[vpc.Interface]{3, func(i *vpc.Interface, yield func(string)) {
		for _, a := range i.Addresses {
			yield(AddressKey(i.Subnet, a))
		}
		for _, a := range i.IPv6 {
			yield(AddressKey(i.Subnet, a))
			yield(TouchedKey(i.Subnet, vpc.BlockOf(a)))
		}
		for _, b := range i.IPv4Prefixes {
			yield(BlockKey(i.Subnet, b))
		}
		for _, b := range i.IPv6Prefixes {
			yield(BlockKey(i.Subnet, b))
		}
	}}
	InterfacesByMAC = &Index[vpc.Interface]{4, func(i *vpc.Interface, yield func(string)) { yield(i.MAC) }}
	// InterfacesByAttachment has an attached interface under the id of its
	// attachment and under that of its instance.
	InterfacesByAttachment = &Index[vpc.Interface]{5, func(i *vpc.Interface, yield func(string)) {
		if i.Attachment == nil {
			return
		}
		yield(i.Attachment.ID)
		if i.Attachment.Instance != "" {
			yield(i.Attachment.Instance)
		}
	}}

	// InterfacesByHost finds the interfaces that are bound to devices of a host.
	InterfacesByHost = &Index[vpc.Interface]{6, func(i *vpc.Interface, yield func(string)) {
		if i.Attachment != nil && i.Attachment.Device != nil {
			yield(i.Attachment.Device.Host)
		}
	}}

	// InterfacesByPublic finds an interface by a public address that it has, by
	// the id of its allocation and by that of its association.
	InterfacesByPublic = &Index[vpc.Interface]{7, func(i *vpc.Interface, yield func(string)) {
		for _, p := range i.Public {
			yield(p.Address.String())
			if p.Allocation != "" {
				yield(string(p.Allocation))
			}
			if p.Association != "" {
				yield(p.Association)
			}
		}
	}}

	PrefixLists = &Kind[vpc.PrefixListID, vpc.PrefixList]{
		n: prefixLists, name: "pl", key: func(l *vpc.PrefixList) vpc.PrefixListID { return l.ID },
		resource: "prefix-list", idPrefix: vpc.PrefixListPrefix, tags: func(l *vpc.PrefixList) *vpc.Tags { return &l.Tags },
		indexes: []*Index[vpc.PrefixList]{PrefixListsByName},
	}
	PrefixListsByName = &Index[vpc.PrefixList]{0, func(l *vpc.PrefixList, yield func(string)) { yield(l.Name) }}

	// PrefixListVersions holds the versions of lists before their current one.
	PrefixListVersions = &Kind[string, vpc.PrefixListVersion]{
		n: prefixListVersions, name: "plv",
		key:     func(v *vpc.PrefixListVersion) string { return PrefixListVersionKey(v.List, v.Number) },
		indexes: []*Index[vpc.PrefixListVersion]{PrefixListVersionsByList},
	}
	PrefixListVersionsByList = &Index[vpc.PrefixListVersion]{0, func(v *vpc.PrefixListVersion, yield func(string)) { yield(string(v.List)) }}

	GroupAssociations = &Kind[string, vpc.GroupAssociation]{
		n: groupAssociations, name: "sgvpc",
		key:     func(a *vpc.GroupAssociation) string { return GroupAssociationKey(a.Group, a.VPC) },
		indexes: []*Index[vpc.GroupAssociation]{GroupAssociationsByGroup, GroupAssociationsByVPC},
	}
	GroupAssociationsByGroup = &Index[vpc.GroupAssociation]{0, func(a *vpc.GroupAssociation, yield func(string)) { yield(string(a.Group)) }}
	GroupAssociationsByVPC   = &Index[vpc.GroupAssociation]{1, func(a *vpc.GroupAssociation, yield func(string)) { yield(string(a.VPC)) }}

	ClientTokens = &Kind[string, vpc.ClientToken]{
		n: clientTokens, name: "token", key: func(t *vpc.ClientToken) string { return t.Key },
	}

	// Spaces holds one row in each space that was ever used. A space without
	// it gets the things that every AWS account begins with.
	Spaces = &Kind[string, vpc.Space]{
		n: spaces, name: "space", key: func(*vpc.Space) string { return "space" },
	}
)
