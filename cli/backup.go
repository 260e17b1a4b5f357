package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/sigv4"
	"moat/store"
)

func backupCommand() *cobra.Command {
	s := &settings{}
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything to one checksummed file",
		Long: `Writes the state, its history and the audit events, as they are at one
revision, to FILE, or with - to standard output. The file replaces an older one
only when it is whole. It holds the secret keys too: its mode is 0600.

The backup comes from the running server that the environment (moat env) or
--data-dir names; when none runs, from the data directory itself; with --etcd
from the cluster.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			named := c.Flags().Changed("data-dir")
			if err := s.find(c.Flags()); err != nil {
				return err
			}
			return s.backup(c.Context(), args[0], named)
		},
	}
	s.placeFlags(c.Flags())
	s.etcdFlags(c.Flags())
	return c
}

func restoreCommand() *cobra.Command {
	s, check := &settings{}, false
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill an empty data directory, or an empty etcd, from a backup",
		Long: `Reads a backup, checks it whole, and only then writes it to the data directory,
or with --etcd to the cluster, neither of which may hold data of moat. When it
is cut short, moat serve refuses what it left, and restoring again starts over.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := s.find(c.Flags()); err != nil {
				return err
			}
			return s.restore(c.Context(), args[0], check)
		},
	}
	s.placeFlags(c.Flags())
	s.etcdFlags(c.Flags())
	c.Flags().BoolVar(&check, "check", false, "check the backup and write nothing")
	return c
}

// A backupSource writes a backup from wherever the data is.
type backupSource func(ctx context.Context, w io.Writer) (*store.BackupInfo, error)

// backup finds the data and writes it to a file. named says that the data
// directory was named on the command line, which the environment's server
// then gives way to.
func (s *settings) backup(ctx context.Context, name string, named bool) error {
	from, done, err := s.backupSource(named)
	if err != nil {
		return err
	}
	defer done()
	p := newProgress("backup")
	var info *store.BackupInfo
	write := func(w io.Writer) (err error) {
		info, err = from(ctx, io.MultiWriter(w, p))
		p.end()
		return err
	}
	if name == "-" {
		if isTerminal(os.Stdout) {
			return errors.New("a backup is binary and holds secret keys: name a file, or send it through a pipe")
		}
		err = write(os.Stdout)
	} else {
		err = replaceFile(name, write)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "moat: backup of revision %d: %d keys, %s, sha256 %x\n", info.Rev, info.Keys, size(p.n), info.Sum)
	return nil
}

// backupSource finds out whom to ask. done gives up what it holds.
func (s *settings) backupSource(named bool) (from backupSource, done func(), err error) {
	nothing := func() {}
	if len(s.etcd) > 0 {
		return s.backupFromLog, nothing, nil
	}
	if e := endpointFromEnvironment(); e.URL != "" && !named {
		return e.backup, nothing, nil
	}
	if _, err := os.Stat(s.dataDir); err != nil {
		_, err := readEndpoint(s.dataDir) // says what to do about it
		return nil, nil, err
	}
	unlock, err := lockDataDir(s.dataDir)
	if inUse := (*inUseError)(nil); errors.As(err, &inUse) {
		e, err := readEndpoint(s.dataDir)
		if err != nil {
			return nil, nil, err
		}
		return e.backup, nothing, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(filepath.Join(s.dataDir, store.EmbeddedDir)); errors.Is(err, fs.ErrNotExist) {
		unlock()
		return nil, nil, fmt.Errorf("the data directory %s has no database: if its server keeps the data in an etcd cluster, name that with --etcd", s.dataDir)
	}
	return s.backupFromLog, unlock, nil
}

func (s *settings) backupFromLog(ctx context.Context, w io.Writer) (*store.BackupInfo, error) {
	log, err := s.openEtcd(ctx)
	if err != nil {
		return nil, err
	}
	info, err := store.WriteBackup(ctx, log, w, Version(), time.Now())
	if e := log.Close(); err == nil {
		err = e
	}
	return info, err
}

func (s *settings) openEtcd(ctx context.Context) (*store.Etcd, error) {
	logger, err := s.logger()
	if err != nil {
		return nil, err
	}
	return openEtcd(ctx, s, logger)
}

// endpointFromEnvironment gives the server that `moat env` printed.
func endpointFromEnvironment() endpoint {
	return endpoint{
		URL: os.Getenv("MOAT_ENDPOINT_URL"), Region: os.Getenv("AWS_REGION"), CABundle: os.Getenv("AWS_CA_BUNDLE"),
		AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	}
}

// backup asks a running server for a backup and checks it on the way.
func (e endpoint) backup(ctx context.Context, w io.Writer) (*store.BackupInfo, error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return nil, fmt.Errorf("the server's address %q: %w", e.URL, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath(server.BackupPath).String(), nil)
	if err != nil {
		return nil, err
	}
	sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: e.AccessKeyID, Region: e.Region, Service: server.ServiceMoat}, e.SecretAccessKey, os.Getenv("AWS_SESSION_TOKEN"), time.Now())
	client, err := e.client()
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no server answers at %s: start it, or name a data directory with --data-dir", e.URL)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var f struct{ Code, Message string }
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		if json.Unmarshal(body, &f) != nil || f.Message == "" {
			return nil, fmt.Errorf("%s gives no backup: it answers %s", e.URL, resp.Status)
		}
		return nil, fmt.Errorf("the server at %s gives no backup: %s (%s)", e.URL, f.Message, f.Code)
	}
	return store.ReadBackup(io.TeeReader(resp.Body, w), nil)
}

// client gives an HTTP client that trusts the server's authority. It has no
// proxy: the keys go to the server and nowhere else.
func (e endpoint) client() (*http.Client, error) {
	t := &http.Transport{ResponseHeaderTimeout: time.Minute}
	if e.CABundle != "" {
		pem, err := os.ReadFile(e.CABundle)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in PEM form", e.CABundle)
		}
	}
	return &http.Client{Transport: t}, nil
}

func (s *settings) restore(ctx context.Context, name string, check bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	p := newProgress("check")
	info, err := store.ReadBackup(io.TeeReader(f, p), nil)
	p.end()
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was written", name, err)
	}
	fmt.Fprintf(os.Stderr, "moat: %s is whole: revision %d, %d keys, %s, written by moat %s on %s\n",
		name, info.Rev, info.Keys, size(p.n), info.Moat, info.Time.Format(time.RFC3339))
	if check {
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}

	place := "the etcd cluster"
	if len(s.etcd) == 0 {
		place = "the data directory " + s.dataDir
		if err := onlyOurs(s.dataDir); err != nil {
			return err
		}
		unlock, err := lockDataDir(s.dataDir)
		if err != nil {
			return err
		}
		defer unlock()
	}
	log, err := s.openEtcd(ctx)
	if err != nil {
		return err
	}
	p = newProgress("restore")
	err = log.Restore(ctx, io.TeeReader(f, p), info)
	p.end()
	if e := log.Close(); err == nil {
		err = e
	}
	if taken := (*store.NotEmptyError)(nil); errors.As(err, &taken) {
		return fmt.Errorf("%s is not empty: %w; nothing was written: restore into an empty one", place, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w (a restore that has begun is completed by restoring again)", place, err)
	}
	fmt.Fprintf(os.Stderr, "moat: %s is at revision %d now\n", place, info.Rev)
	return nil
}

// onlyOurs gives an error if a directory holds what no moat put there.
func onlyOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var others []string
	for _, e := range entries {
		if n := e.Name(); n != lockFile && n != identityFile && n != exemptFile && n != store.EmbeddedDir && n != "lost+found" && !strings.HasPrefix(n, endpointFile) && !strings.HasPrefix(n, secretFile) {
			others = append(others, n)
		}
	}
	if len(others) > 0 {
		if len(others) > 5 {
			others = append(others[:5], "…")
		}
		return fmt.Errorf("the directory %s holds other things (%s); nothing was written: name an empty one with --data-dir", dir, strings.Join(others, ", "))
	}
	return nil
}

// replaceFile writes a file beside name and puts it in its place when it is
// whole and on the disk.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: name another, or - for standard output", name)
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// A progress counts bytes and shows them on a terminal.
type progress struct {
	what  string
	n     int64
	shown time.Time
	show  bool
}

func newProgress(what string) *progress {
	return &progress{what: what, show: isTerminal(os.Stderr), shown: time.Now()}
}

func (p *progress) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	if now := time.Now(); p.show && now.Sub(p.shown) > 200*time.Millisecond {
		p.shown = now
		fmt.Fprintf(os.Stderr, "\r%s: %s ", p.what, size(p.n))
	}
	return len(b), nil
}

func (p *progress) end() {
	if p.show {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// isTerminal reports whether a file is a character device other than
// /dev/null, which is what a terminal is as far as it matters here.
func isTerminal(f *os.File) bool {
	fi, err := f.Stat()
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(fi, null)
}
