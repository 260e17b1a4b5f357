package ebpf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"

	"moat/ruleset"
	"moat/vpc"
)

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
