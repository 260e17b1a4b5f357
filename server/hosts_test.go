package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/state"
	"moat/store"
	"moat/test/etcdtest"
	"moat/vpc"
)

// A call that waits for all hosts returns when another host that has an
// interface bound says that it obeys, and tells if it does not in time. A host
// without one is not waited for.
func TestWaitsForOtherHosts(t *testing.T) {
	etcd := etcdtest.Start(t)
	quiet := slog.New(slog.DiscardHandler)
	hosts := func(name string) *store.Hosts {
		log, err := store.OpenCluster(t.Context(), store.Cluster{Endpoints: []string{etcd.Endpoint()}}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		h := log.Hosts(name, "host "+name, quiet)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); h.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done; log.Close() })
		return h
	}
	const otherHost = "11111111-8b86-4d01-b42d-00c04fc964ff"
	mine, other := hosts(testHost), hosts(otherHost)
	s := newSite(t, func(c *server.Config) {
		c.Enforcement.Hosts, c.Enforcement.All, c.Enforcement.Timeout = mine, true, 400*time.Millisecond
	})
	known := func(rev uint64) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		return mine.Wait(ctx, rev, func(string) bool { return true })
	}
	for known(1) == nil {
		time.Sleep(10 * time.Millisecond) // until it is known that the other lives
	}
	eni, group := s.furnish() // which the other has not, and it wants yes

	// The other host binds it.
	if _, _, err := s.store.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now(), Scope: state.Scope{Region: "us-east-1", Account: account}}, Plan: func(tx *state.Txn) (any, error) {
		row := *state.Interfaces.Get(tx, vpc.InterfaceID(eni))
		row.Attachment = &vpc.Attachment{ID: "eni-attach-0123456789abcdef0", Device: &vpc.Device{Host: otherHost, Name: "veth9"}}
		state.Interfaces.Put(tx, &row)
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	allow := func(port string) http.Header {
		_, h := s.ec2("Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpProtocol=tcp&FromPort=" + port + "&ToPort=" + port + "&CidrIp=0.0.0.0/0")
		return h
	}
	if h := allow("80"); h.Get("X-Moat-Enforced") != "pending" {
		t.Errorf("the other host does not obey yet: x-moat-enforced %q", h.Get("X-Moat-Enforced"))
	}
	var waited server.Waited
	s.admin("wait?timeout=10ms&rev="+strings.TrimSpace(allow("81").Get("X-Moat-Revision")), nil, &waited)
	if waited.Enforced != "pending" {
		t.Errorf("moat wait: %+v", waited)
	}
	rev := s.store.Latest().Rev
	time.AfterFunc(100*time.Millisecond, func() { other.Report(rev + 1) })
	began := time.Now()
	if h := allow("82"); h.Get("X-Moat-Enforced") != "yes" || time.Since(began) < 90*time.Millisecond {
		t.Errorf("the other host obeys after 100 ms: x-moat-enforced %q after %v", h.Get("X-Moat-Enforced"), time.Since(began))
	}
}
