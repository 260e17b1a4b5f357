// Package dataplane knows what putting a ruleset into force on one host means:
// the contract that each data plane keeps. The kernel's is in package ebpf, a
// simulated one in package sim, and package dataplanetest holds both to the
// contract.
package dataplane

import (
	"context"
	"errors"
	"slices"
	"time"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// A Dataplane is the firewall of one host.
//
// The first packet of a flow is judged by the ruleset, and later ones and
// replies pass. A packet of TCP that opens no connection, and is of none that is
// tracked, is judged as a first one, and begins no flow: it gives replies no way.
// A data plane may be set to track connections that were open before the
// interface was enforced.
type Dataplane interface {
	// Apply makes want the ruleset in force. Packets see the old ruleset or
	// the new one, never a mixture. On error the old one is still in force.
	// When Apply returns, the next packet obeys.
	Apply(ctx context.Context, want *ruleset.Ruleset) error

	// Actual reports the ruleset in force, read back.
	Actual(ctx context.Context) (*ruleset.Ruleset, error)

	// Bind puts an interface's filter on a device, also while its link is down.
	// The device is the one with Index or, if that is 0, the one named Device.
	// A bound interface that no applied ruleset has passes nothing. Binding what
	// is bound to the same device changes nothing but Observe and Until, and puts
	// back what was taken off; a device that came back under its name is bound
	// again. An interface is on one device, and a device has one interface:
	// anything else is refused. The error is ErrNoDevice when the device is not
	// there, and ErrLoopback for lo.
	Bind(ctx context.Context, b Binding) error
	// Unbind takes the filter off: the device passes everything again. What is
	// not bound is no error.
	Unbind(ctx context.Context, id vpc.InterfaceID) error
	// Bindings reports what is bound, also by a process before this one, with the
	// devices as they were when they were last looked at.
	Bindings(ctx context.Context) ([]Binding, error)
	// Look finds the devices of what is bound, whatever they are called now, and
	// whether their filters are on them. A quick look may miss that a device was
	// renamed or moved.
	Look(ctx context.Context, quick bool) ([]Standing, error)

	// Stats reports what was counted since the interface was bound.
	Stats(ctx context.Context) (*Stats, error)

	// Close lets go of the data plane. Enforcement goes on.
	Close() error
}

// A Doorman is a data plane that can keep devices closed before anybody binds
// them.
type Doorman interface {
	// Guard makes the devices that want names, of the process's own network
	// namespace, pass no packet until they are bound: from their first one on, also
	// while no process runs, and again once they are unbound. It replaces what was
	// guarded before; nothing ends it. Guarding what is guarded makes it whole again
	// where somebody took something away. names and bridges say why those of want are
	// not guarded; names is ErrNoDoorman where the kernel has no means to.
	Guard(ctx context.Context, want Guards) (names, bridges error)
}

// Guards are the devices that a Doorman keeps closed.
type Guards struct {
	// Names are patterns of names. Such devices pass no IP packet, and as ports of
	// bridges nothing at all.
	Names []Pattern
	// Bridges are those whose ports pass nothing.
	Bridges []string
	// Own are patterns of names of the machine's own devices. They pass what the machine
	// needs to get an address (DHCP as a client, neighbour discovery), and Pinholes.
	Own      []Pattern
	Pinholes []ruleset.Pinhole
}

// Empty reports whether nothing is guarded.
func (g Guards) Empty() bool { return len(g.Names)+len(g.Bridges)+len(g.Own) == 0 }

// Equal reports whether two are the same.
func (g Guards) Equal(o Guards) bool {
	return slices.Equal(g.Names, o.Names) && slices.Equal(g.Bridges, o.Bridges) && slices.Equal(g.Own, o.Own) && slices.Equal(g.Pinholes, o.Pinholes)
}

// ErrNoDoorman says that the kernel cannot guard devices by their names.
var ErrNoDoorman = errors.New("this needs nftables, or Linux 6.4 with CONFIG_NETFILTER_BPF_LINK and BTF")

// ErrNoDevice says that a device, or its network namespace, is not there.
var ErrNoDevice = errors.New("the device is not there")

// Loopback is the name of a namespace's loopback device.
const Loopback = "lo"

// ErrLoopback says that a device cannot be bound because it is lo.
var ErrLoopback = errors.New("lo, by which the machine speaks to itself, cannot carry a network interface: name another device")

// A Binding is an interface on a device.
type Binding struct {
	Interface vpc.InterfaceID
	Device    string
	// Index is the device's number in its network namespace, or 0 if that is not
	// known. A data plane that reports 0 says that the device is not there.
	Index int
	// Netns is the path of the device's network namespace; empty for the
	// process's own.
	Netns string
	// Side tells whose end of the link the device is.
	Side Side
	// Observe judges and counts, and drops nothing.
	Observe bool
	// Until, if it is not zero, is when a device that is enforced on trial
	// observes again, a few seconds later at most, also when no process is there.
	Until time.Time
}

// A Standing is a binding as it stands: Device and Index are what the device has
// now, and Index is 0 if it is not there.
type Standing struct {
	Binding
	// Degraded says why packets may pass the device without being judged; nil if
	// none can.
	Degraded error
}

// ErrTakenOff says that a filter is not on its device any more, though nobody has
// unbound it.
var ErrTakenOff = errors.New("another program took Moat's filter off the device")

// Observes reports whether a binding observes at a time.
func (b *Binding) Observes(now time.Time) bool {
	return b.Observe || !b.Until.IsZero() && !now.Before(b.Until)
}

// A Side is an end of a workload's link.
type Side uint8

// The sides. Host, the zero value, is the host's end of a veth or a tap: what
// the workload sends comes in there. Workload is the device that carries the
// interface's addresses itself.
const (
	Host Side = iota
	Workload
)

// Stats are counters.
type Stats struct {
	Rules map[vpc.RuleID]RuleStats
	Drops map[vpc.InterfaceID]map[string]uint64 // by reason
	// WithoutRule are the packets that no rule has to allow, by kind: arp, nd, mld,
	// dhcp, dhcp6, icmp_error.
	WithoutRule map[vpc.InterfaceID]map[string]uint64
	Flows       map[vpc.InterfaceID]uint64 // tracked now
	// TurnedAway counts the packets of guarded devices, by name, that nobody
	// has bound.
	TurnedAway uint64
}

// RuleStats are a rule's.
type RuleStats struct {
	Packets, Bytes, Connections uint64
	LastHit                     time.Time
	Direction                   flow.Direction
}
