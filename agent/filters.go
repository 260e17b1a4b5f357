package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"moat/dataplane"
	"moat/vpc"
)

const (
	// filterLook is how often the agent looks whether its filters are where it put
	// them: the kernel reports nothing when a program is detached.
	filterLook = 400 * time.Millisecond
	// freshLook is how old such a look may be to answer a call.
	freshLook = 50 * time.Millisecond
	// sameEvent is how long the same event of an interface is counted and not
	// reported again.
	sameEvent = time.Minute
	maxEvents = 1000
)

// watchFilters makes Run put filters back that another program took off.
func (a *Agent) watchFilters(ctx context.Context) {
	tick := time.NewTicker(filterLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		_ = a.CheckFilters(ctx) // the status has it
	}
}

// CheckFilters looks for filters that are not on their devices, and has them put
// back. It returns why packets may pass without being judged; nil if none can.
func (a *Agent) CheckFilters(ctx context.Context) error {
	a.mu.Lock()
	fresh, none := time.Since(a.checked) < freshLook, len(a.status.Bindings) == 0
	a.mu.Unlock()
	if none {
		return nil
	}
	if !fresh {
		have, err := a.plane.Look(ctx, true)
		if err != nil {
			return err // a plane that cannot look promises nothing
		}
		a.missed(have)
	}
	var errs []error
	for _, b := range a.Status().Bindings {
		errs = append(errs, b.Degraded)
	}
	return errors.Join(errs...)
}

// missed notes filters that were taken off.
func (a *Agent) missed(have []dataplane.Standing) {
	a.mu.Lock()
	a.checked = time.Now()
	found := false
	for i := range a.status.Bindings {
		b := &a.status.Bindings[i]
		n := slices.IndexFunc(have, func(h dataplane.Standing) bool { return h.Interface == b.Interface })
		if n < 0 || have[n].Degraded == nil || have[n].Index == 0 {
			continue
		}
		found = true
		b.Degraded = have[n].Degraded
	}
	a.mu.Unlock()
	if found {
		a.Kick()
	}
}

// Intact waits until every filter is where the agent put it, or ctx ends. It
// returns why packets may still pass a device without being judged.
func (a *Agent) Intact(ctx context.Context) error {
	for {
		err := a.CheckFilters(ctx)
		if err == nil || !errors.Is(err, dataplane.ErrTakenOff) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// An EventKind says what happened to a device.
type EventKind string

// The kinds of events, by their names in the audit trail.
const (
	FilterRemoved   EventKind = "DeviceFilterRemoved"  // by another program
	FilterBypassed  EventKind = "DeviceFilterBypassed" // another program is before Moat's
	FilterRestored  EventKind = "DeviceFilterRestored"
	DeviceWasOpen   EventKind = "DeviceOpenAtStart" // it had no filter when the server started
	DeviceRenamed   EventKind = "DeviceRenamed"
	DeviceAmbiguous EventKind = "DeviceAmbiguous" // it is not clear which device is meant
)

// An Event is something that happened to a bound device and that no call asked for.
type Event struct {
	Kind    EventKind
	At      time.Time
	Binding dataplane.Binding
	// Times counts the same events since the last one that was reported.
	Times  int
	Reason string
}

type eventKey struct {
	kind EventKind
	on   vpc.InterfaceID
}

type eventCount struct {
	last    time.Time
	skipped int
}

// event reports an event.
func (a *Agent) event(kind EventKind, b dataplane.Binding, reason string) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	key := eventKey{kind, b.Interface}
	c := a.counts[key]
	if now.Sub(c.last) < sameEvent || len(a.events) >= maxEvents {
		c.skipped++
		a.counts[key] = c
		return
	}
	a.events = append(a.events, Event{Kind: kind, At: now, Binding: b, Times: c.skipped + 1, Reason: reason})
	a.counts[key] = eventCount{last: now}
	select {
	case a.eventful <- struct{}{}:
	default:
	}
}

// Events waits for events that no call of it has returned, and returns them; none
// if ctx ends.
func (a *Agent) Events(ctx context.Context) []Event {
	for {
		a.mu.Lock()
		all := a.events
		a.events = nil
		a.mu.Unlock()
		if len(all) > 0 {
			return all
		}
		select {
		case <-a.eventful:
		case <-ctx.Done():
			return nil
		}
	}
}

// putBack notes what became of a device that was degraded when its interface was
// bound again; before is what was wrong the time before.
func (a *Agent) putBack(before error, now *BindingStatus, degraded error) {
	if degraded == nil || now.Err != nil && errors.Is(now.Err, dataplane.ErrNoDevice) {
		return
	}
	off := errors.Is(degraded, dataplane.ErrTakenOff)
	if !off || now.Err != nil {
		now.Degraded = degraded // nothing that the agent does mends it, or it failed
	}
	switch {
	case off:
		a.logger.Error("a filter was taken off its device", "host", a.host, "interface", now.Interface, "device", now.Device, "netns", now.Netns, "err", degraded)
		a.event(FilterRemoved, now.Binding, degraded.Error())
		if now.Err == nil {
			a.logger.Warn("the filter is on its device again", "host", a.host, "interface", now.Interface, "device", now.Device, "netns", now.Netns)
			a.event(FilterRestored, now.Binding, "")
		}
	case before == nil || before.Error() != degraded.Error():
		a.logger.Error("packets may pass a device without being judged", "host", a.host, "interface", now.Interface, "device", now.Device, "netns", now.Netns, "err", degraded)
		a.event(FilterBypassed, now.Binding, degraded.Error())
	}
}

// CanBypass reports whether a process of the workload with CAP_NET_RAW can send past
// an interface's filter and read what it drops: it is at the workload's own end.
func (b *BindingStatus) CanBypass() bool {
	return b.Err == nil && b.Index != 0 && b.Filter.Side == dataplane.Workload
}
