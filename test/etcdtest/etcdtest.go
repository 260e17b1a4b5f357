// Package etcdtest runs an etcd that stores connect to as to a cluster, and a
// proxy that loses what tests want lost.
package etcdtest

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

// An Server is an etcd that others connect to, on a socket in a directory.
type Server struct {
	t      testing.TB
	socket string
	cfg    *embed.Config
	e      *embed.Etcd
}

// Start starts an etcd, which is stopped at the end of the test.
func Start(t testing.TB, change ...func(*embed.Config)) *Server {
	t.Helper()
	// A socket's name has room for 108 bytes: t.TempDir is too long.
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{t: t, socket: filepath.Join(dir, "client")}
	cfg := embed.NewConfig()
	cfg.Name = "test"
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.Dir = filepath.Join(dir, "data")
	cfg.ListenPeerUrls = nil
	cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Path: s.socket}}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.UnsafeNoFsync = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	for _, f := range change {
		f(cfg)
	}
	s.cfg = cfg
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start starts the etcd again, on its data.
func (s *Server) Start() {
	s.t.Helper()
	c := *s.cfg
	e, err := embed.StartEtcd(&c)
	if err != nil {
		s.t.Fatal(err)
	}
	<-e.Server.ReadyNotify()
	s.e = e
}

// Stop stops it. Connected clients delay that for some seconds.
func (s *Server) Stop() {
	if s.e != nil {
		s.e.Close()
		s.e = nil
	}
}

// Endpoint is where clients connect to.
func (s *Server) Endpoint() string { return "unix://" + s.socket }

// Compact forgets etcd's own history up to now, as every cluster does in time.
func (s *Server) Compact() {
	s.t.Helper()
	c := v3client.New(s.e.Server)
	resp, err := c.Get(s.t.Context(), "x")
	if err == nil {
		_, err = c.Compact(s.t.Context(), resp.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// Put writes what is no business of moat's own.
func (s *Server) Put(key, value string) {
	s.t.Helper()
	if _, err := v3client.New(s.e.Server).Put(s.t.Context(), key, value); err != nil {
		s.t.Fatal(err)
	}
}

// A Proxy stands between clients and etcd. Its fields are changed in Set or Cut.
type Proxy struct {
	t        testing.TB
	socket   string
	upstream string
	l        net.Listener

	mu    sync.Mutex
	conns []net.Conn
	Down  bool // nobody gets through
	Deaf  bool // what etcd says is lost
	Mute  bool // what is said to etcd is lost
}

// Proxy gives a proxy; there can be one.
func (s *Server) Proxy() *Proxy {
	s.t.Helper()
	p := &Proxy{t: s.t, socket: filepath.Join(filepath.Dir(s.socket), "proxy"), upstream: s.socket}
	var err error
	if p.l, err = net.Listen("unix", p.socket); err != nil {
		s.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := p.l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	s.t.Cleanup(func() {
		p.l.Close()
		p.Cut(func() { p.Down = true })
		wg.Wait()
	})
	return p
}

// Endpoint is where clients connect to.
func (p *Proxy) Endpoint() string { return "unix://" + p.socket }

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	if p.Down {
		p.mu.Unlock()
		return
	}
	up, err := net.Dial("unix", p.upstream)
	if err != nil {
		p.mu.Unlock()
		return
	}
	p.conns = append(p.conns, c, up)
	p.mu.Unlock()
	defer up.Close()
	go p.copy(c, up, &p.Deaf)
	p.copy(up, c, &p.Mute)
}

func (p *Proxy) copy(to, from net.Conn, lost *bool) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		drop := *lost
		p.mu.Unlock()
		if drop {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Set changes what becomes of traffic; f sets the fields.
func (p *Proxy) Set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Cut ends every connection, and calls f before there are new ones.
func (p *Proxy) Cut(f func()) {
	p.Set(func() {
		for _, c := range p.conns {
			c.Close()
		}
		p.conns = nil
		f()
	})
}
