package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/vpc"
)

// A port of a managed bridge that nobody has bound has a guard: an interface
// that no ruleset has, so that it passes nothing.
const guardPrefix = "port-"

func guardOf(device string) dataplane.Binding {
	return dataplane.Binding{Interface: vpc.InterfaceID(guardPrefix + device), Device: device}
}

func isGuard(id vpc.InterfaceID) bool { return strings.HasPrefix(string(id), guardPrefix) }

// sysNet is where the kernel shows the devices of the agent's own namespace.
const sysNet = "/sys/class/net"

// managed reports whether a device is a port of a managed bridge.
func (a *Agent) managed(device, netns string) bool {
	if len(a.bridges) == 0 || netns != "" {
		return false
	}
	master, err := os.Readlink(filepath.Join(sysNet, device, "master"))
	return err == nil && slices.Contains(a.bridges, filepath.Base(master))
}

// isBridge reports whether a device of the agent's own namespace is a bridge.
func isBridge(device string) bool {
	_, err := os.Stat(filepath.Join(sysNet, device, "bridge"))
	return err == nil
}

// ports gives the ports of the managed bridges.
func (a *Agent) ports() (all []string) {
	for _, b := range a.bridges {
		all = append(all, portsOf(b)...)
	}
	return all
}

func portsOf(bridge string) (all []string) {
	entries, _ := os.ReadDir(filepath.Join(sysNet, bridge, "brif")) // a bridge that is not there has none
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// guard puts guards on the ports that nobody has bound, and takes off those
// that are of no use any more. have is what is bound, and now are the bindings of
// the state. The caller holds binding.
func (a *Agent) guard(ctx context.Context, have []dataplane.Binding, now []BindingStatus) (guarded []dataplane.Binding, err error) {
	var errs []error
	ports := a.ports()
	free := func(device string) bool {
		at := func(b dataplane.Binding) bool { return b.Device == device && b.Netns == "" }
		for _, h := range a.held {
			if at(h) {
				return false
			}
		}
		return !slices.ContainsFunc(now, func(b BindingStatus) bool { return at(b.Binding) }) &&
			!slices.ContainsFunc(have, func(b dataplane.Binding) bool { return at(b) && !isGuard(b.Interface) && b.Index != 0 })
	}
	for _, h := range have {
		if isGuard(h.Interface) && (h.Interface != guardOf(h.Device).Interface || !slices.Contains(ports, h.Device) || !free(h.Device)) {
			errs = append(errs, a.plane.Unbind(ctx, h.Interface))
		}
	}
	for _, p := range ports {
		if !free(p) {
			continue
		}
		g := guardOf(p)
		err := a.closePort(p)
		if err != nil {
			errs = append(errs, err)
		}
		if slices.ContainsFunc(have, func(h dataplane.Binding) bool { return h.Interface == g.Interface && h.Index != 0 }) {
			err = a.plane.Bind(ctx, g)
		} else {
			err = a.whileDisabled(p, func() error { return a.plane.Bind(ctx, g) })
		}
		if err != nil && !errors.Is(err, dataplane.ErrNoDevice) {
			errs = append(errs, fmt.Errorf("guard port %s, which nobody has bound: %w", p, err))
		}
		guarded = append(guarded, g)
	}
	return guarded, errors.Join(errs...)
}

// replaceGuard binds an interface to a device, in place of a guard if it has
// one. The caller holds binding.
func (a *Agent) replaceGuard(ctx context.Context, b dataplane.Binding) error {
	if !a.managed(b.Device, b.Netns) {
		return a.plane.Bind(ctx, b)
	}
	have, err := a.plane.Bindings(ctx)
	if err != nil {
		return err
	}
	g := guardOf(b.Device)
	if !slices.ContainsFunc(have, func(h dataplane.Binding) bool { return h.Interface == g.Interface }) {
		err = a.plane.Bind(ctx, b)
	} else {
		err = a.whileDisabled(b.Device, func() error {
			err := a.swap(ctx, g.Interface, b)
			if err != nil {
				err = errors.Join(err, a.plane.Bind(ctx, g))
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	return a.openPort(b.Device)
}

// release takes an interface off its device, and puts a guard in its place on
// a port of a managed bridge. The caller holds binding.
func (a *Agent) release(ctx context.Context, b dataplane.Binding) error {
	if isGuard(b.Interface) || !a.managed(b.Device, b.Netns) {
		return a.plane.Unbind(ctx, b.Interface)
	}
	if err := a.closePort(b.Device); err != nil {
		return err
	}
	return a.whileDisabled(b.Device, func() error {
		return a.swap(ctx, b.Interface, guardOf(b.Device))
	})
}

// swap puts a binding in the place of another.
func (a *Agent) swap(ctx context.Context, id vpc.InterfaceID, with dataplane.Binding) error {
	if r, ok := a.plane.(replacer); ok {
		return r.Replace(ctx, id, with)
	}
	if err := a.plane.Unbind(ctx, id); err != nil {
		return err
	}
	return a.plane.Bind(ctx, with)
}

// States of a bridge's port.
const (
	portDisabled   = 0
	portForwarding = 3
)

// whileDisabled runs f while a port of a bridge forwards nothing. A port that
// is down forwards nothing anyway, and one whose bridge runs STP is the
// kernel's to set: there packets may pass for a moment.
func (a *Agent) whileDisabled(device string, f func() error) error {
	if setPortState(device, portDisabled) != nil {
		return f()
	}
	err := f()
	if e := setPortState(device, portForwarding); e != nil && !errors.Is(e, unix.ENETDOWN) {
		a.logger.Error("a port of a bridge stays disabled: `bridge link set dev "+device+" state 3`", "device", device, "err", e)
	}
	return err
}

func setPortState(device string, state uint8) error {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(dev.Index)
	req.AddData(msg)
	port := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	port.AddRtAttr(nl.IFLA_BRPORT_STATE, []byte{state})
	req.AddData(port)
	_, err = req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
