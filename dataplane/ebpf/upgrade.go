package ebpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
)

// An upgrade takes over what layout 2 has in force. No device is open at any moment,
// and no tracked flow is lost. The steps are:
//
//   - Build a folder of this layout beside that of layout 2, whose programs go on
//     filtering. Apply the rules there, and carry the flows until few change.
//   - Rename it to the folder of this layout. From then on it is complete, and any
//     later start can do the rest.
//   - Replace the programs of each device through their links.
//   - Carry the flows that the old programs changed last, and remove the folder of
//     layout 2.
//
// The process may be killed at any point. The next start removes a folder that is not
// complete and builds it again.
type upgrade struct {
	p     *Plane
	from  string // the folder of layout 2
	fresh bool   // there is no complete folder of this layout yet
	old   *v2Maps
	state *v2State // if fresh

	maps  upgradeMaps
	carry *ebpf.Program
	drop  *ebpf.Program
	run   *upgradeUpgrade
	since uint32 // a second before the last run of carry began

	stop   chan struct{} // ends the goroutine that carries changes while programs are replaced
	follow chan error    // its error
}

const (
	// versionBefore is the layout that this one takes over.
	versionBefore = "v2"
	// A server of layout 2 ignores folders whose names begin so. If it is started before
	// the folder of this layout is complete, it goes on with its own.
	unfinished = asidePrefix + version
	takenOver  = asidePrefix + versionBefore
)

// doormanPins are the maps that only the doorman has. It is taken over unchanged.
var doormanPins = []string{"patterns", "knowns", "doormen", "turned_away"}

// newUpgrade reads what is to be taken over.
func (p *Plane) newUpgrade(from string, fresh bool) (*upgrade, error) {
	u := &upgrade{p: p, from: from, fresh: fresh}
	var err error
	if u.old, err = openV2(from); err != nil {
		return nil, u.failed(err)
	}
	if fresh {
		if u.state, err = u.old.read(); err != nil {
			u.close()
			return nil, u.failed(err)
		}
	}
	return u, nil
}

func (u *upgrade) failed(err error) error {
	return fmt.Errorf("cannot take over the rules of layout %s, which stay in force: %w; to replace them, run `moat detach --force`, which forgets tracked flows", versionBefore, err)
}

func (u *upgrade) close() {
	u.endFollow() // an error of it was returned before, or another was
	u.old.close()
	if u.carry != nil {
		u.carry.Close()
		u.drop.Close()
		u.maps.Close()
	}
}

// share makes the folder of this layout, with the maps that both layouts share.
func (u *upgrade) share() error {
	if err := os.MkdirAll(u.p.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of pins: %w", err)
	}
	for _, name := range v2Shared {
		m, err := ebpf.LoadPinnedMap(filepath.Join(u.from, name), nil)
		if err != nil {
			return u.failed(fmt.Errorf("open map %s: %w", name, err))
		}
		same, err := m.Clone() // which is pinned nowhere
		m.Close()
		if err == nil {
			err = same.Pin(filepath.Join(u.p.dir, name))
			same.Close()
		}
		if err != nil {
			return fmt.Errorf("pin map %s: %w", name, err)
		}
	}
	return nil
}

// sizes keeps the sizes of the tables of flows.
func (u *upgrade) sizes(spec *ebpf.CollectionSpec) {
	spec.Maps["flows4"].MaxEntries, spec.Maps["flows6"].MaxEntries = u.old.flows4.MaxEntries(), u.old.flows6.MaxEntries()
}

// begin does everything up to the replacing of programs.
func (u *upgrade) begin() error {
	p := u.p
	if u.fresh {
		if err := u.applyRules(); err != nil {
			return u.failed(err)
		}
	}
	if err := u.load(); err != nil {
		return u.failed(err)
	}
	// Loading programs takes tenths of a second, so it comes before the last look at
	// the flows.
	_, records, err := all[uint32, bpfBinding](p.maps.Bindings)
	if err != nil {
		return err
	}
	for _, r := range records {
		if _, err := p.programsOf(r.Netns); err != nil {
			return u.failed(err)
		}
	}
	if err := u.carryAll(); err != nil {
		return u.failed(err)
	}
	if u.fresh {
		dir := filepath.Join(filepath.Dir(p.dir), version)
		if err := os.Rename(p.dir, dir); err != nil {
			return fmt.Errorf("finish the folder of pins: %w", err)
		}
		p.dir, u.fresh = dir, false
	}
	// The links, whose programs are still the old ones, and the doorman.
	entries, err := os.ReadDir(u.from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, "link-") && !strings.HasPrefix(name, "doorman-") && !slices.Contains(doormanPins, name) {
			continue
		}
		if err := os.Rename(filepath.Join(u.from, name), filepath.Join(p.dir, name)); err != nil {
			return fmt.Errorf("take over a pin: %w", err)
		}
	}
	u.stop, u.follow = make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-u.stop:
				u.follow <- nil
				return
			default:
			}
			if err := u.carryChanges(); err != nil {
				u.follow <- err
				return
			}
		}
	}()
	return nil
}

// applyRules puts the old rules into force in the new maps: interfaces and counters
// keep their numbers, and policies their generations, so that a flow that had to be
// judged again still has to be.
func (u *upgrade) applyRules() error {
	p, s := u.p, u.state
	p.control.NowOffset, p.control.Gens = s.control.NowOffset, s.control.Gens
	for id, n := range s.numbers {
		p.numbers[id], p.taken[n] = n, true
	}
	c := &p.counters
	for k, n := range s.places {
		if n >= p.maps.RuleStats.MaxEntries() {
			return errV2
		}
		for uint32(len(c.rules)) <= n {
			c.rules = append(c.rules, counter{})
		}
		if c.rules[n].key != (ruleKey{}) && c.rules[n].key != k {
			return errV2
		}
		c.places[k], c.rules[n].key = n, k
	}
	if err := p.Apply(context.Background(), s.rules); err != nil {
		return err
	}
	for n := range c.rules {
		if c.rules[n].uses == 0 {
			c.free = append(c.free, uint32(n))
		}
	}
	for id, was := range s.slots {
		r := &p.slots[slotIn(p.arena.words[p.have.root.at:], s.numbers[id])]
		r.Gen, r.DrainUntil, r.AdoptUntil = was.Gen, was.DrainUntil, was.AdoptUntil
	}
	for n := range uint32(v2Interfaces) {
		var was v2EniState
		var is bpfEniState
		if err := errors.Join(u.old.states.Lookup(n, &was), p.maps.EniStates.Lookup(n, &is)); err != nil {
			return err
		}
		if is.Mac == was.MAC {
			continue
		}
		is.Mac = was.MAC
		if err := p.maps.EniStates.Put(n, is); err != nil {
			return err
		}
	}
	return nil
}

// load loads the programs that carry flows.
func (u *upgrade) load() error {
	spec, err := loadUpgrade()
	if err != nil {
		return fmt.Errorf("read the programs: %w", err)
	}
	replace := map[string]*ebpf.Map{"v2_flows4": u.old.flows4, "v2_flows6": u.old.flows6, "flows4": u.p.maps.Flows4, "flows6": u.p.maps.Flows6,
		"eni_states": u.p.maps.EniStates, "shares": u.p.maps.Shares}
	for name, m := range replace {
		spec.Maps[name].MaxEntries = m.MaxEntries()
	}
	var o struct {
		upgradeMaps
		Carry *ebpf.Program `ebpf:"carry_flows"`
		Drop  *ebpf.Program `ebpf:"drop_flows"`
	}
	if err := spec.LoadAndAssign(&o, &ebpf.CollectionOptions{MapReplacements: replace}); err != nil {
		return fmt.Errorf("load what carries tracked flows over, which takes Linux 5.14: %w", err)
	}
	u.maps, u.carry, u.drop = o.upgradeMaps, o.Carry, o.Drop
	u.run, err = mapped[upgradeUpgrade](u.p, u.maps.Upgrades)
	return err
}

const (
	// enough is how many flows may change during a run, for it to be the last before
	// programs are replaced.
	enough = 64
	// looks is the limit of such runs.
	looks = 10
)

// carryAll carries all flows, until few change between two runs.
func (u *upgrade) carryAll() error {
	p := u.p
	*u.run = upgradeUpgrade{}
	if u.fresh {
		// A run may miss flows while others come and go, so there are at least two.
		// Marks are of a process that was killed, and say nothing about these tables.
		u.run.Fresh = 1
		for n := range looks {
			if err := u.carryChanges(); err != nil {
				return err
			}
			if n > 0 && u.run.Added <= enough {
				break
			}
		}
		u.run.Fresh = 0
	} else {
		u.since = p.now() - 1<<30
		if err := u.carryChanges(); err != nil {
			return err
		}
	}
	if _, err := u.drop.Run(nil); err != nil {
		return fmt.Errorf("remove flows that are over: %w", err)
	}
	for range looks {
		if err := u.carryChanges(); err != nil {
			return err
		}
		if u.run.Added+u.run.Changed <= enough {
			break
		}
	}
	return nil
}

// carryChanges carries the flows that changed since the last time.
func (u *upgrade) carryChanges() error {
	now := u.p.now()
	u.run.Since, u.run.Now = u.since, now
	u.run.Added, u.run.Changed = 0, 0
	if _, err := u.carry.Run(nil); err != nil {
		return fmt.Errorf("carry tracked flows over: %w", err)
	}
	u.since = now - 1
	return nil
}

func (u *upgrade) endFollow() error {
	if u.follow == nil {
		return nil
	}
	close(u.stop)
	err := <-u.follow
	u.follow = nil
	return err
}

// end finishes the upgrade, once the programs of all devices are this layout's.
func (u *upgrade) end() error {
	err := u.endFollow()
	if err == nil {
		err = u.carryChanges()
	}
	grace() // no packet is with the old programs after this
	if err == nil {
		err = u.carryChanges()
	}
	if err == nil {
		err = u.addCounters()
	}
	if err != nil {
		return err
	}
	aside := filepath.Join(filepath.Dir(u.from), takenOver)
	if err := os.Rename(u.from, aside); err != nil {
		return fmt.Errorf("remove what was taken over: %w", err)
	}
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("remove what was taken over: %w", err)
	}
	return nil
}

// addCounters adds what interfaces counted in layout 2 to what they count now.
func (u *upgrade) addCounters() error {
	p := u.p
	at := map[string]int{}
	for i, name := range reasons {
		at[name] = i
	}
	for _, b := range p.bound {
		var was []v2EniCount
		var is []bpfEniCount
		if err := errors.Join(u.old.counts.Lookup(b.number, &was), p.maps.EniCounts.Lookup(b.number, &is)); err != nil {
			return fmt.Errorf("read the counters of %s: %w", b.Binding.Interface, err)
		}
		for cpu := range min(len(was), len(is)) {
			is[cpu].WouldDrop += was[cpu].WouldDrop
			for i, n := range was[cpu].Drops {
				if to, ok := at[v2Reasons[i]]; ok {
					is[cpu].Drops[to] += n
				}
			}
		}
		// A packet that is counted between the read and the write is not counted.
		if err := p.maps.EniCounts.Put(b.number, is); err != nil {
			return fmt.Errorf("write the counters of %s: %w", b.Binding.Interface, err)
		}
		if err := u.old.counts.Put(b.number, make([]v2EniCount, len(was))); err != nil {
			return fmt.Errorf("write the counters of %s: %w", b.Binding.Interface, err)
		}
	}
	return nil
}
