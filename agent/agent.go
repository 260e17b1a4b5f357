// Package agent enforces on one host what the state says: it watches the
// views of a store, compiles what the interfaces bound here must obey, applies
// that to the host's data plane, and reports how far it is. What is in force
// depends on the current revision only, never on the order of events.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"moat/dataplane"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// A Source is where the agent sees the state: a store.
type Source interface {
	Latest() *state.View
	// WaitRev gives a view at or after a revision.
	WaitRev(ctx context.Context, rev uint64) (*state.View, error)
}

// An Agent enforces on one host. Its methods may be called by several
// goroutines.
type Agent struct {
	source  Source
	plane   dataplane.Dataplane
	host    string
	options ruleset.Options
	logger  *slog.Logger

	kick chan struct{}

	mu     sync.Mutex
	status Status
	moved  chan struct{} // closed when status has changed
}

// A Status is how far the agent is.
type Status struct {
	// Rev is the revision in force.
	Rev uint64
	// Err says why the latest revision is not; nil when it is, or is on its way.
	Err error
	// Since is when Err began.
	Since    time.Time
	Bindings []BindingStatus
}

// A BindingStatus is how one binding of this host stands.
type BindingStatus struct {
	dataplane.Binding
	Scope state.Scope
	// Err says why the interface is not enforced: the device is gone, say.
	Err error
}

// Config says what an agent is given.
type Config struct {
	Source  Source
	Plane   dataplane.Dataplane
	Host    string
	Options ruleset.Options
	Logger  *slog.Logger
}

// New gives an agent, which does nothing until Run.
func New(c Config) *Agent {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Agent{
		source: c.Source, plane: c.Plane, host: c.Host, options: c.Options, logger: c.Logger,
		kick: make(chan struct{}, 1), moved: make(chan struct{}),
	}
}

// Host gives the name of the host that the agent enforces on.
func (a *Agent) Host() string { return a.host }

// Plane gives the data plane.
func (a *Agent) Plane() dataplane.Dataplane { return a.plane }

// retryAfter is how long the agent waits after a failure, and how often it
// looks whether devices have come or gone unnoticed.
const retryAfter = 500 * time.Millisecond

// Run enforces until ctx ends. Enforcement itself goes on after that.
func (a *Agent) Run(ctx context.Context) error {
	var last *ruleset.Ruleset
	for {
		view := a.source.Latest()
		rs, err := a.step(ctx, view, last)
		if err == nil {
			last = rs
		}
		a.report(view.Rev, err)
		wait, cancel := context.WithCancel(ctx)
		if err != nil {
			wait, cancel = context.WithTimeout(ctx, retryAfter)
		}
		woken := make(chan struct{})
		go func() {
			defer close(woken)
			select {
			case <-a.kick:
				cancel()
			case <-wait.Done():
			}
		}()
		_, _ = a.source.WaitRev(wait, view.Rev+1)
		cancel()
		<-woken
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Kick makes the agent look at its devices again.
func (a *Agent) Kick() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// step brings the data plane to a view.
func (a *Agent) step(ctx context.Context, view *state.View, last *ruleset.Ruleset) (*ruleset.Ruleset, error) {
	bound := Bound(view, a.host)
	locals := make([]ruleset.Local, len(bound))
	for i, b := range bound {
		locals[i] = ruleset.Local{Scope: b.Scope, ID: b.Interface}
	}
	rs := ruleset.Compile(view, locals, a.options)
	if last == nil || !ruleset.Diff(last, rs).Empty() {
		if err := a.plane.Apply(ctx, rs); err != nil {
			return nil, err
		}
	}
	return rs, a.bind(ctx, bound)
}

// bind puts the filters on their devices, and takes those off that the state
// no longer has.
func (a *Agent) bind(ctx context.Context, want []BindingStatus) error {
	have, err := a.plane.Bindings(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range have {
		if !slices.ContainsFunc(want, func(w BindingStatus) bool { return w.Interface == h.Interface }) {
			errs = append(errs, a.plane.Unbind(ctx, h.Interface))
		}
	}
	for i := range want {
		// Binding what is bound changes nothing, and binds again what came
		// back under its name.
		want[i].Err = a.plane.Bind(ctx, want[i].Binding)
		errs = append(errs, want[i].Err)
	}
	a.mu.Lock()
	a.status.Bindings = want
	a.mu.Unlock()
	return errors.Join(errs...)
}

func (a *Agent) report(rev uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		if a.status.Err != nil {
			a.logger.Info("enforcement has recovered", "host", a.host, "revision", rev)
		}
		a.status.Rev, a.status.Err = rev, nil
	} else {
		if a.status.Err == nil {
			a.status.Since = time.Now()
			a.logger.Error("the state is not enforced; the last good rules stay in force and it is tried again", "host", a.host, "revision", rev, "err", err)
		}
		a.status.Err = err
	}
	close(a.moved)
	a.moved = make(chan struct{})
}

// Status gives how far the agent is.
func (a *Agent) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Bindings = slices.Clone(s.Bindings)
	return s
}

// Wait waits until a revision is in force. It gives the agent's own error when
// it cannot be brought into force, and ctx's when that takes too long.
func (a *Agent) Wait(ctx context.Context, rev uint64) error {
	for {
		a.mu.Lock()
		s, moved := a.status, a.moved
		a.mu.Unlock()
		switch {
		case s.Rev >= rev:
			return nil
		case s.Err != nil:
			return s.Err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Bound gives the bindings that a view has for a host, in the order of
// interfaces' ids.
func Bound(view *state.View, host string) []BindingStatus {
	var out []BindingStatus
	for space := range view.Spaces() {
		for i := range state.Interfaces.By(space, state.InterfacesByHost, host) {
			out = append(out, BindingStatus{Scope: space.Scope, Binding: bindingOf(i)})
		}
	}
	slices.SortFunc(out, func(a, b BindingStatus) int {
		if a.Interface < b.Interface {
			return -1
		}
		return 1
	})
	return out
}

func bindingOf(i *vpc.Interface) dataplane.Binding {
	d := i.Attachment.Device
	b := dataplane.Binding{Interface: i.ID, Device: d.Name, Netns: d.Netns, Observe: d.Observe}
	if d.Workload {
		b.Side = dataplane.Workload
	}
	return b
}
