package ebpf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/vpc"
)

// What the program tend does with flows.
const (
	tendExpire = 1
	tendJudge  = 2
	tendDrop   = 3
	tendKeys   = 32

	tendedCut = 2
)

const (
	seenFIN  = 1
	seenRST  = 4
	seenACK  = 16
	seenMore = 128
	flowOut  = 1 << 16
	flowCut  = 1 << 18
)

// eachFlow calls f for all tracked flows, with the key as tend wants it, until
// f gives false.
func (p *Plane) eachFlow(f func(k bpfFlow6Key, six bool, v bpfFlowValue) bool) error {
	type value = [unsafe.Sizeof(bpfFlowValue{})]byte
	on := true
	// As bytes, which the library copies in one go.
	err := batches(p.maps.Flows4, func(keys [][unsafe.Sizeof(bpfFlow4Key{})]byte, values []value) bool {
		for i := range keys {
			var k bpfFlow6Key
			*flow4(&k) = *(*bpfFlow4Key)(unsafe.Pointer(&keys[i]))
			if on = f(k, false, *(*bpfFlowValue)(unsafe.Pointer(&values[i]))); !on {
				return false
			}
		}
		return true
	})
	if err != nil || !on {
		return err
	}
	return batches(p.maps.Flows6, func(keys [][unsafe.Sizeof(bpfFlow6Key{})]byte, values []value) bool {
		for i := range keys {
			if !f(*(*bpfFlow6Key)(unsafe.Pointer(&keys[i])), true, *(*bpfFlowValue)(unsafe.Pointer(&values[i]))) {
				return false
			}
		}
		return true
	})
}

// proto gives the protocol of a flow's key.
func proto(k *bpfFlow6Key, six bool) uint8 {
	if six {
		return k.Proto
	}
	return flow4(k).Proto
}

// tend has the kernel do something with flows, and calls cut for those that
// were cut.
func (p *Plane) tend(what uint32, six bool, keys []bpfFlow6Key, cut func(bpfFlow6Key)) error {
	for len(keys) > 0 {
		var t bpfTending
		n := copy(t.Keys[:], keys)
		keys = keys[n:]
		t.What, t.N = what, uint32(n)
		if six {
			t.Six = 1
		}
		size := int(unsafe.Sizeof(t))
		in := make([]byte, 14+size)
		copy(in[14:], unsafe.Slice((*byte)(unsafe.Pointer(&t)), size))
		r := ebpf.RunOptions{Data: in, DataOut: make([]byte, len(in))}
		if <-p.searchers.loaded; p.searchers.err != nil {
			return fmt.Errorf("tend flows: %w", p.searchers.err)
		}
		ret, err := p.searchers.tend.Run(&r)
		if err != nil || ret != 0 {
			return fmt.Errorf("tend flows: %d: %w", ret, err)
		}
		if cut == nil {
			continue
		}
		done := r.DataOut[14+int(unsafe.Offsetof(t.Done)):]
		for i := range n {
			if done[i] == tendedCut {
				cut(t.Keys[i])
			}
		}
	}
	return nil
}

// What walks are for.
const (
	walkExpired = 1
	walkStale   = 2
	walkOf      = 3
)

// A search says which flows are wanted; see bpf/moat.h.
type search struct {
	what         uint32
	enis, wholly []uint32
	kept         bits
}

type bits []uint64

func (b bits) set(n uint32)      { b[n/64] |= 1 << (n % 64) }
func (b bits) has(n uint32) bool { return n/64 < uint32(len(b)) && b[n/64]>>(n%64)&1 != 0 }

// some has the flows that are wanted tended to.
func (p *Plane) some(what uint32, s search, cut func(k bpfFlow6Key, six bool)) error {
	keys, err := p.find(s)
	if err != nil {
		return err
	}
	for i := range keys {
		six := i == 1
		if err := p.tend(what, six, keys[i], func(k bpfFlow6Key) {
			if cut != nil {
				cut(k, six)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// find gives the keys of the flows that are wanted, IPv4 and IPv6 ones. The
// kernel looks for them, where it can: of 100,000 flows it takes it some
// milliseconds to find ten, and reading them all takes a hundred.
func (p *Plane) find(s search) (keys [2][]bpfFlow6Key, err error) {
	p.walking.Lock()
	defer p.walking.Unlock()
	w := p.walk
	*w = bpfWalk{What: s.what, Now: p.now()}
	enis, wholly, kept := bits(w.Enis[:]), bits(w.Wholly[:]), bits(w.Kept[:])
	for _, n := range s.enis {
		enis.set(n)
	}
	for _, n := range s.wholly {
		wholly.set(n)
	}
	copy(kept, s.kept)
	<-p.searchers.loaded
	if walkers := p.searchers.walkers; walkers[0] != nil {
		if keys[0], err = p.walked(walkers[0], p.maps.Flows4, unsafe.Sizeof(bpfFlow4Key{})); err == nil {
			keys[1], err = p.walked(walkers[1], p.maps.Flows6, unsafe.Sizeof(bpfFlow6Key{}))
		}
		return keys, err
	}
	now := p.now()
	var k bpfFlow6Key
	var v bpfFlowValue
	err = p.eachFlow(func(key bpfFlow6Key, six bool, value bpfFlowValue) bool {
		k, v = key, value
		r := p.rulesOf(k.Eni)
		wanted := enis.has(k.Eni)
		switch s.what {
		case walkExpired:
			idle := int32(now - v.Seen)
			wanted = idle > 0 && uint32(idle) > patience(&r, proto(&k, six), six, v.Bits)
		case walkStale:
			dir := dirIn
			if v.Bits&flowOut != 0 {
				dir = dirOut
			}
			wanted = wanted && v.Bits&flowCut == 0 && v.Gen != r.Gen[dir] && (wholly.has(k.Eni) || !kept.has(v.Rule))
		}
		if wanted {
			i := 0
			if six {
				i = 1
			}
			keys[i] = append(keys[i], k)
		}
		return true
	})
	return keys, err
}

// walked reads the keys, of a size, that an iterator over a table gives.
func (p *Plane) walked(walker *ebpf.Program, table *ebpf.Map, size uintptr) (keys []bpfFlow6Key, err error) {
	it, err := link.AttachIter(link.IterOptions{Program: walker, Map: table})
	if err != nil {
		return nil, fmt.Errorf("look for flows: %w", err)
	}
	defer it.Close()
	f, err := it.Open()
	if err != nil {
		return nil, fmt.Errorf("look for flows: %w", err)
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	have := 0
	for {
		n, err := f.Read(buf[have:])
		have += n
		at := 0
		for ; have-at >= int(size); at += int(size) {
			var k bpfFlow6Key
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&k)), unsafe.Sizeof(k)), buf[at:at+int(size)])
			keys = append(keys, k)
		}
		have = copy(buf, buf[at:have])
		switch {
		case errors.Is(err, io.EOF):
			return keys, nil
		case errors.Is(err, unix.EAGAIN): // it has seen a million, none of which was wanted
		case err != nil:
			return nil, fmt.Errorf("look for flows: %w", err)
		}
	}
}

func (p *Plane) dropFlows(n uint32) error {
	var s bpfEniState
	if err := p.maps.EniStates.Lookup(n, &s); err == nil && s.all() == 0 {
		return nil
	}
	if err := p.some(tendDrop, search{what: walkOf, enis: []uint32{n}}, nil); err != nil {
		return err
	}
	return p.clearState(n)
}

const assured = 64

// all gives the flows of both families.
func (s *bpfEniState) all() int64 { return s.Flows[0] + s.Flows[1] }

// clearState has an interface have no flows, whatever was counted.
func (p *Plane) clearState(n uint32) error {
	var s bpfEniState
	if err := p.maps.EniStates.Lookup(n, &s); err != nil {
		return err
	}
	for i, mine := range s.Flows {
		atomic.AddInt64(&p.share.Used[i], -max(0, mine-assured))
	}
	return p.maps.EniStates.Put(n, bpfEniState{})
}

// collect removes expired flows, so that their room is free: that they are
// expired, packets see for themselves. It ends what has drained. Where no process
// does this, a packet that is dropped for want of room does.
func (p *Plane) collect() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for n := 1; ; n++ {
		atomic.StoreUint32(&p.reclaim.Collected, p.now())
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.drained()
			if n%5 == 0 {
				p.expire()
			}
		}
	}
}

func (p *Plane) expire() error { return p.some(tendExpire, search{what: walkExpired}, nil) }

// drained cuts the idle flows whose time to live without a rule is over.
func (p *Plane) drained() {
	over := map[uint32]*kept{}
	p.mu.Lock()
	for n, until := range p.drains {
		if int32(p.now()-until) >= 0 {
			over[n] = &kept{}
			delete(p.drains, n)
		}
	}
	p.mu.Unlock()
	if len(over) > 0 {
		p.sweep(over)
	}
}

// patience is bpf/moat.bpf.c's: the seconds after which a flow without a
// packet is forgotten.
func patience(r *bpfRules, proto uint8, six bool, bits uint32) uint32 {
	in, out := bits&0xff, bits>>8&0xff
	switch {
	case bits&flowCut != 0:
		return 10
	case proto == 6 && (in|out)&seenRST != 0:
		return 10
	case proto == 6 && in&out&seenFIN == 0 && in&out&seenACK != 0:
		return r.TcpEstablished
	case proto == 6:
		return 60
	case proto == 17 && in&out&seenMore != 0:
		return uint32(r.UdpStream)
	case proto == 17:
		return uint32(r.Udp)
	case proto == 1 && !six || proto == 58 && six:
		return 30
	}
	return 600
}

// sweep finds the flows of interfaces whose access shrank, that no packet may
// show for long, and cuts those that no rule allows any more.
func (p *Plane) sweep(narrowed map[uint32]*kept) {
	p.sweeping.Lock()
	defer p.sweeping.Unlock()
	// A device that observes loses no flow.
	p.mu.Lock()
	for _, b := range p.bound {
		if b.Flags&deviceObserve != 0 || b.until != 0 && int32(p.now()-b.until) >= 0 {
			delete(narrowed, b.number)
		}
	}
	p.mu.Unlock()
	if len(narrowed) == 0 {
		return
	}
	s := search{what: walkStale, kept: make(bits, len(p.walk.Kept))}
	lost := make(bits, len(p.walk.Kept))
	for n, k := range narrowed {
		s.enis = append(s.enis, n)
		if k[dirIn] == nil && k[dirOut] == nil {
			s.wholly = append(s.wholly, n)
		}
		for _, rules := range k {
			if rules != nil {
				rules.mark(s.kept, lost)
			}
		}
	}
	for i := range lost {
		s.kept[i] &^= lost[i]
	}
	var cut [2][]bpfFlow6Key
	look := func() error {
		return p.some(tendJudge, s, func(k bpfFlow6Key, six bool) {
			i := 0
			if six {
				i = 1
			}
			cut[i] = append(cut[i], k)
		})
	}
	// It may fail for want of memory; those that were cut are not cut again.
	for n := 0; look() != nil && n < 50 && p.pause(100*time.Millisecond); n++ {
	}
	p.provokeAll(cut)
	if len(cut[0])+len(cut[1]) == 0 {
		return
	}
	// What is sent once may be lost. Whoever was reset answers with a reset.
	p.work.Go(func() {
		if p.pause(time.Second) {
			p.provokeAll(cut)
		}
	})
}

// pause waits; false if the plane is closed.
func (p *Plane) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-p.stop:
		return false
	}
}

func (p *Plane) provokeAll(cut [2][]bpfFlow6Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range cut {
		for _, k := range cut[i] {
			if !p.closed {
				p.provoke(k, i == 1)
			}
		}
	}
}

// skb is struct __sk_buff, as far as a test run takes it.
type skb struct {
	_       [2]uint32
	Mark    uint32
	_       [7]uint32
	Ifindex uint32
	_       uint32
	CB      [5]uint32
}

// provoke makes the workload answer in a TCP connection that was cut, so that
// the answer's numbers make the resets that both peers believe: it gets a bare
// acknowledgement of nothing, as from its peer. The caller holds mu.
func (p *Plane) provoke(k bpfFlow6Key, six bool) {
	if proto(&k, six) != 6 {
		return
	}
	n, packet := k.Eni, []byte(nil)
	var s bpfEniState
	if p.maps.EniStates.Lookup(n, &s) != nil {
		return
	}
	var b *bound
	for _, x := range p.bound {
		if x.number == n {
			b = x
		}
	}
	// A device without Ethernet headers takes this one off.
	if b == nil || b.Flags&deviceL3 == 0 && s.Mac == [8]uint8{} {
		return
	}
	packet = append(packet, s.Mac[:6]...)
	packet = append(packet, 2, 0, 0, 0, 0, 0)
	ports := make([]byte, 4)
	if six {
		packet = append(packet, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64)
		packet = append(append(packet, k.Remote[:]...), k.Local[:]...)
		binary.NativeEndian.PutUint16(ports, k.RportBe)
		binary.NativeEndian.PutUint16(ports[2:], k.LportBe)
	} else {
		f := flow4(&k)
		packet = append(packet, 8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0)
		packet = binary.NativeEndian.AppendUint32(packet, f.RemoteBe)
		packet = binary.NativeEndian.AppendUint32(packet, f.LocalBe)
		binary.NativeEndian.PutUint16(ports, f.RportBe)
		binary.NativeEndian.PutUint16(ports[2:], f.LportBe)
		binary.BigEndian.PutUint16(packet[24:], checksum(packet[14:34], 0))
	}
	addrs := packet[len(packet)-8:]
	if six {
		addrs = packet[len(packet)-32:]
	}
	tcp := append(ports, 0x4d, 0x6f, 0x61, 0x74, 0, 0, 0, 0, 0x50, seenACK, 0, 0, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(tcp[16:], checksum(append(tcp[:20:20], addrs...), 6+20))
	packet = append(packet, tcp...)
	ctx := skb{Ifindex: b.bpfBinding.Index}
	if b.Flags&deviceWorkload != 0 {
		ctx.CB[0] = 1
	}
	within(b.Binding.Netns, func(ns uint32) error {
		if ns != b.bpfBinding.Netns {
			return nil
		}
		_, err := p.inject.Run(&ebpf.RunOptions{Data: packet, Context: ctx})
		return err
	})
}

// checksum is the Internet's.
func checksum(b []byte, sum uint32) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// Stats reports what was counted since the interfaces were bound.
func (p *Plane) Stats(ctx context.Context) (*dataplane.Stats, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	s := &dataplane.Stats{Rules: map[vpc.RuleID]dataplane.RuleStats{}, Drops: map[vpc.InterfaceID]map[string]uint64{},
		WithoutRule: map[vpc.InterfaceID]map[string]uint64{}, Flows: map[vpc.InterfaceID]uint64{}, TurnedAway: p.turnedAway()}
	start := time.Now().Add(-time.Duration(p.now()) * time.Second)
	var each []bpfRuleStat
	for k, n := range p.counters.places {
		if err := p.maps.RuleStats.Lookup(n, &each); err != nil {
			return nil, fmt.Errorf("read the counters of %s: %w", k.id, err)
		}
		r := dataplane.RuleStats{Direction: k.direction}
		last := uint64(0)
		for _, c := range each {
			r.Packets += c.Packets
			r.Bytes += c.Bytes
			r.Connections += c.Connections
			last = max(last, c.Last)
		}
		if last > 0 {
			r.LastHit = start.Add(time.Duration(last) * time.Second)
		}
		s.Rules[k.id] = r
	}
	var counts []bpfEniCount
	for id, b := range p.bound {
		if err := p.maps.EniCounts.Lookup(b.number, &counts); err != nil {
			return nil, fmt.Errorf("read the counters of %s: %w", id, err)
		}
		var state bpfEniState
		if err := p.maps.EniStates.Lookup(b.number, &state); err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", id, err)
		}
		drops, without := map[string]uint64{}, map[string]uint64{}
		for _, c := range counts {
			for i, n := range c.Drops {
				if n > 0 {
					drops[reasons[i]] += n
				}
			}
			for i, n := range c.WithoutRule {
				if n > 0 {
					without[kinds[i]] += n
				}
			}
			if c.WouldDrop > 0 {
				drops[WouldDrop] += c.WouldDrop
			}
		}
		s.Drops[id], s.WithoutRule[id] = drops, without
		s.Flows[id] = uint64(max(state.all(), 0))
	}
	return s, nil
}

// WouldDrop counts, among the drops of an interface that observes, the packets
// that it let pass all the same.
const WouldDrop = "would_drop"

// reasons are the names of DROP_* in bpf/moat.h.
var reasons = [18]string{"no_ruleset", "no_rule", "malformed", "fragment", "vlan", "protocol", "spoofed", "extensions",
	"flow_allowance", "half_open_allowance", "table_full", "cut", "internal", "arp_spoofed",
	"destination", "mac_spoofed", "options", "rate"}

// kinds are the names of WITHOUT_RULE_* in bpf/moat.h.
var kinds = [6]string{"arp", "nd", "mld", "dhcp", "dhcp6", "icmp_error"}

// flow4 gives the IPv4 key in the beginning of a key.
func flow4(k *bpfFlow6Key) *bpfFlow4Key { return (*bpfFlow4Key)(unsafe.Pointer(k)) }
