package server

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"moat/agent"
	"moat/dataplane"
	"moat/explain"
	"moat/fault"
	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// A change that would lock the operator out of the machine is refused, unless
// it is forced by this header, or by this tag of a group of the interface.
const (
	AllowLockoutHeader = "X-Moat-Allow-Lockout"
	AllowLockoutTag    = "moat:allow-lockout"
)

const sshPort = 22

// A lockoutGuard knows what a change must not cut at devices of the server's
// network namespace that are enforced: sessions of SSH and of the API, the
// caller's own among them, the server's connections to etcd, and the ports that
// it listens on. Of a workload's link only the caller's own connection counts,
// so that no workload prevents that access is taken from it.
type lockoutGuard struct {
	locals   []ruleset.Local
	devices  []guarded
	options  ruleset.Options
	inForce  *ruleset.Ruleset // nil for everything is allowed
	observed bool             // nothing is enforced yet
	ports    []netip.AddrPort
}

// guarded is a device, and the sessions that pass it, unless err says why they
// are not known.
type guarded struct {
	agent.BindingStatus
	sessions []session
	err      error
}

// A session is one that must not be cut.
type session struct {
	agent.Session
	what   string
	tagged bool // it passes the device in VLAN frames, which are dropped
}

// lockoutGuard gives the guard for a request, or nil if there is nothing to
// guard.
func (s *Server) lockoutGuard(r *request) *lockoutGuard {
	a := s.cfg.Enforcement.Agent
	if a == nil || a.Idle() || strings.EqualFold(r.Header.Get(AllowLockoutHeader), "true") {
		return nil
	}
	st := a.Status()
	var enforced []agent.BindingStatus
	for _, b := range st.Bindings {
		if !b.Observes(s.cfg.Now()) {
			enforced = append(enforced, b)
		}
	}
	g := &lockoutGuard{options: a.Options(), inForce: st.Ruleset}
	return g.look(s, r, func() (*agent.Network, error) { return s.recentNetwork(enforced) }, enforced)
}

// look returns the guard with the sessions and ports that matter, or nil if
// none does.
func (g *lockoutGuard) look(s *Server, r *request, network func() (*agent.Network, error), bindings []agent.BindingStatus) *lockoutGuard {
	bindings = slices.DeleteFunc(bindings, func(b agent.BindingStatus) bool { return b.Netns != "" })
	if len(bindings) == 0 {
		return nil
	}
	n, unread := network()
	if unread != nil {
		n = &agent.Network{}
	}
	for _, b := range bindings {
		if b.Side == dataplane.Workload {
			n = n.Owned(b.Device)
		}
	}
	var callers []passage
	if call, ok := callerSession(r); ok {
		callers = passages(n, []session{call})
	}
	logins := sync.OnceValues(func() ([]passage, error) {
		all, listening, err := s.loginSessions(r)
		for _, l := range listening {
			if !l.Addr().IsLoopback() {
				g.ports = append(g.ports, l)
			}
		}
		return passages(n, all), err
	})
	for _, b := range bindings {
		d, sessions := guarded{BindingStatus: b, err: unread}, callers
		if b.Side == dataplane.Workload && b.Err == nil && n.Device(b.Device) == nil && d.err == nil {
			d.err = errors.New("the device is not found")
		}
		own := b.Side == dataplane.Workload || n.UseOf(b.Device).Any()
		if own {
			var err error
			if sessions, err = logins(); err != nil && d.err == nil {
				d.err = fmt.Errorf("open sessions cannot be read: %w", err)
			}
		}
		d.pass(sessions)
		if own || d.err != nil || len(d.sessions) > 0 {
			g.locals = append(g.locals, ruleset.Local{Scope: b.Scope, ID: b.Interface})
			g.devices = append(g.devices, d)
		}
	}
	if len(g.devices) == 0 {
		return nil
	}
	return g
}

// A passage is a session and the devices that it passes.
type passage struct {
	session
	*agent.Connection
}

func passages(n *agent.Network, all []session) (out []passage) {
	for _, c := range all {
		out = append(out, passage{c, n.Connection(c.Local.Addr(), c.Remote.Addr())})
	}
	return out
}

// pass finds the sessions that pass a device.
func (d *guarded) pass(all []passage) {
	for _, c := range all {
		how, err := c.Passes(d.Device)
		if err != nil && d.err == nil {
			d.err = fmt.Errorf("whether the connection with %s passes the device: %w", c.Remote, err)
		}
		if c.tagged = how == agent.PassesTagged; how != agent.PassesNot {
			d.sessions = append(d.sessions, c.session)
		}
	}
}

// callerSession gives the connection of a call, unless it comes by loopback.
func callerSession(r *request) (c session, ok bool) {
	at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if at == nil {
		return c, false
	}
	local, err1 := netip.ParseAddrPort(at.String())
	remote, err2 := netip.ParseAddrPort(r.RemoteAddr)
	if err1 != nil || err2 != nil || remote.Addr().Unmap().IsLoopback() {
		return c, false
	}
	plain := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
	return session{Session: agent.Session{Local: plain(local), Remote: plain(remote)}, what: "this call"}, true
}

// zoneless gives an address as the kernel lists those of connections.
func zoneless(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// loginSessions finds the open sessions that matter on the machine's own
// devices, and the ports that the server listens on.
func (s *Server) loginSessions(r *request) (out []session, listening []netip.AddrPort, err error) {
	call, remote := callerSession(r)
	if remote {
		out = append(out, call)
	}
	all, listening, err := s.openSessions()
	if err != nil {
		return out, nil, err
	}
	var api uint16
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if l, err := netip.ParseAddrPort(at.String()); err == nil {
			api = l.Port()
		}
	}
	for _, c := range all {
		what := ""
		switch {
		case c.Remote.Addr().IsLoopback(), remote && c.Local == zoneless(call.Local) && c.Remote == zoneless(call.Remote):
			continue
		case !c.Out && (c.Owner == agent.OwnerSSH || c.Local.Port() == sshPort):
			what = "SSH"
		case !c.Out && (c.Owner == agent.OwnerSelf || c.Local.Port() == api):
			what = "the API"
		case c.Owner == agent.OwnerSelf:
			what = "of the server"
		default:
			continue
		}
		out = append(out, session{Session: c, what: what})
	}
	return out, listening, nil
}

// network reads the devices of a network namespace.
func (s *Server) network(netns string) (*agent.Network, error) {
	if f := s.cfg.Enforcement.Network; f != nil {
		return f(netns)
	}
	return agent.ReadNetwork(netns)
}

// networkAge is for how long what was read of the server's own namespace is
// used again, by calls that change neither a device nor how it is bound.
const networkAge = time.Second

func (s *Server) recentNetwork(has []agent.BindingStatus) (*agent.Network, error) {
	s.devices.Lock()
	defer s.devices.Unlock()
	stale := func(b agent.BindingStatus) bool {
		return b.Netns == "" && b.Err == nil && s.devices.network.Device(b.Device) == nil
	}
	if s.devices.network == nil || time.Since(s.devices.read) > networkAge || slices.ContainsFunc(has, stale) {
		n, err := s.network("")
		if err != nil {
			return nil, err
		}
		s.devices.network, s.devices.read = n, time.Now()
	}
	return s.devices.network, nil
}

func (s *Server) openSessions() ([]agent.Session, []netip.AddrPort, error) {
	if f := s.cfg.Enforcement.Sessions; f != nil {
		return f()
	}
	return agent.Sessions()
}

// flow gives the flow of a session at an interface, and the interface's end of
// it. On the host's side of a link the interface is at the other end.
func (c *session) flow(b *agent.BindingStatus) (ruleset.Flow, netip.Addr) {
	f := ruleset.Flow{Interface: b.Interface, Direction: flow.Ingress, Remote: c.Remote.Addr().WithZone(""), Protocol: flow.TCP, Port: c.Local.Port()}
	end := c.Local.Addr().WithZone("")
	if c.Out {
		f.Direction, f.Port = flow.Egress, c.Remote.Port()
	}
	if b.Side == dataplane.Host {
		f.Remote, end = end, f.Remote
		f.Direction = map[flow.Direction]flow.Direction{flow.Ingress: flow.Egress, flow.Egress: flow.Ingress}[f.Direction]
	}
	return f, end
}

// passes reports whether a ruleset lets a session go on.
func (c *session) passes(rs *ruleset.Ruleset, b *agent.BindingStatus) bool {
	i := rs.Interface(b.Interface)
	if i == nil || c.tagged {
		return false
	}
	f, end := c.flow(b)
	return mayUse(i, end) && rs.Judge(f).Allowed
}

// mayUse reports whether packets of an address are not dropped as spoofed. A
// device's own link-local addresses are known to its filter.
func mayUse(i *ruleset.Interface, a netip.Addr) bool {
	return !i.Check || a.Is6() && a.IsLinkLocalUnicast() || slices.ContainsFunc(i.Own, func(p netip.Prefix) bool { return p.Contains(a) })
}

// check refuses a view in which a session would be cut, or a port of the
// server be closed to everybody. What is cut already is not cut by the change.
func (g *lockoutGuard) check(v *state.View) error {
	want := ruleset.Compile(v, g.locals, g.options)
	before := g.inForce
	if g.observed {
		before = nil
	}
	for n := range g.devices {
		d := &g.devices[n]
		row := state.Interfaces.Get(v.In(d.Scope), d.Interface)
		i := want.Interface(d.Interface)
		if row == nil || i == nil || allowsLockout(v.In(d.Scope), row) {
			continue
		}
		if d.err != nil && (before == nil || slices.Contains(agent.Narrowed(before, want), d.Interface)) {
			return forceable("Whether this cuts open sessions through %s (%s) is not known: %v.", d.Device, row.ID, d.err)
		}
		var cut []session
		for _, c := range d.sessions {
			if !c.passes(want, &d.BindingStatus) && (before == nil || c.passes(before, &d.BindingStatus)) {
				cut = append(cut, c)
			}
		}
		var shut []uint16
		for _, p := range g.ports {
			if d.Side == dataplane.Workload && (p.Addr().IsUnspecified() || mayUse(i, p.Addr())) && !admits(want, d.Interface, p.Port()) && (before == nil || admits(before, d.Interface, p.Port())) {
				shut = append(shut, p.Port())
			}
		}
		if len(cut)+len(shut) > 0 {
			slices.Sort(shut)
			return lockoutFault(d, row, i, cut, slices.Compact(shut))
		}
	}
	return nil
}

// forceable is a refusal that the operator may overrule.
func forceable(format string, args ...any) error {
	return fault.OperationNotPermitted.With(fmt.Sprintf("%s ; force it with the header %s: true, or with the tag %s=true on a group of the interface.",
		fmt.Sprintf(format, args...), strings.ToLower(AllowLockoutHeader), AllowLockoutTag))
}

// admits reports whether a rule lets anybody reach a port of an interface.
func admits(rs *ruleset.Ruleset, id vpc.InterfaceID, port uint16) bool {
	i := rs.Interface(id)
	return i != nil && slices.ContainsFunc(rs.Policies[i.In].Rules, func(r ruleset.Rule) bool {
		return r.Protocol == flow.AllProtocols || r.Protocol == flow.TCP && r.Ports.From <= int32(port) && int32(port) <= r.Ports.To
	})
}

func allowsLockout(r state.Reader, row *vpc.Interface) bool {
	for _, id := range row.Groups {
		if g := state.Groups.Get(r, id); g != nil && slices.ContainsFunc(g.Tags, func(t vpc.Tag) bool { return t.Key == AllowLockoutTag && t.Value == "true" }) {
			return true
		}
	}
	return false
}

// mostNamed is how many sessions a refusal names.
const mostNamed = 5

func lockoutFault(d *guarded, row *vpc.Interface, i *ruleset.Interface, cut []session, shut []uint16) error {
	slices.SortFunc(cut, func(a, b session) int {
		return cmp.Or(cmp.Compare(a.what, b.what), a.Remote.Compare(b.Remote), a.Local.Compare(b.Local))
	})
	var who, keep, why []string
	command := func(d flow.Direction, port uint16, from netip.Prefix) {
		if len(row.Groups) == 0 {
			return
		}
		r := vpc.Rule{Direction: d, Protocol: flow.TCP, Ports: flow.PortRange{From: int32(port), To: int32(port)}, Peer: vpc.Peer{CIDR: from}}
		if c := explain.Command(row.Groups[0], &r); !slices.Contains(keep, c) {
			keep = append(keep, c)
		}
	}
	for n, c := range cut {
		if n == mostNamed {
			who = append(who, fmt.Sprintf("%d more", len(cut)-n))
			break
		}
		f, end := c.flow(&d.BindingStatus)
		reason := ""
		switch {
		case c.tagged:
			reason = "VLAN frames are dropped at " + d.Device + ": attach the VLAN's device instead."
		case !mayUse(i, end) && d.Side == dataplane.Workload:
			reason = fmt.Sprintf("The interface lacks %s, so its packets are dropped as spoofed.", end)
		case !mayUse(i, end):
			reason = fmt.Sprintf("On side host the interface is what is behind %s, and it lacks %s: to enforce what this machine sends and receives, attach the device with --side workload.", d.Device, end)
		default:
			command(f.Direction, f.Port, netip.PrefixFrom(f.Remote, f.Remote.BitLen()))
		}
		if reason != "" && !slices.Contains(why, reason) {
			why = append(why, reason)
		}
		who = append(who, c.text())
	}
	var text []string
	if len(cut) > 0 {
		text = append(text, fmt.Sprintf("This would cut open sessions through %s (%s): %s.", d.Device, row.ID, strings.Join(who, ", ")))
	}
	text = append(text, why...)
	for _, p := range shut {
		text = append(text, fmt.Sprintf("This would close port %d of the server to everybody at %s (%s).", p, d.Device, row.ID))
		if len(cut) == 0 {
			command(flow.Ingress, p, everybody)
		}
	}
	if len(keep) > 0 {
		text = append(text, "Keep them with: "+strings.Join(keep, " && "))
	}
	return forceable("%s", strings.Join(text, " "))
}

var everybody = netip.MustParsePrefix("0.0.0.0/0")

// An EnforceDevice request says whether a bound device drops packets.
type EnforceDevice struct {
	Device string `json:"device"`
	Netns  string `json:"netns,omitempty"`
	// Trial enforces for so many seconds, after which the device observes
	// again, also when the server is gone; 0 enforces for good.
	Trial int `json:"trial_seconds,omitempty"`
	// Observe goes back to observing at once.
	Observe bool `json:"observe,omitempty"`
	// Force enforces also where that cuts open sessions.
	Force bool `json:"force,omitempty"`
	// Login is the connection by which whoever asks is logged in on this host,
	// as SSH_CONNECTION has it: remote address and port, local address and port.
	Login string `json:"login,omitempty"`
}

// A trial is that of a device that is enforced until somebody confirms it.
type trial struct {
	began time.Time
	// before are the connections that were open then, unless err says why they
	// are not known.
	before map[[2]netip.AddrPort]bool
	err    error
}

// beginTrial remembers what is open when a trial begins, or when a server
// starts under one.
func (s *Server) beginTrial(id vpc.InterfaceID) {
	t := &trial{before: map[[2]netip.AddrPort]bool{}}
	all, _, err := s.openSessions()
	for _, c := range all {
		t.before[[2]netip.AddrPort{c.Remote, c.Local}] = true
	}
	t.err = err
	t.began = time.Now()
	s.trials.Lock()
	defer s.trials.Unlock()
	if s.trials.of == nil {
		s.trials.of = map[vpc.InterfaceID]*trial{}
	}
	s.trials.of[id] = t
}

// confirmable refuses to confirm a trial over a connection that is older than
// it: that one may be the last that works.
func (s *Server) confirmable(r *request, in *EnforceDevice, id vpc.InterfaceID) error {
	s.trials.Lock()
	t := s.trials.of[id]
	s.trials.Unlock()
	if t == nil {
		t = &trial{began: s.started}
	}
	opened, ok := r.Context().Value(openedKey{}).(time.Time)
	if !ok || opened.Before(t.began) {
		return fault.OperationNotPermitted.With("This connection was open before device " + in.Device + " was enforced on trial: confirm over a new one, which shows that you still get in.")
	}
	if in.Login == "" {
		return nil
	}
	if t.err != nil {
		return fault.OperationNotPermitted.With("Whether you logged in before device " + in.Device + " was enforced on trial is not known: open sessions could not be read: " + t.err.Error() + ".")
	}
	remote, local, ok := loginOf(in.Login)
	if !ok {
		return fault.InvalidParameterValue.With(in.Login, "login", "It is two addresses with their ports, as SSH_CONNECTION has them.")
	}
	// One that has ended is of whoever began a terminal that is lived in since.
	all, _, err := s.openSessions()
	lives := err != nil || slices.ContainsFunc(all, func(c agent.Session) bool { return c.Remote == zoneless(remote) && c.Local == zoneless(local) })
	if lives && t.before[[2]netip.AddrPort{zoneless(remote), zoneless(local)}] {
		return fault.OperationNotPermitted.With("You are logged in by a connection from " + remote.String() + " that was open before device " + in.Device + " was enforced on trial: log in anew, which shows that you still can, and confirm there.")
	}
	return nil
}

// longestTrial is a day, in seconds.
const longestTrial = 86_400

func (s *Server) enforceDevice(r *request) (any, error) {
	var in EnforceDevice
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	if in.Trial < 0 || in.Trial > longestTrial {
		return nil, fault.InvalidParameterValue.With(in.Trial, "trial_seconds", "It is at most a day.")
	}
	a, err := s.agent()
	if err != nil {
		return nil, err
	}
	b, unknown, err := s.boundTo(in.Device, in.Netns)
	if err != nil {
		return nil, err
	}
	if unknown {
		return nil, fault.IncorrectState.Say("Device %s is bound, and the state does not have it: detach it and attach it again.", in.Device)
	}
	r.scope = b.Scope
	onTrial := !b.Until.IsZero() && !b.Observes(s.cfg.Now())
	if onTrial && in.Trial == 0 && !in.Observe && !in.Force {
		if err := s.confirmable(r, &in, b.Interface); err != nil {
			return nil, err
		}
	}
	var guard *lockoutGuard
	// On trial nothing is lost for good; what is on trial is enforced already.
	if !in.Observe && !in.Force && in.Trial == 0 && b.Observes(s.cfg.Now()) {
		if b.Netns != "" && isMachines(b.Netns) {
			return nil, fault.OperationNotPermitted.With("Which sessions this would cut is not known: device " + in.Device + " is in the machine's network namespace, and the server in another one.")
		}
		g := &lockoutGuard{options: a.Options(), observed: true}
		guard = g.look(s, r, func() (*agent.Network, error) { return s.network("") }, []agent.BindingStatus{b})
	}
	_, rev, err := s.write(r, &store.Write{
		Call: s.call(r),
		Plan: func(tx *state.Txn) (any, error) {
			row := state.Interfaces.Get(tx, b.Interface)
			if row == nil || row.Attachment == nil || row.Attachment.Device == nil {
				return nil, fault.IncorrectState.Say("Interface %s is not bound to a device any more.", b.Interface)
			}
			c, at, d := *row, *row.Attachment, *row.Attachment.Device
			d.Observe, d.Until = in.Observe, time.Time{}
			if in.Trial > 0 && !in.Observe {
				d.Until = tx.Now.Add(time.Duration(in.Trial) * time.Second)
			}
			b.Observe, b.Until = d.Observe, d.Until
			at.Device, c.Attachment = &d, &at
			state.Interfaces.Put(tx, &c)
			if guard != nil {
				return nil, guard.check(tx.View())
			}
			return nil, nil
		},
		Event: s.adminEvent(r, url.Values{"Interface": {string(b.Interface)}, "Observe": {fmt.Sprint(in.Observe)}, "TrialSeconds": {fmt.Sprint(in.Trial)}}),
	})
	if err != nil {
		return nil, err
	}
	out := boundReply(b.Binding)
	out.Lacks = s.lacks(&b)
	if !b.Until.IsZero() {
		out.Until = &b.Until
	}
	s.finish(r, out, rev)
	if in.Trial > 0 && !in.Observe {
		s.beginTrial(b.Interface)
	}
	return out, nil
}
