package server

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"moat/agent"
	"moat/dataplane"
	"moat/fault"
	"moat/names"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// An AttachDevice request binds an interface to a device of the server's host.
type AttachDevice struct {
	// Interface is the id, or another word for it as package names has them.
	Interface vpc.InterfaceID `json:"interface"`
	Device    string          `json:"device"`
	// Netns names the device's network namespace: a name as `ip netns` has
	// them, the id of a process, or a path; empty for the server's own.
	Netns string `json:"netns,omitempty"`
	// Side is host (also when empty) or workload.
	Side string `json:"side,omitempty"`
	// Account is the interface's; empty for the default one.
	Account vpc.AccountID `json:"account,omitempty"`
	// Probe fails the call unless a probe proves that the device is enforced.
	Probe bool `json:"probe,omitempty"`
	// Login is the connection by which whoever asks is logged in on this host, as
	// SSH_CONNECTION has it.
	Login string `json:"login,omitempty"`
	// Adopt gives the interface the addresses of the device that it lacks.
	Adopt bool `json:"adopt_addresses,omitempty"`
}

// A DetachDevice request takes an interface off its device. It names one of
// the two.
type DetachDevice struct {
	Interface vpc.InterfaceID `json:"interface,omitempty"`
	Device    string          `json:"device,omitempty"`
	Netns     string          `json:"netns,omitempty"`
	Account   vpc.AccountID   `json:"account,omitempty"`
	// Force removes the binding from the state without waiting for its host, if that
	// is another one.
	Force bool `json:"force,omitempty"`
}

// A Bound reply tells of an interface that was bound or freed.
type Bound struct {
	Interface  vpc.InterfaceID `json:"interface"`
	Attachment string          `json:"attachment,omitempty"`
	Device     string          `json:"device"`
	Netns      string          `json:"netns,omitempty"`
	Side       string          `json:"side"`
	Observe    bool            `json:"observe"`
	// Until is the end of a trial.
	Until    *time.Time `json:"until,omitempty"`
	Revision uint64     `json:"revision"`
	// Closed says of a device that was freed that it passes nothing: its name is
	// guarded, or it is a port of a managed bridge.
	Closed bool `json:"closed,omitempty"`
	// Host is set if the device is another host's. Its server takes the filter off:
	// Asked says that it has not confirmed that yet, and Forgotten that the state no
	// longer has the binding, whatever that server does.
	Host      string `json:"host,omitempty"`
	Asked     bool   `json:"asked,omitempty"`
	Forgotten bool   `json:"forgotten,omitempty"`
	// Deferred says that etcd does not answer. The filter is off the device, and the
	// state will say so when etcd answers again.
	Deferred bool `json:"deferred,omitempty"`
	// Enforced is yes, pending or failed, with Error. EnforcedHosts counts the
	// hosts that obey and those that it concerns, if other hosts were waited for.
	Enforced      string `json:"enforced"`
	EnforcedHosts string `json:"enforced_hosts,omitempty"`
	Error         string `json:"error,omitempty"`
	Probe         *Probe `json:"probe,omitempty"`
	// Filter, FilterNetns and Limit are as in BoundStatus.
	Filter      string `json:"filter,omitempty"`
	FilterNetns string `json:"filter_netns,omitempty"`
	Limit       string `json:"limit,omitempty"`
	// Own says of a device that was bound what the machine itself uses it for:
	// such a device begins by observing.
	Own *OwnDevice `json:"own,omitempty"`
	// Lacks are addresses of the device that the interface lacks. Where it is
	// enforced, their packets are dropped as spoofed.
	Lacks []netip.Addr `json:"lacks,omitempty"`
	// Adopted are those that it was given.
	Adopted []netip.Addr `json:"adopted,omitempty"`
}

// attachDevice binds: the device passes nothing from the beginning, then the
// state has the binding, then its rules are in force. Only a device of the
// machine itself begins by observing: one that carries the interface's addresses
// itself, in the server's own namespace, or is used by the machine, on whichever
// side. It is what the operator may be logged in through.
func (s *Server) attachDevice(r *request) (any, error) {
	var in AttachDevice
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	if err := s.ofAccount(r, in.Account); err != nil {
		return nil, err
	}
	switch {
	case in.Interface == "":
		return nil, fault.MissingParameter.With("interface")
	case in.Device == "":
		return nil, fault.MissingParameter.With("device")
	case in.Side != "" && in.Side != "host" && in.Side != "workload":
		return nil, fault.InvalidParameterValue.With(in.Side, "side", "It is host or workload.")
	case len(in.Device) > 15 || strings.ContainsAny(in.Device, "/ \t\n"):
		return nil, fault.InvalidParameterValue.With(in.Device, "device", "It is no name of a network device.")
	}
	var err error
	if in.Interface, err = s.interfaceNamed(r, in.Interface); err != nil {
		return nil, err
	}
	return s.attach(r, &in)
}

// interfaceNamed gives the id of the network interface that a word stands for. A
// group never stands for its members: who has it changes.
func (s *Server) interfaceNamed(r *request, word vpc.InterfaceID) (vpc.InterfaceID, error) {
	if vpc.WellFormed(vpc.InterfacePrefix, string(word)) {
		return word, nil
	}
	view, err := s.currentView(r.Context())
	if err != nil {
		return "", err
	}
	t, err := names.ResolveFirst(view.In(r.scope), names.Query{Text: string(word), Kinds: []names.Kind{names.Interface}})
	if err == nil {
		return vpc.InterfaceID(t.ID), nil
	}
	if _, unknown := errors.AsType[*names.UnknownError](err); unknown && strings.HasPrefix(string(word), vpc.InterfacePrefix+"-") {
		return "", fault.InvalidNetworkInterfaceMalformed.With(word)
	}
	return "", said(err)
}

// attach is attachDevice once the request is known to be well formed.
func (s *Server) attach(r *request, in *AttachDevice) (*Bound, error) {
	a, err := s.agent()
	if err != nil {
		return nil, err
	}
	if _, err := attachable(s.store.Latest().In(r.scope), in.Interface); err != nil {
		return nil, err // before anything is touched
	}
	netns, err := agent.NetnsPath(in.Netns)
	if err != nil {
		return nil, fault.InvalidParameterValue.Say("%v", err)
	}
	b := dataplane.Binding{Interface: in.Interface, Device: in.Device, Netns: netns}
	if in.Side == "workload" {
		b.Side = dataplane.Workload
	}
	own, err := s.ownDevice(r, b, in.Login)
	if err != nil {
		return nil, err
	}
	b.Observe = own != nil || b.Side == dataplane.Workload && netns == ""
	out := boundReply(b)
	out.Own = own
	var addresses []netip.Addr
	if in.Adopt {
		if addresses, err = s.adoptable(b); err != nil {
			return nil, err
		}
	}
	params := url.Values{"Interface": {string(in.Interface)}, "Device": {in.Device}, "Netns": {netns}, "Side": {out.Side}}
	var steps []*step
	rev, err := a.Attach(r.Context(), b, func() (uint64, error) {
		id, rev, err := s.write(r, &store.Write{
			Call: s.call(r),
			Plan: func(tx *state.Txn) (any, error) {
				row, err := attachable(tx, in.Interface)
				if err != nil {
					return nil, err
				}
				if steps, out.Adopted, err = s.adopt(r, tx, row, in.Device, addresses); err != nil {
					return nil, err
				}
				c := *state.Interfaces.Get(tx, row.ID)
				// An instance's interface keeps its attachment, and has a device in it.
				at := vpc.Attachment{InstanceOwner: row.Owner, Attached: tx.Now}
				if row.Attachment != nil {
					at = *row.Attachment
				} else {
					at.ID = tx.NewID(vpc.AttachmentPrefix)
				}
				at.Device = &vpc.Device{Host: a.Host(), Name: b.Device, Netns: b.Netns, Workload: b.Side == dataplane.Workload, Observe: b.Observe}
				c.Attachment = &at
				state.Interfaces.Put(tx, &c)
				return c.Attachment.ID, nil
			},
			Event: s.adminEvent(r, params),
			Tell: func(_ *state.Txn, _ any, e store.Event) []store.Event {
				return eventsOf(e, &changing{title: e.Action, params: params, steps: steps, also: func(*state.Txn) error { return nil }})
			},
		})
		if err != nil {
			return 0, err
		}
		out.Attachment = id.(string)
		return rev, nil
	})
	if err != nil {
		return nil, attachFault(in, err)
	}
	out.Lacks = s.lacks(&agent.BindingStatus{Binding: b, Scope: r.scope})
	s.finish(r, out, rev)
	for _, k := range a.Status().Bindings {
		if k.Interface == in.Interface {
			out.Filter, out.FilterNetns, out.Limit = filterOf(&k)
		}
	}
	if in.Probe && out.Enforced == enforcedYes {
		if out.Probe = s.probe(r.Context(), in.Interface); out.Probe.Error != "" {
			return nil, fault.IncorrectState.Say("Interface %s is bound to %s, and that it is enforced is not proved: %s", in.Interface, in.Device, out.Probe.Error)
		}
	}
	return out, nil
}

// attachable gives the row of an interface that can be attached: no device
// carries it. Whether it belongs to an instance makes no difference.
func attachable(r state.Reader, id vpc.InterfaceID) (*vpc.Interface, error) {
	row := state.Interfaces.Get(r, id)
	if row == nil {
		return nil, fault.InvalidNetworkInterfaceNotFound.With(id)
	}
	if row.Attachment != nil && row.Attachment.Device != nil {
		return nil, fault.InvalidNetworkInterfaceInUse.With(id)
	}
	return row, nil
}

// attachFault tells an operator why a device cannot be bound.
func attachFault(in *AttachDevice, err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrNoAnswer):
		return err
	case errors.Is(err, dataplane.ErrLoopback):
		return fault.InvalidParameterValue.With(in.Device, "device", dataplane.ErrLoopback.Error()+".")
	case errors.Is(err, dataplane.ErrNoDevice):
		where := ""
		if in.Netns != "" {
			where = " in network namespace " + in.Netns
		}
		return fault.InvalidParameterValue.Say("There is no device %s%s on the server's host.", in.Device, where)
	}
	return fault.IncorrectState.With(err.Error())
}

// finish waits until what was written is in force. A device that was bound is
// enforced when the call returns, also where other calls do not wait.
func (s *Server) finish(r *request, out *Bound, rev uint64) {
	e := &s.cfg.Enforcement
	if e.All {
		s.report(r, out, rev, s.waitHosts(r.Context(), rev, e.Timeout, s.concerned(r, rev)))
	} else {
		s.report(r, out, rev, s.waitHere(r.Context(), rev, e.Timeout))
	}
}

// report puts into a reply how far its revision is in force.
func (s *Server) report(r *request, out *Bound, rev uint64, o outcome) {
	r.rev, out.Revision = rev, rev
	out.Enforced, out.EnforcedHosts = o.word, o.hosts
	if o.err != nil {
		out.Error = o.err.Error()
	}
	r.enforced, r.enforcedHosts, r.degraded = o.word, o.hosts, o.degraded
}

// boundTo finds what is bound to a device of this host; unknown tells that the
// state does not have it.
func (s *Server) boundTo(device, netns string) (b agent.BindingStatus, unknown bool, err error) {
	path := netns
	if netns != "" {
		if p, err := agent.NetnsPath(netns); err == nil {
			path = p // and otherwise a namespace that is gone, by its path
		} else if !strings.Contains(netns, "/") {
			path = "/run/netns/" + netns
		}
	}
	found := 0
	match := func(c agent.BindingStatus, u bool) {
		if c.Device == device && (netns == "" || c.Netns == path) {
			b, unknown = c, u
			found++
		}
	}
	for _, c := range s.boundHere(s.store.Latest()) {
		match(c, false)
	}
	if a := s.cfg.Enforcement.Agent; a != nil {
		for _, u := range a.Status().Unknown {
			match(agent.BindingStatus{Binding: u}, true)
		}
	}
	switch found {
	case 0:
		return b, false, fault.InvalidParameterValue.Say("No interface is bound to a device %s of this host.", device)
	case 1:
		return b, unknown, nil
	}
	return b, false, fault.InvalidParameterValue.Say("Devices named %s are bound in several network namespaces: name one.", device)
}

// boundHere returns what is bound on this host, with the names that the devices
// have now where that is known.
func (s *Server) boundHere(view *state.View) []agent.BindingStatus {
	if a := s.cfg.Enforcement.Agent; a != nil {
		return a.Bound(view)
	}
	return agent.Bound(view, s.cfg.Enforcement.Host)
}

// agent gives the agent, or why there is none.
func (s *Server) agent() (*agent.Agent, error) {
	if a := s.cfg.Enforcement.Agent; a != nil {
		return a, nil
	}
	return nil, fault.UnsupportedOperation.Say("Nothing can be enforced on this host: %s", s.cfg.Enforcement.Reason)
}

// ofAccount turns a request to another account.
func (s *Server) ofAccount(r *request, a vpc.AccountID) error {
	if a != "" {
		if !isAccount(string(a)) {
			return fault.InvalidParameterValue.With(a, "account", "It has 12 digits.")
		}
		r.scope.Account = a
	}
	if !s.serves(r.scope.Region) {
		return fault.InvalidParameterValue.With(r.scope.Region, "region", "It is not served.")
	}
	return nil
}

func boundReply(b dataplane.Binding) *Bound {
	return &Bound{Interface: b.Interface, Device: b.Device, Netns: b.Netns, Side: sideName(b.Side), Observe: b.Observe}
}

func sideName(s dataplane.Side) string {
	if s == dataplane.Workload {
		return "workload"
	}
	return "host"
}

func isGone(err error) bool { return errors.Is(err, dataplane.ErrNoDevice) }
