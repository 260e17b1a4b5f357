// Package ebpf is the data plane of a Linux kernel: two programs at each bound
// device, policies and tracked flows in maps, all pinned, so that enforcement
// outlives the process. It knows how a ruleset becomes words that the programs
// search; what the rules mean is package ruleset's to say.
//
// What is in force hangs on a root, which is never changed. An update makes a new
// one, with new blocks beside those in use, and switches with one store. What it
// replaced is freed after no packet can look at it any more; nobody waits for that.
package ebpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/ruleset"
	"moat/vpc"
)

// Options say whose data plane it is and how it is set up.
type Options struct {
	// Identity names the folder of pins: the data directory's uuid. Every
	// server touches only its own.
	Identity string
	// PinDir is where the folders of all identities are; empty for
	// /sys/fs/bpf/moat. It must be on a bpffs, which is mounted if missing.
	PinDir string
	// DataDir is the directory whose identity it is, for people who find the pins.
	DataDir string
	// ForceClsact attaches as older kernels must, also where TCX is known.
	ForceClsact bool
	// ForceBatches reads all flows to find some, as on kernels without
	// iterators or without BTF, also where both are there.
	ForceBatches bool
	// NoDoorman guards devices by nftables alone, as on kernels before 6.4.
	NoDoorman bool
	// Flows4 and Flows6 are the sizes of the tables of tracked flows when they
	// are first made; 0 for 262,144 each.
	Flows4, Flows6 int
	// FlowLimit and HalfLimit are how many tracked and half-open flows one
	// interface may have; 0 for 131,072 and 32,768.
	FlowLimit, HalfLimit int
	// Adopt is how long TCP connections that were open before an interface was
	// enforced are taken for tracked ones, by a packet that a rule allows, unless
	// the interface loses a rule first. Later only a SYN begins one.
	Adopt time.Duration
}

// A Plane is the kernel's data plane. It is safe for concurrent use.
type Plane struct {
	options Options
	dir     string   // of its pins
	lock    *os.File // of the identity's folder
	aside   []string // folders of pins that were set aside
	maps    bpfMaps
	clock   *ebpf.Program
	inject  *ebpf.Program
	spec    *ebpf.CollectionSpec
	mapped  [][]byte
	walk    *bpfWalk
	// searchers are the programs that find and end flows.
	searchers *searchers
	walking   sync.Mutex
	said      atomic.Uint32 // by clock
	control   *bpfControl
	share     *bpfShare
	reclaim   *bpfReclaim
	slots     []bpfRules

	mu       sync.Mutex
	programs map[uint32]*programs // by network namespace
	own      uint32               // the process's own
	arena    *arena
	names    *names
	counters counters
	numbers  map[vpc.InterfaceID]uint32 // places in the root
	taken    [maxInterfaces]bool        // which places those are
	// lastNumber is where the search for a free one goes on.
	lastNumber uint32
	vacant     []uint32 // free slots
	bound      map[vpc.InterfaceID]*bound
	have       state
	doorman    *doorman // nil if no device is guarded by its name
	gate       *gate    // nil if no device is guarded
	guarded    dataplane.Guards
	// bridgesOpen says why ports of the guarded bridges are not closed.
	bridgesOpen error
	unsettled   []later // in the order of turn
	turn        uint64
	settled     uint32 // no packet is of an epoch before
	wake        chan struct{}
	puts        int // of members, for tests
	closed      bool
	stop        chan struct{}
	work        sync.WaitGroup
	sweeping    sync.Mutex
	drains      map[uint32]uint32 // interfaces whose flows without a rule end at a time
}

var _ dataplane.Dataplane = (*Plane)(nil)

// A state is what is in force, and where.
type state struct {
	rules    *ruleset.Ruleset
	policies map[string]placedPolicy
	blocks   map[vpc.InterfaceID]extent
	sets     map[string]*placedSet // by their words
	members  map[memberKey]*member
	names    extent
	named    int // how many names are in names
	root     extent
}

// A later is to be done when no packet looks at what was in force at its turn.
type later struct {
	turn uint64
	f    func()
}

type placedPolicy struct {
	extent
	policy *ruleset.Policy
	counted
}

type placedSet struct {
	extent
	key  string
	uses int
}

// version is the layout of maps. Those of the version before are taken over: see
// upgrade.
const version = "v3"

// Open takes over what is pinned for the identity, or begins anew. Devices
// that are gone lose their binding.
func Open(o Options) (*Plane, error) {
	if o.Identity == "" || strings.ContainsAny(o.Identity, "/.") {
		return nil, fmt.Errorf("%q cannot be the identity of a data plane", o.Identity)
	}
	if o.PinDir == "" {
		o.PinDir = "/sys/fs/bpf/moat"
	}
	defaults(&o.Flows4, 262_144)
	defaults(&o.Flows6, 262_144)
	defaults(&o.FlowLimit, 131_072)
	defaults(&o.HalfLimit, 32_768)
	p := &Plane{options: o, dir: filepath.Join(o.PinDir, o.Identity, version), programs: map[uint32]*programs{}, stop: make(chan struct{}), wake: make(chan struct{}, 1)}
	if err := within("", func(ns uint32) error { p.own = ns; return nil }); err != nil {
		return nil, err
	}
	if err := p.open(); err != nil {
		p.Close()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("the kernel refuses BPF: run as root or grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: %w", err)
		}
		return nil, err
	}
	return p, nil
}

func defaults(v *int, d int) {
	if *v == 0 {
		*v = d
	}
}

func (p *Plane) open() error {
	rlimit.RemoveMemlock() // kernels before 5.11; newer ones do not mind
	if err := mountBPF(p.options.PinDir); err != nil {
		return err
	}
	if err := p.hold(); err != nil {
		return err
	}
	up, err := p.checkLayout()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of pins: %w", err)
	}
	if up != nil {
		defer up.close()
		if up.fresh {
			if err := up.share(); err != nil {
				return err
			}
		}
	}
	spec, err := loadBpf()
	if err != nil {
		return fmt.Errorf("read the programs: %w", err)
	}
	p.spec = spec
	spec.Maps["flows4"].MaxEntries, spec.Maps["flows6"].MaxEntries = uint32(p.options.Flows4), uint32(p.options.Flows6)
	if up != nil {
		up.sizes(spec)
	}
	for name, m := range spec.Maps {
		if name == "scratches" || name == "verdicts" || name == "nearby" || strings.HasPrefix(name, ".") {
			continue
		}
		m.Pinning = ebpf.PinByName
		// A table that exists keeps its size.
		if old, err := ebpf.LoadPinnedMap(filepath.Join(p.dir, name), nil); err == nil {
			m.MaxEntries = old.MaxEntries()
			old.Close()
		}
	}
	if err := ticks(spec); err != nil {
		return err
	}
	var objects struct {
		bpfMaps
		Clock  *ebpf.Program `ebpf:"clock"`
		Inject *ebpf.Program `ebpf:"inject"`
	}
	if err := spec.LoadAndAssign(&objects, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.dir}}); err != nil {
		return fmt.Errorf("load the data plane: %w", err)
	}
	p.maps, p.clock, p.inject = objects.bpfMaps, objects.Clock, objects.Inject
	p.searchers = p.loadSearchers(spec.Copy())
	if up != nil { // which moves the pins
		<-p.searchers.loaded
	}
	if p.control, err = mapped[bpfControl](p, p.maps.Controls); err != nil {
		return err
	}
	if p.share, err = mapped[bpfShare](p, p.maps.Shares); err != nil {
		return err
	}
	for i, m := range []*ebpf.Map{p.maps.Flows4, p.maps.Flows6} {
		p.share.Limit[i] = int64(m.MaxEntries()) - int64(m.MaxEntries())/4
	}
	if p.reclaim, err = mapped[bpfReclaim](p, p.maps.Reclaims); err != nil {
		return err
	}
	if p.walk, err = mapped[bpfWalk](p, p.maps.Walks); err != nil {
		return err
	}
	first, err := mapped[bpfRules](p, p.maps.Slots)
	if err != nil {
		return err
	}
	p.slots = unsafe.Slice(first, p.maps.Slots.MaxEntries())
	word, err := mapped[uint64](p, p.maps.Words)
	if err != nil {
		return err
	}
	if err := p.restore(unsafe.Slice(word, p.maps.Words.MaxEntries())); err != nil {
		return err
	}
	if up != nil {
		if err := up.begin(); err != nil {
			return err
		}
	}
	if err := p.restoreBindings(); err != nil {
		return err
	}
	if up != nil {
		if err := up.end(); err != nil {
			return err
		}
	}
	if err := p.nameHome(); err != nil {
		return err
	}
	p.work.Go(p.collect)
	p.work.Go(p.settling)
	// A process before this one may not have come to the end of a sweep.
	all := map[uint32]*kept{}
	for id, b := range p.bound {
		if p.have.blocks[id].n > 0 {
			all[b.number] = &kept{}
		}
	}
	p.drains = map[uint32]uint32{}
	for n := range all {
		if r := p.rulesOf(n); r.Flags&rulesDrain != 0 && r.DrainUntil > p.now() {
			p.drains[n] = r.DrainUntil
		}
	}
	if len(all) > 0 {
		p.work.Go(func() { p.sweep(all) })
	}
	return nil
}

// searchers are the programs that find and end flows. They are loaded while other
// things go on, as the verifier takes long.
type searchers struct {
	loaded  chan struct{} // closed when the rest may be read
	tend    *ebpf.Program
	walkers [2]*ebpf.Program // over IPv4 and IPv6 flows; nil where the kernel has no iterators
	err     error
}

func (p *Plane) loadSearchers(spec *ebpf.CollectionSpec) *searchers {
	s := &searchers{loaded: make(chan struct{})}
	o := &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: p.dir}}
	go func() {
		defer close(s.loaded)
		var tend struct {
			Tend *ebpf.Program `ebpf:"tend"`
		}
		if s.err = spec.LoadAndAssign(&tend, o); s.err != nil {
			return
		}
		s.tend = tend.Tend
		var walkers struct {
			Walk4 *ebpf.Program `ebpf:"walk4"`
			Walk6 *ebpf.Program `ebpf:"walk6"`
		}
		if !p.options.ForceBatches && spec.LoadAndAssign(&walkers, o) == nil {
			s.walkers = [2]*ebpf.Program{walkers.Walk4, walkers.Walk6}
		}
	}()
	return s
}

func (s *searchers) close() {
	<-s.loaded
	s.tend.Close()
	for _, w := range s.walkers {
		w.Close()
	}
}

// mapped gives the first value of an array as it is in the kernel.
func mapped[T any](p *Plane, m *ebpf.Map) (*T, error) {
	size := (int(m.MaxEntries())*int(m.ValueSize()) + os.Getpagesize() - 1) &^ (os.Getpagesize() - 1)
	b, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %v: %w", m, err)
	}
	p.mapped = append(p.mapped, b)
	return (*T)(unsafe.Pointer(&b[0])), nil
}

// mountBPF mounts a bpffs where dir is to be, unless there is one.
func mountBPF(dir string) error {
	const magic = 0xcafe4a11
	at := dir
	for {
		var s unix.Statfs_t
		err := unix.Statfs(at, &s)
		if err == nil && s.Type == magic {
			return nil
		}
		if err == nil || filepath.Dir(at) == at {
			break
		}
		at = filepath.Dir(at)
	}
	at = "/sys/fs/bpf"
	if !strings.HasPrefix(dir, at+"/") {
		at = dir
		if err := os.MkdirAll(at, 0o700); err != nil {
			return fmt.Errorf("make the folder of pins: %w", err)
		}
	}
	if err := unix.Mount("bpf", at, "bpf", 0, "mode=0700"); err != nil {
		return fmt.Errorf("mount a bpffs at %s: %w", at, err)
	}
	return nil
}

// Close lets go of the data plane. Enforcement goes on.
func (p *Plane) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.stop)
	p.settle()
	p.mu.Unlock()
	p.work.Wait()
	if p.lock != nil {
		p.lock.Close()
	}
	for _, b := range p.bound {
		b.close()
	}
	for _, g := range p.programs {
		g.close()
	}
	if p.doorman != nil {
		p.doorman.close()
	}
	if p.gate != nil {
		p.gate.netns.Close()
	}
	for _, b := range p.mapped {
		unix.Munmap(b)
	}
	if p.clock != nil {
		p.searchers.close()
		p.clock.Close()
		p.inject.Close()
		return p.maps.Close()
	}
	return nil
}

var errClosed = errors.New("the data plane is closed")

// epoch gives the number of what is in force.
func (p *Plane) epoch() uint32 { return uint32(atomic.LoadUint64(&p.control.Root) >> 32) }

// now gives the programs' clock. No other will do: the kernel's ticks are not
// corrected as its time is.
func (p *Plane) now() uint32 {
	now, err := p.clock.Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil {
		return p.said.Load() // the last that it said: it lets nothing expire
	}
	p.said.Store(now)
	return now
}

// ticks tells the programs how long a tick is. The kernel counts from five
// minutes before its counter has 32 bits; what it says of its coarse clock is the
// length of one.
func ticks(spec *ebpf.CollectionSpec) error {
	var length unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &length); err != nil {
		return fmt.Errorf("find out how long the kernel's tick is: %w", err)
	}
	second := (uint64(time.Second) + uint64(length.Nano())/2) / uint64(length.Nano())
	return errors.Join(spec.Variables["tick"].Set(uint32(1<<32/second)), spec.Variables["first_tick"].Set(1<<32-300*second))
}

// grace waits until every packet that was looked at when it was called is done
// with.
func grace() {
	const membarrierGlobal = 1 // which waits for an RCU grace period
	if _, _, err := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); err != 0 {
		time.Sleep(time.Second) // longer than any packet takes
	}
}

// later has something done when no packet looks at what was in force until now.
// The caller holds mu.
func (p *Plane) later(f func()) {
	p.turn++
	p.unsettled = append(p.unsettled, later{p.turn, f})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// settle does now what is to be done later. The caller holds mu.
func (p *Plane) settle() {
	for len(p.unsettled) > 0 {
		turn, epoch := p.turn, p.epoch()
		grace()
		p.done(turn, epoch)
	}
}

func (p *Plane) done(turn uint64, epoch uint32) {
	if int32(epoch-p.settled) > 0 {
		p.settled = epoch
	}
	for len(p.unsettled) > 0 && p.unsettled[0].turn <= turn {
		f := p.unsettled[0].f
		p.unsettled = p.unsettled[1:]
		f()
	}
}

// settling does what is to be done later, without keeping an update waiting.
func (p *Plane) settling() {
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		turn, epoch := p.turn, p.epoch()
		p.mu.Unlock()
		grace()
		p.mu.Lock()
		if !p.closed {
			p.done(turn, epoch)
		}
		p.mu.Unlock()
	}
}

// Actual reports the ruleset in force, read back from the kernel.
func (p *Plane) Actual(ctx context.Context) (*ruleset.Ruleset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	s, err := p.read()
	if err != nil {
		return nil, err
	}
	return s.rules, nil
}
