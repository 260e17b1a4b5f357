package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"moat/action"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// TestKeepHouseForgetsClientTokens holds that all tokens go whose time has
// passed, however many there are, and no other.
func TestKeepHouseForgetsClientTokens(t *testing.T) {
	_, st := newAPI(t, nil)
	scope := state.Scope{Region: "us-east-1", Account: account}
	now := time.Now()
	api := server.New(st, server.Config{Region: scope.Region, Account: account, Now: func() time.Time { return now }})
	_, _, err := st.Write(context.Background(), &store.Write{Call: state.Call{Scope: scope, Now: now}, Plan: func(tx *state.Txn) (any, error) {
		for i := range 1000 {
			state.ClientTokens.Put(tx, &vpc.ClientToken{Key: fmt.Sprintf("CreateNetworkInterface/old-%d", i), Used: now.Add(-action.TokenLife)})
		}
		state.ClientTokens.Put(tx, &vpc.ClientToken{Key: "CreateNetworkInterface/new", Used: now.Add(time.Second - action.TokenLife)})
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.KeepHouse(context.Background()); err != nil {
		t.Fatal(err)
	}
	sp := st.Latest().In(scope)
	if n := state.ClientTokens.Len(sp); n != 1 || state.ClientTokens.Get(sp, "CreateNetworkInterface/new") == nil {
		t.Errorf("%d tokens are left, want the new one alone", n)
	}
}
