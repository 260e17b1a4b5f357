package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// ReplaceNetworkAclEntry puts another entry under the number of one.
var ReplaceNetworkAclEntry = action.Write[ReplaceNetworkAclEntryInput, ReplaceNetworkAclEntryOutput]{
	Name: "ReplaceNetworkAclEntry",
	Doc:  `Replaces an entry of a network ACL, named by its direction and number.`,
	Plan: func(tx *state.Txn, in *ReplaceNetworkAclEntryInput) (*ReplaceNetworkAclEntryOutput, error) {
		a, e, err := askedACLEntry(tx, in.NetworkAclId, vpc.AskedACLEntry{
			Number: in.RuleNumber, Egress: in.Egress, Protocol: in.Protocol, Action: in.RuleAction, CIDR4: in.CidrBlock, CIDR6: in.Ipv6CidrBlock,
		}, in.PortRange, in.IcmpTypeCode)
		if err != nil {
			return nil, err
		}
		at, found := a.FindEntry(e.Egress, e.Number)
		if !found {
			return nil, fault.InvalidNetworkACLEntryNotFound.With(e.Number)
		}
		entries := slices.Clone(a.Entries)
		entries[at] = e
		putACLEntries(tx, a, entries)
		return &ReplaceNetworkAclEntryOutput{Return: true}, nil
	},
}

// ReplaceNetworkAclEntryInput is what ReplaceNetworkAclEntry takes.
type ReplaceNetworkAclEntryInput struct {
	DryRun        bool
	NetworkAclId  string // required
	RuleNumber    *int32 // required
	Protocol      string // required
	RuleAction    string // required
	Egress        *bool  // required
	CidrBlock     string
	Ipv6CidrBlock string
	IcmpTypeCode  *IcmpTypeCode `in:"Icmp"`
	PortRange     *PortRange
}

// ReplaceNetworkAclEntryOutput is what ReplaceNetworkAclEntry gives.
type ReplaceNetworkAclEntryOutput struct {
	Return bool
}
