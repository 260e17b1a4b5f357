package ebpf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/vpc"
)

const (
	deviceObserve  = 1
	deviceWorkload = 2
	deviceL3       = 4
	deviceTrial    = 8
)

// programs are the two of one network namespace, with the table in which they
// find its devices first.
type programs struct {
	from, to *ebpf.Program
	nearby   *ebpf.Map
}

func (g *programs) close() {
	g.from.Close()
	g.to.Close()
	g.nearby.Close()
}

// put writes what the programs find of a device; nil takes it out. Where
// another device has the place, they ask the map devices.
func (g *programs) put(k bpfDeviceKey, d *bpfDevice) error {
	place := k.Index & (g.nearby.MaxEntries() - 1)
	var is, word uint64
	if err := g.nearby.Lookup(place, &is); err != nil {
		return err
	}
	if is != 0 && uint32(is>>32) != k.Index {
		return nil
	}
	if d != nil {
		word = uint64(k.Index)<<32 | uint64(d.Eni)<<16 | uint64(d.Flags)
		if d.Until != 0 {
			word |= deviceTrial
		}
	}
	return g.nearby.Put(place, word)
}

// A bound is a binding with what holds it.
type bound struct {
	dataplane.Binding
	bpfBinding
	number uint32
	until  uint32       // seconds of now from which on it observes; 0 for none
	ready  bool         // both programs are on the device
	absent bool         // a look did not find the device
	links  [2]link.Link // by direction; nil of clsact
	// trouble is why a process that took it over could not put its programs there.
	trouble error
}

func (b *bound) close() {
	for _, l := range b.links {
		if l != nil {
			l.Close()
		}
	}
}

func (b *bound) key() bpfDeviceKey {
	return bpfDeviceKey{Netns: b.bpfBinding.Netns, Index: b.bpfBinding.Index}
}

// Bind puts an interface's filter on a device. One that no applied ruleset has
// passes nothing from then on. Binding what is bound to the same device
// changes nothing, but whether it observes.
func (p *Plane) Bind(ctx context.Context, b dataplane.Binding) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	if err := p.bind(b); err != nil {
		err = fmt.Errorf("bind %s to %s: %w", b.Interface, b.Device, err)
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w (run as root or grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)", err)
		}
		return err
	}
	return nil
}

func (p *Plane) bind(b dataplane.Binding) error {
	if len(b.Interface) >= 32 || len(b.Device) >= 16 || len(b.Netns) >= 200 || b.Interface == "" {
		return errors.New("a name is too long, or missing")
	}
	old := p.bound[b.Interface]
	var is sight
	if old != nil {
		var err error
		if is, err = p.look(old); err != nil {
			return err
		}
	}
	return within(b.Netns, func(ns uint32) error {
		dev, err := device(&b)
		if err != nil {
			return err
		}
		if dev.Attrs().Flags&net.FlagLoopback != 0 { // whatever its name
			return dataplane.ErrLoopback
		}
		now := &bound{Binding: b, bpfBinding: bpfBinding{Netns: ns, Index: uint32(b.Index)}}
		copy(now.bpfBinding.Interface[:], b.Interface)
		copy(now.bpfBinding.Device[:], b.Device)
		copy(now.bpfBinding.NetnsPath[:], b.Netns)
		if b.Observe {
			now.Flags |= deviceObserve
		}
		now.until = p.trial(b.Until)
		if b.Side == dataplane.Workload {
			now.Flags |= deviceWorkload
		}
		if t := dev.Attrs().EncapType; t != "ether" && t != "loopback" {
			now.Flags |= deviceL3
		}
		if old != nil {
			switch {
			case is.dev == nil && !old.detached():
				return fmt.Errorf("%w in this network namespace: it was moved to another one, where it passes nothing, and a new device has its name: to use this one, detach the interface first", dataplane.ErrNoDevice)
			case is.dev == nil:
				if err := p.unbind(old); err != nil {
					return err
				}
			case old.key() == now.key() && (old.Flags^now.Flags)&^deviceObserve == 0:
				now.number, now.links, now.Clsact, now.ready = old.number, old.links, old.Clsact, old.ready
				if b.Side == dataplane.Workload && ns == p.own {
					// The machine's own device: who may change it is trusted anyway.
					if err := p.identify(now.number, dev, b.Side); err != nil {
						return err
					}
				}
				if err := p.record(now); err != nil {
					return err
				}
				p.bound[b.Interface] = now
				if !is.whole() || old.trouble != nil {
					if now.trouble = p.replace(now, is); now.trouble != nil {
						return now.trouble
					}
				}
				if old.Flags&^now.Flags&deviceObserve != 0 {
					p.adopt(now.number)
					// Its flows were not cut when they lost their rules.
					p.work.Go(func() { p.sweep(map[uint32]*kept{now.number: {}}) })
				}
				return nil
			default:
				return fmt.Errorf("the interface is bound to device %s: detach it first", old.Binding.Device)
			}
		}
		for _, other := range p.bound {
			if other.key() != now.key() {
				continue
			}
			if is, err := p.look(other); err != nil {
				return err
			} else if is.dev != nil {
				return fmt.Errorf("interface %s is bound to the device: detach it first", other.Binding.Interface)
			}
			if err := p.unbind(other); err != nil {
				return err
			}
		}
		if err := p.otherMoat(now.key()); err != nil {
			return err
		}
		u := &update{}
		if now.number, err = p.number(u, b.Interface); err != nil {
			return err
		}
		zero := make([]bpfEniCount, ebpf.MustPossibleCPU())
		if err := p.maps.EniCounts.Put(now.number, zero); err != nil {
			return err
		}
		if err := p.identify(now.number, dev, b.Side); err != nil {
			return err
		}
		// First what the filter needs, then the filter.
		if err := p.record(now); err != nil {
			return err
		}
		p.bound[b.Interface] = now
		if err := p.attach(now); err != nil {
			return errors.Join(err, p.unbind(now))
		}
		p.adopt(now.number)
		return nil
	})
}

// adopt has the connections that are open at an interface tracked, which it has
// rules for already. The caller holds mu.
func (p *Plane) adopt(n uint32) {
	if slot := slotIn(p.arena.words[p.have.root.at:], n); slot != 0 && p.options.Adopt > 0 {
		atomic.StoreUint32(&p.slots[slot].AdoptUntil, p.adoptUntil())
	}
}

// adoptUntil gives the end of the time in which connections are adopted, if it
// begins now.
func (p *Plane) adoptUntil() uint32 {
	if p.options.Adopt <= 0 {
		return 0
	}
	return p.now() + 1 + uint32(min(p.options.Adopt/time.Second, 1<<30))
}

// device finds a binding's device by its index, or by its name without one, and
// completes the binding.
func device(b *dataplane.Binding) (netlink.Link, error) {
	var l netlink.Link
	var err error
	if b.Index == 0 {
		l, err = netlink.LinkByName(b.Device)
	} else {
		l, err = netlink.LinkByIndex(b.Index)
	}
	if gone := (netlink.LinkNotFoundError{}); errors.As(err, &gone) {
		return nil, fmt.Errorf("%w: %w", dataplane.ErrNoDevice, err)
	}
	if err != nil {
		return nil, err
	}
	b.Device, b.Index = l.Attrs().Name, l.Attrs().Index
	return l, nil
}

// within runs f in a network namespace, with its inode.
func within(path string, f func(ns uint32) error) error {
	const self = "/proc/thread-self/ns/net"
	if path == "" {
		ns, err := inode(self)
		if err != nil {
			return err
		}
		return f(ns)
	}
	done := make(chan error)
	go func() {
		// The thread ends with the goroutine: it is never unlocked.
		runtime.LockOSThread()
		done <- func() error {
			h, err := os.Open(path)
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("network namespace: %w: %w", dataplane.ErrNoDevice, err)
			}
			if err != nil {
				return fmt.Errorf("open network namespace: %w", err)
			}
			defer h.Close()
			if err := unix.Setns(int(h.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace %s: %w", path, err)
			}
			ns, err := inode(self)
			if err != nil {
				return err
			}
			return f(ns)
		}()
	}()
	return <-done
}

func inode(path string) (uint32, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return 0, fmt.Errorf("look at %s: %w", path, err)
	}
	return uint32(s.Ino), nil
}

// trial gives the time of the programs' clock after which a device that is
// enforced on trial observes; 0 for one that is not.
func (p *Plane) trial(until time.Time) uint32 {
	if until.IsZero() {
		return 0
	}
	left := time.Until(until)
	if left <= 0 {
		return max(1, p.now())
	}
	// Never early: both clocks are cut to seconds.
	return p.now() + 2 + uint32(min(left/time.Second, 1<<30))
}

// record writes what the programs and the next process need to know.
func (p *Plane) record(b *bound) error {
	if err := p.maps.Bindings.Put(b.number, b.bpfBinding); err != nil {
		return err
	}
	d := bpfDevice{Eni: b.number, Flags: b.Flags, Until: b.until}
	if b.ready {
		d.Attached = 1
	}
	return p.putDevice(b.key(), &d)
}

// putDevice tells the programs of a device; nil takes it out.
func (p *Plane) putDevice(k bpfDeviceKey, d *bpfDevice) error {
	g := p.programs[k.Netns]
	if d == nil {
		var err error
		if g != nil {
			err = g.put(k, nil)
		}
		return errors.Join(err, ignore(p.maps.Devices.Delete(k), ebpf.ErrKeyNotExist))
	}
	if err := p.maps.Devices.Put(k, d); err != nil || g == nil {
		return err
	}
	return g.put(k, d)
}

// otherMoat fails if another identity has the device.
func (p *Plane) otherMoat(k bpfDeviceKey) error {
	others, err := os.ReadDir(p.options.PinDir)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Name() == p.options.Identity {
			continue
		}
		// Of whatever layout: what this map has is the same in all.
		folders, err := filepath.Glob(filepath.Join(p.options.PinDir, o.Name(), "*", "devices"))
		if err != nil {
			return err
		}
		for _, f := range folders {
			m, err := ebpf.LoadPinnedMap(f, &ebpf.LoadPinOptions{ReadOnly: true})
			if err != nil {
				continue
			}
			var d bpfDevice
			err = m.Lookup(k, &d)
			m.Close()
			if err == nil {
				return fmt.Errorf("the device is bound by another Moat, of identity %s", o.Name())
			}
		}
	}
	return nil
}

// programsOf gives the programs for devices of a network namespace.
func (p *Plane) programsOf(ns uint32) (*programs, error) {
	if g := p.programs[ns]; g != nil {
		return g, nil
	}
	spec := p.spec.Copy()
	if err := spec.Variables["netns"].Set(ns); err != nil {
		return nil, err
	}
	if err := ticks(spec); err != nil {
		return nil, err
	}
	// The process's own namespace has many devices, others are of a workload.
	if p.own == ns {
		spec.Maps["nearby"].MaxEntries = 4096
	}
	if err := spec.Variables["near"].Set(spec.Maps["nearby"].MaxEntries - 1); err != nil {
		return nil, err
	}
	made, err := p.loadBoth(spec)
	if err != nil {
		return nil, fmt.Errorf("load the programs: %w", err)
	}
	if <-p.searchers.loaded; p.searchers.err != nil {
		made.close()
		return nil, fmt.Errorf("load the programs: %w", p.searchers.err)
	}
	for _, b := range p.bound {
		if b.bpfBinding.Netns == ns {
			if err := made.put(b.key(), &bpfDevice{Eni: b.number, Flags: b.Flags, Until: b.until}); err != nil {
				made.close()
				return nil, fmt.Errorf("load the programs: %w", err)
			}
		}
	}
	p.programs[ns] = made
	return made, nil
}

// loadBoth loads the programs of both directions at once: the verifier takes long. They
// share their maps.
func (p *Plane) loadBoth(spec *ebpf.CollectionSpec) (*programs, error) {
	shared := map[string]*ebpf.Map{"verdicts": p.maps.Verdicts} // one for all copies
	for _, name := range []string{"nearby", "scratches"} {
		m, err := ebpf.NewMap(spec.Maps[name])
		if err != nil {
			return nil, err
		}
		shared[name] = m
	}
	defer shared["scratches"].Close()
	made := &programs{nearby: shared["nearby"]}
	o := func() *ebpf.CollectionOptions {
		return &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.dir}, MapReplacements: maps.Clone(shared)}
	}
	other := make(chan error)
	go func() {
		var g struct {
			From *ebpf.Program `ebpf:"from_workload"`
		}
		err := spec.Copy().LoadAndAssign(&g, o())
		made.from = g.From
		other <- err
	}()
	var g struct {
		To *ebpf.Program `ebpf:"to_workload"`
	}
	err := spec.Copy().LoadAndAssign(&g, o())
	made.to = g.To
	if err = errors.Join(err, <-other); err != nil {
		made.close()
		return nil, err
	}
	return made, nil
}

// hooks gives the attach points of the two directions, in and out of the
// workload, of a side.
func (b *bound) hooks() [2]ebpf.AttachType {
	h := [2]ebpf.AttachType{dirIn: ebpf.AttachTCXEgress, dirOut: ebpf.AttachTCXIngress}
	if b.Flags&deviceWorkload != 0 {
		h[0], h[1] = h[1], h[0]
	}
	return h
}

func (p *Plane) pin(b *bound, dir int) string {
	return filepath.Join(p.dir, fmt.Sprintf("link-%d-%d", b.number, dir))
}

// attach puts the programs on the device, in its network namespace.
func (p *Plane) attach(b *bound) error {
	g, err := p.programsOf(b.bpfBinding.Netns)
	if err != nil {
		return err
	}
	for dir, hook := range b.hooks() {
		prog := [2]*ebpf.Program{dirIn: g.to, dirOut: g.from}[dir]
		if err := p.hook(b, dir, prog, hook); err != nil {
			return fmt.Errorf("attach the filter: %w", err)
		}
	}
	b.ready = true
	if err := p.record(b); err != nil {
		return err
	}
	p.bound[b.Binding.Interface] = b
	return p.letBound()
}

// hook attaches a program in the way that the kernel has.
func (p *Plane) hook(b *bound, dir int, prog *ebpf.Program, hook ebpf.AttachType) error {
	if !p.options.ForceClsact && b.Clsact == 0 {
		if err := p.tcx(b, dir, prog, hook); !errors.Is(err, ebpf.ErrNotSupported) {
			return err
		}
	}
	return b.filter(prog, hook)
}

func (p *Plane) tcx(b *bound, dir int, prog *ebpf.Program, hook ebpf.AttachType) error {
	l, err := link.AttachTCX(link.TCXOptions{Interface: int(b.bpfBinding.Index), Program: prog, Attach: hook, Anchor: link.Head()})
	if err != nil {
		return err
	}
	if old := b.links[dir]; old != nil {
		old.Close() // it was detached
		b.links[dir] = nil
	}
	os.Remove(p.pin(b, dir)) // of that one, or of a device that is gone
	if err := l.Pin(p.pin(b, dir)); err != nil {
		l.Close()
		return err
	}
	b.links[dir] = l
	return nil
}

// The filters of a device that has no TCX: one place of the clsact qdisc.
const (
	filterHandle   = 0x6d6f
	filterPriority = 1
)

// filter attaches a program, or replaces the one that is there.
func (b *bound) filter(prog *ebpf.Program, hook ebpf.AttachType) error {
	index := int(b.bpfBinding.Index)
	qdisc := &netlink.GenericQdisc{QdiscType: "clsact", QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
	if err := netlink.QdiscAdd(qdisc); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add clsact: %w", err)
	}
	b.Clsact = 1
	return netlink.FilterReplace(b.bpfFilter(prog.FD(), hook))
}

func (b *bound) bpfFilter(fd int, hook ebpf.AttachType) *netlink.BpfFilter {
	parent := uint32(netlink.HANDLE_MIN_INGRESS)
	if hook == ebpf.AttachTCXEgress {
		parent = netlink.HANDLE_MIN_EGRESS
	}
	return &netlink.BpfFilter{FilterAttrs: netlink.FilterAttrs{LinkIndex: int(b.bpfBinding.Index), Parent: parent, Handle: filterHandle,
		Priority: filterPriority, Protocol: unix.ETH_P_ALL}, Fd: fd, Name: "moat", DirectAction: true}
}

// Unbind takes the filter off: the device passes everything again.
func (p *Plane) Unbind(ctx context.Context, id vpc.InterfaceID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	b := p.bound[id]
	if b == nil {
		return nil
	}
	if err := p.unbind(b); err != nil {
		return fmt.Errorf("unbind %s from %s: %w", id, b.Binding.Device, err)
	}
	return nil
}

func (p *Plane) unbind(b *bound) error {
	// First its filter knows no device and drops, and the doorman, if its name
	// is guarded, is there again: then the filter goes.
	b.ready = false
	errs := []error{p.letBound(), p.putDevice(b.key(), nil)}
	for dir, hook := range b.hooks() {
		if l := b.links[dir]; l != nil {
			errs = append(errs, l.Unpin(), l.Close())
			b.links[dir] = nil
		} else if b.Clsact != 0 {
			within(b.Binding.Netns, func(ns uint32) error {
				if ns == b.bpfBinding.Netns {
					errs = append(errs, ignore(netlink.FilterDel(b.bpfFilter(-1, hook)), unix.ENOENT, unix.EINVAL, unix.ENODEV))
				}
				return nil
			})
		}
		os.Remove(p.pin(b, dir))
	}
	errs = append(errs, ignore(p.maps.Bindings.Delete(b.number), ebpf.ErrKeyNotExist), p.maps.Links.Put(b.number, bpfLink{}))
	delete(p.bound, b.Binding.Interface)
	errs = append(errs, p.dropFlows(b.number))
	if p.have.rules.Interface(b.Binding.Interface) == nil {
		p.forgetNumber(b.Binding.Interface)
	}
	return errors.Join(errs...)
}

func ignore(err error, those ...error) error {
	for _, e := range those {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// Bindings reports what is bound, also by a process before this one.
func (p *Plane) Bindings(ctx context.Context) ([]dataplane.Binding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	var out []dataplane.Binding
	for _, id := range slices.Sorted(maps.Keys(p.bound)) {
		b := p.bound[id].Binding
		if p.bound[id].absent {
			b.Index = 0
		}
		out = append(out, b)
	}
	return out, nil
}

// restoreBindings takes over what is bound: the programs of this version
// replace those before through their links, without a packet between. Of
// devices that are gone, what is pinned is removed.
func (p *Plane) restoreBindings() error {
	p.bound = map[vpc.InterfaceID]*bound{}
	numbers, records, err := all[uint32, bpfBinding](p.maps.Bindings)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		r := records[i]
		b := &bound{bpfBinding: r, number: n, Binding: dataplane.Binding{Interface: vpc.InterfaceID(text(r.Interface[:])),
			Device: text(r.Device[:]), Index: int(r.Index), Netns: text(r.NetnsPath[:]), Observe: r.Flags&deviceObserve != 0}}
		if r.Flags&deviceWorkload != 0 {
			b.Side = dataplane.Workload
		}
		var d bpfDevice
		if p.maps.Devices.Lookup(b.key(), &d) == nil && d.Until != 0 {
			b.until = d.Until
			b.Binding.Until = time.Now().Add(time.Duration(int32(d.Until-p.now())) * time.Second)
		}
		p.bound[b.Binding.Interface] = b
		p.numbers[b.Binding.Interface], p.taken[n] = n, true
		for dir := range b.links {
			if r.Clsact != 0 {
				continue
			}
			if l, err := link.LoadPinnedLink(p.pin(b, dir), nil); err == nil {
				b.links[dir] = l
			}
		}
		is, err := p.look(b)
		if err == nil && is.dev == nil && b.detached() {
			if err := p.unbind(b); err != nil {
				return fmt.Errorf("remove what is left of %s: %w", b.Binding.Device, err)
			}
			continue
		}
		if err == nil {
			err = p.replace(b, is)
		}
		// One device that cannot be taken over leaves the others enforced. Look
		// reports it, and Bind tries again.
		b.trouble = err
	}
	return p.removeStalePins()
}

func text(b []byte) string { s, _, _ := strings.Cut(string(b), "\x00"); return s }

// replace puts this version's programs where another's are. A link that was
// detached is replaced by a new one.
func (p *Plane) replace(b *bound, is sight) error {
	g, err := p.programsOf(b.bpfBinding.Netns)
	if err != nil {
		return err
	}
	progs := [2]*ebpf.Program{dirIn: g.to, dirOut: g.from}
	if is.dev == nil { // elsewhere: it passes nothing there
		var errs []error
		for dir, l := range b.links {
			if l != nil {
				errs = append(errs, ignore(l.Update(progs[dir]), unix.ENOLINK))
			}
		}
		return errors.Join(errs...)
	}
	var who bpfLink
	if err := p.maps.Links.Lookup(b.number, &who); err != nil {
		return err
	}
	return within(b.Binding.Netns, func(uint32) error {
		if who.Flags == 0 { // a version before this one did not look
			if err := p.identify(b.number, is.dev, b.Side); err != nil {
				return err
			}
		}
		for dir, hook := range b.hooks() {
			if b.links[dir] != nil && is.there[dir] {
				err = b.links[dir].Update(progs[dir])
			} else { // filters, or somebody detached it, or a process before this one got no further
				err = p.hook(b, dir, progs[dir], hook)
			}
			if err != nil {
				return err
			}
		}
		b.ready = true
		return errors.Join(p.record(b), p.letBound())
	})
}

// removeStalePins removes links that no binding has.
func (p *Plane) removeStalePins() error {
	pins, err := filepath.Glob(filepath.Join(p.dir, "link-*"))
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, b := range p.bound {
		ours[p.pin(b, dirIn)], ours[p.pin(b, dirOut)] = true, true
	}
	for _, pin := range pins {
		if !ours[pin] {
			if err := os.Remove(pin); err != nil {
				return err
			}
		}
	}
	return nil
}
