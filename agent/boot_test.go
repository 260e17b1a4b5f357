package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"moat/agent"
	"moat/dataplane/sim"
	"moat/test/clause"
)

// reboot makes the machine forget everything but its disk: a new host, with the
// devices that it had and no filter. The agent that boots there has no state yet.
func (w *world) reboot(devices ...string) (agent.Booting, func()) {
	w.Helper()
	w.stop()
	w.host = sim.NewHost(nil)
	for _, d := range devices {
		w.host.AddDevice("", d)
	}
	w.plane, w.links = w.host.Open("identity-1"), make(chan agent.LinkChange)
	w.agent = agent.New(agent.Config{Plane: w.plane, Host: host, Links: w.watch(), Snapshot: w.snapshot, Devices: w.read, Boot: w.bootID, Releases: w.released})
	return w.agent.Boot(w.Context())
}

// After a reboot the host enforces what it did before, without a database.
func TestBoot(t *testing.T) {
	clause.Holds(t, "F101", "F106")
	w := newWorld(t)
	w.keep(t)
	w.attach(eni)
	w.wait(w.ports(80))
	w.until("the snapshot has the rules", func() bool {
		s, err := agent.ReadSnapshot(w.snapshot)
		return err == nil && len(s.Bindings) == 1 && len(s.Rules.Interfaces) == 1 && len(s.Rules.Policies) == 2
	})
	b, end := w.reboot(device)
	if b.Err != nil || len(b.Open) != 1 || b.Open[0].Device != device {
		t.Errorf("the boot reports %+v", b)
	}
	said, enough := context.WithTimeout(t.Context(), 10*time.Second)
	defer enough()
	if events := w.agent.Events(said); len(events) != 1 || events[0].Kind != agent.DeviceWasOpen || events[0].Binding.Device != device {
		t.Errorf("the events are %+v", events)
	}
	w.want(true, 80, "an allowed port after the reboot")
	w.want(false, 81, "another one")
	// The database answers: the rules are those of today.
	end()
	w.agent.Watch(w.store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.agent.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	t.Cleanup(w.stop)
	w.wait(w.ports(81))
	w.want(false, 80, "a port that was revoked since")
	w.want(true, 81, "one that was allowed since")
	w.stop()
	if s, err := agent.ReadSnapshot(w.snapshot); err != nil || s.Rules.Rev != w.store.Latest().Rev {
		t.Errorf("the snapshot at the end: %v, %v", s, err)
	}
}

// A process that starts anew does not go back to an older snapshot.
func TestBootKeepsWhatTheKernelHas(t *testing.T) {
	clause.Holds(t, "F105")
	w := newWorld(t)
	w.keep(t)
	w.attach(eni)
	w.wait(w.ports(80))
	w.stop()
	old, err := os.ReadFile(w.snapshot)
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	w.wait(w.ports(81))
	w.stop()
	if err := os.WriteFile(w.snapshot, old, 0o600); err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Config{Plane: w.host.Open("identity-1"), Host: host, Links: w.watch(), Snapshot: w.snapshot, Devices: w.read, Boot: w.bootID})
	b, end := a.Boot(w.Context())
	end()
	if b.Err != nil || len(b.Open) != 0 {
		t.Errorf("the boot reports %+v", b)
	}
	w.want(false, 80, "what the snapshot allows and the kernel does not")
	w.want(true, 81, "what the kernel allows")
}

// Damaged, missing, and of a device that comes later.
func TestBootWithoutASnapshot(t *testing.T) {
	clause.Holds(t, "F101", "F104")
	w := newWorld(t)
	w.keep(t)
	w.attach(eni)
	w.wait(w.ports(80))
	w.stop()
	b, end := w.reboot()
	if b.Err != nil || len(b.Bindings) != 1 || len(b.Open) != 0 {
		t.Errorf("the boot without the device reports %+v", b)
	}
	w.host.AddDevice("", device)
	w.want(true, 81, "a device that is not bound yet")
	w.links <- agent.LinkChange{Name: device}
	w.until("the device is bound", func() bool { return !w.passes(81) })
	w.want(true, 80, "its allowed port")
	end()

	good, err := os.ReadFile(w.snapshot)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(good); at += 37 {
		bad := append([]byte{}, good...)
		bad[at] ^= 4
		if err := os.WriteFile(w.snapshot, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := agent.ReadSnapshot(w.snapshot); err == nil {
			t.Fatalf("a snapshot that is damaged at byte %d reads as %+v", at, s)
		}
	}
	if b, end := w.reboot(device); b.Err == nil || len(b.Bindings) != 0 {
		t.Errorf("the boot with a damaged snapshot reports %+v", b)
	} else {
		end()
	}
	os.Remove(w.snapshot)
	if b, end := w.reboot(device); b.Err != nil || len(b.Bindings) != 0 {
		t.Errorf("the boot without a snapshot reports %+v", b)
	} else {
		end()
	}
}

// A host that enforces nothing any more has no snapshot.
func TestSnapshotGoesWithTheLastDevice(t *testing.T) {
	w := newWorld(t)
	w.keep(t)
	w.attach(eni)
	exists := func() bool { _, err := os.Stat(w.snapshot); return err == nil }
	w.until("there is a snapshot", exists)
	w.bind(eni, "")
	w.until("there is none", func() bool { return !exists() })
}

// keep starts the agent again, with a snapshot.
func (w *world) keep(t *testing.T) {
	w.stop()
	w.snapshot = filepath.Join(t.TempDir(), "enforced.snapshot")
	w.start()
}
