package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"moat/agent"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

func serveCommand() *cobra.Command {
	s := &settings{}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.complete(c.Flags()); err != nil {
				return err
			}
			return serve(c.Context(), s)
		},
	}
	s.flags(c.Flags())
	return c
}

// serve runs a server until ctx ends. What is to be enforced is so before anything
// else: before the server listens, and before there is a database.
func serve(ctx context.Context, s *settings) error {
	logger, err := s.logger()
	if err != nil {
		return err
	}
	unlock, err := lockDataDir(s.dataDir)
	if err != nil {
		return err
	}
	defer unlock()
	host, err := beginEnforcing(ctx, s, logger)
	if err != nil {
		return err
	}
	defer host.close()
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		logger.Warn("cannot report to systemd that the server is ready", "err", err)
	}

	metrics := server.NewMetrics()
	door, err := openDoor(ctx, s, host, metrics, logger)
	if err != nil {
		return err
	}
	defer door.close()
	go keepHeap(ctx)
	var opened atomic.Pointer[store.Store]
	metrics.Gauge("moat_view_age_seconds", "How long ago the view of the state was known to be the newest.", func() float64 {
		if st := opened.Load(); st != nil {
			return st.Age().Seconds()
		}
		return server.Age(&host.booting, time.Now()).Seconds()
	})
	if door.metrics != nil {
		mux := http.NewServeMux()
		mux.Handle("/metrics", metrics.Handler())
		ms := server.NewHTTPServer(mux)
		go func() { door.failed <- ms.Serve(door.metrics) }()
		defer ms.Close()
	}
	log, st, err := openStore(ctx, s, host, door, metrics, logger)
	if err != nil {
		return err
	}
	opened.Store(st)
	defer func() {
		if err := st.Close(); err != nil {
			logger.Error("the store did not close cleanly", "err", err)
		}
	}()
	metrics.Gauge("moat_revision", "The revision of the state.", func() float64 { return float64(st.Latest().Rev) })

	host.run(ctx, st)
	enforcement := host.Enforcement
	defer host.stop()
	if a := enforcement.Agent; a != nil {
		metrics.Enforcement(a)
	}
	defer tellHosts(ctx, log, &enforcement, s.waitEnforced == "all", logger)()

	ring, err := s.secretRing(st.Latest(), logger)
	if err != nil {
		return err
	}
	api := server.New(st, server.Config{
		Region: s.region, Account: vpc.AccountID(s.account), Regions: s.regions, AnyAuth: s.auth == "any", AllowedHosts: s.hosts(), BodyMemory: s.maxBodyMemory,
		Quotas: s.quotaTable, TrustedProxies: s.proxies, Upstream: s.passOn, Logger: logger, Metrics: metrics, Version: Version(),
		Enforcement: enforcement, Secrets: ring,
	})
	api.WarnOfLostExemptions()
	keyID, secret, err := s.readySecrets(ctx, st, ring, api)
	if err != nil {
		return err
	}
	if err := api.Furnish(ctx, state.Scope{Region: s.region, Account: vpc.AccountID(s.account)}); err != nil {
		return fmt.Errorf("make the default VPC: %w", err)
	}

	e := endpoint{
		URL: door.url(), Region: s.region, Account: s.account,
		AccessKeyID: keyID, SecretAccessKey: secret,
	}
	if s.tlsCA != "" {
		if e.CABundle, err = filepath.Abs(s.tlsCA); err != nil {
			return err
		}
	}
	if err := writeEndpoint(s.dataDir, e); err != nil {
		return fmt.Errorf("write to the data directory: %w", err)
	}

	door.serve(api)
	housekeeping, stopHousekeeping := context.WithCancel(ctx)
	defer stopHousekeeping()
	if len(s.configured) > 0 && enforcement.Agent != nil {
		go api.KeepBound(housekeeping, s.configured, agent.WatchLinks)
	}
	go api.KeepDeviceEvents(housekeeping)
	go api.KeepReleases(housekeeping)
	go keepHouse(housekeeping, st, api, s, logger)
	go keepKeyUses(housekeeping, api, logger)
	go api.KeepTrail(housekeeping)
	exported := make(chan struct{})
	exporting, stopExporting := context.WithCancel(context.Background())
	defer func() { stopExporting(); <-exported }()
	go func() {
		defer close(exported)
		if s.auditExport != "" {
			exportTrail(exporting, s.auditExport, api, logger)
		}
	}()

	logger.Info("ready", "url", e.URL, "region", s.region, "account", s.account, "revision", st.Latest().Rev, "version", Version())
	fmt.Printf("moat is ready on %s (region %s, account %s). Next, in another terminal:\n\n    eval \"$(%s)\"\n    aws ec2 describe-security-groups\n\n",
		e.URL, s.region, s.account, envCommandLine(s.dataDir))

	select {
	case <-ctx.Done():
	case err := <-door.failed:
		return fmt.Errorf("serve: %w", err)
	}
	logger.Info("stopping")
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = door.http.Shutdown(grace)
	stopHousekeeping()
	for what, store := range map[string]func(context.Context) error{
		"refused calls":               func(ctx context.Context) error { return api.StoreRefusals(ctx, true) },
		"the last use of access keys": func(ctx context.Context) error { return api.StoreKeyUses(ctx, true) },
	} {
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := store(last); err != nil {
			logger.Warn(what+" could not be stored", "err", err)
		}
		cancel()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// openEtcd opens the etcd that the settings name.
func openEtcd(ctx context.Context, s *settings, logger *slog.Logger) (*store.Etcd, error) {
	if len(s.etcd) == 0 {
		return store.OpenEmbedded(ctx, s.dataDir, logger, func(reason string) {
			fmt.Fprintf(os.Stderr, "moat: the database cannot go on: %s\nmoat: nothing that was answered is lost; see that the disk of %s has room and is writable, then start again\n", reason, s.dataDir)
			os.Exit(1)
		})
	}
	tlsConfig, err := s.etcdTLS()
	if err != nil {
		return nil, err
	}
	return store.OpenCluster(ctx, store.Cluster{
		Endpoints: s.etcd, TLS: tlsConfig, Username: s.etcdUser, Password: s.etcdPassword,
		Limits: store.Limits{Ops: s.etcdMaxTxnOps, Bytes: s.etcdMaxRequestBytes},
	}, logger)
}

// keepHouse removes what is past its retention.
func keepHouse(ctx context.Context, st *store.Store, api *server.Server, s *settings, logger *slog.Logger) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for { // at once too: a server that is often started anew keeps house all the same
		if err := api.KeepHouse(ctx); err != nil && ctx.Err() == nil {
			logger.Warn("old client tokens could not be removed; it is tried again", "err", err)
		}
		if err := st.Retain(ctx, time.Now(), s.retention()); err != nil && ctx.Err() == nil {
			logger.Warn("old history could not be removed; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keepKeyUses stores when access keys were used last.
func keepKeyUses(ctx context.Context, api *server.Server, logger *slog.Logger) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := api.StoreKeyUses(ctx, false); err != nil && ctx.Err() == nil {
			logger.Warn("the last use of access keys could not be stored; it is tried again", "err", err)
		}
	}
}

// reachable gives an address at which this machine reaches a listener.
func reachable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	ip := t.IP
	if ip.IsUnspecified() {
		if ip.To4() != nil {
			ip = net.IPv4(127, 0, 0, 1)
		} else {
			ip = net.IPv6loopback
		}
	}
	return net.JoinHostPort(ip.String(), fmt.Sprint(t.Port))
}

// envCommandLine gives the command that prints the environment, as the person
// who started the server can paste it.
func envCommandLine(dir string) string {
	line := "moat"
	if _, err := exec.LookPath(line); err != nil {
		// The other terminal is in a directory of its own.
		if line = absolute(os.Args[0]); strings.ContainsAny(line, " '\"$\\") {
			line = shellQuote(line)
		}
	}
	line += " env"
	if os.Geteuid() == 0 && os.Getenv("SUDO_USER") != "" {
		line = "sudo " + line
	}
	if dir != defaultDataDir() {
		line += " --data-dir " + shellQuote(absolute(dir))
	}
	return line
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
