package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/seal"
	"moat/state"
	"moat/store"
	"moat/trail"
	"moat/vpc"
)

func testRing(n byte) *seal.Ring { return seal.NewRing([seal.KeySize]byte{n, 1}) }

func unlocked(t *testing.T, log store.Log, ring *seal.Ring) *db {
	t.Helper()
	d := openStore(t, log)
	if err := d.Unlock(t.Context(), ring, false); err != nil {
		t.Fatal(err)
	}
	return d
}

// A tampered log gives other things than were written to it.
type tampered struct {
	store.Log
	mu     sync.Mutex                        // guards what follows: the store looks into it at any time
	events func([]store.Entry) []store.Entry // the whole book
	head   func(store.Head) store.Head
	paper  func(*store.Paper)
}

func (l *tampered) Scan(ctx context.Context, b store.Book, from trail.Place, limit int) ([]store.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b != store.Audit || l.events == nil {
		return l.Log.Scan(ctx, b, from, limit)
	}
	all, err := l.Log.Scan(ctx, b, trail.Place{}, 1<<20)
	if err != nil {
		return nil, err
	}
	all = l.events(all)
	i := slices.IndexFunc(all, func(e store.Entry) bool { return e.Place().Compare(from) >= 0 })
	if i < 0 {
		return nil, err
	}
	return all[i:min(len(all), i+limit)], err
}

func (l *tampered) Head(ctx context.Context) (store.Head, error) {
	h, err := l.Log.Head(ctx)
	if l.head != nil {
		h = l.head(h)
	}
	return h, err
}

func (l *tampered) Paper(ctx context.Context, name string) (*store.Paper, error) {
	p, err := l.Log.Paper(ctx, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paper != nil && err == nil {
		l.paper(p)
	}
	return p, err
}

func verify(t *testing.T, d *db, known *store.KnownHead) *store.Verification {
	t.Helper()
	v, err := d.Verify(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func note(action string) store.Event {
	return store.Event{Action: action, Service: "ec2", Time: begun, Account: home.Account, Region: home.Region, Principal: "arn:aws:iam::123456789012:user/mallory", Code: "UnauthorizedOperation"}
}

// history writes five revisions, one of which has three events, and notes
// between them: ten events.
func history(t *testing.T, d *db) {
	t.Helper()
	for i := range 5 {
		w := write(put(fmt.Sprint("g", i)))
		w.Event.Request = fmt.Sprintf("GroupName=g%d", i)
		if i == 2 {
			w.Tell = func(_ *state.Txn, _ any, e store.Event) []store.Event { return []store.Event{e, e, e} }
		}
		if _, _, err := d.Write(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if i == 1 || i == 4 {
			if err := d.Note(t.Context(), note("DescribeVpcs"), note("DeleteVpc")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func places(entries []store.Entry) (out []string) {
	for i := range entries {
		out = append(out, entries[i].Place().String())
	}
	return out
}

func book(t *testing.T, log store.Log) []store.Entry {
	t.Helper()
	all, err := log.Scan(t.Context(), store.Audit, trail.Place{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Events stand in the order of what they tell, also those that change nothing
// and those of one revision, and the chain through them holds.
func TestChain(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		log := open()
		d := unlocked(t, log, testRing(1))
		history(t, d)
		want := "1 2 2.1 2.2 3 3.1 3.2 4 5 5.1 5.2"
		if got := strings.Join(places(book(t, log)), " "); got != want {
			t.Fatalf("events stand at %s, want %s", got, want)
		}
		v := verify(t, d, nil)
		if v.Found != 0 || v.Events != 11 || v.First.String() != "1" || v.Last.String() != "5.2" || v.Head != v.Last || v.HeadHash == (trail.Hash{}) {
			t.Fatalf("%+v", v)
		}
		events, hashes, err := d.Events(t.Context(), trail.Place{Rev: 2, Seq: 1}, 2)
		if err != nil || len(events) != 2 || events[0].Action != "DescribeVpcs" || events[1].Action != "DeleteVpc" || events[1].Code == "" {
			t.Fatalf("%+v, %v", events, err)
		}
		if v := verify(t, d, &store.KnownHead{Place: trail.Place{Rev: 2, Seq: 2}, Hash: hashes[1]}); v.Found != 0 {
			t.Errorf("with the head of then: %+v", v.Faults)
		}
		if v := verify(t, d, &store.KnownHead{Place: trail.Place{Rev: 2, Seq: 2}, Hash: hashes[0]}); v.Found != 1 || v.Faults[0].Place.String() != "2.2" {
			t.Errorf("with another head: %+v", v.Faults)
		}
		for _, e := range book(t, log) {
			if bytes.Contains(e.Value, []byte("mallory")) || bytes.Contains(e.Value, []byte("GroupName")) {
				t.Fatalf("event %s can be read in the log", e.Place())
			}
		}
	})
}

// The same log, opened again: with its key everything is read, with another
// nothing is written.
func TestChainNeedsItsKey(t *testing.T) {
	m := store.NewMemory()
	d := unlocked(t, m, testRing(1))
	history(t, d)
	d.close()
	locked := openStore(t, m)
	if _, _, err := locked.Events(t.Context(), trail.Place{}, 1); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("without the key: %v", err)
	}
	var lost *store.LostEventsError
	if err := locked.Unlock(t.Context(), testRing(2), false); !errors.As(err, &lost) {
		t.Errorf("with another key: %v", err)
	}
	// A ring whose first key is new encrypts the keys anew; then the old one is
	// not needed.
	both := seal.NewRing([seal.KeySize]byte{3, 1}, [seal.KeySize]byte{1, 1})
	unlocked(t, m, both).close()
	d = unlocked(t, m, testRing(3))
	history(t, d)
	if v := verify(t, d, nil); v.Found != 0 || v.Events != 22 || v.Unreadable != 0 {
		t.Errorf("%+v", v)
	}
	d.close()
	// When the key is lost the old events stay, and the chain goes on.
	d = openStore(t, m)
	if err := d.Unlock(t.Context(), testRing(4), true); err != nil {
		t.Fatal(err)
	}
	history(t, d)
	if v := verify(t, d, nil); v.Found != 0 || v.Events != 33 || v.Unreadable != 22 {
		t.Errorf("%+v", v)
	}
	found, _, err := d.Find(t.Context(), &trail.Query{Limit: 50})
	if err != nil || len(found) != 11 {
		t.Errorf("%d events found, want the 11 that can be read: %v", len(found), err)
	}
}

// One flipped bit, wherever it is, is found, and the event that has it named
// and no other.
func TestAFlippedBitIsLocated(t *testing.T) {
	for _, ring := range []*seal.Ring{testRing(1), nil} {
		m := store.NewMemory()
		d := unlocked(t, m, ring)
		history(t, d)
		d.close()
		tampering := &tampered{Log: m}
		d = unlocked(t, tampering, ring)
		whole := book(t, m)
		for n := range whole {
			for i := 0; i < len(whole[n].Value); i++ {
				if testing.Short() && i%11 != 0 {
					continue
				}
				bit := byte(1) << (i % 8)
				tampering.mu.Lock()
				tampering.events = func(all []store.Entry) []store.Entry {
					all = slices.Clone(all)
					all[n].Value = slices.Clone(all[n].Value)
					all[n].Value[i] ^= bit
					return all
				}
				tampering.mu.Unlock()
				v := verify(t, d, nil)
				located := v.Found > 0
				for _, f := range v.Faults {
					located = located && f.Place == whole[n].Place()
				}
				// Who gives up encryption is told no less, but the last event may
				// be blamed once for itself and once as the end.
				if !located || v.Found > 2 {
					t.Fatalf("byte %d of event %s, encrypted %v: %+v", i, whole[n].Place(), ring != nil, v.Faults)
				}
			}
		}
	}
}

// What was taken out, moved or put in is found, with where; also when who did
// it made all hashes anew.
func TestChainFindsWhatIsNotThere(t *testing.T) {
	m := store.NewMemory()
	d := unlocked(t, m, testRing(1))
	history(t, d)
	d.close()
	whole := book(t, m)
	// rehash is what somebody does who can write to the database and has no key.
	var end trail.Hash
	rehash := func(all []store.Entry) []store.Entry {
		var prev trail.Hash
		for i := range all {
			s, err := trail.ReadStored(all[i].Value)
			if err != nil {
				t.Fatal(err)
			}
			all[i].Value, prev = trail.Store(prev, all[i].Place(), s.Time, s.Sealed, s.Body)
		}
		end = prev
		return all
	}
	without := func(from, to int) func([]store.Entry) []store.Entry {
		return func(all []store.Entry) []store.Entry { return slices.Delete(slices.Clone(all), from, to) }
	}
	renumbered := func(all []store.Entry) []store.Entry {
		all = without(3, 4)(all) // the last event of revision 2 goes
		return all
	}
	cutHead := func(n int) func(store.Head) store.Head {
		return func(h store.Head) store.Head {
			s, _ := trail.ReadStored(whole[n].Value)
			h.Rev, h.Seq, h.Chain = whole[n].Rev, whole[n].Seq, s.Hash
			return h
		}
	}
	for _, row := range []struct {
		what   string
		events func([]store.Entry) []store.Entry
		head   func(store.Head) store.Head
		place  string
		says   string
	}{
		{"the first is gone", without(0, 1), nil, "2", "the events before this one are missing"},
		{"the first is gone, hashes made anew", func(a []store.Entry) []store.Entry { return rehash(without(0, 1)(a)) }, nil, "2", "missing"},
		{"one in the middle is gone", without(4, 5), nil, "3.1", "missing"},
		{"the last of a revision is gone", renumbered, nil, "3", "does not follow"},
		{"the last of a revision is gone, hashes made anew", func(a []store.Entry) []store.Entry { return rehash(renumbered(a)) }, nil, "3", "does not follow"},
		{"a whole revision is gone", without(4, 7), nil, "4", "the events between 2.2 and this one are missing"},
		{"the end is gone", without(10, 11), nil, "5.1", "the events after this one are missing: the trail goes on to 5.2"},
		{"all is gone", without(0, 11), nil, "5.2", "all events are missing"},
		{"two are swapped", func(a []store.Entry) []store.Entry {
			a = slices.Clone(a)
			a[1].Value, a[2].Value = a[2].Value, a[1].Value
			return a
		}, nil, "2", "was changed"},
		{"two are swapped, hashes made anew", func(a []store.Entry) []store.Entry {
			a = slices.Clone(a)
			a[1].Value, a[2].Value = a[2].Value, a[1].Value
			return rehash(a)
		}, nil, "2", "was changed"},
		{"one is repeated at the end", func(a []store.Entry) []store.Entry {
			return append(slices.Clone(a), store.Entry{Rev: 5, Seq: 3, Value: a[10].Value})
		}, nil, "5.3", "stands after the end"},
		{"an unencrypted one is put in", func(a []store.Entry) []store.Entry {
			a = slices.Clone(a)
			e := note("Forged")
			e.Rev = 4
			s, _ := trail.ReadStored(a[6].Value)
			e.Prev = s.Hash[:]
			a[7].Value, _ = trail.Store(s.Hash, trail.Place{Rev: 4}, e.Time, false, trail.Encode(&e))
			return a
		}, nil, "4", "not encrypted"},
	} {
		tampering := &tampered{Log: m, head: row.head, events: row.events}
		if strings.HasSuffix(row.what, "anew") {
			tampering.head = func(h store.Head) store.Head { h.Chain = end; return h }
			row.events(slices.Clone(whole))
		}
		d := unlocked(t, tampering, testRing(1))
		v := verify(t, d, nil)
		if v.Found == 0 || v.Faults[0].Place.String() != row.place || !strings.Contains(v.Faults[0].What, row.says) {
			t.Errorf("%s: %+v, want %s: …%s…", row.what, v.Faults, row.place, row.says)
		}
		d.close()
	}
	// The end is gone and the head says so too: only who noted the head sees it.
	d = unlocked(t, &tampered{Log: m, events: without(8, 11), head: cutHead(7)}, testRing(1))
	s, _ := trail.ReadStored(whole[9].Value)
	if v := verify(t, d, nil); v.Found != 0 {
		t.Errorf("a trail that ends earlier with its head: %+v", v.Faults)
	}
	if v := verify(t, d, &store.KnownHead{Place: whole[9].Place(), Hash: s.Hash}); v.Found != 1 || !strings.Contains(v.Faults[0].What, "the event whose hash was noted is missing") {
		t.Errorf("with the head that was noted: %+v", v.Faults)
	}
}

// Retention removes from the front, and the rest is verified from its anchor,
// which nobody makes without the key.
func TestRetentionKeepsTheChain(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		log := open()
		d := unlocked(t, log, testRing(1))
		for i := range 6 {
			w := write(put(fmt.Sprint("g", i)))
			w.Call.Now = begun.Add(time.Duration(i) * time.Hour)
			if _, _, err := d.Write(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			e := note("DeleteVpc")
			e.Time = w.Call.Now.Add(time.Minute)
			if err := d.Note(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		before := verify(t, d, nil)
		_, hashes, err := d.Events(t.Context(), trail.Place{Rev: 1}, 12)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Retain(t.Context(), begun.Add(4*time.Hour), store.Retention{History: 24 * time.Hour, Audit: 2*time.Hour - 30*time.Second}); err != nil {
			t.Fatal(err)
		}
		v := verify(t, d, &store.KnownHead{Place: before.Head, Hash: before.HeadHash})
		if v.Found != 0 || v.First.String() != "3.1" || v.Anchor.Place.String() != "3" || v.Events != 7 {
			t.Fatalf("%+v", v)
		}
		if v := verify(t, d, &store.KnownHead{Place: v.Anchor.Place, Hash: hashes[4]}); v.Found != 0 {
			t.Errorf("with the head that is the anchor: %+v", v.Faults)
		}
		found, _, err := d.Find(t.Context(), &trail.Query{Limit: 50})
		if err != nil || len(found) != 7 {
			t.Errorf("%d events are found: %v", len(found), err)
		}
		history(t, d)
		d.close()
		// A client with no key removes more, and moves the anchor as well as it can.
		forged := &tampered{Log: open(), events: func(all []store.Entry) []store.Entry { return all[2:] },
			paper: func(p *store.Paper) {
				if p.Name == "trail-anchor" {
					p.Value = append([]byte{0}, p.Value[1:]...)
				}
			}}
		d = unlocked(t, forged, testRing(1))
		if v := verify(t, d, nil); v.Found == 0 || !strings.Contains(v.Faults[0].What, "the anchor") {
			t.Errorf("a forged anchor: %+v", v.Faults)
		}
		forged.mu.Lock()
		forged.paper = nil
		forged.mu.Unlock()
		if v := verify(t, d, nil); v.Found == 0 || !strings.Contains(v.Faults[0].What, "missing") {
			t.Errorf("a hole after the anchor: %+v", v.Faults)
		}
	})
}

// Several servers that write at once, and are refused at once, make one chain.
func TestServersMakeOneChain(t *testing.T) {
	eachSharedLog(t, func(t *testing.T, open func() store.Log) {
		var ds []*db
		for range 3 {
			ds = append(ds, unlocked(t, open(), testRing(1)))
		}
		var wg sync.WaitGroup
		for i, d := range ds {
			for w := range 4 {
				wg.Go(func() {
					for n := range 15 {
						if _, _, err := d.Write(t.Context(), write(put(fmt.Sprintf("%d-%d-%d", i, w, n)))); err != nil {
							t.Error(err)
						}
						if n%3 == 0 {
							if err := d.Note(t.Context(), note("DeleteVpc")); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
		}
		wg.Wait()
		for _, d := range ds {
			if v := verify(t, d, nil); v.Found != 0 || v.Events != 3*4*20 || v.Head.Rev != 3*4*15 {
				t.Errorf("%+v", v)
			}
			found, _, err := d.Find(t.Context(), &trail.Query{Terms: []string{trail.Term(trail.ByName, "DeleteVpc")}, Limit: 100})
			if err != nil || len(found) != 60 {
				t.Errorf("%d are found, want 60: %v", len(found), err)
			}
		}
	})
}

// A fading log fails after some writes.
type fading struct {
	store.Log
	left int
}

var errFaded = errors.New("power failed")

func (l *fading) Append(ctx context.Context, after store.Head, b *store.Batch) (store.Head, error) {
	if l.left--; l.left < 0 {
		return store.Head{}, errFaded
	}
	return l.Log.Append(ctx, after, b)
}

func (l *fading) Limits() store.Limits { return store.Limits{Ops: 3, Bytes: 1 << 20} }

// The events of a moat that had no chain are encrypted and entered into it: on
// a backup of commit 51c359e, whose key can still be read in it. It goes on
// where it stopped, and two servers may be at it.
func TestEventsOfAnOlderMoatAreEntered(t *testing.T) {
	old, err := os.ReadFile("testdata/format1.backup")
	if err != nil {
		t.Fatal(err)
	}
	var was []*store.Event
	info, err := store.ReadBackup(bytes.NewReader(old), func(_ *store.BackupInfo, key string, value []byte) error {
		if strings.HasPrefix(key, "audit/") {
			e, err := trail.Decode(value)
			was = append(was, e)
			return err
		}
		return nil
	})
	if err != nil || len(was) != 7 || info.Rev != 7 {
		t.Fatalf("the backup: %+v with %d events, %v", info, len(was), err)
	}
	check := func(t *testing.T, d *db, log store.Log) {
		t.Helper()
		if v := verify(t, d, nil); v.Found != 0 || v.Events != 7 || v.Head.String() != "7" {
			t.Fatalf("%+v", v)
		}
		events, _, err := d.Events(t.Context(), trail.Place{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			e.Prev = nil
			if got, want := fmt.Sprintf("%+v", e), fmt.Sprintf("%+v", was[i]); got != want {
				t.Errorf("event %d is %s, was %s", i+1, got, want)
			}
		}
		for key, value := range contents(t, log) {
			if strings.HasPrefix(key, "audit/") && (strings.Contains(value, "SecurityGroup") || strings.Contains(value, "AKIA")) {
				t.Errorf("%s can still be read", key)
			}
		}
		if _, rev := d.do(put("new")); rev != 8 {
			t.Errorf("the next revision is %d", rev)
		}
		if v := verify(t, d, nil); v.Found != 0 || v.Events != 8 {
			t.Errorf("after a write: %+v", v)
		}
	}
	restored := func(t *testing.T, e *store.Etcd) {
		t.Helper()
		if err := e.Restore(t.Context(), bytes.NewReader(old), info); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("embedded etcd, stopped after each page", func(t *testing.T) {
		dir := t.TempDir()
		log := embedded(t, dir)
		restored(t, log)
		locked := openStore(t, log)
		if _, _, err := locked.Write(t.Context(), write(put("early"))); err == nil || !strings.Contains(err.Error(), "Unlock") {
			t.Errorf("a write before: %v", err)
		}
		locked.close()
		for again := 0; ; again++ {
			log := embedded(t, dir)
			d := openStore(t, &fading{log, 1})
			err := d.Unlock(t.Context(), testRing(1), false)
			if err == nil {
				if again < 3 {
					t.Errorf("it was done in %d goes", again+1)
				}
				d.close()
				break
			}
			if !errors.Is(err, errFaded) {
				t.Fatal(err)
			}
			d.close()
		}
		log = embedded(t, dir)
		check(t, unlocked(t, log, testRing(1)), log)
	})
	t.Run("etcd cluster, two servers at once", func(t *testing.T) {
		c := startEtcd(t)
		first := c.open().(*store.Etcd)
		restored(t, first)
		second := c.open()
		var ds []*db
		for _, l := range []store.Log{first, second} {
			ds = append(ds, openStore(t, &fading{l, 1000}))
		}
		var wg sync.WaitGroup
		for _, d := range ds {
			wg.Go(func() {
				if err := d.Unlock(t.Context(), testRing(1), false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		check(t, ds[0], second)
		if v := verify(t, ds[1], nil); v.Found != 0 || v.Events != 8 {
			t.Errorf("the other: %+v", v)
		}
	})
}

// Events are found as a look at each of them finds them, by any terms, times
// and pages, also while some are removed.
func TestFind(t *testing.T) {
	m := store.NewMemory()
	d := unlocked(t, m, testRing(1))
	r := rand.New(rand.NewPCG(1, 2))
	actions, users := []string{"CreateVpc", "DeleteVpc", "AuthorizeSecurityGroupIngress"}, []string{"alice", "bob", "carol", "dave"}
	accounts, regions := []vpc.AccountID{"123456789012", "210987654321"}, []string{"us-east-1", "eu-west-1", ""}
	var all []store.Event
	more := func(n int) {
		var batch []store.Event
		for range n {
			u := users[r.IntN(4)*r.IntN(4)/3%4]
			e := store.Event{
				Action: actions[r.IntN(3)], Service: []string{"ec2", "iam"}[r.IntN(2)], Account: accounts[r.IntN(2)], Region: regions[r.IntN(3)],
				Principal: "arn:aws:iam::123456789012:user/" + u, UserName: u, ReadOnly: r.IntN(4) == 0,
				Request: fmt.Sprintf("GroupId=sg-0%016x", r.IntN(40)),
				Time:    begun.Add(time.Duration(len(all)+len(batch))*time.Second + time.Duration(r.IntN(20))*time.Second),
			}
			batch = append(batch, e)
		}
		if err := d.Note(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
		entries, _, err := d.Events(t.Context(), trail.Place{}, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		all = all[:0]
		for _, e := range entries {
			all = append(all, *e)
		}
	}
	if _, _, err := d.Write(t.Context(), write(put("g"))); err != nil {
		t.Fatal(err)
	}
	for round := range 60 {
		more(1 + r.IntN(60))
		if round == 40 {
			if err := d.Retain(t.Context(), begun.Add(10*time.Minute), store.Retention{}); err != nil {
				t.Fatal(err)
			}
			more(1)
		}
		for range 10 {
			q := trail.Query{Limit: 1 + r.IntN(60)}
			maybe := func(n int, f func()) {
				if r.IntN(n) == 0 {
					f()
				}
			}
			maybe(2, func() { q.Account = accounts[r.IntN(2)] })
			maybe(2, func() { q.Region = regions[r.IntN(2)] })
			maybe(3, func() { q.Source = "iam" })
			maybe(4, func() { b := r.IntN(2) == 0; q.ReadOnly = &b })
			maybe(2, func() { q.Terms = append(q.Terms, trail.Term(trail.ByUser, users[r.IntN(4)])) })
			maybe(3, func() { q.Terms = append(q.Terms, trail.Term(trail.ByName, actions[r.IntN(3)])) })
			maybe(3, func() { q.Terms = append(q.Terms, trail.Term(trail.ByResource, fmt.Sprintf("sg-0%016x", r.IntN(40)))) })
			maybe(3, func() { q.Since = begun.Add(time.Duration(r.IntN(2000)) * time.Second) })
			maybe(3, func() { q.Until = begun.Add(time.Duration(r.IntN(2000)) * time.Second) })
			maybe(4, func() { q.Match = func(e *store.Event) bool { return e.ID[0] < 'a' } })
			var want, got []string
			for i := len(all) - 1; i >= 0; i-- {
				if e := &all[i]; looked(&q, e) {
					want = append(want, e.Place().String())
				}
			}
			for {
				page, next, err := d.Find(t.Context(), &q)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) > q.Limit {
					t.Fatalf("%d events, at most %d were wanted", len(page), q.Limit)
				}
				for _, e := range page {
					got = append(got, e.Place().String())
				}
				if q.Before = next; next == (trail.Place{}) {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, %d events: %+v\n gives %v\n want %v", round, len(all), q, got, want)
			}
		}
	}
}

// looked judges one event by itself.
func looked(q *trail.Query, e *store.Event) bool {
	terms := slices.Collect(trail.Terms(e))
	for _, t := range q.Terms {
		if !slices.Contains(terms, t) {
			return false
		}
	}
	return (q.Account == "" || e.Account == q.Account) && (q.Region == "" || e.Region == "" || e.Region == q.Region) &&
		(q.Source == "" || e.Service == q.Source) && (q.ReadOnly == nil || e.ReadOnly == *q.ReadOnly) &&
		(q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || !e.Time.After(q.Until)) && (q.Match == nil || q.Match(e))
}
