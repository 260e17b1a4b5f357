package ec2

import (
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeNetworkAcls lists network ACLs.
var DescribeNetworkAcls = action.Describe[DescribeNetworkAclsInput, DescribeNetworkAclsOutput, *vpc.NetworkACL, *NetworkAcl]{
	Name: "DescribeNetworkAcls",
	Doc:  `Lists network ACLs with their entries and the subnets that have them: all, by id, or by filter.`,
	List: "networkAclSet",
	IDs: func(c *action.Call, in *DescribeNetworkAclsInput) ([]*vpc.NetworkACL, bool, error) {
		return named(c, state.NetworkACLs, in.NetworkAclIds, checkNetworkACLID, fault.InvalidNetworkACLNotFound)
	},
	From: fromKind[DescribeNetworkAclsInput](state.NetworkACLs),
	ID:   func(a *vpc.NetworkACL) string { return string(a.ID) },
	Filters: []action.Match[*vpc.NetworkACL]{
		action.On("network-acl-id", func(a *vpc.NetworkACL) string { return string(a.ID) }).Indexed(findID(state.NetworkACLs)),
		action.On("vpc-id", func(a *vpc.NetworkACL) string { return string(a.VPC) }).Indexed(findBy(state.NetworkACLs, state.NetworkACLsByVPC)),
		action.OnBool("default", func(a *vpc.NetworkACL) bool { return a.Default }),
		action.On("owner-id", func(a *vpc.NetworkACL) string { return string(a.Owner) }),
		aclUseFilter("association.association-id", func(u *vpc.NetworkACLAssociation) string { return string(u.ID) }),
		aclUseFilter("association.network-acl-id", func(u *vpc.NetworkACLAssociation) string { return string(u.ACL) }).Indexed(findID(state.NetworkACLs)),
		aclUseFilter("association.subnet-id", func(u *vpc.NetworkACLAssociation) string { return string(u.Subnet) }).
			Indexed(func(c *action.Call, subnet string) seq[*vpc.NetworkACL] {
				return func(yield func(*vpc.NetworkACL) bool) {
					for u := range state.NetworkACLAssociations.By(c, state.NetworkACLAssociationsBySubnet, subnet) {
						yield(state.NetworkACLs.Get(c, u.ACL))
						return
					}
				}
			}),
		aclEntryFilter("entry.cidr", func(e *NetworkAclEntry) string { return e.CidrBlock }),
		aclEntryFilter("entry.ipv6-cidr", func(e *NetworkAclEntry) string { return e.Ipv6CidrBlock }),
		aclEntryFilter("entry.icmp.code", func(e *NetworkAclEntry) string {
			if e.IcmpTypeCode == nil {
				return ""
			}
			return number(e.IcmpTypeCode.Code)
		}),
		aclEntryFilter("entry.icmp.type", func(e *NetworkAclEntry) string {
			if e.IcmpTypeCode == nil {
				return ""
			}
			return number(e.IcmpTypeCode.Type)
		}),
		aclEntryFilter("entry.port-range.from", func(e *NetworkAclEntry) string {
			if e.PortRange == nil {
				return ""
			}
			return number(e.PortRange.From)
		}),
		aclEntryFilter("entry.port-range.to", func(e *NetworkAclEntry) string {
			if e.PortRange == nil {
				return ""
			}
			return number(e.PortRange.To)
		}),
		// The names of protocols are understood beside their numbers.
		onAttached("entry.protocol", func(c *action.Call, a *vpc.NetworkACL, yield func(string)) {
			for _, e := range networkACLShape(c, a).Entries {
				yield(e.Protocol)
				if name, ok := map[string]string{"1": "icmp", "6": "tcp", "17": "udp"}[e.Protocol]; ok {
					yield(name)
				}
			}
		}),
		aclEntryFilter("entry.rule-action", func(e *NetworkAclEntry) string { return e.RuleAction }),
		aclEntryFilter("entry.egress", func(e *NetworkAclEntry) string { return strconv.FormatBool(e.Egress) }),
		aclEntryFilter("entry.rule-number", func(e *NetworkAclEntry) string { return number(e.RuleNumber) }),
	},
	Tags: taggedRows(state.NetworkACLs, func(a *vpc.NetworkACL) vpc.Tags { return a.Tags }),
	// Subnets and the last entries depend on more than the row: no Key.
	Shape: func(c *action.Call, a *vpc.NetworkACL) *NetworkAcl { return networkACLShape(c, a) },
}

func number(n *int32) string { return strconv.Itoa(int(*n)) }

// aclUseFilter gives a filter on the subnets that have an ACL.
func aclUseFilter(name string, get func(*vpc.NetworkACLAssociation) string) action.Match[*vpc.NetworkACL] {
	return onAttached(name, func(c *action.Call, a *vpc.NetworkACL, yield func(string)) {
		for u := range state.NetworkACLAssociations.By(c, state.NetworkACLAssociationsByACL, string(a.ID)) {
			yield(get(u))
		}
	})
}

// aclEntryFilter gives a filter on the entries of an ACL, as they are described.
func aclEntryFilter(name string, get func(*NetworkAclEntry) string) action.Match[*vpc.NetworkACL] {
	return onAttached(name, func(c *action.Call, a *vpc.NetworkACL, yield func(string)) {
		for _, e := range networkACLShape(c, a).Entries {
			if v := get(&e); v != "" {
				yield(v)
			}
		}
	})
}

// networkACLShape gives an ACL as it is described, with the entries that deny
// the rest.
func networkACLShape(r state.Reader, a *vpc.NetworkACL) *NetworkAcl {
	shape := &NetworkAcl{
		NetworkAclId: string(a.ID), VpcId: string(a.VPC), OwnerId: string(a.Owner), IsDefault: a.Default, Tags: tagShapes(a.Tags),
		Associations: []NetworkAclAssociation{},
	}
	for u := range state.NetworkACLAssociations.By(r, state.NetworkACLAssociationsByACL, string(a.ID)) {
		shape.Associations = append(shape.Associations, NetworkAclAssociation{string(u.ID), string(u.ACL), string(u.Subnet)})
	}
	v := state.VPCs.Get(r, a.VPC)
	for _, e := range a.AllEntries(v.HasIPv6()) {
		shape.Entries = append(shape.Entries, aclEntryShape(e))
	}
	return shape
}

func aclEntryShape(e vpc.ACLEntry) NetworkAclEntry {
	shape := NetworkAclEntry{
		Egress: e.Egress, Protocol: strconv.Itoa(int(e.Protocol)), RuleAction: "deny", RuleNumber: ptr(e.Number),
	}
	if e.Allow {
		shape.RuleAction = "allow"
	}
	if e.CIDR.Addr().Is4() {
		shape.CidrBlock = e.CIDR.String()
	} else {
		shape.Ipv6CidrBlock = e.CIDR.String()
	}
	switch e.Protocol {
	case 6, 17:
		shape.PortRange = &PortRange{From: ptr(e.From), To: ptr(e.To)}
	case 1, 58:
		shape.IcmpTypeCode = &IcmpTypeCode{Type: ptr(e.From), Code: ptr(e.To)}
	}
	return shape
}

// DescribeNetworkAclsInput is what DescribeNetworkAcls takes.
type DescribeNetworkAclsInput struct {
	NextToken     string
	MaxResults    *int32
	DryRun        bool
	NetworkAclIds []string `in:"NetworkAclId"`
	Filters       []Filter `in:"Filter"`
}

// DescribeNetworkAclsOutput is what DescribeNetworkAcls gives.
type DescribeNetworkAclsOutput struct {
	NetworkAcls []NetworkAcl `out:"networkAclSet"`
	NextToken   string
}
