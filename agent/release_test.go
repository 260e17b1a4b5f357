package agent_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"moat/agent"
	"moat/dataplane"
	"moat/dataplane/sim"
	"moat/test/clause"
	"moat/vpc"
)

func release(id vpc.InterfaceID) agent.Release {
	return agent.Release{ID: "release of " + string(id), Interface: id, Device: device, Event: json.RawMessage(`{"a":1}`)}
}

// releases starts the agent with a snapshot and a file of releases.
func (w *world) releases(t *testing.T) {
	w.stop()
	dir := t.TempDir()
	w.snapshot, w.released = filepath.Join(dir, "enforced.snapshot"), filepath.Join(dir, "releases")
	w.start()
}

// What is released stays off, whatever the state says, over changes of the state,
// restarts and reboots, until the release is forgotten. Its neighbour stays bound.
func TestReleased(t *testing.T) {
	clause.Holds(t, "F84")
	w := newWorld(t)
	w.releases(t)
	w.host.AddDevice("", "veth1")
	w.wait(w.ports(80))
	w.attach(eni)
	w.wait(w.bind(eni2, "veth1"))
	neighbour := func(when string) {
		t.Helper()
		have, err := w.plane.Bindings(t.Context())
		if err != nil || len(have) != 1 || have[0].Interface != eni2 {
			t.Errorf("%s: bound are %+v, %v, want the neighbour alone", when, have, err)
		}
	}
	if err := w.agent.Release(t.Context(), release(eni)); err != nil {
		t.Fatal(err)
	}
	w.want(true, 81, "released")
	if err := w.agent.Release(t.Context(), release(eni)); err != nil || len(w.agent.Releases()) != 1 {
		t.Errorf("released twice: %v, %+v", err, w.agent.Releases())
	}
	w.wait(w.ports(80, 82))
	w.want(true, 81, "after a change of its rules")
	neighbour("after a change of the rules")
	w.until("the snapshot has the neighbour alone", func() bool {
		s, err := agent.ReadSnapshot(w.snapshot)
		return err == nil && len(s.Bindings) == 1 && s.Bindings[0].Interface == eni2 && len(s.Rules.Interfaces) == 1
	})
	w.stop()
	w.start()
	w.wait(w.ports(80, 83))
	w.want(true, 81, "after a restart")
	neighbour("after a restart")

	// A reboot with a snapshot from before.
	w.stop()
	s, err := agent.ReadSnapshot(w.snapshot)
	if err != nil {
		t.Fatal(err)
	}
	s.Bindings = append(s.Bindings, dataplane.Binding{Interface: eni, Device: device})
	if err := s.Write(w.snapshot); err != nil {
		t.Fatal(err)
	}
	b, end := w.reboot(device, "veth1")
	if b.Err != nil || len(b.Bindings) != 1 {
		t.Errorf("the boot reports %+v", b)
	}
	w.want(true, 81, "after a reboot")
	neighbour("after a reboot")
	w.links <- agent.LinkChange{Name: device}
	w.links <- agent.LinkChange{Name: device} // the first one is done
	w.want(true, 81, "after a reboot, when its device has come")
	end()

	// While there is no state, another one.
	r := release(eni2)
	r.Device = "veth1"
	if err := w.agent.Release(t.Context(), r); err != nil || len(w.agent.Releases()) != 2 {
		t.Errorf("released before there is a state: %v, %+v", err, w.agent.Releases())
	}
	if have, err := w.plane.Bindings(t.Context()); err != nil || len(have) != 0 {
		t.Errorf("released before there is a state: bound are %+v, %v", have, err)
	}

	// The state is not of that opinion: forgotten, it is bound again.
	w.stop()
	w.start()
	w.wait(w.ports(80))
	w.want(true, 81, "not forgotten yet")
	if err := w.agent.ChangeRelease(release(eni).ID, func(r *agent.Release) bool { r.Tried = 7; return true }); err != nil {
		t.Fatal(err)
	}
	if err := w.agent.ChangeRelease(release(eni).ID, func(r *agent.Release) bool { return r.Tried != 7 }); err != nil {
		t.Fatal(err)
	}
	w.until("it is bound again", func() bool { return !w.passes(81) })
}

// A process that ends between the file and the device: the next one takes the
// filter off. A file that cannot be written changes nothing.
func TestReleasedByTheNextProcess(t *testing.T) {
	w := newWorld(t)
	w.releases(t)
	w.wait(w.ports(80))
	w.attach(eni)
	w.plane.Fail(func(call string) error {
		if call == "Unbind" {
			return errors.New("no memory")
		}
		return nil
	})
	if err := w.agent.Release(t.Context(), release(eni)); err == nil {
		t.Error("no error of the data plane")
	}
	w.want(false, 81, "not taken off yet")
	w.stop()
	w.plane, w.links = w.host.Open("identity-1"), make(chan agent.LinkChange)
	w.agent = agent.New(agent.Config{Plane: w.plane, Host: host, Links: w.watch(), Snapshot: w.snapshot, Releases: w.released})
	b, end := w.agent.Boot(t.Context())
	end()
	if b.Err != nil || len(b.Bindings) != 0 {
		t.Errorf("the boot reports %+v", b)
	}
	w.want(true, 81, "taken off by the next process")

	w = newWorld(t)
	w.releases(t)
	w.attach(eni)
	if err := os.RemoveAll(filepath.Dir(w.released)); err != nil {
		t.Fatal(err)
	}
	if err := w.agent.Release(t.Context(), release(eni)); err == nil || len(w.agent.Releases()) != 0 {
		t.Errorf("the file cannot be written: %v, %+v", err, w.agent.Releases())
	}
	w.want(false, 81, "the file cannot be written")
}

// Attached again, an interface is no longer released, and its event is still to be
// written.
func TestReleasedAndAttachedAgain(t *testing.T) {
	w := newWorld(t)
	w.releases(t)
	w.wait(w.ports(80))
	w.attach(eni)
	if err := w.agent.Release(t.Context(), release(eni)); err != nil {
		t.Fatal(err)
	}
	w.wait(w.bind(eni, "")) // by another server
	w.attach(eni)
	w.want(false, 81, "attached again")
	if all := w.agent.Releases(); len(all) != 1 || !all[0].Over {
		t.Errorf("releases are %+v", all)
	}
	w.stop()
	w.start()
	w.wait(w.ports(80))
	w.want(false, 81, "attached again, after a restart")
}

// A file of releases that is damaged releases nothing.
func TestReleasesDamaged(t *testing.T) {
	w := newWorld(t)
	w.releases(t)
	w.wait(w.ports(80))
	w.attach(eni)
	if err := w.agent.Release(t.Context(), release(eni)); err != nil {
		t.Fatal(err)
	}
	w.stop()
	good, err := os.ReadFile(w.released)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(good); at += 11 {
		bad := append([]byte{}, good...)
		bad[at] ^= 4
		if err := os.WriteFile(w.released, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		a := agent.New(agent.Config{Plane: sim.NewHost(nil).Open("x"), Host: host, Releases: w.released})
		if all := a.Releases(); len(all) != 0 {
			t.Fatalf("damaged at byte %d it reads as %+v", at, all)
		}
	}
	w.start()
	w.wait(w.ports(80))
	w.want(false, 81, "bound again")
}

// What another server asked to detach is taken off, and stays off.
func TestDetachingIsTakenOff(t *testing.T) {
	clause.Holds(t, "F82")
	w := newWorld(t)
	w.wait(w.ports(80))
	w.attach(eni)
	w.wait(w.detaching(eni))
	w.want(true, 81, "its detachment was asked for")
	w.stop()
	w.start()
	w.wait(w.ports(80))
	w.want(true, 81, "after a restart")
}
