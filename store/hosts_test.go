package store_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"moat/iam"
	"moat/state"
	"moat/store"
)

// A host tells the others what it enforces, as long as it lives.
func TestHosts(t *testing.T) {
	etcd := startEtcd(t)
	var all [2]*store.Hosts
	var stops [2]context.CancelFunc
	var logs [2]*store.Etcd
	for i, name := range []string{"a", "b"} {
		logs[i] = etcd.open().(*store.Etcd)
		defer logs[i].Close()
		all[i] = logs[i].Hosts(name, name, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); all[i].Run(ctx) }()
		stops[i] = func() { cancel(); <-done }
		defer stops[i]()
	}
	a, b := all[0], all[1]
	anybody := func(string) bool { return true }
	wait := func(patience time.Duration, rev uint64, which func(string) bool) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return a.Wait(ctx, rev, which)
	}
	a.Report(7)
	until(t, "a knows b", func() bool { return errors.Is(wait(time.Millisecond, 1, anybody), context.DeadlineExceeded) })
	b.Report(5)
	if err := wait(5*time.Second, 5, anybody); err != nil {
		t.Errorf("what b enforces: %v", err)
	}
	if err := wait(300*time.Millisecond, 6, anybody); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("what b does not enforce: %v", err)
	}
	if err := wait(time.Second, 6, func(host string) bool { return host == "a" }); err != nil {
		t.Errorf("a waits for hosts that nobody asked it to, or for itself: %v", err)
	}
	for rev := range uint64(1000) {
		b.Report(rev)
	}
	if err := wait(5*time.Second, 999, anybody); err != nil {
		t.Errorf("the last of many: %v", err)
	}

	// It is no part of the state.
	s := open(t, etcd.open())
	if _, _, err := s.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		state.AccessKeys.Put(tx, &iam.AccessKey{ID: "AKIA", Account: "000000000000"})
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	backup := contents(t, logs[0])
	if len(backup) == 0 {
		t.Error("a backup has nothing")
	}
	for key := range backup {
		if strings.HasPrefix(key, "hosts/") {
			t.Errorf("a backup has %s", key)
		}
	}

	stops[1]()
	var lost *store.LostError
	until(t, "b is known to have stopped", func() bool { return errors.As(wait(time.Millisecond, 2000, anybody), &lost) })
	if want := (store.Host{ID: "b", Name: "b", Rev: 999, Lost: true}); len(lost.Hosts) != 1 || lost.Hosts[0] != want {
		t.Errorf("lost are %+v, want %+v", lost.Hosts, want)
	}
	if err := wait(5*time.Second, 999, anybody); err != nil {
		t.Errorf("what b enforces, stopped: %v", err)
	}
}
