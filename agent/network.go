package agent

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Network is the devices of a network namespace and what its own processes
// use them for. Devices is a snapshot; the functions ask the kernel.
type Network struct {
	Devices []NetworkDevice
	// Routes returns the ways of packets from a local address to a remote one:
	// several if the route has several next hops, none if there is no route.
	Routes func(local, remote netip.Addr) ([]Hop, error)
	// Port returns the index of the port behind which a bridge has a neighbour
	// of a device, the bridge or one on top of it; 0 if that is not known.
	Port func(bridge, device int, neighbour netip.Addr) (int, error)

	byName map[string]int // places in Devices; nil to search them
}

// A Hop is a device by which packets leave, and the neighbour that gets them.
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
	// VLAN says that the packets of the device are tagged below it.
	VLAN bool
	// Inner says that the device leads nowhere: lo or a dummy. Its addresses are
	// reached by other devices.
	Inner bool
	// Above are the indexes of devices whose packets pass this one too: the
	// bridge or bond that it is a port of, its VLANs, the other end of a veth.
	Above []int
}

// A HostUse is what the processes of a namespace use a device for.
type HostUse struct {
	Addresses    []netip.Addr
	DefaultRoute bool
	// VLANs are the devices that are used and whose packets pass this one tagged.
	VLANs []string
	// Inner are the addresses of lo and dummies, if the device has a default route:
	// they may be reached through it.
	Inner []netip.Addr
}

// Any reports whether the device is used at all.
func (u HostUse) Any() bool { return len(u.Addresses)+len(u.VLANs) > 0 || u.DefaultRoute }

// Device returns the device of a name, or nil.
func (n *Network) Device(name string) *NetworkDevice {
	if n.byName != nil {
		if at, ok := n.byName[name]; ok {
			return &n.Devices[at]
		}
		return nil
	}
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

// Owned returns the network with a device that is no workload's link: it carries
// the addresses of an interface itself.
func (n *Network) Owned(name string) *Network {
	if d := n.Device(name); d == nil || !d.WorkloadLink {
		return n
	}
	own := *n
	own.Devices = slices.Clone(n.Devices)
	own.Device(name).WorkloadLink = false
	return &own
}

// A layer is a device at or above another one.
type layer struct {
	*NetworkDevice
	tagged bool // its packets pass the other one in VLAN frames
}

// stack returns a device and those above it, those without tags first.
func (n *Network) stack(d *NetworkDevice) []layer {
	all := []layer{{d, false}}
	for _, tagged := range []bool{false, true} {
		for i := 0; i < len(all); i++ {
			for _, index := range all[i].Above {
				up := n.find(func(d *NetworkDevice) bool { return d.Index == index })
				if up != nil && (tagged || !up.VLAN) && !slices.ContainsFunc(all, func(l layer) bool { return l.NetworkDevice == up }) {
					all = append(all, layer{up, tagged})
				}
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
	add := func(to *[]netip.Addr, x *NetworkDevice) {
		for _, a := range x.Addresses {
			if !linkLocal6(a) && !a.IsLoopback() { // IPv6 gives one to each device
				*to = append(*to, a)
			}
		}
	}
	for _, x := range n.stack(d) {
		if x.tagged {
			if x.DefaultRoute || slices.ContainsFunc(x.Addresses, func(a netip.Addr) bool { return !linkLocal6(a) }) {
				u.VLANs = append(u.VLANs, x.Name)
			}
			continue
		}
		add(&u.Addresses, x.NetworkDevice)
		u.DefaultRoute = u.DefaultRoute || x.DefaultRoute
	}
	for i := range n.Devices {
		if u.DefaultRoute && n.Devices[i].Inner {
			add(&u.Inner, &n.Devices[i])
		}
	}
	return u
}

func linkLocal6(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// A Passage is how the packets of a connection pass a device.
type Passage uint8

// The passages.
const (
	PassesNot Passage = iota
	Passes
	PassesTagged // in VLAN frames
)

// A Connection is one of the namespace's processes.
type Connection struct {
	n             *Network
	local, remote netip.Addr
	// near says that its addresses mean something on one link only; zone is the
	// name of its device, if that is known.
	near bool
	zone string
	self bool // it is of the host with itself
	ways func() ([]Hop, error)
}

// Connection returns a connection. A zone of an address is the name of a device.
func (n *Network) Connection(local, remote netip.Addr) *Connection {
	c := &Connection{n: n, local: local.WithZone(""), remote: remote.WithZone(""), zone: cmp.Or(remote.Zone(), local.Zone())}
	c.near = linkLocal6(c.local) || linkLocal6(c.remote)
	c.self = n.find(func(d *NetworkDevice) bool { return c.on(d, c.remote) && (!c.near || c.zone != "") }) != nil
	c.ways = sync.OnceValues(func() ([]Hop, error) {
		if n.Routes == nil {
			return nil, nil
		}
		return n.Routes(c.local, c.remote)
	})
	return c
}

// on reports whether a device has an address, as far as the connection goes.
func (c *Connection) on(d *NetworkDevice, a netip.Addr) bool {
	return slices.Contains(d.Addresses, a) && (!c.near || c.zone == "" || d.Name == c.zone)
}

// Passes reports whether packets of the connection pass a device. If they may
// come in by another device than they leave by, they pass both.
func (c *Connection) Passes(device string) (Passage, error) {
	d := c.n.Device(device)
	if d == nil || c.self { // it stays on lo
		return PassesNot, nil
	}
	stack := c.n.stack(d)
	here := PassesNot // by the address
	var ways []Hop
	for _, x := range stack {
		if c.on(x.NetworkDevice, c.local) {
			here = max(here, x.passage())
			ways = append(ways, Hop{x.Index, c.remote})
		}
	}
	if d.WorkloadLink {
		here = PassesNot
	}
	if !c.near {
		bridged := slices.ContainsFunc(stack[1:], func(x layer) bool { return x.Bridge })
		if here != PassesNot && !bridged {
			return here, nil
		}
		var err error
		if ways, err = c.ways(); err != nil {
			return PassesNot, err
		}
	}
	by, known := PassesNot, false
	for _, hop := range ways {
		at := slices.IndexFunc(stack, func(x layer) bool { return x.Index == hop.Index })
		if at < 0 {
			continue
		}
		known = true
		passes, err := c.n.behind(stack, at, hop)
		if err != nil {
			return PassesNot, err
		}
		if passes {
			by = max(by, stack[at].passage())
		}
	}
	if known {
		return by, nil
	}
	return here, nil
}

func (l layer) passage() Passage {
	if l.tagged {
		return PassesTagged
	}
	return Passes
}

// behind reports whether what leaves by a device of a stack passes the lowest
// one: if a bridge lies between, whether the neighbour is behind that port. It
// counts as there if nothing is known of it, except behind a workload's link.
func (n *Network) behind(stack []layer, at int, hop Hop) (bool, error) {
	for _, x := range stack[1 : at+1] {
		if !x.Bridge || !slices.ContainsFunc(n.stack(x.NetworkDevice), func(up layer) bool { return up.Index == hop.Index }) {
			continue
		}
		port, err := 0, error(nil)
		if n.Port != nil {
			port, err = n.Port(x.Index, hop.Index, hop.Neighbour)
		}
		if port == 0 || err != nil {
			return !stack[0].WorkloadLink, err
		}
		return slices.ContainsFunc(stack, func(x layer) bool { return x.Index == port }), nil
	}
	return true, nil
}

// ReadNetwork reads a network namespace, named by its path; empty for the
// process's own, which is the only one with Routes and Port.
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
	n.byName = map[string]int{}
	for i := range n.Devices {
		n.byName[n.Devices[i].Name] = i
	}
	if path == "" {
		n.Routes, n.Port = routesOf, portOf
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
		all = append(all, NetworkDevice{Name: a.Name, Index: a.Index, Bridge: l.Type() == "bridge", VLAN: l.Type() == "vlan",
			Inner:        a.Flags&net.FlagLoopback != 0 || l.Type() == "dummy",
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

// routesOf asks for the route itself and not for the hop that the kernel would
// choose today, which goes by more than addresses.
func routesOf(local, remote netip.Addr) (all []Hop, err error) {
	routes, err := netlink.RouteGetWithOptions(remote.AsSlice(), &netlink.RouteGetOptions{SrcAddr: local.AsSlice(), FIBMatch: true})
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EACCES), errors.Is(err, unix.EAGAIN):
		return nil, nil // no route, or not from this address
	case err != nil:
		return nil, fmt.Errorf("look up the route from %s to %s: %w", local, remote, err)
	}
	add := func(index int, gateway net.IP, via netlink.Destination) {
		hop := Hop{Index: index, Neighbour: remote}
		if v, ok := via.(*netlink.Via); ok {
			gateway = v.Addr
		}
		if a, ok := netip.AddrFromSlice(gateway); ok {
			hop.Neighbour = a.Unmap()
		}
		all = append(all, hop)
	}
	for _, r := range routes {
		if r.LinkIndex != 0 {
			add(r.LinkIndex, r.Gw, r.Via)
		}
		for _, hop := range r.MultiPath {
			add(hop.LinkIndex, hop.Gw, hop.Via)
		}
	}
	return all, nil
}

func portOf(bridge, device int, neighbour netip.Addr) (int, error) {
	family := netlink.FAMILY_V4
	if neighbour.Is6() {
		family = netlink.FAMILY_V6
	}
	near, err := netlink.NeighList(device, family)
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
