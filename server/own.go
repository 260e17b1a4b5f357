package server

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"moat/agent"
	"moat/dataplane"
	"moat/fault"
	"moat/ruleset"
)

// An OwnDevice says what the machine itself uses a device for.
type OwnDevice struct {
	Addresses    []netip.Addr `json:"addresses,omitempty"`
	DefaultRoute bool         `json:"default_route,omitempty"`
	// VLANs are devices on top of it. Their frames are tagged, and dropped where
	// the device is enforced.
	VLANs []string `json:"vlans,omitempty"`
	// Sessions are open connections through it: of the caller, of SSH, of the
	// API.
	Sessions []string `json:"sessions,omitempty"`
}

// ownDevice returns what the machine uses a device for that is to be bound; nil
// for nothing. If that cannot be found out it is an error. login is the
// connection of SSH by which the caller is logged in, if there is one: a call
// may come by loopback.
func (s *Server) ownDevice(r *request, b dataplane.Binding, login string) (*OwnDevice, error) {
	if b.Netns != "" && !isMachines(b.Netns) {
		return nil, nil
	}
	unknown := func(err error) error {
		return fault.IncorrectState.Say("Whether the machine itself is reached by device %s is not known: %v", b.Device, err)
	}
	n, err := s.network(b.Netns)
	if err != nil {
		return nil, unknown(err)
	}
	if b.Side == dataplane.Workload {
		n = n.Owned(b.Device)
	}
	d := n.Device(b.Device)
	if d == nil {
		return nil, nil // which is for the data plane to say
	}
	u := n.UseOf(b.Device)
	own := &OwnDevice{Addresses: u.Addresses, DefaultRoute: u.DefaultRoute, VLANs: u.VLANs}
	if b.Netns == "" {
		// Of a workload's link only the caller counts: no workload decides how its
		// link begins.
		var sessions []session
		if !d.WorkloadLink {
			if sessions, _, err = s.loginSessions(r); err != nil && !u.Any() {
				return nil, unknown(err)
			}
		} else if call, ok := callerSession(r); ok {
			sessions = append(sessions, call)
		}
		if remote, local, ok := loginOf(login); ok {
			sessions = append(sessions, session{Session: agent.Session{Local: local, Remote: remote}, what: "your login"})
		}
		g := guarded{BindingStatus: agent.BindingStatus{Binding: b}}
		if g.pass(passages(n, sessions)); g.err != nil && !u.Any() {
			return nil, unknown(g.err)
		}
		for _, c := range g.sessions {
			own.Sessions = append(own.Sessions, c.text())
		}
	}
	if !u.Any() && own.Sessions == nil {
		return nil, nil
	}
	return own, nil
}

// isMachines reports whether a network namespace is that of the machine's first
// process, which is another one than the server's if that runs in a container.
func isMachines(netns string) bool {
	at, err1 := os.Stat(netns)
	first, err2 := os.Stat("/proc/1/ns/net")
	return err1 == nil && err2 == nil && os.SameFile(at, first)
}

// text says who has a session.
func (c *session) text() string {
	if c.Out {
		return fmt.Sprintf("from here to %s (%s)", c.Remote, c.what)
	}
	return fmt.Sprintf("%s to port %d (%s)", c.Remote, c.Local.Port(), c.what)
}

// loginOf reads a connection as SSH_CONNECTION has it: remote address and port,
// local address and port.
func loginOf(text string) (remote, local netip.AddrPort, ok bool) {
	f := strings.Fields(text)
	if len(f) != 4 {
		return remote, local, false
	}
	read := func(host, port string) netip.AddrPort {
		a, _ := netip.ParseAddrPort(net.JoinHostPort(host, port))
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	remote, local = read(f[0], f[1]), read(f[2], f[3])
	return remote, local, remote.IsValid() && local.IsValid()
}

// lacks returns the addresses of a device that its interface lacks, so that
// their packets are dropped as spoofed where it is enforced. On the host's side
// of a link the device's addresses are not the interface's.
func (s *Server) lacks(b *agent.BindingStatus) (out []netip.Addr) {
	if b.Side != dataplane.Workload {
		return nil
	}
	n, err := s.network(b.Netns)
	i := ruleset.Compile(s.store.Latest(), []ruleset.Local{{Scope: b.Scope, ID: b.Interface}}, s.cfg.Enforcement.Options).Interface(b.Interface)
	if err != nil || i == nil {
		return nil // nothing is protected by it: it is for people
	}
	u := n.Owned(b.Device).UseOf(b.Device)
	for _, a := range append(u.Addresses, u.Inner...) {
		if !mayUse(i, a) {
			out = append(out, a)
		}
	}
	return out
}
