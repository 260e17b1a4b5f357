package ec2

import (
	"slices"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// CreateNetworkAclEntry adds an entry to a network ACL.
var CreateNetworkAclEntry = action.Write[CreateNetworkAclEntryInput, CreateNetworkAclEntryOutput]{
	Name: "CreateNetworkAclEntry",
	Doc:  `Adds an entry to a network ACL, under a number that no other entry of its direction has.`,
	Plan: func(tx *state.Txn, in *CreateNetworkAclEntryInput) (*CreateNetworkAclEntryOutput, error) {
		a, e, err := askedACLEntry(tx, in.NetworkAclId, vpc.AskedACLEntry{
			Number: in.RuleNumber, Egress: in.Egress, Protocol: in.Protocol, Action: in.RuleAction, CIDR4: in.CidrBlock, CIDR6: in.Ipv6CidrBlock,
		}, in.PortRange, in.IcmpTypeCode)
		if err != nil {
			return nil, err
		}
		at, found := a.FindEntry(e.Egress, e.Number)
		if found {
			return nil, fault.NetworkACLEntryAlreadyExists.With(e.Number)
		}
		// EC2 counts the entry that denies the rest, too.
		if a.CountEntries(e.Egress, e.CIDR.Addr().Is6())+1 >= tx.Quotas.ACLEntries {
			return nil, fault.NetworkACLEntryLimitExceeded.With()
		}
		putACLEntries(tx, a, slices.Insert(slices.Clone(a.Entries), at, e))
		return &CreateNetworkAclEntryOutput{Return: true}, nil
	},
}

// askedACLEntry gives the ACL and the entry that a request names.
func askedACLEntry(tx *state.Txn, id string, asked vpc.AskedACLEntry, ports *PortRange, icmp *IcmpTypeCode) (*vpc.NetworkACL, vpc.ACLEntry, error) {
	if err := allGiven("networkAclId", id); err != nil {
		return nil, vpc.ACLEntry{}, err
	}
	if ports != nil {
		asked.From, asked.To = ports.From, ports.To
	}
	if icmp != nil {
		asked.ICMPType, asked.ICMPCode = icmp.Type, icmp.Code
	}
	e, err := asked.Parse()
	if err != nil {
		return nil, e, err
	}
	a, err := networkACLOf(tx, id)
	return a, e, err
}

// putACLEntries stages an ACL with other entries.
func putACLEntries(tx *state.Txn, a *vpc.NetworkACL, entries []vpc.ACLEntry) {
	c := *a
	c.Entries = entries
	state.NetworkACLs.Put(tx, &c)
}

// CreateNetworkAclEntryInput is what CreateNetworkAclEntry takes.
type CreateNetworkAclEntryInput struct {
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

// CreateNetworkAclEntryOutput is what CreateNetworkAclEntry gives.
type CreateNetworkAclEntryOutput struct {
	Return bool
}
