package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"moat/dataplane"
	"moat/state"
	"moat/vpc"
)

// A Release is an interface that the operator took off its device while the state
// could not be written. A file keeps it until the state says the same, so that
// the filter stays off meanwhile, also over restarts.
type Release struct {
	ID        string // a UUID
	Interface vpc.InterfaceID
	Device    string
	Netns     string `json:",omitempty"`
	// Scope and Attachment are what the state had; empty if the server had no state.
	Scope      state.Scope
	Attachment string `json:",omitempty"`
	At         time.Time
	// Tried is the state's revision before the first attempt to write the release
	// into the state; 0 if there was none.
	Tried uint64 `json:",omitempty"`
	// Over says that the interface was attached again since: only the event is
	// still to be written.
	Over bool `json:",omitempty"`
	// Event is that of the audit trail, in the caller's form.
	Event json.RawMessage
}

// releasesHead begins the first line of the file of releases.
const releasesHead = "moat-releases 1 sha256:"

// readReleases reads the file of releases.
func readReleases(name string) (all []Release, err error) {
	b, err := readSummed(name, releasesHead)
	if errors.Is(err, fs.ErrNotExist) || name == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return all, nil
}

// setReleases writes the file, and then makes all the releases. The caller holds
// binding.
func (a *Agent) setReleases(all []Release) error {
	b, err := json.Marshal(all)
	if err == nil {
		err = writeSummed(a.releasesFile, releasesHead, b)
	}
	if err != nil {
		return fmt.Errorf("write what is released to %s: %w", a.releasesFile, err)
	}
	a.mu.Lock()
	a.releases = all
	a.mu.Unlock()
	a.dirty.Store(true)
	return nil
}

// Releases returns the releases that the state does not have yet.
func (a *Agent) Releases() []Release {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.releases)
}

// errNoReleases says that there is nowhere to keep releases.
var errNoReleases = errors.New("this agent keeps no file of released interfaces")

// Release takes an interface off its device without a change of the state. First
// it writes the file: if that fails, nothing is changed. Releasing what is
// released changes nothing but what may still be bound.
func (a *Agent) Release(ctx context.Context, r Release) error {
	if a.releasesFile == "" {
		return errNoReleases
	}
	a.binding.Lock()
	defer a.binding.Unlock()
	if _, ok := a.held[r.Interface]; ok {
		return ErrBusy
	}
	if !a.released(r.Interface) {
		if err := a.setReleases(append(a.Releases(), r)); err != nil {
			return err
		}
		a.logger.Warn("a device is released without a change of the state, which is written later", "host", a.host, "interface", r.Interface, "device", r.Device, "netns", r.Netns)
	}
	defer a.Kick()
	return a.unbindReleased(context.WithoutCancel(ctx))
}

// unbindReleased takes released interfaces off their devices. The caller holds
// binding.
func (a *Agent) unbindReleased(ctx context.Context) error {
	if len(a.Releases()) == 0 {
		return nil
	}
	have, err := a.plane.Bindings(ctx)
	if err != nil {
		return fmt.Errorf("read what is bound: %w", err)
	}
	var errs []error
	for _, h := range have {
		if !a.released(h.Interface) {
			continue
		}
		if err := a.release(ctx, h); err != nil {
			errs = append(errs, fmt.Errorf("unbind %s: %w", h.Interface, err))
		}
	}
	return errors.Join(errs...)
}

// released reports whether an interface is off its device although the state may
// have it there.
func (a *Agent) released(id vpc.InterfaceID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.releases, func(r Release) bool { return r.Interface == id && !r.Over })
}

// ChangeRelease replaces what is known of a release, by its id; nil forgets it,
// once the state has it.
func (a *Agent) ChangeRelease(id string, change func(r *Release) (keep bool)) error {
	a.binding.Lock()
	defer a.binding.Unlock()
	all := a.Releases()
	n := slices.IndexFunc(all, func(r Release) bool { return r.ID == id })
	if n < 0 {
		return nil
	}
	if !change(&all[n]) {
		all = slices.Delete(all, n, n+1)
	}
	defer a.Kick()
	return a.setReleases(all)
}

// attachedAgain notes that released interfaces are bound again by a newer wish.
// The caller holds binding.
func (a *Agent) attachedAgain(id vpc.InterfaceID) error {
	if !a.released(id) {
		return nil
	}
	all := a.Releases()
	for i := range all {
		all[i].Over = all[i].Over || all[i].Interface == id
	}
	return a.setReleases(all)
}

// wanted returns the bindings that are to be in force, of all that the state has:
// without those that are released, or whose detachment another server asked for.
func (a *Agent) wanted(all []BindingStatus) []BindingStatus {
	return slices.DeleteFunc(slices.Clone(all), func(b BindingStatus) bool { return b.Detaching || a.released(b.Interface) })
}

// wantsNow reports whether a view wants an interface bound here.
func (a *Agent) wantsNow(view *state.View, id vpc.InterfaceID) bool {
	return slices.ContainsFunc(a.wanted(Bound(view, a.host)), func(b BindingStatus) bool { return b.Interface == id })
}

// Detached returns what is off its device because another server asked for it, and
// the newest revision in force.
func (a *Agent) Detached() (all []BindingStatus, rev uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.status.Detached), a.status.Rev
}

// withoutReleased leaves released interfaces out of bindings.
func (a *Agent) withoutReleased(all []dataplane.Binding) []dataplane.Binding {
	return slices.DeleteFunc(slices.Clone(all), func(b dataplane.Binding) bool { return a.released(b.Interface) })
}
