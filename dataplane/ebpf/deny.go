package ebpf

import (
	"context"
	"sync/atomic"

	"moat/vpc"
)

// Deny makes an interface pass nothing, tracked flows included, until the next
// ruleset. It needs no memory and no system call: it is for when Apply fails.
func (p *Plane) Deny(ctx context.Context, id vpc.InterfaceID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	if n, ok := p.numbers[id]; ok {
		// As if no ruleset had it. Apply writes the other side anew.
		atomic.StoreUint32(&p.enis[n].Side[p.epoch()].Block, 0)
	}
	return nil
}
