package agent

import (
	"context"
	"sync"

	"moat/dataplane"
	"moat/ruleset"
	"moat/vpc"
)

// A Lazy data plane is opened when something is to be bound, or at once if
// there is something in force already, and is put away when nothing is bound
// any more: a server that enforces nothing leaves nothing in the kernel.
type Lazy struct {
	open func() (dataplane.Dataplane, error)

	mu     sync.Mutex
	plane  dataplane.Dataplane // nil while it is not open
	wanted bool                // something is in force, or is to be
	guards bool                // devices are guarded
}

var _ dataplane.Dataplane = (*Lazy)(nil)

// NewLazy gives a data plane that open opens; inForce tells that an earlier
// process left something.
func NewLazy(open func() (dataplane.Dataplane, error), inForce bool) *Lazy {
	return &Lazy{open: open, wanted: inForce}
}

// remover is a data plane that can take everything of its own out of the host.
type remover interface{ Remove() error }

// use opens the plane if it is wanted; nil if it is not.
func (l *Lazy) use() (dataplane.Dataplane, error) {
	if l.plane == nil && l.wanted {
		p, err := l.open()
		if err != nil {
			return nil, err
		}
		l.plane = p
	}
	return l.plane, nil
}

// Apply makes want the ruleset in force. Without anything bound there is
// nothing to do.
func (l *Lazy) Apply(ctx context.Context, want *ruleset.Ruleset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = l.wanted || len(want.Interfaces) > 0
	p, err := l.use()
	if p == nil {
		return err
	}
	return p.Apply(ctx, want)
}

// Actual reports the ruleset in force.
func (l *Lazy) Actual(ctx context.Context) (*ruleset.Ruleset, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if p == nil {
		return &ruleset.Ruleset{}, err
	}
	return p.Actual(ctx)
}

// Bind opens the plane and binds.
func (l *Lazy) Bind(ctx context.Context, b dataplane.Binding) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.wanted
	l.wanted = true
	p, err := l.use()
	if err != nil {
		l.wanted = before
		return err
	}
	if err := p.Bind(ctx, b); err != nil {
		l.putAway(ctx)
		return err
	}
	return nil
}

// Unbind takes a filter off, and puts the plane away after the last one.
func (l *Lazy) Unbind(ctx context.Context, id vpc.InterfaceID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if p == nil {
		return err
	}
	if err := p.Unbind(ctx, id); err != nil {
		return err
	}
	l.putAway(ctx)
	return nil
}

// A replacer is a data plane that knows when one binding follows another.
type replacer interface {
	Replace(ctx context.Context, id vpc.InterfaceID, with dataplane.Binding) error
}

// Replace unbinds and binds. The plane is not put away between the two: to load
// it anew takes some tenths of a second, and seconds on a slow machine.
func (l *Lazy) Replace(ctx context.Context, id vpc.InterfaceID, with dataplane.Binding) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = true
	p, err := l.use()
	if err != nil {
		return err
	}
	if err = p.Unbind(ctx, id); err == nil {
		err = p.Bind(ctx, with)
	}
	if err != nil {
		l.putAway(ctx)
	}
	return err
}

// A settler is a data plane that wants to know when all that is bound is in
// force, and tells whether that has changed something.
type settler interface{ Settled() (bool, error) }

// Settled says that all that is bound is in force.
func (l *Lazy) Settled() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.plane.(settler); ok {
		return s.Settled()
	}
	return false, nil
}

// putAway closes and removes a plane on which nothing is bound.
func (l *Lazy) putAway(ctx context.Context) {
	have, err := l.plane.Bindings(ctx)
	r, ok := l.plane.(remover)
	if err != nil || len(have) > 0 || l.guards || !ok || r.Remove() != nil {
		return // it stays open, which does no harm
	}
	l.plane, l.wanted = nil, false
}

// Deny makes an interface pass nothing until the next ruleset.
func (l *Lazy) Deny(ctx context.Context, id vpc.InterfaceID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if err != nil {
		return err
	}
	if d, ok := p.(denier); ok {
		return d.Deny(ctx, id)
	}
	return errNoDeny
}

// Guard keeps devices closed. Without any there is nothing to do, but to take away
// what a process before this one guarded.
func (l *Lazy) Guard(ctx context.Context, want dataplane.Guards) (names, bridges error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	any := !want.Empty()
	before := l.wanted
	l.wanted = l.wanted || any
	p, err := l.use()
	if p == nil {
		l.wanted = before
		return err, err
	}
	if d, ok := p.(dataplane.Doorman); ok {
		names, bridges = d.Guard(ctx, want)
	} else {
		names, bridges = noDoorman(want)
	}
	l.guards = any && (names == nil || bridges == nil)
	l.putAway(ctx)
	return names, bridges
}

// noDoorman says why a data plane without a doorman does not guard.
func noDoorman(want dataplane.Guards) (names, bridges error) {
	if len(want.Names)+len(want.Own) > 0 {
		names = dataplane.ErrNoDoorman
	}
	if len(want.Bridges) > 0 {
		bridges = dataplane.ErrNoDoorman
	}
	return names, bridges
}

// Bindings reports what is bound.
func (l *Lazy) Bindings(ctx context.Context) ([]dataplane.Binding, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if p == nil {
		return nil, err
	}
	return p.Bindings(ctx)
}

// Look reports how what is bound stands.
func (l *Lazy) Look(ctx context.Context, quick bool) ([]dataplane.Standing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if p == nil {
		return nil, err
	}
	return p.Look(ctx, quick)
}

// Stats reports what was counted.
func (l *Lazy) Stats(ctx context.Context) (*dataplane.Stats, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if p == nil {
		return &dataplane.Stats{}, err
	}
	return p.Stats(ctx)
}

// Probe proves that an interface is enforced.
func (l *Lazy) Probe(ctx context.Context, id vpc.InterfaceID) (*dataplane.Proof, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := l.use()
	if err != nil {
		return nil, err
	}
	if d, ok := p.(dataplane.Prober); ok {
		return d.Probe(ctx, id)
	}
	return nil, dataplane.ErrNoProber
}

// Close lets go of the data plane. Enforcement goes on.
func (l *Lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plane == nil {
		return nil
	}
	p := l.plane
	l.plane = nil
	return p.Close()
}
