package server

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"moat/agent"
	"moat/dataplane"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// A ConfiguredBinding says which devices are bound whenever they appear.
type ConfiguredBinding struct {
	Device dataplane.Pattern `yaml:"device"`
	Netns  string            `yaml:"netns"`
	Side   string            `yaml:"side"`
	// Guard closes the machine's own device until it is bound, but for pinholes and
	// what the machine needs to get an address.
	Guard bool `yaml:"guard"`
	// Interface is an interface's id or its tag Name, in which {device} stands
	// for the device's name.
	Interface string        `yaml:"interface"`
	Region    string        `yaml:"region"`  // empty for the default one
	Account   vpc.AccountID `yaml:"account"` // empty for the default one
}

// lookAfter is how often devices are looked for that no event told of.
const lookAfter = 2 * time.Second

// KeepBound binds devices as configured, whenever a device or an interface
// appears, until ctx ends. A device that is bound already is left alone.
func (s *Server) KeepBound(ctx context.Context, all []ConfiguredBinding, links agent.LinkWatcher) {
	kick := make(chan struct{}, 1)
	touch := func() {
		select {
		case kick <- struct{}{}:
		default:
		}
	}
	go func() {
		for ctx.Err() == nil {
			err := links(ctx, func(l agent.LinkChange) {
				if l.Name == "" || slices.ContainsFunc(all, func(c ConfiguredBinding) bool { return c.Device.Match(l.Name) }) {
					touch()
				}
			})
			if ctx.Err() == nil {
				s.cfg.Logger.Warn("devices that come are seen late", "err", err)
				sleep(ctx, time.Minute)
			}
		}
	}()
	go func() {
		for rev := uint64(0); ; {
			v, err := s.store.WaitRev(ctx, rev+1)
			if err != nil {
				return
			}
			rev = v.Rev
			touch()
		}
	}()
	said := map[string]string{} // the last trouble with each device
	for ctx.Err() == nil {
		for _, c := range all {
			s.bindConfigured(ctx, c, said)
		}
		timer := time.NewTimer(lookAfter)
		select {
		case <-kick:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// bindConfigured binds the devices that are there and not bound.
func (s *Server) bindConfigured(ctx context.Context, c ConfiguredBinding, said map[string]string) {
	ns, err := agent.NetnsPath(c.Netns)
	if err != nil {
		return // it comes later, or is gone
	}
	names, err := devicesIn(ns)
	if err != nil {
		s.cfg.Logger.Warn("devices cannot be listed", "netns", ns, "err", err)
		return
	}
	view := s.store.Latest()
	bound := s.boundHere(view)
	for _, name := range names {
		if name == dataplane.Loopback || !c.Device.Match(name) || slices.ContainsFunc(bound, func(b agent.BindingStatus) bool { return b.Device == name && b.Netns == ns }) {
			continue
		}
		r := s.own(ctx, "AttachDevice", c.scope(s))
		at := ns + " " + name
		trouble := ""
		id := c.find(view.In(r.scope), name)
		if id == "" {
			trouble = "there is no interface " + c.interfaceOf(name) + " that is free"
		} else if _, err := s.attach(r, &AttachDevice{Interface: id, Device: name, Netns: ns, Side: c.Side}); err != nil {
			trouble = err.Error()
		}
		switch {
		case trouble == "":
			s.cfg.Logger.Info("a device was bound as configured", "interface", id, "device", name, "netns", ns)
		case said[at] != trouble:
			s.cfg.Logger.Warn("a device that is to be bound is not", "device", name, "netns", ns, "err", trouble)
		}
		said[at] = trouble
	}
}

func (c *ConfiguredBinding) scope(s *Server) state.Scope {
	sc := state.Scope{Region: c.Region, Account: c.Account}
	if sc.Region == "" {
		sc.Region = s.cfg.Region
	}
	if sc.Account == "" {
		sc.Account = s.cfg.Account
	}
	return sc
}

func (c *ConfiguredBinding) interfaceOf(device string) string {
	return strings.ReplaceAll(c.Interface, "{device}", device)
}

// find gives the interface for a device, if there is one and it is free.
func (c *ConfiguredBinding) find(space *state.Space, device string) vpc.InterfaceID {
	want := c.interfaceOf(device)
	if i := state.Interfaces.Get(space, vpc.InterfaceID(want)); i != nil && unbound(i) {
		return i.ID
	}
	for i := range state.Interfaces.ByTag(space, "Name", want) {
		if unbound(i) {
			return i.ID
		}
	}
	return ""
}

func unbound(i *vpc.Interface) bool { return i.Attachment == nil || i.Attachment.Device == nil }

// devicesIn lists the devices of a network namespace. It holds nothing of it
// open.
func devicesIn(ns string) (names []string, err error) {
	if ns == "" {
		all, err := net.Interfaces()
		for _, i := range all {
			names = append(names, i.Name)
		}
		return names, err
	}
	at, err := netns.GetFromPath(ns)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	h, err := netlink.NewHandleAt(at)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	links, err := h.LinkList()
	for _, l := range links {
		names = append(names, l.Attrs().Name)
	}
	return names, err
}

// own makes a request of the server itself.
func (s *Server) own(ctx context.Context, action string, scope state.Scope) *request {
	hr := (&http.Request{Method: http.MethodPost, Header: http.Header{"User-Agent": {"moat"}}}).WithContext(ctx)
	return &request{
		Request: hr, id: newRequestID(), began: s.cfg.Now(), service: ServiceMoat, action: action, known: true,
		scope: scope, caller: iam.Root(scope.Account, vpc.Partition(scope.Region), ""),
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
