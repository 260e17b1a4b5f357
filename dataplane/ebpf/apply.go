package ebpf

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

const (
	rulesCheck = 1
	rulesAWS   = 2
	rulesDrain = 4

	dirIn  = 0
	dirOut = 1

	rootWords     = 3
	maxInterfaces = 4096
	maxHistory    = 8
	memberHistory = 1 << 32
)

type memberKey struct {
	vpc  vpc.VPCID
	addr netip.Addr
}

// counters number the rules that are counted, each direction apart.
type counters struct {
	places map[ruleKey]uint32
	rules  []counter // by place; those that were never used are not in it
	free   []uint32
	turn   uint32 // of a policy that is counted
}

type counter struct {
	key  ruleKey
	uses uint32
	// turn is that of the policy that was the last to count it, and number its
	// number there.
	turn   uint32
	number uint16
}

type ruleKey struct {
	id        vpc.RuleID
	direction flow.Direction
}

// An update collects what takes it back, and what is to be done after it.
type update struct {
	undo  []func()
	after []func()
}

// Apply makes want the ruleset in force. Packets see the old one or the new
// one, never a mixture. On error the old one is still in force. When it
// returns, the next packet obeys.
func (p *Plane) Apply(ctx context.Context, want *ruleset.Ruleset) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range want.Interfaces {
		x := &want.Interfaces[i]
		if n := len(want.Policies); x.In < 0 || x.In >= n || x.Out < 0 || x.Out >= n {
			return fmt.Errorf("apply revision %d: interface %s has no policy", want.Rev, x.ID)
		}
	}
	u := &update{}
	narrowed, next, err := p.prepare(want, u)
	if errors.Is(err, errRoom) && len(p.unsettled) > 0 {
		// What updates before this one replaced is not free yet.
		u.back()
		p.settle()
		u = &update{}
		narrowed, next, err = p.prepare(want, u)
	}
	if err != nil {
		u.back()
		return fmt.Errorf("apply revision %d: %w", want.Rev, err)
	}
	atomic.StoreUint64(&p.control.Root, uint64(p.epoch()+1)<<32|uint64(next.root.at))
	p.have = *next
	for _, f := range u.after {
		p.later(f)
	}
	for n := range narrowed {
		delete(p.drains, n)
		if r := p.rulesOf(n); r.Flags&rulesDrain != 0 && r.DrainUntil > p.now() {
			p.drains[n] = r.DrainUntil
		}
	}
	if len(narrowed) > 0 {
		p.work.Go(func() { p.sweep(narrowed) })
	}
	return nil
}

// errRoom is of what may be free later.
var errRoom = errors.New("no room in the kernel for more rules")

func (u *update) back() {
	for _, f := range slices.Backward(u.undo) {
		f()
	}
}

// prepare writes what is to be in force, beside what is. It gives the interfaces
// whose access may have shrunk.
func (p *Plane) prepare(want *ruleset.Ruleset, u *update) (map[uint32]*kept, *state, error) {
	have := p.have
	next := &state{rules: want, policies: map[string]placedPolicy{}, blocks: map[vpc.InterfaceID]extent{}, sets: have.sets, members: have.members}
	root := slices.Clone(p.arena.words[have.root.at:][:have.root.n])

	change := ruleset.Diff(&ruleset.Ruleset{Members: have.members0()}, &ruleset.Ruleset{Members: want.Members})

	// Names first: they are in blocks and keys.
	for i := range want.Interfaces {
		p.names.vpc(want.Interfaces[i].VPC)
	}
	for i := range want.Policies {
		for j := range want.Policies[i].Rules {
			if g := want.Policies[i].Rules[j].Remote.Group; g != "" {
				p.names.group(g)
			}
		}
	}
	for i := range change.PutMembers {
		p.names.vpc(change.PutMembers[i].VPC)
		for _, g := range change.PutMembers[i].Groups {
			p.names.group(g)
		}
	}
	next.names, next.named = have.names, have.named
	if named := len(p.names.vpcs) + len(p.names.groups); named != have.named || have.names.n == 0 {
		next.named = named
		e, err := p.place(u, appendSource(nil, p.names.encode()))
		if err != nil {
			return nil, nil, err
		}
		if have.names.n > 0 {
			u.after = append(u.after, func() { p.arena.release(have.names) })
		}
		next.names = e
	}

	// Groups that lost a member, for whoever refers to them.
	left := map[vpc.VPCID]map[vpc.GroupID]bool{}
	lost := func(v vpc.VPCID, before, after []vpc.GroupID) {
		for _, g := range before {
			if !slices.Contains(after, g) {
				if left[v] == nil {
					left[v] = map[vpc.GroupID]bool{}
				}
				left[v][g] = true
			}
		}
	}
	for _, m := range change.RemoveMembers {
		lost(m.VPC, m.Groups, nil)
	}
	for _, m := range change.PutMembers {
		if have.rules != nil {
			lost(m.VPC, have.rules.GroupsOf(m.VPC, m.Addr), m.Groups)
		}
	}

	// Policies.
	shrunk := map[string]bool{}
	var fresh []placedPolicy
	for i := range want.Policies {
		pol := &want.Policies[i]
		old, ok := have.policies[pol.Name]
		if ok && ruleset.SameRules(old.policy.Rules, pol.Rules) {
			next.policies[pol.Name] = old
			continue
		}
		c, err := p.count(u, pol, &old)
		if err != nil {
			return nil, nil, err
		}
		fresh = append(fresh, placedPolicy{policy: pol, counted: c})
		if ok {
			shrunk[pol.Name] = !subset(old.policy.Rules, pol.Rules)
		}
	}
	if err := p.lay(u, fresh); err != nil {
		return nil, nil, err
	}
	for _, f := range fresh {
		next.policies[f.policy.Name] = f
	}
	for name, old := range have.policies {
		if n, ok := next.policies[name]; !ok || n.extent != old.extent {
			u.after = append(u.after, func() {
				p.arena.release(old.extent)
				p.uncount(old.places)
			})
		}
	}

	// Interfaces.
	narrowed := map[uint32]*kept{}
	in := map[vpc.InterfaceID]bool{}
	for i := range want.Interfaces {
		w := &want.Interfaces[i]
		in[w.ID] = true
		n, err := p.number(u, w.ID)
		if err != nil {
			return nil, nil, err
		}
		var before *ruleset.Interface
		if have.rules != nil {
			before = have.rules.Interface(w.ID)
		}
		block, ok := have.blocks[w.ID]
		if !ok || before == nil || !before.Alike(w) {
			if before := block; ok {
				u.after = append(u.after, func() { p.arena.release(before) })
			}
			if block, err = p.place(u, blockIn(w)); err != nil {
				return nil, nil, err
			}
		}
		next.blocks[w.ID] = block
		at := slotIn(root, n)
		old := p.slots[at]
		policies := [2]*ruleset.Policy{&want.Policies[w.In], &want.Policies[w.Out]}
		side := bpfRules{
			Block:          block.at,
			Policy:         [2]uint32{next.policies[policies[0].Name].at, next.policies[policies[1].Name].at},
			Gen:            old.Gen,
			Vpc:            p.names.vpc(w.VPC),
			TcpEstablished: uint32(w.Timeouts.TCPEstablished),
			UdpStream:      uint16(w.Timeouts.UDPStream),
			Udp:            uint16(w.Timeouts.UDP),
			FlowLimit:      uint32(p.options.FlowLimit),
			HalfLimit:      uint32(p.options.HalfLimit),
			DrainUntil:     old.DrainUntil,
			AdoptUntil:     old.AdoptUntil,
		}
		if w.Check {
			side.Flags |= rulesCheck
		}
		for _, own := range w.Own {
			switch a := own.Addr(); {
			case !own.IsSingleIP():
			case a.Is4():
				side.Own4 = binary.BigEndian.Uint32(a.AsSlice())
			default:
				side.Own6[0], side.Own6[1] = halves(a)
			}
		}
		for _, a := range w.Exempt {
			side.Exempt |= exemption(a)
		}
		switch w.OnRevoke.Mode {
		case ruleset.AWS:
			side.Flags |= rulesAWS
		case ruleset.Drain:
			side.Flags |= rulesDrain
		}
		lesser := before == nil || lessOwn(before, w)
		if before == nil {
			// Flows of a time before are of nobody.
			side.Gen = [2]uint32{p.gen(), p.gen()}
			side.AdoptUntil = p.adoptUntil()
		}
		for d, pol := range policies {
			if before == nil {
				break
			}
			was := &have.rules.Policies[[2]int{before.In, before.Out}[d]]
			less := lesser
			switch {
			case was.Name == pol.Name:
				less = less || shrunk[pol.Name]
			default:
				less = less || !subset(was.Rules, pol.Rules)
			}
			less = less || refers(pol, left[w.VPC])
			if less {
				side.Gen[d] = p.gen()
				side.AdoptUntil = 0 // it may be what has just lost its rule
				if narrowed[n] == nil {
					narrowed[n] = &kept{}
				}
				if !lesser {
					narrowed[n][d] = &survivors{have.policies[was.Name], pol, left[w.VPC]}
				}
				if w.OnRevoke.Mode == ruleset.Drain {
					side.DrainUntil = p.now() + uint32(w.OnRevoke.Drain)
				}
			}
		}
		if at == 0 || side != old {
			p.vacate(u, at)
			if at, err = p.occupy(u, &side); err != nil {
				return nil, nil, err
			}
			setSlot(root, n, at)
		}
	}
	for id, n := range p.numbers {
		if in[id] {
			continue
		}
		p.vacate(u, slotIn(root, n))
		setSlot(root, n, 0)
		if b, ok := have.blocks[id]; ok {
			u.after = append(u.after, func() {
				p.arena.release(b)
				if _, bound := p.bound[id]; !bound && p.have.blocks[id].n == 0 {
					p.forgetNumber(id)
				}
			})
		}
	}

	for _, m := range change.PutMembers {
		if err := p.member(u, m); err != nil {
			return nil, nil, err
		}
	}
	for _, m := range change.RemoveMembers {
		if err := p.member(u, ruleset.Member{VPC: m.VPC, Addr: m.Addr}); err != nil {
			return nil, nil, err
		}
	}
	root[0], root[1] = want.Rev, uint64(next.names.at)
	e, err := p.place(u, root)
	if err != nil {
		return nil, nil, err
	}
	next.root = e
	u.after = append(u.after, func() { p.arena.release(have.root) })
	return narrowed, next, nil
}

func (s *state) members0() ruleset.Members {
	if s.rules == nil {
		return ruleset.Members{}
	}
	return s.rules.Members
}

// place writes a block.
func (p *Plane) place(u *update, w []uint64) (extent, error) {
	at, err := p.arena.put(w)
	if err != nil {
		return extent{}, err
	}
	e := extent{at, uint32(len(w))}
	// A packet may look at it by a member.
	u.undo = append(u.undo, func() { p.later(func() { p.arena.release(e) }) })
	return e, nil
}

// A slot's place is in a root.
func slotIn(root []uint64, n uint32) uint32 { return uint32(root[rootWords+n/2] >> (32 * (n % 2))) }

func setSlot(root []uint64, n, at uint32) {
	w := &root[rootWords+n/2]
	*w = *w&^(0xffffffff<<(32*(n%2))) | uint64(at)<<(32*(n%2))
}

// rulesOf gives what is in force for an interface by its number.
func (p *Plane) rulesOf(n uint32) bpfRules {
	at := uint64(uint32(atomic.LoadUint64(&p.control.Root))) + rootWords + uint64(n)/2
	if n >= maxInterfaces || at >= uint64(len(p.arena.words)) {
		return bpfRules{}
	}
	if slot := uint32(p.arena.words[at] >> (32 * (n % 2))); slot < uint32(len(p.slots)) {
		return p.slots[slot]
	}
	return bpfRules{}
}

// gen gives a generation that no flow has.
func (p *Plane) gen() uint32 {
	p.control.Gens++
	return uint32(p.control.Gens)
}

// occupy writes an interface's rules to a slot that nobody looks at; vacate
// frees one when nobody does any more.
func (p *Plane) occupy(u *update, r *bpfRules) (uint32, error) {
	n := len(p.vacant)
	if n == 0 {
		return 0, errRoom
	}
	at := p.vacant[n-1]
	p.vacant = p.vacant[:n-1]
	p.slots[at] = *r
	u.undo = append(u.undo, func() { p.vacant = append(p.vacant, at) })
	return at, nil
}

func (p *Plane) vacate(u *update, at uint32) {
	if at != 0 {
		u.after = append(u.after, func() { p.vacant = append(p.vacant, at) })
	}
}

// A member is an address of groups, as the kernel has it: a set, nil when it is
// about to be none, or its history while packets may look at what was before.
type member struct {
	set     *placedSet
	history []uint64 // as in words, without their number
	block   extent   // of the history
}

func (s *placedSet) place() uint64 {
	if s == nil {
		return 0
	}
	return uint64(s.at)
}

// put writes a member to the kernel; one without a set or a history is removed.
func (p *Plane) put(k memberKey, m *member) error {
	v := p.names.vpc(k.vpc)
	value := sign(v, k.addr) << 48
	switch {
	case m != nil && m.history != nil:
		value |= uint64(m.block.at) | memberHistory
	case m != nil && m.set != nil:
		value |= m.set.place()
	case k.addr.Is4():
		return ignore(p.maps.Members4.Delete(memberKey4(v, k.addr)), ebpf.ErrKeyNotExist)
	default:
		return ignore(p.maps.Members6.Delete(bpfMember6Key{Vpc: v, Addr: k.addr.As16()}), ebpf.ErrKeyNotExist)
	}
	p.puts++
	if k.addr.Is4() {
		return p.maps.Members4.Put(memberKey4(v, k.addr), value)
	}
	return p.maps.Members6.Put(bpfMember6Key{Vpc: v, Addr: k.addr.As16()}, value)
}

// member makes an address's set of groups what it is in m, from the next epoch
// on. Until no packet is of an epoch before, the kernel has both.
func (p *Plane) member(u *update, m ruleset.Member) error {
	if len(m.Groups) > setGroups {
		return fmt.Errorf("address %s is in more than %d groups", m.Addr, setGroups)
	}
	k := memberKey{m.VPC, m.Addr}
	old := p.have.members[k]
	now := &member{}
	if len(m.Groups) > 0 {
		w := []uint64{uint64(len(m.Groups))}
		for _, g := range m.Groups {
			w = append(w, uint64(p.names.group(g)))
		}
		slices.Sort(w[1:])
		var b []byte
		for _, x := range w {
			b = binary.LittleEndian.AppendUint64(b, x)
		}
		set := p.have.sets[string(b)]
		if set == nil {
			e, err := p.place(u, w)
			if err != nil {
				return err
			}
			set = &placedSet{extent: e, key: string(b)}
			p.have.sets[set.key] = set
			u.undo = append(u.undo, func() { delete(p.have.sets, set.key) })
		}
		set.uses++
		u.undo = append(u.undo, func() { set.uses-- })
		now.set = set
	}
	epoch := p.epoch() + 1
	now.history = []uint64{uint64(epoch)<<32 | now.set.place()}
	var before *placedSet
	switch {
	case old == nil:
		now.history = append(now.history, 0)
	case old.history == nil:
		before = old.set
		now.history = append(now.history, old.set.place())
	default:
		before = old.set
		now.history = append(now.history, old.history...)
		// Of what no packet can be before, nothing is needed.
		for i, h := range now.history {
			if int32(p.settled-uint32(h>>32)) >= 0 {
				now.history = now.history[:i+1]
				break
			}
		}
		if len(now.history) > maxHistory {
			return errRoom
		}
	}
	var err error
	if now.block, err = p.place(u, append([]uint64{uint64(len(now.history))}, now.history...)); err != nil {
		return err
	}
	if err := p.put(k, now); err != nil {
		return fmt.Errorf("member %s: %w", m.Addr, err)
	}
	p.have.members[k] = now
	u.undo = append(u.undo, func() {
		p.put(k, old)
		if p.have.members[k] = old; old == nil {
			delete(p.have.members, k)
		}
	})
	u.after = append(u.after, func() {
		if old != nil && old.block.n > 0 {
			p.arena.release(old.block)
		}
		if before != nil {
			if before.uses--; before.uses == 0 {
				delete(p.have.sets, before.key)
				p.arena.release(before.extent)
			}
		}
		if p.have.members[k] != now {
			return // a later update has changed it again
		}
		settled := &member{set: now.set}
		if p.put(k, settled) != nil {
			return // the history says the same
		}
		if p.have.members[k] = settled; settled.set == nil {
			delete(p.have.members, k)
		}
		p.later(func() { p.arena.release(now.block) })
	})
	return nil
}

func memberKey4(v uint32, a netip.Addr) bpfMember4Key {
	b := a.As4()
	return bpfMember4Key{Vpc: v, AddrBe: binary.NativeEndian.Uint32(b[:])}
}

// number gives an interface's place in enis.
func (p *Plane) number(u *update, id vpc.InterfaceID) (uint32, error) {
	if n, ok := p.numbers[id]; ok {
		return n, nil
	}
	for range maxInterfaces {
		n := p.lastNumber
		if p.lastNumber = (n + 1) % maxInterfaces; !p.taken[n] {
			p.numbers[id], p.taken[n] = n, true
			u.undo = append(u.undo, func() { p.forgetNumber(id) })
			return n, nil
		}
	}
	return 0, fmt.Errorf("no room for more than %d interfaces", maxInterfaces)
}

func (p *Plane) forgetNumber(id vpc.InterfaceID) {
	if n, ok := p.numbers[id]; ok {
		p.taken[n] = false
		delete(p.numbers, id)
	}
}

// count gives the places of a policy's counters. old is what it was before, of
// which most rules come, mostly in the same order.
func (p *Plane) count(u *update, pol *ruleset.Policy, old *placedPolicy) (counted, error) {
	c, out := &p.counters, &counted{}
	u.undo = append(u.undo, func() { p.uncount(out.places) })
	if old.policy != nil && sameIDs(old.policy.Rules, pol.Rules) {
		*out = old.counted
		for _, n := range out.places {
			c.rules[n].uses++
		}
		return *out, nil
	}
	c.turn++
	out.places = make([]uint32, 0, len(pol.Rules))
	at := 0 // in old's rules
	for i := range pol.Rules {
		id := pol.Rules[i].ID
		var n uint32
		var err error
		for k := range 2 { // one may be gone
			if old.policy != nil && at+k < len(old.policy.Rules) && old.policy.Rules[at+k].ID == id {
				n = old.places[old.number(at+k)-1]
				at += k + 1
				break
			}
			if k == 1 {
				n, err = p.counter(ruleKey{id, pol.Direction})
			}
		}
		if err != nil {
			return counted{}, err
		}
		r := &c.rules[n]
		if r.turn != c.turn {
			r.uses++
			if out.places = append(out.places, n); len(out.places) > math.MaxUint16 {
				return counted{}, tooMany(pol)
			}
			r.turn, r.number = c.turn, uint16(len(out.places))
		} else if out.numbers == nil {
			out.numbers = make([]uint16, i, len(pol.Rules))
			for j := range out.numbers {
				out.numbers[j] = uint16(j + 1)
			}
		}
		if out.numbers != nil {
			out.numbers = append(out.numbers, r.number)
		}
	}
	return *out, nil
}

// counter gives the place of a rule's counters.
func (p *Plane) counter(k ruleKey) (uint32, error) {
	c := &p.counters
	n, ok := c.places[k]
	if ok {
		return n, nil
	}
	switch {
	case len(c.rules) < int(p.maps.RuleStats.MaxEntries()):
		n = uint32(len(c.rules))
		c.rules = append(c.rules, counter{})
	case len(c.free) > 0:
		n, c.free = c.free[0], c.free[1:]
		zero := make([]bpfRuleStat, ebpf.MustPossibleCPU())
		if err := p.maps.RuleStats.Put(n, zero); err != nil {
			c.free = append(c.free, n)
			return 0, fmt.Errorf("count rule %s: %w", k.id, err)
		}
	default:
		return 0, fmt.Errorf("no room to count more than %d rules", len(c.rules))
	}
	c.rules[n] = counter{key: k}
	c.places[k] = n
	return n, nil
}

func (p *Plane) uncount(places []uint32) {
	c := &p.counters
	for _, n := range places {
		if r := &c.rules[n]; r.uses == 1 {
			delete(c.places, r.key)
			c.rules[n] = counter{}
			c.free = append(c.free, n)
		} else {
			r.uses--
		}
	}
}

// lay writes policies, by as many hands as there are processors.
func (p *Plane) lay(u *update, policies []placedPolicy) error {
	const portion = 16
	var next atomic.Int64
	var taking sync.Mutex
	var failed error
	work := func() {
		var l layout
		for {
			from := int(next.Add(portion)) - portion
			if from >= len(policies) {
				return
			}
			for i := from; i < min(from+portion, len(policies)); i++ {
				f := &policies[i]
				w := l.policy(f.policy, p.names.group, &f.counted) // whose names are all known
				taking.Lock()
				at, err := p.arena.take(uint32(len(w)))
				if err != nil {
					failed = err
				} else {
					f.extent = extent{at, uint32(len(w))}
				}
				taking.Unlock()
				if err != nil {
					return
				}
				copy(p.arena.words[at:], w)
			}
		}
	}
	var hands sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(policies)+portion-1)/portion) - 1 {
		hands.Go(work)
	}
	work()
	hands.Wait()
	u.undo = append(u.undo, func() {
		for _, f := range policies {
			if f.n > 0 {
				p.later(func() { p.arena.release(f.extent) })
			}
		}
	})
	return failed
}

func sameIDs(a, b []ruleset.Rule) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

// subset reports whether every rule of a is one of b; both are in canonical
// order. Of whom a rule comes does not matter.
func subset(a, b []ruleset.Rule) bool {
	key := func(r ruleset.Rule) ruleset.Rule { r.ID = ""; return r }
	j := 0
	for i := range a {
		for j < len(b) && ruleset.Compare(key(b[j]), key(a[i])) < 0 {
			j++
		}
		if j == len(b) || key(b[j]) != key(a[i]) {
			return false
		}
	}
	return true
}

// kept are the rules that allow all they allowed before, by direction: flows
// that one of them admitted need no second look. nil: none.
type kept [2]*survivors

type survivors struct {
	before placedPolicy
	after  *ruleset.Policy
	left   map[vpc.GroupID]bool
}

// mark sets the counters of rules that are kept, and of those that are not,
// each of several of the same id.
func (s *survivors) mark(kept, lost bits) {
	j := 0
	after := s.after.Rules
	for i := range s.before.policy.Rules {
		r := &s.before.policy.Rules[i]
		for j < len(after) && ruleset.Compare(after[j], *r) < 0 {
			j++
		}
		n := s.before.places[s.before.number(i)-1]
		if j < len(after) && after[j] == *r && !s.left[r.Remote.Group] {
			kept.set(n)
		} else {
			lost.set(n)
		}
	}
}

// refers reports whether a policy refers to one of some groups.
func refers(p *ruleset.Policy, groups map[vpc.GroupID]bool) bool {
	return len(groups) > 0 && slices.ContainsFunc(p.Rules, func(r ruleset.Rule) bool { return groups[r.Remote.Group] })
}

// lessOwn reports whether an interface may have fewer flows than before, by
// its own addresses, exempt ones or VPC.
func lessOwn(a, b *ruleset.Interface) bool {
	return a.VPC != b.VPC || b.Check && (!a.Check || !slices.Equal(a.Own, b.Own)) || a.OnRevoke.Mode != b.OnRevoke.Mode ||
		slices.ContainsFunc(a.Exempt, func(x netip.Addr) bool { return !slices.Contains(b.Exempt, x) })
}

// restore finds out what the kernel has in force.
func (p *Plane) restore(words []uint64) error {
	p.arena = &arena{words: words}
	p.names = newNames()
	p.numbers = map[vpc.InterfaceID]uint32{}
	if uint32(p.control.Root) == 0 {
		p.arena = newArena(words, nil)
		at, err := p.arena.put(make([]uint64, rootWords+maxInterfaces/2))
		if err != nil {
			return err
		}
		p.control.Root = uint64(at)
	}
	s, err := p.read()
	if err != nil {
		return err
	}
	p.have = *s
	p.settled = p.epoch()
	busy := map[uint32]bool{}
	for n := range uint32(maxInterfaces) {
		busy[slotIn(words[s.root.at:], n)] = true
	}
	for at := range uint32(len(p.slots)) {
		if at != 0 && !busy[at] {
			p.vacant = append(p.vacant, at)
		}
	}
	slices.Reverse(p.vacant)
	// An update that did not come to its end left histories behind, whose blocks
	// are of nobody now.
	settled := false
	if err := p.eachMember(func(k any, m *ebpf.Map, v uint64) error {
		if v&memberHistory == 0 {
			return nil
		}
		settled = true
		if set := p.setOf(v); set != 0 {
			return m.Put(k, set|v>>48<<48)
		}
		return m.Delete(k)
	}); err != nil {
		return err
	}
	if settled {
		grace()
	}
	var used []extent
	for _, x := range s.policies {
		used = append(used, x.extent)
	}
	for _, x := range s.blocks {
		used = append(used, x)
	}
	for _, x := range s.sets {
		used = append(used, x.extent)
	}
	if s.names.n > 0 {
		used = append(used, s.names)
	}
	used = append(used, s.root)
	p.arena = newArena(words, used)
	return nil
}

// read decodes what is in force. It sets names, numbers and counters when
// there are none.
func (p *Plane) read() (*state, error) {
	words, at := p.arena.words, uint32(p.control.Root)
	if uint64(at)+rootWords+maxInterfaces/2 > uint64(len(words)) {
		return nil, errSource
	}
	root := words[at:]
	s := &state{rules: &ruleset.Ruleset{Rev: root[0]}, policies: map[string]placedPolicy{}, blocks: map[vpc.InterfaceID]extent{},
		sets: map[string]*placedSet{}, members: map[memberKey]*member{}, root: extent{at, rootWords + maxInterfaces/2}}
	first := p.counters.places == nil
	if first {
		p.counters = counters{places: map[ruleKey]uint32{}}
	}
	if at := root[1]; at != 0 {
		b := sourceAt(words, at)
		n, err := decodeNames(b)
		if err != nil {
			return nil, err
		}
		s.names, s.named = extent{uint32(at), 1 + uint32(len(b)+7)/8}, len(n.vpcs)+len(n.groups)
		if first {
			p.names = n
		}
	}
	type pair struct{ in, out string }
	of := map[vpc.InterfaceID]pair{}
	policyAt := map[uint32]string{}
	policy := func(at uint32) (string, error) {
		if name, ok := policyAt[at]; ok {
			return name, nil
		}
		if uint64(at)+policyWords > uint64(len(words)) {
			return "", errSource
		}
		end := uint64(at) + words[at+3]>>32
		b := sourceAt(words, end)
		pol, err := decodePolicy(b)
		if err != nil {
			return "", err
		}
		table := uint64(at) + words[at+3]&0xffffffff
		e := extent{at, uint32(end-uint64(at)) + 1 + uint32(len(b)+7)/8}
		i := uint64(0)
		var placed counted
		w, err := policyIn(&pol, p.names.group, func(id vpc.RuleID) (uint32, error) {
			if table+i/2 >= uint64(len(words)) {
				return 0, errSource
			}
			c := uint32(words[table+i/2] >> (32 * (i % 2)))
			i++
			if c >= p.maps.RuleStats.MaxEntries() {
				return 0, errSource
			}
			if first {
				for uint32(len(p.counters.rules)) <= c {
					p.counters.rules = append(p.counters.rules, counter{})
				}
				k := ruleKey{id, pol.Direction}
				p.counters.places[k] = c
				p.counters.rules[c].key = k
				p.counters.rules[c].uses++
			}
			placed.places = append(placed.places, c)
			return c, nil
		})
		if err != nil {
			return "", err
		}
		if uint64(at)+uint64(len(w)) > uint64(len(words)) || !slices.Equal(w, words[at:int(at)+len(w)]) {
			// What packets meet is not what its source says.
			pol.Name += " damaged"
		}
		numbers := map[vpc.RuleID]uint16{}
		for i := range pol.Rules {
			id := pol.Rules[i].ID
			if numbers[id] == 0 {
				numbers[id] = uint16(len(numbers) + 1)
			}
			placed.numbers = append(placed.numbers, numbers[id])
		}
		s.policies[pol.Name] = placedPolicy{e, &pol, placed}
		policyAt[at] = pol.Name
		return pol.Name, nil
	}
	for n := range uint32(maxInterfaces) {
		slot := slotIn(root, n)
		if slot >= uint32(len(p.slots)) {
			return nil, errSource
		}
		r := &p.slots[slot]
		if r.Block == 0 {
			continue
		}
		if uint64(r.Block)+blockWords > uint64(len(words)) {
			return nil, errSource
		}
		end := uint64(r.Block) + words[r.Block+2]
		b := sourceAt(words, end)
		i, err := decodeInterface(b)
		if err != nil {
			return nil, err
		}
		s.blocks[i.ID] = extent{r.Block, uint32(end-uint64(r.Block)) + 1 + uint32(len(b)+7)/8}
		if first {
			p.numbers[i.ID], p.taken[n] = n, true
		}
		var names pair
		if names.in, err = policy(r.Policy[dirIn]); err != nil {
			return nil, err
		}
		if names.out, err = policy(r.Policy[dirOut]); err != nil {
			return nil, err
		}
		of[i.ID] = names
		s.rules.Interfaces = append(s.rules.Interfaces, i)
	}
	if first {
		for n := range p.counters.rules {
			if p.counters.rules[n].uses == 0 {
				p.counters.free = append(p.counters.free, uint32(n))
			}
		}
	}
	slices.SortFunc(s.rules.Interfaces, func(a, b ruleset.Interface) int { return cmp.Compare(a.ID, b.ID) })
	places := map[string]int{}
	for i, name := range slices.Sorted(maps.Keys(s.policies)) {
		places[name] = i
		s.rules.Policies = append(s.rules.Policies, *s.policies[name].policy)
	}
	for i := range s.rules.Interfaces {
		x := &s.rules.Interfaces[i]
		x.In, x.Out = places[of[x.ID].in], places[of[x.ID].out]
	}
	vpcs, groups := map[uint32]vpc.VPCID{}, map[uint32]vpc.GroupID{}
	for id, n := range p.names.vpcs {
		vpcs[n] = id
	}
	for id, n := range p.names.groups {
		groups[n] = id
	}
	var list []ruleset.Member
	if err := p.eachMember(func(k any, _ *ebpf.Map, v uint64) error {
		set := p.setOf(v)
		if set == 0 || set >= uint64(len(words)) {
			return nil
		}
		var m ruleset.Member
		switch k := k.(type) {
		case bpfMember4Key:
			m.VPC = vpcs[k.Vpc]
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], k.AddrBe)
			m.Addr = netip.AddrFrom4(b)
		case bpfMember6Key:
			m.VPC, m.Addr = vpcs[k.Vpc], netip.AddrFrom16(k.Addr)
		}
		n := words[set]
		if n > setGroups || set+1+n > uint64(len(words)) {
			return errSource
		}
		var b []byte
		for _, w := range words[set : set+1+n] {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		for _, g := range words[set+1 : set+1+n] {
			m.Groups = append(m.Groups, groups[uint32(g)])
		}
		slices.Sort(m.Groups)
		ps := s.sets[string(b)]
		if ps == nil {
			ps = &placedSet{extent: extent{uint32(set), uint32(n) + 1}, key: string(b)}
			s.sets[ps.key] = ps
		}
		ps.uses++
		s.members[memberKey{m.VPC, m.Addr}] = &member{set: ps}
		list = append(list, m)
		return nil
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b ruleset.Member) int {
		return cmp.Or(cmp.Compare(a.VPC, b.VPC), a.Addr.Compare(b.Addr))
	})
	s.rules.Members = ruleset.NewMembers(list...)
	return s, nil
}

// setOf gives the place of the set that a member's value means now.
func (p *Plane) setOf(v uint64) uint64 {
	at, words := uint64(uint32(v)), p.arena.words
	if v&memberHistory == 0 {
		return at
	}
	if at >= uint64(len(words)) {
		return 0
	}
	n := words[at]
	for i := range min(n, maxHistory, uint64(len(words))-at-1) {
		if w := words[at+1+i]; i+1 == n || int32(p.epoch()-uint32(w>>32)) >= 0 {
			return uint64(uint32(w))
		}
	}
	return 0
}

// eachMember calls f for all members; f may change the one it is given.
func (p *Plane) eachMember(f func(k any, m *ebpf.Map, v uint64) error) error {
	k4, v4, err := all[bpfMember4Key, uint64](p.maps.Members4)
	if err != nil {
		return err
	}
	for i, k := range k4 {
		if err := f(k, p.maps.Members4, v4[i]); err != nil {
			return err
		}
	}
	k6, v6, err := all[bpfMember6Key, uint64](p.maps.Members6)
	if err != nil {
		return err
	}
	for i, k := range k6 {
		if err := f(k, p.maps.Members6, v6[i]); err != nil {
			return err
		}
	}
	return nil
}

// all reads a hash in batches.
func all[K, V any](m *ebpf.Map) (keys []K, values []V, err error) {
	err = batches(m, func(k []K, v []V) bool {
		keys, values = append(keys, k...), append(values, v...)
		return true
	})
	return keys, values, err
}

func batches[K, V any](m *ebpf.Map, f func([]K, []V) bool) error {
	var cursor ebpf.MapBatchCursor
	size := 4096
	k, v := make([]K, size), make([]V, size)
	for {
		n, err := m.BatchLookup(&cursor, k, v, nil)
		done := errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !done {
			return fmt.Errorf("read %v: %w", m, err)
		}
		if n > 0 && !f(k[:n], v[:n]) || done {
			return nil
		}
	}
}
