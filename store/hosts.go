package store

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// hostKey is where each host says which revision it enforces. It is no part of
// the state, of its history or of backups, and gone with the host's lease.
const hostKey = "hosts/"

const (
	// hostLease is how many seconds a host that says nothing counts as alive.
	hostLease = 10
	// reportEvery bounds the writes of a host that enforces one revision after
	// the other.
	reportEvery = 100 * time.Millisecond
)

// Hosts are what the hosts of a cluster tell each other: which revision each
// enforces, for as long as its server lives.
type Hosts struct {
	etcd   *Etcd
	self   string
	name   string
	logger *slog.Logger

	mu    sync.Mutex
	mine  uint64          // to be told
	told  chan struct{}   // mine has changed
	all   map[string]Host // by id
	moved chan struct{}   // closed when all has changed
}

// A Host is what is known of one.
type Host struct {
	ID, Name string
	// Rev is what it enforces, as far as it has told.
	Rev uint64
	// Lost tells that its server does not run, or does not reach the cluster: it
	// goes on by the rules that it had.
	Lost bool
}

// LostError says that hosts cannot be waited for, since their servers do not run.
type LostError struct{ Hosts []Host }

func (e *LostError) Error() string {
	var names []string
	for _, h := range e.Hosts {
		names = append(names, cmp.Or(h.Name, h.ID))
	}
	return "the servers of other hosts do not run, which go on by the rules that they had: " + strings.Join(names, ", ")
}

// Hosts gives the hosts of the cluster; self is this one, with its name. Nothing
// is told or known before Run.
func (e *Etcd) Hosts(self, name string, logger *slog.Logger) *Hosts {
	return &Hosts{etcd: e, self: self, name: strings.ReplaceAll(name, "\n", " "), logger: logger, told: make(chan struct{}, 1), all: map[string]Host{}, moved: make(chan struct{})}
}

// Expect says that a host is of the cluster, also if its server does not run.
func (h *Hosts) Expect(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.all[id]; !ok {
		h.all[id] = Host{ID: id, Lost: true}
	}
}

// All gives the hosts that are known, by id; this one is among them once it has
// told.
func (h *Hosts) All() (all []Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.all {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b Host) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Report tells the others which revision this host enforces, soon.
func (h *Hosts) Report(rev uint64) {
	h.mu.Lock()
	h.mine = rev
	h.mu.Unlock()
	select {
	case h.told <- struct{}{}:
	default:
	}
}

// Wait waits until every other host for which which is true enforces a revision.
// It fails with ctx's error, and with a LostError if only hosts are behind whose
// servers do not run.
func (h *Hosts) Wait(ctx context.Context, rev uint64, which func(host string) bool) error {
	for {
		h.mu.Lock()
		var behind []Host
		for id, host := range h.all {
			if host.Rev < rev && id != h.self {
				behind = append(behind, host)
			}
		}
		moved := h.moved
		h.mu.Unlock()
		wait, lost := false, &LostError{}
		for _, host := range behind {
			switch {
			case !which(host.ID):
			case host.Lost:
				lost.Hosts = append(lost.Hosts, host)
			default:
				wait = true
			}
		}
		if !wait && len(lost.Hosts) > 0 {
			return lost
		}
		if !wait {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Run tells and learns until ctx ends; then this host is no longer waited for.
func (h *Hosts) Run(ctx context.Context) {
	var both sync.WaitGroup
	for what, f := range map[string]func(context.Context) error{
		"the other hosts are not told what this one enforces": h.tell,
		"what other hosts enforce is not known; tried again":  h.learn,
	} {
		both.Go(func() {
			for ctx.Err() == nil {
				if err := f(ctx); ctx.Err() == nil {
					h.logger.Warn(what, "host", h.self, "err", err)
				}
				pause(ctx, time.Second)
			}
		})
	}
	both.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// tell writes what was reported for as long as its lease lasts.
func (h *Hosts) tell(ctx context.Context) error {
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
	for {
		h.mu.Lock()
		mine := h.mine
		h.mu.Unlock()
		if _, err := client.Put(ctx, h.etcd.key(hostKey, h.self), strconv.FormatUint(mine, 10)+" "+h.name, clientv3.WithLease(lease.ID)); err != nil {
			return err
		}
		pause(ctx, reportEvery)
		for told := false; !told; {
			select {
			case <-h.told:
				told = true
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

// learn follows what all hosts tell.
func (h *Hosts) learn(ctx context.Context) error {
	prefix := h.etcd.key(hostKey)
	resp, err := h.etcd.client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	h.mu.Lock()
	for id := range h.all {
		h.lose(id)
	}
	for _, kv := range resp.Kvs {
		h.heard(kv)
	}
	h.changed()
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range h.etcd.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(resp.Header.Revision+1)) {
		if err := resp.Err(); err != nil {
			return err
		}
		h.mu.Lock()
		for _, ev := range resp.Events {
			if ev.Type == mvccpb.DELETE {
				h.lose(string(ev.Kv.Key[len(prefix):]))
			} else {
				h.heard(ev.Kv)
			}
		}
		h.changed()
	}
	return fmt.Errorf("the watch ended")
}

// heard notes what a host tells. The caller holds mu. What cannot be read is of
// another moat, and waited for no longer than it lives.
func (h *Hosts) heard(kv *mvccpb.KeyValue) {
	number, name, _ := strings.Cut(string(kv.Value), " ")
	rev, _ := strconv.ParseUint(number, 10, 64)
	id := string(kv.Key[len(h.etcd.key(hostKey)):])
	h.all[id] = Host{ID: id, Name: name, Rev: rev}
}

// lose notes that a host says nothing any more. The caller holds mu.
func (h *Hosts) lose(id string) {
	host := h.all[id]
	host.ID, host.Lost = id, true
	h.all[id] = host
}

// changed wakes who waits and unlocks mu.
func (h *Hosts) changed() {
	close(h.moved)
	h.moved = make(chan struct{})
	h.mu.Unlock()
}
