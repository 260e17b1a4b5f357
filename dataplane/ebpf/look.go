package ebpf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"moat/dataplane"
)

// A sight is what a look at a bound device found.
type sight struct {
	dev   netlink.Link // nil if it is not there
	there [2]bool      // the programs that are on it, by direction
	// degraded says why packets may pass without being judged.
	degraded error
}

func (is *sight) whole() bool { return is.there[dirIn] && is.there[dirOut] }

// Look finds the devices of what is bound: see dataplane.Dataplane. A quick look
// enters no network namespace.
func (p *Plane) Look(ctx context.Context, quick bool) ([]dataplane.Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	var out []dataplane.Standing
	for _, id := range slices.Sorted(maps.Keys(p.bound)) {
		b := p.bound[id]
		if quick && b.ready && b.Clsact == 0 && b.attached() {
			out = append(out, dataplane.Standing{Binding: b.Binding, Degraded: b.trouble})
			continue
		}
		is, err := p.look(b)
		s := dataplane.Standing{Binding: b.Binding, Degraded: errors.Join(is.degraded, err, b.trouble)}
		if b.absent {
			s.Index, s.Degraded = 0, nil
		}
		out = append(out, s)
	}
	return out, nil
}

// at returns the index of the device that the kernel has a link on; 0 if it has
// been detached.
func at(l link.Link) uint32 {
	if l == nil {
		return 0
	}
	info, err := l.Info()
	if err != nil || info.TCX() == nil {
		return 0
	}
	return info.TCX().Ifindex
}

// attached reports whether both links are on the device.
func (b *bound) attached() bool {
	return at(b.links[dirIn]) == b.bpfBinding.Index && at(b.links[dirOut]) == b.bpfBinding.Index
}

// detached reports whether neither link is on any device.
func (b *bound) detached() bool { return at(b.links[dirIn]) == 0 && at(b.links[dirOut]) == 0 }

// look finds a bound device in its network namespace, and keeps up with what it
// is called and with its index. One that is not there, or no more, has no place
// in the programs' tables: its filter drops everything, wherever it is, and no
// other device gets its rules with its index. The caller holds mu.
func (p *Plane) look(b *bound) (is sight, err error) {
	err = within(b.Binding.Netns, func(ns uint32) error {
		if ns != b.bpfBinding.Netns {
			return dataplane.ErrNoDevice // another namespace has its path
		}
		if is, err = b.see(); err != nil || is.dev == nil {
			return err
		}
		return p.follow(b, is.dev.Attrs(), is.whole())
	})
	if errors.Is(err, dataplane.ErrNoDevice) {
		is, err = sight{}, nil
	}
	b.absent = err == nil && is.dev == nil
	if b.absent && b.ready {
		b.ready = false
		err = errors.Join(p.letBound(), p.putDevice(b.key(), nil))
	}
	if err != nil {
		err = fmt.Errorf("look at device %s: %w", b.Binding.Device, err)
	}
	return is, err
}

// see looks at the device. The links of the programs say which one it is, as long
// as one of them is on it; without any it must have its old index and name.
func (b *bound) see() (is sight, err error) {
	index := b.bpfBinding.Index
	for _, l := range b.links {
		if i := at(l); i != 0 {
			index = i
		}
	}
	dev, err := netlink.LinkByIndex(int(index))
	if gone := (netlink.LinkNotFoundError{}); errors.As(err, &gone) {
		return is, nil
	}
	if err != nil {
		return is, err
	}
	var before error
	for dir, hook := range b.hooks() {
		find := b.hasLink
		if b.Clsact != 0 {
			find = b.hasFilter
		}
		var ahead uint32
		if is.there[dir], ahead, err = find(dev, dir, hook); err != nil {
			return is, err
		}
		if ahead != 0 {
			before = fmt.Errorf("BPF program %d sees packets before Moat's and may let them pass", ahead)
		}
	}
	switch {
	case is.whole():
		is.degraded = before
		if x := dev.Attrs().Xdp; x != nil && x.Attached {
			is.degraded = fmt.Errorf("XDP program %d sees packets before Moat's and may let them pass", x.ProgId)
		}
	case is.there[dirIn] || is.there[dirOut]:
		is.degraded = fmt.Errorf("%w in one direction", dataplane.ErrTakenOff)
	case b.Clsact == 0 && !b.detached():
		return sight{}, nil // they are on a device of another namespace
	case dev.Attrs().Name != b.Binding.Device:
		return sight{}, nil // nothing says that this is the device
	default:
		is.degraded = dataplane.ErrTakenOff
	}
	is.dev = dev
	return is, nil
}

// hasLink reports whether the program of a direction is at a device by its link,
// and which program is before it.
func (b *bound) hasLink(dev netlink.Link, dir int, hook ebpf.AttachType) (there bool, ahead uint32, err error) {
	if b.links[dir] == nil {
		return false, 0, nil
	}
	info, err := b.links[dir].Info()
	if err != nil {
		return false, 0, err
	}
	q, err := link.QueryPrograms(link.QueryOptions{Target: dev.Attrs().Index, Attach: hook})
	if err != nil {
		return false, 0, ignore(err, unix.ENODEV)
	}
	for i, a := range q.Programs {
		if id, ok := a.LinkID(); ok && id == info.ID {
			if i > 0 {
				ahead = uint32(q.Programs[0].ID)
			}
			return true, ahead, nil
		}
	}
	return false, 0, nil
}

// hasFilter reports whether a device has the filter of a hook, and which program
// is before it.
func (b *bound) hasFilter(dev netlink.Link, _ int, hook ebpf.AttachType) (there bool, ahead uint32, err error) {
	want := b.bpfFilter(-1, hook)
	all, err := netlink.FilterList(dev, want.Parent)
	if err != nil {
		return false, 0, ignore(err, unix.ENOENT, unix.EINVAL, unix.ENODEV)
	}
	for i, f := range all { // in their order
		if x, ok := f.(*netlink.BpfFilter); ok && x.Handle == want.Handle && x.Priority == want.Priority {
			if first, ok := all[0].(*netlink.BpfFilter); i > 0 && ok {
				ahead = uint32(first.Id)
			}
			return true, ahead, nil
		}
	}
	return false, 0, nil
}

// follow records the name and the index that a device has now, and whether its
// filter is whole: otherwise guards close it.
func (p *Plane) follow(b *bound, dev *netlink.LinkAttrs, whole bool) error {
	if b.ready == whole && b.Binding.Device == dev.Name && b.Binding.Index == dev.Index {
		return nil
	}
	if int(b.bpfBinding.Index) != dev.Index {
		if err := p.putDevice(b.key(), nil); err != nil {
			return err
		}
	}
	b.Binding.Device, b.Binding.Index, b.bpfBinding.Index = dev.Name, dev.Index, uint32(dev.Index)
	clear(b.bpfBinding.Device[:])
	copy(b.bpfBinding.Device[:], dev.Name)
	b.ready = whole
	return errors.Join(p.record(b), p.letBound())
}
