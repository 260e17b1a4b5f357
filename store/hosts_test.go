package store_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moat/iam"
	"moat/state"
	"moat/store"
	"moat/test/clause"
)

// runHosts runs the reports of hosts of one cluster, each with a connection of
// its own. Their stops end them as the end of a server does.
func runHosts(t testing.TB, open func() store.Log, names ...string) (all []*store.Hosts, stops []context.CancelFunc) {
	for _, name := range names {
		log := open().(*store.Etcd)
		h := log.Hosts(name, "host "+name, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { h.Run(ctx) })
		stop := sync.OnceFunc(func() { cancel(); done.Wait(); log.Close() })
		t.Cleanup(stop)
		all, stops = append(all, h), append(stops, stop)
	}
	return all, stops
}

// wait waits for hosts so long.
func wait(h *store.Hosts, patience time.Duration, rev uint64, hosts ...string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return h.Wait(ctx, rev, hosts)
}

// A call waits for the hosts that it names and for no other, and learns which
// of them are late and which are lost.
func TestHosts(t *testing.T) {
	clause.Holds(t, "F79")
	etcd := startEtcd(t)
	hosts, stops := runHosts(t, etcd.open, "a", "b", "c")
	a, b, c := hosts[0], hosts[1], hosts[2]
	const long, short = 20 * time.Second, 300 * time.Millisecond
	b.Report(5, true)
	c.Report(4, true)
	until(t, "b and c are known", func() bool {
		var behind *store.BehindError
		_, err := wait(a, long, 0, "b", "c")
		return !errors.As(err, &behind) // a host that has not reported yet counts as lost
	})
	if n, err := wait(a, long, 5, "b"); n != 1 || err != nil {
		t.Errorf("what b enforces: %d of 1, %v", n, err)
	}
	if n, err := wait(a, long, 4, "b", "c"); n != 2 || err != nil {
		t.Errorf("what both enforce: %d of 2, %v", n, err)
	}
	var behind *store.BehindError
	if n, err := wait(a, short, 5, "b", "c"); n != 1 || !errors.As(err, &behind) || len(behind.Late) != 1 || behind.Late[0].ID != "c" || len(behind.Lost) != 0 {
		t.Errorf("what c does not enforce: %d of 2, %v", n, err)
	}
	if n, err := wait(a, short, 9); n != 0 || err != nil {
		t.Errorf("a change that concerns no host: %d, %v", n, err)
	}
	if n, err := wait(a, long, 1, "b", "nobody"); n != 1 || !errors.As(err, &behind) || len(behind.Lost) != 1 || behind.Lost[0].ID != "nobody" {
		t.Errorf("a host that has never reported: %d of 2, %v", n, err)
	}
	for rev := range uint64(1000) {
		b.Report(rev, true)
	}
	if n, err := wait(a, long, 999, "b"); n != 1 || err != nil {
		t.Errorf("the last of many: %d of 1, %v", n, err)
	}
	b.Report(1000, false)
	if n, err := wait(a, long, 1000, "b"); n != 1 || err != nil {
		t.Errorf("a revision that does not concern b: %d of 1, %v", n, err)
	}

	// It is no part of the state.
	s := open(t, etcd.open())
	if _, _, err := s.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		state.AccessKeys.Put(tx, &iam.AccessKey{ID: "AKIA", Account: "000000000000"})
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	log := etcd.open().(*store.Etcd)
	defer log.Close()
	backup := contents(t, log)
	if len(backup) == 0 {
		t.Error("a backup has nothing")
	}
	for key := range backup {
		if strings.HasPrefix(key, "hosts/") {
			t.Errorf("a backup has %s", key)
		}
	}

	stops[1]()
	until(t, "b is known to have stopped", func() bool {
		_, err := wait(a, short, 2000, "b")
		return errors.As(err, &behind) && len(behind.Lost) == 1
	})
	if want := (store.Host{ID: "b", Name: "host b", Rev: 1000, Lost: true}); behind.Lost[0] != want {
		t.Errorf("lost is %+v, want %+v", behind.Lost[0], want)
	}
	if n, err := wait(a, long, 1000, "b"); n != 1 || err != nil {
		t.Errorf("what b enforces, stopped: %d of 1, %v", n, err)
	}
	if n, err := wait(a, long, 4, "c"); n != 1 || err != nil {
		t.Errorf("c is waited for with b stopped: %d of 1, %v", n, err)
	}
	all, err := a.Ask(t.Context())
	if err != nil || len(all) != 3 || all[0].ID != "a" || !all[1].Lost || all[2].Rev != 4 {
		t.Errorf("the hosts are %+v, %v", all, err)
	}
}

// Reports are watched by servers with a call that waits, and by no other: a
// report costs one write and no message to hosts that do not ask.
func TestReportsAreWatchedByWhoWaits(t *testing.T) {
	etcd := startEtcd(t)
	hosts, _ := runHosts(t, etcd.open, "a", "b", "c", "d")
	for i, h := range hosts {
		h.Report(uint64(i+1), true)
	}
	all := []string{"a", "b", "c", "d"}
	until(t, "all have reported", func() bool {
		n, _ := wait(hosts[0], time.Second, 1, all...)
		return n == len(all)
	})
	watchers := func() float64 { return etcdMetric(t, "etcd_debugging_mvcc_watcher_total") }
	until(t, "nobody watches once no call waits", func() bool { return watchers() == 0 })
	before := etcdMetric(t, "etcd_debugging_mvcc_events_total")
	for rev := range uint64(50) {
		for _, h := range hosts {
			h.Report(10+rev, true)
		}
	}
	time.Sleep(100 * time.Millisecond)
	if n := etcdMetric(t, "etcd_debugging_mvcc_events_total") - before; n != 0 || watchers() != 0 {
		t.Errorf("%v messages about reports and %v watchers, while no call waits", n, watchers())
	}
	done := make(chan error)
	go func() {
		_, err := wait(hosts[0], 20*time.Second, 100, all...)
		done <- err
	}()
	until(t, "the server with a call that waits watches", func() bool { return watchers() == 1 })
	for _, h := range hosts {
		h.Report(100, true)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// etcdMetric returns a metric of the etcds that run in this process.
func etcdMetric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("etcd has no metric %s", name)
	return 0
}
