package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"moat/state"
	"moat/state/statetest"
	"moat/store"
	"moat/vpc"
)

// eachLog runs a test on every log. open opens the log anew, on what was
// written before; one is open at a time.
func eachLog(t *testing.T, f func(t *testing.T, open func() store.Log)) {
	t.Run("memory", func(t *testing.T) {
		m := store.NewMemory()
		f(t, func() store.Log { return m })
	})
	t.Run("embedded etcd", func(t *testing.T) {
		dir := t.TempDir()
		f(t, func() store.Log { return openEmbedded(t, dir) })
	})
	t.Run("etcd cluster", func(t *testing.T) {
		c := startEtcd(t)
		f(t, func() store.Log { return c.open() })
	})
}

func openEmbedded(t *testing.T, dir string) store.Log {
	t.Helper()
	log, err := store.OpenEmbedded(t.Context(), dir, slog.New(slog.DiscardHandler), func(reason string) {
		panic("etcd cannot go on: " + reason)
	})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// A db is a store under test.
type db struct {
	*store.Store
	t              *testing.T
	commits, calls atomic.Int64
	closed         bool
}

func openStore(t *testing.T, log store.Log, change ...func(*store.Options)) *db {
	t.Helper()
	d := &db{t: t}
	opts := store.Options{NewEventID: uuid.NewString, OnCommit: func(calls int, _ time.Duration) {
		d.commits.Add(1)
		d.calls.Add(int64(calls))
	}}
	for _, f := range change {
		f(&opts)
	}
	var err error
	if d.Store, err = store.Open(t.Context(), log, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func (d *db) close() {
	d.t.Helper()
	if d.closed {
		return
	}
	d.closed = true
	if err := d.Close(); err != nil {
		d.t.Errorf("close: %v", err)
	}
}

type plan = func(tx *state.Txn) (any, error)

var home = state.Scope{Region: "us-east-1", Account: "123456789012"}

var begun = time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)

func write(p plan) *store.Write {
	return &store.Write{
		Call:  state.Call{Scope: home, Now: begun, Random: rand.Uint64},
		Plan:  p,
		Event: store.Event{Action: "Test", Principal: "arn:aws:iam::123456789012:root"},
	}
}

// do makes a call that must succeed.
func (d *db) do(p plan) (out any, rev uint64) {
	d.t.Helper()
	out, rev, err := d.Write(d.t.Context(), write(p))
	if err != nil {
		d.t.Fatal(err)
	}
	return out, rev
}

func (d *db) view() *state.View {
	d.t.Helper()
	v, err := d.View(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func (d *db) book(b store.Book, from uint64) (all []store.Entry) {
	d.t.Helper()
	for {
		page, err := d.Scan(d.t.Context(), b, from, 100)
		if err != nil {
			d.t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		from = page[len(page)-1].Rev + 1
	}
}

func group(name string) *vpc.SecurityGroup {
	return &vpc.SecurityGroup{ID: vpc.GroupID("sg-" + name), Owner: home.Account, VPC: "vpc-1", Name: name}
}

// put plans a group with the name.
func put(name string) plan {
	return func(tx *state.Txn) (any, error) {
		state.Groups.Put(tx, group(name))
		return name, nil
	}
}

func has(v *state.View, name string) bool {
	return state.Groups.Get(v.In(home), vpc.GroupID("sg-"+name)) != nil
}

// count plans one more in a row that all calls of this kind read and write;
// its output is how many there were.
func count(tx *state.Txn) (any, error) {
	n := int64(0)
	const key = "pl-count.000000000000"
	if row := state.PrefixListVersions.Get(tx, key); row != nil {
		n = int64(len(row.Entries))
	}
	state.PrefixListVersions.Put(tx, &vpc.PrefixListVersion{List: "pl-count", Entries: make([]vpc.PrefixListEntry, n+1)})
	return n, nil
}

func counted(v *state.View) int {
	row := state.PrefixListVersions.Get(v.In(home), "pl-count.000000000000")
	if row == nil {
		return 0
	}
	return len(row.Entries)
}

func TestWhatIsCommittedIsReadBack(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, open())
		if v := d.view(); v.Rev != 0 || has(v, "web") {
			t.Fatalf("a new store is at revision %d", v.Rev)
		}
		before := d.view()
		out, rev := d.do(put("web"))
		if out != "web" || rev != 1 {
			t.Errorf("the first write gives %v at revision %d, want web at 1", out, rev)
		}
		for name, v := range map[string]*state.View{"View": d.view(), "Latest": d.Latest()} {
			if v.Rev != 1 || !has(v, "web") || has(v, "ops") {
				t.Errorf("%s after the write: revision %d, web %v", name, v.Rev, has(v, "web"))
			}
		}
		if has(before, "web") {
			t.Error("a view from before the write shows it")
		}
		if _, rev := d.do(func(tx *state.Txn) (any, error) { state.Groups.Delete(tx, "sg-web"); return nil, nil }); rev != 2 {
			t.Errorf("the second write is revision %d", rev)
		}
		if has(d.view(), "web") {
			t.Error("a deleted row is still there")
		}
		if v, err := d.WaitRev(t.Context(), 2); err != nil || v.Rev != 2 {
			t.Errorf("WaitRev(2) gives %v, %v", v, err)
		}
		soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := d.WaitRev(soon, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitRev of a revision that does not come gives %v", err)
		}
	})
}

// scopes are those of random histories; the zero one is that of keys.
var scopes = []state.Scope{home, {Region: "eu-west-1", Account: home.Account}, {Region: "us-east-1", Account: "210987654321"}, {}}

// randomChanges plans a few random changes, some of them in another scope.
func randomChanges(r *rand.Rand, n int) plan {
	seed := r.Uint64()
	return func(tx *state.Txn) (any, error) {
		r := rand.New(rand.NewPCG(seed, 0)) // a plan that is made again must be the same
		for range n {
			in := tx
			if r.IntN(4) == 0 {
				in = tx.In(scopes[r.IntN(len(scopes))])
			}
			statetest.Change(in, r)
		}
		return nil, nil
	}
}

func TestReopeningGivesTheSameView(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		r := rand.New(rand.NewPCG(1, 1))
		d := openStore(t, open())
		for range 3 {
			for range 120 {
				d.do(randomChanges(r, 20))
			}
			want := d.view()
			if n := len(statetest.Rows(want)); n < 260 {
				t.Fatalf("%d rows are too few for a test of pages", n)
			}
			d.close()
			d = openStore(t, open())
			got := d.view()
			if got.Rev != want.Rev {
				t.Errorf("revision %d became %d", want.Rev, got.Rev)
			}
			if diff := statetest.Diff(statetest.Rows(want), statetest.Rows(got)); diff != "" {
				t.Fatalf("after reopening:\n%s", diff)
			}
			if want, got := spaceNames(want), spaceNames(got); !slices.Equal(want, got) {
				t.Errorf("after reopening the spaces are %v, want %v", got, want)
			}
		}
	})
}

func spaceNames(v *state.View) (names []string) {
	for sp := range v.Spaces() {
		names = append(names, fmt.Sprint(sp.Scope))
	}
	return names
}

// A scope that a call only looked into has no space afterwards, as it has
// none in a store that was loaded.
func TestLookingMakesNoSpace(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, open())
		d.do(func(tx *state.Txn) (any, error) {
			if state.Groups.Len(tx.In(scopes[1])) != 0 {
				return nil, errors.New("there is something in an unused scope")
			}
			return put("web")(tx)
		})
		if got := spaceNames(d.view()); len(got) != 1 {
			t.Errorf("spaces %v, want only that of the group", got)
		}
	})
}

// A log that is slow to sync, as disks are.
type slowLog struct{ store.Log }

func (l slowLog) Append(ctx context.Context, after store.Head, b *store.Batch) (store.Head, error) {
	time.Sleep(2 * time.Millisecond)
	return l.Log.Append(ctx, after, b)
}

// Many writers, among whose calls some are refused, some panic, some are dry
// runs and some change nothing: the successful ones are as if made one by one
// in the order of their revisions, and share commits.
func TestWritersAreCommittedTogether(t *testing.T) {
	const writers, each = 32, 40
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, slowLog{open()})
		refusal := errors.New("refused")
		type answer struct {
			rev uint64
			n   int64
		}
		var mu sync.Mutex
		var answers []answer
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(2, uint64(w)))
				for range each {
					kind := r.IntN(10)
					wr := write(func(tx *state.Txn) (any, error) {
						if kind == 3 {
							return state.Groups.Len(tx), nil
						}
						out, err := count(tx)
						if kind == 0 {
							return nil, refusal
						}
						if kind == 1 {
							panic("a defect")
						}
						return out, err
					})
					wr.DryRun = kind == 2
					out, rev, err := d.Write(t.Context(), wr)
					switch {
					case kind == 0 && err != refusal:
						t.Errorf("a refused call gives %v", err)
					case kind == 1 && (err == nil || !strings.Contains(err.Error(), "a defect")):
						t.Errorf("a call that panics gives %v", err)
					case kind > 1 && err != nil:
						t.Error(err)
					case kind > 3:
						mu.Lock()
						answers = append(answers, answer{rev, out.(int64)})
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		slices.SortFunc(answers, func(a, b answer) int { return int(a.rev) - int(b.rev) })
		for i, a := range answers {
			if a.rev != uint64(i+1) || a.n != int64(i) {
				t.Fatalf("call %d in order has revision %d and saw %d calls before it", i+1, a.rev, a.n)
			}
		}
		v := d.view()
		if v.Rev != uint64(len(answers)) || counted(v) != len(answers) {
			t.Errorf("revision %d and %d counted, want %d", v.Rev, counted(v), len(answers))
		}
		if got := len(d.book(store.Audit, 0)); got != len(answers) {
			t.Errorf("%d events for %d changes", got, len(answers))
		}
		if commits := int(d.commits.Load()); commits > writers*each/4 {
			t.Errorf("%d commits for %d calls of %d writers", commits, writers*each, writers)
		}
	})
}

// A gate holds a log's appends until it is opened, and can refuse them.
type gate struct {
	store.Log
	pass chan error
}

func (g gate) Append(ctx context.Context, after store.Head, b *store.Batch) (store.Head, error) {
	if err := <-g.pass; err != nil {
		return store.Head{}, err
	}
	return g.Log.Append(ctx, after, b)
}

// together runs writes so that the first is a commit of its own and the others
// are one batch. It gives their errors; for the batch's commit the log answers
// with err.
func together(t *testing.T, d *db, g gate, err error, ws ...*store.Write) (outs []any, revs []uint64, errs []error) {
	t.Helper()
	outs, revs, errs = make([]any, len(ws)), make([]uint64, len(ws)), make([]error, len(ws))
	var wg sync.WaitGroup
	wg.Go(func() { d.Write(t.Context(), write(put("held"))) })
	synctest.Wait() // it is in the gate
	for i, w := range ws {
		wg.Go(func() { outs[i], revs[i], errs[i] = d.Write(t.Context(), w) })
		synctest.Wait() // it waits behind the gate, in this order
	}
	g.pass <- nil
	synctest.Wait()
	g.pass <- err
	wg.Wait()
	return outs, revs, errs
}

func TestCallsOfOneBatch(t *testing.T) {
	batch := func(t *testing.T, err error, ws ...*store.Write) (d *db, outs []any, revs []uint64, errs []error) {
		g := gate{store.NewMemory(), make(chan error)}
		d = openStore(t, g)
		outs, revs, errs = together(t, d, g, err, ws...)
		return d, outs, revs, errs
	}
	refusal := errors.New("refused")
	refuse := func(name string) plan {
		return func(tx *state.Txn) (any, error) {
			put(name)(tx)
			put(name + "2")(tx.In(scopes[1]))
			return nil, refusal
		}
	}

	synctest.Test(t, func(t *testing.T) {
		// A refused call between two others, which both see its place empty.
		d, outs, revs, errs := batch(t, nil,
			write(count), write(refuse("no")),
			write(func(tx *state.Txn) (any, error) {
				if state.Groups.Get(tx, "sg-no") != nil || state.Groups.Len(tx.In(scopes[1])) != 0 {
					t.Error("a call sees what a refused one staged before it")
				}
				return count(tx)
			}))
		if errs[0] != nil || errs[1] != refusal || errs[2] != nil {
			t.Errorf("errors %v", errs)
		}
		if outs[0] != int64(0) || outs[2] != int64(1) || !slices.Equal(revs, []uint64{2, 2, 3}) {
			t.Errorf("outputs %v at revisions %v", outs, revs)
		}
		if d.commits.Load() != 2 || d.calls.Load() != 4 {
			t.Errorf("%d commits of %d calls, want 2 of 4", d.commits.Load(), d.calls.Load())
		}
		if has(d.Latest(), "no") || counted(d.Latest()) != 2 {
			t.Error("a refused call changed something, or another did not")
		}
		d.close()
	})

	synctest.Test(t, func(t *testing.T) {
		// A panic is the error of its own call.
		d, _, _, errs := batch(t, nil, write(put("a")),
			write(func(tx *state.Txn) (any, error) {
				put("no")(tx)
				var g *vpc.SecurityGroup
				return g.Name, nil
			}),
			write(put("b")))
		if errs[0] != nil || errs[2] != nil || errs[1] == nil || !strings.Contains(errs[1].Error(), "store_test.go") {
			t.Errorf("errors %v, want one with the place of the panic", errs)
		}
		if v := d.Latest(); !has(v, "a") || !has(v, "b") || has(v, "no") || v.Rev != 3 {
			t.Errorf("after a panic: %v", statetest.Rows(v))
		}
		d.close()
	})

	synctest.Test(t, func(t *testing.T) {
		// A dry run is judged on what came before it, and leaves nothing.
		dry := write(count)
		dry.DryRun = true
		d, outs, _, errs := batch(t, nil, write(count), dry, write(count))
		if errs[1] != nil || outs[1] != int64(1) || outs[2] != int64(1) || counted(d.Latest()) != 2 {
			t.Errorf("outputs %v, errors %v, %d counted", outs, errs, counted(d.Latest()))
		}
		d.close()
	})

	synctest.Test(t, func(t *testing.T) {
		// When the log refuses the batch, no answer of it counts: a refusal
		// may rest on a change that did not come to be.
		full := &store.NoSpaceError{Reason: "full"}
		looks := write(func(tx *state.Txn) (any, error) { return state.Groups.Len(tx), nil })
		d, _, _, errs := batch(t, full, write(put("a")), write(refuse("no")), looks)
		for i, err := range errs {
			if err != full {
				t.Errorf("call %d of a batch that failed gives %v", i, err)
			}
		}
		if v := d.Latest(); v.Rev != 1 || has(v, "a") {
			t.Error("a batch that failed is in the view")
		}
		d.close()
	})
}

func TestACallThatChangesNothingCommitsNothing(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, open())
		d.do(put("web"))
		for name, p := range map[string]plan{
			"looks":              func(tx *state.Txn) (any, error) { return state.Groups.Len(tx), nil },
			"deletes what is no": func(tx *state.Txn) (any, error) { state.Groups.Delete(tx, "sg-no"); return nil, nil },
			"puts and deletes": func(tx *state.Txn) (any, error) {
				put("ops")(tx)
				state.Groups.Delete(tx, "sg-ops")
				return nil, nil
			},
		} {
			if _, rev := d.do(p); rev != 1 {
				t.Errorf("a call that %s is revision %d", name, rev)
			}
		}
		dry := write(put("dry"))
		dry.DryRun = true
		if out, _, err := d.Write(t.Context(), dry); err != nil || out != "dry" {
			t.Errorf("a dry run gives %v, %v", out, err)
		}
		if n := d.commits.Load(); n != 1 {
			t.Errorf("%d commits, want only that of the group", n)
		}
		if v := d.view(); v.Rev != 1 || len(statetest.Rows(v)) != 1 {
			t.Errorf("revision %d with %d rows", v.Rev, len(statetest.Rows(v)))
		}
		if a, p := len(d.book(store.Audit, 0)), len(d.book(store.Past, 0)); a != 1 || p != 1 {
			t.Errorf("%d events and %d befores, want 1 and 1", a, p)
		}
	})
}

// Each revision has one event and one before; the befores, walked back from
// the head, give every earlier state.
func TestBefores(t *testing.T) {
	const calls = 600
	eachLog(t, func(t *testing.T, open func() store.Log) {
		r := rand.New(rand.NewPCG(3, 3))
		d := openStore(t, open())
		views := []*state.View{d.Latest()}
		var wg sync.WaitGroup
		for len(views) <= calls {
			// Some calls alone, some in batches.
			for range 1 + r.IntN(8) {
				w := write(randomChanges(r, 1+r.IntN(10)))
				w.Call.Now = begun.Add(time.Duration(len(views)) * time.Second)
				wg.Go(func() {
					if _, _, err := d.Write(t.Context(), w); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for rev := uint64(len(views)); rev <= d.Latest().Rev; rev++ {
				views = append(views, nil) // inside a batch nobody saw it
			}
			views[d.Latest().Rev] = d.Latest()
		}
		d.close()
		d = openStore(t, open())

		events, befores := d.book(store.Audit, 0), d.book(store.Past, 0)
		head := d.Latest().Rev
		if len(events) != int(head) || len(befores) != int(head) {
			t.Fatalf("%d events and %d befores at revision %d", len(events), len(befores), head)
		}
		now := statetest.Rows(d.Latest())
		ids := map[string]bool{}
		compared, changes := 0, 0
		for rev := head; rev > 0; rev-- {
			if v := views[rev]; v != nil {
				compared++
				if diff := statetest.Diff(statetest.Rows(v), now); diff != "" {
					t.Fatalf("walked back to revision %d:\n%s", rev, diff)
				}
			}
			ev, err := store.DecodeEvent(events[rev-1].Value)
			if err != nil {
				t.Fatal(err)
			}
			b, err := store.DecodeBefore(befores[rev-1].Value)
			if err != nil {
				t.Fatal(err)
			}
			if events[rev-1].Rev != rev || befores[rev-1].Rev != rev || ev.Rev != rev || ids[ev.ID] {
				t.Fatalf("entries %d: event %d of revision %d (id %s), before %d", rev, events[rev-1].Rev, ev.Rev, ev.ID, befores[rev-1].Rev)
			}
			ids[ev.ID] = true
			if ev.Region != home.Region || ev.Account != home.Account || ev.Action != "Test" {
				t.Fatalf("event %d is %+v", rev, ev)
			}
			if !ev.Time.Equal(b.Time) || ev.Time.Before(begun) || ev.Time.Nanosecond() != begun.Nanosecond() {
				t.Fatalf("revision %d: the event is of %v, the before of %v", rev, ev.Time, b.Time)
			}
			var keys []string
			for _, old := range b.Rows {
				keys = append(keys, old.Key)
				if old.Value == nil {
					delete(now, old.Key)
				} else {
					now[old.Key] = string(old.Value)
				}
			}
			changes += len(keys)
			if !slices.Equal(keys, ev.Changed) || len(keys) == 0 {
				t.Fatalf("revision %d: the event changed %v, the before %v", rev, ev.Changed, keys)
			}
		}
		if len(now) != 0 {
			t.Errorf("before the first revision there were %d rows", len(now))
		}
		if compared < 100 || changes < 2000 {
			t.Errorf("only %d states and %d changes were compared", compared, changes)
		}
	})
}

func TestRetain(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, open())
		// Revision n is made at hour n.
		const last = 700
		at := func(n uint64) time.Time { return begun.Add(time.Duration(n) * time.Hour) }
		for n := uint64(1); n <= last; n++ {
			w := write(count)
			w.Call.Now = at(n)
			if _, _, err := d.Write(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		span := func(b store.Book) string {
			all := d.book(b, 0)
			for i, e := range all {
				if e.Rev != all[0].Rev+uint64(i) {
					t.Errorf("%s: entry %d follows %d", b, e.Rev, all[i-1].Rev)
				}
			}
			if len(all) == 0 {
				return "none"
			}
			return fmt.Sprintf("%d-%d", all[0].Rev, all[len(all)-1].Rev)
		}
		past := func(n uint64) time.Duration { return at(last).Sub(at(n)) }
		for _, c := range []struct {
			why         string
			r           store.Retention
			past, audit string
		}{
			{"everything is young", store.Retention{History: past(0), HistoryRevisions: 1, Audit: past(0)}, "1-700", "1-700"},
			{"as many revisions as there are", store.Retention{HistoryRevisions: last, Audit: past(0)}, "1-700", "1-700"},
			{"one of each is too old", store.Retention{History: past(2), HistoryRevisions: 1, Audit: past(2)}, "2-700", "2-700"},
			{"old, but the least number is kept", store.Retention{History: past(600), HistoryRevisions: 300, Audit: past(50)}, "401-700", "50-700"},
			{"few, but young", store.Retention{History: past(500), HistoryRevisions: 10, Audit: past(400)}, "500-700", "400-700"},
			{"nothing comes back", store.Retention{History: past(0), HistoryRevisions: last, Audit: past(0)}, "500-700", "400-700"},
			{"all is old", store.Retention{HistoryRevisions: 1}, "700-700", "700-700"},
		} {
			if err := d.Retain(t.Context(), at(last), c.r); err != nil {
				t.Fatalf("%s: %v", c.why, err)
			}
			if p, a := span(store.Past), span(store.Audit); p != c.past || a != c.audit {
				t.Errorf("%s: kept past %s and audit %s, want %s and %s", c.why, p, a, c.past, c.audit)
			}
		}
		if err := d.Retain(t.Context(), at(last+1), store.Retention{}); err != nil {
			t.Fatal(err)
		}
		if p, a := span(store.Past), span(store.Audit); p != "none" || a != "none" {
			t.Errorf("with no retention past %s and audit %s are left", p, a)
		}
		if err := d.Retain(t.Context(), at(last), store.Retention{}); err != nil {
			t.Errorf("with empty books: %v", err)
		}
		// The state is not history.
		d.do(count)
		d.close()
		d = openStore(t, open())
		if v := d.view(); v.Rev != last+1 || counted(v) != last+1 {
			t.Errorf("after trimming and reopening: revision %d, %d counted", v.Rev, counted(v))
		}
	})
}

// A log whose transactions hold little.
type narrowLog struct {
	store.Log
	limits store.Limits
	most   atomic.Int64 // records in one batch so far
}

func (l *narrowLog) Limits() store.Limits { return l.limits }

func (l *narrowLog) Append(ctx context.Context, after store.Head, b *store.Batch) (store.Head, error) {
	if n := int64(1 + len(b.Records) + len(b.Entries)); n > l.most.Load() {
		l.most.Store(n)
	}
	if 1+len(b.Records)+len(b.Entries) > l.limits.Ops {
		return store.Head{}, store.ErrTooBig
	}
	time.Sleep(time.Millisecond)
	return l.Log.Append(ctx, after, b)
}

func puts(from, n int) plan {
	return func(tx *state.Txn) (any, error) {
		for i := range n {
			put(fmt.Sprint(from + i))(tx)
		}
		return nil, nil
	}
}

func TestABatchIsNoBiggerThanTheLogTakes(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		log := &narrowLog{Log: open(), limits: store.Limits{Ops: 40, Bytes: 1 << 20}}
		d := openStore(t, log)
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 10 {
					// 37 rows, an event, a before and the head are 40: one call
					// that just fits, one that just does not.
					base := 1000*w + 100*i
					n := 1 + (w*7+i*5)%37
					if _, _, err := d.Write(t.Context(), write(puts(base, n))); err != nil {
						t.Errorf("%d rows: %v", n, err)
					}
					if _, _, err := d.Write(t.Context(), write(puts(base+50, 38))); !errors.Is(err, store.ErrTooBig) {
						t.Errorf("38 rows: %v, want ErrTooBig", err)
					}
				}
			})
		}
		wg.Wait()
		if d.view().Rev != 160 {
			t.Errorf("revision %d, want 160", d.view().Rev)
		}
		for row := range state.Groups.All(d.view().In(home)) {
			var n int
			if fmt.Sscan(row.Name, &n); n%100 >= 50 {
				t.Fatalf("row %s of a call that was too big is there", row.Name)
			}
		}
		if commits := d.commits.Load(); commits >= 160 {
			t.Errorf("%d commits: nothing was committed together", commits)
		}
	})
}

// The log may take less than it says: what was planned together is then tried
// one by one.
func TestALogThatTakesLessThanItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &narrowLog{Log: store.NewMemory(), limits: store.Limits{Ops: 10, Bytes: 1 << 20}}
		g := gate{wideLog{log}, make(chan error)}
		d := openStore(t, g)
		done := make(chan struct{})
		go func() {
			for {
				select {
				case g.pass <- nil:
				case <-done:
					return
				}
			}
		}()
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			n := 3
			if i == 4 {
				n = 8
			}
			wg.Go(func() { _, _, errs[i] = d.Write(t.Context(), write(puts(100*i, n))) })
		}
		wg.Wait()
		close(done)
		for i, err := range errs {
			if i == 4 && !errors.Is(err, store.ErrTooBig) || i != 4 && err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if d.Latest().Rev != 7 {
			t.Errorf("revision %d, want 7", d.Latest().Rev)
		}
		d.close()
	})
}

type wideLog struct{ store.Log }

func (wideLog) Limits() store.Limits { return store.Limits{Ops: 1 << 20, Bytes: 1 << 30} }

// Closing answers every write that waits: with its commit, or with ErrClosed
// and then it is not there.
func TestCloseAnswersEveryWrite(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		committed, refused := map[string]bool{}, map[string]bool{}
		for round := range 3 {
			d := openStore(t, open())
			var mu sync.Mutex
			var wg sync.WaitGroup
			started := make(chan struct{}, 1)
			for w := range 40 {
				wg.Go(func() {
					for i := 0; ; i++ {
						name := fmt.Sprintf("%d-%d-%d", round, w, i)
						_, _, err := d.Write(t.Context(), write(put(name)))
						mu.Lock()
						if err == nil {
							committed[name] = true
							if len(committed) > 100*(round+1) {
								select {
								case started <- struct{}{}:
								default:
								}
							}
						} else {
							refused[name] = true
						}
						mu.Unlock()
						if err != nil {
							if !errors.Is(err, store.ErrClosed) {
								t.Errorf("a write while closing gives %v", err)
							}
							return
						}
					}
				})
			}
			<-started
			d.close()
			wg.Wait() // hangs if one is not answered
			if _, _, err := d.Write(t.Context(), write(put("late"))); !errors.Is(err, store.ErrClosed) {
				t.Errorf("a write after closing gives %v", err)
			}
			if _, err := d.WaitRev(t.Context(), 1<<40); !errors.Is(err, store.ErrClosed) {
				t.Errorf("waiting on a closed store gives %v", err)
			}
		}
		d := openStore(t, open())
		v := d.view()
		for name := range committed {
			if !has(v, name) {
				t.Errorf("%s was committed and is not there", name)
			}
		}
		for name := range refused {
			if has(v, name) {
				t.Errorf("%s was refused and is there", name)
			}
		}
	})
}

// A log that notices when it is used after it was closed.
type closingLog struct {
	store.Log
	closed, compacting, together atomic.Bool
}

func (l *closingLog) Compact(ctx context.Context) error {
	l.compacting.Store(true)
	defer l.compacting.Store(false)
	time.Sleep(time.Millisecond)
	l.together.CompareAndSwap(false, l.closed.Load())
	return l.Log.Compact(ctx)
}

func (l *closingLog) Close() error {
	l.closed.Store(true)
	l.together.CompareAndSwap(false, l.compacting.Load())
	return l.Log.Close()
}

func TestCloseWaitsForRetain(t *testing.T) {
	log := &closingLog{Log: store.NewMemory()}
	d := openStore(t, log)
	d.do(put("web"))
	ended := make(chan error)
	go func() {
		for {
			if err := d.Retain(t.Context(), begun, store.Retention{}); err != nil {
				ended <- err
				return
			}
		}
	}()
	until(t, "space is being given back", log.compacting.Load)
	d.close()
	if err := <-ended; !errors.Is(err, store.ErrClosed) {
		t.Errorf("retaining in a closed store gives %v", err)
	}
	if log.together.Load() {
		t.Error("the log was closed while it gave space back")
	}
}

// A caller who gives up before his write is taken has not written.
func TestACallerWhoGoesAway(t *testing.T) {
	d := openStore(t, store.NewMemory())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		// Either it was taken, and then the answer is true, or it was not.
		if _, _, err := d.Write(ctx, write(count)); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if v := d.view(); uint64(counted(v)) != v.Rev {
		t.Errorf("%d counted at revision %d", counted(v), v.Rev)
	}
}

// The first commit of a store is guarded too: two stores that are both empty
// do not both make revision 1.
func TestTheFirstCommitIsGuarded(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		log := open()
		defer log.Close()
		b := &store.Batch{Rev: 1, Records: []state.Record{{Key: "a/1/sg/x", Value: []byte{1}}},
			Entries: []store.BookEntry{{Book: store.Audit, Entry: store.Entry{Rev: 1, Value: []byte("one")}}}}
		head, err := log.Append(t.Context(), store.Head{}, b)
		if err != nil || head.Rev != 1 {
			t.Fatalf("the first append gives %v, %v", head, err)
		}
		b2 := *b
		b2.Entries = []store.BookEntry{{Book: store.Audit, Entry: store.Entry{Rev: 1, Value: []byte("two")}}}
		if _, err := log.Append(t.Context(), store.Head{}, &b2); !errors.Is(err, store.ErrBehind) {
			t.Errorf("a second append after nothing gives %v, want ErrBehind", err)
		}
		if h, err := log.Head(t.Context()); err != nil || h != head {
			t.Errorf("the head is %v, %v, want %v", h, err, head)
		}
	})
}

// A write that asks for it learns which rows it replaced, and the view that it
// made, however many writes are committed together.
func TestReplaced(t *testing.T) {
	s := open(t, store.NewMemory())
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			id := vpc.SubnetID(fmt.Sprintf("subnet-%d", i))
			var changes []state.Change
			var view *state.View
			_, rev, err := s.Write(t.Context(), &store.Write{
				Call:     state.Call{Now: time.Now()},
				Plan:     func(tx *state.Txn) (any, error) { state.Subnets.Put(tx, &vpc.Subnet{ID: id}); return nil, nil },
				Replaced: func(c []state.Change, v *state.View) { changes, view = c, v },
			})
			if err != nil || len(changes) != 1 || changes[0].ID != string(id) || view.Rev != rev || state.Subnets.Get(view.In(state.Scope{}), id) == nil {
				t.Errorf("revision %d replaced %v", rev, changes)
			}
			if n := uint64(state.Subnets.Len(view.In(state.Scope{}))); n != rev {
				t.Errorf("the view of revision %d has %d rows", rev, n)
			}
		})
	}
	all.Wait()
	for what, w := range map[string]*store.Write{
		"a dry run": {DryRun: true, Plan: func(tx *state.Txn) (any, error) { state.Subnets.Delete(tx, "subnet-1"); return nil, nil }},
		"a refusal": {Plan: func(tx *state.Txn) (any, error) { return nil, errors.New("no") }},
		"no change": {Plan: func(tx *state.Txn) (any, error) { return nil, nil }},
	} {
		w.Replaced = func([]state.Change, *state.View) { t.Errorf("%s replaced something", what) }
		s.Write(t.Context(), w)
	}
}

// TestNoteOfNothing holds that noting no event is not taken for a call without
// a plan.
func TestNoteOfNothing(t *testing.T) {
	s, err := store.Open(context.Background(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Note(context.Background()); err != nil {
		t.Error(err)
	}
}
