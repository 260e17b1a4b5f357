package ebpf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"moat/dataplane"
	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

var _ dataplane.Prober = (*Plane)(nil)

// Probe finds the programs at an interface's device by asking the kernel, not
// by what was attached, and runs those on packets made of the interface's own
// rules: in each direction one that a rule allows and one that none does.
func (p *Plane) Probe(ctx context.Context, id vpc.InterfaceID) (*dataplane.Proof, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	b := p.bound[id]
	if b == nil {
		return nil, fmt.Errorf("interface %s is not bound to a device", id)
	}
	proof := &dataplane.Proof{Revision: p.have.rules.Rev}
	if is := p.arena.words[uint32(p.control.Root)]; is != proof.Revision {
		return nil, fmt.Errorf("the kernel enforces revision %d, not %d", is, proof.Revision)
	}
	if err := within(b.Binding.Netns, func(ns uint32) error {
		if ns != b.bpfBinding.Netns {
			return fmt.Errorf("the network namespace %s is another one now", b.Binding.Netns)
		}
		for dir, hook := range b.hooks() {
			if err := p.probe(b, dir, hook, proof); err != nil {
				return fmt.Errorf("%s: %w", direction(dir), err)
			}
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("probe %s on %s: %w", id, b.Binding.Device, err)
	}
	return proof, nil
}

func direction(dir int) flow.Direction {
	if dir == dirOut {
		return flow.Egress
	}
	return flow.Ingress
}

// probe runs the program at one hook of a device. It is in the device's
// network namespace.
func (p *Plane) probe(b *bound, dir int, hook ebpf.AttachType, proof *dataplane.Proof) error {
	at, err := b.first(hook)
	if err != nil {
		return err
	}
	g, err := p.programsOf(b.bpfBinding.Netns)
	if err != nil {
		return err
	}
	info, err := [2]*ebpf.Program{dirIn: g.to, dirOut: g.from}[dir].Info()
	if err != nil {
		return err
	}
	if ours, _ := info.ID(); at != ours {
		return fmt.Errorf("program %d is the first at the device, and not Moat's, which is %d: it may let packets pass", at, ours)
	}
	prog, err := ebpf.NewProgramFromID(at)
	if err != nil {
		return fmt.Errorf("the program at the device: %w", err)
	}
	defer prog.Close()
	rs, observes := p.have.rules, b.Flags&deviceObserve != 0 || b.until != 0 && int32(p.now()-b.until) >= 0
	for _, want := range []bool{true, false} {
		k, ok := p.trialPacket(b, rs, direction(dir), want)
		if !ok {
			continue
		}
		before := p.refused(b.number)
		ret, err := prog.Run(&ebpf.RunOptions{Data: k.bytes(b.Flags&deviceL3 != 0), Context: skb{Ifindex: b.bpfBinding.Index}})
		if err != nil {
			return fmt.Errorf("run the program at the device: %w", err)
		}
		if k.tracked {
			if err := p.tend(tendDrop, k.six, []bpfFlow6Key{k.key}, nil); err != nil {
				return err
			}
		}
		passes := int32(ret) == -1
		if observes && !want && passes {
			passes = p.refused(b.number) == before
		}
		switch {
		case passes && !want:
			return fmt.Errorf("the program lets %s pass, which no rule of revision %d allows", &k, rs.Rev)
		case !passes && want:
			return fmt.Errorf("the program drops %s, which a rule of revision %d allows", &k, rs.Rev)
		case want:
			proof.Passed++
		default:
			proof.Dropped++
		}
	}
	return nil
}

// first gives the program that sees a device's packets first. The caller is in
// its network namespace.
func (b *bound) first(hook ebpf.AttachType) (ebpf.ProgramID, error) {
	none := errors.New("no program of Moat is at the device: it was taken off behind its back; detach and attach it again")
	q, err := link.QueryPrograms(link.QueryOptions{Target: int(b.bpfBinding.Index), Attach: hook})
	switch {
	case err == nil && len(q.Programs) > 0:
		return q.Programs[0].ID, nil
	case b.Clsact == 0 && err != nil:
		return 0, fmt.Errorf("ask which programs are at the device: %w", err)
	case b.Clsact == 0:
		return 0, none
	}
	dev, err := netlink.LinkByIndex(int(b.bpfBinding.Index))
	if err != nil {
		return 0, err
	}
	all, err := netlink.FilterList(dev, b.bpfFilter(-1, hook).Parent)
	if err != nil {
		return 0, fmt.Errorf("ask which filters are at the device: %w", err)
	}
	// They come in their order.
	if len(all) == 0 {
		return 0, none
	}
	f, ok := all[0].(*netlink.BpfFilter)
	if !ok {
		return 0, fmt.Errorf("a filter of type %s is the first at the device, and not Moat's: it may let packets pass", all[0].Type())
	}
	return ebpf.ProgramID(f.Id), nil
}

// refused gives how many packets of an interface were refused.
func (p *Plane) refused(n uint32) (sum uint64) {
	var counts []bpfEniCount
	if p.maps.EniCounts.Lookup(n, &counts) != nil {
		return 0
	}
	for _, c := range counts {
		for _, n := range c.Drops {
			sum += n
		}
	}
	return sum
}

// A trialPacket is the packet of a probe.
type trialPacket struct {
	ruleset.Flow
	src, dst netip.Addr
	sport    uint16
	key      bpfFlow6Key // of the flow that it would be of
	six      bool
	tracked  bool // it begins that flow if it passes
	mac      net.HardwareAddr
}

func (k *trialPacket) String() string {
	what := fmt.Sprintf("%v to port %d", k.Protocol, k.Port)
	switch k.Protocol {
	case flow.TCP, flow.UDP:
	case flow.ICMP, flow.ICMPv6:
		what = fmt.Sprintf("%v type %d code %d", k.Protocol, k.Port, k.Code)
	default:
		what = fmt.Sprintf("protocol %v", k.Protocol)
	}
	return fmt.Sprintf("%s from %s to %s", what, k.src, k.dst)
}

// reserved are addresses for documentation, of which nobody has flows.
var reserved = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8::1")}

// trialPacket gives a packet that Judge allows, or does not, between an address
// of the interface and a remote one; false if there is none. Of no flow that
// there is.
func (p *Plane) trialPacket(b *bound, rs *ruleset.Ruleset, d flow.Direction, allowed bool) (trialPacket, bool) {
	var rules []ruleset.Rule
	var own []netip.Addr
	i := rs.Interface(b.Binding.Interface)
	if i == nil {
		own = reserved[2:] // it passes nothing
	} else {
		for _, o := range i.Own {
			own = append(own, o.Addr())
		}
		rules = rs.Policies[i.In].Rules
		if d == flow.Egress {
			rules = rs.Policies[i.Out].Rules
		}
	}
	try := func(remote netip.Addr, proto flow.Protocol, port uint16, code uint8) (trialPacket, bool) {
		f := ruleset.Flow{Interface: b.Binding.Interface, Direction: d, Remote: remote, Protocol: proto, Port: port, Code: code}
		at := slices.IndexFunc(own, func(o netip.Addr) bool { return o.Is4() == remote.Is4() })
		if at < 0 || !remote.IsValid() || remote.Is4In6() || rs.Judge(f).Allowed != allowed {
			return trialPacket{}, false
		}
		if i != nil && slices.ContainsFunc(i.Own, func(o netip.Prefix) bool { return o.Contains(remote) }) {
			return trialPacket{}, false // nobody sends to himself by the device
		}
		k, ok := p.free(b, f, own[at])
		if i != nil {
			k.mac, _ = net.ParseMAC(i.MAC)
		}
		return k, ok
	}
	if !allowed {
		const discard = 9
		remotes, ports := slices.Clone(reserved), []uint16{discard, 1, 65_000}
		for _, r := range rules[:min(len(rules), 16)] {
			if x := r.Remote.Prefix; x.IsValid() {
				remotes = append(remotes, x.Addr().Prev(), last(x).Next())
			}
			ports = append(ports, uint16(r.Ports.From-1), uint16(r.Ports.To+1))
		}
		for _, remote := range remotes {
			for _, port := range ports {
				for _, proto := range []flow.Protocol{flow.TCP, flow.UDP} {
					if k, ok := try(remote, proto, port, 0); ok {
						return k, true
					}
				}
			}
		}
		return trialPacket{}, false
	}
	// Rather one that no flow is made of.
	for _, tracked := range []bool{false, true} {
		for n := range rules {
			r := &rules[n]
			proto, port, code := r.Protocol, uint16(max(r.Ports.From, 0)), uint8(0)
			switch r.Protocol {
			case flow.AllProtocols:
				proto, port = flow.TCP, 1
			case flow.ICMP, flow.ICMPv6:
				if code = uint8(max(r.Ports.To, 0)); r.Ports.To < 0 {
					code = 1
				}
			}
			for _, remote := range remotesOf(rs, i.VPC, r) {
				if k, ok := try(remote, proto, port, code); ok && k.tracked == tracked {
					return k, true
				}
			}
		}
	}
	return trialPacket{}, false
}

// remotesOf gives addresses that a rule may mean.
func remotesOf(rs *ruleset.Ruleset, v vpc.VPCID, r *ruleset.Rule) (all []netip.Addr) {
	if x := r.Remote.Prefix; x.IsValid() {
		for _, a := range reserved {
			if x.Contains(a) {
				all = append(all, a)
			}
		}
		return append(all, last(x), x.Addr())
	}
	for m := range rs.Members.All() {
		if m.VPC == v && slices.Contains(m.Groups, r.Remote.Group) {
			if all = append(all, m.Addr); len(all) == 4 {
				break
			}
		}
	}
	return all
}

// free gives the packet of a flow that there is not.
func (p *Plane) free(b *bound, f ruleset.Flow, own netip.Addr) (k trialPacket, ok bool) {
	k = trialPacket{Flow: f, src: f.Remote, dst: own, six: own.Is6()}
	if f.Direction == flow.Egress {
		k.src, k.dst = own, f.Remote
	}
	switch {
	case f.Protocol == flow.UDP && slices.Contains([]uint16{67, 68, 546, 547}, f.Port):
		return k, false // DHCP has a law of its own
	case k.six && slices.Contains([]flow.Protocol{0, 43, 44, 60}, f.Protocol):
		return k, false // it would be an extension header
	case k.six && f.Protocol == flow.ICMPv6 && (f.Port >= 130 && f.Port <= 137 || f.Port == 143):
		return k, false // so do neighbour discovery and MLD
	case f.Protocol == flow.ICMP || f.Protocol == flow.ICMPv6:
		// Queries begin flows: those of code 0.
		k.tracked = f.Code == 0
		if k.six && f.Protocol == flow.ICMP || !k.six && f.Protocol == flow.ICMPv6 {
			return k, false
		}
	default:
		k.tracked = f.Protocol != flow.TCP // a reset begins none
	}
	be := func(v uint16) uint16 { return v<<8 | v>>8 }
	for k.sport = range uint16(8) { // nobody sends from these ports
		lport, rport := f.Port, k.sport
		switch f.Protocol {
		case flow.TCP, flow.UDP, flow.ICMP, flow.ICMPv6:
		default:
			lport, rport = 0, 0
		}
		if f.Direction == flow.Egress {
			lport, rport = rport, lport
		}
		table, key := p.maps.Flows6, any(nil)
		k.key = bpfFlow6Key{}
		if k.six {
			k.key = bpfFlow6Key{Eni: b.number, Local: own.As16(), Remote: f.Remote.As16(), LportBe: be(lport), RportBe: be(rport), Proto: uint8(f.Protocol)}
			key = &k.key
		} else {
			*flow4(&k.key) = bpfFlow4Key{Eni: b.number, LocalBe: memberKey4(0, own).AddrBe, RemoteBe: memberKey4(0, f.Remote).AddrBe,
				LportBe: be(lport), RportBe: be(rport), Proto: uint8(f.Protocol)}
			table, key = p.maps.Flows4, flow4(&k.key)
		}
		var v bpfFlowValue
		if errors.Is(table.Lookup(key, &v), ebpf.ErrKeyNotExist) {
			return k, true
		}
	}
	return k, false
}

// bytes gives the packet, with an Ethernet header or without.
func (k *trialPacket) bytes(bare bool) (b []byte) {
	be := binary.BigEndian
	var t []byte
	switch k.Protocol {
	case flow.TCP:
		t = be.AppendUint16(be.AppendUint16(t, k.sport), k.Port)
		t = append(t, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, seenRST, 0, 0, 0, 0, 0, 0)
	case flow.UDP:
		t = be.AppendUint16(be.AppendUint16(t, k.sport), k.Port)
		t = append(t, 0, 8, 0, 0)
	case flow.ICMP, flow.ICMPv6:
		t = be.AppendUint16([]byte{byte(k.Port), k.Code, 0, 0}, k.sport)
		t = append(t, 0, 0)
	default:
		t = make([]byte, 8)
	}
	if !bare {
		b = append(b, 2, 0, 0, 0, 0, 1)
		b = append(b, slices.Concat(k.mac, make(net.HardwareAddr, 6))[:6]...)
	}
	if k.six {
		if !bare {
			b = append(b, 0x86, 0xdd)
		}
		b = be.AppendUint16(append(b, 0x60, 0, 0, 0), uint16(len(t)))
		b = append(b, byte(k.Protocol), 64)
	} else {
		if !bare {
			b = append(b, 8, 0)
		}
		b = be.AppendUint16(append(b, 0x45, 0), uint16(20+len(t)))
		b = append(b, 0, 0, 0, 0, 64, byte(k.Protocol), 0, 0)
	}
	b = append(append(b, k.src.AsSlice()...), k.dst.AsSlice()...)
	return append(b, t...)
}
