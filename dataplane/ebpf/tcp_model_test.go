package ebpf

import "fmt"

// A model of what docs/firewall.md promises of tracked TCP, in plain words of Go: it
// is written from the RFCs (9293, 5961, 7323, 7413) and from there, not from tcp.h.

// A tcpSegment is what the model sees of a packet.
type tcpSegment struct {
	out                bool // the workload sends it
	syn, ack, fin, rst bool
	seq, number        uint32 // number is what it acknowledges
	data               uint32 // its bytes
	window             uint16
	scale              int  // the window scale that it offers, -1 for none
	fragment           bool // the first of several fragments: its length is not known
}

func (s *tcpSegment) end() uint32 {
	n := s.seq + s.data
	if s.syn {
		n++
	}
	if s.fin {
		n++
	}
	return n
}

// opens reports whether a segment asks for a connection.
func (s *tcpSegment) opens() bool { return s.syn && !s.ack && !s.rst }

// ahead is how far one sequence number is ahead of another; below 0 it is behind.
func ahead(a, b uint32) int64 { return int64(int32(a - b)) }

// unscaled is the scale of a side that was never seen to offer one: the largest.
const unscaled = 14

// A tcpSide is what one side of a connection has sent.
type tcpSide struct {
	fin, rst, acked bool // a FIN, a reset, an acknowledgement that counted

	known bool   // end is known
	end   uint32 // behind the last byte

	told  bool // next and edge are known
	next  uint32
	edge  uint32 // the end of the largest window that it offered
	scale int
}

// A tcpSYN asks for a connection and waits for an answer.
type tcpSYN struct {
	out   bool
	end   uint32
	data  uint32
	scale int
}

// A tcpFlow is a tracked connection.
type tcpFlow struct {
	out     bool // it was admitted as a packet of the workload
	stale   bool // the rules must allow its next packet
	half    bool // it counts as half-open
	idle    uint64
	sides   [2]tcpSide // of the remote, of the workload
	waits   *tcpSYN
	adopted bool // nobody saw it begin
}

func (f *tcpFlow) side(out bool) *tcpSide {
	if out {
		return &f.sides[1]
	}
	return &f.sides[0]
}

// patience is how many seconds it lives without a packet.
func (f *tcpFlow) patience() uint64 {
	a, b := &f.sides[0], &f.sides[1]
	switch {
	case a.rst || b.rst:
		return 10
	case a.fin && b.fin:
		return 60
	case a.acked && b.acked:
		return 5 * 86400
	}
	return 60
}

// over reports whether its ports are free.
func (f *tcpFlow) over() bool {
	a, b := &f.sides[0], &f.sides[1]
	return a.rst || b.rst || a.fin && b.fin
}

// A tcpModel tracks the connections of one pair of addresses and ports.
type tcpModel struct {
	in, out bool // what the rules allow to begin
	adopts  bool // connections that were open before are tracked
	flow    *tcpFlow
}

// packet reports whether a segment passes, wait seconds after the one before.
func (m *tcpModel) packet(wait uint64, s *tcpSegment) bool {
	if m.flow != nil {
		if m.flow.idle += wait; m.flow.idle > m.flow.patience() {
			m.flow = nil
		}
	}
	allowed := m.in
	if s.out {
		allowed = m.out
	}
	if m.flow != nil && !s.opens() {
		m.flow.packet(s)
		return true
	}
	if !allowed {
		return false
	}
	if m.flow != nil && !m.flow.over() {
		m.flow.ask(s)
		return true
	}
	m.flow = nil
	if s.opens() || m.adopts && !s.rst {
		m.begin(s)
	}
	return true
}

func (m *tcpModel) begin(s *tcpSegment) {
	f := &tcpFlow{out: s.out, half: true, adopted: !s.opens()}
	m.flow = f
	if f.adopted {
		f.sides[0].scale, f.sides[1].scale = unscaled, unscaled
		f.count(s)
		return
	}
	f.ask(s)
	if me := f.side(s.out); !s.fragment {
		me.known, me.end = true, s.end()
	}
}

// ask is a SYN that a rule allows. It changes no number before it is answered.
func (f *tcpFlow) ask(s *tcpSegment) {
	f.idle = 0
	if s.fragment {
		return
	}
	asked := &tcpSYN{out: s.out, end: s.end(), data: s.data, scale: s.scale}
	if s.fin {
		asked.data++ // it takes a number like data
	}
	asked.data = min(asked.data, 2047)
	// Sent again without its data, it may still be answered with them.
	if was := f.waits; was != nil && was.out == s.out && was.data > asked.data && was.end-was.data == asked.end-asked.data {
		asked.end, asked.data = was.end, was.data
	}
	f.waits = asked
}

// answers reports whether a segment acknowledges the SYN that waits, with its data
// or without.
func (f *tcpFlow) answers(s *tcpSegment) bool {
	w := f.waits
	return w != nil && w.out != s.out && s.ack && !s.fragment &&
		ahead(s.number, w.end) <= 0 && ahead(w.end, s.number) <= int64(w.data)
}

// packet is one that passes because the connection is tracked.
func (f *tcpFlow) packet(s *tcpSegment) {
	f.idle, f.stale = 0, false
	if s.syn && !s.rst && f.answers(s) {
		f.connect(s)
	}
	f.count(s)
}

// connect is the answer to the SYN that waits: the connection that it asks for
// begins, if it is not the one that is tracked.
func (f *tcpFlow) connect(s *tcpSegment) {
	me, you, w := f.side(s.out), f.side(!s.out), f.waits
	f.waits = nil
	if me.known || you.told || !you.known || you.end != w.end {
		*me, *you = tcpSide{}, tcpSide{known: true}
		f.out, f.stale, f.adopted = w.out, true, false
	}
	you.end = s.number                                            // what it does not take of the SYN's data is sent again
	if me.scale, you.scale = 0, 0; w.scale >= 0 && s.scale >= 0 { // both offer one
		me.scale, you.scale = min(s.scale, 14), min(w.scale, 14)
	}
}

// count updates the connection by a segment, if the peers would take it.
func (f *tcpFlow) count(s *tcpSegment) {
	me, you := f.side(s.out), f.side(!s.out)
	switch {
	case s.fragment:
	case s.rst:
		if f.resets(s) {
			me.rst, f.half = true, false
		}
	case s.ack && f.plausible(s):
		if s.fin {
			me.fin, f.half = true, false
		}
		f.advance(me, you, s)
		me.acked = true
		if you.acked {
			f.half = false
		}
		// Whoever goes on has not believed the reset that it got.
		you.rst = false
	}
}

// resets reports whether the receiver would end the connection by a reset.
func (f *tcpFlow) resets(s *tcpSegment) bool {
	me, you := f.side(s.out), f.side(!s.out)
	if f.answers(s) {
		return true // nobody is there to take the SYN
	}
	switch {
	case you.told && me.known: // what it expects next, or will when all is there
		from := you.next
		if me.fin { // some send it with the number of the FIN, and Linux takes it
			from--
		}
		return ahead(s.seq, from) >= 0 && ahead(s.seq, max2(you.next, me.end)) <= 0
	case you.told:
		return s.seq == you.next
	case me.known:
		return s.seq == me.end
	}
	return false
}

// max2 is the later one of two sequence numbers.
func max2(a, b uint32) uint32 {
	if ahead(a, b) > 0 {
		return a
	}
	return b
}

// plausible reports whether a segment with an acknowledgement is in the window, and
// acknowledges what the other side may have sent.
func (f *tcpFlow) plausible(s *tcpSegment) bool {
	me, you := f.side(s.out), f.side(!s.out)
	if you.told {
		// One byte on either side: probes of an idle connection and of a full window.
		if ahead(s.end(), you.next) < -1 || ahead(s.end(), you.edge) > 1 {
			return false
		}
	}
	if f.leaps(s) {
		return false
	}
	switch {
	case me.told: // nothing that was not sent, and nothing very old: RFC 5961, 5.2
		return !(you.known && ahead(s.number, you.end) > 0) &&
			ahead(me.next, s.number) <= max(66000, ahead(me.edge, me.next))
	case me.known: // it asked for the connection: this is its first acknowledgement
		return you.known && ahead(s.number, you.end) <= 0 && ahead(you.end, s.number) <= 65535
	case f.adopted:
		return true
	}
	// The first segment of the side that received the SYN acknowledges it.
	return !you.known || s.number == you.end
}

// leaps reports whether a segment is too far from the last one where no window is
// known.
func (f *tcpFlow) leaps(s *tcpSegment) bool {
	me, you := f.side(s.out), f.side(!s.out)
	far := ahead(s.end(), me.end)
	return me.known && (!you.told || you.scale == unscaled) && (far >= 1<<20 || far < -(1<<20))
}

// advance takes the numbers of a segment.
func (f *tcpFlow) advance(me, you *tcpSide, s *tcpSegment) {
	if !me.known || ahead(s.end(), me.end) > 0 {
		me.known, me.end = true, s.end()
	}
	edge := uint32(s.window)
	if !s.syn { // RFC 7323, 2.2
		edge <<= me.scale
	}
	edge += s.number
	if !me.told {
		me.told, me.next, me.edge = true, s.number, edge
		if you.known && (ahead(s.number, you.end) > 0 || ahead(you.end, edge) > 0) {
			you.end = s.number
		}
		return
	}
	me.next, me.edge = max2(me.next, s.number), max2(me.edge, edge)
}

// A tcpView is what can be compared of the model and the kernel.
type tcpView struct {
	there, out, stale, half bool
	patience                uint64
	over                    bool
	sides                   [2]tcpSide
	waits                   tcpSYN
}

func (v tcpView) String() string {
	if !v.there {
		return "no flow"
	}
	return fmt.Sprintf("out %v stale %v half %v over %v patience %d\n  in  %+v\n  out %+v\n  waits %+v", v.out, v.stale, v.half, v.over, v.patience, v.sides[0], v.sides[1], v.waits)
}

func (m *tcpModel) view() tcpView {
	f := m.flow
	if f == nil {
		return tcpView{}
	}
	v := tcpView{there: true, out: f.out, stale: f.stale, half: f.half, patience: f.patience(), over: f.over(), sides: f.sides}
	if f.waits != nil {
		v.waits = tcpSYN{out: f.waits.out, end: f.waits.end}
	}
	return v
}
