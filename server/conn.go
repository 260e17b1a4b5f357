package server

import (
	"context"
	"net"
	"net/http"
	"sync"
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
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.buf)
	if cap(c.buf) > maxHeld {
		c.buf = nil
	}
	c.buf = c.buf[:0]
	return err
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
type corkedListener struct{ net.Listener }

func (l corkedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &corkedConn{Conn: c}, nil
}

// CorkedListener gives a listener whose connections can be corked.
func CorkedListener(l net.Listener) net.Listener { return corkedListener{l} }

type corkKey struct{}

// withCork makes a connection's cork known to its requests. Under TLS the
// records are corked below it. HTTP/2, whose requests share a connection, is
// not offered.
func withCork(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if cc, ok := c.(*corkedConn); ok {
		return context.WithValue(ctx, corkKey{}, cc)
	}
	return ctx
}

func corkOf(ctx context.Context) *corkedConn {
	c, _ := ctx.Value(corkKey{}).(*corkedConn)
	return c
}

// NewHTTPServer gives the HTTP server of a handler, with the limits that a
// public listener needs.
func NewHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       withCork,
	}
}
