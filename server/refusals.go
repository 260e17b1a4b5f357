package server

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"moat/fault"
	"moat/store"
	"moat/trail"
)

// Bounds on what refused calls may write. A call that is refused again and
// again, by the same principal with the same key from the same address, is an
// event the first time, and then one in each window, which tells how often. A
// principal writes so many events in a window, all of them together so many;
// of what is over that the principal's next event tells the number.
const (
	refusalWindow        = time.Minute
	refusalsEach         = 30
	refusalsInAll        = 300
	refusalMessage       = 512
	refusalsAtOnce       = 64
	refusalKinds         = 4096 // that are remembered
	refusalPrincipals    = 1024
	refusalStoreTimeout  = 30 * time.Second
	refusalLookAt        = time.Second
	unauthorizedCodeEC2  = "UnauthorizedOperation"
	unauthorizedCode     = "AccessDenied"
	unauthorizedCodeJSON = "AccessDeniedException"
)

// refusals are the refused calls of known principals on their way to the audit
// trail. Those of unknown ones are counted, in moat_requests_total.
type refusals struct {
	mu      sync.Mutex
	begun   time.Time // of the window
	kinds   map[refusalKind]*refusal
	spent   map[string]int // of each principal in the window
	all     int
	unsaid  map[string]*store.Event // the latest that had no room, with their number
	pending []store.Event
	kick    chan struct{}
}

type refusalKind struct{ principal, key, source, region, service, action, code string }

// A refusal is what came after the first of a kind.
type refusal struct {
	event store.Event // the latest
	count int
	first time.Time
}

func newRefusals() *refusals {
	return &refusals{kinds: map[refusalKind]*refusal{}, spent: map[string]int{}, unsaid: map[string]*store.Event{}, kick: make(chan struct{}, 1)}
}

// noteRefusal notes that a call was refused, if its caller is known and it
// would have changed something or was not permitted.
func (s *Server) noteRefusal(r *request, err error, f *fault.Error) {
	if r.caller.ARN == "" || !r.known || f.Status >= 500 || f.Code == fault.DryRunOperation.Code {
		return
	}
	e := s.event(r)
	if call, ok := errors.AsType[*callError](err); ok {
		e.Service, e.Action = string(serviceEC2), call.action
	}
	a := s.actions[service(e.Service)][e.Action]
	writes := a != nil && a.Info().Writes || service(e.Service) == ServiceMoat && r.Method == "POST"
	denied := f.Code == unauthorizedCodeEC2 || f.Code == unauthorizedCode || f.Code == unauthorizedCodeJSON
	if !writes && !denied {
		return
	}
	e.Time, e.ReadOnly = r.began.UTC(), !writes
	e.Code, e.Message = f.Code, f.Message[:min(len(f.Message), refusalMessage)]
	e.Bound(trail.MaxRefusedRequest)
	if e.Source == "invalid IP" {
		e.Source = ""
	}
	if s.refused.add(e, r.began) > 0 {
		s.cfg.Metrics.unsaid.Inc()
	}
}

// add takes a refusal, and gives how many of the principal have no room.
func (q *refusals) add(e store.Event, now time.Time) (unsaid int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn(now)
	kind := refusalKind{e.Principal, e.AccessKey, e.Source, e.Region, e.Service, e.Action, e.Code}
	if again := q.kinds[kind]; again != nil {
		if again.count++; again.count == 1 {
			again.first = e.Time
		}
		again.event = e
		return 0
	}
	if !q.room(&e) || len(q.kinds) >= refusalKinds {
		return q.leaveOut(e, 1)
	}
	q.kinds[kind] = &refusal{}
	q.push(e)
	return 0
}

// room takes a principal's room for one event.
//
// It is kept for the role of a session: who may assume one chooses the name of
// the session.
func (q *refusals) room(e *store.Event) bool {
	principal := e.Principal
	if e.Role != "" {
		principal = e.Role
	}
	if q.all >= refusalsInAll || q.spent[principal] >= refusalsEach {
		return false
	}
	q.all++
	q.spent[principal]++
	return true
}

// leaveOut counts what has no room.
func (q *refusals) leaveOut(e store.Event, n int) int {
	last := q.unsaid[e.Principal]
	if last == nil {
		if len(q.unsaid) >= refusalPrincipals {
			return n // of too many: they are in the metrics
		}
		last = &store.Event{}
		q.unsaid[e.Principal] = last
	}
	n += last.Unsaid
	*last = e
	last.Unsaid = n
	return n
}

// push hands an event to who stores it, with what was left out before it.
func (q *refusals) push(e store.Event) {
	if last := q.unsaid[e.Principal]; last != nil {
		e.Unsaid += last.Unsaid
		delete(q.unsaid, e.Principal)
	}
	q.pending = append(q.pending, e)
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// turn begins a new window when the old one is over: what came again in it is
// told.
func (q *refusals) turn(now time.Time) {
	if now.Sub(q.begun) < refusalWindow && !now.Before(q.begun) {
		return
	}
	q.tellRepeated()
	q.begun = now
}

func (q *refusals) tellRepeated() {
	q.spent, q.all = map[string]int{}, 0
	over := make([]*refusal, 0, len(q.kinds))
	for kind, again := range q.kinds {
		if again.count > 0 {
			over = append(over, again)
			*again = refusal{event: again.event, count: again.count, first: again.first}
		}
		delete(q.kinds, kind)
	}
	slices.SortFunc(over, func(a, b *refusal) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.event.RequestID, b.event.RequestID))
	})
	for _, again := range over {
		e := again.event
		if again.count > 1 {
			first := again.first
			e.Count, e.First = again.count, &first
		}
		if !q.room(&e) {
			q.leaveOut(e, again.count)
			continue
		}
		// It is not the first of its kind in the new window either.
		q.kinds[refusalKind{e.Principal, e.AccessKey, e.Source, e.Region, e.Service, e.Action, e.Code}] = &refusal{}
		q.push(e)
	}
	for principal, last := range q.unsaid {
		if q.room(last) {
			e := *last
			e.Unsaid-- // but for itself
			delete(q.unsaid, principal)
			q.push(e)
		}
	}
}

// take gives what is to be stored; with all also what is still being counted.
func (q *refusals) take(now time.Time, all bool) []store.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	if all {
		q.tellRepeated()
	} else {
		q.turn(now)
	}
	n := min(len(q.pending), refusalsAtOnce)
	out := q.pending[:n:n]
	q.pending = q.pending[n:]
	return out
}

// KeepTrail stores the refused calls until ctx ends.
func (s *Server) KeepTrail(ctx context.Context) {
	tick := time.NewTicker(refusalLookAt)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.refused.kick:
		case <-tick.C:
		}
		if err := s.StoreRefusals(ctx, false); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("refused calls could not be stored in the audit trail", "err", err)
		}
	}
}

// StoreRefusals stores the refused calls that are known of; with all also those
// that are still being counted.
func (s *Server) StoreRefusals(ctx context.Context, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, refusalStoreTimeout)
	defer cancel()
	for {
		events := s.refused.take(s.cfg.Now(), all)
		if len(events) == 0 {
			return nil
		}
		if err := s.store.Note(ctx, events...); err != nil {
			return err
		}
		all = false
	}
}
