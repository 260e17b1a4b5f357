package agent_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/google/uuid"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"moat/agent"
	"moat/dataplane"
	kernel "moat/dataplane/ebpf"
	"moat/state"
	"moat/vpc"
)

// The long form:
//
//	go test ./agent -run TestDevicesModel -sequences 1000 -timeout 3h
var sequences = flag.Int("sequences", 3, "how many random sequences of what happens to devices are compared with the model")

// A modelDevice is a veth of the test.
type modelDevice struct {
	name  string
	index int
	away  bool // in the other network namespace
}

// A modelBinding is what must be true of an interface that is attached.
type modelBinding struct {
	on      *modelDevice // nil while it is gone
	named   string       // in the state
	known   string       // the device's last name that an agent saw
	touched bool         // a filter is off, and no agent has seen it
	severed bool         // both are
	doubt   bool
}

// A modelHost is a kernel with an agent, and what must be so.
type modelHost struct {
	*world
	rng        *rand.Rand
	here, away string
	pins, id   string
	kernel     *kernel.Plane
	devices    []*modelDevice
	bound      map[vpc.InterfaceID]*modelBinding
	running    bool
	boots      int
	done       []string
}

// Random sequences of attaching, detaching, renaming, filters taken off, devices
// that go, come and move, restarts and reboots end as the model says: what is bound
// is closed, under the name that it has, and what is said of it is true.
func TestDevicesModel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads programs into the kernel")
	}
	if testing.Short() {
		*sequences = 1
	}
	seed := uint64(time.Now().UnixNano())
	for n := range *sequences {
		ok := t.Run(fmt.Sprintf("seed %d", seed+uint64(n)), func(t *testing.T) {
			h := newModelHost(t, rand.New(rand.NewPCG(seed+uint64(n), 12)))
			for range 8 {
				h.op()
				h.check()
			}
		})
		if !ok {
			return
		}
	}
}

func newModelHost(t *testing.T, rng *rand.Rand) *modelHost {
	h := &modelHost{world: newWorld(t), rng: rng, id: uuid.NewString(), bound: map[vpc.InterfaceID]*modelBinding{}}
	h.stop()
	h.snapshot = filepath.Join(t.TempDir(), "enforced.snapshot")
	h.read = agent.ReadDevices
	h.here, h.away = "moat-t-"+h.id[:8], "moat-t-"+h.id[:8]+"-x"
	h.pins = "/sys/fs/bpf/" + h.here
	t.Cleanup(func() {
		if h.running {
			h.end()
		}
		os.RemoveAll(h.pins)
		for _, ns := range []string{h.here, h.away} {
			exec.Command("ip", "netns", "del", ns).Run()
		}
		if t.Failed() {
			t.Logf("steps: %s", strings.Join(h.done, "; "))
		}
	})
	h.ip("netns add " + h.here)
	h.ip("netns add " + h.away)
	for _, name := range []string{"d0", "d1", "d2"} {
		h.create(name)
	}
	h.begin()
	return h
}

func (h *modelHost) ip(line string) {
	h.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		h.Fatalf("ip %s: %v: %s", line, err, out)
	}
}

func (h *modelHost) path() string { return "/run/netns/" + h.here }

// within runs f with a handle for a network namespace.
func (h *modelHost) within(ns string, f func(*netlink.Handle) error) error {
	at, err := netns.GetFromName(ns)
	if err != nil {
		return err
	}
	defer at.Close()
	n, err := netlink.NewHandleAt(at)
	if err != nil {
		return err
	}
	defer n.Close()
	return f(n)
}

func (h *modelHost) create(name string) {
	h.ip(fmt.Sprintf("-n %s link add %s type veth peer name p%08x", h.here, name, h.rng.Uint32()))
	d := &modelDevice{name: name}
	h.devices = append(h.devices, d)
	h.reindex(d)
}

func (h *modelHost) reindex(d *modelDevice) {
	ns := h.here
	if d.away {
		ns = h.away
	}
	if err := h.within(ns, func(n *netlink.Handle) error {
		l, err := n.LinkByName(d.name)
		if err == nil {
			d.index = l.Attrs().Index
		}
		return err
	}); err != nil {
		h.Fatal(err)
	}
}

// begin starts an agent, as a process does.
func (h *modelHost) begin() {
	p, err := kernel.Open(kernel.Options{Identity: h.id, PinDir: h.pins, Flows4: 1024, Flows6: 1024})
	if err != nil {
		h.Fatal(err)
	}
	h.kernel = p
	h.agent = agent.New(agent.Config{Plane: p, Host: host, Snapshot: h.snapshot, Devices: h.read, Boot: fmt.Sprint("boot ", h.boots)})
	b, end := h.agent.Boot(context.Background())
	if b.Err != nil {
		h.Errorf("boot: %v", b.Err)
	}
	end()
	h.agent.Watch(h.store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.agent.Run(ctx) }()
	h.stop = func() { cancel(); <-done }
	h.running = true
	// What an agent finds when it starts.
	for _, id := range slices.Sorted(maps.Keys(h.bound)) {
		h.found(h.bound[id])
	}
	h.saw()
}

func (h *modelHost) end() {
	h.stop()
	if err := h.kernel.Close(); err != nil {
		h.Error(err)
	}
	h.running = false
}

// named finds a device here by its name.
func (h *modelHost) named(name string) *modelDevice {
	for _, d := range h.devices {
		if d.name == name && !d.away {
			return d
		}
	}
	return nil
}

func (h *modelHost) owner(d *modelDevice) *modelBinding {
	for _, b := range h.bound {
		if b.on == d {
			return b
		}
	}
	return nil
}

// found says what an agent makes of a binding when it looks again.
func (h *modelHost) found(b *modelBinding) {
	b.touched = false
	if b.on != nil && b.severed {
		b.severed = false
		if b.on.away {
			b.on = nil // nothing says that it was the device
		} else if b.on.name != b.known {
			b.doubt = true
		}
	}
	if b.on == nil {
		if d := h.named(b.known); d != nil && h.owner(d) == nil {
			b.on = d
		}
	}
}

// saw notes the names that an agent has seen.
func (h *modelHost) saw() {
	for _, b := range h.bound {
		if b.on != nil && !b.on.away {
			b.known = b.on.name
		}
	}
}

func (h *modelHost) free() string {
	for {
		if name := fmt.Sprintf("d%d", h.rng.IntN(6)); h.named(name) == nil {
			return name
		}
	}
}

// op does one thing.
func (h *modelHost) op() {
	id := []vpc.InterfaceID{eni, eni2}[h.rng.IntN(2)]
	b := h.bound[id]
	switch h.rng.IntN(10) {
	case 0, 1:
		d := h.devices[h.rng.IntN(len(h.devices))]
		if b != nil || d.away || h.owner(d) != nil {
			h.outside()
			break
		}
		h.done = append(h.done, fmt.Sprintf("attach %s to %s", id, d.name))
		at := dataplane.Binding{Interface: id, Device: d.name, Netns: h.path()}
		if _, err := h.agent.Attach(h.Context(), at, func() (uint64, error) { return h.bindIn(id, d.name, h.path()), nil }); err != nil {
			h.Fatalf("attach: %v", err)
		}
		h.bound[id] = &modelBinding{on: d, named: d.name, known: d.name}
	case 2:
		if b == nil {
			h.outside()
			break
		}
		h.done = append(h.done, fmt.Sprintf("detach %s", id))
		h.bind(id, "")
		delete(h.bound, id)
	case 3:
		h.done = append(h.done, "restart")
		h.end()
		h.begin()
	case 4:
		h.done = append(h.done, "restart, and meanwhile:")
		h.end()
		for range 1 + h.rng.IntN(3) {
			h.outside()
		}
		h.begin()
	case 5:
		h.reboot()
	default:
		h.outside()
		for _, id := range slices.Sorted(maps.Keys(h.bound)) {
			h.found(h.bound[id])
		}
	}
}

// outside does something behind the agent's back.
func (h *modelHost) outside() {
	d := h.devices[h.rng.IntN(len(h.devices))]
	b := h.owner(d)
	switch n := h.rng.IntN(6); {
	case n == 0 && !d.away:
		to := h.free()
		h.done = append(h.done, fmt.Sprintf("rename %s to %s", d.name, to))
		h.ip(fmt.Sprintf("-n %s link set %s name %s", h.here, d.name, to))
		d.name = to
	case n == 1 && !d.away:
		o := h.devices[h.rng.IntN(len(h.devices))]
		if o.away || o == d {
			return
		}
		h.done = append(h.done, fmt.Sprintf("swap %s and %s", d.name, o.name))
		for _, c := range [][2]string{{d.name, "tmp"}, {o.name, d.name}, {"tmp", o.name}} {
			h.ip(fmt.Sprintf("-n %s link set %s name %s", h.here, c[0], c[1]))
		}
		d.name, o.name = o.name, d.name
	case n == 2 && b != nil && !d.away && !b.severed:
		dirs := 1 + h.rng.IntN(3)
		h.done = append(h.done, fmt.Sprintf("take off %s, %d", d.name, dirs))
		b.touched = true
		b.severed = h.takeOff(d, dirs)
	case n == 3 && len(h.devices) > 2:
		h.done = append(h.done, "delete "+d.name)
		ns := h.here
		if d.away {
			ns = h.away
		}
		h.ip(fmt.Sprintf("-n %s link del %s", ns, d.name))
		if b != nil {
			b.on, b.severed = nil, false
		}
		h.devices = slices.DeleteFunc(h.devices, func(o *modelDevice) bool { return o == d })
	case n == 4 && len(h.devices) < 5:
		name := h.free()
		h.done = append(h.done, "create "+name)
		h.create(name)
	case n == 5:
		from, to := h.here, h.away
		if d.away {
			from, to = to, from
			if h.named(d.name) != nil {
				return
			}
		} else if slices.ContainsFunc(h.devices, func(o *modelDevice) bool { return o.away && o.name == d.name }) {
			return
		}
		if b != nil && b.touched {
			return // it would be open where no agent looks
		}
		h.done = append(h.done, fmt.Sprintf("move %s, away %v", d.name, !d.away))
		h.ip(fmt.Sprintf("-n %s link set %s netns %s", from, d.name, to))
		d.away = !d.away
		h.reindex(d)
	}
}

// takeOff detaches the links of some directions, and reports whether none is left.
func (h *modelHost) takeOff(d *modelDevice, dirs int) (all bool) {
	left := 0
	for i, hook := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
		for _, p := range h.attached(h.here, d.index, hook) {
			id, ok := p.LinkID()
			if dirs&(1<<i) == 0 || !ok {
				left++
				continue
			}
			l, err := link.NewFromID(id)
			if err == nil {
				err = l.Detach()
				l.Close()
			}
			if err != nil {
				h.Fatal(err)
			}
		}
	}
	return left == 0
}

// inNetns runs f on a thread of its own in a network namespace.
func inNetns(ns string, f func() error) error {
	runtime.LockOSThread() // the thread ends with its goroutine
	at, err := netns.GetFromName(ns)
	if err != nil {
		return err
	}
	defer at.Close()
	if err := netns.Set(at); err != nil {
		return err
	}
	return f()
}

// bindIn is bind for a device of another network namespace.
func (h *modelHost) bindIn(id vpc.InterfaceID, device, ns string) uint64 {
	return h.write(func(tx *state.Txn) {
		i := *state.Interfaces.Get(tx, id)
		i.Attachment = &vpc.Attachment{ID: "eni-attach-1", Device: &vpc.Device{Host: host, Name: device, Netns: ns}}
		state.Interfaces.Put(tx, &i)
	})
}

func (h *modelHost) attached(ns string, index int, hook ebpf.AttachType) (all []link.AttachedProgram) {
	done := make(chan error)
	go func() {
		done <- inNetns(ns, func() error {
			q, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: hook})
			if err == nil {
				all = q.Programs
			}
			return err
		})
	}()
	if err := <-done; err != nil {
		h.Fatal(err)
	}
	return all
}

// reboot makes the kernel forget everything. The devices come back, each under its
// last name or the one that it was attached under.
func (h *modelHost) reboot() {
	h.done = append(h.done, "reboot")
	h.end()
	os.RemoveAll(h.pins)
	h.boots++
	var names []string
	for _, b := range h.bound {
		b.on, b.severed = nil, false
	}
	for _, d := range h.devices {
		ns := h.here
		if d.away {
			ns = h.away
		}
		h.ip(fmt.Sprintf("-n %s link del %s", ns, d.name))
	}
	h.devices = nil
	for _, b := range h.bound {
		names = append(names, b.named, b.known)
	}
	slices.Sort(names)
	for _, name := range append(slices.Compact(names), "d0", "d1", "d2") {
		if h.named(name) == nil && h.rng.IntN(3) > 0 {
			h.create(name)
		}
	}
	for len(h.devices) < 2 {
		h.create(h.free())
	}
	for _, id := range slices.Sorted(maps.Keys(h.bound)) {
		b := h.bound[id]
		last, first := h.named(b.known), h.named(b.named)
		if b.named == b.known {
			first = nil
		}
		on := last
		if on == nil {
			on = first
		}
		if on != nil && h.owner(on) != nil { // the other interface has it
			continue
		}
		b.on, b.doubt = on, b.doubt || last != nil && first != nil
		if on != nil {
			b.known = on.name
		}
	}
	h.begin()
}

// check waits until everything is as the model says.
func (h *modelHost) check() {
	h.Helper()
	h.agent.Kick()
	why := ""
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if why = h.differs(); why == "" {
			break
		}
		if time.Now().After(end) {
			h.Fatalf("%s; status %+v", why, h.agent.Status().Bindings)
		}
	}
	for _, b := range h.bound {
		b.severed, b.touched = false, false
	}
	h.saw()
}

// differs says what is not as the model says.
func (h *modelHost) differs() string {
	all := h.agent.Status().Bindings
	if len(all) != len(h.bound) {
		return fmt.Sprintf("%d interfaces are bound, want %d", len(all), len(h.bound))
	}
	for _, s := range all {
		b := h.bound[s.Interface]
		switch {
		case b == nil:
			return fmt.Sprintf("%s is bound", s.Interface)
		case b.on == nil || b.on.away:
			if !errors.Is(s.Err, dataplane.ErrNoDevice) {
				return fmt.Sprintf("%s is not gone", s.Interface)
			}
		case s.Err != nil || s.Degraded != nil || s.Device != b.on.name || s.Index != b.on.index:
			return fmt.Sprintf("%s is not on %s with index %d", s.Interface, b.on.name, b.on.index)
		case (s.Doubt != nil) != b.doubt:
			return fmt.Sprintf("%s: in doubt %v, want %v", s.Interface, s.Doubt, b.doubt)
		}
	}
	for _, d := range h.devices {
		ns := h.here
		if d.away {
			ns = h.away
		}
		for _, hook := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			if closed := len(h.attached(ns, d.index, hook)) > 0; closed != (h.owner(d) != nil) {
				return fmt.Sprintf("device %s has a filter: %v", d.name, closed)
			}
		}
	}
	return ""
}
