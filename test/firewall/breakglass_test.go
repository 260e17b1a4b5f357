package firewall_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moat/test/clause"
	"moat/test/etcdtest"
)

// TestDetachWithoutEtcd: etcd goes, and the host detaches its device all the same.
// It stays open over a reboot without etcd, while its neighbour stays closed, and
// the state has it when etcd is back.
func TestDetachWithoutEtcd(t *testing.T) {
	clause.Holds(t, "F85")
	etcd := etcdtest.Start(t)
	key := make([]byte, 32)
	rand.Read(key)
	file := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--etcd", etcd.Endpoint(), "--secret-key-file", file}
	l := newLab(t, args...)
	group := l.group("web")
	w, n, o := l.machine("w", group), l.machine("near", group), l.machine("o")
	opened, closed := w.hears(7000), n.hears(7000)
	o.floods(w, 7000)
	o.floods(n, 7000)
	stands := func(when string) {
		t.Helper()
		l.until(20*time.Second, func() error { return opened.moves() })
		before := closed.n.Load()
		time.Sleep(300 * time.Millisecond)
		if got := closed.n.Load() - before; got > 0 {
			t.Errorf("%s: %d packets reach the neighbour", when, got)
		}
	}
	status := func(want ...string) {
		t.Helper()
		l.until(30*time.Second, func() error {
			out := l.moat("status")
			for _, w := range want {
				if !strings.Contains(out, w) {
					return errors.New("status has no " + w + ":\n" + out)
				}
			}
			return nil
		})
	}
	time.Sleep(1500 * time.Millisecond) // the snapshot is written at most once a second
	if opened.moves() == nil {
		t.Fatal("a forbidden packet arrives at first")
	}
	etcd.Stop()
	if out := l.moat("detach", w.eni); !strings.Contains(out, "passes everything now") || !strings.Contains(out, "etcd does not answer") {
		t.Fatalf("moat detach: %s", out)
	}
	stands("detached")
	status("released", "STALE")

	l.server.Kill()
	if err := os.RemoveAll("/sys/fs/bpf/moat/" + identityOf(t, l.server)); err != nil {
		t.Fatal(err)
	}
	l.until(10*time.Second, func() error { return closed.moves() }) // so that the test sees a difference
	p := l.serve(args...)
	status("released", "STALE", n.eni)
	stands("after a reboot without etcd")
	if out := l.moat("detach", n.eni, "--dev", "x"); strings.Contains(out, "passes everything") {
		t.Errorf("moat detach: %s", out)
	}

	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	etcd.Start()
	l.server.Again()
	l.until(30*time.Second, func() error {
		if s := l.call("DescribeNetworkInterfaces", "NetworkInterfaceId.1", w.eni).Get("status"); s != "available" {
			return errors.New("the state has it " + s)
		}
		return nil
	})
	stands("once the state has it")
	if out := l.moat("log", "--json"); !strings.Contains(out, "ReleasedAt") {
		t.Errorf("the trail does not have it: %s", out)
	}
}
