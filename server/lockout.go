package server

import (
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

// A lockoutGuard knows the sessions that a change must not cut: those of SSH
// and of the API, through devices of the host itself that are enforced.
type lockoutGuard struct {
	locals   []ruleset.Local
	devices  map[vpc.InterfaceID]string
	options  ruleset.Options
	inForce  *ruleset.Ruleset // nil for everything is allowed
	sessions []agent.Session
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

// look finds the sessions that matter.
func (g *lockoutGuard) look(s *Server, r *request) bool {
	sessions := s.cfg.Enforcement.Sessions
	if sessions == nil {
		sessions = agent.Sessions
	}
	all, err := sessions()
	if err != nil {
		s.cfg.Logger.Warn("open sessions cannot be read; whether a change cuts them is not known", "request", r.id, "err", err)
		return false
	}
	ports := []uint16{sshPort}
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if api, err := netip.ParseAddrPort(a.String()); err == nil {
			ports = append(ports, api.Port())
		}
	}
	for _, c := range all {
		if slices.Contains(ports, c.Local.Port()) && !c.Remote.Addr().IsLoopback() {
			g.sessions = append(g.sessions, c)
		}
	}
	return len(g.sessions) > 0
}

// check refuses a view in which a session would be cut.
func (g *lockoutGuard) check(v *state.View) error {
	want := ruleset.Compile(v, g.locals, g.options)
	for _, l := range g.locals {
		i := want.Interface(l.ID)
		row := state.Interfaces.Get(v.In(l.Scope), l.ID)
		if row == nil || i == nil || allowsLockout(v.In(l.Scope), row) {
			continue
		}
		var cut []agent.Session
		for _, c := range g.sessions {
			own := slices.ContainsFunc(i.Own, func(p netip.Prefix) bool { return p.Contains(c.Local.Addr()) })
			f := ruleset.Flow{Interface: l.ID, Direction: flow.Ingress, Remote: c.Remote.Addr(), Protocol: flow.TCP, Port: c.Local.Port()}
			if own && !want.Judge(f).Allowed && (g.inForce == nil || g.inForce.Judge(f).Allowed) {
				cut = append(cut, c)
			}
		}
		if len(cut) > 0 {
			return lockoutFault(g.devices[l.ID], row, cut)
		}
	}
	return nil
}

func allowsLockout(r state.Reader, row *vpc.Interface) bool {
	for _, id := range row.Groups {
		if g := state.Groups.Get(r, id); g != nil && slices.ContainsFunc(g.Tags, func(t vpc.Tag) bool { return t.Key == AllowLockoutTag && t.Value == "true" }) {
			return true
		}
	}
	return false
}

func lockoutFault(device string, row *vpc.Interface, cut []agent.Session) error {
	var who []string
	for _, c := range cut {
		who = append(who, fmt.Sprintf("%s to port %d", c.Remote, c.Local.Port()))
	}
	slices.Sort(who)
	if len(who) > 5 {
		who = append(who[:5], fmt.Sprintf("%d more", len(cut)-5))
	}
	keep := ""
	if len(row.Groups) > 0 {
		a := cut[0].Remote.Addr()
		p := cut[0].Local.Port()
		keep = fmt.Sprintf(" Keep the first with: aws ec2 authorize-security-group-ingress --group-id %s --protocol tcp --port %d --cidr %s/32", row.Groups[0], p, a)
		if a.Is6() {
			keep = fmt.Sprintf(" Keep the first with: aws ec2 authorize-security-group-ingress --group-id %s --ip-permissions 'IpProtocol=tcp,FromPort=%d,ToPort=%d,Ipv6Ranges=[{CidrIpv6=%s/128}]'", row.Groups[0], p, p, a)
		}
		keep += " ;"
	}
	return fault.OperationNotPermitted.With(fmt.Sprintf("This would cut open sessions through %s (%s): %s.%s force it with the header %s: true, or with the tag %s=true on a group of the interface.",
		device, row.ID, strings.Join(who, ", "), keep, strings.ToLower(AllowLockoutHeader), AllowLockoutTag))
}

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
	var guard *lockoutGuard
	// On trial nothing is lost for good; what is on trial is enforced already.
	if !in.Observe && !in.Force && in.Trial == 0 && b.Observes(s.cfg.Now()) && b.Side == dataplane.Workload && b.Netns == "" {
		g := &lockoutGuard{options: a.Options(), devices: map[vpc.InterfaceID]string{}}
		if g.add(b); g.look(s, r) {
			guard = g
		}
	}
	_, rev, err := s.store.Write(r.Context(), &store.Write{
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
	return out, nil
}
