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
		// As if no ruleset had it. Apply writes another slot.
		if slot := slotIn(p.arena.words[p.have.root.at:], n); slot != 0 {
			atomic.StoreUint32(&p.slots[slot].Block, 0)
		}
	}
	return nil
}
