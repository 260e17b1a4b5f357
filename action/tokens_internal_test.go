package action

import (
	"fmt"
	"testing"
	"time"

	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// TestTokensAreBounded holds that a new client token is refused when there are
// too many, and that a call which repeats an old one is answered all the same.
func TestTokensAreBounded(t *testing.T) {
	defer func(n int) { maxTokens = n }(maxTokens)
	maxTokens = 3
	type in struct{ ClientToken string }
	type out struct{ ID string }
	a := Write[in, out]{
		Name:    "Create",
		Plan:    func(*state.Txn, *in) (*out, error) { return &out{"made"}, nil },
		Created: func(o *out) string { return o.ID },
		Replay:  func(_ *state.Txn, _ *in, id string) (*out, error) { return &out{id}, nil },
	}
	tx := state.NewStage(state.NewView()).Begin(state.Call{Scope: state.Scope{Region: "r", Account: "a"}, Now: time.Unix(1, 0), Quotas: vpc.NoQuotas()})
	for n := range 5 {
		_, err := a.Stage(tx, &in{fmt.Sprint(n)})
		f, _ := err.(*fault.Error)
		if refused := f != nil && f.Code == "RequestLimitExceeded"; refused != (n >= 3) || !refused && err != nil {
			t.Errorf("token %d: %v", n, err)
		}
	}
	if o, err := a.Stage(tx, &in{"1"}); err != nil || o.(*out).ID != "made" {
		t.Errorf("a call again: %v, %v", o, err)
	}
	if _, err := a.Stage(tx, &in{}); err != nil {
		t.Errorf("a call without a token: %v", err)
	}
}
