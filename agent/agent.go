// Package agent enforces on one host what the state says: it watches the
// views of a store, compiles what the interfaces bound here must obey, applies
// that to the host's data plane, and reports how far it is. What is in force
// depends on the current revision only, never on the order of events.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	links   LinkWatcher
	bridges []string
	guards  []dataplane.Pattern
	own     []dataplane.Pattern
	notes   string
	// snapshot is the file that has what is in force.
	snapshot string
	// releasesFile has releases, and dirty says that they have changed.
	releasesFile string
	dirty        atomic.Bool

	kick chan struct{}

	// binding guards what is bound: held, and the calls of the plane that
	// change it.
	binding sync.Mutex
	held    map[vpc.InterfaceID]dataplane.Binding // being attached, not in the state yet
	// keep tells that the state is older than what the plane enforces: a backup
	// was restored, say. What it does not have stays bound, and so denied.
	keep  bool
	taken []takenBridge // those whose VLANs are the agent's
	// bridgesOpen says why the data plane does not close ports of managed bridges.
	bridgesOpen error
	// marks are how the devices of what was bound are recognised.
	marks    map[vpc.InterfaceID]Mark
	thisBoot string
	devices  DeviceReader

	mu       sync.Mutex
	releases []Release
	status   Status
	tried    uint64        // the revision that status.Err is about
	moved    chan struct{} // closed when status has changed
	// checked is when the filters were last looked at.
	checked  time.Time
	events   []Event
	counts   map[eventKey]eventCount
	eventful chan struct{}

	// The rest belongs to Run.
	seen    *state.View     // the last one that is in force; nil to look at everything again
	touched uint64          // the newest revision whose bindings or rules were looked at
	all     []BindingStatus // that the state has on this host
	bound   []BindingStatus // that are to be in force
	inForce *ruleset.Ruleset
	// closed are bound to devices that may be others': they pass nothing but
	// pinholes.
	closed  []vpc.InterfaceID
	compile *ruleset.Compiler
	failing failing
	keeper  *keeper
	saved   saved
}

// A Status is how far the agent is.
type Status struct {
	// Rev is the revision in force, and At is when that was known.
	Rev uint64
	At  time.Time
	// Concerned is the newest revision in force that concerned this host: some
	// binding, or some row that its ruleset is made of, was replaced.
	Concerned uint64
	// Err says why the latest revision is not; nil when it is, or is on its way.
	Err error
	// Since is when Err began.
	Since time.Time
	// Denied are the interfaces that pass nothing, because what was to be taken
	// from them could not be put into force.
	Denied []vpc.InterfaceID
	// Unknown are bound in the data plane and not in the state, which is older.
	Unknown []dataplane.Binding
	// Guarded are the ports of managed bridges that nobody has bound: they pass
	// nothing.
	Guarded []dataplane.Binding
	// Unguarded says why devices whose names are guarded are not; nil if they
	// are.
	Unguarded error
	// Bridges are those that are managed.
	Bridges  []BridgeStatus
	Bindings []BindingStatus
	// Detached are those that are off their devices because another server asked for
	// it, and that the state still has.
	Detached []BindingStatus
	// Ruleset is the one in force.
	Ruleset *ruleset.Ruleset
}

// A BindingStatus is how one binding of this host stands. Device and Index are
// what the device has now.
type BindingStatus struct {
	dataplane.Binding
	Scope state.Scope
	// Detaching says that another server asked for its detachment.
	Detaching bool
	// Filter is where the filter is: on another device, at the host's end of the
	// workload's link, if the binding is of the workload's end and that can be
	// reached.
	Filter dataplane.Binding
	// Err says why the interface is not enforced: the device is gone, say.
	Err error
	// Doubt says why the device may be another one than the interface's: it passes
	// nothing.
	Doubt error
	// Degraded says why packets may pass the device without being judged, though
	// the interface is bound; nil if none can.
	Degraded error
}

// Config says what an agent is given.
type Config struct {
	Source  Source
	Plane   dataplane.Dataplane
	Host    string
	Options ruleset.Options
	Logger  *slog.Logger
	// Links tells of devices that come and go; nil to look from time to time.
	Links LinkWatcher
	// Bridges are managed: a port that nobody has bound passes nothing.
	Bridges []string
	// Guards are patterns of names of devices, of the process's own network
	// namespace, that pass nothing until somebody binds them.
	Guards []dataplane.Pattern
	// Own are the same for the machine's own devices, which pass the pinholes of Options
	// and what the machine needs to get an address.
	Own []dataplane.Pattern
	// Notes is the file that has what managed bridges were before; empty for
	// none, which gives no bridge back after a restart.
	Notes string
	// Devices lists the devices of a network namespace; nil to know devices by
	// their names alone.
	Devices DeviceReader
	// Boot identifies the time since the machine's start; empty for the kernel's.
	Boot string
	// Snapshot is the file in which the agent keeps what is in force, for Boot;
	// empty for none.
	Snapshot string
	// Releases is the file in which the agent keeps what was detached while the
	// state could not be written; empty for none, which refuses that.
	Releases string
}

// New returns an agent, which does nothing until Boot and Run.
func New(c Config) *Agent {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Boot == "" {
		c.Boot = bootID()
	}
	a := &Agent{
		source: c.Source, plane: c.Plane, host: c.Host, options: c.Options, logger: c.Logger, links: c.Links, bridges: c.Bridges, guards: c.Guards, own: c.Own, notes: c.Notes, snapshot: c.Snapshot, releasesFile: c.Releases,
		kick: make(chan struct{}, 1), moved: make(chan struct{}), held: map[vpc.InterfaceID]dataplane.Binding{}, marks: map[vpc.InterfaceID]Mark{}, thisBoot: c.Boot, devices: c.Devices,
		counts: map[eventKey]eventCount{}, eventful: make(chan struct{}, 1),
		compile: ruleset.NewCompiler(c.Options),
	}
	var err error
	if a.releases, err = readReleases(c.Releases); err != nil {
		a.logger.Error("which devices were detached without a change of the state is not known: they are bound again", "host", c.Host, "err", err)
	}
	return a
}

// Host gives the name of the host that the agent enforces on.
func (a *Agent) Host() string { return a.host }

// Plane gives the data plane.
func (a *Agent) Plane() dataplane.Dataplane { return a.plane }

// Guards gives the patterns of names of devices that pass nothing until they
// are bound.
func (a *Agent) Guards() []dataplane.Pattern { return slices.Concat(a.guards, a.own) }

// Options gives what the operator of the host set.
func (a *Agent) Options() ruleset.Options { return a.options }

const (
	// retryAfter is how long the agent waits after a failure.
	retryAfter = 500 * time.Millisecond
	// lookAfter is how often it looks whether devices have come or gone
	// unnoticed, in other network namespaces above all.
	lookAfter = 1500 * time.Millisecond
)

// Which devices may have come or gone.
type moving int

const (
	noDevice      moving = iota
	unseenDevices        // those that no event tells of: gone ones, and those in other namespaces
	everyDevice
)

// Watch sets the source of the state. Call it before Run.
func (a *Agent) Watch(s Source) { a.source = s }

// Run enforces until ctx ends. Enforcement itself goes on after that.
func (a *Agent) Run(ctx context.Context) error {
	if a.snapshot != "" {
		a.keeper = newKeeper(a.snapshot, func(err error) {
			a.logger.Error("what is in force cannot be kept for the next start of the machine", "host", a.host, "err", err)
		})
		defer a.keeper.close()
	}
	if err := a.takeOver(ctx); err != nil {
		a.logger.Error("what is in force already cannot be read", "host", a.host, "err", err)
	}
	if err := a.readTaken(); err != nil {
		a.logger.Error("which bridges are to be given back is not known", "host", a.host, "err", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var watchers sync.WaitGroup
	defer watchers.Wait()
	changed := make(chan struct{}, 1)
	watchers.Go(func() { a.watch(ctx, changed) })
	watchers.Go(func() { a.watchFilters(ctx) })
	if a.links != nil {
		watchers.Go(func() { a.watchLinks(ctx) })
	}
	devices := everyDevice
	unguarded := errNotYet
	for {
		// Again each time: somebody may have flushed nftables.
		if len(a.Guards())+len(a.bridges) > 0 && devices != noDevice || unguarded != nil && !errors.Is(unguarded, dataplane.ErrNoDoorman) {
			unguarded = a.guardDevices(ctx, unguarded)
		}
		view := a.source.Latest()
		err := a.step(ctx, view, devices)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.report(view.Rev, err)
		a.save()
		again := lookAfter
		if err != nil {
			again = retryAfter
		}
		timer := time.NewTimer(again)
		devices = noDevice
		select {
		case <-changed:
		case <-a.kick:
			devices = everyDevice
		case <-timer.C:
			devices = unseenDevices
			if a.links == nil {
				devices = everyDevice
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		timer.Stop()
	}
}

// takeOver learns what a process before this one left in force.
func (a *Agent) takeOver(ctx context.Context) error {
	enforced := uint64(0)
	actual, err := a.plane.Actual(ctx)
	if err == nil {
		a.inForce, enforced = actual, actual.Rev
	} else if s, e := ReadSnapshot(a.snapshot); e == nil {
		enforced = s.Rules.Rev // at least
	}
	if rev := a.source.Latest().Rev; enforced > rev {
		a.logger.Warn("the state is older than what is in force; devices that it does not have bound stay bound and pass nothing", "host", a.host, "revision", rev, "enforced", enforced)
		a.binding.Lock()
		a.keep = true
		a.binding.Unlock()
	}
	return err
}

// watch tells of new revisions.
func (a *Agent) watch(ctx context.Context, changed chan<- struct{}) {
	rev := uint64(0)
	for {
		v, err := a.source.WaitRev(ctx, rev+1)
		if err != nil {
			return // the store is closed, or ctx has ended
		}
		rev = v.Rev
		select {
		case changed <- struct{}{}:
		default:
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
func (a *Agent) step(ctx context.Context, view *state.View, devices moving) (err error) {
	if a.dirty.Swap(false) {
		a.seen = nil
	}
	bindings, rules := a.relevant(view)
	if bindings || rules {
		a.touched = view.Rev
	}
	if bindings {
		a.all = Bound(view, a.host)
		a.bound = a.wanted(a.all)
		a.closed = slices.DeleteFunc(a.closed, func(id vpc.InterfaceID) bool {
			return !slices.ContainsFunc(a.bound, func(b BindingStatus) bool { return b.Interface == id })
		})
	}
	if rules {
		if err := a.enforce(ctx, view); err != nil {
			a.seen = nil
			return err
		}
	}
	if a.seen == nil {
		devices = everyDevice
	}
	if bindings || devices != noDevice {
		if err := a.bind(ctx, devices); err != nil {
			a.seen = nil
			return err
		}
	}
	if bindings {
		a.mu.Lock()
		a.status.Detached = slices.DeleteFunc(slices.Clone(a.all), func(b BindingStatus) bool { return !b.Detaching })
		a.mu.Unlock()
	}
	a.seen = view
	if s, ok := a.plane.(settler); ok {
		changed, err := s.Settled()
		if changed {
			a.Kick() // there may be room for what there was none
		}
		return err
	}
	return nil
}

// relevant reports whether a view may differ from the last one in what is
// bound here, and in what that must obey. It looks at the rows that were
// replaced, and at nothing else.
func (a *Agent) relevant(view *state.View) (bindings, rules bool) {
	if a.seen == nil {
		return true, true
	}
	changes, ok := view.Changes(a.seen, ruleset.PartKinds...)
	if !ok {
		return !sameBindings(a.all, Bound(view, a.host)), true
	}
	for i := range changes {
		bindings = bindings || a.boundHere(changes[i].Old) || a.boundHere(changes[i].New)
	}
	if bindings && !sameBindings(a.all, Bound(view, a.host)) {
		return true, true
	}
	return false, !a.compile.Unaffected(view, ruleset.Parts(changes))
}

// boundHere reports whether a row is of an interface that is bound on this host.
func (a *Agent) boundHere(row any) bool {
	i, _ := row.(*vpc.Interface)
	return i != nil && i.Attachment != nil && i.Attachment.Device != nil && i.Attachment.Device.Host == a.host
}

func sameBindings(a, b []BindingStatus) bool {
	return slices.EqualFunc(a, b, func(x, y BindingStatus) bool {
		return x.Binding == y.Binding && x.Scope == y.Scope && x.Detaching == y.Detaching
	})
}

// enforce puts into force what the bound interfaces must obey.
func (a *Agent) enforce(ctx context.Context, view *state.View) error {
	locals := make([]ruleset.Local, len(a.bound))
	for i, b := range a.bound {
		locals[i] = ruleset.Local{Scope: b.Scope, ID: b.Interface}
	}
	want := a.compile.Compile(view, locals)
	if len(a.closed) > 0 {
		want = Denying(want, a.closed)
	}
	// The first one is put into force in any case: what is read back may be
	// equal and yet not whole.
	if a.seen != nil && ruleset.Diff(a.inForce, want).Empty() {
		return nil
	}
	if err := a.plane.Apply(ctx, want); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return a.denyIfHopeless(ctx, want, fmt.Errorf("apply revision %d: %w", want.Rev, err))
	}
	a.inForce, a.failing = want, failing{}
	return nil
}

// bind puts the filters on their devices, and takes those off that the state
// no longer has. A device that is not there is no error: it passes nothing.
func (a *Agent) bind(ctx context.Context, moved moving) error {
	a.binding.Lock()
	defer a.binding.Unlock()
	// One may have been released since it was looked at.
	a.bound = slices.DeleteFunc(a.bound, func(b BindingStatus) bool { return a.released(b.Interface) })
	have, err := a.look(ctx, moved)
	if err != nil {
		return fmt.Errorf("read what is bound: %w", err)
	}
	var errs []error
	bridges, err := a.takeBridges(have)
	if err != nil {
		errs = append(errs, err)
	}
	unknown, err := a.releaseOthers(ctx, have)
	if err != nil {
		errs = append(errs, err)
	}
	before := a.Status().Bindings
	now := make([]BindingStatus, len(a.bound))
	for i, w := range a.bound {
		at := slices.IndexFunc(before, func(b BindingStatus) bool { return b.Interface == w.Interface })
		t := a.target(w.Binding, have)
		now[i] = BindingStatus{Binding: w.Binding, Scope: w.Scope, Doubt: t.Doubt, Filter: t.Binding}
		if t.Side == w.Side {
			now[i].Device = t.Device
		}
		now[i].Index = t.Index
		if at >= 0 && before[at].Err == nil && before[at].Filter == t.Binding && before[at].Degraded == nil && t.Degraded == nil && (moved == noDevice || moved == unseenDevices) {
			continue
		}
		// Binding what is bound changes nothing, and binds again what came
		// back under its name.
		switch {
		case t.Device == dataplane.Loopback:
			now[i].Err = dataplane.ErrLoopback
		case t.Err != nil:
			now[i].Err = t.Err
		default:
			if now[i].Err = a.closeDoubtful(ctx, w.Interface, t.Doubt); now[i].Err == nil {
				now[i].Err = a.replaceGuard(ctx, t.Binding)
			}
		}
		switch err := now[i].Err; {
		case errors.Is(err, dataplane.ErrLoopback):
			// Versions that did not refuse it may have bound it.
			if err := a.plane.Unbind(ctx, w.Interface); err != nil {
				errs = append(errs, fmt.Errorf("unbind %s: %w", w.Interface, err))
			}
		case err != nil && !errors.Is(err, dataplane.ErrNoDevice):
			errs = append(errs, fmt.Errorf("bind %s: %w", w.Interface, err))
		}
		was := error(nil)
		if at >= 0 {
			was = before[at].Degraded
		}
		a.putBack(was, &now[i], t.Degraded)
		a.logDevice(before, at, &now[i])
	}
	var guarded []dataplane.Binding
	if have, err := a.plane.Bindings(ctx); err == nil {
		for i := range now {
			if n := slices.IndexFunc(have, func(h dataplane.Binding) bool { return h.Interface == now[i].Interface }); n >= 0 && now[i].Err == nil {
				if now[i].Filter.Device, now[i].Filter.Index, now[i].Index = have[n].Device, have[n].Index, have[n].Index; have[n].Side == now[i].Side {
					now[i].Device = have[n].Device
				}
				a.mark(a.bound[i].Device, &now[i], now[i].Doubt)
			}
		}
		if guarded, err = a.guard(ctx, have, now); err != nil {
			errs = append(errs, err)
		}
	}
	a.mu.Lock()
	a.status.Bindings, a.status.Unknown, a.status.Guarded, a.status.Bridges = now, unknown, guarded, bridges
	a.mu.Unlock()
	return errors.Join(errs...)
}

// look finds how what is bound stands. If no device may have come or gone, it is
// as it was.
func (a *Agent) look(ctx context.Context, moved moving) (have []dataplane.Standing, err error) {
	if moved != noDevice {
		return a.plane.Look(ctx, false)
	}
	all, err := a.plane.Bindings(ctx)
	for _, b := range all {
		have = append(have, dataplane.Standing{Binding: b})
	}
	return have, err
}

// releaseOthers takes off what the state does not have. If the state is older than
// what is in force, that stays, and is returned. The caller holds binding.
func (a *Agent) releaseOthers(ctx context.Context, have []dataplane.Standing) (unknown []dataplane.Binding, err error) {
	var errs []error
	for _, h := range have {
		if isGuard(h.Interface) || slices.ContainsFunc(a.bound, func(w BindingStatus) bool { return w.Interface == h.Interface }) {
			continue
		}
		if _, held := a.held[h.Interface]; held || a.wantsNow(a.source.Latest(), h.Interface) {
			continue // attached this moment
		}
		if a.keep {
			unknown = append(unknown, h.Binding)
			continue
		}
		delete(a.marks, h.Interface)
		if err := a.release(ctx, h.Binding); err != nil {
			errs = append(errs, fmt.Errorf("unbind %s: %w", h.Interface, err))
		}
	}
	return unknown, errors.Join(errs...)
}

// logDevice logs that a device went, came back, or is refused.
func (a *Agent) logDevice(before []BindingStatus, at int, w *BindingStatus) {
	gone := errors.Is(w.Err, dataplane.ErrNoDevice)
	was := at >= 0 && errors.Is(before[at].Err, dataplane.ErrNoDevice)
	switch {
	case errors.Is(w.Err, dataplane.ErrLoopback) && (at < 0 || !errors.Is(before[at].Err, dataplane.ErrLoopback)):
		a.logger.Error("an interface is not bound to its device", "host", a.host, "interface", w.Interface, "device", w.Device, "netns", w.Netns, "err", w.Err)
	case at >= 0 && w.Err == nil && before[at].Err == nil && before[at].Device != w.Device:
		a.event(DeviceRenamed, w.Binding, "before: "+before[at].Device)
		a.logger.Info("a device was renamed", "host", a.host, "interface", w.Interface, "device", w.Device, "before", before[at].Device, "netns", w.Netns)
	case gone && !was:
		a.logger.Warn("a device is gone", "host", a.host, "interface", w.Interface, "device", w.Device, "netns", w.Netns)
	case was && w.Err == nil:
		a.logger.Info("a device came back and is bound again", "host", a.host, "interface", w.Interface, "device", w.Device, "netns", w.Netns)
	}
}

func (a *Agent) report(rev uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if err == nil {
		if a.status.Err != nil {
			a.logger.Info("enforcement has recovered", "host", a.host, "revision", rev)
		}
		if rev == a.status.Rev && a.status.Err == nil && !a.status.At.IsZero() {
			return
		}
		a.status.Rev, a.status.At, a.status.Err, a.status.Since, a.status.Concerned = rev, now, nil, time.Time{}, a.touched
	} else {
		if a.status.Err == nil {
			a.status.Since = now
			a.logger.Error("the state is not enforced; the last good rules stay in force and it is tried again", "host", a.host, "revision", rev, "err", err)
		}
		a.status.Err, a.tried = err, rev
	}
	a.status.Denied, a.status.Ruleset = slices.Clone(a.failing.denied), a.inForce
	close(a.moved)
	a.moved = make(chan struct{})
}

// Status gives how far the agent is.
func (a *Agent) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Bindings, s.Denied, s.Unknown, s.Guarded = slices.Clone(s.Bindings), slices.Clone(s.Denied), slices.Clone(s.Unknown), slices.Clone(s.Guarded)
	s.Bridges = slices.Clone(s.Bridges)
	return s
}

// Idle reports whether nothing is bound here, so that there is nothing to wait
// for.
func (a *Agent) Idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.status.At.IsZero() && len(a.status.Bindings) == 0 && len(a.status.Unknown) == 0
}

// Wait waits until a revision is in force. It gives the agent's own error when
// it cannot be brought into force, and ctx's when that takes too long.
func (a *Agent) Wait(ctx context.Context, rev uint64) error {
	for {
		a.mu.Lock()
		s, tried, moved := a.status, a.tried, a.moved
		a.mu.Unlock()
		switch {
		case s.Rev >= rev && !s.At.IsZero():
			return nil
		case s.Err != nil && tried >= rev:
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
			out = append(out, BindingStatus{Scope: space.Scope, Binding: bindingOf(i), Detaching: i.Attachment.Device.Detaching})
		}
	}
	slices.SortFunc(out, func(a, b BindingStatus) int { return strings.Compare(string(a.Interface), string(b.Interface)) })
	return out
}

// Hosts returns the hosts that have interfaces bound.
func Hosts(view *state.View) []string {
	var all []string
	for space := range view.Spaces() {
		all = slices.AppendSeq(all, state.Interfaces.Attrs(space, state.InterfacesByHost))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func boundNow(view *state.View, host string, id vpc.InterfaceID) bool {
	for space := range view.Spaces() {
		if i := state.Interfaces.Get(space, id); i != nil && i.Attachment != nil && i.Attachment.Device != nil && i.Attachment.Device.Host == host {
			return true
		}
	}
	return false
}

func bindingOf(i *vpc.Interface) dataplane.Binding {
	d := i.Attachment.Device
	b := dataplane.Binding{Interface: i.ID, Device: d.Name, Netns: d.Netns, Observe: d.Observe, Until: d.Until}
	if d.Workload {
		b.Side = dataplane.Workload
	}
	return b
}
