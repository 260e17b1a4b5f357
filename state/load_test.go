package state_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"moat/state"
	"moat/state/statetest"
)

// A view that is loaded is the one that calls made: the same rows, and by every
// index the same answers, in whatever order the records come.
func TestLoadedIsAsCommitted(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		v := state.NewView()
		for range 40 {
			st := state.NewStage(v)
			tx := st.Begin(state.Call{Scope: state.Scope{Region: []string{"a", "b"}[r.IntN(2)], Account: "1"}, Now: time.Unix(1, 0), Random: r.Uint64})
			for range 1 + r.IntN(6) {
				statetest.Change(tx, r)
			}
			st.Accept(tx)
			v = st.View()
		}
		var records []state.Record
		for key, value := range statetest.Rows(v) {
			records = append(records, state.Record{Key: key, Value: []byte(value)})
		}
		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		loaded := state.Load(v.Rev, func(yield func(state.Decoded) bool) {
			for _, rec := range records {
				d, err := state.Decode(rec)
				if err != nil {
					t.Fatal(err)
				}
				if !yield(d) {
					return
				}
			}
		})
		if diff := statetest.Diff(statetest.Rows(v), statetest.Rows(loaded)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		for sp := range v.Spaces() {
			for _, k := range statetest.Kinds {
				for _, look := range k.Lookups {
					for _, row := range k.All(sp) {
						for _, attr := range look.Attrs(row) {
							want := keys(k, look.By(sp, attr))
							got := keys(k, look.By(loaded.In(sp.Scope), attr))
							if len(want) == 0 || !reflect.DeepEqual(want, got) {
								t.Fatalf("seed %d: %s by %s %q: want %v, got %v", seed, k.Name(), look.Name, attr, want, got)
							}
						}
					}
				}
			}
		}
	}
}

func keys(k statetest.Kind, rows []any) (ids []string) {
	for _, row := range rows {
		ids = append(ids, k.Key(row))
	}
	if !slices.IsSorted(ids) {
		ids = append(ids, "not in order")
	}
	return ids
}
