package ebpf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Pins whose data directory is gone are found, with their devices and memory, and
// can be taken out. Those of a server that runs, or whose data directory is there,
// are not, and stay.
func TestOrphans(t *testing.T) {
	l, other := newLab(t), newLab(t)
	home := filepath.Join(t.TempDir(), "moat")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	p := open(t, Options{DataDir: home, Flows4: 4096, Flows6: 4096})
	pins, id := p.options.PinDir, p.options.Identity
	if err := os.WriteFile(filepath.Join(home, IdentityFile), []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	neighbour := open(t, Options{DataDir: filepath.Join(t.TempDir(), "gone"), Flows4: 4096, Flows6: 4096})
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	if err := neighbour.Bind(t.Context(), other.binding); err != nil {
		t.Fatal(err)
	}
	orphans := func() (ids []string, of Orphan) {
		t.Helper()
		all, err := Orphans(pins, "none")
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			if o.Identity == id {
				of = o
			}
			ids = append(ids, o.Identity)
		}
		return ids, of
	}
	stays := func(when, reason string) {
		t.Helper()
		if ids, _ := orphans(); slices.Contains(ids, id) || slices.Contains(ids, neighbour.options.Identity) {
			t.Errorf("%s: orphans are %v", when, ids)
		}
		if _, err := TakeOutOrphan(pins, id); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: taken out: %v, want an error with %q", when, err, reason)
		}
		if all, _ := filepath.Glob(filepath.Join(pins, id, "*", "link-*")); len(all) == 0 {
			if b, _ := filepath.Glob(filepath.Join(pins, id, "*", "bindings")); len(b) == 0 {
				t.Fatalf("%s: the pins are gone", when)
			}
		}
	}
	stays("the server runs", "runs")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	stays("the server is stopped", "--data-dir "+home)
	if err := os.WriteFile(filepath.Join(home, IdentityFile), []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, o := orphans(); !slices.Contains(ids, id) || o.DataDir != home {
		t.Errorf("the directory is another's now: orphans are %v, it is %+v", ids, o)
	}
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	if ids, o := orphans(); !slices.Contains(ids, id) || o.DataDir != home || !slices.Equal(o.Devices, []string{"w"}) || o.Memory < 1<<20 || slices.Contains(ids, neighbour.options.Identity) {
		t.Errorf("orphans are %v, it is %+v", ids, o)
	}
	if devices, err := TakeOutOrphan(pins, id); err != nil || !slices.Equal(devices, []string{"w"}) {
		t.Errorf("taken out: %v, %v", devices, err)
	}
	if ids, _ := orphans(); slices.Contains(ids, id) {
		t.Errorf("afterwards, orphans are %v", ids)
	}
	if _, err := TakeOutOrphan(pins, id); err == nil {
		t.Error("taken out twice")
	}
	for _, bad := range []string{"", "..", "a/b"} {
		if _, err := TakeOutOrphan(pins, bad); err == nil {
			t.Errorf("identity %q is taken out", bad)
		}
	}
	if _, err := TakeOutOrphan(pins, neighbour.options.Identity); err == nil {
		t.Error("the neighbour, which runs without a data directory, is taken out")
	}
	if have, err := neighbour.Bindings(t.Context()); err != nil || len(have) != 1 {
		t.Errorf("the neighbour has %v, %v", have, err)
	}
}

// Of a version that neither locked its pins nor named its data directory, a process
// that has them open is found.
func TestOrphansOfAnEarlierVersion(t *testing.T) {
	l := newLab(t)
	p := open(t, Options{Flows4: 4096, Flows6: 4096})
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	p.lock.Close()
	p.lock = nil
	if _, err := TakeOutOrphan(p.options.PinDir, p.options.Identity); err == nil || !strings.Contains(err.Error(), "uses the pins") {
		t.Errorf("taken out: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	devices, err := TakeOutOrphan(p.options.PinDir, p.options.Identity)
	if err != nil && strings.Contains(err.Error(), "cannot be known") {
		t.Skipf("processes of this machine are hidden: %v", err)
	}
	if err != nil || len(devices) != 1 {
		t.Errorf("taken out: %v, %v", devices, err)
	}
}
