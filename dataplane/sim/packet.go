package sim

import (
	"net/netip"
	"time"

	"moat/flow"
	"moat/ruleset"
	"moat/vpc"
)

// A Packet is one packet at a bound device, as its interface sees it.
type Packet struct {
	// Direction is Egress for what the workload sends.
	Direction     flow.Direction
	Local, Remote netip.Addr
	Protocol      flow.Protocol
	// LocalPort and RemotePort are those of TCP and UDP.
	LocalPort, RemotePort uint16
	// TCP has the flags of a TCP packet.
	TCP uint8
	// Type, Code and Query are those of ICMP and ICMPv6; Query is the
	// identifier that a query shares with its answer.
	Type, Code uint8
	Query      uint16
	// Quoted is the packet that an ICMP error is about.
	Quoted *Packet
}

// Flags of TCP.
const (
	FIN = 1 << iota
	SYN
	RST
	_
	ACK
)

// An Outcome is what becomes of a packet.
type Outcome struct {
	Passed bool
	// Reason says why it was dropped, or would be by an interface that
	// observes.
	Reason string
	Rule   vpc.RuleID
}

// A flowKey names a flow at one interface, for both directions. Of an ICMP
// query the side that asks has the identifier as its port, the other the type.
type flowKey struct {
	on            vpc.InterfaceID
	local, remote netip.Addr
	lport, rport  uint16
	protocol      flow.Protocol
}

// tracked is a flow that passes without being judged again.
type tracked struct {
	gen      int // of the ruleset that admitted it
	rule     vpc.RuleID
	first    ruleset.Flow // as it was admitted
	seen     time.Time
	packets  [2]int
	flags    [2]uint8
	drainEnd time.Time
}

// Seconds that are nobody's to set: reference of EC2 for 600, usual practice
// for the rest.
const (
	halfOpen = 60 * time.Second
	closing  = 60 * time.Second
	reset    = 10 * time.Second
	query    = 30 * time.Second
	others   = 600 * time.Second
)

// Send gives a device a packet. It passes if the device has no filter.
func (h *Host) Send(netns, name string, p Packet) Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[place{netns, name}]
	if d == nil {
		return Outcome{Reason: "no device"}
	}
	if d.owner == nil || d.off {
		return Outcome{Passed: true}
	}
	e, id := d.owner, d.bound
	v, reason := e.judge(id, p, h.now())
	if v.Allowed {
		return Outcome{Passed: true, Rule: v.Rule}
	}
	b := e.bindings[id]
	observe := b.Observes(h.now())
	if observe {
		reason = "would_drop"
	}
	if e.stats.Drops[id] == nil {
		e.stats.Drops[id] = map[string]uint64{}
	}
	e.stats.Drops[id][reason]++
	return Outcome{Passed: observe, Reason: reason}
}

// judge is what the programs of a kernel do, in its order.
func (e *enacted) judge(id vpc.InterfaceID, p Packet, now time.Time) (ruleset.Verdict, string) {
	if e.rules == nil || e.rules.Interface(id) == nil {
		return ruleset.Verdict{}, "no_interface"
	}
	if e.denied[id] {
		return ruleset.Verdict{}, "no_rule"
	}
	i := e.rules.Interface(id)
	f := ruleset.Flow{Interface: id, Direction: p.Direction, Remote: p.Remote, Protocol: p.Protocol, Port: p.RemotePort}
	if p.Direction == flow.Ingress {
		f.Port = p.LocalPort
	}
	if isICMP(p.Protocol) {
		f.Port, f.Code = uint16(p.Type), p.Code
		if p.Quoted != nil && e.live(i, keyOf(id, *p.Quoted), now) != nil {
			return ruleset.Verdict{Allowed: true, Reason: ruleset.ByRule}, ""
		}
	}
	k := keyOf(id, p)
	if t := e.live(i, k, now); t != nil {
		if t.gen != e.gen {
			if again := e.rules.Judge(t.first); again.Allowed {
				t.gen, t.rule, t.drainEnd = e.gen, again.Rule, time.Time{}
			} else if !e.spare(i, t, now) {
				delete(e.flows, k)
				return ruleset.Verdict{}, "cut"
			}
		}
		t.see(p, now)
		v := ruleset.Verdict{Allowed: true, Rule: t.rule, Reason: ruleset.ByRule}
		e.count(v, false, 0, t.first.Direction, now)
		return v, ""
	}
	delete(e.flows, k)
	if i.Check && !owns(i, p.Local) {
		return ruleset.Verdict{}, "spoofed"
	}
	v := e.rules.Judge(f)
	e.count(v, true, 0, f.Direction, now)
	if !v.Allowed {
		return v, "no_rule"
	}
	if v.Reason == ruleset.ByRule && begins(p) && !e.untracked(i, p) {
		t := &tracked{gen: e.gen, rule: v.Rule, first: f}
		t.see(p, now)
		e.flows[k] = t
	}
	return v, ""
}

// begins reports whether a packet can be the first of a flow: of TCP it opens a
// connection.
func begins(p Packet) bool { return p.Protocol != flow.TCP || p.TCP&(SYN|ACK|RST) == SYN }

// spare reports whether a flow that no rule allows any more may live on.
func (e *enacted) spare(i *ruleset.Interface, t *tracked, now time.Time) bool {
	switch i.OnRevoke.Mode {
	case ruleset.AWS:
		return true
	case ruleset.Drain:
		if t.drainEnd.IsZero() {
			t.drainEnd = now.Add(time.Duration(i.OnRevoke.Drain) * time.Second)
		}
		return now.Before(t.drainEnd)
	}
	return false
}

// untracked tells flows that EC2 does not track: TCP and UDP to or from
// everybody, where the other direction is open to all on all ports. User
// guide, "Untracked connections".
func (e *enacted) untracked(i *ruleset.Interface, p Packet) bool {
	if i.OnRevoke.Mode != ruleset.AWS || p.Protocol != flow.TCP && p.Protocol != flow.UDP {
		return false
	}
	in, out := e.rules.Policies[i.In].Rules, e.rules.Policies[i.Out].Rules
	same, other, port := in, out, int32(p.LocalPort)
	if p.Direction == flow.Egress {
		same, other, port = out, in, int32(p.RemotePort)
	}
	everybody := func(r ruleset.Rule) bool {
		return r.Remote.Group == "" && r.Remote.Prefix.Bits() == 0 && r.Remote.Prefix.Contains(p.Remote)
	}
	byAny, open := false, false
	for _, r := range same {
		byAny = byAny || everybody(r) && (r.Protocol == flow.AllProtocols || r.Protocol == p.Protocol && r.Ports.From <= port && port <= r.Ports.To)
	}
	for _, r := range other {
		open = open || everybody(r) && r.Protocol == flow.AllProtocols
	}
	return byAny && open
}

// live gives a flow that is not expired, or nil.
func (e *enacted) live(i *ruleset.Interface, k flowKey, now time.Time) *tracked {
	t := e.flows[k]
	if t == nil || now.Sub(t.seen) > t.timeout(i, k.protocol) {
		return nil
	}
	return t
}

func (t *tracked) timeout(i *ruleset.Interface, p flow.Protocol) time.Duration {
	seconds := func(n int32) time.Duration { return time.Duration(n) * time.Second }
	all, both := t.flags[0]|t.flags[1], t.flags[0]&t.flags[1]
	switch {
	case p == flow.TCP && all&RST != 0:
		return reset
	case p == flow.TCP && both&FIN != 0:
		return closing
	case p == flow.TCP && all&SYN != 0 && both&ACK == 0:
		return halfOpen
	case p == flow.TCP:
		return seconds(i.Timeouts.TCPEstablished)
	case p == flow.UDP && t.packets[0] > 0 && t.packets[1] > 0 && t.packets[0]+t.packets[1] > 2:
		return seconds(i.Timeouts.UDPStream)
	case p == flow.UDP:
		return seconds(i.Timeouts.UDP)
	case isICMP(p):
		return query
	}
	return others
}

func (t *tracked) see(p Packet, now time.Time) {
	d := 0
	if p.Direction == flow.Egress {
		d = 1
	}
	if p.TCP&SYN != 0 && p.TCP&ACK == 0 && t.flags[0]&t.flags[1]&FIN != 0 {
		t.flags, t.packets = [2]uint8{}, [2]int{} // the same ports again
	}
	t.seen = now
	t.packets[d]++
	t.flags[d] |= p.TCP
}

// queries has each ICMP query by its answer's type; asking has the queries.
var (
	queries = map[flow.Protocol]map[uint8]uint8{flow.ICMP: {0: 8, 14: 13, 16: 15, 18: 17}, flow.ICMPv6: {129: 128}}
	asking  = map[flow.Protocol]map[uint8]bool{flow.ICMP: {8: true, 13: true, 15: true, 17: true}, flow.ICMPv6: {128: true}}
)

func keyOf(id vpc.InterfaceID, p Packet) flowKey {
	k := flowKey{on: id, local: p.Local, remote: p.Remote, lport: p.LocalPort, rport: p.RemotePort, protocol: p.Protocol}
	if !isICMP(p.Protocol) {
		return k
	}
	asker := p.Direction
	k.lport, k.rport = p.Query, uint16(p.Type)
	if q, ok := queries[p.Protocol][p.Type]; ok {
		asker, k.rport = !p.Direction, uint16(q)
	} else if !asking[p.Protocol][p.Type] {
		k.lport = uint16(p.Code)
	}
	if asker == flow.Ingress {
		k.lport, k.rport = k.rport, k.lport
	}
	return k
}

func isICMP(p flow.Protocol) bool { return p == flow.ICMP || p == flow.ICMPv6 }

func owns(i *ruleset.Interface, a netip.Addr) bool {
	for _, p := range i.Own {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
