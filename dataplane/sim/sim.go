// Package sim is a data plane in memory: a host with devices, on which planes
// come and go while what they put into force stays, as with a kernel. It judges
// single packets, with connection tracking, by ruleset.Judge and plain maps:
// it is to be read, not to be fast.
package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// A Host is a simulated machine. What is in force on it outlives every Plane.
type Host struct {
	mu      sync.Mutex
	now     func() time.Time
	devices map[place]*device
	enacted map[string]*enacted // by identity
	index   int
}

// A place is where a device is.
type place struct{ netns, name string }

func (p place) String() string {
	if p.netns == "" {
		return p.name
	}
	return p.name + " in " + p.netns
}

// A device is one with its filter, if it has one.
type device struct {
	index int
	owner *enacted
	bound vpc.InterfaceID
	off   bool // the filter was taken off behind the owner's back
}

// enacted is what the planes of one identity have put into force.
type enacted struct {
	identity string
	rules    *ruleset.Ruleset
	gen      int // grows with each ruleset
	bindings map[vpc.InterfaceID]dataplane.Binding
	denied   map[vpc.InterfaceID]bool // until the next ruleset
	flows    map[flowKey]*tracked
	stats    dataplane.Stats
}

// NewHost gives a machine without devices. Its clock is now; nil for the real
// one.
func NewHost(now func() time.Time) *Host {
	if now == nil {
		now = time.Now
	}
	return &Host{now: now, devices: map[place]*device{}, enacted: map[string]*enacted{}}
}

// AddDevice makes a device come, with a new number and no filter.
func (h *Host) AddDevice(netns, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.index++
	h.devices[place{netns, name}] = &device{index: h.index}
}

// RemoveDevice makes a device go, and its filter with it.
func (h *Host) RemoveDevice(netns, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.devices, place{netns, name})
}

// Devices returns the indexes of the devices of a network namespace, by name.
func (h *Host) Devices(netns string) map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]int{}
	for at, d := range h.devices {
		if at.netns == netns {
			all[at.name] = d.index
		}
	}
	return all
}

// Rename gives a device another name. It stays the same device.
func (h *Host) Rename(netns, from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.devices[place{netns, to}] = h.devices[place{netns, from}]
	delete(h.devices, place{netns, from})
}

// TakeOff takes the filter off a device, as another program can.
func (h *Host) TakeOff(netns, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.devices[place{netns, name}].off = true
}

// deviceOf finds the device that an interface is on, nil if that is gone.
func (h *Host) deviceOf(e *enacted, id vpc.InterfaceID) (place, *device) {
	for at, d := range h.devices {
		if d.owner == e && d.bound == id {
			return at, d
		}
	}
	return place{}, nil
}

// Open gives a plane that takes over what those of the same identity left.
func (h *Host) Open(identity string) *Plane {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.enacted[identity]
	if e == nil {
		e = &enacted{
			identity: identity,
			bindings: map[vpc.InterfaceID]dataplane.Binding{}, denied: map[vpc.InterfaceID]bool{}, flows: map[flowKey]*tracked{},
			stats: dataplane.Stats{
				Rules: map[vpc.RuleID]dataplane.RuleStats{}, Drops: map[vpc.InterfaceID]map[string]uint64{},
			},
		}
		h.enacted[identity] = e
	}
	return &Plane{host: h, in: e}
}

// A Plane is a handle on what is in force for one identity.
type Plane struct {
	host    *Host
	in      *enacted
	failing func(call string) error
	applied int
}

var _ dataplane.Dataplane = (*Plane)(nil)

// Fail makes calls fail as f says, by their names: Apply, Bind, Unbind, Deny.
// Nil for none.
func (p *Plane) Fail(f func(call string) error) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.failing = f
}

// Applied gives how often Apply has put a ruleset into force.
func (p *Plane) Applied() int {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	return p.applied
}

// begin locks the host for a call, which goes on if there is no error.
func (p *Plane) begin(ctx context.Context, call string) (end func(), err error) {
	p.host.mu.Lock()
	if err = ctx.Err(); err == nil && p.failing != nil {
		err = p.failing(call)
	}
	if err != nil {
		p.host.mu.Unlock()
		return nil, fmt.Errorf("sim: %s: %w", call, err)
	}
	return p.host.mu.Unlock, nil
}

// Apply makes want the ruleset in force.
func (p *Plane) Apply(ctx context.Context, want *ruleset.Ruleset) error {
	end, err := p.begin(ctx, "Apply")
	if err != nil {
		return err
	}
	defer end()
	for _, i := range want.Interfaces {
		if i.In < 0 || i.In >= len(want.Policies) || i.Out < 0 || i.Out >= len(want.Policies) {
			return fmt.Errorf("sim: Apply: interface %s has a policy that is not there", i.ID)
		}
	}
	p.in.shrinkOwn(want)
	p.in.rules = want
	p.in.gen++
	p.applied++
	clear(p.in.denied)
	return nil
}

// Actual reports the ruleset in force.
func (p *Plane) Actual(ctx context.Context) (*ruleset.Ruleset, error) {
	end, err := p.begin(ctx, "Actual")
	if err != nil {
		return nil, err
	}
	defer end()
	if p.in.rules == nil {
		return &ruleset.Ruleset{}, nil
	}
	return p.in.rules, nil
}

// Bind puts an interface's filter on a device.
func (p *Plane) Bind(ctx context.Context, b dataplane.Binding) error {
	end, err := p.begin(ctx, "Bind")
	if err != nil {
		return err
	}
	defer end()
	at := place{b.Netns, b.Device}
	d := p.host.devices[at]
	if b.Index != 0 {
		d = nil
		for x, o := range p.host.devices {
			if x.netns == b.Netns && o.index == b.Index {
				at, d = x, o
			}
		}
	}
	if at.name == dataplane.Loopback {
		return dataplane.ErrLoopback
	}
	if d == nil {
		return fmt.Errorf("device %s: %w", at, dataplane.ErrNoDevice)
	}
	if d.owner != nil && d.owner != p.in {
		return fmt.Errorf("device %s is bound by another server, %s", at, d.owner.identity)
	}
	if d.owner != nil && d.bound != b.Interface {
		return fmt.Errorf("device %s is bound to interface %s", at, d.bound)
	}
	if was, old := p.host.deviceOf(p.in, b.Interface); old != nil && old != d {
		return fmt.Errorf("interface %s is bound to device %s", b.Interface, was)
	}
	d.owner, d.bound, d.off = p.in, b.Interface, false
	b.Device, b.Index = at.name, d.index
	p.in.bindings[b.Interface] = b
	return nil
}

// Unbind takes a filter off.
func (p *Plane) Unbind(ctx context.Context, id vpc.InterfaceID) error {
	end, err := p.begin(ctx, "Unbind")
	if err != nil {
		return err
	}
	defer end()
	if _, ok := p.in.bindings[id]; !ok {
		return nil
	}
	if _, d := p.host.deviceOf(p.in, id); d != nil {
		d.owner, d.bound, d.off = nil, "", false
	}
	delete(p.in.bindings, id)
	maps.DeleteFunc(p.in.flows, func(k flowKey, _ *tracked) bool { return k.on == id })
	delete(p.in.stats.Drops, id)
	return nil
}

// Deny makes an interface pass nothing until the next ruleset.
func (p *Plane) Deny(ctx context.Context, id vpc.InterfaceID) error {
	end, err := p.begin(ctx, "Deny")
	if err != nil {
		return err
	}
	defer end()
	p.in.denied[id] = true
	return nil
}

// Bindings reports what is bound, in the order of interfaces.
func (p *Plane) Bindings(ctx context.Context) (out []dataplane.Binding, err error) {
	all, err := p.Look(ctx, false)
	for _, s := range all {
		out = append(out, s.Binding)
	}
	return out, err
}

// Look reports how what is bound stands, in the order of interfaces.
func (p *Plane) Look(ctx context.Context, quick bool) ([]dataplane.Standing, error) {
	end, err := p.begin(ctx, "Look")
	if err != nil {
		return nil, err
	}
	defer end()
	var out []dataplane.Standing
	for _, id := range slices.Sorted(maps.Keys(p.in.bindings)) {
		s := dataplane.Standing{Binding: p.in.bindings[id]}
		at, d := p.host.deviceOf(p.in, id)
		switch {
		case d == nil || at.netns != s.Netns:
			s.Index = 0
		case d.off:
			s.Device, s.Index, s.Degraded = at.name, d.index, dataplane.ErrTakenOff
		default:
			s.Device, s.Index = at.name, d.index
		}
		out = append(out, s)
	}
	return out, nil
}

// Stats reports what was counted.
func (p *Plane) Stats(ctx context.Context) (*dataplane.Stats, error) {
	end, err := p.begin(ctx, "Stats")
	if err != nil {
		return nil, err
	}
	defer end()
	s := p.in.stats
	out := &dataplane.Stats{
		Rules: maps.Clone(s.Rules), Drops: map[vpc.InterfaceID]map[string]uint64{}, Flows: map[vpc.InterfaceID]uint64{},
	}
	for id, d := range s.Drops {
		out.Drops[id] = maps.Clone(d)
	}
	for k := range p.in.flows {
		out.Flows[k.on]++
	}
	return out, nil
}

// Close lets go of the plane.
func (p *Plane) Close() error { return nil }

// shrinkOwn forgets the flows of addresses that an interface has no longer.
func (e *enacted) shrinkOwn(want *ruleset.Ruleset) {
	maps.DeleteFunc(e.flows, func(k flowKey, _ *tracked) bool {
		i := want.Interface(k.on)
		return i != nil && i.Check && !owns(i, k.local)
	})
}

func (e *enacted) count(r ruleset.Verdict, first bool, bytes int, d flow.Direction, now time.Time) {
	if r.Rule == "" {
		return
	}
	s := e.stats.Rules[r.Rule]
	s.Packets++
	s.Bytes += uint64(bytes)
	if first {
		s.Connections++
	}
	s.LastHit, s.Direction = now, d
	e.stats.Rules[r.Rule] = s
}
