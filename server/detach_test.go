package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/agent"
	"moat/dataplane/sim"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/test/clause"
	"moat/test/etcdtest"
	"moat/vpc"
)

// A member is one server of a cluster, with a simulated host of its own.
type member struct {
	*site
	id       string
	agent    *agent.Agent
	releases string
	proxy    *etcdtest.Proxy
	stop     func() // its agent and what it does by itself
}

// newMember starts a server as cli does. Its releases are in dir.
func newMember(t *testing.T, endpoint, id, dir string, host *sim.Host) *member {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	log, err := store.OpenCluster(t.Context(), store.Cluster{Endpoints: []string{endpoint}}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{id: id, releases: filepath.Join(dir, "releases")}
	m.site = &site{T: t, host: host}
	m.plane = host.Open(id)
	var api *server.Server
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	ts, st := newAPIWith(t, log, func(c *server.Config, st *store.Store) {
		m.agent = agent.New(agent.Config{Source: st, Plane: m.plane, Host: id, Releases: m.releases})
		hosts := log.Hosts(id, "host "+id[:1], quiet)
		c.Enforcement = server.Enforcement{Agent: m.agent, Host: id, Hostname: "host " + id[:1], Kind: "sim", Wait: true, Timeout: 5 * time.Second, Hosts: hosts}
		done.Go(func() { m.agent.Run(ctx) })
		done.Go(func() { hosts.Run(ctx) })
		done.Go(func() { server.ReportEnforced(ctx, m.agent, hosts) })
	}, func(s *server.Server) { api = s })
	m.url, m.store = ts.URL, st
	done.Go(func() { api.KeepReleases(ctx) })
	m.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(m.stop)
	return m
}

func newHost() *sim.Host {
	h := sim.NewHost(nil)
	h.AddDevice("", "veth0")
	h.AddDevice("", "veth1")
	return h
}

// bound makes an interface that is bound to a device of the member's host.
func (m *member) bound(device string) (eni string) {
	m.Helper()
	body, _ := m.ec2("Action=DescribeSubnets")
	subnet := one(body, "subnetId")
	body, _ = m.ec2("Action=CreateNetworkInterface&SubnetId=" + subnet)
	eni = one(body, "networkInterfaceId")
	if status, code, msg := m.admin("attach", map[string]string{"interface": eni, "device": device}, nil); status != 200 {
		m.Fatalf("attach: %d %s %s", status, code, msg)
	}
	return eni
}

// detach asks for a detachment; the fields of in are beside the interface's.
func (m *member) detach(eni string, more ...string) (out server.Bound, code, message string) {
	m.Helper()
	in := map[string]any{"interface": eni}
	for _, f := range more {
		in[f] = true
	}
	_, code, message = m.admin("detach", in, &out)
	return out, code, message
}

// on gives the device that the state has for an interface; nil for none.
func (m *member) on(eni string) *vpc.Device {
	if i := m.row(eni); i != nil && i.Attachment != nil {
		return i.Attachment.Device
	}
	return nil
}

func (m *member) row(eni string) *vpc.Interface {
	return state.Interfaces.Get(m.store.Latest().In(state.Scope{Region: "us-east-1", Account: account}), vpc.InterfaceID(eni))
}

// filters reports whether the member's host has a filter for an interface.
func (m *member) filters(eni string) bool {
	m.Helper()
	have, err := m.plane.Bindings(context.Background())
	if err != nil {
		m.Fatal(err)
	}
	for _, b := range have {
		if string(b.Interface) == eni {
			return true
		}
	}
	return false
}

func (m *member) until(what string, ok func() bool) {
	m.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			m.Fatalf("never: %s", what)
		}
	}
}

// mode is what a member says of an interface.
func (m *member) mode(eni string) string {
	m.Helper()
	var all server.Interfaces
	m.admin("interfaces", nil, &all)
	for _, i := range all.Interfaces {
		if string(i.Interface) == eni {
			return i.Mode
		}
	}
	return ""
}

// events returns the requests of the detachments in the audit trail, in order.
func (m *member) events(eni string) (out []string) {
	m.Helper()
	entries, err := m.store.Scan(context.Background(), store.Audit, 1, 10_000)
	if err != nil {
		m.Fatal(err)
	}
	for _, en := range entries {
		e, err := store.DecodeEvent(en.Value)
		if err != nil {
			m.Fatal(err)
		}
		if e.Action == "DetachDevice" && strings.Contains(e.Request, eni) {
			out = append(out, e.Request)
		}
	}
	return out
}

// Another host's interface is off its device once that host's server says so. A
// dead host's is asked for, the state shows it, and it is done when the server
// runs again. Only --force forgets it.
func TestDetachAtAnotherHost(t *testing.T) {
	clause.Holds(t, "F82", "F83")
	etcd := etcdtest.Start(t)
	host, dir := newHost(), t.TempDir()
	one, two := newMember(t, etcd.Endpoint(), testHost, t.TempDir(), newHost()), newMember(t, etcd.Endpoint(), hostB, dir, host)
	first, second, third, neighbour := two.bound("veth0"), two.bound("veth1"), one.bound("veth0"), one.bound("veth1")
	out, code, msg := one.detach(first)
	if code != "" || out.Asked || out.Enforced != "yes" || out.Host != hostB || two.filters(first) {
		t.Errorf("detached at a host that runs: %+v %s %s; it filters: %v", out, code, msg, two.filters(first))
	}
	if one.on(first) != nil {
		t.Errorf("the state has it on %+v", one.on(first))
	}
	if out, code, msg := two.detach(third); code != "" || out.Asked || one.filters(third) {
		t.Errorf("detached the other way round: %+v %s %s", out, code, msg)
	}

	two.plane.Fail(func(call string) error {
		if call == "Unbind" {
			return fmt.Errorf("no memory")
		}
		return nil
	})
	if out, code, msg := one.detach(second); code != "" || !out.Asked || out.Enforced != "pending" {
		t.Errorf("a host that cannot: %+v %s %s", out, code, msg)
	}
	two.stop()
	two.plane.Fail(nil)
	one.until("the host counts as dead", func() bool {
		var st server.Status
		one.admin("status", nil, &st)
		for _, h := range st.Hosts {
			if h.Identity == hostB {
				return h.State == "lost"
			}
		}
		return false
	})
	began := time.Now()
	out, code, msg = one.detach(second)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a host that is known to be dead is waited for, %v", took)
	}
	if code != "" || !out.Asked || out.Enforced != "pending" || !strings.Contains(out.Error, "do not run") || !two.filters(second) {
		t.Errorf("a dead host: %+v %s %s; it filters: %v", out, code, msg, two.filters(second))
	}
	if d := one.on(second); d == nil || !d.Detaching || one.mode(second) != "detaching" {
		t.Errorf("the state has %+v, and interfaces says %q", d, one.mode(second))
	}
	if status, code, _ := one.admin("attach", map[string]string{"interface": second, "device": "veth0"}, nil); status == 200 {
		t.Errorf("what is not off its device is attached elsewhere: %s", code)
	}
	two = newMember(t, etcd.Endpoint(), hostB, dir, host)
	two.until("it is off its device", func() bool { return !two.filters(second) })
	two.until("the state has it off", func() bool { return two.on(second) == nil })

	// A host that never comes back.
	gone := two.bound("veth0")
	two.stop()
	if out, _, _ := one.detach(gone); !out.Asked {
		t.Errorf("a host that never comes back: %+v", out)
	}
	out, code, msg = one.detach(gone, "force")
	if code != "" || out.Asked || !out.Forgotten || one.on(gone) != nil {
		t.Errorf("forced: %+v %s %s, the state has %+v", out, code, msg, one.on(gone))
	}
	if one.mode(neighbour) != "enforce" || !one.filters(neighbour) {
		t.Errorf("the neighbour is %q", one.mode(neighbour))
	}
}

// cutOff makes a member with a proxy to etcd, and another one without.
func cutOff(t *testing.T) (m, other *member, dir string, host *sim.Host) {
	t.Helper()
	etcd := etcdtest.Start(t)
	p := etcd.Proxy()
	host, dir = newHost(), t.TempDir()
	m = newMember(t, p.Endpoint(), testHost, dir, host)
	m.proxy = p
	return m, newMember(t, etcd.Endpoint(), hostB, t.TempDir(), newHost()), dir, host
}

func (m *member) cut(silent bool) {
	if silent {
		m.proxy.Set(func() { m.proxy.Mute, m.proxy.Deaf = true, true })
	} else {
		m.proxy.Cut(func() { m.proxy.Down = true })
	}
}

func (m *member) heal() {
	m.proxy.Cut(func() { m.proxy.Down, m.proxy.Mute, m.proxy.Deaf = false, false, false })
}

// Without etcd a host takes the filter off its own device, at once or as soon as
// it is known that etcd does not answer. The state has it later, with one event;
// whatever others did meanwhile holds.
func TestBreakGlass(t *testing.T) {
	clause.Holds(t, "F84", "F85")
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent %v", silent), func(t *testing.T) {
			m, other, _, _ := cutOff(t)
			eni, neighbour, far := m.bound("veth0"), m.bound("veth1"), other.bound("veth0")
			m.until("its view has what the other did", func() bool { return m.on(far) != nil })
			m.cut(silent)
			out, code, msg := m.detach(eni)
			if code != "" || !out.Deferred || out.Enforced != "yes" || m.filters(eni) {
				t.Fatalf("detach: %+v %s %s; it filters: %v", out, code, msg, m.filters(eni))
			}
			if again, code, msg := m.detach(eni); code != "" || !again.Deferred || len(m.agent.Releases()) != 1 {
				t.Errorf("again: %+v %s %s", again, code, msg)
			}
			m.until("the view is stale", func() bool { return m.store.Age() > server.StaleAfter })
			began := time.Now()
			if _, code, msg := m.detach(far); code != "Unavailable" || !strings.Contains(msg, "interfaces of this host") {
				t.Errorf("another host's: %s %s", code, msg)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("another host's is refused after %v", took)
			}
			if m.mode(eni) != "released" || m.mode(neighbour) != "enforce" || !m.filters(neighbour) {
				t.Errorf("status says %q, and of the neighbour %q", m.mode(eni), m.mode(neighbour))
			}
			if other.on(eni) == nil {
				t.Error("the state knows already")
			}
			m.heal()
			other.until("the state has it off", func() bool { return other.on(eni) == nil })
			m.until("it is forgotten", func() bool { return len(m.agent.Releases()) == 0 })
			if e := other.events(eni); len(e) == 0 || len(e) > 2 || !strings.Contains(e[len(e)-1], "ReleasedAt=") {
				t.Errorf("the events are %v", e)
			}
			if m.filters(eni) || !m.filters(neighbour) {
				t.Errorf("it filters %v, its neighbour %v", m.filters(eni), m.filters(neighbour))
			}
			// It can be attached again.
			if status, code, msg := m.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil); status != 200 || !m.filters(eni) {
				t.Errorf("attach: %d %s %s", status, code, msg)
			}
		})
	}
}

// What others did meanwhile holds, and the event is written all the same.
func TestBreakGlassAndOthers(t *testing.T) {
	clause.Holds(t, "F85")
	for name, row := range map[string]struct {
		meanwhile func(t *testing.T, other *member, eni string)
		then      func(m, other *member, eni string) bool
	}{
		"deleted": {func(t *testing.T, other *member, eni string) {
			if out, _, _ := other.detach(eni, "force"); !out.Forgotten {
				t.Errorf("forced: %+v", out)
			}
			other.ec2("Action=DeleteNetworkInterface&NetworkInterfaceId=" + eni)
		}, func(m, other *member, eni string) bool { return other.row(eni) == nil && !m.filters(eni) }},
		"attached elsewhere": {func(t *testing.T, other *member, eni string) {
			other.detach(eni, "force")
			if status, code, msg := other.admin("attach", map[string]string{"interface": eni, "device": "veth1"}, nil); status != 200 {
				t.Errorf("attach: %d %s %s", status, code, msg)
			}
		}, func(m, other *member, eni string) bool {
			d := other.on(eni)
			return d != nil && d.Host == hostB && other.filters(eni) && !m.filters(eni)
		}},
		"asked for": {func(t *testing.T, other *member, eni string) {
			if out, _, _ := other.detach(eni); !out.Asked {
				t.Errorf("asked for: %+v", out)
			}
		}, func(m, other *member, eni string) bool { return other.on(eni) == nil && !m.filters(eni) }},
		"another attachment here": {func(t *testing.T, other *member, eni string) {
			if _, _, err := other.store.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now(), Scope: state.Scope{Region: "us-east-1", Account: account}}, Plan: func(tx *state.Txn) (any, error) {
				i := *state.Interfaces.Get(tx, vpc.InterfaceID(eni))
				at := *i.Attachment
				at.ID, i.Attachment = "eni-attach-0123456789abcdef0", &at
				state.Interfaces.Put(tx, &i)
				return nil, nil
			}}); err != nil {
				t.Fatal(err)
			}
		}, func(m, other *member, eni string) bool { return other.on(eni) != nil && m.filters(eni) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, other, _, _ := cutOff(t)
			eni := m.bound("veth0")
			m.cut(false)
			if out, code, msg := m.detach(eni); code != "" || !out.Deferred {
				t.Fatalf("detach: %+v %s %s", out, code, msg)
			}
			row.meanwhile(t, other, eni)
			m.heal()
			m.until("it is forgotten", func() bool { return len(m.agent.Releases()) == 0 })
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the state has it on %+v, filters here %v there %v, modes %q and %q", other.on(eni), m.filters(eni), other.filters(eni), m.mode(eni), other.mode(eni))
				}
			})
			m.until("what others did holds", func() bool { return row.then(m, other, eni) })
			if e := strings.Join(other.events(eni), "\n"); strings.Count(e, "ReleasedAt=") != 1 {
				t.Errorf("the events are\n%s", e)
			}
		})
	}
}

// A server that ends while etcd is away, and one that ends between the answer of
// etcd and the file: the filter stays off, and there is one event.
func TestBreakGlassOverRestarts(t *testing.T) {
	m, other, dir, host := cutOff(t)
	eni, neighbour := m.bound("veth0"), m.bound("veth1")
	m.cut(false)
	if out, code, msg := m.detach(eni); code != "" || !out.Deferred {
		t.Fatalf("detach: %+v %s %s", out, code, msg)
	}
	m.stop()
	before, proxy := m.agent.Releases(), m.proxy
	m.heal()
	m = newMember(t, proxy.Endpoint(), testHost, dir, host)
	other.until("the state has it off", func() bool { return other.on(eni) == nil })
	m.until("it is forgotten", func() bool { return len(m.agent.Releases()) == 0 })
	if m.filters(eni) || !m.filters(neighbour) {
		t.Errorf("it filters %v, its neighbour %v", m.filters(eni), m.filters(neighbour))
	}
	// As if the file had not been written after the answer.
	m.stop()
	before[0].Tried = 1
	a := agent.New(agent.Config{Source: m.store, Plane: host.Open(testHost), Host: testHost, Releases: filepath.Join(dir, "releases")})
	if err := a.Release(t.Context(), before[0]); err != nil {
		t.Fatal(err)
	}
	m = newMember(t, proxy.Endpoint(), testHost, dir, host)
	m.until("it is forgotten", func() bool { return len(m.agent.Releases()) == 0 })
	if e := strings.Join(other.events(eni), "\n"); strings.Count(e, "ReleasedAt=") != 1 {
		t.Errorf("the events are\n%s", e)
	}
}
