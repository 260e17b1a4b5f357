package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"moat/state"
	"moat/state/statetest"
	"moat/store"
	"moat/test/etcdtest"
)

// An etcdServer is an etcd to open as a cluster.
type etcdServer struct {
	*etcdtest.Server
	t *testing.T
}

func startEtcd(t *testing.T, change ...func(*embed.Config)) *etcdServer {
	t.Helper()
	return &etcdServer{etcdtest.Start(t, change...), t}
}

func (s *etcdServer) open() store.Log { return s.openAt(s.Endpoint()) }

func (s *etcdServer) openAt(endpoint string) store.Log {
	s.t.Helper()
	log, err := store.OpenCluster(s.t.Context(), store.Cluster{Endpoints: []string{endpoint}}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return log
}

// A hookedLog tells of what is asked of it.
type hookedLog struct {
	store.Log
	beforeAppend func(*store.Batch)
	loads        atomic.Int64
	onPage       func()
	mu           sync.Mutex
	watches      []context.Context
}

func (l *hookedLog) Load(ctx context.Context, page func([]state.Record) error) (store.Head, error) {
	l.loads.Add(1)
	return l.Log.Load(ctx, func(r []state.Record) error {
		if l.onPage != nil {
			l.onPage()
		}
		return page(r)
	})
}

func (l *hookedLog) Watch(ctx context.Context, after store.Head) <-chan store.Update {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watches = append(l.watches, ctx)
	return l.Log.Watch(ctx, after)
}

// asked gives how many watches were asked for; each follows a load.
func (l *hookedLog) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.watches)
}

func (l *hookedLog) Append(ctx context.Context, after store.Head, b *store.Batch) (store.Head, error) {
	if l.beforeAppend != nil {
		l.beforeAppend(b)
	}
	return l.Log.Append(ctx, after, b)
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 seconds still not: %s", what)
		}
	}
}

// eachSharedLog runs a test on the logs that several stores may use at once.
func eachSharedLog(t *testing.T, f func(t *testing.T, open func() store.Log)) {
	t.Run("memory", func(t *testing.T) {
		m := store.NewMemory()
		f(t, func() store.Log { return m })
	})
	t.Run("etcd cluster", func(t *testing.T) {
		c := startEtcd(t)
		f(t, c.open)
	})
}

// What one server answered the other knows: at once for who asks it, and by
// itself after a moment.
func TestServersSeeEachOther(t *testing.T) {
	eachSharedLog(t, func(t *testing.T, open func() store.Log) {
		ds := []*db{openStore(t, open()), openStore(t, open())}
		for i := range 200 {
			name := fmt.Sprint(i)
			writer, reader := ds[i%2], ds[1-i%2]
			_, rev := writer.do(put(name))
			v := reader.view()
			if v.Rev != rev || !has(v, name) {
				t.Fatalf("a write answered at revision %d is not in a view of revision %d that was asked for afterwards", rev, v.Rev)
			}
		}
		// A refusal is judged on what the other wrote, too.
		ds[0].do(put("taken"))
		_, _, err := ds[1].Write(t.Context(), write(func(tx *state.Txn) (any, error) {
			if state.Groups.Get(tx, "sg-taken") != nil {
				return nil, errors.New("taken")
			}
			return nil, nil
		}))
		if err == nil || err.Error() != "taken" {
			t.Errorf("a call that should be refused for what the other server wrote gives %v", err)
		}
		ds[0].do(put("last"))
		until(t, "the other server has the last write by itself", func() bool { return has(ds[1].Latest(), "last") })
		if diff := statetest.Diff(statetest.Rows(ds[0].Latest()), statetest.Rows(ds[1].Latest())); diff != "" {
			t.Error(diff)
		}
	})
}

// With local reads a view may be behind; a write is judged as ever.
func TestLocalReads(t *testing.T) {
	c := startEtcd(t)
	p := c.Proxy()
	a := openStore(t, c.open())
	b := openStore(t, c.openAt(p.Endpoint()), func(o *store.Options) { o.LocalReads = true })
	p.Cut(func() { p.Down = true })
	a.do(count)
	if v := b.view(); v.Rev != 0 {
		t.Errorf("a server that is cut off knows revision %d", v.Rev)
	}
	p.Set(func() { p.Down = false })
	if out, rev := b.do(count); out != int64(1) || rev != 2 {
		t.Errorf("its write saw %v calls and is revision %d, want 1 and 2", out, rev)
	}
}

// Servers that write at the same time plan again on what the other wrote:
// nothing is lost, nothing is counted twice, and both agree on the order.
func TestServersThatWriteAtOnce(t *testing.T) {
	const writers, each = 8, 40
	eachSharedLog(t, func(t *testing.T, open func() store.Log) {
		ds := []*db{openStore(t, slowLog{open()}), openStore(t, slowLog{open()})}
		var plans, behind atomic.Int64
		saw := make([]atomic.Int64, 2*writers*each)
		var wg sync.WaitGroup
		for w := range 2 * writers {
			wg.Go(func() {
				for range each {
					first := true
					out, rev, err := ds[w%2].Write(t.Context(), write(func(tx *state.Txn) (any, error) {
						plans.Add(1)
						if !first {
							behind.Add(1)
						}
						first = false
						return count(tx)
					}))
					if err != nil {
						t.Error(err)
						return
					}
					if out.(int64)+1 != int64(rev) {
						t.Errorf("revision %d saw %d calls before it", rev, out)
					}
					saw[out.(int64)].Add(1)
				}
			})
		}
		wg.Wait()
		for n := range saw {
			if saw[n].Load() != 1 {
				t.Errorf("%d calls saw %d before them", saw[n].Load(), n)
			}
		}
		for _, d := range ds {
			if v := d.view(); counted(v) != len(saw) || v.Rev != uint64(len(saw)) {
				t.Errorf("%d counted at revision %d, want %d", counted(v), v.Rev, len(saw))
			}
		}
		if behind.Load() == 0 {
			t.Error("no call was planned again: the servers never met")
		}
		if got := len(ds[0].book(store.Audit, 0)); got != len(saw) {
			t.Errorf("%d events, want %d", got, len(saw))
		}
	})
}

// A server that is cut off while the cluster forgets what it missed loads the
// state anew, once.
func TestFallingBehindACompaction(t *testing.T) {
	c := startEtcd(t)
	p := c.Proxy()
	log := &hookedLog{Log: c.openAt(p.Endpoint())}
	a, b := openStore(t, c.open()), openStore(t, log)
	r := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		a.do(randomChanges(r, 10))
	}
	b.view()
	p.Cut(func() { p.Down = true })
	for range 20 {
		a.do(randomChanges(r, 10))
	}
	c.Compact()
	p.Set(func() { p.Down = false })
	until(t, "the server that was cut off has all", func() bool { return b.Latest().Rev == 40 })
	if diff := statetest.Diff(statetest.Rows(a.Latest()), statetest.Rows(b.Latest())); diff != "" {
		t.Error(diff)
	}
	if n := log.loads.Load(); n != 2 {
		t.Errorf("the state was loaded %d times, want at the start and after the compaction", n)
	}
	a.do(put("more"))
	until(t, "it follows again", func() bool { return has(b.Latest(), "more") })
}

// An idle server whose connection ends after others' keys made the cluster
// compact loads once and then waits; it does not load again and again.
func TestAnIdleServerAfterACompaction(t *testing.T) {
	c := startEtcd(t)
	p := c.Proxy()
	log := &hookedLog{Log: c.openAt(p.Endpoint())}
	b := openStore(t, log)
	b.do(put("web"))
	for round := range 3 {
		for range 3 {
			c.Put("others", "write")
		}
		c.Compact()
		p.Cut(func() {})
		c.Put("others", "more")
		// It has loaded, and watches from there: what comes before the watch is
		// asked for would be loaded too, and need no further load.
		until(t, "the server has asked again", func() bool { b.view(); return log.asked() >= 2+round })
	}
	time.Sleep(500 * time.Millisecond) // etcd answers a watch it cannot serve ten times a second
	if n := log.loads.Load(); n != 4 {
		t.Errorf("the state was loaded %d times, want once for each of 3 compactions", n)
	}
	a := openStore(t, c.open())
	a.do(put("ops"))
	until(t, "it follows", func() bool { return has(b.Latest(), "ops") })
}

// A server starts on a cluster that has compacted before moat first wrote.
func TestStartingOnACompactedCluster(t *testing.T) {
	c := startEtcd(t)
	for range 5 {
		c.Put("others", "write")
	}
	c.Compact()
	log := &hookedLog{Log: c.open()}
	a, b := openStore(t, c.open()), openStore(t, log)
	a.do(put("web"))
	until(t, "the other server has it", func() bool { return has(b.Latest(), "web") })
	if n := log.loads.Load(); n != 1 {
		t.Errorf("the state was loaded %d times, want once", n)
	}
}

// The cluster may compact while the state is being loaded.
func TestACompactionWhileLoading(t *testing.T) {
	c := startEtcd(t)
	a := openStore(t, c.open())
	for i := range 20 {
		a.do(puts(100*i, 50))
	}
	log := &hookedLog{Log: c.open()}
	once := sync.OnceFunc(func() {
		a.do(put("late"))
		c.Compact()
	})
	log.onPage = once
	b := openStore(t, log)
	if diff := statetest.Diff(statetest.Rows(a.Latest()), statetest.Rows(b.Latest())); diff != "" {
		t.Error(diff)
	}
	if n := log.loads.Load(); n != 2 {
		t.Errorf("%d loads, want a second one after the first was cut short", n)
	}
}

// Somebody's hands in moat's keys: the state is loaded again, once.
func TestRecordsChangedByHand(t *testing.T) {
	c := startEtcd(t)
	log := &hookedLog{Log: c.open()}
	b := openStore(t, log)
	b.do(put("web"))
	c.Put("/moat/state/us-east-1/123456789012/sg/sg-hand", string(state.Encode(group("hand"))))
	until(t, "the row is there", func() bool { return has(b.Latest(), "hand") })
	time.Sleep(500 * time.Millisecond)
	if n := log.loads.Load(); n != 2 {
		t.Errorf("the state was loaded %d times, want 2", n)
	}
	b.do(put("ops"))
	if v := b.view(); v.Rev != 2 || !has(v, "ops") || !has(v, "hand") {
		t.Errorf("after the next write: revision %d", v.Rev)
	}
}

// What a newer moat writes an older one does not understand: it serves
// nothing rather than half, says so, and goes on when it can.
func TestRecordsOfANewerMoat(t *testing.T) {
	eachSharedLog(t, func(t *testing.T, open func() store.Log) {
		log := &hookedLog{Log: open()}
		b := openStore(t, log, func(o *store.Options) { o.Patience = 200 * time.Millisecond })
		b.do(put("web"))
		newer := open()
		head, err := newer.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		batch := func(rev uint64, value []byte) {
			t.Helper()
			head, err = newer.Append(t.Context(), head, &store.Batch{Rev: rev,
				Records: []state.Record{{Key: "us-east-1/123456789012/newkind/x", Value: value}},
				Entries: []store.BookEntry{{Book: store.Audit, Entry: store.Entry{Rev: rev, Value: []byte{byte(rev)}}}}})
			if err != nil {
				t.Fatal(err)
			}
		}
		batch(2, []byte{1, 2, 3})
		if _, err := b.View(t.Context()); !errors.Is(err, store.ErrNoAnswer) {
			t.Errorf("a view that cannot be had gives %v", err)
		}
		if _, _, err := b.Write(t.Context(), write(count)); !errors.Is(err, store.ErrNoAnswer) {
			t.Errorf("a write that cannot be judged gives %v", err)
		}
		batch(3, nil)
		until(t, "the view is there again", func() bool { return b.Latest().Rev == 3 })
		b.do(put("ops"))
		if v := b.view(); v.Rev != 4 || !has(v, "web") || !has(v, "ops") {
			t.Errorf("afterwards: revision %d", v.Rev)
		}
		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.watches) != 2 || log.watches[0].Err() == nil || log.watches[1].Err() != nil {
			t.Errorf("%d watches, want one that ended and one that goes on", len(log.watches))
		}
	})
}

// While etcd is away every call is answered with an error; when it is back
// they succeed, without a restart.
func TestEtcdGoesAwayAndComesBack(t *testing.T) {
	c := startEtcd(t)
	p := c.Proxy()
	a := openStore(t, c.openAt(p.Endpoint()), func(o *store.Options) { o.Patience = time.Second })
	b := openStore(t, c.openAt(p.Endpoint()))
	a.do(put("before"))
	p.Cut(func() { p.Down = true }) // etcd stops at once when nobody is connected
	c.Stop()
	began := time.Now()
	if _, err := a.View(t.Context()); !errors.Is(err, store.ErrNoAnswer) {
		t.Errorf("a read gives %v", err)
	}
	if _, _, err := a.Write(t.Context(), write(put("lost"))); !errors.Is(err, store.ErrNoAnswer) {
		t.Errorf("a write gives %v", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the errors took %v, with a patience of a second", took)
	}
	if !has(a.Latest(), "before") {
		t.Error("the view at hand is gone")
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.View(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller with less patience gets %v", err)
	}
	c.Start()
	p.Set(func() { p.Down = false })
	until(t, "writes succeed again", func() bool {
		_, _, err := a.Write(t.Context(), write(put("after")))
		return err == nil
	})
	if v := b.view(); !has(v, "after") || !has(v, "before") {
		t.Error("the other server does not see what was written before and after")
	}
	b.do(put("other"))
	until(t, "the watch goes on", func() bool { return has(a.Latest(), "other") })
}

// TestNobodyWaitsTwice holds that a call which comes while another one waits for
// an etcd that is away waits no longer than that one.
func TestNobodyWaitsTwice(t *testing.T) {
	c := startEtcd(t)
	p := c.Proxy()
	const patience = 4 * time.Second
	a := openStore(t, c.openAt(p.Endpoint()), func(o *store.Options) { o.Patience = patience })
	a.do(put("before"))
	p.Cut(func() { p.Down = true })
	c.Stop()
	var calls sync.WaitGroup
	for n := range 6 {
		calls.Go(func() {
			began := time.Now()
			var err error
			if n%2 == 0 {
				_, _, err = a.Write(t.Context(), write(put("lost")))
			} else {
				_, err = a.View(t.Context())
			}
			if took := time.Since(began); !errors.Is(err, store.ErrNoAnswer) || took > patience+patience/2 {
				t.Errorf("call %d gets %v after %v, with a patience of %v", n, err, took, patience)
			}
		})
		time.Sleep(patience / 20)
	}
	calls.Wait()
}

// A connection that ends while a transaction is under way leaves its outcome
// unknown. The call is neither lost nor made twice, whether etcd carried it
// out or not, and whoever wrote meanwhile.
func TestUnknownOutcome(t *testing.T) {
	for _, c := range []struct {
		name      string
		deaf      bool // etcd carried it out, and its answer is lost
		meanwhile int  // writes of another server before the connection is back
	}{
		{"carried out", true, 0},
		{"carried out, then others wrote", true, 3},
		{"not carried out", false, 0},
		{"not carried out, then others wrote", false, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			etcd := startEtcd(t)
			p := etcd.Proxy()
			armed := atomic.Bool{}
			inAppend := make(chan struct{}, 16)
			log := &hookedLog{Log: etcd.openAt(p.Endpoint()), beforeAppend: func(*store.Batch) {
				if armed.Swap(false) {
					p.Set(func() { p.Deaf, p.Mute = c.deaf, !c.deaf })
					inAppend <- struct{}{}
				}
			}}
			a, b := openStore(t, log), openStore(t, etcd.open())
			total := 0
			for range 15 {
				armed.Store(true)
				type answer struct {
					out any
					rev uint64
					err error
				}
				const calls = 3
				answers := make(chan answer, calls)
				for range calls {
					go func() {
						out, rev, err := a.Write(t.Context(), write(count))
						answers <- answer{out, rev, err}
					}()
				}
				<-inAppend
				if c.deaf {
					until(t, "etcd carried the transaction out", func() bool { return counted(b.view()) > total })
				} else {
					time.Sleep(5 * time.Millisecond) // the request is sent and lost
				}
				for range c.meanwhile {
					b.do(count)
				}
				p.Cut(func() { p.Deaf, p.Mute = false, false })
				total += calls + c.meanwhile
				for range calls {
					got := <-answers
					if got.err != nil {
						t.Fatal(got.err)
					}
					if got.out.(int64)+1 != int64(got.rev) {
						t.Errorf("revision %d saw %d calls before it", got.rev, got.out)
					}
				}
				for _, d := range []*db{a, b} {
					if v := d.view(); counted(v) != total || v.Rev != uint64(total) {
						t.Fatalf("%d counted at revision %d, want %d", counted(v), v.Rev, total)
					}
				}
			}
			if n := len(b.book(store.Audit, 0)); n != total {
				t.Errorf("%d events, want %d", n, total)
			}
		})
	}
}

// The same with connections that end at any moment, under load of two servers.
func TestConnectionsThatEndAtAnyMoment(t *testing.T) {
	etcd := startEtcd(t)
	p := etcd.Proxy()
	ds := []*db{openStore(t, etcd.openAt(p.Endpoint())), openStore(t, etcd.open())}
	stop := make(chan struct{})
	var done atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, rev, err := ds[w%2].Write(t.Context(), write(count))
				if err != nil {
					t.Error(err)
					return
				}
				if out.(int64)+1 != int64(rev) {
					t.Errorf("revision %d saw %d calls before it", rev, out)
				}
				done.Add(1)
				if v, err := ds[1-w%2].View(t.Context()); err != nil {
					t.Error(err)
				} else if v.Rev < rev {
					t.Errorf("a view of revision %d after a write of %d was answered", v.Rev, rev)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(5, 5))
	cuts := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); cuts++ {
		time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
		p.Set(func() { p.Deaf, p.Mute = r.IntN(2) == 0, r.IntN(4) == 0 })
		time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
		p.Cut(func() { p.Deaf, p.Mute = false, false })
	}
	close(stop)
	wg.Wait()
	for _, d := range ds {
		if v := d.view(); int64(counted(v)) != done.Load() {
			t.Errorf("%d counted, %d calls were answered", counted(v), done.Load())
		}
	}
	if done.Load() < 20 {
		t.Errorf("only %d calls in %d cuts", done.Load(), cuts)
	}
}

// A cluster's storage quota: writes are refused with what to do, reads go on.
func TestClusterWithoutRoom(t *testing.T) {
	c := startEtcd(t, func(cfg *embed.Config) { cfg.QuotaBackendBytes = 8 << 20 })
	a := openStore(t, c.open())
	big := strings.Repeat("x", 200<<10)
	var full *store.NoSpaceError
	n := 0
	for ; n < 200; n++ {
		_, _, err := a.Write(t.Context(), write(func(tx *state.Txn) (any, error) {
			g := group(fmt.Sprint(n))
			g.Description = big
			state.Groups.Put(tx, g)
			return nil, nil
		}))
		if errors.As(err, &full) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if full == nil || !strings.Contains(full.Reason, "quota") {
		t.Fatalf("%d writes, then %v", n, full)
	}
	if v := a.view(); v.Rev != uint64(n) || !has(v, fmt.Sprint(n-1)) || has(v, fmt.Sprint(n)) {
		t.Errorf("a read after the refusal: revision %d, want %d", v.Rev, n)
	}
}

// A cluster that takes less than the store was told.
func TestClusterWithNarrowTransactions(t *testing.T) {
	c := startEtcd(t, func(cfg *embed.Config) { cfg.MaxTxnOps = 16; cfg.MaxRequestBytes = 64 << 10 })
	a := openStore(t, c.open())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				if _, _, err := a.Write(t.Context(), write(puts(1000*w+10*i, 5))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, _, err := a.Write(t.Context(), write(puts(100000, 20))); !errors.Is(err, store.ErrTooBig) {
		t.Errorf("a call of too many rows gives %v", err)
	}
	_, _, err := a.Write(t.Context(), write(func(tx *state.Txn) (any, error) {
		g := group("big")
		g.Description = strings.Repeat("x", 80<<10)
		state.Groups.Put(tx, g)
		return nil, nil
	}))
	if !errors.Is(err, store.ErrTooBig) {
		t.Errorf("a call of too many bytes gives %v", err)
	}
	if v := a.view(); v.Rev != 80 || state.Groups.Len(v.In(home)) != 400 {
		t.Errorf("revision %d with %d rows", v.Rev, state.Groups.Len(v.In(home)))
	}
}
