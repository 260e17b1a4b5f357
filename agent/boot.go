package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"moat/dataplane"
	"moat/ruleset"
)

// Booting is what the agent enforces before it has a state: what its snapshot
// holds.
type Booting struct {
	// Rev is the revision in force, or 0.
	Rev uint64
	// Bindings are those of the snapshot.
	Bindings []dataplane.Binding
	// Open are those whose devices were there and had no filter.
	Open []dataplane.Binding
	// Err is why some of it is not in force.
	Err error
	// Began is when the agent booted, and Saved when the snapshot was written.
	Began, Saved time.Time
}

// Boot closes the devices whose names are guarded and puts the snapshot into force,
// unless the kernel still has newer rules of an earlier process. Until the caller
// calls end, Boot also binds devices of the snapshot that appear later. Call end
// before Run.
func (a *Agent) Boot(ctx context.Context) (b Booting, end func()) {
	began := time.Now()
	unguarded := a.guardDevices(ctx, errNotYet)
	b, err := a.boot(ctx)
	b.Began = began
	if info, e := os.Stat(a.snapshot); e == nil {
		b.Saved = info.ModTime()
	}
	b.Err = errors.Join(err, ignoreNoDoorman(unguarded, a.Guards()))
	if b.Err != nil {
		a.logger.Error("not everything in the snapshot could be enforced", "host", a.host, "err", b.Err)
	}
	for _, d := range b.Open {
		a.event(DeviceWasOpen, d, "")
		a.logger.Warn("a device was open when this server started", "host", a.host, "interface", d.Interface, "device", d.Device, "netns", d.Netns)
	}
	ctx, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	if len(b.Bindings) > 0 && a.links != nil {
		done.Go(func() { a.bindAsTheyCome(ctx, b.Bindings) })
	}
	return b, sync.OnceFunc(func() {
		stop()
		done.Wait()
		a.inForce = nil // Run finds out for itself
	})
}

func ignoreNoDoorman(err error, guards []dataplane.Pattern) error {
	if len(guards) == 0 {
		return nil
	}
	return err
}

func (a *Agent) boot(ctx context.Context) (b Booting, err error) {
	have, err := a.plane.Bindings(ctx)
	if err != nil {
		return b, fmt.Errorf("read what is bound: %w", err)
	}
	actual, err := a.plane.Actual(ctx)
	if err != nil {
		return b, fmt.Errorf("read what is in force: %w", err)
	}
	b.Rev, b.Bindings = actual.Rev, a.withoutReleased(have)
	// A process before this one may have ended before it came to that.
	a.binding.Lock()
	unreleased := a.unbindReleased(ctx)
	a.binding.Unlock()
	defer func() { err = errors.Join(err, unreleased) }()
	if a.snapshot == "" {
		return b, nil
	}
	s, err := ReadSnapshot(a.snapshot)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	s.Bindings = a.withoutReleased(s.Bindings)
	b.Bindings = s.Bindings
	for _, m := range s.Marks {
		a.marks[m.Interface] = m
	}
	rules := actual
	if b.Rev = actual.Rev; len(actual.Interfaces) == 0 || actual.Rev < s.Rules.Rev {
		rules, b.Rev = s.Rules, s.Rules.Rev
	}
	targets, err := a.locateAll(ctx, s.Bindings)
	if err != nil {
		return b, err
	}
	a.inForce = actual
	for _, t := range targets {
		if t.Doubt != nil {
			a.closed = append(a.closed, t.Interface)
		}
	}
	if len(a.closed) > 0 {
		rules = Denying(rules, a.closed)
	}
	if rules != actual {
		if err = a.plane.Apply(ctx, rules); err != nil {
			// Bind the devices all the same, so that they pass nothing.
			b.Rev, err = actual.Rev, fmt.Errorf("apply the snapshot of revision %d: %w", s.Rules.Rev, err)
		} else {
			a.inForce = rules
		}
	}
	open, e := a.bindSnapshot(ctx, targets, have)
	b.Open = open
	return b, errors.Join(err, e)
}

// locateAll finds the devices of the bindings of a snapshot.
func (a *Agent) locateAll(ctx context.Context, all []dataplane.Binding) (targets []Target, err error) {
	have, err := a.plane.Look(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("read what is bound: %w", err)
	}
	for _, b := range all {
		m := a.marks[b.Interface]
		if m.Named != "" {
			b.Device = m.Named
		}
		targets = append(targets, a.target(b, have))
	}
	return targets, nil
}

// bindSnapshot binds the devices of a snapshot that are there, and returns those
// that had no filter.
func (a *Agent) bindSnapshot(ctx context.Context, all []Target, have []dataplane.Binding) (open []dataplane.Binding, err error) {
	a.binding.Lock()
	defer a.binding.Unlock()
	var errs []error
	for _, t := range all {
		if t.Err != nil {
			continue // it is not there
		}
		err := a.closeDoubtful(ctx, t.Interface, t.Doubt)
		if err == nil {
			err = a.plane.Bind(ctx, t.Binding)
		}
		switch {
		case errors.Is(err, dataplane.ErrNoDevice):
		case err != nil:
			errs = append(errs, fmt.Errorf("bind %s to %s: %w", t.Interface, t.Device, err))
		case t.Doubt != nil:
			m := a.marks[t.Interface]
			a.doubt(&m, t.Binding, t.Doubt)
			a.marks[t.Interface] = m
		case t.Degraded != nil || !slices.ContainsFunc(have, func(h dataplane.Binding) bool { return h.Interface == t.Interface && h.Index != 0 }):
			open = append(open, t.Binding)
		}
	}
	return open, errors.Join(errs...)
}

// bindAsTheyCome binds the devices of a snapshot that appear.
func (a *Agent) bindAsTheyCome(ctx context.Context, all []dataplane.Binding) {
	for ctx.Err() == nil {
		err := a.links(ctx, func(c LinkChange) {
			targets, err := a.locateAll(ctx, a.withoutReleased(all))
			if err == nil {
				_, err = a.bindSnapshot(ctx, targets, nil)
			}
			if err != nil && ctx.Err() == nil {
				a.logger.Error("a new device cannot be bound", "host", a.host, "device", c.Name, "err", err)
			}
		})
		if err != nil && ctx.Err() == nil {
			a.logger.Warn("new devices are not bound until the database answers", "host", a.host, "err", err)
			return
		}
	}
}

// save writes what is in force for the next start of the machine. Only Run calls
// it.
func (a *Agent) save() {
	if a.keeper == nil || a.inForce == nil {
		return
	}
	a.mu.Lock()
	bindings := slices.Clone(a.status.Unknown)
	for _, b := range a.status.Bindings {
		bindings = append(bindings, b.Binding)
	}
	a.mu.Unlock()
	for i := range bindings {
		bindings[i].Index = 0 // it differs after a restart
	}
	a.binding.Lock()
	var marks []Mark
	for _, id := range slices.Sorted(maps.Keys(a.marks)) {
		marks = append(marks, a.marks[id])
	}
	a.binding.Unlock()
	if a.saved.rules == a.inForce && slices.Equal(a.saved.bindings, bindings) && slices.Equal(a.saved.marks, marks) {
		return
	}
	a.saved = saved{a.inForce, bindings, marks}
	a.keeper.keep(Snapshot{a.inForce, bindings, marks})
}

// saved is the last snapshot that a keeper got.
type saved struct {
	rules    *ruleset.Ruleset
	bindings []dataplane.Binding
	marks    []Mark
}
