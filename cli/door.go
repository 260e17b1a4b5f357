package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"moat/ec2query"
	"moat/fault"
	"moat/server"
	"moat/store"
	"moat/vpc"
)

// A door is where the server listens. Its handler can change: while the database of
// a host that enforces is unavailable, calls get an error that says so.
type door struct {
	scheme   string
	listener net.Listener
	metrics  net.Listener // nil for none
	http     *http.Server
	handler  atomic.Pointer[http.Handler]
	serving  sync.Once
	failed   chan error
}

// openDoor listens. A host that enforces waits for an address that does not exist
// yet, for example before the network is up.
func openDoor(ctx context.Context, s *settings, host *hostPlane, metrics *server.Metrics, logger *slog.Logger) (*door, error) {
	d := &door{scheme: "http", failed: make(chan error, 2)}
	var certificates []tls.Certificate
	if s.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("load --tls-cert and --tls-key: %w", err)
		}
		d.scheme, certificates = "https", []tls.Certificate{cert}
	}
	listen := func(address, flag string) (l net.Listener, err error) {
		err = persist(ctx, host, logger, "listen at "+address, func() (err error) {
			if l, err = net.Listen("tcp", address); err != nil {
				return fmt.Errorf("listen: %w: choose another address with %s", err, flag)
			}
			return nil
		}, nil)
		return l, err
	}
	var err error
	if d.listener, err = listen(s.listen, "--listen"); err != nil {
		return nil, err
	}
	if s.metricsListen != "" {
		if d.metrics, err = listen(s.metricsListen, "--metrics-listen"); err != nil {
			d.close()
			return nil, err
		}
	}
	d.listener = server.LimitedListener(d.listener, s.maxConnections, metrics)
	if certificates != nil {
		d.listener = tls.NewListener(d.listener, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	d.http = server.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*d.handler.Load()).ServeHTTP(w, r) }))
	d.http.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	return d, nil
}

// serve makes h the handler.
func (d *door) serve(h http.Handler) {
	d.handler.Store(&h)
	d.serving.Do(func() {
		go func() { d.failed <- d.http.Serve(d.listener) }()
	})
}

// url is where commands on this machine reach the server.
func (d *door) url() string { return d.scheme + "://" + reachable(d.listener.Addr()) }

func (d *door) close() {
	if d.http != nil {
		d.http.Close()
	}
	d.listener.Close()
	if d.metrics != nil {
		d.metrics.Close()
	}
}

// unavailable answers while there is no database: each kind of caller in its own
// form. What the operator may ask for meanwhile, admin answers.
func unavailable(reason string, admin http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		switch {
		case r.URL.Path == "/healthz":
			fmt.Fprintln(w, "ok")
			return
		case r.URL.Path == "/readyz":
			body = []byte(reason + "\n")
		case strings.HasPrefix(r.URL.Path, server.AdminPath):
			admin.ServeHTTP(w, r)
			return
		default:
			w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
			body = ec2query.AppendError(nil, fault.Unavailable.Say("%s", reason), uuid.NewString())
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write(body)
	})
}

// Pauses between two attempts.
const (
	firstPause = time.Second
	longPause  = 15 * time.Second
)

// persist tries something until it succeeds if the host enforces, because a process
// that ends no longer binds devices that appear. On other hosts it tries once. After
// each failure it calls told, unless that is nil.
func persist(ctx context.Context, host *hostPlane, logger *slog.Logger, what string, try func() error, told func(error)) error {
	said := ""
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := try()
		if err == nil {
			if said != "" {
				logger.Info(what + ": succeeded")
			}
			return nil
		}
		if !host.holds() || ctx.Err() != nil {
			return err
		}
		if err.Error() != said {
			said = err.Error()
			logger.Error("cannot "+what+", trying again; what this host enforced before stays in force", "host", host.Host, "revision", host.booting.Rev, "err", err)
		}
		if told != nil {
			told(err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// openStore opens the database and reads the state.
func openStore(ctx context.Context, s *settings, host *hostPlane, d *door, metrics *server.Metrics, logger *slog.Logger) (log *store.Etcd, st *store.Store, err error) {
	err = persist(ctx, host, logger, "open the database", func() error {
		var err error
		if log, err = openEtcd(ctx, s, logger); err != nil {
			return err
		}
		st, err = store.Open(ctx, log, store.Options{
			LocalReads: s.reads == "local", NewEventID: uuid.NewString, Logger: logger, OnCommit: metrics.Committed,
		})
		if err != nil {
			log.Close()
		}
		return err
	}, func(err error) {
		reason := fmt.Sprintf("The database is unavailable: %v. This host still enforces revision %d.", err, host.booting.Rev)
		d.serve(unavailable(reason, host.offline(s, d, reason, logger)))
	})
	return log, st, err
}

// offline answers the operator while there is no database, with the key that an
// earlier start left in the data directory.
func (h *hostPlane) offline(s *settings, d *door, reason string, logger *slog.Logger) *server.Offline {
	o := &server.Offline{
		Enforcement: h.Enforcement, Booting: h.booting, Region: s.region, Account: vpc.AccountID(s.account), Version: Version(), Reason: reason,
	}
	e, err := readEndpoint(s.dataDir)
	if err != nil {
		return o // nobody has a key
	}
	o.AccessKeyID, o.Secret = e.AccessKeyID, e.SecretAccessKey
	if url := d.url(); e.URL != url {
		e.URL = url
		if err := writeEndpoint(s.dataDir, e); err != nil {
			logger.Warn("the server's address cannot be written to the data directory", "err", err)
		}
	}
	return o
}
