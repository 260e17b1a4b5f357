package server_test

import (
	"log/slog"
	"testing"
	"time"

	"moat/server"
	"moat/store"
	"moat/test/clause"
	"moat/test/etcdtest"
)

// A server that does not reach etcd any more answers status at once by the view
// that it has, and says how old that is.
func TestStatusWithoutEtcd(t *testing.T) {
	clause.Holds(t, "F80")
	for name, lose := range map[string]func(p *etcdtest.Proxy){
		"refused": func(p *etcdtest.Proxy) { p.Cut(func() { p.Down = true }) },
		"silent":  func(p *etcdtest.Proxy) { p.Set(func() { p.Mute, p.Deaf = true, true }) },
	} {
		t.Run(name, func(t *testing.T) {
			p := etcdtest.Start(t).Proxy()
			quiet := slog.New(slog.DiscardHandler)
			log, err := store.OpenCluster(t.Context(), store.Cluster{Endpoints: []string{p.Endpoint()}}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			hosts := log.Hosts(testHost, "box", quiet)
			s := newSiteOn(t, log, func(c *server.Config) { c.Enforcement.Hosts = hosts })
			eni, _ := s.furnish()
			if status, code, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil); status != 200 {
				t.Fatalf("attach: %d %s %s", status, code, m)
			}
			var st server.Status
			if s.admin("status", nil, &st); st.Stale || st.ViewAge > 5 || len(st.Hosts) != 1 || st.Hosts[0].State != "yes" {
				t.Errorf("while etcd answers: stale %v, age %v, hosts %+v", st.Stale, st.ViewAge, st.Hosts)
			}
			lose(p)
			quickly := func(what string) {
				t.Helper()
				for tries := 0; ; tries++ {
					began := time.Now()
					st = server.Status{}
					s.admin("status", nil, &st)
					if took := time.Since(began); took < 100*time.Millisecond {
						return
					} else if tries == 20 { // a busy machine
						t.Fatalf("%s: status takes %v", what, took)
					}
				}
			}
			quickly("etcd does not answer since this moment")
			if st.Stale || st.State != "yes" || len(st.Interfaces) != 1 {
				t.Errorf("etcd does not answer since this moment: %+v", st)
			}
			for end := time.Now().Add(30 * time.Second); !st.Stale; time.Sleep(50 * time.Millisecond) {
				if s.admin("status", nil, &st); time.Now().After(end) {
					t.Fatalf("the view never counts as stale: age %v", st.ViewAge)
				}
			}
			quickly("etcd does not answer for a while")
			if st.ViewAge < server.StaleAfter.Seconds() || st.State != "yes" || len(st.Interfaces) != 1 || st.Interfaces[0].Mode != "enforce" || len(st.Hosts) != 1 || st.Hosts[0].State != "yes" {
				t.Errorf("etcd does not answer for a while: %+v", st)
			}
			p.Cut(func() { p.Down, p.Mute, p.Deaf = false, false, false })
			for end := time.Now().Add(60 * time.Second); st.Stale; time.Sleep(50 * time.Millisecond) {
				st = server.Status{}
				if s.admin("status", nil, &st); time.Now().After(end) {
					t.Fatalf("etcd answers again, and the view is stale for ever: age %v", st.ViewAge)
				}
			}
		})
	}
}
