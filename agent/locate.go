package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"moat/dataplane"
	"moat/state"
	"moat/vpc"
)

// A Mark is how the agent recognises the device of an interface that it has bound
// before: by its index while the machine runs, then by its permanent MAC, then by
// its name.
type Mark struct {
	Interface vpc.InterfaceID
	// Boot identifies the time between two starts of the machine in which Index was
	// the device's.
	Boot  string
	Index int
	// MAC is the permanent one; empty for a device without.
	MAC string
	// Device is the last name of the device, and Named the one in the state.
	Device, Named string
	// Doubt says why the device may be another one; it passes nothing until the
	// interface is detached.
	Doubt string
}

// A Device is one of a network namespace.
type Device struct {
	Name  string
	Index int
	MAC   string // the permanent one of hardware; empty for others
}

// A DeviceReader lists the devices of a network namespace, or only the one with an
// index that is not 0.
type DeviceReader func(netns string, index int) ([]Device, error)

// ReadDevices is the DeviceReader of the kernel. A device on top of another one,
// such as ipvlan, may show that one's permanent MAC, which is not its own.
func ReadDevices(netns string, index int) (all []Device, err error) {
	h, err := networkHandle(netns)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	var links []netlink.Link
	if index != 0 {
		l, err := h.LinkByIndex(index)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	} else if links, err = h.LinkList(); err != nil {
		return nil, err
	}
	for _, l := range links {
		a := l.Attrs()
		d := Device{Name: a.Name, Index: a.Index}
		if len(a.PermHWAddr) == 6 && a.ParentIndex == 0 {
			d.MAC = a.PermHWAddr.String()
		}
		all = append(all, d)
	}
	return all, nil
}

// bootID identifies the time since the machine's start.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it no index is trusted
	return strings.TrimSpace(string(b))
}

// A Target is where an interface's filter belongs: a binding of the state, with
// the device that it means now.
type Target struct {
	dataplane.Binding
	// Degraded says why packets may pass the device without being judged.
	Degraded error
	// Doubt says why the device may be another one than the interface's: it must
	// pass nothing.
	Doubt error
	// Err says why there is no device.
	Err error
}

// Locate finds the device of a binding of the state. An interface that is bound
// stays where it is, whatever its device is called now, unless the state names
// another device than when it was bound. Any other is found by its mark, and by its
// name without one.
func Locate(want dataplane.Binding, have []dataplane.Standing, mark Mark, boot string, devices DeviceReader) Target {
	t := Target{Binding: want}
	n := slices.IndexFunc(have, func(h dataplane.Standing) bool { return h.Interface == want.Interface })
	bound := n >= 0 && have[n].Index != 0
	if bound && have[n].Side == want.Side && want.Device != have[n].Device && mark.Named != "" && mark.Named != want.Device {
		return t // the state means another device now
	}
	if mark.Doubt != "" {
		t.Doubt = errors.New(mark.Doubt)
	}
	if bound {
		h := &have[n]
		t.Device, t.Index, t.Netns, t.Side, t.Degraded = h.Device, h.Index, h.Netns, h.Side, h.Degraded
		return t
	}
	if mark.Device == "" || mark.Named != want.Device || devices == nil {
		return t
	}
	all, err := devices(want.Netns, 0)
	if err != nil {
		return t // the data plane says what is wrong with the namespace
	}
	// What another interface is bound to is not this one's.
	all = slices.DeleteFunc(all, func(d Device) bool {
		return slices.ContainsFunc(have, func(h dataplane.Standing) bool {
			return h.Index == d.Index && h.Netns == want.Netns && !isGuard(h.Interface)
		})
	})
	d, doubt := mark.find(all, boot)
	if d == nil {
		t.Err = fmt.Errorf("%s: %w", mark.Device, dataplane.ErrNoDevice)
		return t
	}
	t.Device, t.Index = d.Name, d.Index
	if doubt != "" && t.Doubt == nil {
		t.Doubt = errors.New(doubt)
	}
	return t
}

// find returns the device that a mark means, and why it may be another one; nil if
// it is not there.
func (m *Mark) find(all []Device, boot string) (d *Device, doubt string) {
	which := func(is func(d *Device) bool) (found []*Device) {
		for i := range all {
			if is(&all[i]) {
				found = append(found, &all[i])
			}
		}
		return found
	}
	named := func(name string) *Device {
		if found := which(func(d *Device) bool { return d.Name == name }); len(found) > 0 {
			return found[0]
		}
		return nil
	}
	same := boot != "" && m.Boot == boot
	if found := which(func(d *Device) bool { return d.Index == m.Index }); same && len(found) > 0 {
		if d = found[0]; d.Name != m.Device && (m.MAC == "" || d.MAC != m.MAC) {
			doubt = fmt.Sprintf("device %s has the index of the interface's device, %s, which lost its filter, and another name", d.Name, m.Device)
		}
		return d, doubt
	}
	last := named(m.Device)
	if m.MAC != "" {
		found := which(func(d *Device) bool { return d.MAC == m.MAC })
		switch {
		case len(found) == 1:
			return found[0], ""
		case len(found) > 1 && last != nil && last.MAC == m.MAC:
			return last, ""
		case len(found) > 1:
			return found[0], fmt.Sprintf("%d devices have the permanent MAC %s of the interface's device, and none its name, %s", len(found), m.MAC, m.Device)
		}
	}
	d = last
	if !same && m.Named != m.Device {
		first := named(m.Named)
		switch {
		case d == nil:
			d = first
		case first != nil:
			doubt = fmt.Sprintf("the interface was attached to a device %s that was later %s, and both are there", m.Named, m.Device)
		}
	}
	if d != nil && m.MAC != "" {
		doubt = fmt.Sprintf("device %s has not the permanent MAC of the interface's device, %s", d.Name, m.MAC)
	}
	return d, doubt
}

// target finds where an interface's filter belongs.
func (a *Agent) target(want dataplane.Binding, have []dataplane.Standing) Target {
	t := Locate(want, have, a.marks[want.Interface], a.thisBoot, a.devices)
	if n := slices.IndexFunc(have, func(h dataplane.Standing) bool { return h.Interface == want.Interface }); n >= 0 && have[n].Index != 0 {
		return t // it stays where it is
	}
	if t.Err == nil {
		t.Binding = Relocate(t.Binding)
	}
	return t
}

// mark notes how to recognise the device of an interface that is bound.
func (a *Agent) mark(named string, now *BindingStatus, doubt error) {
	m := a.marks[now.Interface]
	if now.Filter.Side != now.Side {
		// It is found by the name of the workload's end each time.
		a.marks[now.Interface] = Mark{Interface: now.Interface, Device: named, Named: named}
		return
	}
	if m.Boot != a.thisBoot || m.Index != now.Index {
		m.MAC = ""
		if a.devices != nil {
			if d, err := a.devices(now.Netns, now.Index); err == nil && len(d) == 1 {
				m.MAC = d[0].MAC
			}
		}
	}
	m.Interface, m.Boot, m.Index, m.Device, m.Named = now.Interface, a.thisBoot, now.Index, now.Device, named
	a.doubt(&m, now.Binding, doubt)
	a.marks[now.Interface] = m
}

// doubt notes why a device may be another one than the interface's.
func (a *Agent) doubt(m *Mark, b dataplane.Binding, doubt error) {
	if doubt == nil || m.Doubt != "" {
		return
	}
	m.Doubt = doubt.Error()
	a.logger.Error("it is not clear which device an interface is bound to; it passes nothing until the interface is detached", "host", a.host, "interface", b.Interface, "device", b.Device, "err", doubt)
	a.event(DeviceAmbiguous, b, m.Doubt)
}

// closeDoubtful makes an interface pass nothing, before it is bound to a device that
// may be another one than its own.
func (a *Agent) closeDoubtful(ctx context.Context, id vpc.InterfaceID, doubt error) error {
	if doubt == nil || slices.Contains(a.closed, id) {
		return nil
	}
	closed := append(slices.Clone(a.closed), id)
	if a.inForce != nil {
		rs := Denying(a.inForce, closed)
		if err := a.plane.Apply(ctx, rs); err != nil {
			return fmt.Errorf("make it pass nothing: %w", err)
		}
		a.inForce = rs
	}
	a.closed = closed
	return nil
}

// Bound returns the bindings that a view has for the agent's host, with the names
// that their devices have now.
func (a *Agent) Bound(view *state.View) []BindingStatus {
	all := Bound(view, a.host)
	now := a.Status().Bindings
	for i := range all {
		at := slices.IndexFunc(now, func(b BindingStatus) bool { return b.Interface == all[i].Interface })
		if at >= 0 && now[at].Index != 0 {
			all[i].Device, all[i].Index = now[at].Device, now[at].Index
		}
	}
	return all
}
