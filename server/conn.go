package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A corked connection holds writes back until it is uncorked, and then makes
// one of them. net/http sends a header and a body that is longer than its
// buffer in several writes, each of them a packet and a system call.
//
// Under TLS two goroutines write: the one that answers a request, and the one
// by which net/http waits for the next, which answers alerts and key updates
// of the client.
type corkedConn struct {
	net.Conn
	mu   sync.Mutex
	held bool
	buf  []byte
	rest [][]byte // a body that follows

	limit        *limit // nil for none; it guards what follows
	since        time.Time
	busy, proven bool
}

func (c *corkedConn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

func (c *corkedConn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	var err error
	switch {
	case c.rest != nil:
		pieces := append(net.Buffers{c.buf}, c.rest...)
		_, err = pieces.WriteTo(c.Conn)
		c.rest = nil
	case len(c.buf) > 0:
		_, err = c.Conn.Write(c.buf)
	}
	if cap(c.buf) > maxHeld {
		c.buf = nil
	}
	c.buf = c.buf[:0]
	if err != nil {
		// net/http took what was held for written. Nothing may follow an answer
		// of which a part is missing: the next one would be taken for its rest.
		c.Close()
	}
	return err
}

// ReadFrom is called by net/http for a body of known length that is copied to
// a reply, after the header. The pieces of a long gathered one are not copied.
func (c *corkedConn) ReadFrom(src io.Reader) (int64, error) {
	g, ok := src.(*gathered)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	n := g.len()
	if held := c.hold(g.pieces, n); held {
		return int64(n), nil
	}
	return int64(n), c.uncork()
}

// hold holds pieces back that have n bytes together, copied if they are short,
// and reports whether the connection is corked.
func (c *corkedConn) hold(pieces [][]byte, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.buf)+n > maxHeld {
		c.rest = pieces
		return c.held
	}
	for _, p := range pieces {
		c.buf = append(c.buf, p...)
	}
	return c.held
}

// A gathered body is one in pieces, which nobody changes until it is sent. It
// can be read as any other; a corked connection takes the pieces.
type gathered struct{ pieces [][]byte }

func (g *gathered) len() (n int) {
	for _, p := range g.pieces {
		n += len(p)
	}
	return n
}

func (g *gathered) Read(b []byte) (n int, err error) {
	for n < len(b) && len(g.pieces) > 0 {
		c := copy(b[n:], g.pieces[0])
		n += c
		if g.pieces[0] = g.pieces[0][c:]; len(g.pieces[0]) == 0 {
			g.pieces = g.pieces[1:]
		}
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// maxHeld is the largest buffer that an idle connection keeps.
const maxHeld = 16 << 10

// Write writes, or holds a copy back: the caller may use p again.
func (c *corkedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held {
		return c.Conn.Write(p)
	}
	c.buf = append(c.buf, p...)
	return len(p), nil
}

// CloseWrite closes one half, as net/http wants of a TCP connection.
func (c *corkedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// corkedListener gives corked connections. Go sets TCP_NODELAY on each
// connection by itself.
type corkedListener struct {
	net.Listener
	limit *limit
}

func (l corkedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		cc := &corkedConn{Conn: c, limit: l.limit, since: time.Now()}
		if l.limit == nil || l.limit.admit(cc) {
			return cc, nil
		}
		c.Close()
	}
}

// CorkedListener gives a listener whose connections can be corked.
func CorkedListener(l net.Listener) net.Listener { return corkedListener{l, nil} }

type corkKey struct{}

// openedKey is that of the time at which a request's connection was opened.
type openedKey struct{}

// ofConnection makes known to a connection's requests when it was opened, and
// its cork.
func ofConnection(ctx context.Context, c net.Conn) context.Context {
	return withCork(context.WithValue(ctx, openedKey{}, time.Now()), c)
}

// withCork makes a connection's cork known to its requests. Under TLS the
// records are corked below it. HTTP/2, whose requests share a connection, is
// not offered.
func withCork(ctx context.Context, c net.Conn) context.Context {
	if cc := corked(c); cc != nil {
		return context.WithValue(ctx, corkKey{}, cc)
	}
	return ctx
}

// corked gives the corked connection that a connection is, or is on top of.
func corked(c net.Conn) *corkedConn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	cc, _ := c.(*corkedConn)
	return cc
}

func corkOf(ctx context.Context) *corkedConn {
	c, _ := ctx.Value(corkKey{}).(*corkedConn)
	return c
}

// writeTimeout bounds how long an answer may take from the end of the
// request's header; a client that takes nothing would else hold its goroutine,
// and the view it reads from, for as long as it likes. Long answers that go on
// move the end ahead of them: see patient.
const writeTimeout = 2 * time.Minute

// NewHTTPServer gives the HTTP server of a handler, with the limits that a
// public listener needs.
func NewHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       ofConnection,
		ConnState:         stateOfConnection,
	}
}
