package firewall_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moat/test/clause"
)

// A cell is one flow of the matrix.
type cell struct {
	*flow
	talk *talk // nil of an idle one
	mode string
	// spared: another rule allows it, untracked: EC2 does not track it.
	spared, untracked bool
	ping, idle        bool
}

// TestRevokeMatrix: what becomes of open flows when their rule goes away, for
// TCP, UDP and ICMP, begun by either side, by IPv4 and IPv6, in use and idle,
// in each mode. Beside each flow is one of the next address, whose rule stays.
//
// In the long form flows are idle for a minute:
//
//	go test ./test/firewall -run TestRevokeMatrix -long
func TestRevokeMatrix(t *testing.T) {
	clause.Holds(t, "F10", "F11", "F12")
	idle, drain := 1500*time.Millisecond, 8*time.Second
	if *long {
		idle, drain = time.Minute, 20*time.Second
	}
	l := newLab(t)
	far, next := l.machine("far"), l.machine("next")
	ports := map[bool][]int{false: {1000, 1001, 1002, 1003}, true: {2000, 2001, 2002, 2003}} // by whether the workload begins
	answerers := map[*machine]*answerer{far: far.answerer(ports[true]...), next: next.answerer(ports[true]...)}
	rules := func(m *machine, ports string) []string {
		return []string{"tcp " + ports + " " + m.four + "/32", "udp " + ports + " " + m.four + "/32", "icmp " + m.four + "/32",
			"tcp " + ports + " " + m.six + "/128", "udp " + ports + " " + m.six + "/128", "icmpv6 " + m.six + "/128"}
	}
	both := func(direction string) (open []string) {
		p := map[string]string{"Ingress": "1000-1003", "Egress": "2000-2003"}[direction]
		return []string{"tcp " + p + " 0.0.0.0/0", "udp " + p + " 0.0.0.0/0", "icmp 0.0.0.0/0", "tcp " + p + " ::/0", "udp " + p + " ::/0", "icmpv6 ::/0"}
	}
	everything := []string{"-1 0.0.0.0/0", "-1 ::/0"}

	var mu sync.Mutex
	var cells []*cell
	var opening sync.WaitGroup
	add := func(c *cell, from *machine, protocol string, six bool, to *answerer, port int) {
		opening.Go(func() {
			f, err := from.begin(c.name(protocol, six, port >= 2000), protocol, six, to, port)
			if err != nil {
				t.Errorf("%s: begin: %v", f.name, err)
				return
			}
			c.flow = f
			if !c.idle {
				c.talk = f.talk(100 * time.Millisecond)
			}
			mu.Lock()
			cells = append(cells, c)
			mu.Unlock()
		})
	}
	var revokes []func()
	closed := map[string]*machine{}
	for _, mode := range []string{"cut", "aws", fmt.Sprintf("drain %d", drain/time.Second)} {
		group := l.group("g-"+mode[:3], "moat:on-revoke", mode)
		for d, p := range map[string]string{"Ingress": "1000-1003", "Egress": "2000-2003"} {
			l.authorize(group, d, slices.Concat(rules(far, p), rules(next, p))...)
			revokes = append(revokes, func() { l.revoke(group, d, rules(far, p)...) })
		}
		w := l.machine(mode[:3], group)
		closed[mode] = w
		answerers[w] = w.answerer(ports[false]...)
		for _, remote := range []*machine{far, next} {
			for _, protocol := range []string{"tcp", "udp", "icmp"} {
				for i := range 4 {
					c := &cell{mode: mode[:3], spared: remote == next, ping: protocol == "icmp", idle: i%2 == 1}
					other := *c
					add(c, remote, protocol, i/2 == 1, answerers[w], ports[false][i])
					add(&other, w, protocol, i/2 == 1, answerers[remote], ports[true][i])
				}
			}
		}
	}
	// What EC2 does not track: a rule for everybody while the other direction is
	// open to everybody.
	for _, out := range []bool{false, true} {
		direction, back := "Ingress", "Egress"
		if out {
			direction, back = back, direction
		}
		group := l.group("open-"+direction, "moat:on-revoke", "aws")
		l.authorize(group, direction, both(direction)...)
		l.authorize(group, back, everything...)
		revokes = append(revokes, func() { l.revoke(group, direction, both(direction)...) })
		w := l.machine("o-"+direction, group)
		a := w.answerer(ports[false]...)
		for _, protocol := range []string{"tcp", "udp", "icmp"} {
			for i := range 4 {
				c := &cell{mode: "aws", untracked: true, ping: protocol == "icmp", idle: i%2 == 1}
				if out {
					add(c, w, protocol, i/2 == 1, answerers[far], ports[out][i])
				} else {
					add(c, far, protocol, i/2 == 1, a, ports[out][i])
				}
			}
		}
	}
	opening.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if out := l.moat("status"); !strings.Contains(out, "EC2 lets tracked ones live") {
		t.Errorf("moat status does not say that cut differs from EC2:\n%s", out)
	}
	t.Logf("%d flows are open", len(cells))
	time.Sleep(idle)
	each := func(f func(c *cell) error) {
		t.Helper()
		var all sync.WaitGroup
		for _, c := range cells {
			all.Go(func() {
				if err := f(c); err != nil {
					t.Errorf("%s: %v", c.flow.name, err)
				}
			})
		}
		all.Wait()
	}
	each(func(c *cell) error {
		if c.talk == nil {
			return nil
		}
		return c.talk.goesOn()
	})
	if t.Failed() {
		t.Fatal("that was before the revoke")
	}
	began := time.Now()
	for _, f := range revokes {
		f()
	}
	revoked := time.Since(began)
	// Those that drain live on at first, and may end before the others have
	// been looked at.
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		each(func(c *cell) error {
			if c.mode != "dra" {
				return nil
			}
			if err := c.alive(); err != nil {
				return fmt.Errorf("%v after the revoke, in mode drain of %v: %w", time.Since(began).Round(time.Millisecond), drain, err)
			}
			return nil
		})
	}()
	each(func(c *cell) error {
		switch {
		case c.mode == "dra":
			return nil
		case c.spared || c.mode == "aws" && (c.ping || !c.untracked):
			return c.alive()
		case c.untracked:
			return c.dead(false)
		}
		return c.dead(true)
	})
	<-drained
	time.Sleep(time.Until(began.Add(revoked + drain + time.Second)))
	each(func(c *cell) error {
		switch {
		case c.spared || c.mode == "aws" && (c.ping || !c.untracked):
			return c.alive()
		case c.mode == "dra":
			return c.dead(true)
		}
		return nil
	})
	// Nothing new begins, but from the next address.
	var all sync.WaitGroup
	for mode, w := range closed {
		for _, protocol := range []string{"tcp", "udp", "icmp"} {
			for _, six := range []bool{false, true} {
				for _, out := range []bool{false, true} {
					for _, remote := range []*machine{far, next} {
						all.Go(func() {
							from, to, port := remote, answerers[w], 1000
							if out {
								from, to, port = w, answerers[remote], 2000
							}
							f, err := from.begin((&cell{mode: mode}).name(protocol, six, out), protocol, six, to, port)
							if (err == nil) != (remote == next) {
								t.Errorf("%s: a new one after the revoke: %v; allowed: %v", f.name, err, remote == next)
							}
						})
					}
				}
			}
		}
	}
	all.Wait()
}

func (c *cell) name(protocol string, six, out bool) string {
	name := c.mode + ", " + protocol
	if six {
		name += " by IPv6"
	}
	if out {
		name += ", begun by the workload"
	} else {
		name += ", begun by the other"
	}
	if c.idle {
		name += ", idle"
	}
	if c.spared {
		name += ", another rule stays"
	}
	if c.untracked {
		name += ", untracked"
	}
	return name
}

// forgotten reports whether the flow is so long idle that nobody remembers it:
// echo requests for half a minute.
func (c *cell) forgotten() bool { return *long && c.idle && c.ping && !c.spared }

func (c *cell) alive() error {
	if c.talk != nil {
		return c.talk.goesOn()
	}
	err := c.lives()
	if c.forgotten() {
		if err == nil {
			return errors.New("lives, though it was forgotten before the revoke")
		}
		return nil
	}
	return err
}

// dead waits for a flow's end; TCP ends by resets at both ends, where that is
// asked for, and an idle connection without a word of its own.
func (c *cell) dead(resets bool) error {
	const patience = 5 * time.Second
	if c.talk != nil {
		if err := c.talk.ends(patience); err != nil {
			return err
		}
		if resets && c.protocol == "tcp" {
			if !isReset(c.talk.err) {
				return fmt.Errorf("it ended by %v, want a reset", c.talk.err)
			}
			return c.otherWasReset(patience)
		}
		return nil
	}
	if resets && c.protocol == "tcp" {
		return c.wasReset(patience)
	}
	if c.lives() == nil {
		return errors.New("it lives")
	}
	return nil
}
