package ebpf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// This file reads layout 2, the one before this. Its structs, offsets and encodings are
// frozen: they stay those of the released programs when this layout's change.

const (
	v2PolicyWords   = 4
	v2BlockWords    = 3
	v2RootWords     = 3
	v2Interfaces    = 4096
	v2SetGroups     = 64
	v2History       = 8
	v2MemberHistory = 1 << 32
)

type v2Control struct{ Root, NowOffset, Gens uint64 }

type v2Rules struct {
	Block                uint32
	Policy               [2]uint32
	Gen                  [2]uint32
	VPC, Flags           uint32
	TCPEstablished       uint32
	UDPStream, UDP       uint16
	FlowLimit, HalfLimit uint32
	DrainUntil           uint32
	Own4                 uint32
	AdoptUntil           uint32
	Own6                 [2]uint64
	Exempt               uint64
}

type v2Flow struct{ Seen, Gen, Rule, Bits uint32 }

type v2EniState struct {
	Flows [2]int64
	Half  int64
	MAC   [8]uint8
}

type v2EniCount struct {
	Exempt, WouldDrop uint64
	Drops             [len(v2Reasons)]uint64
}

// v2Reasons are the names of the drops that v2EniCount counts.
var v2Reasons = [14]string{"no_ruleset", "no_rule", "malformed", "fragment", "vlan", "protocol", "spoofed", "extensions",
	"flow_allowance", "half_open_allowance", "table_full", "cut", "internal", "arp_spoofed"}

type v2Member4Key struct{ VPC, AddrBe uint32 }

type v2Member6Key struct {
	VPC  uint32
	Addr [16]uint8
}

// v2Shared are the maps whose layout has not changed. Both layouts use the same ones, so
// that nothing in them has to be copied.
var v2Shared = []string{"devices", "bindings", "rule_stats", "frags", "strays"}

// v2Maps are the maps of a folder of layout 2 that are read.
type v2Maps struct {
	controls, slots, words, members4, members6, flows4, flows6, states, counts *ebpf.Map
}

func openV2(dir string) (*v2Maps, error) {
	m := &v2Maps{}
	for name, to := range map[string]**ebpf.Map{
		"controls": &m.controls, "slots": &m.slots, "words": &m.words, "members4": &m.members4, "members6": &m.members6,
		"flows4": &m.flows4, "flows6": &m.flows6, "eni_states": &m.states, "eni_counts": &m.counts,
	} {
		var err error
		if *to, err = ebpf.LoadPinnedMap(filepath.Join(dir, name), nil); err != nil {
			m.close()
			return nil, fmt.Errorf("open map %s: %w", name, err)
		}
	}
	for _, x := range []struct {
		m          *ebpf.Map
		key, value uintptr
	}{
		{m.controls, 4, unsafe.Sizeof(v2Control{})}, {m.slots, 4, unsafe.Sizeof(v2Rules{})}, {m.words, 4, 8},
		{m.members4, unsafe.Sizeof(v2Member4Key{}), 8}, {m.members6, unsafe.Sizeof(v2Member6Key{}), 8},
		{m.flows4, unsafe.Sizeof(bpfFlow4Key{}), unsafe.Sizeof(v2Flow{})}, {m.flows6, unsafe.Sizeof(bpfFlow6Key{}), unsafe.Sizeof(v2Flow{})},
		{m.states, 4, unsafe.Sizeof(v2EniState{})}, {m.counts, 4, unsafe.Sizeof(v2EniCount{})},
	} {
		if uintptr(x.m.KeySize()) != x.key || uintptr(x.m.ValueSize()) != x.value {
			m.close()
			return nil, fmt.Errorf("%v has keys of %d and values of %d bytes: want %d and %d", x.m, x.m.KeySize(), x.m.ValueSize(), x.key, x.value)
		}
	}
	return m, nil
}

func (m *v2Maps) close() {
	for _, x := range []*ebpf.Map{m.controls, m.slots, m.words, m.members4, m.members6, m.flows4, m.flows6, m.states, m.counts} {
		x.Close() // of none, it does nothing
	}
}

// A v2State is what layout 2 has in force.
type v2State struct {
	control v2Control
	rules   *ruleset.Ruleset
	numbers map[vpc.InterfaceID]uint32
	slots   map[vpc.InterfaceID]v2Rules
	places  map[ruleKey]uint32 // of the rules' counters
}

var errV2 = errors.New("what the kernel has is not a ruleset of that layout")

// read decodes what is in force.
func (m *v2Maps) read() (*v2State, error) {
	s := &v2State{rules: &ruleset.Ruleset{}, numbers: map[vpc.InterfaceID]uint32{}, slots: map[vpc.InterfaceID]v2Rules{}, places: map[ruleKey]uint32{}}
	if err := m.controls.Lookup(uint32(0), &s.control); err != nil {
		return nil, err
	}
	if uint32(s.control.Root) == 0 {
		return s, nil // nothing was ever in force
	}
	size := (int(m.words.MaxEntries())*8 + os.Getpagesize() - 1) &^ (os.Getpagesize() - 1)
	b, err := unix.Mmap(m.words.FD(), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", m.words, err)
	}
	defer unix.Munmap(b)
	words := unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), m.words.MaxEntries())
	at := uint64(uint32(s.control.Root))
	if at+v2RootWords+v2Interfaces/2 > uint64(len(words)) {
		return nil, errV2
	}
	root := words[at:]
	s.rules.Rev = root[0]
	n := &v2Names{vpcs: map[uint32]vpc.VPCID{}, groups: map[uint32]vpc.GroupID{}}
	if at := root[1]; at != 0 {
		if err := n.decode(sourceAt(words, at)); err != nil {
			return nil, err
		}
	}
	if err := m.interfaces(s, words, root); err != nil {
		return nil, err
	}
	return s, m.members(s, words, n)
}

// interfaces decodes the interfaces of a root, and their policies.
func (m *v2Maps) interfaces(s *v2State, words, root []uint64) error {
	type pair struct{ in, out string }
	of := map[vpc.InterfaceID]pair{}
	policies := map[string]ruleset.Policy{}
	policyAt := map[uint32]string{}
	policy := func(at uint32) (string, error) {
		if name, ok := policyAt[at]; ok {
			return name, nil
		}
		if uint64(at)+v2PolicyWords > uint64(len(words)) {
			return "", errV2
		}
		pol, err := v2Policy(sourceAt(words, uint64(at)+words[at+3]>>32))
		if err != nil {
			return "", err
		}
		// Its counters, two in a word, in the order in which its rules come first.
		table, i := uint64(at)+words[at+3]&0xffffffff, uint64(0)
		seen := map[vpc.RuleID]bool{}
		for _, r := range pol.Rules {
			if seen[r.ID] {
				continue
			}
			seen[r.ID] = true
			if table+i/2 >= uint64(len(words)) {
				return "", errV2
			}
			s.places[ruleKey{r.ID, pol.Direction}] = uint32(words[table+i/2] >> (32 * (i % 2)))
			i++
		}
		policies[pol.Name], policyAt[at] = pol, pol.Name
		return pol.Name, nil
	}
	for number := range uint32(v2Interfaces) {
		slot := uint32(root[v2RootWords+number/2] >> (32 * (number % 2)))
		var r v2Rules
		if slot >= m.slots.MaxEntries() {
			return errV2
		}
		if slot == 0 {
			continue
		}
		if err := m.slots.Lookup(slot, &r); err != nil {
			return err
		}
		if r.Block == 0 {
			continue // it passes nothing, and without a ruleset it still does not
		}
		if uint64(r.Block)+v2BlockWords > uint64(len(words)) {
			return errV2
		}
		i, err := v2Interface(sourceAt(words, uint64(r.Block)+words[r.Block+2]))
		if err != nil {
			return err
		}
		var names pair
		if names.in, err = policy(r.Policy[dirIn]); err != nil {
			return err
		}
		if names.out, err = policy(r.Policy[dirOut]); err != nil {
			return err
		}
		of[i.ID], s.numbers[i.ID], s.slots[i.ID] = names, number, r
		s.rules.Interfaces = append(s.rules.Interfaces, i)
	}
	slices.SortFunc(s.rules.Interfaces, func(a, b ruleset.Interface) int { return cmp.Compare(a.ID, b.ID) })
	places := map[string]int{}
	for i, name := range slices.Sorted(maps.Keys(policies)) {
		places[name] = i
		s.rules.Policies = append(s.rules.Policies, policies[name])
	}
	for i := range s.rules.Interfaces {
		x := &s.rules.Interfaces[i]
		x.In, x.Out = places[of[x.ID].in], places[of[x.ID].out]
	}
	return nil
}

// members decodes the groups of addresses.
func (m *v2Maps) members(s *v2State, words []uint64, names *v2Names) error {
	var list []ruleset.Member
	add := func(number uint32, addr netip.Addr, value uint64) error {
		set := uint64(uint32(value))
		if value&v2MemberHistory != 0 {
			if set = v2SetInForce(words, set, uint32(s.control.Root>>32)); set == 0 {
				return nil // of an update that did not come to its end
			}
		}
		if set == 0 {
			return nil
		}
		if set >= uint64(len(words)) || words[set] > v2SetGroups || set+1+words[set] > uint64(len(words)) {
			return errV2
		}
		x := ruleset.Member{Addr: addr}
		var ok bool
		if x.VPC, ok = names.vpcs[number]; !ok {
			return errV2
		}
		for _, g := range words[set+1:][:words[set]] {
			id, ok := names.groups[uint32(g)]
			if !ok {
				return errV2
			}
			x.Groups = append(x.Groups, id)
		}
		slices.Sort(x.Groups)
		list = append(list, x)
		return nil
	}
	k4, v4, err := all[v2Member4Key, uint64](m.members4)
	if err != nil {
		return err
	}
	for i, k := range k4 {
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], k.AddrBe)
		if err := add(k.VPC, netip.AddrFrom4(b), v4[i]); err != nil {
			return err
		}
	}
	k6, v6, err := all[v2Member6Key, uint64](m.members6)
	if err != nil {
		return err
	}
	for i, k := range k6 {
		if err := add(k.VPC, netip.AddrFrom16(k.Addr), v6[i]); err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(a, b ruleset.Member) int {
		return cmp.Or(cmp.Compare(a.VPC, b.VPC), a.Addr.Compare(b.Addr))
	})
	s.rules.Members = ruleset.NewMembers(list...)
	return nil
}

// v2SetInForce returns the set that a history has for an epoch.
func v2SetInForce(words []uint64, at uint64, epoch uint32) uint64 {
	if at >= uint64(len(words)) {
		return 0
	}
	n := words[at]
	for i := range min(n, v2History, uint64(len(words))-at-1) {
		if w := words[at+1+i]; i+1 == n || int32(epoch-uint32(w>>32)) >= 0 {
			return uint64(uint32(w))
		}
	}
	return 0
}

type v2Names struct {
	vpcs   map[uint32]vpc.VPCID
	groups map[uint32]vpc.GroupID
}

func (n *v2Names) decode(b []byte) error {
	c := &coder{b: b}
	for k := c.readUint(); k > 0 && !c.bad; k-- {
		v := uint32(c.readUint())
		n.vpcs[v] = vpc.VPCID(c.readID(vpc.VPCPrefix))
	}
	for k := c.readUint(); k > 0 && !c.bad; k-- {
		v := uint32(c.readUint())
		n.groups[v] = vpc.GroupID(c.readID(vpc.GroupPrefix))
	}
	if c.bad || len(c.b) > 0 {
		return errV2
	}
	return nil
}

func v2Policy(b []byte) (p ruleset.Policy, err error) {
	c := &coder{b: b}
	p.Name = c.readText()
	n := c.readUint()
	p.Direction = n&1 == 1
	for range n >> 1 {
		var r ruleset.Rule
		r.Protocol = flow.Protocol(c.readInt())
		r.Ports = flow.PortRange{From: int32(c.readInt()), To: int32(c.readInt())}
		if r.Remote.Prefix = c.readPrefix(); !r.Remote.Prefix.IsValid() {
			r.Remote.Group = vpc.GroupID(c.readID(vpc.GroupPrefix))
		}
		r.ID = vpc.RuleID(c.readID(vpc.RulePrefix))
		if c.bad {
			return p, errV2
		}
		p.Rules = append(p.Rules, r)
	}
	if c.bad || len(c.b) > 0 {
		return p, errV2
	}
	return p, nil
}

func v2Interface(b []byte) (i ruleset.Interface, err error) {
	c := &coder{b: b}
	i.ID, i.VPC, i.MAC = vpc.InterfaceID(c.readText()), vpc.VPCID(c.readText()), c.readText()
	i.Check = c.readUint() == 1
	for n := c.readUint(); n > 0 && !c.bad; n-- {
		i.Own = append(i.Own, c.readPrefix())
	}
	for n := c.readUint(); n > 0 && !c.bad; n-- {
		c.readPrefix() // an exempt address: the first ruleset of this layout says what is exempt
	}
	var v [5]int32
	for j := range v {
		v[j] = int32(c.readInt())
	}
	i.Timeouts = ruleset.Timeouts{TCPEstablished: v[0], UDPStream: v[1], UDP: v[2]}
	i.OnRevoke = ruleset.OnRevoke{Mode: ruleset.Mode(v[3]), Drain: v[4]}
	if c.bad || len(c.b) > 0 || i.ID == "" {
		return i, errV2
	}
	return i, nil
}
