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

// An upgrade takes over what layout 2 has in force. No device is open meanwhile,
// and none loses a tracked flow:
//
//   - A folder of this layout is built beside the one of layout 2, whose programs
//     filter on. It gets the rules, and the flows as often as they change.
//   - A rename makes it the folder of this layout. From then on it is the one that
//     counts, and what is left to do is done by any later start too.
//   - The programs of each device are replaced, through their links.
//   - The flows that the old programs met last are carried over, and the folder of
//     layout 2 is removed.
//
// A process may end anywhere in this. A folder that was not complete is removed by
// the next start, and built again.
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
	since uint32 // when the last run of carry began

	stop   chan struct{} // ends what follows, while devices change over
	follow chan error
}

const (
	// versionBefore is the layout that this one takes over.
	versionBefore = "v2"
	// Servers of layout 2 ignore a folder that is named as if it were set aside: one
	// that is started before this layout's folder is complete continues as before.
	unfinished = asidePrefix + version
	takenOver  = asidePrefix + versionBefore
)

// doormanPins are the maps that only the doorman has. It is taken over as it stands.
var doormanPins = []string{"patterns", "knowns", "doormen", "turned_away"}

// newUpgrade reads what there is to take over.
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
	return fmt.Errorf("what the kernel has in layout %s cannot be taken over, and stays in force: %w: replace it with `moat detach --force`, which forgets tracked flows", versionBefore, err)
}

func (u *upgrade) close() {
	u.endFollow()
	u.old.close()
	if u.carry != nil {
		u.carry.Close()
		u.drop.Close()
		u.maps.Close()
	}
}

// share begins the folder of this layout, with the maps that stay the same.
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

// sizes has the tables of flows as large as they were.
func (u *upgrade) sizes(spec *ebpf.CollectionSpec) {
	spec.Maps["flows4"].MaxEntries, spec.Maps["flows6"].MaxEntries = u.old.flows4.MaxEntries(), u.old.flows6.MaxEntries()
}

// begin prepares everything, so that programs can be replaced.
func (u *upgrade) begin() error {
	p := u.p
	if u.fresh {
		if err := u.rules(); err != nil {
			return u.failed(err)
		}
	}
	if err := u.load(); err != nil {
		return u.failed(err)
	}
	// To load programs takes tenths of a second, in which flows change.
	_, records, err := all[uint32, bpfBinding](p.maps.Bindings)
	if err != nil {
		return err
	}
	for _, r := range records {
		if _, err := p.programsOf(r.Netns); err != nil {
			return u.failed(err)
		}
	}
	if err := u.flows(); err != nil {
		return u.failed(err)
	}
	if u.fresh {
		dir := filepath.Join(filepath.Dir(p.dir), version)
		if err := os.Rename(p.dir, dir); err != nil {
			return fmt.Errorf("finish the folder of pins: %w", err)
		}
		p.dir, u.fresh = dir, false
	}
	// The links, which still have the old programs, and the doorman.
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
			if err := u.again(); err != nil {
				u.follow <- err
				return
			}
		}
	}()
	return nil
}

// rules puts the old rules into force in the new maps: interfaces and counters
// have the numbers that they had, and what was admitted by the rules before is
// told from what was not.
func (u *upgrade) rules() error {
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
		return fmt.Errorf("load the programs that copy tracked flows, which need Linux 5.14: %w", err)
	}
	u.maps, u.carry, u.drop = o.upgradeMaps, o.Carry, o.Drop
	u.run, err = mapped[upgradeUpgrade](u.p, u.maps.Upgrades)
	return err
}

// enough is how many flows may change while all are looked at, for the next look
// to be the last before programs are replaced; and looks, how often it is tried.
const (
	enough = 64
	looks  = 10
)

// flows carries all flows, until few change.
func (u *upgrade) flows() error {
	p := u.p
	*u.run = upgradeUpgrade{}
	if u.fresh {
		// A look may miss flows while others come and go. The notes of a process
		// before this one, which did not come to its end, say nothing.
		u.run.Fresh = 1
		for range looks {
			if err := u.again(); err != nil {
				return err
			}
			if u.run.Added <= enough {
				break
			}
		}
		u.run.Fresh = 0
	} else {
		u.since = p.now() - 1<<30
		if err := u.again(); err != nil {
			return err
		}
	}
	if _, err := u.drop.Run(nil); err != nil {
		return fmt.Errorf("remove flows that are over: %w", err)
	}
	for range looks {
		if err := u.again(); err != nil {
			return err
		}
		if u.run.Added+u.run.Changed <= enough {
			break
		}
	}
	return nil
}

// again carries the flows that changed since the last time.
func (u *upgrade) again() error {
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

// end finishes, when the programs of all devices are this layout's.
func (u *upgrade) end() error {
	err := u.endFollow()
	if err == nil {
		err = u.again()
	}
	grace() // no packet is with the old programs after this
	if err == nil {
		err = u.again()
	}
	if err == nil {
		err = u.counts()
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

// counts adds what interfaces counted in layout 2 to what they count now.
func (u *upgrade) counts() error {
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
		// Both are per processor: what is counted in these two steps is lost.
		if err := p.maps.EniCounts.Put(b.number, is); err != nil {
			return fmt.Errorf("write the counters of %s: %w", b.Binding.Interface, err)
		}
		if err := u.old.counts.Put(b.number, make([]v2EniCount, len(was))); err != nil {
			return fmt.Errorf("write the counters of %s: %w", b.Binding.Interface, err)
		}
	}
	return nil
}
