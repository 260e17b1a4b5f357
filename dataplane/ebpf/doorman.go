package ebpf

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"moat/dataplane"
)

// A doorman keeps devices closed before a filter can be put on them: programs
// at netfilter's hooks, which see each IP packet of the network namespace.
type doorman struct {
	maps  doormanMaps
	links []link.Link
}

// doormanHooks are where it stands. What comes in is seen before it is routed,
// what goes out at the last hook.
var doormanHooks = []struct {
	pin    string
	out    bool
	family link.NetfilterProtocolFamily
	hook   link.NetfilterInetHook
}{
	{"doorman-in4", false, link.NetfilterProtoIPv4, link.NetfilterInetPreRouting},
	{"doorman-in6", false, link.NetfilterProtoIPv6, link.NetfilterInetPreRouting},
	{"doorman-out4", true, link.NetfilterProtoIPv4, link.NetfilterInetPostRouting},
	{"doorman-out6", true, link.NetfilterProtoIPv6, link.NetfilterInetPostRouting},
}

// maxGuards is how many patterns a doorman knows.
const maxGuards = 32

// Guard keeps devices closed: see dataplane.Doorman.
func (p *Plane) Guard(ctx context.Context, want dataplane.Guards) (names, bridges error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed, errClosed
	}
	if want.Empty() {
		return p.dismiss(), nil
	}
	var c closing
	if p.gate != nil && want.Equal(p.guarded) && p.gate.stands() {
		if p.bridgesOpen == nil && !p.gate.closes.every {
			return nil, nil
		}
		c = p.gate.closes // other bridges may have come or gone
	} else if c, names = p.doormanFor(want.Names); names != nil && len(want.Names) > 0 {
		return names, errNamesFirst
	}
	c.bridges, c.every, c.own, c.holes = want.Bridges, false, want.Own, want.Pinholes
	if bridges = p.shut(c); bridges != nil {
		c.bridges = nil
		if err := p.shut(c); err != nil {
			if !c.routed {
				return fmt.Errorf("guard ports of bridges by name: %w", err), bridges
			}
			return fmt.Errorf("guard devices by name: %w: %w", dataplane.ErrNoDoorman, err), bridges
		}
	}
	p.guarded, p.bridgesOpen = want, bridges
	return names, bridges
}

// doormanFor posts the doorman, where the kernel has one, and returns what is left to
// the gate: ports of bridges, and everything where there is no doorman.
func (p *Plane) doormanFor(patterns []dataplane.Pattern) (closing, error) {
	if len(patterns) == 0 {
		return closing{}, p.dismissDoorman()
	}
	if !p.options.NoDoorman {
		err := p.guard(patterns)
		switch {
		case err == nil:
			// What nftables does not know is not guarded at ports of bridges.
			return closing{names: gateNames(patterns)}, nil
		case !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP):
			return closing{}, fmt.Errorf("guard devices by name: %w", err)
		}
	}
	return closing{names: patterns, routed: true}, nil
}

var errNamesFirst = errors.New("devices cannot be guarded by their names either")

// shut makes the gate close what c says. The caller holds mu.
func (p *Plane) shut(c closing) error {
	g := p.gate
	if g == nil {
		var err error
		if g, err = newGate(p.gateName()); err != nil {
			return err
		}
	}
	if err := g.shutAll(c, p.passable(g.inode)); err != nil {
		if p.gate == nil {
			g.netns.Close()
		}
		return err
	}
	p.gate = g
	return nil
}

// GuardFirst guards devices by nftables alone, which takes milliseconds, until a data
// plane of the identity guards them: for the start after a reboot, when nothing is
// bound yet. Patterns that nftables does not know are left out.
func GuardFirst(identity string, want dataplane.Guards) error {
	if want.Empty() {
		return nil
	}
	g, err := newGate(gateOf(identity))
	if err != nil {
		return err
	}
	defer g.netns.Close()
	names := closing{names: gateNames(want.Names), routed: true, own: gateNames(want.Own), holes: want.Pinholes}
	all := names
	all.bridges = want.Bridges
	if err := g.shutAll(all, nil); err != nil && len(all.bridges) > 0 {
		return errors.Join(err, g.shut(names, nil))
	} else {
		return err
	}
}

func (p *Plane) guard(patterns []dataplane.Pattern) error {
	if len(patterns) > maxGuards {
		return fmt.Errorf("there are %d patterns of names, and room for %d", len(patterns), maxGuards)
	}
	spec, err := loadDoorman()
	if err != nil {
		return fmt.Errorf("read the programs: %w", err)
	}
	ns, err := inode("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	if err := spec.Variables["netns"].Set(ns); err != nil {
		return err
	}
	for name, m := range spec.Maps {
		if !strings.HasPrefix(name, ".") {
			m.Pinning = ebpf.PinByName
		}
	}
	var o struct {
		doormanMaps
		In  *ebpf.Program `ebpf:"doorman_in"`
		Out *ebpf.Program `ebpf:"doorman_out"`
	}
	if err := spec.LoadAndAssign(&o, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.dir}}); err != nil {
		return fmt.Errorf("load the doorman: %w", err)
	}
	defer o.In.Close()
	defer o.Out.Close()
	d := &doorman{maps: o.doormanMaps}
	if err := d.learn(patterns); err != nil {
		d.close()
		return err
	}
	for _, h := range doormanHooks {
		prog := o.In
		if h.out {
			prog = o.Out
		}
		if err := d.stand(filepath.Join(p.dir, h.pin), link.NetfilterOptions{Program: prog, ProtocolFamily: h.family, Hook: h.hook}); err != nil {
			d.close()
			return err
		}
	}
	if p.doorman != nil {
		p.doorman.close()
	}
	p.doorman = d
	return nil
}

// learn puts patterns into force: beside those that are, and then with one
// write.
func (d *doorman) learn(patterns []dataplane.Pattern) error {
	var now doormanDoorman
	if err := d.maps.Doormen.Lookup(uint32(0), &now); err != nil {
		return err
	}
	now.Round++
	now.Patterns = uint32(len(patterns))
	for i, p := range patterns {
		var v doormanPattern
		var err error
		if v.Take, v.Stay, v.End, err = p.Compile(); err != nil {
			return err
		}
		if err := d.maps.Patterns.Put(now.Round&1*maxGuards+uint32(i), &v); err != nil {
			return err
		}
	}
	return d.maps.Doormen.Put(uint32(0), &now)
}

// stand attaches a program, and then takes away the one that stood there
// before. No two programs at a hook have the same priority.
func (d *doorman) stand(pin string, o link.NetfilterOptions) error {
	var l link.Link
	err := error(unix.EBUSY)
	for n := int32(1); n <= 64 && errors.Is(err, unix.EBUSY); n++ {
		o.Priority = math.MinInt32 + n
		l, err = link.AttachNetfilter(o)
	}
	if err != nil {
		return err
	}
	fresh := pin + "-new"
	os.Remove(fresh)
	if err := l.Pin(fresh); err != nil {
		l.Close()
		return err
	}
	if err := os.Rename(fresh, pin); err != nil {
		os.Remove(pin)
		if err := os.Rename(fresh, pin); err != nil {
			l.Close()
			return err
		}
	}
	d.links = append(d.links, l)
	return nil
}

func (d *doorman) close() {
	for _, l := range d.links {
		l.Close()
	}
	d.maps.Close()
}

// dismiss takes the doorman and the gate away.
func (p *Plane) dismiss() error {
	if p.gate != nil {
		p.gate.netns.Close()
		p.gate = nil
	}
	p.guarded, p.bridgesOpen = dataplane.Guards{}, nil
	return errors.Join(removeGate(p.gateName()), p.dismissDoorman())
}

func (p *Plane) dismissDoorman() error {
	var errs []error
	for _, h := range doormanHooks {
		for _, pin := range []string{h.pin, h.pin + "-new"} {
			errs = append(errs, ignore(os.Remove(filepath.Join(p.dir, pin)), os.ErrNotExist))
		}
	}
	if p.doorman != nil {
		p.doorman.close()
		p.doorman = nil
	}
	for _, name := range []string{"patterns", "knowns", "doormen", "turned_away"} {
		errs = append(errs, ignore(os.Remove(filepath.Join(p.dir, name)), os.ErrNotExist))
	}
	return errors.Join(errs...)
}

// turnedAway counts the packets that the doorman dropped.
func (p *Plane) turnedAway() (n uint64) {
	if p.gate != nil {
		n = p.gate.turnedAway()
	}
	if p.doorman == nil {
		return n
	}
	var each []uint64
	if p.doorman.maps.TurnedAway.Lookup(uint32(0), &each) != nil {
		return n
	}
	for _, v := range each {
		n += v
	}
	return n
}
