package agent

import (
	"context"
	"fmt"
	"time"

	"moat/dataplane"
	"moat/vpc"
)

// Probe proves that what stands at an interface's device judges by the ruleset
// that the agent has put into force. It fails with what it found otherwise.
func (a *Agent) Probe(ctx context.Context, id vpc.InterfaceID) (*dataplane.Proof, error) {
	p, ok := a.plane.(dataplane.Prober)
	if !ok {
		return nil, dataplane.ErrNoProber
	}
	for try := 0; ; try++ {
		proof, err := p.Probe(ctx, id)
		if err != nil {
			return nil, err
		}
		rs := a.Status().Ruleset
		switch {
		case rs != nil && rs.Rev == proof.Revision:
			return proof, nil
		case try == 10:
			return nil, fmt.Errorf("packets are judged by the rules of revision %d, which are not those that the agent has put into force", proof.Revision)
		}
		// An update is between the plane and the agent's report.
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
