package agent

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Network is the devices of a network namespace and what its own processes
// use them for. Devices is a snapshot; the functions ask the kernel.
type Network struct {
	Devices []NetworkDevice
	// Route returns the way of packets from a local address to a remote one.
	// The zero Hop says that there is none.
	Route func(local, remote netip.Addr) (Hop, error)
	// Port returns the index of the port behind which a bridge has a neighbour,
	// or 0 if that is not known.
	Port func(bridge int, neighbour netip.Addr) (int, error)
}

// A Hop is the device by which packets leave, and the neighbour that gets them.
type Hop struct {
	Index     int
	Neighbour netip.Addr
}

// A NetworkDevice is one device of a namespace.
type NetworkDevice struct {
	Name      string
	Index     int
	Addresses []netip.Addr
	// DefaultRoute says that a route for everything leads through the device.
	DefaultRoute bool
	// WorkloadLink says that the device is the host's end of a workload's link:
	// a veth whose other end is in another namespace, or a tap, and no default
	// route leads through it. Its addresses are there to route to the workload.
	WorkloadLink bool
	Bridge       bool
	// Above are the indexes of devices whose packets pass this one too: the
	// bridge or bond that it is a port of, its VLANs, the other end of a veth.
	Above []int
}

// A HostUse is what the processes of a namespace use a device for.
type HostUse struct {
	Addresses    []netip.Addr
	DefaultRoute bool
}

// Any reports whether the device is used at all.
func (u HostUse) Any() bool { return len(u.Addresses) > 0 || u.DefaultRoute }

// Device returns the device of a name, or nil.
func (n *Network) Device(name string) *NetworkDevice {
	return n.find(func(d *NetworkDevice) bool { return d.Name == name })
}

func (n *Network) find(is func(*NetworkDevice) bool) *NetworkDevice {
	for i := range n.Devices {
		if is(&n.Devices[i]) {
			return &n.Devices[i]
		}
	}
	return nil
}

// stack returns a device and those above it.
func (n *Network) stack(d *NetworkDevice) []*NetworkDevice {
	all := []*NetworkDevice{d}
	for i := 0; i < len(all); i++ {
		for _, index := range all[i].Above {
			up := n.find(func(d *NetworkDevice) bool { return d.Index == index })
			if up != nil && !slices.Contains(all, up) {
				all = append(all, up)
			}
		}
	}
	return all
}

// UseOf returns what the namespace's processes use a device for, directly or
// by a device above it. A workload's link is not for them.
func (n *Network) UseOf(name string) (u HostUse) {
	d := n.Device(name)
	if d == nil || d.WorkloadLink {
		return u
	}
	for _, x := range n.stack(d) {
		for _, a := range x.Addresses {
			if !a.Is6() || !a.IsLinkLocalUnicast() { // IPv6 gives one to each device
				u.Addresses = append(u.Addresses, a)
			}
		}
		u.DefaultRoute = u.DefaultRoute || x.DefaultRoute
	}
	return u
}

// Carries reports whether packets of a connection of the namespace's processes
// pass a device. If they may come in by another device than they leave by,
// both carry it.
func (n *Network) Carries(name string, local, remote netip.Addr) (bool, error) {
	d := n.Device(name)
	if d == nil || n.find(func(d *NetworkDevice) bool { return slices.Contains(d.Addresses, remote) }) != nil {
		return false, nil // a connection of the host with itself stays on lo
	}
	stack := n.stack(d)
	here := !d.WorkloadLink && slices.ContainsFunc(stack, func(x *NetworkDevice) bool { return slices.Contains(x.Addresses, local) })
	bridged := slices.ContainsFunc(stack[1:], func(x *NetworkDevice) bool { return x.Bridge })
	if here && !bridged || n.Route == nil {
		return here, nil
	}
	hop, err := n.Route(local, remote)
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(stack, func(x *NetworkDevice) bool { return x.Index == hop.Index })
	switch {
	case at < 0:
		return here, nil
	case at == 0 || !stack[at].Bridge:
		return true, nil
	}
	port, err := n.Port(hop.Index, hop.Neighbour)
	if port == 0 || err != nil {
		return !d.WorkloadLink, err
	}
	return slices.ContainsFunc(stack, func(x *NetworkDevice) bool { return x.Index == port }), nil
}

// ReadNetwork reads a network namespace, named by its path; empty for the
// process's own, which is the only one with Route and Port.
func ReadNetwork(path string) (*Network, error) {
	h, err := networkHandle(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	n := &Network{}
	for try := 0; ; try++ {
		if n.Devices, err = readDevices(h); err == nil {
			break
		}
		if !errors.Is(err, netlink.ErrDumpInterrupted) || try == 10 {
			return nil, fmt.Errorf("read the devices, addresses and routes of the kernel: %w", err)
		}
	}
	if path == "" {
		n.Route, n.Port = routeOf, portOf
	}
	return n, nil
}

func networkHandle(path string) (*netlink.Handle, error) {
	if path == "" {
		return netlink.NewHandle(unix.NETLINK_ROUTE)
	}
	at, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace %s: %w", path, err)
	}
	defer at.Close()
	return netlink.NewHandleAt(at, unix.NETLINK_ROUTE)
}

func readDevices(h *netlink.Handle) ([]NetworkDevice, error) {
	links, err := h.LinkList()
	if err != nil {
		return nil, err
	}
	var all []NetworkDevice
	place := map[int]int{}
	for _, l := range links {
		a := l.Attrs()
		place[a.Index] = len(all)
		all = append(all, NetworkDevice{Name: a.Name, Index: a.Index, Bridge: l.Type() == "bridge",
			WorkloadLink: l.Type() == "veth" && a.NetNsID >= 0 || l.Type() == "tuntap" && a.EncapType == "ether"})
	}
	for _, l := range links {
		a := l.Attrs()
		if a.MasterIndex != 0 {
			d := &all[place[a.Index]]
			d.Above = append(d.Above, a.MasterIndex)
		}
		// Only without the number of a namespace is ParentIndex one of this namespace.
		if at, ok := place[a.ParentIndex]; ok && a.ParentIndex != 0 && a.NetNsID < 0 {
			all[at].Above = append(all[at].Above, a.Index)
		}
	}
	addresses, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		ip, ok := netip.AddrFromSlice(a.IP)
		if at, there := place[a.LinkIndex]; ok && there {
			all[at].Addresses = append(all[at].Addresses, ip.Unmap())
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		err := h.RouteListFilteredIter(family, &netlink.Route{}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			for _, index := range defaultDevices(&r) {
				if at, ok := place[index]; ok {
					all[at].DefaultRoute = true
				}
			}
			return true
		})
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return nil, err
		}
	}
	for i := range all {
		all[i].WorkloadLink = all[i].WorkloadLink && !all[i].DefaultRoute
	}
	return all, nil
}

// defaultDevices returns the devices that a route for everything leads to. One
// for half of all addresses counts: VPNs set two of these.
func defaultDevices(r *netlink.Route) (all []int) {
	if r.Type != unix.RTN_UNICAST {
		return nil
	}
	if r.Dst != nil {
		if bits, _ := r.Dst.Mask.Size(); bits > 1 {
			return nil
		}
	}
	if r.LinkIndex != 0 {
		all = append(all, r.LinkIndex)
	}
	for _, hop := range r.MultiPath {
		all = append(all, hop.LinkIndex)
	}
	return all
}

func routeOf(local, remote netip.Addr) (Hop, error) {
	routes, err := netlink.RouteGetWithOptions(remote.AsSlice(), &netlink.RouteGetOptions{SrcAddr: local.AsSlice()})
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EACCES), errors.Is(err, unix.EAGAIN):
		return Hop{}, nil // no route, or not from this address
	case err != nil:
		return Hop{}, fmt.Errorf("look up the route from %s to %s: %w", local, remote, err)
	case len(routes) == 0:
		return Hop{}, nil
	}
	hop := Hop{Index: routes[0].LinkIndex, Neighbour: remote}
	if via, ok := netip.AddrFromSlice(routes[0].Gw); ok {
		hop.Neighbour = via.Unmap()
	}
	return hop, nil
}

func portOf(bridge int, neighbour netip.Addr) (int, error) {
	family := netlink.FAMILY_V4
	if neighbour.Is6() {
		family = netlink.FAMILY_V6
	}
	near, err := netlink.NeighList(bridge, family)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return 0, fmt.Errorf("read the neighbours: %w", err)
	}
	var mac net.HardwareAddr
	for _, x := range near {
		if x.IP.Equal(neighbour.AsSlice()) {
			mac = x.HardwareAddr
		}
	}
	if mac == nil {
		return 0, nil
	}
	learnt, err := netlink.NeighList(0, unix.AF_BRIDGE)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return 0, fmt.Errorf("read what bridges have learnt: %w", err)
	}
	for _, x := range learnt {
		if x.MasterIndex == bridge && x.LinkIndex != bridge && bytes.Equal(x.HardwareAddr, mac) {
			return x.LinkIndex, nil
		}
	}
	return 0, nil
}
