package store_test

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"moat/store"
)

// An etcdServer is an etcd that others connect to, on a socket in a directory.
type etcdServer struct {
	t      *testing.T
	socket string
	cfg    *embed.Config
	e      *embed.Etcd
}

func startEtcd(t *testing.T, change ...func(*embed.Config)) *etcdServer {
	t.Helper()
	// A socket's name has room for 108 bytes: t.TempDir is too long.
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &etcdServer{t: t, socket: filepath.Join(dir, "client")}
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
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *etcdServer) start() {
	s.t.Helper()
	c := *s.cfg
	e, err := embed.StartEtcd(&c)
	if err != nil {
		s.t.Fatal(err)
	}
	<-e.Server.ReadyNotify()
	s.e = e
}

func (s *etcdServer) stop() {
	if s.e != nil {
		s.e.Close()
		s.e = nil
	}
}

func (s *etcdServer) open() store.Log {
	s.t.Helper()
	return s.openAt(s.socket)
}

func (s *etcdServer) openAt(socket string) store.Log {
	s.t.Helper()
	log, err := store.OpenCluster(s.t.Context(), store.Cluster{Endpoints: []string{"unix://" + socket}}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return log
}
