package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/sync/errgroup"

	"moat/state"
	"moat/trail"
)

// A Store keeps the view of a log and commits to it.
type Store struct {
	log  Log
	opts Options

	now atomic.Pointer[published]
	// newest is when the view was last known to be the newest.
	newest atomic.Pointer[time.Time]
	// staging guards the making of views: their trees are copied on write,
	// which marks the tree that is copied.
	staging sync.Mutex

	writes chan *write
	reads  barriers

	retaining sync.Mutex

	check atomic.Pointer[func(tx *state.Txn) error]
	vault atomic.Pointer[vault]
	index index

	run     context.Context
	stop    context.CancelFunc
	stopped sync.WaitGroup
	done    chan struct{} // closed when the store takes no more writes
	ended   chan struct{} // closed when the last write has its answer
}

// Options say how a store behaves.
type Options struct {
	// LocalReads answers reads from the view at hand, also when other servers
	// write: faster, and possibly behind.
	LocalReads bool
	// NewEventID gives an id for an event.
	NewEventID func() string
	Logger     *slog.Logger
	// OnCommit is told of each batch: the calls in it and how long the log took.
	OnCommit func(calls int, took time.Duration)
	// Patience is how long a call waits for a log that does not answer before
	// its caller is told so, behind other calls too; 0 for 4 s, and for half a
	// minute where the log is the process's own.
	Patience time.Duration
}

// published is a view with its place in the log.
type published struct {
	view *state.View
	head Head
	next chan struct{} // closed when there is a newer one
}

// A Write is a call that changes something.
type Write struct {
	Call state.Call
	// Plan stages the call. It may be called several times, on newer views.
	Plan func(tx *state.Txn) (any, error)
	// Event says who makes the call; the store adds id, place and changes.
	Event Event
	// Tell gives the events of the call once it is planned, each made from
	// Event: at least one, and several for what stands for several calls, whose
	// own Changed they may then give. Nil for Event alone. It must be pure.
	Tell func(tx *state.Txn, out any, event Event) []Event
	// Replaced, if not nil, is called with the rows that the call replaced and with
	// the view that it made, each time that the call is staged. What it was given
	// the last time is committed if Write returns no error.
	Replaced func(changes []state.Change, v *state.View)
	// DryRun plans and drops.
	DryRun bool
	// Forget keeps the rows as they were before out of the history: they hold
	// what must not be kept.
	Forget bool
}

type write struct {
	*Write
	note   []Event // a write of events alone
	out    any
	err    error
	rev    uint64
	answer chan struct{}
	asked  time.Time
}

// ErrClosed says that the store is closed.
var ErrClosed = errors.New("the store is closed")

// Open loads the log's state and follows it.
func Open(ctx context.Context, log Log, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.OnCommit == nil {
		opts.OnCommit = func(int, time.Duration) {}
	}
	if opts.Patience == 0 {
		if opts.Patience = 4 * time.Second; !log.Shared() {
			opts.Patience = 30 * time.Second
		}
	}
	s := &Store{log: log, opts: opts, writes: make(chan *write, 1024), done: make(chan struct{}), ended: make(chan struct{})}
	began := time.Now()
	v, head, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.newest.Store(&began)
	s.now.Store(&published{v, head, make(chan struct{})})
	run, stop := context.WithCancel(context.Background())
	s.stop, s.run = stop, run
	s.stopped.Go(func() { s.commitLoop(run) })
	s.reads.kick = make(chan struct{}, 1)
	if log.Shared() {
		s.stopped.Go(func() { s.barrierLoop(run) })
		s.stopped.Go(func() { s.follow(run) })
		s.stopped.Go(func() { s.confirmLoop(run) })
	}
	return s, nil
}

// Close stops taking writes, finishes those under way and closes the log.
func (s *Store) Close() error {
	close(s.done)
	s.stop()
	s.stopped.Wait()
	s.retaining.Lock()
	defer s.retaining.Unlock()
	return s.log.Close()
}

// load reads the whole state, again if a cluster compacts what it is reading.
func (s *Store) load(ctx context.Context) (*state.View, Head, error) {
	for again := 3; ; again-- {
		v, head, err := s.loadOnce(ctx)
		if again == 0 || !errors.Is(err, rpctypes.ErrCompacted) {
			return v, head, err
		}
	}
}

// loadOnce decodes records on all cores.
func (s *Store) loadOnce(ctx context.Context) (*state.View, Head, error) {
	// Pages are decoded on all cores, and put together in the order of keys,
	// in which trees grow fastest.
	type page struct {
		records []state.Record
		rows    []state.Decoded
		decoded chan struct{}
	}
	work, inOrder := make(chan *page), make(chan *page, 16)
	var head Head
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer close(work)
		defer close(inOrder)
		head, err = s.log.Load(ctx, func(records []state.Record) error {
			for part := range slices.Chunk(records, 512) {
				p := &page{records: part, decoded: make(chan struct{})}
				for _, to := range []chan *page{inOrder, work} {
					select {
					case to <- p:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			}
			return nil
		})
		return err
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for p := range work {
				p.rows = make([]state.Decoded, len(p.records))
				for i, r := range p.records {
					d, err := state.Decode(r)
					if err != nil {
						return err
					}
					p.rows[i] = d
				}
				close(p.decoded)
			}
			return nil
		})
	}
	view := state.Load(0, func(yield func(state.Decoded) bool) {
		for p := range inOrder {
			select {
			case <-p.decoded:
			case <-ctx.Done():
				return
			}
			for _, d := range p.rows {
				yield(d)
			}
		}
	})
	if err := g.Wait(); err != nil {
		return nil, Head{}, fmt.Errorf("load the state: %w", err)
	}
	view.Rev = head.Rev
	return view, head, nil
}

// Check has every call judged after it is planned, whoever makes it: an error
// refuses it. The function is called with what the call staged, and must be
// pure.
func (s *Store) Check(judge func(tx *state.Txn) error) { s.check.Store(&judge) }

// Latest gives the view at hand, whatever other servers may have written.
func (s *Store) Latest() *state.View { return s.now.Load().view }

// View gives a view that has every write that was answered before the call,
// by whichever server.
func (s *Store) View(ctx context.Context) (*state.View, error) {
	if !s.log.Shared() || s.opts.LocalReads {
		return s.Latest(), nil
	}
	p, err := s.barrier(ctx)
	if err != nil {
		return nil, err
	}
	return p.view, nil
}

// Preview gives a view as it would be after a call, which is planned and not
// committed. Its revision is that of the view.
func (s *Store) Preview(v *state.View, call state.Call, plan func(*state.Txn) (any, error)) (*state.View, error) {
	s.staging.Lock()
	defer s.staging.Unlock()
	stage := state.NewStage(v)
	tx := stage.Begin(call)
	if _, err := planSafely(plan, tx); err != nil {
		return nil, err
	}
	stage.Accept(tx)
	out := stage.View()
	out.Rev = v.Rev
	return out, nil
}

// WaitRev gives a view at or after a revision.
func (s *Store) WaitRev(ctx context.Context, rev uint64) (*state.View, error) {
	p, err := s.wait(ctx, func(p *published) bool { return p.view.Rev >= rev })
	if err != nil {
		return nil, err
	}
	return p.view, nil
}

func (s *Store) wait(ctx context.Context, ok func(*published) bool) (*published, error) {
	for {
		p := s.now.Load()
		if ok(p) {
			return p, nil
		}
		select {
		case <-p.next:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.done:
			return nil, ErrClosed
		}
	}
}

// publish makes a view the current one, unless a newer one already is. The
// caller holds staging.
func (s *Store) publish(v *state.View, head Head) {
	old := s.now.Load()
	if head.Mark < old.head.Mark || head.Mark == old.head.Mark && head.Seen <= old.head.Seen {
		return
	}
	s.now.Store(&published{v, head, make(chan struct{})})
	close(old.next)
}

// Write commits a call, waiting until it is durable, and gives its output
// and revision. A call that changes nothing commits nothing; its revision is
// that of the view it was judged on. The error is the plan's own, or says why
// nothing was committed.
func (s *Store) Write(ctx context.Context, w *Write) (out any, rev uint64, err error) {
	return s.write(ctx, &write{Write: w, answer: make(chan struct{})})
}

// Note commits events of calls that change nothing, and waits until they are
// durable. Id and place are filled in.
func (s *Store) Note(ctx context.Context, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	_, _, err := s.write(ctx, &write{note: events, answer: make(chan struct{})})
	return err
}

func (s *Store) write(ctx context.Context, t *write) (out any, rev uint64, err error) {
	t.asked = time.Now()
	select {
	case <-s.done:
		return nil, 0, ErrClosed
	default:
	}
	select {
	case s.writes <- t:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-s.done:
		return nil, 0, ErrClosed
	}
	// Once it is with the committer a call is never abandoned: its answer
	// tells the truth, however long it takes.
	select {
	case <-t.answer:
	case <-s.ended:
		select {
		case <-t.answer:
		default:
			return nil, 0, ErrClosed
		}
	}
	return t.out, t.rev, t.err
}

// commitLoop takes the writes that wait, plans each on what the one before
// left, and commits them together.
func (s *Store) commitLoop(ctx context.Context) {
	defer close(s.ended)
	var waiting []*write
	for {
		if len(waiting) == 0 {
			select {
			case t := <-s.writes:
				waiting = append(waiting, t)
			case <-ctx.Done():
				return
			}
		}
	more:
		for len(waiting) < maxBatch {
			select {
			case t := <-s.writes:
				waiting = append(waiting, t)
			default:
				break more
			}
		}
		n := s.commit(waiting)
		waiting = append(waiting[:0:0], waiting[n:]...)
	}
}

// maxBatch bounds how many calls wait for one disk sync, and batchBytes what
// they write together: etcd keeps its last batches in memory.
const (
	maxBatch   = 512
	batchBytes = 1 << 20
)

// commit answers the first calls of waiting, as many as fit into one
// transaction, and gives their number.
func (s *Store) commit(waiting []*write) int {
	// A commit is not bound to any caller's patience; it ends with the store.
	until := time.Now().Add(s.opts.Patience)
	if s.log.Shared() {
		// What waited behind a commit that failed has waited already.
		if until = waiting[0].asked.Add(s.opts.Patience); time.Until(until) < s.opts.Patience/10 {
			until = time.Now().Add(s.opts.Patience / 10)
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	if s.log.Shared() {
		// A refusal, or a call that changes nothing, is not checked by the
		// guard: it must be judged on a view that is not behind.
		if _, err := s.barrier(ctx); err != nil {
			return fail(waiting, noAnswer(ctx, err))
		}
	}
	for {
		p := s.now.Load()
		if p.head.old() {
			return fail(waiting, errNotEntered)
		}
		n, stage, batch := s.plan(p, waiting)
		if len(batch.Entries) == 0 {
			answer(waiting[:n])
			return n
		}
		began := time.Now()
		head, err := s.log.Append(ctx, p.head, batch)
		if errors.Is(err, ErrBehind) {
			// Somebody was faster: wait for what they wrote, plan again.
			if _, err := s.barrier(ctx); err != nil {
				return fail(waiting[:n], noAnswer(ctx, err))
			}
			continue
		}
		if err != nil {
			if n > 1 && errors.Is(err, ErrTooBig) {
				// One call alone may fit.
				waiting = waiting[:1]
				continue
			}
			return fail(waiting[:n], err)
		}
		s.staging.Lock()
		s.publish(stage.View(), head)
		s.staging.Unlock()
		s.opts.OnCommit(n, time.Since(began))
		answer(waiting[:n])
		return n
	}
}

// noAnswer tells an error for want of time from others.
func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrNoAnswer) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}

func fail(ws []*write, err error) int {
	for _, t := range ws {
		t.out, t.rev, t.err = nil, 0, err
	}
	answer(ws)
	return len(ws)
}

func answer(ws []*write) {
	for _, t := range ws {
		close(t.answer)
	}
}

// plan stages calls on a view, as many as fit into a batch, and leaves each
// call's answer in it.
func (s *Store) plan(p *published, waiting []*write) (n int, stage *state.Stage, batch *Batch) {
	s.staging.Lock()
	defer s.staging.Unlock()
	stage = state.NewStage(p.view)
	batch = &Batch{Rev: p.view.Rev, Seq: p.head.Seq, Chain: p.head.Chain}
	limits := s.log.Limits()
	size := batch.size()
	records := map[string]int{} // key → place in batch.Records
	for _, t := range waiting {
		t.out, t.err, t.rev = nil, nil, batch.Rev
		if t.note != nil {
			add := Batch{}
			chain := s.enter(&add, t.note, trail.Place{Rev: batch.Rev, Seq: batch.Seq}.Next(), batch.Chain)
			grown := add.size()
			if n > 0 && (size.Ops+grown.Ops > limits.Ops || size.Bytes+grown.Bytes > min(limits.Bytes, batchBytes)) {
				break
			}
			size.Ops, size.Bytes = size.Ops+grown.Ops, size.Bytes+grown.Bytes
			batch.Entries = append(batch.Entries, add.Entries...)
			batch.Seq, batch.Chain = batch.Seq+uint32(len(t.note)), chain
			n++
			continue
		}
		tx := stage.Begin(t.Call)
		out, err := planSafely(t.Plan, tx)
		if check := s.check.Load(); err == nil && check != nil {
			_, err = planSafely(func(tx *state.Txn) (any, error) { return nil, (*check)(tx) }, tx)
		}
		if err != nil || t.DryRun {
			t.out, t.err = out, err
			n++
			continue
		}
		changes := tx.Changes()
		if len(changes) == 0 {
			t.out = out
			n++
			continue
		}
		events, err := tellSafely(t.Write, tx, out)
		if err != nil {
			t.err = err
			n++
			continue
		}
		was := before(t.Call.Now, changes)
		if t.Forget {
			was.Rows = nil
		}
		at := trail.Place{Rev: batch.Rev + 1}
		add := Batch{Entries: []BookEntry{{Past, Entry{Rev: at.Rev, Value: encodeEntry(was)}}}}
		keys := make([]string, len(changes))
		for i := range changes {
			r := state.Record{Key: changes[i].Key()}
			if changes[i].New != nil {
				r.Value = state.Encode(changes[i].New)
			}
			keys[i] = r.Key
			add.Records = append(add.Records, r)
		}
		tellChanges(events, keys)
		for i := range events {
			e := &events[i]
			e.Time = t.Call.Now
			if e.Region == "" && e.Account == "" {
				e.Region, e.Account = t.Call.Scope.Region, t.Call.Scope.Account
			}
		}
		chain := s.enter(&add, events, at, batch.Chain)
		grown := add.size()
		if n > 0 && (size.Ops+grown.Ops > limits.Ops || size.Bytes+grown.Bytes > min(limits.Bytes, batchBytes)) {
			break // the rest waits for the next batch
		}
		size.Ops, size.Bytes = size.Ops+grown.Ops, size.Bytes+grown.Bytes
		for _, r := range add.Records {
			if i, ok := records[r.Key]; ok {
				batch.Records[i] = r
			} else {
				records[r.Key] = len(batch.Records)
				batch.Records = append(batch.Records, r)
			}
		}
		batch.Entries = append(batch.Entries, add.Entries...)
		batch.Rev, batch.Seq, batch.Chain = stage.Accept(tx), uint32(len(events)-1), chain
		t.out, t.rev = out, batch.Rev
		if t.Replaced != nil {
			t.Replaced(changes, stage.View())
		}
		n++
	}
	return n, stage, batch
}

// tellSafely gives the events of a planned call; a panic is an error of that
// call alone.
func tellSafely(w *Write, tx *state.Txn, out any) ([]Event, error) {
	if w.Tell == nil {
		return []Event{w.Event}, nil
	}
	events, err := planSafely(func(tx *state.Txn) (any, error) { return w.Tell(tx, out, w.Event), nil }, tx)
	if err != nil {
		return nil, err
	}
	if told := events.([]Event); len(told) > 0 {
		return told, nil
	}
	return []Event{w.Event}, nil
}

// tellChanges gives the keys of changed records to the events: to the first,
// what none of them claims.
func tellChanges(events []Event, keys []string) {
	claimed := map[string]bool{}
	for i := range events {
		for _, k := range events[i].Changed {
			claimed[k] = true
		}
	}
	if len(claimed) == 0 {
		events[0].Changed = keys
		return
	}
	for _, k := range keys {
		if !claimed[k] {
			events[0].Changed = append(events[0].Changed, k)
		}
	}
}

// planSafely turns a panic of a plan, an error of our own code, into an error
// of that one call: the other calls of the batch are not its victims.
func planSafely(plan func(*state.Txn) (any, error), tx *state.Txn) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			buf := make([]byte, 8<<10)
			out, err = nil, fmt.Errorf("planning panicked: %v\n%s", r, buf[:runtime.Stack(buf, false)])
		}
	}()
	return plan(tx)
}

// follow applies what other servers write.
func (s *Store) follow(ctx context.Context) {
	from := s.now.Load().head
	for {
		err := s.applyFrom(ctx, from)
		if ctx.Err() != nil {
			return
		}
		s.opts.Logger.Warn("the state is loaded again", "err", err)
		for {
			v, head, err := s.load(ctx)
			if err == nil {
				s.staging.Lock()
				s.publish(v, head)
				s.staging.Unlock()
				from = head
				break
			}
			s.opts.Logger.Error("the state cannot be loaded; reads and writes wait", "err", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
		}
	}
}

// applyFrom applies updates until one cannot be had or applied.
func (s *Store) applyFrom(ctx context.Context, from Head) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for u := range s.log.Watch(ctx, from) {
		if u.Err != nil {
			return u.Err
		}
		if err := s.apply(u); err != nil {
			return err
		}
	}
	return errors.New("the watch ended")
}

func (s *Store) apply(u Update) error {
	s.staging.Lock()
	defer s.staging.Unlock()
	p := s.now.Load()
	if u.Head.Mark <= p.head.Mark {
		return nil // our own, or loaded already
	}
	rows := make([]state.Decoded, len(u.Records))
	for i, r := range u.Records {
		d, err := state.Decode(r)
		if err != nil {
			return err
		}
		rows[i] = d
	}
	s.publish(p.view.Apply(u.Head.Rev, seqOf(rows)), u.Head)
	return nil
}

func seqOf[T any](s []T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, v := range s {
			if !yield(v) {
				return
			}
		}
	}
}

// Scan reads a book. Events are given as DecodeEvent reads them, the first of
// each revision and those after it.
func (s *Store) Scan(ctx context.Context, b Book, from uint64, limit int) ([]Entry, error) {
	entries, err := s.log.Scan(ctx, b, trail.Place{Rev: from}, limit)
	if err != nil || b != Audit {
		return entries, err
	}
	for i := range entries {
		if entries[i].Value, err = s.open(&entries[i]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}
