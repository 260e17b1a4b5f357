package dataplane

import (
	"context"
	"errors"

	"moat/vpc"
)

// A Prober is a data plane that can prove that it enforces.
type Prober interface {
	// Probe has what stands at an interface's device judge packets of which
	// ruleset.Judge knows what becomes, by the ruleset in force, and fails if it
	// judges otherwise, or is not there, or is not the first to see a packet.
	// Nothing is sent and no flow is left; the packets are counted.
	Probe(ctx context.Context, id vpc.InterfaceID) (*Proof, error)
}

// ErrNoProber says that a data plane cannot prove that it enforces.
var ErrNoProber = errors.New("this data plane cannot be probed")

// A Proof is what a probe found: all as it has to be.
type Proof struct {
	// Revision is that of the ruleset by which the packets were judged.
	Revision uint64
	// Passed and Dropped count the packets of the probe. Either is 0 where the
	// rules drop nothing, or let nothing pass that a probe can be made of.
	Passed, Dropped int
}
