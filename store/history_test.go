package store_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/state"
	"moat/state/statetest"
	"moat/store"
)

var historyRevisions = flag.Int("history-revisions", 250, "how long the random history of TestAsOf is; 5000 takes about a quarter of an hour")

// digest tells the rows of a view from any others.
func digest(v *state.View) [32]byte {
	rows := statetest.Rows(v)
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(h, "%q=%q\n", k, rows[k])
	}
	return [32]byte(h.Sum(nil))
}

// As of each revision of a random history of every kind of record, the state is
// what it was at the time, also for a store that was opened later.
func TestAsOf(t *testing.T) {
	if testing.Short() {
		*historyRevisions = min(*historyRevisions, 60)
	}
	eachLog(t, func(t *testing.T, open func() store.Log) {
		r := rand.New(rand.NewPCG(11, 11))
		d := openStore(t, open())
		was := [][32]byte{digest(d.Latest())}
		for len(was) <= *historyRevisions {
			w := write(randomChanges(r, 1+r.IntN(6)))
			w.Call.Now = begun.Add(time.Duration(len(was)) * time.Second)
			if _, _, err := d.Write(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if v := d.Latest(); v.Rev == uint64(len(was)) {
				was = append(was, digest(v))
			}
		}
		d.close()
		d = openStore(t, open())
		head := d.Latest().Rev
		different := 0
		for rev := uint64(0); rev <= head; rev++ {
			v, err := d.AsOf(t.Context(), rev)
			if err != nil {
				t.Fatal(err)
			}
			if v.Rev != rev || digest(v) != was[rev] {
				t.Fatalf("as of revision %d of %d: revision %d with other rows than at the time", rev, head, v.Rev)
			}
			if rev > 0 && was[rev] != was[rev-1] {
				different++
			}
			at, err := d.RevisionAt(t.Context(), begun.Add(time.Duration(rev)*time.Second+time.Millisecond))
			if err != nil || at != rev {
				t.Fatalf("a moment after revision %d: revision %d, %v", rev, at, err)
			}
		}
		if different < *historyRevisions*9/10 {
			t.Errorf("only %d revisions changed anything", different)
		}
		// Reading the past changes nothing.
		if digest(d.Latest()) != was[head] {
			t.Error("the present is another one now")
		}
		if _, err := d.AsOf(t.Context(), head+1); err == nil || !strings.Contains(err.Error(), "no revision") {
			t.Errorf("a revision that is not there yet: %v", err)
		}
	})
}

// Between tells exactly the records that some call touched.
func TestBetween(t *testing.T) {
	d := openStore(t, store.NewMemory())
	for _, name := range []string{"a", "b", "c"} {
		d.do(put(name))
	}
	_, rev := d.do(func(tx *state.Txn) (any, error) {
		state.Groups.Delete(tx, group("b").ID)
		return nil, nil
	})
	d.do(put("d"))
	for _, row := range []struct {
		from, to   uint64
		want       string
		had, hasIt bool // group b
	}{
		{0, rev + 1, "a b c d", false, false},
		{1, 2, "b", false, true},
		{2, 3, "c", true, true},
		{3, rev, "b", true, false},
		{rev, rev, "", false, false},
	} {
		before, after, touched, err := d.Between(t.Context(), row.from, row.to)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range touched {
			got = append(got, k[strings.LastIndex(k, "-")+1:])
		}
		if strings.Join(got, " ") != row.want || before.Rev != row.from || after.Rev != row.to || has(before, "b") != row.had || has(after, "b") != row.hasIt {
			t.Errorf("between %d and %d: %v at %d and %d (b %v, then %v), want %s", row.from, row.to, touched, before.Rev, after.Rev, has(before, "b"), has(after, "b"), row.want)
		}
	}
	if _, _, _, err := d.Between(t.Context(), 3, 2); err == nil {
		t.Error("backwards is no way")
	}
}

// What retention removed is not guessed: the error says how far back it goes.
func TestAsOfWhatIsGone(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, open())
		for n := 1; n <= 10; n++ {
			w := write(count)
			w.Call.Now = begun.Add(time.Duration(n) * time.Hour)
			if _, _, err := d.Write(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		at := func(n int) time.Time { return begun.Add(time.Duration(n) * time.Hour) }
		if err := d.Retain(t.Context(), at(10), store.Retention{HistoryRevisions: 5, Audit: 6 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		for rev := range 11 {
			v, err := d.AsOf(t.Context(), uint64(rev))
			var gone *store.HistoryError
			switch {
			case rev >= 5 && (err != nil || counted(v) != rev):
				t.Errorf("as of %d: %v", rev, err)
			case rev < 5 && (!errors.As(err, &gone) || gone.Oldest != 5 || gone.Head != 10):
				t.Errorf("as of %d: %v, want that history begins at 5", rev, err)
			}
		}
		for _, row := range []struct {
			at   time.Time
			want uint64 // 0 for gone
		}{
			{at(10), 10}, {at(11), 10}, {at(10).Add(-1), 9}, {at(6), 6}, {at(6).Add(-1), 5}, {at(5), 5},
			{at(5).Add(-1), 0}, {at(1), 0},
		} {
			rev, err := d.RevisionAt(t.Context(), row.at)
			var gone *store.HistoryError
			if row.want > 0 && (rev != row.want || err != nil) || row.want == 0 && !errors.As(err, &gone) {
				t.Errorf("the revision at %v is %d, %v; want %d", row.at, rev, err, row.want)
			}
		}
		if err := d.Retain(t.Context(), at(100), store.Retention{}); err != nil {
			t.Fatal(err)
		}
		if v, err := d.AsOf(t.Context(), 10); err != nil || counted(v) != 10 {
			t.Errorf("the present is always kept: %v", err)
		}
		if _, err := d.AsOf(t.Context(), 9); err == nil {
			t.Error("as of 9 nothing is known any more")
		}
	})
}

// The past can be read while others write.
func TestAsOfWhileWriting(t *testing.T) {
	eachLog(t, func(t *testing.T, open func() store.Log) {
		d := openStore(t, open())
		for range 40 {
			d.do(count)
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range 60 {
					d.do(count)
				}
			})
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, 2))
				for range 40 {
					rev := uint64(1 + r.IntN(40))
					v, err := d.AsOf(t.Context(), rev)
					if err != nil || counted(v) != int(rev) {
						t.Errorf("as of %d: %v", rev, err)
					}
				}
			})
		}
		wg.Wait()
		if n := counted(d.view()); n != 160 {
			t.Errorf("%d calls counted, want 160", n)
		}
	})
}
