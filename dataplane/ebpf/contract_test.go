package ebpf

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"moat/dataplane"
	"moat/dataplane/dataplanetest"
	"moat/flow"
	"moat/test/clause"
)

func TestContract(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the kernel's data plane is not held to the contract")
	}
	dataplanetest.Run(t, func(t *testing.T) *dataplanetest.Host {
		ns := fmt.Sprintf("moat-t-%08x", rand.Uint32())
		run(t, "ip netns add "+ns)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
		pins := "/sys/fs/bpf/" + ns
		t.Cleanup(func() { os.RemoveAll(pins) })
		return &dataplanetest.Host{
			Netns: "/run/netns/" + ns,
			Open: func(t *testing.T, identity string) dataplane.Dataplane {
				p, err := Open(Options{Identity: identity, PinDir: pins, Flows4: 4096, Flows6: 4096})
				if err != nil {
					t.Fatal(err)
				}
				return p
			},
			AddDevice: func(t *testing.T, name string) {
				run(t, fmt.Sprintf("ip -n %s link add %s type veth peer name p-%08x", ns, name, rand.Uint32()))
			},
			RenameDevice: func(t *testing.T, from, to string) {
				run(t, fmt.Sprintf("ip -n %s link set %s name %s", ns, from, to))
			},
			TakeOff: func(t *testing.T, name string) {
				if err := in(t, ns, func() error { return takeOff(name, dirIn, dirOut) }); err != nil {
					t.Fatal(err)
				}
			},
			RemoveDevice: func(t *testing.T, name string) { run(t, fmt.Sprintf("ip -n %s link del %s", ns, name)) },
			Send: func(t *testing.T, name string, p dataplanetest.Packet) (passes bool) {
				if err := in(t, ns, func() (err error) {
					passes, err = meet(name, p)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return passes
			},
		}
	})
}

// meet runs the programs that are attached to a device on a packet.
func meet(device string, p dataplanetest.Packet) (bool, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return false, err
	}
	hook := ebpf.AttachTCXEgress
	if p.Direction == flow.Egress {
		hook = ebpf.AttachTCXIngress
	}
	ids, err := attached(dev.Index, hook)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		prog, err := ebpf.NewProgramFromID(id)
		if err != nil {
			return false, err
		}
		data := contractPacket(p).bytes()
		r := ebpf.RunOptions{Data: data, DataOut: make([]byte, len(data)), Context: skb{Ifindex: uint32(dev.Index)}}
		ret, err := prog.Run(&r)
		prog.Close()
		if err != nil {
			return false, err
		}
		// What went on as a reset did not pass.
		if int32(ret) != -1 || p.Protocol == flow.TCP && !bytes.Equal(r.DataOut, data) {
			return false, nil
		}
	}
	return true, nil
}

// attached gives the programs that a packet meets at a device: those of TCX, where
// the kernel has it, and those of filters.
func attached(device int, hook ebpf.AttachType) (ids []ebpf.ProgramID, err error) {
	at, err := link.QueryPrograms(link.QueryOptions{Target: device, Attach: hook})
	if err == nil {
		for _, a := range at.Programs {
			ids = append(ids, a.ID)
		}
	} else if !errors.Is(err, unix.EINVAL) {
		return nil, err // EINVAL: it knows no such hook
	}
	dev, err := netlink.LinkByIndex(device)
	if err != nil {
		return nil, err
	}
	parent := uint32(netlink.HANDLE_MIN_INGRESS)
	if hook == ebpf.AttachTCXEgress {
		parent = netlink.HANDLE_MIN_EGRESS
	}
	filters, err := netlink.FilterList(dev, parent)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return nil, err // those: it has no clsact
	}
	for _, f := range filters {
		if b, ok := f.(*netlink.BpfFilter); ok {
			ids = append(ids, ebpf.ProgramID(b.Id))
		}
	}
	return ids, nil
}

func contractPacket(p dataplanetest.Packet) *pkt {
	k := &pkt{src: p.Remote, dst: p.Local, sport: p.RemotePort, dport: p.LocalPort, proto: uint8(p.Protocol), flags: p.TCP, typ: p.Type, code: p.Code}
	if p.Direction == flow.Egress {
		k.src, k.dst, k.sport, k.dport = k.dst, k.src, k.dport, k.sport
	}
	if p.Protocol == flow.ICMP || p.Protocol == flow.ICMPv6 {
		k.sport = p.Query
	}
	if p.Quoted != nil {
		k.payload = contractPacket(*p.Quoted).bytes()[14:]
	}
	return k
}

// takeOff takes programs off a device of the calling thread's network namespace,
// as bpftool does with links, and tc with filters.
func takeOff(device string, dirs ...int) error {
	dev, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	hooks := (&bound{}).hooks()
	for _, dir := range dirs {
		q, err := link.QueryPrograms(link.QueryOptions{Target: dev.Attrs().Index, Attach: hooks[dir]})
		if err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
		if err == nil && len(q.Programs) > 0 {
			id, _ := q.Programs[0].LinkID()
			l, err := link.NewFromID(id)
			if err != nil {
				return err
			}
			err = l.Detach()
			l.Close()
			if err != nil {
				return err
			}
			continue
		}
		b := &bound{bpfBinding: bpfBinding{Index: uint32(dev.Attrs().Index)}}
		if err := netlink.FilterDel(b.bpfFilter(-1, hooks[dir])); err != nil {
			return err
		}
	}
	return nil
}

// A device has one Moat.
func TestDeviceOfAnotherMoat(t *testing.T) {
	clause.Holds(t, "F4")
	l := newLab(t)
	a, b := open(t, Options{Identity: "t-one"}), open(t, Options{Identity: "t-two"})
	if err := a.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	err := b.Bind(t.Context(), l.binding)
	if want := "bind " + string(eni) + " to w: the device is bound by another Moat, of identity t-one"; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	if err := a.Unbind(t.Context(), eni); err != nil {
		t.Fatal(err)
	}
	if err := b.Bind(t.Context(), l.binding); err != nil {
		t.Error(err)
	}
}

// What is pinned for a device that is gone is removed at the next start.
func TestVanishedDevice(t *testing.T) {
	l := newLab(t)
	o := Options{Identity: fmt.Sprintf("t-%016x", rand.Uint64())}
	p := open(t, o)
	if err := p.Bind(t.Context(), l.binding); err != nil {
		t.Fatal(err)
	}
	if p.bound[eni].Clsact != 0 {
		t.Skip("the kernel has no TCX: nothing is pinned for a device")
	}
	pins := func() int {
		n, _ := filepath.Glob(p.dir + "/link-*")
		return len(n)
	}
	if pins() != 2 {
		t.Fatalf("%d links are pinned, want 2", pins())
	}
	p.Close()
	run(t, "ip -n "+l.host+" link del w")
	p = open(t, o)
	b, err := p.Bindings(t.Context())
	if err != nil || len(b) > 0 || pins() > 0 {
		t.Errorf("after the device went: %d links, bindings %v, %v", pins(), b, err)
	}
}

// The generated files are what the source gives.
func TestGenerated(t *testing.T) {
	clang := compiler(t)
	for name, load := range map[string]func() (*ebpf.CollectionSpec, error){"moat": loadBpf, "doorman": loadDoorman, "upgrade": loadUpgrade} {
		object := filepath.Join(t.TempDir(), name+".o")
		src, err := filepath.Abs("bpf/" + name + ".bpf.c")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(clang, "-O2", "-g", "-Wall", "-Werror", "-mcpu=v3", "-target", "bpfel", "-c", src, "-o", object).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		fresh, err := ebpf.LoadCollectionSpec(object)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := load()
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range fresh.Programs {
			if k := kept.Programs[name]; k == nil || fmt.Sprint(k.Instructions) != fmt.Sprint(p.Instructions) {
				t.Errorf("program %s is not what the source gives: go generate ./dataplane/ebpf", name)
			}
		}
		for name, m := range fresh.Maps {
			if k := kept.Maps[name]; k == nil || k.KeySize != m.KeySize || k.ValueSize != m.ValueSize || k.MaxEntries != m.MaxEntries {
				t.Errorf("map %s is not what the source gives: go generate ./dataplane/ebpf", name)
			}
		}
	}
}
