package server

import (
	"net"
	"net/http"
	"sync"
	"time"

	"moat/fault"
)

// freeBody is how much of a body is not counted: what every request may have, as
// most have no more.
const freeBody = 4 << 10

// keptBody is the largest buffer that is kept for another request.
const keptBody = 64 << 10

// A bodyBudget bounds the memory of bodies whose sender is not known yet. When
// it is used up, the body that has been arriving for longest is given up.
type bodyBudget struct {
	mu      sync.Mutex
	room    *sync.Cond
	left    int
	reading map[*arriving]struct{}
}

// An arriving body is one that is being read, or that waits for its signature to
// be checked.
type arriving struct {
	began  time.Time
	c      *http.ResponseController
	held   int
	ended  bool // given up
	proven bool // its connection has carried a good signature
}

func newBodyBudget(bytes int) *bodyBudget {
	b := &bodyBudget{left: bytes, reading: map[*arriving]struct{}{}}
	b.room = sync.NewCond(&b.mu)
	return b
}

// begin notes a body that is about to be read.
func (b *bodyBudget) begin(a *arriving) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading[a] = struct{}{}
}

// grow takes n bytes for a body, and reports whether it may go on.
func (b *bodyBudget) grow(a *arriving, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.left < n && !a.ended {
		if slowest := b.slowest(); slowest != nil {
			slowest.ended = true
			_ = slowest.c.SetReadDeadline(time.Unix(1, 0)) // without it the body ends by the server's own deadline
			b.room.Broadcast()                             // it may itself wait for room
			continue
		}
		b.room.Wait()
	}
	if a.ended {
		return false
	}
	b.left -= n
	a.held += n
	return true
}

// slowest gives the body to give up: of those that hold something the one that
// began first, those of unknown senders before others. It is nil while enough
// have been given up and only have to notice.
func (b *bodyBudget) slowest() *arriving {
	var slowest *arriving
	for a := range b.reading {
		switch {
		case a.held == 0:
		case a.ended:
			return nil
		case slowest == nil || !a.proven && slowest.proven || a.proven == slowest.proven && a.began.Before(slowest.began):
			slowest = a
		}
	}
	return slowest
}

// read notes that a body is there whole: it is not given up any more.
func (b *bodyBudget) read(a *arriving) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.reading, a)
}

// gaveUp reports whether a body was given up.
func (b *bodyBudget) gaveUp(a *arriving) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return a.ended
}

// end gives back what a body took.
func (b *bodyBudget) end(a *arriving) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.reading, a)
	b.left += a.held
	a.held = 0
	b.room.Broadcast()
}

// A limit bounds the connections of a listener that CorkedListener made. At the
// bound the slowest connection ends for a new one: one that has not carried a
// good signature before one that has, and of those the one that has been waited
// for longest. One whose request is being answered never does.
type limit struct {
	most  int
	ended func() // is told of each that ends

	mu   sync.Mutex
	open map[*corkedConn]struct{}
}

// LimitedListener is CorkedListener with at most so many connections.
func LimitedListener(l net.Listener, most int, m *Metrics) net.Listener {
	return corkedListener{l, &limit{most: most, open: map[*corkedConn]struct{}{}, ended: func() { m.throttled.WithLabelValues("connections").Inc() }}}
}

// admit makes room for a connection. It reports whether there is room.
func (l *limit) admit(c *corkedConn) bool {
	l.mu.Lock()
	var slowest *corkedConn
	if len(l.open) >= l.most {
		for o := range l.open {
			if !o.busy && (slowest == nil || !o.proven && slowest.proven || o.proven == slowest.proven && o.since.Before(slowest.since)) {
				slowest = o
			}
		}
		l.ended()
		if slowest == nil {
			l.mu.Unlock()
			return false
		}
		delete(l.open, slowest)
	}
	l.open[c] = struct{}{}
	l.mu.Unlock()
	if slowest != nil {
		slowest.Conn.Close()
	}
	return true
}

// note changes what is known of a connection.
func (c *corkedConn) note(change func()) {
	if c == nil || c.limit == nil {
		return
	}
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	change()
}

// signed notes that a connection carries a request whose sender is known.
func (c *corkedConn) signed() { c.note(func() { c.busy, c.proven = true, true }) }

// isProven reports whether a connection has carried a good signature.
func (c *corkedConn) isProven() (proven bool) {
	c.note(func() { proven = c.proven })
	return proven
}

// stateOfConnection notes that a connection begins to wait for its next request.
func stateOfConnection(c net.Conn, s http.ConnState) {
	if cc := corked(c); s == http.StateIdle {
		cc.note(func() { cc.busy, cc.since = false, time.Now() })
	}
}

// Close closes the connection, which then counts no more.
func (c *corkedConn) Close() error {
	c.note(func() { delete(c.limit.open, c) })
	return c.Conn.Close()
}

var errBodyGivenUp = fault.RequestLimitExceeded.Say("Request limit exceeded. The server gave up a request whose body arrived slowly.")
