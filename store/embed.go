package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// etcdPrefix is where Moat's keys are, in its own etcd and in a shared one.
const etcdPrefix = "/moat/"

// EmbeddedDir is the directory of the embedded etcd in the data directory.
const EmbeddedDir = "etcd"

// minFree is the room that must be left on the disk for a write to be tried:
// etcd reserves its log in segments before it uses them, and ends the process
// when it cannot.
const minFree = 3 * walSegment

// walSegment is the size of etcd's log segments, smaller than etcd's own
// default of 64 MB so that a nearly full disk serves longer.
const walSegment = 16 << 20

// OpenEmbedded starts an etcd of the process's own in a directory, which it
// makes private, and gives the log in it. Nothing listens: the client calls
// the server in memory. fatal is called when etcd cannot go on, with the
// reason; it must not return.
func OpenEmbedded(ctx context.Context, dir string, logger *slog.Logger, fatal func(reason string)) (*Etcd, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory private: %w", err)
	}
	if err := checkRoom(dir); err != nil {
		return nil, err
	}
	if err := checkDatabase(filepath.Join(dir, EmbeddedDir)); err != nil {
		return nil, err
	}
	wal.SegmentSizeBytes = walSegment
	cfg := embed.NewConfig()
	cfg.Name = "moat"
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.Dir = filepath.Join(dir, EmbeddedDir)
	cfg.ListenClientUrls, cfg.ListenPeerUrls, cfg.ListenMetricsUrls = nil, nil, nil
	// One member: elections need no patience.
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.MaxTxnOps = 1 << 20
	cfg.MaxRequestBytes = 64 << 20
	cfg.QuotaBackendBytes = 64 << 30
	// Entries that were applied are kept for lagging members, of which there
	// are none: a short log keeps memory small.
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = 2000, 16
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(logger, fatal))

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", cfg.Dir, err)
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		e.Close()
		return nil, fmt.Errorf("start etcd in %s: %w", cfg.Dir, err)
	case <-ctx.Done():
		e.Close()
		return nil, ctx.Err()
	}
	client := v3client.New(e.Server)
	return &Etcd{
		client: client, prefix: etcdPrefix,
		limits: Limits{Ops: int(cfg.MaxTxnOps), Bytes: 32 << 20},
		room:   func() error { return checkRoom(dir) },
		compact: func(ctx context.Context) error {
			resp, err := client.Get(ctx, etcdPrefix+headKey)
			if err != nil {
				return err
			}
			_, err = client.Compact(ctx, resp.Header.Revision, clientv3.WithCompactPhysical())
			if err != nil && !errors.Is(err, rpctypes.ErrCompacted) { // nothing was written since
				return fmt.Errorf("compact etcd: %w", err)
			}
			b := e.Server.Backend()
			if size, used := b.Size(), b.SizeInUse(); size > 128<<20 && used < size/2 {
				logger.Info("the database is defragmented; writes wait", "bytes", size, "in_use", used)
				return b.Defrag()
			}
			return nil
		},
		close: sync.OnceValue(func() error {
			err := client.Close()
			if errors.Is(err, context.Canceled) {
				err = nil
			}
			e.Close()
			return err
		}),
	}, nil
}

func checkRoom(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < minFree {
		return &NoSpaceError{fmt.Sprintf("the disk of the data directory is full: %d MiB free, %d MiB needed to write safely; free some space (reads go on)", free>>20, minFree>>20)}
	}
	return nil
}

// A Cluster says how to reach an external etcd.
type Cluster struct {
	Endpoints          []string
	TLS                *tls.Config
	Username, Password string
	Limits             Limits
}

// OpenCluster connects to an external etcd cluster, which other servers use
// too.
func OpenCluster(ctx context.Context, c Cluster, logger *slog.Logger) (*Etcd, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints, TLS: c.TLS, Username: c.Username, Password: c.Password,
		DialTimeout: 5 * time.Second, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		MaxCallSendMsgSize: 64 << 20, MaxCallRecvMsgSize: 1 << 30,
		Logger: zap.New(&slogCore{logger: logger.With("part", "etcd")}),
		// By default a cluster that was away for minutes would be asked again
		// after two minutes only.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %v: %w", c.Endpoints, err)
	}
	ask, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := client.Get(ask, etcdPrefix+headKey); err != nil {
		client.Close()
		return nil, fmt.Errorf("etcd at %v does not answer: %w", c.Endpoints, err)
	}
	limits := c.Limits
	if limits.Ops == 0 {
		limits.Ops = 128 // etcd's default --max-txn-ops
	}
	if limits.Bytes == 0 {
		limits.Bytes = 1<<20 + 1<<18 // below etcd's default --max-request-bytes
	}
	return &Etcd{client: client, prefix: etcdPrefix, shared: true, limits: limits, close: client.Close}, nil
}

// etcdLogger is where the embedded etcd logs, and ends: it does so by a panic
// as well, when it cannot write a snapshot.
func etcdLogger(logger *slog.Logger, fatal func(reason string)) *zap.Logger {
	return zap.New(&slogCore{logger: logger.With("part", "etcd")}, zap.WithFatalHook(fatalHook{fatal}), zap.WithPanicHook(fatalHook{fatal}))
}

// slogCore passes etcd's warnings and errors on.
type slogCore struct{ logger *slog.Logger }

func (c *slogCore) Enabled(l zapcore.Level) bool        { return l >= zapcore.WarnLevel }
func (c *slogCore) With(f []zapcore.Field) zapcore.Core { return &slogCore{c.logger.With(attrs(f)...)} }
func (c *slogCore) Sync() error                         { return nil }

func (c *slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *slogCore) Write(e zapcore.Entry, f []zapcore.Field) error {
	level := slog.LevelDebug // etcd's warnings are for its own operators
	if e.Level >= zapcore.ErrorLevel && !harmless(e.Message, f) {
		level = slog.LevelError
	}
	c.logger.Log(context.Background(), level, e.Message, attrs(f)...)
	return nil
}

// harmless tells the one error that every new database gives: etcd tells the
// version of its storage by the term of what is stored, of which a new one has
// none yet. It tries again every few seconds.
func harmless(message string, fields []zapcore.Field) bool {
	if message != "failed to update storage version" {
		return false
	}
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && strings.Contains(err.Error(), "missing term information") {
			return true
		}
	}
	return false
}

func attrs(fields []zapcore.Field) []any {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	var out []any
	for k, v := range m.Fields {
		out = append(out, k, v)
	}
	return out
}

// fatalHook is called where etcd would end the process.
type fatalHook struct{ fatal func(string) }

func (h fatalHook) OnWrite(e *zapcore.CheckedEntry, f []zapcore.Field) {
	reason := e.Message
	for _, field := range f {
		if field.Key == "error" {
			if err, ok := field.Interface.(error); ok {
				reason += ": " + err.Error()
			}
		}
	}
	h.fatal(reason)
}
