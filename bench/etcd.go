package main

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"moat/server"
	"moat/state"
	"moat/store"
)

// A bareEtcd is an embedded etcd without moat: what a durable write costs at
// least.
type bareEtcd struct {
	client *clientv3.Client
	etcd   *embed.Etcd
	head   int64
}

func startBareEtcd(dir string) (*bareEtcd, error) {
	cfg := embed.NewConfig()
	cfg.Name = "bare"
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls, cfg.ListenPeerUrls, cfg.ListenMetricsUrls = nil, nil, nil
	cfg.LogLevel = "error"
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	<-e.Server.ReadyNotify()
	return &bareEtcd{client: v3client.New(e.Server), etcd: e}, nil
}

func (b *bareEtcd) stop() {
	b.client.Close()
	b.etcd.Close()
}

// write makes n transactions with the writes of a batch, guarded as moat's
// are, one after the other.
func (b *bareEtcd) write(n int, batch *store.Batch) (*result, error) {
	ctx := context.Background()
	ops := []clientv3.Op{clientv3.OpPut("/moat/state", "0123456789")}
	for _, r := range batch.Records {
		ops = append(ops, clientv3.OpPut("/moat/state/"+r.Key, string(r.Value)))
	}
	for _, e := range batch.Entries {
		ops = append(ops, clientv3.OpPut("/moat/"+string(e.Book)+"/0123456789abcdef", string(e.Value)))
	}
	r := &result{}
	began := time.Now()
	for range n {
		at := time.Now()
		resp, err := b.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision("/moat/state"), "=", b.head)).
			Then(ops...).Else(clientv3.OpGet("/moat/state")).Commit()
		if err != nil {
			return nil, err
		}
		b.head = resp.Header.Revision
		r.timings = append(r.timings, timing{whole: time.Since(at)})
	}
	r.rate = float64(n) / time.Since(began).Seconds()
	return r, nil
}

// sampleBatches gives what moat commits for a create and for an authorize, by
// making the calls to a server of this process whose log notes what it is given.
func sampleBatches() (create, auth *store.Batch, err error) {
	log := &notingLog{Log: store.NewMemory()}
	st, err := store.Open(context.Background(), log, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	s := server.New(st, server.Config{Region: scope.Region, Account: scope.Account, AnyAuth: true})
	if err := s.Furnish(context.Background(), scope); err != nil {
		return nil, nil, err
	}
	sign := &signer{"127.0.0.1:4599", "AKIAIOSFODNN7EXAMPLE", "secret", scope.Region}
	call := func(action string, p params) (*store.Batch, string, error) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sign.request(action, p))))
		if err != nil {
			return nil, "", err
		}
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusOK {
			return nil, "", &statusError{w.Result().Status, w.Body.String()}
		}
		return log.last(), element(w.Body.Bytes(), "groupId"), nil
	}
	vpc := string(state.DefaultVPC(st.Latest().In(scope)).ID)
	create, group, err := call("CreateSecurityGroup", createGroup(groupName(0), vpc, groupName(0)))
	if err != nil {
		return nil, nil, err
	}
	// A group such as those that are authorized, with some rules.
	if _, _, err = call("AuthorizeSecurityGroupIngress", authorize(group, "", 0, 3)); err != nil {
		return nil, nil, err
	}
	auth, _, err = call("AuthorizeSecurityGroupIngress", authorize(group, "", 3, 1))
	return create, auth, err
}

type notingLog struct {
	store.Log
	mu    sync.Mutex
	batch *store.Batch
}

func (l *notingLog) Append(ctx context.Context, after store.Head, b *store.Batch) (store.Head, error) {
	l.mu.Lock()
	l.batch = b
	l.mu.Unlock()
	return l.Log.Append(ctx, after, b)
}

func (l *notingLog) last() *store.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.batch
}
