package ebpf

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"

	"moat/ruleset"
	"moat/vpc"
)

type memberKey struct {
	vpc  vpc.VPCID
	addr netip.Addr
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
