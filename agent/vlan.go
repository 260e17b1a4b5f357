package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"moat/dataplane"
)

// A managed bridge filters by VLAN, with no VLAN for new ports: the kernel
// itself passes nothing to or from a port until it gets the bridge's VLAN,
// which is when it is bound. To the outside nothing is tagged.

// A takenBridge is one whose VLANs are the agent's. What it was before is
// written down, so that it can be given back.
type takenBridge struct {
	Name string
	// VLAN is the bridge's default one before, and that of its ports now.
	VLAN uint16
	// Default is what the default was: 0 for none.
	Default uint16
}

// A BridgeStatus is how a managed bridge stands.
type BridgeStatus struct {
	Name string
	// Err says why a new port passes packets until the agent has seen it; nil
	// if it passes nothing.
	Err error
}

// bridgeSetting reads one of a bridge's.
func bridgeSetting(bridge, name string) (int, error) {
	b, err := os.ReadFile(filepath.Join(sysNet, bridge, "bridge", name))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// takenBridge gives the note of a bridge whose VLANs are the agent's.
func (a *Agent) takenBridge(name string) *takenBridge {
	for i := range a.taken {
		if a.taken[i].Name == name {
			return &a.taken[i]
		}
	}
	return nil
}

// readTaken learns which bridges a process before this one has taken.
func (a *Agent) readTaken() error {
	if a.notes == "" {
		return nil
	}
	b, err := os.ReadFile(a.notes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &a.taken)
	}
	return err
}

func (a *Agent) writeTaken() error {
	if a.notes == "" {
		return nil
	}
	if len(a.taken) == 0 {
		if err := os.Remove(a.notes); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(a.taken)
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.notes+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(a.notes+".new", a.notes)
}

// takeBridges makes new ports of the managed bridges pass nothing, and gives
// back bridges that are not managed any more. have is what is bound. The caller
// holds binding.
func (a *Agent) takeBridges(have []dataplane.Standing) (all []BridgeStatus, err error) {
	var errs []error
	for _, t := range slices.Clone(a.taken) {
		if !slices.Contains(a.bridges, t.Name) {
			errs = append(errs, a.giveBack(t))
		}
	}
	for _, name := range a.bridges {
		err := a.takeBridge(name, have)
		if a.bridgesOpen == nil && !errors.Is(err, errNoBridge) {
			err = nil // nftables closes its ports
		}
		all = append(all, BridgeStatus{name, err})
	}
	return all, errors.Join(errs...)
}

var (
	errNoBridge = errors.New("there is no such bridge")
	errNoVLANs  = errors.New("the kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)")
)

func (a *Agent) takeBridge(name string, have []dataplane.Standing) error {
	if !isBridge(name) {
		return errNoBridge
	}
	filters, err := bridgeSetting(name, "vlan_filtering")
	if err != nil {
		return errNoVLANs
	}
	pvid, err := bridgeSetting(name, "default_pvid")
	if err != nil {
		return errNoVLANs
	}
	if filters != 0 {
		if pvid != 0 {
			return errors.New("it has VLANs of its own, and one for new ports: `ip link set dev " + name + " type bridge vlan_default_pvid 0` with vlan_filtering 0 ends that")
		}
		return nil // ours, or its owner gives each port its VLANs
	}
	bridge, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	t := takenBridge{Name: name, VLAN: uint16(max(pvid, 1)), Default: uint16(pvid)}
	if old := a.takenBridge(name); old == nil {
		a.taken = append(a.taken, t)
	} else if pvid == 0 {
		t = *old // a process before this one got half way
	}
	*a.takenBridge(name) = t
	if err := a.writeTaken(); err != nil {
		return fmt.Errorf("write down what the bridge was: %w", err)
	}
	// Without filtering all this changes nothing yet.
	if err := setBridge(bridge, nl.IFLA_BR_VLAN_DEFAULT_PVID, nl.Uint16Attr(0)); err != nil {
		return fmt.Errorf("take the VLAN from new ports: %w", err)
	}
	if err := netlink.BridgeVlanAdd(bridge, t.VLAN, true, true, true, false); err != nil {
		return fmt.Errorf("give the bridge its VLAN: %w", err)
	}
	for _, port := range portsOf(name) {
		if slices.ContainsFunc(have, func(b dataplane.Standing) bool { return b.Device == port && b.Netns == "" && !isGuard(b.Interface) }) {
			if err := a.openPort(port); err != nil {
				return err
			}
		}
	}
	if err := setBridge(bridge, nl.IFLA_BR_VLAN_FILTERING, []byte{1}); err != nil {
		return fmt.Errorf("filter by VLAN: %w", err)
	}
	return nil
}

// setBridge sets one thing of a bridge, and nothing else.
func setBridge(bridge netlink.Link, attr int, value []byte) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(bridge.Attrs().Index)
	req.AddData(msg)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(attr, value)
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// giveBack makes a bridge what it was.
func (a *Agent) giveBack(t takenBridge) error {
	bridge, err := netlink.LinkByName(t.Name)
	if gone := (netlink.LinkNotFoundError{}); err != nil && !errors.As(err, &gone) {
		return err
	}
	if err == nil {
		if err := setBridge(bridge, nl.IFLA_BR_VLAN_FILTERING, []byte{0}); err != nil {
			return fmt.Errorf("give back bridge %s: %w", t.Name, err)
		}
		if err := setBridge(bridge, nl.IFLA_BR_VLAN_DEFAULT_PVID, nl.Uint16Attr(t.Default)); err != nil {
			return fmt.Errorf("give back bridge %s: %w", t.Name, err)
		}
	}
	a.taken = slices.DeleteFunc(a.taken, func(o takenBridge) bool { return o.Name == t.Name })
	return a.writeTaken()
}

// openPort gives a port that is bound its bridge's VLAN, if that has one of
// the agent's.
func (a *Agent) openPort(device string) error {
	return a.portVLAN(device, func(l netlink.Link, vlan uint16) error {
		if err := netlink.BridgeVlanAdd(l, vlan, true, true, false, true); err != nil {
			return fmt.Errorf("give port %s its VLAN: %w", device, err)
		}
		return nil
	})
}

// closePort takes it away again.
func (a *Agent) closePort(device string) error {
	return a.portVLAN(device, func(l netlink.Link, vlan uint16) error {
		err := netlink.BridgeVlanDel(l, vlan, false, false, false, true)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("take the VLAN of port %s: %w", device, err)
		}
		return nil
	})
}

func (a *Agent) portVLAN(device string, f func(l netlink.Link, vlan uint16) error) error {
	master, err := os.Readlink(filepath.Join(sysNet, device, "master"))
	if err != nil {
		return nil // it is no port any more
	}
	t := a.takenBridge(filepath.Base(master))
	if t == nil {
		return nil
	}
	l, err := netlink.LinkByName(device)
	if gone := (netlink.LinkNotFoundError{}); errors.As(err, &gone) {
		return nil
	}
	if err != nil {
		return err
	}
	return f(l, t.VLAN)
}
