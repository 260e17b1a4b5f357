package server

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
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

// A lockoutGuard knows what a change must not cut at devices of the host itself
// that are enforced: sessions of SSH and of the API, the caller's own among
// them, the server's connections to etcd, and the ports that it listens on.
type lockoutGuard struct {
	locals   []ruleset.Local
	devices  map[vpc.InterfaceID]string
	options  ruleset.Options
	inForce  *ruleset.Ruleset // nil for everything is allowed
	sessions []session
	ports    []netip.AddrPort
}

// A session is one that must not be cut.
type session struct {
	agent.Session
	what string
}

// lockoutGuard gives the guard for a request, or nil if there is nothing to
// guard.
func (s *Server) lockoutGuard(r *request) *lockoutGuard {
	a := s.cfg.Enforcement.Agent
	if a == nil || a.Idle() || strings.EqualFold(r.Header.Get(AllowLockoutHeader), "true") {
		return nil
	}
	st := a.Status()
	g := &lockoutGuard{options: a.Options(), inForce: st.Ruleset, devices: map[vpc.InterfaceID]string{}}
	for _, b := range st.Bindings {
		if b.Side == dataplane.Workload && b.Netns == "" && !b.Observes(s.cfg.Now()) {
			g.add(b)
		}
	}
	if len(g.locals) == 0 || !g.look(s, r) {
		return nil
	}
	return g
}

func (g *lockoutGuard) add(b agent.BindingStatus) {
	g.locals = append(g.locals, ruleset.Local{Scope: b.Scope, ID: b.Interface})
	g.devices[b.Interface] = b.Device
}

// look finds the sessions and ports that matter.
func (g *lockoutGuard) look(s *Server, r *request) bool {
	all, listening, err := s.openSessions()
	if err != nil {
		s.cfg.Logger.Warn("open sessions cannot be read; whether a change cuts them is not known", "request", r.id, "err", err)
		return false
	}
	var api uint16
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if l, err := netip.ParseAddrPort(a.String()); err == nil {
			api = l.Port()
		}
	}
	caller, _ := netip.ParseAddrPort(r.RemoteAddr)
	for _, c := range all {
		if c.Remote.Addr().IsLoopback() {
			continue
		}
		what := ""
		switch {
		case !c.Out && c.Local.Port() == api && c.Remote == netip.AddrPortFrom(caller.Addr().Unmap(), caller.Port()):
			what = "this call"
		case !c.Out && (c.Owner == agent.OwnerSSH || c.Local.Port() == sshPort):
			what = "SSH"
		case !c.Out && (c.Owner == agent.OwnerSelf || c.Local.Port() == api):
			what = "the API"
		case c.Owner == agent.OwnerSelf:
			what = "of the server"
		default:
			continue
		}
		g.sessions = append(g.sessions, session{c, what})
	}
	for _, l := range listening {
		if !l.Addr().IsLoopback() {
			g.ports = append(g.ports, l)
		}
	}
	return len(g.sessions)+len(g.ports) > 0
}

func (s *Server) openSessions() ([]agent.Session, []netip.AddrPort, error) {
	if f := s.cfg.Enforcement.Sessions; f != nil {
		return f()
	}
	return agent.Sessions()
}

// flow gives the flow of a session at an interface.
func (c *session) flow(id vpc.InterfaceID) ruleset.Flow {
	f := ruleset.Flow{Interface: id, Direction: flow.Ingress, Remote: c.Remote.Addr(), Protocol: flow.TCP, Port: c.Local.Port()}
	if c.Out {
		f.Direction, f.Port = flow.Egress, c.Remote.Port()
	}
	return f
}

// check refuses a view in which a session would be cut, or a port of the
// server be closed to everybody.
func (g *lockoutGuard) check(v *state.View) error {
	want := ruleset.Compile(v, g.locals, g.options)
	for _, l := range g.locals {
		i := want.Interface(l.ID)
		row := state.Interfaces.Get(v.In(l.Scope), l.ID)
		if row == nil || i == nil || allowsLockout(v.In(l.Scope), row) {
			continue
		}
		own := func(a netip.Addr) bool {
			return slices.ContainsFunc(i.Own, func(p netip.Prefix) bool { return p.Contains(a) })
		}
		var cut []session
		for _, c := range g.sessions {
			f := c.flow(l.ID)
			if own(c.Local.Addr()) && !want.Judge(f).Allowed && (g.inForce == nil || g.inForce.Judge(f).Allowed) {
				cut = append(cut, c)
			}
		}
		var shut []uint16
		for _, p := range g.ports {
			if (p.Addr().IsUnspecified() || own(p.Addr())) && !admits(want, l.ID, p.Port()) && (g.inForce == nil || admits(g.inForce, l.ID, p.Port())) {
				shut = append(shut, p.Port())
			}
		}
		if len(cut)+len(shut) > 0 {
			slices.Sort(shut)
			return lockoutFault(g.devices[l.ID], row, cut, slices.Compact(shut))
		}
	}
	return nil
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

func lockoutFault(device string, row *vpc.Interface, cut []session, shut []uint16) error {
	slices.SortFunc(cut, func(a, b session) int {
		return cmp.Or(cmp.Compare(a.what, b.what), a.Remote.Compare(b.Remote), a.Local.Compare(b.Local))
	})
	var who, keep []string
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
		remote := netip.PrefixFrom(c.Remote.Addr(), c.Remote.Addr().BitLen())
		if c.Out {
			who = append(who, fmt.Sprintf("from here to %s (%s)", c.Remote, c.what))
			command(flow.Egress, c.Remote.Port(), remote)
		} else {
			who = append(who, fmt.Sprintf("%s to port %d (%s)", c.Remote, c.Local.Port(), c.what))
			command(flow.Ingress, c.Local.Port(), remote)
		}
	}
	text := ""
	if len(cut) > 0 {
		text = fmt.Sprintf("This would cut open sessions through %s (%s): %s.", device, row.ID, strings.Join(who, ", "))
	}
	for _, p := range shut {
		if text != "" {
			text += " "
		}
		text += fmt.Sprintf("This would close port %d of the server to everybody at %s (%s).", p, device, row.ID)
		if len(cut) == 0 {
			command(flow.Ingress, p, everybody)
		}
	}
	if len(keep) > 0 {
		text += " Keep them with: " + strings.Join(keep, " && ")
	}
	return fault.OperationNotPermitted.With(fmt.Sprintf("%s ; force it with the header %s: true, or with the tag %s=true on a group of the interface.",
		text, strings.ToLower(AllowLockoutHeader), AllowLockoutTag))
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
	// before are the connections that were open then.
	before map[[2]netip.AddrPort]bool
}

// beginTrial remembers what is open when a trial begins, or when a server
// starts under one.
func (s *Server) beginTrial(id vpc.InterfaceID) {
	t := &trial{before: map[[2]netip.AddrPort]bool{}}
	if all, _, err := s.openSessions(); err == nil {
		for _, c := range all {
			t.before[[2]netip.AddrPort{c.Remote, c.Local}] = true
		}
	}
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
	f := strings.Fields(in.Login)
	var remote, local netip.AddrPort
	if len(f) == 4 {
		remote, _ = netip.ParseAddrPort(net.JoinHostPort(f[0], f[1]))
		local, _ = netip.ParseAddrPort(net.JoinHostPort(f[2], f[3]))
	}
	if !remote.IsValid() || !local.IsValid() {
		return fault.InvalidParameterValue.With(in.Login, "login", "It is two addresses with their ports, as SSH_CONNECTION has them.")
	}
	plain := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
	// One that has ended is of whoever began a terminal that is lived in since.
	all, _, err := s.openSessions()
	lives := err != nil || slices.ContainsFunc(all, func(c agent.Session) bool { return c.Remote == plain(remote) && c.Local == plain(local) })
	if lives && t.before[[2]netip.AddrPort{plain(remote), plain(local)}] {
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
	if !in.Observe && !in.Force && in.Trial == 0 && b.Observes(s.cfg.Now()) && b.Side == dataplane.Workload && b.Netns == "" {
		g := &lockoutGuard{options: a.Options(), devices: map[vpc.InterfaceID]string{}}
		if g.add(b); g.look(s, r) {
			guard = g
		}
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
	if !b.Until.IsZero() {
		out.Until = &b.Until
	}
	s.finish(r, out, rev)
	if in.Trial > 0 && !in.Observe {
		s.beginTrial(b.Interface)
	}
	return out, nil
}
