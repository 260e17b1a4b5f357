package server

import (
	"context"
	"net/url"
	"time"

	"moat/agent"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// KeepDeviceEvents writes into the audit trail what happens to bound devices without
// a call: a filter that another program took off, say. It runs until ctx ends, and
// tries again while the store does not answer.
func (s *Server) KeepDeviceEvents(ctx context.Context) {
	a := s.cfg.Enforcement.Agent
	for a != nil {
		all := a.Events(ctx)
		if len(all) == 0 {
			return
		}
		var events []store.Event
		for _, e := range all {
			events = append(events, s.deviceEvent(ctx, &e))
		}
		for s.store.Note(ctx, events...) != nil { // the log has them meanwhile
			sleep(ctx, time.Second)
			if ctx.Err() != nil {
				return
			}
		}
	}
}

func (s *Server) deviceEvent(ctx context.Context, e *agent.Event) store.Event {
	b := &e.Binding
	r := s.own(ctx, string(e.Kind), s.scopeOf(b.Interface))
	r.began = e.At
	params := url.Values{"Interface": {string(b.Interface)}, "Device": {b.Device}, "Host": {s.cfg.Enforcement.Hostname}}
	for name, value := range map[string]string{"Netns": b.Netns, "Reason": e.Reason} {
		if value != "" {
			params.Set(name, value)
		}
	}
	out := s.adminEvent(r, params)
	out.Time = e.At
	if e.Times > 1 {
		out.Count = e.Times
	}
	return out
}

// scopeOf returns the scope of an interface, the default one if the state does not
// have it.
func (s *Server) scopeOf(id vpc.InterfaceID) state.Scope {
	for space := range s.store.Latest().Spaces() {
		if state.Interfaces.Get(space, id) != nil {
			return space.Scope
		}
	}
	return state.Scope{Region: s.cfg.Region, Account: s.cfg.Account}
}
