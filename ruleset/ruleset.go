// Package ruleset knows what one host must enforce: for each network interface
// bound there the rules of both directions, and which addresses belong to the
// groups that the rules refer to. It compiles that from a view, tells two
// rulesets apart, and judges single flows: Judge is the readable meaning of
// security groups, to which every data plane is held. How a kernel does it is
// not its business.
package ruleset

import (
	"net/netip"

	"moat/flow"
	"moat/vpc"
)

// A Ruleset is what one host must enforce at one revision. It is a value: once
// made it is never changed. Compiling equal states gives equal rulesets,
// whatever the order of events that led there.
type Ruleset struct {
	Rev        uint64
	Interfaces []Interface // in the order of ids
	// Policies are the sets of rules that interfaces share, each once. They are
	// named by their groups and direction, in the order of names.
	Policies []Policy
	// Members are the addresses that belong to a group which a policy refers
	// to, in the order of VPC and address.
	Members Members
}

// An Interface is a network interface as the host enforces it.
type Interface struct {
	ID vpc.InterfaceID
	// VPC is where its addresses mean what they mean: the same address in
	// another VPC is somebody else.
	VPC vpc.VPCID
	MAC string
	// Own are the addresses it may send from: each address as a prefix of one,
	// and the prefixes delegated to it. Sorted.
	Own []netip.Prefix
	// OnLink are the blocks of its subnet: what it may look for on its link. Sorted.
	OnLink []netip.Prefix
	// Check tells that packets from and to other addresses are dropped:
	// source/dest check.
	Check bool
	// In and Out are places in Policies.
	In, Out  int
	Timeouts Timeouts
	OnRevoke OnRevoke
}

// Timeouts are the idle times, in seconds, after which a tracked flow is
// forgotten.
type Timeouts struct{ TCPEstablished, UDPStream, UDP int32 }

// DefaultTimeouts are EC2's: user guide, "Security group connection tracking".
var DefaultTimeouts = Timeouts{TCPEstablished: 432_000, UDPStream: 180, UDP: 30}

// OnRevoke says what becomes of tracked flows that no rule allows any more.
type OnRevoke struct {
	Mode Mode
	// Drain is how many seconds such flows may live on in mode Drain.
	Drain int32
}

// A Mode is a way to treat flows whose rule went away.
type Mode uint8

// The modes. Cut, the zero value, ends exactly the flows that no remaining
// rule allows. AWS lets tracked flows live and ends untracked ones, as EC2
// does. Drain lets them live for a while.
const (
	Cut Mode = iota
	AWS
	Drain
)

// A Policy is the union of the rules of one direction of a set of groups.
type Policy struct {
	// Name is the direction and the groups' ids, sorted: "ingress sg-a sg-b".
	// Before the groups it says what else is in it: "failsafe" for pinholes,
	// "exempt" for exemptions, "exempt:10.0.0.2" with the resolver that is exempt.
	Name      string
	Direction flow.Direction
	// Rules in canonical order: Compare. None allows nothing.
	Rules []Rule
}

// A Rule allows a protocol and ports to or from one remote.
type Rule struct {
	Protocol flow.Protocol
	// Ports are those of the destination; for ICMP the type and the code, each
	// -1 for all; NoPorts where the protocol has none.
	Ports  flow.PortRange
	Remote Remote
	// ID is the rule that this one comes from; a prefix list makes several of
	// one.
	ID vpc.RuleID
}

// A Remote is the other side: a range of addresses, or the members of a group.
type Remote struct {
	Prefix netip.Prefix // not valid when it is a group
	Group  vpc.GroupID
}

// A Member is an address of an interface with the groups it belongs to, those
// only that some policy refers to.
type Member struct {
	VPC    vpc.VPCID
	Addr   netip.Addr
	Groups []vpc.GroupID // sorted
}

// A Flow is the first packet of a flow as one interface sees it.
type Flow struct {
	Interface vpc.InterfaceID
	Direction flow.Direction
	Remote    netip.Addr
	Protocol  flow.Protocol
	// Port is the destination's port; for ICMP and ICMPv6 it is the type and
	// Code the code.
	Port uint16
	Code uint8
}

// A Verdict is an answer of Judge. The zero value denies.
type Verdict struct {
	Allowed bool
	// Rule is the one that allows; with several that do, the first in
	// canonical order.
	Rule   vpc.RuleID
	Reason Reason
}

// A Reason says why a verdict is what it is.
type Reason uint8

// The reasons of Judge.
const (
	NoInterface Reason = iota // the interface is not in the ruleset
	NoRule
	ByRule
)
