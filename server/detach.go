package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"moat/agent"
	"moat/dataplane"
	"moat/fault"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// detachDevice takes an interface off its device, which passes everything from
// there on. On this host the binding is taken out of the state and then the filter
// off the device; if etcd does not answer, the filter goes at once and the state
// follows later. A device of another host is that host's own server's to open:
// here it is asked for, and the answer says whether that server has confirmed it.
func (s *Server) detachDevice(r *request) (any, error) {
	var in DetachDevice
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	if err := s.ofAccount(r, in.Account); err != nil {
		return nil, err
	}
	if (in.Interface == "") == (in.Device == "") {
		return nil, fault.InvalidRequest.Say("Name either the interface or the device.")
	}
	if in.Device != "" {
		b, unknown, err := s.boundTo(in.Device, in.Netns)
		if err != nil {
			return nil, err
		}
		if unknown {
			out := boundReply(b.Binding)
			out.Revision, out.Enforced = s.store.Latest().Rev, enforcedYes
			return out, s.cfg.Enforcement.Agent.Free(r.Context(), b.Interface)
		}
		in.Interface, r.scope = b.Interface, b.Scope
	}
	var err error
	if in.Interface, err = s.interfaceNamed(r, in.Interface); err != nil {
		return nil, err
	}
	at, rev, err := s.detachInState(r, &in)
	if errors.Is(err, store.ErrNoAnswer) {
		return s.breakGlass(r, &in)
	}
	if err != nil {
		return nil, err
	}
	out := s.detachedReply(in.Interface, at)
	if host := at.Device.Host; host != s.cfg.Enforcement.Host && s.cfg.Enforcement.Hosts != nil && !in.Force {
		s.awaitDetached(r, out, rev, host)
		return out, nil
	}
	out.Forgotten = out.Host != ""
	s.finish(r, out, rev)
	return out, nil
}

func (s *Server) detachedReply(id vpc.InterfaceID, at *vpc.Attachment) *Bound {
	d, e := at.Device, &s.cfg.Enforcement
	b := dataplane.Binding{Interface: id, Device: d.Name, Netns: d.Netns, Observe: d.Observe}
	if d.Workload {
		b.Side = dataplane.Workload
	}
	out := boundReply(b)
	out.Attachment = at.ID
	switch {
	case d.Host != e.Host:
		out.Host = d.Host
	case e.Agent != nil:
		out.Closed = e.Agent.Closes(b.Device, b.Netns)
	}
	return out
}

// detachInState takes the device out of an interface's record or, if it is another
// host's, writes there that it is to be detached. It returns the attachment as it
// was. The error is ErrNoAnswer as soon as it is known that etcd does not answer:
// the change may be made all the same.
func (s *Server) detachInState(r *request, in *DetachDevice) (*vpc.Attachment, uint64, error) {
	type answer struct {
		was any
		rev uint64
		err error
	}
	e := &s.cfg.Enforcement
	own := *r // the write may outlive the request
	var over atomic.Bool
	done := make(chan answer, 1)
	go func() {
		v, rev, err := s.write(&own, &store.Write{
			Call: s.call(r),
			Plan: func(tx *state.Txn) (any, error) {
				if over.Load() {
					// It is planned again because others have changed the state: what
					// they did since holds.
					return nil, store.ErrNoAnswer
				}
				row, err := carried(tx, in.Interface)
				if err != nil {
					return nil, err
				}
				if d := row.Attachment.Device; d.Host != e.Host && e.Hosts != nil && !in.Force {
					asked := *d
					asked.Detaching = true
					putDevice(tx, row, &asked)
				} else {
					putDevice(tx, row, nil)
				}
				return row.Attachment, nil
			},
			Event: s.adminEvent(r, url.Values{"Interface": {string(in.Interface)}}),
		})
		done <- answer{v, rev, err}
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case a := <-done:
			r.replaced = own.replaced
			if a.err != nil {
				return nil, 0, a.err
			}
			return a.was.(*vpc.Attachment), a.rev, nil
		case <-tick.C:
			if s.store.Age() > StaleAfter {
				over.Store(true)
				return nil, 0, store.ErrNoAnswer
			}
		}
	}
}

// carried returns the row of an interface that a device carries.
func carried(r state.Reader, id vpc.InterfaceID) (*vpc.Interface, error) {
	row := state.Interfaces.Get(r, id)
	switch {
	case row == nil:
		return nil, fault.InvalidNetworkInterfaceNotFound.With(id)
	case row.Attachment == nil || row.Attachment.Device == nil:
		return nil, fault.IncorrectState.Say("Interface %s is not bound to a device.", id)
	}
	return row, nil
}

// putDevice replaces the device of a row that has one; nil takes it out.
func putDevice(tx *state.Txn, row *vpc.Interface, d *vpc.Device) {
	c := *row
	if c.Attachment = nil; d != nil || row.Attachment.Instance != "" {
		at := *row.Attachment
		at.Device, c.Attachment = d, &at
	}
	state.Interfaces.Put(tx, &c)
}

// awaitDetached waits until another host's server has taken a filter off.
func (s *Server) awaitDetached(r *request, out *Bound, rev uint64, host string) {
	e := &s.cfg.Enforcement
	ctx, cancel := context.WithTimeout(r.Context(), e.Timeout)
	defer cancel()
	o := outcome{word: enforcedYes}
	if _, err := e.Hosts.Wait(ctx, rev, []string{host}); err != nil {
		o, out.Asked = outcome{word: enforcedPending, err: err}, true
	}
	// That server has only to write it down now.
	for o.err == nil {
		v := s.store.Latest()
		if row, err := carried(v.In(r.scope), out.Interface); err != nil || !row.Attachment.Device.Detaching {
			break
		}
		if _, err := s.store.WaitRev(ctx, v.Rev+1); err != nil {
			break
		}
	}
	s.report(r, out, rev, o)
}

// currentView returns the newest view or, if etcd does not answer, the one at hand.
func (s *Server) currentView(ctx context.Context) (*state.View, error) {
	for s.store.Age() <= StaleAfter {
		once, cancel := context.WithTimeout(ctx, time.Second)
		v, err := s.store.View(once)
		cancel()
		switch {
		case err == nil:
			return v, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, store.ErrNoAnswer):
			return s.store.Latest(), nil
		case !errors.Is(err, context.DeadlineExceeded):
			return nil, err
		}
	}
	return s.store.Latest(), nil
}

// breakGlass takes a device's filter off without etcd. The state follows when etcd
// answers again.
func (s *Server) breakGlass(r *request, in *DetachDevice) (*Bound, error) {
	e := &s.cfg.Enforcement
	row, err := carried(s.store.Latest().In(r.scope), in.Interface)
	if err != nil {
		return nil, err
	}
	d := row.Attachment.Device
	if d.Host != e.Host || e.Agent == nil {
		return nil, fault.Unavailable.Say("The database does not answer. Until it does, only the interfaces of this host can be detached here; run `moat detach` on the host of %s.", in.Interface)
	}
	out := s.detachedReply(in.Interface, row.Attachment)
	rel := agent.Release{Interface: in.Interface, Device: d.Name, Netns: d.Netns, Scope: r.scope, Attachment: row.Attachment.ID}
	if err := release(r.Context(), e.Agent, rel, r.began, s.adminEvent(r, nil)); err != nil {
		return nil, fault.IncorrectState.With(err.Error())
	}
	out.Deferred = true
	s.report(r, out, s.store.Latest().Rev, outcome{word: enforcedYes})
	return out, nil
}

// release has an agent take an interface off its device without the state, and keep
// the event until the state can have it.
func release(ctx context.Context, a *agent.Agent, rel agent.Release, at time.Time, event store.Event) error {
	rel.ID, rel.At = uuid.NewString(), at
	event.Request = url.Values{
		"Interface": {string(rel.Interface)}, "Device": {rel.Device}, "Netns": {rel.Netns},
		"ReleasedAt": {at.UTC().Format(time.RFC3339Nano)}, "ReleaseId": {rel.ID},
	}.Encode()
	var err error
	if rel.Event, err = json.Marshal(event); err != nil {
		return err
	}
	return a.Release(ctx, rel)
}

// KeepReleases writes into the state what was taken off the devices of this host
// without it, and what another server asked to take off, until ctx ends.
func (s *Server) KeepReleases(ctx context.Context) {
	a := s.cfg.Enforcement.Agent
	if a == nil {
		return
	}
	said := map[string]string{} // the last trouble, by what it is about
	note := func(about string, id vpc.InterfaceID, err error) {
		switch {
		case err == nil:
			delete(said, about)
		case ctx.Err() == nil && said[about] != err.Error():
			said[about] = err.Error()
			s.cfg.Logger.Warn("that a device was released cannot be written into the state; trying again", "host", a.Host(), "interface", id, "err", err)
		}
	}
	for ctx.Err() == nil {
		detached, rev := a.Detached()
		if s.store.Age() <= StaleAfter {
			for _, b := range detached {
				note(string(b.Interface), b.Interface, s.finishDetachment(ctx, b))
			}
			for _, rel := range a.Releases() {
				note(rel.ID, rel.Interface, s.deliver(ctx, rel))
			}
		}
		began := time.Now()
		once, cancel := context.WithTimeout(ctx, time.Second)
		if a.Wait(once, rev+1) != nil {
			sleep(once, time.Second-time.Since(began))
		}
		cancel()
	}
}

// finishDetachment takes a device out of the state that another server asked to
// detach, and whose filter is off.
func (s *Server) finishDetachment(ctx context.Context, b agent.BindingStatus) error {
	r := s.own(ctx, "DetachDevice", b.Scope)
	_, _, err := s.write(r, &store.Write{
		Call: s.call(r),
		Plan: func(tx *state.Txn) (any, error) {
			row, err := carried(tx, b.Interface)
			if err == nil && row.Attachment.Device.Detaching && row.Attachment.Device.Host == s.cfg.Enforcement.Host {
				putDevice(tx, row, nil)
			}
			return nil, nil // or somebody else was faster
		},
		Event: s.adminEvent(r, url.Values{"Interface": {string(b.Interface)}, "Device": {b.Device}, "Netns": {b.Netns}}),
	})
	return err
}

// deliver writes a release into the state, with its event, once. If the state has
// the interface bound otherwise by now, or not at all, only the event is written:
// what was decided since then holds.
func (s *Server) deliver(ctx context.Context, rel agent.Release) error {
	a := s.cfg.Enforcement.Agent
	forget := func() error { return a.ChangeRelease(rel.ID, func(*agent.Release) bool { return false }) }
	view, err := s.store.View(ctx)
	if err != nil {
		return err
	}
	if rel.Tried == 0 {
		err = a.ChangeRelease(rel.ID, func(r *agent.Release) bool { r.Tried = max(view.Rev, 1); return true })
	} else if done, e := s.delivered(ctx, &rel); done {
		return forget()
	} else {
		err = e
	}
	if err != nil {
		return err
	}
	var event store.Event
	if err := json.Unmarshal(rel.Event, &event); err != nil {
		return fmt.Errorf("read the event of release %s: %w", rel.ID, err)
	}
	scope := rel.Scope
	for space := range view.Spaces() {
		if scope == (state.Scope{}) && state.Interfaces.Get(space, rel.Interface) != nil {
			scope = space.Scope
		}
	}
	if scope == (state.Scope{}) {
		scope = state.Scope{Region: s.cfg.Region, Account: s.cfg.Account}
	}
	event.Region, event.Account = scope.Region, scope.Account
	r, changed := s.own(ctx, event.Action, scope), false
	_, _, err = s.write(r, &store.Write{
		Call: s.call(r),
		Plan: func(tx *state.Txn) (any, error) {
			row, err := carried(tx, rel.Interface)
			changed = err == nil && !rel.Over && row.Attachment.Device.Host == a.Host() && (rel.Attachment == "" || row.Attachment.ID == rel.Attachment)
			if changed {
				putDevice(tx, row, nil)
			}
			return nil, nil
		},
		Event: event,
	})
	if err == nil && !changed {
		err = s.store.Note(ctx, event)
	}
	if err != nil {
		return err
	}
	s.cfg.Logger.Info("a device that was released without etcd is so in the state", "host", a.Host(), "interface", rel.Interface, "device", rel.Device, "changed", changed)
	return forget()
}

// delivered reports whether the event of a release is in the audit trail: an
// attempt whose answer never came may have succeeded.
func (s *Server) delivered(ctx context.Context, rel *agent.Release) (bool, error) {
	const page = 1024
	for from := rel.Tried; ; {
		entries, err := s.store.Scan(ctx, store.Audit, from, page)
		if err != nil {
			return false, err
		}
		for _, en := range entries {
			e, err := store.DecodeEvent(en.Value)
			if err == nil && strings.Contains(e.Request, "ReleaseId="+rel.ID) {
				return true, nil
			}
		}
		if len(entries) < page {
			return false, nil
		}
		from = max(entries[page-1].Rev, from+1)
	}
}

// releasedHere returns how an interface of this host stands that is off its device
// although the state has it there; empty if it is not.
func (s *Server) releasedHere(id vpc.InterfaceID) string {
	if a := s.cfg.Enforcement.Agent; a != nil {
		for _, rel := range a.Releases() {
			if rel.Interface == id && !rel.Over {
				return releasedText(&rel)
			}
		}
	}
	return ""
}

func releasedText(r *agent.Release) string {
	return fmt.Sprintf("it was detached at %s while etcd did not answer: device %s passes everything, and the state will say so when etcd answers",
		r.At.Local().Format(time.DateTime), cmp.Or(r.Device, "?"))
}
