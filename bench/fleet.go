package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/etcd/server/v3/embed"

	"moat/agent"
	"moat/dataplane/sim"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// fleet measures what a change costs with --wait-enforced all: simulated hosts,
// each with a store, an agent and a connection of its own, on a real etcd. One
// interface is bound on each host; all of them have the group that changes.
func (b *bench) fleet() error {
	section("A fleet: one rule that concerns every host, answered when all obey")
	sizes := []int{10, 40, 100, 200, 400}
	if b.short {
		sizes = []int{10, 40}
	}
	fmt.Println("    none: the commit alone; all: until every host obeys; another: with all, a change that concerns no host")
	fmt.Println("hosts   none ms |  all ms   99th |  another | processor ms a change | messages of reports a change")
	var perHost []float64
	for _, n := range sizes {
		f, err := newFleet(b.dir, n)
		if err != nil {
			return err
		}
		r, err := f.measure(10 * b.rounds)
		f.stop()
		if err != nil {
			return err
		}
		fmt.Printf("%5d %9.2f | %7.2f %6.1f | %8.2f | %21.1f | %.1f\n", n, r.none, r.all, r.all99, r.another, r.cpu, r.messages)
		perHost = append(perHost, r.messages/float64(n))
		if n == 40 {
			goal("40 hosts: answered when all obey, median", "below 15 ms", fmt.Sprintf("%.1f ms", r.all), r.all < 15)
		}
	}
	most := slices.Max(perHost)
	goal("messages of reports, a host and a change", "at most 1.5, however many hosts", fmt.Sprintf("%.2f", most), most <= 1.5)
	return nil
}

// A fleetRun is a fleet of simulated hosts with a server that answers.
type fleetRun struct {
	etcd  *embed.Etcd
	api   http.Handler
	none  http.Handler // the same server, with --wait-enforced none
	sign  *signer
	group string // that all hosts have
	other string // that none has
	hosts int
	rule  map[string]bool // groups that have the rule
	ends  []func()
}

var fleetScope = state.Scope{Region: "us-east-1", Account: "123456789012"}

func newFleet(dir string, n int) (ready *fleetRun, err error) {
	f := &fleetRun{hosts: n, rule: map[string]bool{}, sign: &signer{"127.0.0.1:4599", "AKIAIOSFODNN7EXAMPLE", "secret", fleetScope.Region}}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	dir, err = os.MkdirTemp(dir, "fleet")
	if err != nil {
		return nil, err
	}
	f.ends = append(f.ends, func() { os.RemoveAll(dir) })
	cfg := embed.NewConfig()
	cfg.Name = "fleet"
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenPeerUrls, cfg.ListenMetricsUrls = nil, nil
	cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Path: filepath.Join(dir, "s")}}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.LogLevel = "panic"
	cfg.MaxTxnOps = 8192
	if f.etcd, err = embed.StartEtcd(cfg); err != nil {
		return nil, err
	}
	f.ends = append(f.ends, f.etcd.Close)
	<-f.etcd.Server.ReadyNotify()

	st, a, hosts, err := f.host("host-0")
	if err != nil {
		return nil, err
	}
	api := func(e server.Enforcement) http.Handler {
		return server.New(st, server.Config{Region: fleetScope.Region, Account: fleetScope.Account, AnyAuth: true, Enforcement: e})
	}
	e := server.Enforcement{Agent: a, Host: "host-0", Kind: "sim", Wait: true, Timeout: time.Minute, Hosts: hosts, All: true}
	s := api(e)
	f.api = s
	e.Wait, e.All = false, false
	f.none = api(e)
	if err := s.(*server.Server).Furnish(context.Background(), fleetScope); err != nil {
		return nil, err
	}
	v := state.DefaultVPC(st.Latest().In(fleetScope)).ID
	for name, id := range map[string]*string{"web": &f.group, "other": &f.other} {
		body, _, err := f.call(f.api, "CreateSecurityGroup", createGroup(name, string(v), name))
		if err != nil {
			return nil, err
		}
		*id = element(body, "groupId")
	}
	_, _, err = st.Write(context.Background(), &store.Write{
		Call: state.Call{Scope: fleetScope, Now: time.Now()},
		Plan: func(tx *state.Txn) (any, error) {
			for i := range n {
				state.Interfaces.Put(tx, &vpc.Interface{
					ID: vpc.InterfaceID(fmt.Sprintf("eni-%017x", i)), VPC: v, Groups: []vpc.GroupID{vpc.GroupID(f.group)}, SourceDestCheck: true,
					Addresses:  []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})},
					Attachment: &vpc.Attachment{ID: fmt.Sprintf("eni-attach-%017x", i), Device: &vpc.Device{Host: fmt.Sprintf("host-%d", i), Name: "veth0"}},
				})
			}
			return nil, nil
		},
	})
	if err != nil {
		return nil, err
	}
	for i := 1; i < n; i++ {
		if _, _, _, err := f.host(fmt.Sprintf("host-%d", i)); err != nil {
			return nil, err
		}
	}
	for end := time.Now().Add(time.Minute); ; { // until all are there
		_, h, err := f.change(f.api, f.group)
		if err != nil {
			return nil, err
		}
		if h.Get("X-Moat-Enforced") == "yes" {
			return f, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d hosts do not all enforce after a minute: %s", n, h.Get("X-Moat-Enforced-Hosts"))
		}
	}
}

// host starts a host, as moat serve does on each machine of a cluster.
func (f *fleetRun) host(id string) (*store.Store, *agent.Agent, *store.Hosts, error) {
	quiet := slog.New(slog.DiscardHandler)
	log, err := store.OpenCluster(context.Background(), store.Cluster{Endpoints: []string{"unix://" + f.etcd.Config().ListenClientUrls[0].Path}, Limits: store.Limits{Ops: 1 << 20}}, quiet)
	if err != nil {
		return nil, nil, nil, err
	}
	st, err := store.Open(context.Background(), log, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		log.Close()
		return nil, nil, nil, err
	}
	machine := sim.NewHost(nil)
	machine.AddDevice("", "veth0")
	a := agent.New(agent.Config{Source: st, Plane: machine.Open(id), Host: id})
	hosts := log.Hosts(id, id, quiet)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = a.Run(ctx) }) // ends with ctx only
	done.Go(func() { hosts.Run(ctx) })
	done.Go(func() { server.ReportEnforced(ctx, a, hosts) })
	f.ends = append(f.ends, func() { cancel(); done.Wait(); st.Close() })
	return st, a, hosts, nil
}

func (f *fleetRun) stop() {
	var all sync.WaitGroup
	for i, end := range slices.Backward(f.ends) {
		if i < 2 {
			all.Wait()
			end() // etcd, and its directory
			continue
		}
		all.Go(end)
	}
	all.Wait()
}

func (f *fleetRun) call(api http.Handler, action string, p params) (body []byte, h http.Header, err error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(f.sign.request(action, p))))
	if err != nil {
		return nil, nil, err
	}
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != http.StatusOK {
		return nil, nil, &statusError{w.Result().Status, w.Body.String()}
	}
	return w.Body.Bytes(), w.Header(), nil
}

// change adds a rule to a group, or removes it if it is there.
func (f *fleetRun) change(api http.Handler, group string) (took time.Duration, h http.Header, err error) {
	action := "AuthorizeSecurityGroupIngress"
	if f.rule[group] {
		action = "RevokeSecurityGroupIngress"
	}
	f.rule[group] = !f.rule[group]
	began := time.Now()
	_, h, err = f.call(api, action, params{"GroupId", group, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "10.0.0.0/8"})
	return time.Since(began), h, err
}

// A fleetResult has milliseconds, and messages a change.
type fleetResult struct{ none, all, all99, another, cpu, messages float64 }

func (f *fleetRun) measure(rounds int) (*fleetResult, error) {
	var none, all, another []float64
	var cpu time.Duration
	messages := 0.0
	for range rounds {
		for _, c := range []struct {
			api   http.Handler
			group string
			into  *[]float64
		}{{f.none, f.group, &none}, {f.api, f.group, &all}, {f.api, f.other, &another}} {
			for range 2 {
				before, sent := processorTime(), watchMessages()
				took, h, err := f.change(c.api, c.group)
				if err != nil {
					return nil, err
				}
				*c.into = append(*c.into, float64(took)/1e6)
				if c.into == &all {
					// The change itself is told to every host: its record and the head.
					cpu += processorTime() - before
					messages += watchMessages() - sent - 2*float64(f.hosts)
				}
				if got := h.Get("X-Moat-Enforced"); got != "yes" && c.into != &none {
					return nil, fmt.Errorf("a change is %s on %s hosts", got, h.Get("X-Moat-Enforced-Hosts"))
				}
				if c.into == &none { // its reports are not to be counted as those of the next change
					f.settle()
				}
			}
		}
	}
	slices.Sort(all)
	n := float64(len(all))
	return &fleetResult{none: median(none), all: median(all), all99: all[int(math.Ceil(n*0.99))-1], another: median(another), cpu: cpu.Seconds() * 1e3 / n, messages: messages / n}, nil
}

// settle waits until no message has been sent for a moment.
func (f *fleetRun) settle() {
	for last := -1.0; last != watchMessages(); time.Sleep(20 * time.Millisecond) {
		last = watchMessages()
	}
}

// processorTime is what this process has used: hosts, server and etcd.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // the figure is 0 then
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchMessages is how many changed keys etcd has told to watchers.
func watchMessages() float64 {
	families, _ := prometheus.DefaultGatherer.Gather() // the figure is 0 then
	for _, m := range families {
		if m.GetName() == "etcd_debugging_mvcc_events_total" {
			return m.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
