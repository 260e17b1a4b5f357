package ebpf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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
	same := make([]bool, len(want.Policies))
	for i := range want.Policies {
		old, ok := have.policies[want.Policies[i].Name]
		if same[i] = ok && ruleset.SameRules(old.policy.Rules, want.Policies[i].Rules); same[i] {
			continue // whose names are there
		}
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
		if same[i] {
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
			if mac, err := net.ParseMAC(w.MAC); err == nil {
				p.reserve(mac)
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
		if mac, err := net.ParseMAC(w.MAC); err == nil {
			side.Mac = macWord(mac)
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
