package state_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"moat/iam"
	"moat/state"
	"moat/state/statetest"
	"moat/vpc"
)

var home = state.Scope{Region: "us-east-1", Account: "123456789012"}

// scopes are those of random histories; the zero one is that of keys.
var scopes = []state.Scope{home, {Region: "eu-west-1", Account: home.Account}, {Region: "us-east-1", Account: "210987654321"}, {}}

// call makes one call on a view, and gives the view it leads to and what
// changed. It fails the test if the stage gives another revision.
func call(t *testing.T, v *state.View, plan func(tx *state.Txn)) (*state.View, []state.Change) {
	t.Helper()
	st := state.NewStage(v)
	tx := st.Begin(state.Call{Scope: home, Now: time.Unix(1_800_000_000, 0), Random: rand.Uint64})
	plan(tx)
	changes := tx.Changes()
	if rev := st.Accept(tx); rev != v.Rev+1 {
		t.Fatalf("a call on revision %d makes revision %d", v.Rev, rev)
	}
	return st.View(), changes
}

func records(changes []state.Change) (out []state.Record) {
	for i := range changes {
		r := state.Record{Key: changes[i].Key()}
		if changes[i].New != nil {
			r.Value = state.Encode(changes[i].New)
		}
		out = append(out, r)
	}
	return out
}

// apply gives the view that stored records make.
func apply(t *testing.T, v *state.View, rev uint64, rs []state.Record) *state.View {
	t.Helper()
	return v.Apply(rev, func(yield func(state.Decoded) bool) {
		for _, r := range rs {
			d, err := state.Decode(r)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(d) {
				return
			}
		}
	})
}

func TestKindsAreKnownToStatetest(t *testing.T) {
	if len(statetest.Kinds) != len(state.Kinds) {
		t.Fatalf("statetest knows %d kinds, there are %d", len(statetest.Kinds), len(state.Kinds))
	}
	for i, k := range state.Kinds {
		if statetest.Kinds[i].AnyKind != k {
			t.Errorf("kind %d is %s, statetest has %s there", i, k.Name(), statetest.Kinds[i].Name())
		}
		// Every index is asked by the tests below.
		if got, want := len(statetest.Kinds[i].Lookups), reflect.ValueOf(k).Elem().FieldByName("indexes").Len(); got != want {
			t.Errorf("kind %s has %d indexes, statetest knows %d", k.Name(), want, got)
		}
	}
}

// What is stored is what is read: every field of every kind, to the
// nanosecond. Only an empty list may come back as none.
func TestEncodeAndDecode(t *testing.T) {
	for _, k := range statetest.Kinds {
		t.Run(k.Name(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			for n := range 500 {
				row := k.Random(r, n)
				roundTrip(t, k, row)
			}
			roundTrip(t, k, k.New())
		})
	}
}

func roundTrip(t *testing.T, k statetest.Kind, row any) {
	t.Helper()
	key := state.Key(home, k.AnyKind, k.Key(row))
	v := apply(t, state.NewView(), 1, []state.Record{{Key: key, Value: state.Encode(row)}})
	got := k.Get(v.In(home), k.Key(row))
	if got == nil {
		t.Fatalf("%s: the row is not where its key says", key)
	}
	if !same(reflect.ValueOf(row).Elem(), reflect.ValueOf(got).Elem()) {
		t.Fatalf("%s comes back changed:\n%+v\n%+v", key, row, got)
	}
}

// same compares field by field; times by their moment, lists without regard
// to whether an empty one is nil.
func same(a, b reflect.Value) bool {
	switch x := a.Interface().(type) {
	case time.Time:
		return x.Equal(b.Interface().(time.Time))
	case netip.Addr, netip.Prefix:
		return x == b.Interface()
	case iam.Text:
		return x.String() == b.Interface().(iam.Text).String()
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	}
	return a.Interface() == b.Interface()
}

// The numbers under which fields are stored are written on disks: a field may
// be added, none may change its number or take one that is in use.
func TestFieldsHaveNumbers(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Implements(reflect.TypeFor[cbor.Marshaler]()) {
			return // it is stored as it says itself
		}
		if typ.Kind() != reflect.Struct || !strings.HasPrefix(typ.PkgPath(), "moat/") || seen[typ] {
			return
		}
		seen[typ] = true
		numbers := map[string]string{}
		for i := range typ.NumField() {
			f := typ.Field(i)
			number, rest, _ := strings.Cut(f.Tag.Get("cbor"), ",")
			if !strings.HasPrefix(rest, "keyasint") || number == "" {
				t.Errorf("%s.%s is stored by its name: give it a number", typ, f.Name)
			}
			if other := numbers[number]; other != "" {
				t.Errorf("%s.%s and %s have the same number", typ, f.Name, other)
			}
			numbers[number] = f.Name
			check(f.Type)
		}
	}
	for _, k := range statetest.Kinds {
		check(reflect.TypeOf(k.New()))
	}
	if len(seen) < len(statetest.Kinds) {
		t.Errorf("only %d types were seen", len(seen))
	}
}

// Bytes of a disk that went bad, or of a newer moat, give an error.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, k := range statetest.Kinds {
		row := k.Random(r, 1)
		f.Add(state.Key(home, k.AnyKind, k.Key(row)), state.Encode(row))
	}
	f.Add("a/b/sg/", []byte{1})
	f.Add("a/b/sg", []byte{1, 0xa0})
	f.Add("a/b/newkind/x", []byte{1, 0xa0})
	f.Add("a/b/sg/x", []byte{2, 0xa0})
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		d, err := state.Decode(state.Record{Key: key, Value: value})
		if err != nil {
			return
		}
		// What can be read can be put into a view, and taken out again.
		v := state.NewView().Apply(1, func(yield func(state.Decoded) bool) { yield(d) })
		gone, err := state.Decode(state.Record{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		v = v.Apply(2, func(yield func(state.Decoded) bool) { yield(gone) })
		if rows := statetest.Rows(v); len(rows) != 0 {
			t.Errorf("a row that was removed is still there: %q", rows)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good := state.Encode(&vpc.SecurityGroup{ID: "sg-1"})
	if _, err := state.Decode(state.Record{Key: "r/1/sg/sg-1", Value: good}); err != nil {
		t.Fatal(err)
	}
	for why, r := range map[string]state.Record{
		"key":                      {Key: "r/1/sg", Value: good},
		"newer moat":               {Key: "r/1/newkind/x", Value: good},
		"version 2 is not known":   {Key: "r/1/sg/sg-1", Value: append([]byte{2}, good[1:]...)},
		"empty":                    {Key: "r/1/sg/sg-1", Value: []byte{}},
		"sg-1":                     {Key: "r/1/sg/sg-1", Value: good[:len(good)-1]},
		"unknown: the data was wr": {Key: "r/1//x", Value: good},
	} {
		if _, err := state.Decode(r); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("record %q %x: %v, want an error about %q", r.Key, r.Value, err, why)
		}
	}
}

// The view after a call is the view after reading its records back: a server
// that made the call, one that heard of it and one that starts later agree.
func TestTransactionAndRecordsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	made, heard := state.NewView(), state.NewView()
	for range 300 {
		var changes []state.Change
		made, changes = call(t, made, func(tx *state.Txn) {
			for range 1 + r.IntN(8) {
				statetest.Change(tx.In(scopes[r.IntN(len(scopes))]), r)
			}
		})
		heard = apply(t, heard, made.Rev, records(changes))
		if diff := statetest.Diff(statetest.Rows(made), statetest.Rows(heard)); diff != "" {
			t.Fatalf("revision %d, made and heard:\n%s", made.Rev, diff)
		}
		checkIndexes(t, heard)
	}
	var all []state.Record
	for key, value := range statetest.Rows(made) {
		all = append(all, state.Record{Key: key, Value: []byte(value)})
	}
	loaded := apply(t, state.NewView(), made.Rev, all)
	if diff := statetest.Diff(statetest.Rows(made), statetest.Rows(loaded)); diff != "" {
		t.Fatalf("made and loaded:\n%s", diff)
	}
	checkIndexes(t, made)
	checkIndexes(t, loaded)
	if len(all) < 200 {
		t.Errorf("only %d rows", len(all))
	}
}

// checkIndexes holds every index, the tags and the counts against a scan of
// all rows.
func checkIndexes(t *testing.T, v *state.View) {
	t.Helper()
	for _, scope := range scopes {
		sp := v.In(scope)
		for _, k := range statetest.Kinds {
			rows := k.All(sp)
			if !slices.IsSortedFunc(rows, func(a, b any) int { return strings.Compare(k.Key(a), k.Key(b)) }) {
				t.Fatalf("%s: rows are not in the order of ids", k.Name())
			}
			if k.Len(sp) != len(rows) {
				t.Fatalf("%s: Len gives %d of %d rows", k.Name(), k.Len(sp), len(rows))
			}
			for _, l := range k.Lookups {
				want := map[string][]any{"no such attribute": nil, "": nil}
				for _, row := range rows {
					attrs := l.Attrs(row)
					slices.Sort(attrs)
					for _, attr := range slices.Compact(attrs) {
						want[attr] = append(want[attr], row)
						if _, ok := want[attr+"0"]; !ok {
							want[attr+"0"] = nil // its neighbour
						}
					}
				}
				for attr, rows := range want {
					if got := l.By(sp, attr); !slices.Equal(got, rows) {
						t.Fatalf("%s by %s %q gives %d rows, a scan gives %d", k.Name(), l.Name, attr, len(got), len(rows))
					}
				}
			}
			checkTags(t, sp, k, rows)
		}
	}
}

func checkTags(t *testing.T, sp *state.Space, k statetest.Kind, rows []any) {
	t.Helper()
	if k.ResourceType() == "" {
		return
	}
	want := map[vpc.Tag][]string{{Key: "Name", Value: "no such value"}: nil, {Key: "Na", Value: "me"}: nil}
	var tagged []string
	for _, row := range rows {
		id := k.Key(row)
		tags, ok := k.TagsOf(sp, id)
		if !ok {
			t.Fatalf("%s %s has no tags", k.Name(), id)
		}
		for _, tag := range tags {
			want[tag] = append(want[tag], id)
		}
		tagged = append(tagged, fmt.Sprint(id, tags))
	}
	for tag, ids := range want {
		if got := slices.Collect(k.IDsByTag(sp, tag.Key, tag.Value)); !slices.Equal(got, ids) {
			t.Fatalf("%s by tag %v gives %v, want %v", k.Name(), tag, got, ids)
		}
	}
	var got []string
	for id, tags := range k.EachTagged(sp, "") {
		got = append(got, fmt.Sprint(id, tags))
	}
	if !slices.Equal(got, tagged) {
		t.Fatalf("%s: EachTagged gives %v, want %v", k.Name(), got, tagged)
	}
	if _, ok := k.TagsOf(sp, "none"); ok {
		t.Fatalf("%s: a row that is not there has tags", k.Name())
	}
}

// Calls staged one after the other see each other, a dropped one leaves no
// trace, and inside a call reads see what it wrote. Checked against a model of
// plain maps.
func TestStageAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	v := state.NewView()
	model := map[string]string{}
	for range 60 {
		st := state.NewStage(v)
		for range 1 + r.IntN(6) {
			tx := st.Begin(state.Call{Scope: home, Random: r.Uint64})
			after := map[string]string{}
			for k, val := range model {
				after[k] = val
			}
			touched := map[string]bool{}
			for range 1 + r.IntN(10) {
				scope := scopes[r.IntN(len(scopes))]
				in := tx.In(scope)
				k := statetest.Kinds[r.IntN(len(statetest.Kinds))]
				row := k.Random(r, r.IntN(12))
				key := state.Key(scope, k.AnyKind, k.Key(row))
				touched[key] = true
				if r.IntN(3) == 0 {
					k.Delete(in, k.Key(row))
					delete(after, key)
					row = nil
				} else {
					k.Put(in, row)
					after[key] = string(state.Encode(row))
				}
				_, there := after[key]
				if got := k.Get(in, strings.SplitN(key, "/", 4)[3]); (got != nil) != there || there && got != row {
					t.Fatalf("%s: a call does not see its own change", key)
				}
			}
			want := map[string]bool{}
			for key := range touched {
				before, was := model[key]
				now, is := after[key]
				if was || is {
					want[key] = true
				}
				for i, c := range tx.Changes() {
					if c.Key() != key {
						continue
					}
					if (c.Old != nil) != was || was && string(state.Encode(c.Old)) != before ||
						(c.New != nil) != is || is && string(state.Encode(c.New)) != now {
						t.Fatalf("change %d of %s tells neither what was nor what is", i, key)
					}
				}
			}
			got := map[string]bool{}
			for _, c := range tx.Changes() {
				if got[c.Key()] {
					t.Fatalf("%s is told twice", c.Key())
				}
				got[c.Key()] = true
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("changes of %v, want %v", got, want)
			}
			if r.IntN(3) == 0 {
				continue // the call is refused
			}
			st.Accept(tx)
			model = after
		}
		v = st.View()
		if diff := statetest.Diff(model, statetest.Rows(v)); diff != "" {
			t.Fatalf("revision %d:\n%s", v.Rev, diff)
		}
		checkIndexes(t, v)
	}
	if len(model) < 50 {
		t.Errorf("only %d rows", len(model))
	}
}

// A view stays as it is, whatever is made from it.
func TestViewsDoNotChange(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	type kept struct {
		v    *state.View
		rows map[string]string
	}
	v := state.NewView()
	var all []kept
	for range 150 {
		all = append(all, kept{v, statetest.Rows(v)})
		from := all[len(all)-1-r.IntN(min(3, len(all)))].v // sometimes from an older one, as a refused batch
		next, changes := call(t, from, func(tx *state.Txn) {
			for range 1 + r.IntN(20) {
				statetest.Change(tx.In(scopes[r.IntN(len(scopes))]), r)
			}
		})
		if r.IntN(2) == 0 {
			next = apply(t, from, next.Rev, records(changes))
		}
		v = next
	}
	for i, k := range all {
		if diff := statetest.Diff(k.rows, statetest.Rows(k.v)); diff != "" {
			t.Fatalf("view %d of %d changed:\n%s", i, len(all), diff)
		}
		checkIndexes(t, k.v)
	}
}

// Readers take no lock while a writer makes new views from the ones they
// read; for the race detector.
func TestReadersAndAWriter(t *testing.T) {
	var mu sync.Mutex
	now := state.NewView()
	latest := func() *state.View {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for n := range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				v := latest()
				if i%2 == 0 {
					checkIndexes(t, v)
				} else if rows := statetest.Rows(v); len(rows) == 0 && v.Rev > 10 {
					t.Errorf("reader %d sees nothing at revision %d", n, v.Rev)
				}
				for sp := range v.Spaces() {
					state.RuleByID(sp, "sgr-00000000010000001")
					state.DefaultVPC(sp)
					state.GroupByName(sp, "a", "WEB")
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(6, 6))
	for range 200 {
		v, changes := call(t, now, func(tx *state.Txn) {
			for range 5 {
				statetest.Change(tx.In(scopes[r.IntN(len(scopes))]), r)
			}
		})
		if r.IntN(2) == 0 {
			v = apply(t, now, v.Rev, records(changes))
		}
		mu.Lock()
		now = v
		mu.Unlock()
	}
	close(done)
	readers.Wait()
}

// Spaces do not see each other.
func TestSpacesAreApart(t *testing.T) {
	v, _ := call(t, state.NewView(), func(tx *state.Txn) {
		for i, s := range scopes {
			state.Groups.Put(tx.In(s), &vpc.SecurityGroup{ID: "sg-1", Name: fmt.Sprint("n", i)})
		}
		state.Spaces.Put(tx.In(home), &vpc.Space{})
	})
	for i, s := range scopes {
		if g := state.Groups.Get(v.In(s), "sg-1"); g == nil || g.Name != fmt.Sprint("n", i) {
			t.Errorf("the group of %v is %+v", s, g)
		}
		if v.Used(s) != (s == home) {
			t.Errorf("Used(%v) is %v", s, v.Used(s))
		}
	}
	if sp := v.In(state.Scope{Region: "us-east-1", Account: "12345678901"}); state.Groups.Len(sp) != 0 {
		t.Error("a scope that was never used holds a group")
	}
	n := 0
	for range v.Spaces() {
		n++
	}
	if n != len(scopes) {
		t.Errorf("%d spaces, want %d", n, len(scopes))
	}
}

// Rules are found by ids whose first digits several groups share.
func TestRuleByID(t *testing.T) {
	ids := []vpc.GroupID{"sg-0123456789aaaaaaa", "sg-0123456789abcdef0", "sg-0123456789fffffff", "sg-012345678a0000000", "sg-01234567800000000"}
	var rules []vpc.RuleID
	v, _ := call(t, state.NewView(), func(tx *state.Txn) {
		for _, id := range ids {
			g := &vpc.SecurityGroup{ID: id}
			for range 50 {
				rule := vpc.Rule{ID: tx.NewRuleID(g)}
				g.Rules = append(g.Rules, rule)
				rules = append(rules, rule.ID)
			}
			state.Groups.Put(tx, g)
		}
	})
	sp := v.In(home)
	slices.Sort(rules)
	if n := len(slices.Compact(slices.Clone(rules))); n != len(rules) {
		t.Errorf("%d rules have %d ids", len(rules), n)
	}
	for _, id := range ids {
		g := state.Groups.Get(sp, id)
		for i, rule := range g.Rules {
			if !vpc.WellFormed(vpc.RulePrefix, string(rule.ID)) {
				t.Errorf("%s is no rule id", rule.ID)
			}
			if got, at := state.RuleByID(sp, rule.ID); got != g || at != i {
				t.Errorf("%s of %s is found in %v at %d", rule.ID, id, got, at)
			}
		}
	}
	for _, id := range []vpc.RuleID{"", "sgr-", "sgr-0123456789", "sgr-01234567890000000x", "sg-0123456789aaaaaaa", "sgr-0123456788aaaaaaa", "sgr-fffffffffffffffff"} {
		if g, _ := state.RuleByID(sp, id); g != nil {
			t.Errorf("rule %q is found in %s", id, g.ID)
		}
	}
	if g, _ := state.RuleByID(v.In(scopes[1]), rules[0]); g != nil {
		t.Error("a rule is found in another space")
	}
}

// No two rules get one id, also where groups share the digits that rules' ids
// begin with and the random numbers repeat.
func TestNewRuleIDsDiffer(t *testing.T) {
	numbers := []uint64{1 << 36, 1 << 36, 2 << 36, 1 << 36, 2 << 36, 3 << 36}
	random := func() uint64 {
		n := numbers[0]
		numbers = numbers[1:]
		return n
	}
	tx := state.NewStage(state.NewView()).Begin(state.Call{Scope: home, Random: random})
	a := &vpc.SecurityGroup{ID: "sg-0123456789aaaaaaa"}
	a.Rules = append(a.Rules, vpc.Rule{ID: tx.NewRuleID(a)})
	a.Rules = append(a.Rules, vpc.Rule{ID: tx.NewRuleID(a)})
	state.Groups.Put(tx, a)
	b := &vpc.SecurityGroup{ID: "sg-0123456789bbbbbbb"}
	b.Rules = append(b.Rules, vpc.Rule{ID: tx.NewRuleID(b)})
	got := []vpc.RuleID{a.Rules[0].ID, a.Rules[1].ID, b.Rules[0].ID}
	want := []vpc.RuleID{"sgr-01234567890000001", "sgr-01234567890000002", "sgr-01234567890000003"}
	if !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
}

func TestByName(t *testing.T) {
	v, _ := call(t, state.NewView(), func(tx *state.Txn) {
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1"})
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-2", Default: true})
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-1", VPC: "vpc-1", Name: "Web"})
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-2", VPC: "vpc-2", Name: "web"})
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-3", VPC: "vpc-2", Name: "default"})
	})
	sp := v.In(home)
	name := func(g *vpc.SecurityGroup) vpc.GroupID {
		if g == nil {
			return ""
		}
		return g.ID
	}
	for _, row := range []struct {
		want vpc.GroupID
		got  *vpc.SecurityGroup
	}{
		{"sg-1", state.GroupByName(sp, "vpc-1", "WEB")},
		{"sg-2", state.GroupByName(sp, "vpc-2", "Web")},
		{"", state.GroupByName(sp, "vpc-3", "web")},
		{"", state.GroupByName(sp, "vpc-1", "we")},
		{"", state.GroupByName(sp, "vpc-1", "default")},
		{"sg-3", state.DefaultGroup(sp, "vpc-2")},
		{"", state.DefaultGroup(sp, "vpc-1")},
	} {
		if name(row.got) != row.want {
			t.Errorf("got %q, want %q", name(row.got), row.want)
		}
	}
	if d := state.DefaultVPC(sp); d == nil || d.ID != "vpc-2" {
		t.Errorf("the default VPC is %+v", d)
	}
	if d := state.DefaultVPC(v.In(scopes[1])); d != nil {
		t.Errorf("another space has the default VPC %+v", d)
	}
}

// Counting stops where nobody wants to know more.
func TestCount(t *testing.T) {
	v, _ := call(t, state.NewView(), func(tx *state.Txn) {
		for i := range 10 {
			state.Groups.Put(tx, &vpc.SecurityGroup{ID: vpc.GroupID(fmt.Sprint("sg-", i)), VPC: "vpc-1"})
		}
	})
	for _, row := range []struct{ want, limit int }{{10, 100}, {10, 10}, {3, 3}, {1, 1}} {
		if got := state.Groups.Count(v.In(home), state.GroupsByVPC, "vpc-1", row.limit); got != row.want {
			t.Errorf("counting 10 to %d gives %d", row.limit, got)
		}
	}
	if got := state.Groups.Count(v.In(home), state.GroupsByVPC, "vpc-2", 5); got != 0 {
		t.Errorf("counting none gives %d", got)
	}
}
