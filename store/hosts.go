package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// hostKey is the prefix of the keys in which each host says which revision it
// enforces. They are no part of the state, of its history or of backups, and
// disappear with the host's lease.
const hostKey = "hosts/"

const (
	// hostLease is how many seconds a host that says nothing counts as alive.
	hostLease = 10
	// idleReportEvery bounds the reports of a host that revisions do not concern.
	idleReportEvery = 2 * time.Second
	// watchAfter is how long reports are still watched after the last call that
	// waited for them. The next one then finds the watch.
	watchAfter = time.Second
)

// Hosts are the reports of a cluster's hosts: which revision each enforces, for
// as long as its server runs. A report is a write of one small key. Only servers
// with a call that waits for other hosts watch the reports.
type Hosts struct {
	etcd   *Etcd
	self   string
	name   string
	logger *slog.Logger

	mu      sync.Mutex
	mine    uint64        // the revision to report
	urgent  chan struct{} // mine is to be reported at once
	waiting int           // calls that wait for reports
	needed  chan struct{} // waiting is no longer 0
	idle    chan struct{} // waiting is 0 again

	all   map[string]Host // by id, as far as it is known
	live  bool            // all is up to date, and watched
	moved chan struct{}   // closed when all or live has changed
}

// A Host is what is known of one.
type Host struct {
	ID, Name string
	// Rev is the revision that it last reported.
	Rev uint64
	// Lost says that its server does not run, or does not reach the cluster. The
	// host goes on by the rules that it had.
	Lost bool
}

func (h Host) String() string { return cmp.Or(h.Name, h.ID) }

// A BehindError names the hosts that do not enforce a revision.
type BehindError struct {
	// Late have not reported the revision in time. Lost will not report it: their
	// servers do not run, or do not reach the cluster.
	Late, Lost []Host
	// Unknown says why the hosts could not be asked; nil if they were.
	Unknown error
}

func (e *BehindError) Error() string {
	var parts []string
	if len(e.Lost) > 0 {
		parts = append(parts, "the servers of these hosts do not run or do not reach etcd, and the hosts go on by the rules that they had: "+hostNames(e.Lost))
	}
	if len(e.Late) > 0 {
		parts = append(parts, "not confirmed yet by: "+hostNames(e.Late))
	}
	if e.Unknown != nil {
		parts = append(parts, "the reports of other hosts cannot be read: "+e.Unknown.Error())
	}
	return strings.Join(parts, "; ")
}

func (e *BehindError) Unwrap() error { return e.Unknown }

func hostNames(hosts []Host) string {
	var names []string
	for _, h := range hosts {
		names = append(names, h.String())
	}
	return strings.Join(names, ", ")
}

// Hosts returns the reports of a cluster's hosts; self is this one, with its name
// for people. Nothing is reported or watched before Run.
func (e *Etcd) Hosts(self, name string, logger *slog.Logger) *Hosts {
	return &Hosts{
		etcd: e, self: self, name: strings.ReplaceAll(name, "\n", " "), logger: logger,
		urgent: make(chan struct{}, 1), needed: make(chan struct{}, 1), idle: make(chan struct{}, 1),
		all: map[string]Host{}, moved: make(chan struct{}),
	}
}

// Report says which revision this host enforces. If concerned, calls may wait for
// it, and it is written at once. Otherwise it is written within a second.
func (h *Hosts) Report(rev uint64, concerned bool) {
	h.mu.Lock()
	h.mine = rev
	h.mu.Unlock()
	if concerned {
		signal(h.urgent)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Wait waits until hosts enforce a revision, and returns how many of them do.
// The error is a *BehindError if not all do: because ctx has ended, or because the
// servers of those that are behind do not run, in which case it does not wait.
func (h *Hosts) Wait(ctx context.Context, rev uint64, hosts []string) (done int, err error) {
	if len(hosts) == 0 {
		return 0, nil
	}
	h.mu.Lock()
	if h.waiting++; h.waiting == 1 {
		signal(h.needed)
	}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.waiting--; h.waiting == 0 {
			signal(h.idle)
		}
	}()
	for {
		h.mu.Lock()
		live, moved := h.live, h.moved
		behind := &BehindError{}
		for _, id := range hosts {
			host, known := h.all[id]
			switch {
			case known && host.Rev >= rev:
			case !known:
				behind.Lost = append(behind.Lost, Host{ID: id, Lost: true})
			case host.Lost:
				behind.Lost = append(behind.Lost, host)
			default:
				behind.Late = append(behind.Late, host)
			}
		}
		h.mu.Unlock()
		done = len(hosts) - len(behind.Late) - len(behind.Lost)
		if done == len(hosts) {
			return done, nil
		}
		if live && len(behind.Late) == 0 {
			return done, behind
		}
		select {
		case <-moved:
		case <-ctx.Done():
			if !live { // nobody knows who is lost
				behind = &BehindError{Late: append(behind.Late, behind.Lost...), Unknown: ErrNoAnswer}
			}
			return done, behind
		}
	}
}

// Ask returns what hosts report, by id. If etcd does not answer before ctx ends,
// it returns the last reports that are known, with an error.
func (h *Hosts) Ask(ctx context.Context) ([]Host, error) {
	h.mu.Lock()
	live := h.live
	h.mu.Unlock()
	var err error
	if !live {
		var resp *clientv3.GetResponse
		if resp, err = h.etcd.client.Get(ctx, h.etcd.key(hostKey), clientv3.WithPrefix()); err == nil {
			h.mu.Lock()
			if !h.live {
				h.replace(resp.Kvs)
			}
			h.mu.Unlock()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.all), func(a, b Host) int { return strings.Compare(a.ID, b.ID) }), err
}

// Run reports what this host enforces, and watches the reports of the others
// while a call waits for them, until ctx ends. Then this host is no longer waited
// for.
func (h *Hosts) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() {
		h.repeat(ctx, "what this host enforces cannot be reported; trying again", h.report)
	})
	both.Go(func() {
		for {
			select {
			case <-h.needed:
			case <-ctx.Done():
				return
			}
			h.repeat(ctx, "the reports of other hosts cannot be read; trying again", h.watch)
		}
	})
	both.Wait()
}

// errUnneeded ends a watch that no call needs.
var errUnneeded = errors.New("no call waits for other hosts")

// repeat calls f until ctx ends or it returns errUnneeded.
func (h *Hosts) repeat(ctx context.Context, trouble string, f func(context.Context) error) {
	for {
		err := f(ctx)
		if ctx.Err() != nil || errors.Is(err, errUnneeded) {
			return
		}
		h.logger.Warn(trouble, "host", h.self, "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

// report writes what this host enforces, for as long as its lease lasts.
func (h *Hosts) report(ctx context.Context) error {
	client := h.etcd.client
	lease, err := client.Grant(ctx, hostLease)
	if err != nil {
		return err
	}
	defer func() {
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = client.Revoke(over, lease.ID) // or it runs out
	}()
	alive, err := client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return err
	}
	tick := time.NewTicker(idleReportEvery)
	defer tick.Stop()
	for {
		h.mu.Lock()
		reported := h.mine
		h.mu.Unlock()
		if _, err := client.Put(ctx, h.etcd.key(hostKey, h.self), strconv.FormatUint(reported, 10)+" "+h.name, clientv3.WithLease(lease.ID)); err != nil {
			return err
		}
		for again := false; !again; {
			select {
			case <-h.urgent:
				again = true
			case <-tick.C:
				h.mu.Lock()
				again = h.mine != reported
				h.mu.Unlock()
			case _, ok := <-alive:
				if !ok {
					return fmt.Errorf("the lease ended")
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// watch follows the reports of all hosts until no call has waited for them for a
// while.
func (h *Hosts) watch(ctx context.Context) error {
	if h.unneeded() {
		return errUnneeded
	}
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	prefix := h.etcd.key(hostKey)
	resp, err := h.etcd.client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	events := h.etcd.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(resp.Header.Revision+1))
	h.change(func() { h.replace(resp.Kvs); h.live = true })
	defer h.change(func() { h.live = false })
	since := time.NewTimer(watchAfter)
	defer since.Stop()
	for {
		select {
		case resp, ok := <-events:
			if !ok {
				return fmt.Errorf("the watch ended")
			}
			if err := resp.Err(); err != nil {
				return err
			}
			h.change(func() {
				for _, ev := range resp.Events {
					if ev.Type == mvccpb.DELETE {
						h.lose(string(ev.Kv.Key[len(prefix):]))
					} else {
						h.note(ev.Kv)
					}
				}
			})
		case <-h.needed: // it is watched already
		case <-h.idle:
			since.Reset(watchAfter)
		case <-since.C:
			if h.unneeded() {
				return errUnneeded
			}
		}
	}
}

// unneeded reports whether no call waits.
func (h *Hosts) unneeded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting == 0
}

// change changes what is known and wakes the calls that wait for it.
func (h *Hosts) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.moved)
	h.moved = make(chan struct{})
}

// replace notes all reports that there are. The caller holds mu.
func (h *Hosts) replace(kvs []*mvccpb.KeyValue) {
	for id := range h.all {
		h.lose(id)
	}
	for _, kv := range kvs {
		h.note(kv)
	}
}

// note notes a report. The caller holds mu. One that cannot be read is of
// another version of Moat: its host enforces no revision that is known here.
func (h *Hosts) note(kv *mvccpb.KeyValue) {
	number, name, _ := strings.Cut(string(kv.Value), " ")
	rev, _ := strconv.ParseUint(number, 10, 64)
	id := string(kv.Key[len(h.etcd.key(hostKey)):])
	h.all[id] = Host{ID: id, Name: name, Rev: rev}
}

// lose notes that a host's report is gone. The caller holds mu.
func (h *Hosts) lose(id string) {
	host := h.all[id]
	host.ID, host.Lost = id, true
	h.all[id] = host
}
