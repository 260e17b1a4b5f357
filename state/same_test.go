package state_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moat/state"
	"moat/vpc"
)

// Same tells which kinds a write touched, and View what a transaction would
// make, before anything is accepted.
func TestSameAndView(t *testing.T) {
	here, there := state.Scope{Region: "us-east-1", Account: "123456789012"}, state.Scope{Region: "eu-west-1", Account: "123456789012"}
	old := state.NewView()
	st := state.NewStage(old)
	tx := st.Begin(state.Call{Scope: here, Now: time.Unix(0, 0)})
	state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1"})
	state.Groups.Put(tx.In(there), &vpc.SecurityGroup{ID: "sg-1"})
	planned := tx.View()
	if state.Subnets.Get(planned.In(here), "subnet-1") == nil || state.Groups.Get(planned.In(there), "sg-1") == nil || planned.Rev != 1 {
		t.Errorf("the planned view, of revision %d, lacks what is staged", planned.Rev)
	}
	if state.Subnets.Len(st.View().In(here)) != 0 {
		t.Error("what is staged counts before it is accepted")
	}
	st.Accept(tx)
	now := st.View()
	for _, row := range []struct {
		same  bool
		scope state.Scope
		kind  state.AnyKind
	}{{false, here, state.Subnets}, {true, here, state.Groups}, {false, there, state.Groups}, {true, there, state.Subnets}} {
		if got := now.In(row.scope).Same(old.In(row.scope), row.kind); got != row.same {
			t.Errorf("%v %s: same %v, want %v", row.scope, row.kind.Name(), got, row.same)
		}
	}
	if now.In(here).Same(old.In(here), state.Groups, state.Subnets) {
		t.Error("two kinds are the same where one is not")
	}
}

// Changes tells what became of each row since a view, however many others have
// come from that, and does not know of views that do not come from one another.
func TestChanges(t *testing.T) {
	here := state.Scope{Region: "us-east-1", Account: "123456789012"}
	stage := func(v *state.View, f func(tx *state.Txn)) *state.View {
		st := state.NewStage(v)
		tx := st.Begin(state.Call{Scope: here, Now: time.Unix(0, 0)})
		f(tx)
		st.Accept(tx)
		return st.View()
	}
	put := func(id vpc.SubnetID, zone string) func(*state.Txn) {
		return func(tx *state.Txn) { state.Subnets.Put(tx, &vpc.Subnet{ID: id, AvailabilityZone: zone}) }
	}
	told := func(from, to *state.View) string {
		changes, ok := state.Subnets.Changes(from.In(here), to.In(here))
		if !ok {
			return "unknown"
		}
		out := ""
		for _, c := range changes {
			if c.Old != nil {
				out += string(c.Old.ID) + " " + c.Old.AvailabilityZone
			}
			out += " > "
			if c.New != nil {
				out += string(c.New.ID) + " " + c.New.AvailabilityZone
			}
			out += "; "
		}
		return out
	}
	empty := state.NewView()
	first := stage(empty, put("subnet-1", "a"))
	second := stage(first, put("subnet-2", "a"))
	third := stage(second, func(tx *state.Txn) {
		put("subnet-2", "b")(tx)
		state.Subnets.Delete(tx, "subnet-1")
		put("subnet-2", "c")(tx)
	})
	branch := stage(second, put("subnet-2", "d"))
	other := stage(third, func(tx *state.Txn) { state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-1"}) })
	many := third
	for range 200 {
		many = stage(many, put("subnet-3", "a"))
	}
	more := many
	for range 600 {
		more = stage(more, put("subnet-3", "b"))
	}
	busy := stage(third, func(tx *state.Txn) {
		for range 2000 {
			put("subnet-3", "b")(tx)
		}
	})
	for _, row := range []struct {
		what     string
		from, to *state.View
		want     string
	}{
		{"a new row", first, second, " > subnet-2 a; "},
		{"nothing", second, second, ""},
		{"another kind", third, other, ""},
		{"a row twice and one that went", second, third, "subnet-2 a > subnet-2 c; subnet-1 a > ; "},
		{"two views on", first, third, " > subnet-2 c; subnet-1 a > ; "},
		{"the other branch", second, branch, "subnet-2 a > subnet-2 d; "},
		{"from one branch to the other", third, branch, "unknown"},
		{"from nothing", empty, first, "unknown"},
		{"back", second, first, "unknown"},
		{"another beginning", stage(empty, put("subnet-1", "a")), second, "unknown"},
		{"200 views on", third, many, " > subnet-3 a; "},
		{"too many views on", third, more, "unknown"},
		{"too much at once", third, busy, "unknown"},
	} {
		if got := told(row.from, row.to); got != row.want {
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
	}
}

// View.Changes names each row that was replaced, of the kinds that are asked
// for and in every scope, and does not know of views that do not come from one
// another.
func TestViewChanges(t *testing.T) {
	here, there := state.Scope{Region: "us-east-1", Account: "123456789012"}, state.Scope{Region: "eu-west-1", Account: "123456789012"}
	stage := func(v *state.View, f func(tx *state.Txn)) *state.View {
		st := state.NewStage(v)
		tx := st.Begin(state.Call{Scope: here, Now: time.Unix(0, 0)})
		f(tx)
		st.Accept(tx)
		return st.View()
	}
	first := stage(state.NewView(), func(tx *state.Txn) {
		for _, in := range []*state.Txn{tx, tx.In(there)} {
			state.Subnets.Put(in, &vpc.Subnet{ID: "subnet-1"})
			state.Groups.Put(in, &vpc.SecurityGroup{ID: "sg-1"})
			state.VPCs.Put(in, &vpc.VPC{ID: "vpc-1"})
		}
	})
	second := stage(first, func(tx *state.Txn) {
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-2"})
		state.Groups.Delete(tx.In(there), "sg-1")
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-2"})
	})
	third := stage(second, func(tx *state.Txn) {
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-2", AvailabilityZone: "b"})
		state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-3"})
		state.Subnets.Delete(tx, "subnet-3")
	})
	for _, row := range []struct {
		what     string
		from, to *state.View
		want     string
	}{
		{"nothing", second, second, ""},
		{"one call", first, second, "+us-east-1/123456789012/subnet/subnet-2 -eu-west-1/123456789012/sg/sg-1"},
		{"two calls", first, third, "+us-east-1/123456789012/subnet/subnet-2 -eu-west-1/123456789012/sg/sg-1"},
		{"one of them", second, third, "~us-east-1/123456789012/subnet/subnet-2"},
		{"back", second, first, "unknown"},
		{"from nothing", state.NewView(), first, "unknown"},
		{"to nothing", first, state.NewView(), "unknown"},
	} {
		changes, ok := row.to.Changes(row.from, state.Subnets, state.Groups)
		var got []string
		for _, c := range changes {
			sign := "~"
			if c.Old == nil {
				sign = "+"
			} else if c.New == nil {
				sign = "-"
			}
			got = append(got, sign+c.Key())
		}
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(b[1:], a[1:]) })
		if text := strings.Join(got, " "); !ok && row.want != "unknown" || ok && text != row.want {
			t.Errorf("%s: %q, known %v, want %q", row.what, text, ok, row.want)
		}
	}
}

// Attrs returns each attribute once, whatever follows it in the index.
func TestAttrs(t *testing.T) {
	st := state.NewStage(state.NewView())
	tx := st.Begin(state.Call{Now: time.Unix(0, 0)})
	if got := slices.Collect(state.Subnets.Attrs(tx, state.SubnetsByVPC)); got != nil {
		t.Errorf("of no rows: %q", got)
	}
	for i, v := range []vpc.VPCID{"b", "a", "b", "a\x00", "a", "aa", "a\x00\x00"} {
		state.Subnets.Put(tx, &vpc.Subnet{ID: vpc.SubnetID(strings.Repeat("s", i+1)), VPC: v})
	}
	want := []string{"a", "a\x00", "a\x00\x00", "aa", "b"}
	if got := slices.Collect(state.Subnets.Attrs(tx, state.SubnetsByVPC)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for first := range state.Subnets.Attrs(tx, state.SubnetsByVPC) {
		if first != "a" {
			t.Errorf("the first is %q", first)
		}
		break
	}
}
