package agent_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/agent"
	"moat/dataplane"
	"moat/dataplane/sim"
	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/store"
	"moat/test/clause"
	"moat/vpc"
)

const (
	host   = "host-1"
	device = "veth0"
	eni    = vpc.InterfaceID("eni-0000000000000000a")
	eni2   = vpc.InterfaceID("eni-0000000000000000b")
)

var scope = state.Scope{Region: "us-east-1", Account: "123456789012"}

// A world is a store with an agent on a simulated host.
type world struct {
	*testing.T
	host  *sim.Host
	plane *sim.Plane
	store *store.Store
	agent *agent.Agent
	links chan agent.LinkChange
	stop  func()
	// snapshot is the agent's; "" for none.
	snapshot string
	read     agent.DeviceReader
	bootID   string
	// released is its file of releases.
	released string
	port     uint16
	n        uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, host: sim.NewHost(nil)}
	st, err := store.Open(t.Context(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w.store = st
	w.host.AddDevice("", device)
	w.write(func(tx *state.Txn) {
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1", Blocks: []vpc.Block{{CIDR: netip.MustParsePrefix("10.0.0.0/16")}}})
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-web", VPC: "vpc-1", Name: "web"})
		for i, id := range []vpc.InterfaceID{eni, eni2} {
			state.Interfaces.Put(tx, &vpc.Interface{ID: id, VPC: "vpc-1", Groups: []vpc.GroupID{"sg-web"}, SourceDestCheck: true,
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(5 + i)})}})
		}
	})
	w.start()
	return w
}

// start runs a new agent on a new plane, as a new process would.
func (w *world) start() {
	w.plane, w.links = w.host.Open("identity-1"), make(chan agent.LinkChange)
	w.agent = agent.New(agent.Config{Source: w.store, Plane: w.plane, Host: host, Links: w.watch(), Snapshot: w.snapshot, Devices: w.read, Boot: w.bootID, Releases: w.released})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.agent.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
	w.Cleanup(w.stop)
}

// watch tells an agent of the devices that are sent to links.
func (w *world) watch() agent.LinkWatcher {
	links := w.links
	return func(ctx context.Context, changed func(agent.LinkChange)) error {
		for {
			select {
			case c := <-links:
				changed(c)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

func (w *world) write(plan func(tx *state.Txn)) uint64 {
	w.Helper()
	_, rev, err := w.store.Write(context.Background(), &store.Write{
		Call: state.Call{Scope: scope, Now: time.Now(), Random: func() uint64 { w.n++; return w.n << 36 }},
		Plan: func(tx *state.Txn) (any, error) { plan(tx); return nil, nil },
	})
	if err != nil {
		w.Fatal(err)
	}
	return rev
}

func (w *world) wait(rev uint64) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	if err := w.agent.Wait(ctx, rev); err != nil {
		w.Fatalf("revision %d is not in force: %v", rev, err)
	}
}

// ports makes the group allow exactly these TCP ports from everybody.
func (w *world) ports(ports ...int32) uint64 {
	w.Helper()
	return w.write(func(tx *state.Txn) {
		g := *state.Groups.Get(tx, "sg-web")
		g.Rules = nil
		for _, p := range ports {
			g.Rules = append(g.Rules, vpc.Rule{ID: tx.NewRuleID(&g), Protocol: flow.TCP, Ports: flow.PortRange{From: p, To: p},
				Peer: vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}})
		}
		state.Groups.Put(tx, &g)
	})
}

func (w *world) attach(id vpc.InterfaceID) {
	w.Helper()
	rev, err := w.agent.Attach(w.Context(), dataplane.Binding{Interface: id, Device: device}, func() (uint64, error) { return w.bind(id, device), nil })
	if err != nil {
		w.Fatal(err)
	}
	w.wait(rev)
}

// bind writes into the state that a device has an interface; "" for none.
func (w *world) bind(id vpc.InterfaceID, device string) uint64 {
	w.Helper()
	return w.write(func(tx *state.Txn) {
		i := *state.Interfaces.Get(tx, id)
		i.Attachment = nil
		if device != "" {
			i.Attachment = &vpc.Attachment{ID: "eni-attach-1", Device: &vpc.Device{Host: host, Name: device}}
		}
		state.Interfaces.Put(tx, &i)
	})
}

// detaching writes into the state that another server asks for a detachment.
func (w *world) detaching(id vpc.InterfaceID) uint64 {
	w.Helper()
	return w.write(func(tx *state.Txn) {
		i := *state.Interfaces.Get(tx, id)
		at, d := *i.Attachment, *i.Attachment.Device
		d.Detaching = true
		at.Device, i.Attachment = &d, &at
		state.Interfaces.Put(tx, &i)
	})
}

// passes reports whether a new connection to a port does.
func (w *world) passes(port uint16) bool {
	w.port++
	return w.host.Send("", device, sim.Packet{Local: netip.MustParseAddr("10.0.0.5"), Remote: netip.MustParseAddr("192.0.2.7"),
		Protocol: flow.TCP, LocalPort: port, RemotePort: 20_000 + w.port, TCP: sim.SYN}).Passed
}

func (w *world) want(passes bool, port uint16, what string) {
	w.Helper()
	if got := w.passes(port); got != passes {
		w.Errorf("%s: port %d passes %v, want %v", what, port, got, passes)
	}
}

func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("never: %s; status %+v", what, w.agent.Status())
		}
	}
}

func TestWhatIsAnsweredIsEnforced(t *testing.T) {
	clause.Holds(t, "F76", "F77")
	w := newWorld(t)
	w.wait(w.ports(80))
	if !w.agent.Idle() {
		t.Error("an agent with nothing bound is not idle")
	}
	w.want(true, 81, "before the device is bound")
	w.attach(eni)
	if w.agent.Idle() {
		t.Error("an agent with something bound is idle")
	}
	w.want(true, 80, "a rule allows it")
	w.want(false, 81, "no rule allows it")
	w.wait(w.ports(81))
	w.want(true, 81, "a rule allows it now")
	w.want(false, 80, "no rule allows it any more")
	w.wait(w.bind(eni, ""))
	w.want(true, 80, "the device is free again")
}

// What an earlier version bound to lo is taken off, and stays off.
func TestLoopbackIsTakenOff(t *testing.T) {
	clause.Holds(t, "F67")
	w := newWorld(t)
	w.host.AddDevice("", "lo")
	w.attach(eni) // which puts something into the plane
	w.wait(w.bind(eni, "lo"))
	w.until("lo is refused", func() bool {
		b := w.agent.Status().Bindings
		return len(b) == 1 && errors.Is(b[0].Err, dataplane.ErrLoopback)
	})
	if have, err := w.plane.Bindings(t.Context()); err != nil || len(have) != 0 {
		t.Errorf("bound are %+v, %v, want nothing", have, err)
	}
	if _, err := w.agent.Attach(t.Context(), dataplane.Binding{Interface: eni2, Device: "lo"}, func() (uint64, error) {
		t.Error("attaching to lo reaches the state")
		return 0, nil
	}); !errors.Is(err, dataplane.ErrLoopback) {
		t.Errorf("attaching to lo: %v, want ErrLoopback", err)
	}
	w.attach(eni2)
	w.want(false, 81, "another device, bound beside it")

	// It is not tried again and again, which would load the programs each time.
	w.wait(w.bind(eni2, ""))
	w.stop()
	var opened atomic.Int32
	lazy := agent.NewLazy(func() (dataplane.Dataplane, error) {
		opened.Add(1)
		return removable{w.host.Open("x"), new(int)}, nil
	}, false)
	a := agent.New(agent.Config{Source: w.store, Plane: lazy, Host: host})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	w.agent = a
	w.until("the agent runs", func() bool { return len(a.Status().Bindings) == 1 })
	before := opened.Load()
	for range 20 {
		a.Kick()
		time.Sleep(5 * time.Millisecond)
	}
	if n := opened.Load() - before; n > 0 {
		t.Errorf("with lo alone in the state the data plane was opened %d times more", n)
	}
	cancel()
	<-done
}

func TestAttachDeniesFromTheBeginning(t *testing.T) {
	clause.Holds(t, "F2")
	w := newWorld(t)
	w.wait(w.ports(80))
	committed := make(chan struct{})
	_, err := w.agent.Attach(t.Context(), dataplane.Binding{Interface: eni, Device: device}, func() (uint64, error) {
		w.want(false, 80, "bound, and not in the state yet")
		// The agent sees a revision without the binding, and leaves it alone.
		w.wait(w.ports(80, 82))
		w.want(false, 80, "bound, after an unrelated write")
		var looks atomic.Int32
		w.plane.Fail(func(call string) error {
			if call == "Look" {
				looks.Add(1)
			}
			return nil
		})
		for n := looks.Load(); looks.Load() < n+2; time.Sleep(time.Millisecond) {
			w.agent.Kick()
		}
		w.plane.Fail(nil)
		w.want(false, 80, "bound, after the agent looked at what is bound")
		if _, err := w.agent.Attach(t.Context(), dataplane.Binding{Interface: eni, Device: device}, nil); !errors.Is(err, agent.ErrBusy) {
			t.Errorf("a second attach meanwhile: %v", err)
		}
		close(committed)
		return 0, errors.New("the write fails")
	})
	<-committed
	if err == nil {
		t.Error("no error of the write")
	}
	w.want(true, 81, "the write failed: the device is free again")
	if _, err := w.agent.Attach(t.Context(), dataplane.Binding{Interface: eni, Device: "none"}, nil); !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("a device that is not there: %v", err)
	}
}

func TestUnrelatedWritesAreNotCompiled(t *testing.T) {
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	before := w.plane.Applied()
	w.wait(w.write(func(tx *state.Txn) {
		state.Groups.Put(tx.In(state.Scope{Region: "eu-west-1", Account: scope.Account}), &vpc.SecurityGroup{ID: "sg-far", Name: "far"})
	}))
	w.wait(w.write(func(tx *state.Txn) { state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1"}) }))
	w.wait(w.write(func(tx *state.Txn) {
		state.Groups.Put(tx, &vpc.SecurityGroup{ID: "sg-other", VPC: "vpc-1", Name: "other"})
	}))
	if got := w.plane.Applied(); got != before {
		t.Errorf("%d rulesets were applied for writes that change nothing here", got-before)
	}
	w.wait(w.ports(81))
	if got := w.plane.Applied(); got != before+1 {
		t.Errorf("%d rulesets were applied for one change, want 1", got-before)
	}
}

func TestFailedUpdateKeepsTheLastRulesThenDenies(t *testing.T) {
	clause.Holds(t, "F52", "F53")
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	var deny bool
	w.plane.Fail(func(call string) error {
		if call == "Apply" || call == "Deny" && !deny {
			return errors.New("no memory")
		}
		return nil
	})
	rev := w.ports(81)
	if err := w.agent.Wait(t.Context(), rev); err == nil {
		t.Error("a revision that cannot be applied is in force")
	}
	w.want(true, 80, "the last good rules")
	w.want(false, 81, "a rule that is not in force yet")
	if s := w.agent.Status(); s.Err == nil || s.Rev != rev-1 {
		t.Errorf("status %+v", s)
	}
	w.plane.Fail(func(call string) error {
		if call == "Apply" {
			return errors.New("no memory")
		}
		return nil
	})
	w.until("the interface that was to lose access denies", func() bool { return slices.Contains(w.agent.Status().Denied, eni) })
	w.want(false, 80, "denied")
	w.plane.Fail(nil)
	w.until("the revision is in force after all", func() bool { return w.agent.Status().Rev >= rev })
	w.want(true, 81, "recovered")
	w.want(false, 80, "recovered")
	if s := w.agent.Status(); s.Err != nil || len(s.Denied) > 0 {
		t.Errorf("recovered, with status %+v", s)
	}
}

// A process that cannot read what is in force denies what may have been revoked
// since, once it cannot put that into force either. If it can read it later, an
// interface that loses nothing keeps its rules.
func TestFailedUpdateOfUnknownRulesDenies(t *testing.T) {
	for _, readable := range []bool{false, true} {
		w := newWorld(t)
		w.wait(w.ports(80))
		w.attach(eni)
		w.stop()
		reads, rev := 0, uint64(0)
		w.plane, w.links = w.host.Open("identity-1"), make(chan agent.LinkChange)
		w.plane.Fail(func(call string) error {
			if call == "Apply" || call == "Actual" && (reads == 0 || !readable) {
				reads++
				return errors.New("no memory")
			}
			return nil
		})
		if rev = w.ports(81); readable {
			rev = w.ports(80, 81)
		}
		w.agent = agent.New(agent.Config{Source: w.store, Plane: w.plane, Host: host, Links: w.watch()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.agent.Run(ctx) }()
		if err := w.agent.Wait(t.Context(), rev); err == nil {
			t.Error("a revision that cannot be applied is in force")
		}
		w.want(true, 80, "the last good rules")
		if readable {
			w.untilHopeless()
			w.want(true, 80, "nothing was revoked")
			w.want(false, 81, "a rule that is not in force yet")
		} else {
			w.until("the interface denies", func() bool { return slices.Contains(w.agent.Status().Denied, eni) })
			w.want(false, 80, "denied: it may have been revoked")
		}
		w.plane.Fail(nil)
		w.until("the revision is in force after all", func() bool { return w.agent.Status().Rev >= rev })
		w.want(true, 81, "recovered")
		w.want(readable, 80, "recovered")
		if s := w.agent.Status(); s.Err != nil || len(s.Denied) > 0 {
			t.Errorf("recovered, with status %+v", s)
		}
		cancel()
		<-done
	}
}

// untilHopeless waits until an agent that cannot apply has come to deny.
func (w *world) untilHopeless() {
	w.Helper()
	since := w.agent.Status().Since
	w.until("the agent gives up", func() bool { return time.Since(since) > 6*time.Second })
	if d := w.agent.Status().Denied; len(d) > 0 {
		w.Errorf("%v are denied", d)
	}
}

func TestFailedUpdateThatOnlyAddsNeverDenies(t *testing.T) {
	clause.Holds(t, "F53")
	old := &ruleset.Ruleset{
		Interfaces: []ruleset.Interface{{ID: eni, VPC: "vpc-1", In: 1, Out: 0, Check: true, Own: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")}}},
		Policies: []ruleset.Policy{{Name: "egress sg-web", Direction: flow.Egress}, {Name: "ingress sg-web", Rules: []ruleset.Rule{
			{Protocol: flow.TCP, Ports: flow.PortRange{From: 80, To: 80}, Remote: ruleset.Remote{Group: "sg-c"}, ID: "sgr-1"},
		}}},
		Members: ruleset.NewMembers(ruleset.Member{VPC: "vpc-1", Addr: netip.MustParseAddr("10.0.0.9"), Groups: []vpc.GroupID{"sg-c"}}),
	}
	for _, c := range []struct {
		narrower bool
		what     string
		change   func(*ruleset.Ruleset)
	}{
		{false, "nothing changes", func(*ruleset.Ruleset) {}},
		{false, "a rule more", func(r *ruleset.Ruleset) {
			r.Policies[0].Rules = append(r.Policies[0].Rules, ruleset.Rule{Protocol: -1, Ports: flow.NoPorts})
		}},
		{false, "the same rule under another id", func(r *ruleset.Ruleset) { r.Policies[1].Rules[0].ID = "sgr-2" }},
		{true, "a rule less", func(r *ruleset.Ruleset) { r.Policies[1].Rules = nil }},
		{true, "other ports", func(r *ruleset.Ruleset) { r.Policies[1].Rules[0].Ports.To = 79 }},
		{false, "a member more", func(r *ruleset.Ruleset) {
			r.Members = ruleset.NewMembers(append(slices.Collect(r.Members.All()), ruleset.Member{VPC: "vpc-1", Addr: netip.MustParseAddr("10.0.0.10"), Groups: []vpc.GroupID{"sg-c"}})...)
		}},
		{true, "a member less", func(r *ruleset.Ruleset) { r.Members = ruleset.Members{} }},
		{true, "an own address less", func(r *ruleset.Ruleset) { r.Interfaces[0].Own = nil }},
		{false, "an own address less, unchecked", func(r *ruleset.Ruleset) { r.Interfaces[0].Own, r.Interfaces[0].Check = nil, false }},
	} {
		want := &ruleset.Ruleset{Interfaces: slices.Clone(old.Interfaces), Members: old.Members}
		for _, p := range old.Policies {
			p.Rules = slices.Clone(p.Rules)
			want.Policies = append(want.Policies, p)
		}
		c.change(want)
		if got := len(agent.Narrowed(old, want)) > 0; got != c.narrower {
			t.Errorf("%s: narrower %v, want %v", c.what, got, c.narrower)
		}
	}
	deny := agent.Denying(old, []vpc.InterfaceID{eni})
	f := ruleset.Flow{Interface: eni, Remote: netip.MustParseAddr("10.0.0.9"), Protocol: flow.TCP, Port: 80}
	if !old.Judge(f).Allowed || deny.Judge(f).Allowed {
		t.Errorf("denying: before %+v, after %+v", old.Judge(f), deny.Judge(f))
	}
}

func TestDeviceGoesAndComesBack(t *testing.T) {
	clause.Holds(t, "F69")
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	w.host.RemoveDevice("", device)
	w.links <- agent.LinkChange{Name: device}
	w.until("the device is known to be gone", func() bool {
		b := w.agent.Status().Bindings
		return len(b) == 1 && errors.Is(b[0].Err, dataplane.ErrNoDevice)
	})
	w.wait(w.ports(80, 82)) // there is nothing that could disobey
	w.host.AddDevice("", device)
	w.links <- agent.LinkChange{Index: 99, Name: "another"}
	w.links <- agent.LinkChange{Name: device}
	w.until("the device is bound again", func() bool { return !w.passes(81) })
	w.want(true, 82, "on the device that came back")
}

// An interface stays on its device under whatever name, also over restarts, and a
// new device with the old name is another one.
func TestRenamedDeviceKeepsItsInterface(t *testing.T) {
	clause.Holds(t, "F64")
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	index := w.agent.Status().Bindings[0].Index
	named := func(name string) func() bool {
		return func() bool {
			b := w.agent.Status().Bindings
			return len(b) == 1 && b[0].Device == name && b[0].Index == index && b[0].Err == nil
		}
	}
	w.host.Rename("", device, "veth9")
	w.host.AddDevice("", device)
	w.links <- agent.LinkChange{Index: index, Name: "veth9"}
	w.until("the new name is known", named("veth9"))
	w.wait(w.ports(80, 82))
	w.want(true, 81, "the new device with the old name")
	if b := w.agent.Bound(w.store.Latest()); len(b) != 1 || b[0].Device != "veth9" {
		t.Errorf("bound are %+v", b)
	}
	w.host.Rename("", "veth9", "veth8") // nothing reports it
	w.until("the next name is known", named("veth8"))
	w.stop()
	w.host.Rename("", "veth8", "veth7")
	w.start()
	w.until("a restart finds it", named("veth7"))
	w.want(true, 81, "the new device after a restart")
	// Another interface can have that.
	rev, err := w.agent.Attach(t.Context(), dataplane.Binding{Interface: eni2, Device: device}, func() (uint64, error) { return w.bind(eni2, device), nil })
	if err != nil {
		t.Fatal(err)
	}
	w.wait(rev)
	w.want(false, 81, "the new device, bound")
	w.wait(w.bind(eni, ""))
	w.until("the device is free", func() bool {
		return w.host.Send("", "veth7", sim.Packet{Local: netip.MustParseAddr("10.0.0.5"), Remote: netip.MustParseAddr("192.0.2.7"), Protocol: flow.TCP, LocalPort: 81, TCP: sim.SYN}).Passed
	})
	w.want(false, 81, "the other device as before")
}

func TestRestartKeepsEnforcing(t *testing.T) {
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	w.stop()
	w.want(true, 80, "with no agent")
	w.want(false, 81, "with no agent")
	// What was being attached when the process died is freed.
	w.host.AddDevice("", "veth1")
	if err := w.plane.Bind(t.Context(), dataplane.Binding{Interface: eni2, Device: "veth1"}); err != nil {
		t.Fatal(err)
	}
	rev := w.ports(81)
	w.start()
	w.wait(rev)
	w.want(true, 81, "with the next agent")
	w.want(false, 80, "with the next agent")
	if have, _ := w.plane.Bindings(t.Context()); len(have) != 1 || have[0].Interface != eni {
		t.Errorf("bound are %+v", have)
	}
}

// A store that lost what it knew, or was filled from an old backup, opens
// nothing.
func TestOlderStateOpensNothing(t *testing.T) {
	clause.Holds(t, "F54")
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	w.wait(w.ports(80, 81))
	w.stop()
	empty, err := store.Open(t.Context(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	w.store = empty
	w.start()
	w.wait(w.write(func(tx *state.Txn) { state.Subnets.Put(tx, &vpc.Subnet{ID: "subnet-1"}) }))
	w.want(false, 80, "the state does not have it")
	if u := w.agent.Status().Unknown; len(u) != 1 || u[0].Interface != eni {
		t.Errorf("unknown are %+v", u)
	}
	if err := w.agent.Free(t.Context(), eni); err != nil {
		t.Error(err)
	}
	w.want(true, 81, "freed by the operator")
	w.stop()
}

func TestLazyPlaneLeavesNothing(t *testing.T) {
	clause.Holds(t, "F1")
	h := sim.NewHost(nil)
	h.AddDevice("", device)
	opened, removed := 0, 0
	l := agent.NewLazy(func() (dataplane.Dataplane, error) {
		opened++
		return removable{h.Open("x"), &removed}, nil
	}, false)
	ctx := t.Context()
	if err := l.Apply(ctx, &ruleset.Ruleset{}); err != nil || opened != 0 {
		t.Errorf("an empty ruleset: %v, opened %d times", err, opened)
	}
	if _, err := l.Bindings(ctx); err != nil || opened != 0 {
		t.Errorf("asking: %v, opened %d times", err, opened)
	}
	if err := l.Bind(ctx, dataplane.Binding{Interface: eni, Device: "none"}); !errors.Is(err, dataplane.ErrNoDevice) || removed != 1 {
		t.Errorf("no device: %v, removed %d times", err, removed)
	}
	if err := l.Bind(ctx, dataplane.Binding{Interface: eni, Device: device}); err != nil || opened != 2 {
		t.Errorf("binding: %v, opened %d times", err, opened)
	}
	if err := l.Replace(ctx, eni, dataplane.Binding{Interface: "port-x", Device: device}); err != nil || opened != 2 || removed != 1 {
		t.Errorf("another binding in its place: %v, opened %d times, removed %d times", err, opened, removed)
	}
	if err := l.Unbind(ctx, "port-x"); err != nil || removed != 2 {
		t.Errorf("unbinding: %v, removed %d times", err, removed)
	}
}

type removable struct {
	*sim.Plane
	removed *int
}

func (r removable) Remove() error { *r.removed++; return nil }

// BenchmarkWait measures what a write waits for the data plane: from the
// answer of the store until the change is in force.
func BenchmarkWait(b *testing.B) {
	h := sim.NewHost(nil)
	h.AddDevice("", device)
	st, err := store.Open(b.Context(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	n := uint64(0)
	write := func(plan func(tx *state.Txn)) uint64 {
		_, rev, err := st.Write(b.Context(), &store.Write{
			Call: state.Call{Scope: scope, Now: time.Now(), Random: func() uint64 { n++; return n << 36 }},
			Plan: func(tx *state.Txn) (any, error) { plan(tx); return nil, nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		return rev
	}
	write(func(tx *state.Txn) {
		state.VPCs.Put(tx, &vpc.VPC{ID: "vpc-1"})
		state.Interfaces.Put(tx, &vpc.Interface{ID: eni, VPC: "vpc-1", Groups: []vpc.GroupID{"sg-web"}, Attachment: &vpc.Attachment{Device: &vpc.Device{Host: host, Name: device}}})
	})
	a := agent.New(agent.Config{Source: st, Plane: h.Open("x"), Host: host})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	defer func() { cancel(); <-done }()
	port := int32(0)
	var waited time.Duration
	for b.Loop() {
		port++
		rev := write(func(tx *state.Txn) {
			g := &vpc.SecurityGroup{ID: "sg-web", VPC: "vpc-1", Name: "web"}
			for r := range 100 {
				p := 1000 + (port+int32(r))%50_000
				g.Rules = append(g.Rules, vpc.Rule{ID: vpc.RuleID("sgr-" + string(rune('a'+r))), Protocol: flow.TCP, Ports: flow.PortRange{From: p, To: p}, Peer: vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}})
			}
			state.Groups.Put(tx, g)
		})
		began := time.Now()
		if err := a.Wait(ctx, rev); err != nil {
			b.Fatal(err)
		}
		waited += time.Since(began)
	}
	b.ReportMetric(float64(waited.Microseconds())/float64(b.N), "µs-waited/op")
}
