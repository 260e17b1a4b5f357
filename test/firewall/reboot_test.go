package firewall_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moat/test/clause"
	"moat/test/etcdtest"
	"moat/test/moattest"
)

// TestReboot: after the machine has forgotten its programs, what was forbidden is
// again as soon as a server starts, whatever became of its database, and what was
// allowed passes. Before that it passes, so that the test sees a difference.
func TestReboot(t *testing.T) {
	clause.Holds(t, "F103", "F104")
	for _, row := range []struct {
		what    string
		cluster bool
		// spoil does something to the database between the two starts. It returns
		// what the server is started with instead.
		spoil func(t *testing.T, l *lab, args []string) []string
		// says is what the server has to log.
		says string
	}{
		{what: "own database"},
		{what: "damaged database", says: "is damaged", spoil: func(t *testing.T, l *lab, args []string) []string {
			damage(t, l.server.Dir)
			return args
		}},
		// Where the snapshot is of no use the database's rules are in force as soon as it
		// is open.
		{what: "no snapshot", spoil: snapshotIs(func([]byte) []byte { return nil })},
		{what: "snapshot cut short", says: "enforced.snapshot is damaged", spoil: snapshotIs(func(b []byte) []byte { return b[:len(b)/2] })},
		{what: "snapshot with a wrong bit", says: "enforced.snapshot is damaged", spoil: snapshotIs(func(b []byte) []byte {
			b[len(b)/2] ^= 1
			return b
		})},
		{what: "snapshot of another format", says: "enforced.snapshot has another format", spoil: snapshotIs(func(b []byte) []byte {
			return bytes.Replace(b, []byte("moat-enforced 1 "), []byte("moat-enforced 0 "), 1)
		})},
		{what: "no etcd", cluster: true, spoil: func(t *testing.T, l *lab, args []string) []string {
			return append([]string{"--etcd", "http://127.0.0.1:1"}, args[2:]...)
		}},
		{what: "silent etcd", cluster: true, spoil: func(t *testing.T, l *lab, args []string) []string {
			s, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return append([]string{"--etcd", "http://" + s.Addr().String()}, args[2:]...)
		}},
		{what: "wrong certificate", cluster: true, spoil: func(t *testing.T, l *lab, args []string) []string {
			return append([]string{"--etcd", strings.Replace(args[1], "http:", "https:", 1)}, args[2:]...)
		}},
	} {
		t.Run(row.what, func(t *testing.T) {
			var args []string
			if row.cluster {
				etcd := etcdtest.Start(t)
				file := filepath.Join(t.TempDir(), "secret.key")
				key := make([]byte, 32)
				rand.Read(key)
				if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				args = []string{"--etcd", etcd.Endpoint(), "--secret-key-file", file}
			}
			l := newLab(t, args...)
			group := l.group("web")
			l.authorize(group, "Ingress", "udp 7000 0.0.0.0/0")
			w, o := l.machine("w", group), l.machine("o")
			allowed, forbidden := w.hears(7000), w.hears(7001)
			o.floods(w, 7000)
			o.floods(w, 7001)
			l.until(5*time.Second, func() error { return allowed.moves() })
			l.until(5*time.Second, func() error {
				if _, err := os.Stat(filepath.Join(l.server.Dir, "enforced.snapshot")); err != nil {
					return err
				}
				return nil
			})
			time.Sleep(1500 * time.Millisecond)
			if err := forbidden.moves(); err == nil {
				t.Fatal("a forbidden packet arrives before the reboot")
			}
			if row.spoil != nil && row.cluster {
				args = row.spoil(t, l, args)
			}
			l.server.Stop()
			// The machine forgets what was pinned.
			if err := os.RemoveAll("/sys/fs/bpf/moat/" + identityOf(t, l.server)); err != nil {
				t.Fatal(err)
			}
			l.until(5*time.Second, func() error { return forbidden.moves() })
			if row.spoil != nil && !row.cluster {
				args = row.spoil(t, l, args)
			}
			began := time.Now()
			p := l.serve(args...)
			var closed time.Duration
			l.until(20*time.Second, func() error {
				before := forbidden.n.Load()
				at := time.Since(began)
				time.Sleep(20 * time.Millisecond)
				if forbidden.n.Load() != before {
					return errMoves
				}
				closed = at
				return nil
			})
			before, quiet := forbidden.n.Load(), 3*time.Second
			if *long {
				quiet = 10 * time.Second
			}
			time.Sleep(quiet)
			if n := forbidden.n.Load() - before; n > 0 {
				t.Errorf("%d forbidden packets arrive after the rules were in force", n)
			}
			if err := allowed.moves(); err != nil {
				t.Errorf("what is allowed: %v", err)
			}
			t.Logf("enforced %v after exec", closed.Round(10*time.Millisecond))
			if p.exited() {
				t.Error("the server has ended")
			}
			if said := p.said.String(); !strings.Contains(said, row.says) {
				t.Errorf("the server does not say %q:\n%s", row.says, said)
			}
		})
	}
}

var errMoves = os.ErrExist

// snapshotIs makes the snapshot what change makes of it, or removes it.
func snapshotIs(change func([]byte) []byte) func(t *testing.T, l *lab, args []string) []string {
	return func(t *testing.T, l *lab, args []string) []string {
		t.Helper()
		name := filepath.Join(l.server.Dir, "enforced.snapshot")
		b, err := os.ReadFile(name)
		if err == nil {
			if b = change(b); b == nil {
				err = os.Remove(name)
			} else {
				err = os.WriteFile(name, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return args
	}
}

// TestRebootOfOldSnapshot: a snapshot that is older than the database, as after a power
// cut in the second after a change, is in force until the database is open, and not
// after that.
func TestRebootOfOldSnapshot(t *testing.T) {
	clause.Holds(t, "F101")
	l := newLab(t)
	group := l.group("web")
	l.authorize(group, "Ingress", "udp 7000 0.0.0.0/0")
	w, o := l.machine("w", group), l.machine("o")
	revoked, since, never := w.hears(7000), w.hears(7001), w.hears(7002)
	for port := 7000; port <= 7002; port++ {
		o.floods(w, port)
	}
	l.until(10*time.Second, revoked.moves)
	name := filepath.Join(l.server.Dir, "enforced.snapshot")
	var old []byte
	l.until(20*time.Second, func() (err error) {
		if old, err = os.ReadFile(name); err == nil && !bytes.Contains(old, []byte("7000")) {
			err = errors.New("the snapshot has no rule for port 7000")
		}
		return err
	})
	l.authorize(group, "Ingress", "udp 7001 0.0.0.0/0")
	l.revoke(group, "Ingress", "udp 7000 0.0.0.0/0")
	l.server.Stop()
	if err := os.RemoveAll("/sys/fs/bpf/moat/" + identityOf(t, l.server)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, old, 0o600); err != nil {
		t.Fatal(err)
	}
	p := l.serve()
	still := func(r *receiver) error {
		if r.moves() == nil {
			return errMoves
		}
		return nil
	}
	l.until(60*time.Second, func() error { return still(never) })
	l.until(60*time.Second, since.moves) // the database is open
	l.until(20*time.Second, func() error { return still(revoked) })
	before := revoked.n.Load() + never.n.Load()
	time.Sleep(2 * time.Second)
	if n := revoked.n.Load() + never.n.Load() - before; n > 0 {
		t.Errorf("%d packets arrive that the database's rules forbid", n)
	}
	if p.exited() {
		t.Error("the server has ended")
	}
}

// A receiver counts datagrams.
type receiver struct{ n atomic.Uint64 }

// moves fails if nothing arrives for a while.
func (r *receiver) moves() error {
	before := r.n.Load()
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		if r.n.Load() != before {
			return nil
		}
	}
	return os.ErrDeadlineExceeded
}

func (m *machine) hears(port int) *receiver {
	m.lab.Helper()
	c := m.packets((&net.UDPAddr{Port: port}).String())
	r := &receiver{}
	go func() {
		b := make([]byte, 64)
		for {
			if _, _, err := c.ReadFrom(b); err != nil {
				return
			}
			r.n.Add(1)
		}
	}()
	return r
}

// floods sends a datagram each millisecond until the test ends.
func (m *machine) floods(to *machine, port int) {
	m.lab.Helper()
	c := m.packets(":0")
	addr := &net.UDPAddr{IP: net.ParseIP(to.four), Port: port}
	done := make(chan struct{})
	m.lab.Cleanup(func() { close(done) })
	go func() {
		b := make([]byte, 8)
		for n := uint64(0); n < 200_000; n++ {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
			binary.BigEndian.PutUint64(b, n)
			c.WriteTo(b, addr)
		}
	}()
}

// damage turns a bit in each page of a database.
func damage(t *testing.T, dir string) {
	t.Helper()
	hit := 0
	filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || !strings.HasSuffix(name, ".wal") && filepath.Base(name) != "db" {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 100; at < len(b); at += 512 {
			b[at] ^= 0x55
		}
		hit++
		return os.WriteFile(name, b, info.Mode())
	})
	if hit == 0 {
		t.Fatal("there is no database to damage")
	}
}

// A process is a moat serve that may never be ready.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	said *log
}

// A log is what a process has written so far.
type log struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (l *lab) serve(args ...string) *process {
	l.Helper()
	c := exec.Command(moattest.Binary(l), append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", l.server.Dir}, args...)...)
	c.Env = moattest.CleanEnv()
	said := &log{}
	c.Stderr = said
	if err := c.Start(); err != nil {
		l.Fatal(err)
	}
	p := &process{c, make(chan struct{}), said}
	go func() { c.Wait(); close(p.done) }()
	l.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			c.Process.Kill()
			<-p.done
		}
		if l.Failed() {
			l.Logf("the server after the reboot:\n%s", said)
		}
	})
	return p
}
