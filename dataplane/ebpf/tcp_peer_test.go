package ebpf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// A tcpStep is a segment that the programs and the model get, some seconds after the
// one before.
type tcpStep struct {
	wait uint64
	tcpSegment
	big   bool // of more than 64 KiB, as its length field says
	words int  // of options beside the window scale
}

func (s tcpStep) String() string {
	var flags strings.Builder
	for _, f := range []struct {
		is   bool
		name string
	}{{s.syn, "S"}, {s.fin, "F"}, {s.rst, "R"}, {s.ack, "A"}, {s.fragment, " fragment"}, {s.big, " big"}} {
		if f.is {
			flags.WriteString(f.name)
		}
	}
	way := "in "
	if s.out {
		way = "out"
	}
	return fmt.Sprintf("wait %d %s %s seq %d+%d ack %d window %d scale %d", s.wait, way, flags.String(), s.seq, s.data, s.number, s.window, s.scale)
}

// A tcpPeer is one end of a connection, simple but plausible.
type tcpPeer struct {
	out           bool
	asked, talks  bool
	shut          bool
	next, expects uint32 // its next number, and the other's
	heard         bool   // expects is known
	heardScale    bool
	window        uint16
	scale         int
}

// A tcpGame is a sequence of segments of one pair of addresses and ports.
type tcpGame struct {
	*bench
	*rand.Rand
	six     bool
	local   uint16
	remote  uint16
	model   tcpModel
	adopted uint64 // seconds for which connections are adopted
	peers   [2]tcpPeer
	steps   []tcpStep
	ran     uint64 // seconds
}

const tcpAdopts = 1_000_000

func (b *bench) newTCPGame(r *rand.Rand) *tcpGame {
	g := &tcpGame{bench: b, Rand: r, six: r.IntN(3) == 0}
	port := func(allowed bool) uint16 {
		if allowed {
			return uint16(1000 + r.IntN(1000))
		}
		return uint16(2000 + r.IntN(60000))
	}
	switch r.IntN(4) {
	case 0:
		g.model.in = true
	case 1:
		g.model.out = true
	default:
		g.model.in, g.model.out = true, true
	}
	g.local, g.remote = port(g.model.in), port(g.model.out)
	if r.IntN(4) == 0 {
		g.adopted = tcpAdopts
	}
	g.peers[1].out = true
	return g
}

// begin forgets what was before.
func (g *tcpGame) begin() {
	g.t.Helper()
	g.model.flow, g.ran = nil, 0
	g.inForce().AdoptUntil = g.p.now() + uint32(g.adopted)
	key, six := g.key()
	g.forget(key, six, nil)
	if err := g.p.maps.EniStates.Put(g.p.numbers[eni], bpfEniState{}); err != nil {
		g.t.Fatal(err)
	}
}

// inForce is what is in force for the interface.
func (b *bench) inForce() *bpfRules {
	return &b.p.slots[slotIn(b.p.arena.words[b.p.have.root.at:], b.p.numbers[eni])]
}

func (g *tcpGame) addrs() (local, remote netip.Addr) {
	if g.six {
		return ownSix, awaySix
	}
	return ownFour, awayFour
}

func (g *tcpGame) key() (*bpfFlow6Key, bool) {
	local, remote := g.addrs()
	k := pkt{src: remote, dst: local, sport: g.remote, dport: g.local, proto: 6}
	key, six, _ := k.key(g.p.numbers[eni], false, true)
	return &key, six
}

// bytes makes the frame of a step.
func (g *tcpGame) bytes(s *tcpStep) []byte {
	local, remote := g.addrs()
	k := pkt{src: remote, dst: local, sport: g.remote, dport: g.local, proto: 6, seq: s.seq, ack: s.number, payload: make([]byte, s.data)}
	if s.out {
		k.src, k.dst, k.sport, k.dport = local, remote, g.local, g.remote
	}
	for bit, is := range []bool{s.fin, s.syn, s.rst, false, s.ack} {
		if is {
			k.flags |= 1 << bit
		}
	}
	k.tcpOptions = slices.Repeat([]byte{1}, 4*s.words)
	if s.scale >= 0 {
		k.tcpOptions = append(k.tcpOptions, 1, 3, 3, byte(s.scale))
	}
	if s.fragment {
		k.more, k.id, k.payload = true, 7, make([]byte, 64-20-len(k.tcpOptions))
		if g.six {
			k.chain = []byte{44}
		}
	}
	p := k.bytes()
	at := 34
	if g.six {
		at = 54
		if s.fragment {
			at += 8
		}
	}
	be.PutUint16(p[at+14:], s.window)
	if s.big {
		be.PutUint16(p[map[bool]int{false: 16, true: 18}[g.six]:], 0)
	}
	return p
}

// gsoContext tells the programs that a frame is one of many segments.
var gsoContext = func() []byte {
	c := make([]byte, 192) // struct __sk_buff
	c[176], c[177] = 0xa8, 5
	return c
}()

// passes runs the program of a step's direction.
func (g *tcpGame) passes(s *tcpStep) bool {
	g.t.Helper()
	if !s.big {
		return g.run(s.out, g.bytes(s))
	}
	prog := g.g.to
	if s.out {
		prog = g.g.from
	}
	ret, err := prog.Run(&ebpf.RunOptions{Data: g.bytes(s), Context: gsoContext})
	if err != nil {
		g.t.Fatal(err)
	}
	return int32(ret) == -1
}

// kernel is what the programs have of the connection.
func (g *tcpGame) kernel() tcpView {
	g.t.Helper()
	key, six := g.key()
	var f bpfFlowValue
	var err error
	if six {
		err = g.p.maps.Flows6.Lookup(key, &f)
	} else {
		err = g.p.maps.Flows4.Lookup(flow4(key), &f)
	}
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return tcpView{}
	}
	if err != nil {
		g.t.Fatal(err)
	}
	const (
		fin, rst, ack   = 1, 4, 16
		sent, told      = 1, 2
		out, half       = 1 << 16, 1 << 17
		synIn, synOut   = 1 << 19, 1 << 20
		scaleAt, lowest = 8, 15
	)
	v := tcpView{there: true, out: f.Bits&out != 0, half: f.Bits&half != 0}
	r := g.inForce()
	v.stale = f.Gen != r.Gen[dirIn] && !v.out || f.Gen != r.Gen[dirOut] && v.out
	for i := range v.sides {
		bits, k := f.Bits>>(8*i), f.Side[i]
		v.sides[i] = tcpSide{fin: bits&fin != 0, rst: bits&rst != 0, acked: bits&ack != 0,
			known: k.Bits&sent != 0, end: k.End, told: k.Bits&told != 0, next: k.Ack, edge: k.Limit, scale: int(k.Bits >> scaleAt & lowest)}
	}
	switch {
	case f.Bits&synIn != 0:
		v.waits = tcpSYN{end: f.Syn}
	case f.Bits&synOut != 0:
		v.waits = tcpSYN{out: true, end: f.Syn}
	}
	// What becomes of it follows from the bits, as patience and over of moat.bpf.c
	// and tcp.h read them; that they do is seen by waiting.
	as := tcpFlow{sides: v.sides}
	v.patience, v.over = as.patience(), as.over()
	return v
}

// step plays one, and returns an error where the programs differ from the model.
func (g *tcpGame) step(s *tcpStep) error {
	g.ran += s.wait
	g.p.control.NowOffset += s.wait
	g.model.adopts = g.ran < g.adopted
	want := g.model.packet(s.wait, &s.tcpSegment)
	if got := g.passes(s); got != want {
		return fmt.Errorf("%v: passes: %v, want %v", s, got, want)
	}
	if got, want := g.kernel(), g.model.view(); got != want {
		return fmt.Errorf("%v\nthe programs have %v\nwant %v", s, got, want)
	}
	return nil
}

// playSteps plays all steps from the beginning.
func (g *tcpGame) playSteps(steps []tcpStep) error {
	g.begin()
	for i := range steps {
		if err := g.step(&steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// shrink leaves out the steps that a difference does not need.
func (g *tcpGame) shrink(steps []tcpStep, err error) error {
	for again := true; again; {
		again = false
		for i := len(steps) - 1; i >= 0; i-- {
			fewer := slices.Delete(slices.Clone(steps), i, i+1)
			if e := g.playSteps(fewer); e != nil {
				steps, err, again = fewer, e, true
			}
		}
	}
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "  %v\n", s)
	}
	return fmt.Errorf("IPv6 %v, rules in %v out %v, adopted %v:\n%s%w", g.six, g.model.in, g.model.out, g.adopted > 0, b.String(), err)
}

var (
	tcpWindows = []uint16{0, 1, 100, 501, 29200, 65535}
	tcpScales  = []int{-1, 0, 1, 7, 7, 10, 14, 15}
	tcpData    = []uint32{0, 0, 1, 100, 536, 1448, 2900}
	tcpWaits   = []uint64{1, 7, 14, 45, 65, 400, 431_000, 432_010}
)

func oneOf[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// number begins a connection; often soon before the numbers wrap.
func (g *tcpGame) number() uint32 {
	if g.IntN(4) == 0 {
		return -uint32(g.IntN(5000))
	}
	return g.Uint32()
}

// next is the next step, which has not happened yet.
func (g *tcpGame) next() tcpStep {
	var s tcpStep
	switch n := g.IntN(20); {
	case n < 13:
		s.tcpSegment = g.says(g.IntN(2))
	case n < 18 || len(g.steps) == 0:
		s.tcpSegment = g.guess()
	default: // the network brings one again
		s = g.steps[g.IntN(len(g.steps))]
		s.wait = 0
	}
	if g.IntN(30) == 0 {
		s.wait = oneOf(g.Rand, tcpWaits)
		if f := g.model.flow; f != nil { // the clock may go on by a second meanwhile
			for _, edge := range []uint64{10, 60, 432_000} {
				if idle := f.idle + s.wait; idle+3 >= edge && idle <= edge+3 {
					s.wait += 8
				}
			}
		}
		if ran := g.ran + s.wait; ran+5 > tcpAdopts && ran < tcpAdopts+5 {
			s.wait += 20
		}
	}
	if !s.fragment {
		s.big = g.IntN(30) == 0
		if s.words = 0; g.IntN(4) == 0 {
			s.words = g.IntN(4)
		}
		s.fragment = !s.big && s.data == 0 && g.IntN(200) == 0
	}
	return s
}

// says is what a peer sends.
func (g *tcpGame) says(n int) tcpSegment {
	me, you := &g.peers[n], &g.peers[1-n]
	s := tcpSegment{out: me.out, scale: -1, window: oneOf(g.Rand, tcpWindows)}
	if g.IntN(3) > 0 {
		s.window = me.window
	}
	switch {
	case !me.asked && !me.talks && me.heard && g.IntN(8) > 0:
		// It has got a SYN.
		if s.ack, s.number = true, me.expects; g.IntN(8) == 0 {
			s.rst = true
			if me.heard = false; g.IntN(4) == 0 {
				s.number, s.ack, s.seq = 0, false, me.expects
			}
			return s
		}
		me.open(g)
		s.syn, s.seq, s.scale, s.window = true, me.next-1, me.scale, me.window
		if !me.heardScale && g.IntN(8) > 0 {
			s.scale = -1
		}
		me.talks = true
	case !me.asked && !me.talks:
		me.open(g)
		me.asked = true
		s.syn, s.seq, s.scale, s.window = true, me.next-1, me.scale, me.window
		if g.IntN(5) == 0 {
			s.data = oneOf(g.Rand, tcpData)
			me.next += s.data
		}
	case me.asked && !me.talks && !me.heard:
		// Still no answer: the SYN once more, or simply gone.
		s.syn, s.seq, s.scale = true, me.next-1, me.scale
		if g.IntN(6) == 0 {
			*me = tcpPeer{out: me.out}
		}
	default:
		me.talks = true
		s.ack, s.number, s.seq = true, me.expects, me.next
		switch g.IntN(16) {
		case 0:
			s.rst = true
			if g.IntN(2) == 0 {
				s.ack, s.number = false, 0
			}
			*me = tcpPeer{out: me.out}
		case 1, 2:
			if s.fin = !me.shut; s.fin {
				me.shut = true
				me.next++
			}
		case 3: // is the other still there?
			s.seq--
		case 4: // it has begun again
			*me = tcpPeer{out: me.out}
			s.rst, s.ack, s.number, s.seq = true, false, 0, you.expects
		case 5, 6, 7:
		case 8: // the beginning of a burst, whose rest is lost
			s.data = 1448
			me.next += 1448 * uint32(1+g.IntN(40))
		case 9: // again, more of it
			s.seq -= uint32(g.IntN(2000))
			s.data = 1448
			if ahead(s.end(), me.next) > 0 {
				me.next = s.end()
			}
		default:
			if !me.shut {
				s.data = oneOf(g.Rand, tcpData)
				me.next += s.data
			}
		}
		if me.shut && you.shut && g.IntN(3) == 0 { // both are done
			*me, *you = tcpPeer{out: me.out}, tcpPeer{out: you.out}
		}
	}
	if g.IntN(8) > 0 {
		you.hears(&s)
	}
	return s
}

func (p *tcpPeer) open(g *tcpGame) {
	p.next = g.number() + 1
	p.window, p.scale = oneOf(g.Rand, tcpWindows), oneOf(g.Rand, tcpScales)
}

func (p *tcpPeer) hears(s *tcpSegment) {
	switch {
	case s.rst:
		if p.heard && s.seq == p.expects || s.ack && s.number == p.next {
			*p = tcpPeer{out: p.out}
		}
	case s.syn && !p.talks:
		p.heard, p.expects, p.heardScale = true, s.end(), s.scale >= 0
	case ahead(s.seq, p.expects) <= 0 && ahead(s.end(), p.expects) > 0:
		p.expects = s.end()
	}
}

// guess is what an attacker sends, who may know some of the numbers.
func (g *tcpGame) guess() tcpSegment {
	s := tcpSegment{out: g.IntN(3) == 0, window: oneOf(g.Rand, tcpWindows), scale: oneOf(g.Rand, tcpScales), data: oneOf(g.Rand, tcpData)}
	switch g.IntN(10) {
	case 0, 1:
		s.rst = true
	case 2:
		s.rst, s.ack = true, true
	case 3, 4:
		s.fin, s.ack = true, true
	case 5:
		s.syn = true
	case 6:
		s.syn, s.ack = true, true
	case 7, 8:
		s.ack = true
	default:
		n := g.IntN(16)
		s.fin, s.syn, s.rst, s.ack = n&1 > 0, n&2 > 0, n&4 > 0, n&8 > 0
	}
	s.seq, s.number = g.near(s.out, false), g.near(s.out, true)
	return s
}

// near is a number at an edge of what matters.
func (g *tcpGame) near(out, ack bool) uint32 {
	f := g.model.flow
	if f == nil || g.IntN(8) == 0 {
		return g.Uint32()
	}
	me, you := f.side(out), f.side(!out)
	of := []uint32{me.end, you.next, you.edge, me.end + 1<<20, me.end - 1<<20, you.next + (me.end-you.next)/2}
	if ack {
		of = []uint32{you.end, you.end, me.next, me.next - 66000, me.next - (me.edge - me.next), you.end - 65535}
	}
	if f.waits != nil {
		of = append(of, f.waits.end, f.waits.end-f.waits.data)
	}
	n := oneOf(g.Rand, of)
	if g.IntN(2) == 0 {
		n += uint32(g.IntN(5)) - 2
	}
	return n
}

// tcpRules allows connections to the ports of a tcpGame.
func (b *bench) tcpRules() {
	b.t.Helper()
	apply(b.t, b.p, rules(b.t, "in tcp 1000-1999 from 10.1.0.0/16", "out tcp 1000-1999 to 10.1.0.0/16",
		"in tcp 1000-1999 from 2001:db8:1::/64", "out tcp 1000-1999 to 2001:db8:1::/64"))
	b.on(eni, 0)
}

// tcpDiffers plays random sequences of n segments, and returns the first in which the
// programs differ from the model.
func (b *bench) tcpDiffers(seed uint64, n int) error {
	b.t.Helper()
	b.tcpRules()
	for done := 0; done < n; seed++ {
		g := b.newTCPGame(rand.New(rand.NewPCG(seed, 7)))
		g.begin()
		for range 5 + g.IntN(60) {
			s := g.next()
			g.steps = append(g.steps, s)
			done++
			if err := g.step(&s); err != nil {
				return fmt.Errorf("seed %d: %w", seed, g.shrink(g.steps, err))
			}
		}
		g.begin()
	}
	return nil
}

// What is tracked of TCP is what the model says:
//
//	go test ./dataplane/ebpf -run TestTCPAsModel -packets 10000000 -timeout 1h
func TestTCPAsModel(t *testing.T) {
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	seed := uint64(time.Now().UnixNano())
	start := time.Now()
	if err := b.tcpDiffers(seed, *packets); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d segments from seed %d, %.0f a second", *packets, seed, float64(*packets)/time.Since(start).Seconds())
}

// One pair of addresses and ports carries 60 connections after each other, opened and
// closed by each side, by FIN and by reset. Each is over at once when it is closed, and
// nothing that is sent blindly in between ends it.
func TestTCPReuse(t *testing.T) {
	b := newBench(t, Options{Flows4: 1024, Flows6: 1024})
	b.tcpRules()
	r := rand.New(rand.NewPCG(1, 8))
	g := b.newTCPGame(r)
	g.model.in, g.model.out, g.adopted, g.local, g.remote = true, true, 0, 1000, 1001
	for i := range 120 {
		if g.six = i >= 60; i%60 == 0 {
			g.begin()
		}
		out, closer, reset := i&1 > 0, i&2 > 0, i&4 > 0 // who opens, who closes, and how
		next := map[bool]uint32{out: g.number(), !out: g.number()}
		send := func(s tcpSegment) {
			t.Helper()
			s.seq, s.window = next[s.out], 29200
			if s.ack {
				s.number = next[!s.out]
			}
			if s.scale = -1; !s.rst {
				next[s.out] = s.end()
			}
			if err := g.step(&tcpStep{tcpSegment: s}); err != nil {
				t.Fatal(i, err)
			}
		}
		send(tcpSegment{out: out, syn: true})
		send(tcpSegment{out: !out, syn: true, ack: true})
		send(tcpSegment{out: out, ack: true})
		for _, from := range []bool{out, !out, out} {
			send(tcpSegment{out: from, ack: true, data: 1448})
		}
		open := g.model.view()
		for range 50 {
			s := g.guess()
			s.out, s.seq, s.number = false, r.Uint32(), r.Uint32()
			if err := g.step(&tcpStep{tcpSegment: s}); err != nil {
				t.Fatal(i, err)
			}
		}
		now := g.model.view()
		if now.waits = open.waits; now != open || open.over || open.patience != 432_000 {
			t.Fatalf("connection %d: blind segments change\n%v\nto\n%v", i, open, now)
		}
		if reset {
			send(tcpSegment{out: closer, rst: true})
		} else {
			send(tcpSegment{out: closer, fin: true, ack: true})
			send(tcpSegment{out: !closer, fin: true, ack: true})
			send(tcpSegment{out: closer, ack: true})
		}
		if !g.kernel().over {
			t.Fatalf("connection %d is closed and not over: %v", i, g.kernel())
		}
	}
}
