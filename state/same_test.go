package state_test

import (
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
