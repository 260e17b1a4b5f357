package agent_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moat/agent"
	"moat/dataplane"
	"moat/test/clause"
)

// Which device an interface means once its filter is nowhere: the rows are a mark,
// the devices that are there, and the wanted one, with ? if it must pass nothing.
func TestLocate(t *testing.T) {
	const hw1, hw2 = "02:00:00:00:00:01", "02:00:00:00:00:02"
	virtual := agent.Mark{Interface: eni, Boot: "now", Index: 5, Device: "w", Named: "w"}
	renamed := agent.Mark{Interface: eni, Boot: "now", Index: 5, Device: "x", Named: "w"}
	card := agent.Mark{Interface: eni, Boot: "now", Index: 5, Device: "eth0", Named: "eth0", MAC: hw1}
	for _, row := range []struct {
		what string
		mark agent.Mark
		boot string
		have []agent.Device
		want string
	}{
		{"its index and name", virtual, "now", []agent.Device{{"w", 5, ""}, {"x", 6, ""}}, "w"},
		{"its index under another name", virtual, "now", []agent.Device{{"x", 5, ""}}, "x ?"},
		{"another device has the name, and its index another name", virtual, "now", []agent.Device{{"x", 5, ""}, {"w", 6, ""}}, "x ?"},
		{"it came back under its name", virtual, "now", []agent.Device{{"w", 7, ""}}, "w"},
		{"nothing of it", virtual, "now", []agent.Device{{"y", 7, ""}}, ""},
		{"renamed and gone; a new device has the name of before", renamed, "now", []agent.Device{{"w", 7, ""}}, ""},
		{"renamed and gone; it came back under the last name", renamed, "now", []agent.Device{{"x", 7, ""}, {"w", 8, ""}}, "x"},
		{"after a reboot, by its last name", renamed, "then", []agent.Device{{"x", 5, ""}}, "x"},
		{"after a reboot, by the name that it was attached under", renamed, "then", []agent.Device{{"w", 3, ""}, {"y", 5, ""}}, "w"},
		{"after a reboot, both names", renamed, "then", []agent.Device{{"w", 3, ""}, {"x", 4, ""}}, "x ?"},
		{"after a reboot no index counts", virtual, "then", []agent.Device{{"y", 5, ""}}, ""},
		{"hardware with another name after a reboot", card, "then", []agent.Device{{"eth1", 2, hw1}, {"eth0", 3, hw2}}, "eth1"},
		{"hardware with another name and index", card, "now", []agent.Device{{"eth1", 9, hw1}}, "eth1"},
		{"its index and MAC under another name", card, "now", []agent.Device{{"eth1", 5, hw1}}, "eth1"},
		{"other hardware has its name", card, "then", []agent.Device{{"eth0", 2, hw2}}, "eth0 ?"},
		{"two have its MAC, one its name", card, "then", []agent.Device{{"eth1", 2, hw1}, {"eth0", 3, hw1}}, "eth0"},
		{"two have its MAC, none its name", card, "then", []agent.Device{{"eth1", 2, hw1}, {"eth2", 3, hw1}}, "eth1 ?"},
	} {
		devices := func(string, int) ([]agent.Device, error) { return row.have, nil }
		got := agent.Locate(dataplane.Binding{Interface: eni, Device: row.mark.Named}, nil, row.mark, row.boot, devices)
		is := ""
		if got.Err == nil {
			is = got.Device
		} else if !errors.Is(got.Err, dataplane.ErrNoDevice) {
			t.Errorf("%s: %v", row.what, got.Err)
		}
		if got.Doubt != nil {
			is += " ?"
		}
		if is != row.want {
			t.Errorf("%s: %q, want %q (%v)", row.what, is, row.want, got.Doubt)
		}
	}
	// What another interface has is not taken for it.
	other := []dataplane.Standing{{Binding: dataplane.Binding{Interface: eni2, Device: "w", Index: 7}}}
	if got := agent.Locate(dataplane.Binding{Interface: eni, Device: "w"}, other, virtual, "now", func(string, int) ([]agent.Device, error) {
		return []agent.Device{{"w", 7, ""}}, nil
	}); !errors.Is(got.Err, dataplane.ErrNoDevice) {
		t.Errorf("a device of another interface is taken: %+v", got)
	}
}

// A device that may be another one passes nothing after a reboot, until its
// interface is detached. Its neighbour goes on.
func TestDoubtfulDeviceIsClosed(t *testing.T) {
	clause.Holds(t, "F66")
	w := newWorld(t)
	hw := map[string]string{device: "02:00:00:00:00:01"}
	w.read = func(string, int) (all []agent.Device, err error) {
		for name, index := range w.host.Devices("") {
			all = append(all, agent.Device{Name: name, Index: index, MAC: hw[name]})
		}
		return all, nil
	}
	w.keep(t)
	w.attach(eni)
	w.wait(w.ports(80))
	w.until("the snapshot has the device's MAC", func() bool {
		s, err := agent.ReadSnapshot(w.snapshot)
		return err == nil && len(s.Marks) == 1 && s.Marks[0].MAC == hw[device] && len(s.Rules.Policies) == 2
	})
	w.bootID = "after the reboot"
	hw[device] = "02:00:00:00:00:02" // another card
	b, end := w.reboot(device)
	if b.Err != nil || len(b.Bindings) != 1 {
		t.Errorf("the boot reports %+v", b)
	}
	w.want(false, 80, "a port that the snapshot allows")
	end()
	w.agent.Watch(w.store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.agent.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	t.Cleanup(w.stop)
	w.until("it is reported", func() bool {
		s := w.agent.Status().Bindings
		return len(s) == 1 && s[0].Doubt != nil && strings.Contains(s[0].Doubt.Error(), "permanent MAC")
	})
	w.wait(w.ports(80, 82))
	w.want(false, 82, "a port that is allowed now")
	w.wait(w.bind(eni, ""))
	w.until("detached, it is free", func() bool { return w.passes(81) })
	w.attach(eni)
	w.want(true, 82, "attached again, an allowed port")
	w.want(false, 81, "and another one")
}

// The filter of a workload's end of a veth goes on the other end, if that can be
// reached; a device that is no veth stays where it is.
func TestRelocate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	host, container := fmt.Sprintf("moat-t-%08x", rand.Uint32()), fmt.Sprintf("moat-t-%08x", rand.Uint32())
	for _, ns := range []string{host, container} {
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
	}
	for _, c := range []string{
		"netns add " + host, "netns add " + container,
		"-n " + host + " link add v0 type veth peer name eth0 netns " + container,
		"-n " + container + " link add d0 type bridge",
		"-n " + container + " link add a0 type veth peer name a1",
	} {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", c, err, out)
		}
	}
	path := func(ns string) string { return filepath.Join("/run/netns", ns) }
	at := func(device string) (string, string) {
		end := agent.Relocate(dataplane.Binding{Device: device, Netns: path(container), Side: dataplane.Workload})
		return end.Device, end.Netns
	}
	if d, ns := at("eth0"); d != "v0" || ns != path(host) {
		t.Errorf("eth0's filter goes to %s in %s, want v0 in %s", d, ns, host)
	}
	for _, d := range []string{"d0", "a0"} {
		if got, ns := at(d); got != d || ns != path(container) {
			t.Errorf("%s's filter goes to %s in %s", d, got, ns)
		}
	}
}
