package server

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"moat/store"
)

// However many calls are refused, of however many callers: events are bounded
// in each window, and together tell of every call, but for those of callers
// beyond the number that is remembered.
func TestRefusalsAreBoundedAndAllTold(t *testing.T) {
	for _, row := range []struct {
		what                      string
		principals, actions, each int
	}{
		{"one caller, one call", 1, 1, 1},
		{"one caller, the same call again and again", 1, 1, 5000},
		{"one caller, many calls", 1, 200, 20},
		{"many callers", 100, 20, 5},
		{"very many callers", 500, 5, 2},
	} {
		q := newRefusals()
		r := rand.New(rand.NewPCG(1, 1))
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		calls, told := 0, 0
		windows := map[time.Time]int{}
		count := func(events []store.Event) {
			windows[q.begun] += len(events)
			for i := range events {
				told += max(1, events[i].Count) + events[i].Unsaid
			}
		}
		for n := range row.principals * row.actions * row.each {
			q.add(store.Event{Principal: fmt.Sprint("p", r.IntN(row.principals)), Action: fmt.Sprint("a", r.IntN(row.actions)), Code: "AccessDenied", Time: now}, now)
			calls++
			if n%50 == 0 {
				now = now.Add(time.Duration(r.IntN(2000)) * time.Millisecond)
				count(q.take(now, false))
			}
		}
		// Later what is still counted is told, as there is room.
		for range 30 {
			now = now.Add(refusalWindow)
			for {
				events := q.take(now, false)
				if len(events) == 0 {
					break
				}
				count(events)
			}
		}
		if told != calls {
			t.Errorf("%s: %d calls, %d are told of", row.what, calls, told)
		}
		for at, n := range windows {
			if n > 2*refusalsInAll { // those of a window may be stored in the next
				t.Errorf("%s: %d events in the window of %s", row.what, n, at)
			}
		}
		if len(q.kinds) > refusalKinds || len(q.unsaid) > 0 {
			t.Errorf("%s: %d kinds, %d callers are held", row.what, len(q.kinds), len(q.unsaid))
		}
	}
}

func TestRepeatedRefusals(t *testing.T) {
	q := newRefusals()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := store.Event{Principal: "alice", Action: "DeleteVpc", Code: "UnauthorizedOperation"}
	other := e
	other.Code = "DependencyViolation"
	for i := range 10 {
		e.Time = now.Add(time.Duration(i) * time.Second)
		q.add(e, e.Time)
	}
	q.add(other, now.Add(11*time.Second))
	if got := q.take(now.Add(12*time.Second), false); len(got) != 2 || got[0].Count != 0 || got[1].Code != other.Code {
		t.Fatalf("at once: %+v", got)
	}
	got := q.take(now.Add(refusalWindow), false)
	if len(got) != 1 || got[0].Count != 9 || !got[0].First.Equal(now.Add(time.Second)) || !got[0].Time.Equal(now.Add(9*time.Second)) {
		t.Fatalf("after the window: %+v", got)
	}
	if got := q.take(now.Add(3*refusalWindow), false); len(got) != 0 {
		t.Errorf("and again: %+v", got)
	}
}

// TestRefusalsOfARole holds that a role has the room of one principal, however
// many sessions it has.
func TestRefusalsOfARole(t *testing.T) {
	q, now := newRefusals(), time.Unix(1e9, 0)
	for i := range 200 {
		q.add(store.Event{Principal: fmt.Sprint("session/", i), Role: "role/r", Action: "A", Code: "C", Time: now}, now)
	}
	if n := len(q.take(now, false)); n != refusalsEach {
		t.Errorf("%d events of the sessions of one role, want %d", n, refusalsEach)
	}
	q.add(store.Event{Principal: "user/u", Action: "A", Code: "C", Time: now}, now)
	if n := len(q.take(now, false)); n != 1 {
		t.Errorf("%d events of somebody else, want 1", n)
	}
}
