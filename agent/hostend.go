package agent

import (
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"moat/dataplane"
)

// Relocate moves a binding of the workload's end of a veth, in another network
// namespace, to the other end, if that is in the agent's own namespace or in one
// with a name: a process with CAP_NET_RAW can pass a filter at its own end. The
// interface's rules mean the same there.
func Relocate(b dataplane.Binding) dataplane.Binding {
	if b.Side != dataplane.Workload || b.Netns == "" {
		return b
	}
	if end, ok := hostEnd(b.Netns, b.Device); ok {
		b.Device, b.Index, b.Netns, b.Side = end.Device, end.Index, end.Netns, dataplane.Host
	}
	return b
}

// hostEnd finds the other end of a veth.
func hostEnd(path, device string) (end dataplane.Binding, ok bool) {
	there, err := networkHandle(path)
	if err != nil {
		return end, false
	}
	defer there.Close()
	dev, err := there.LinkByName(device)
	if err != nil || dev.Type() != "veth" || dev.Attrs().ParentIndex == 0 || dev.Attrs().NetNsID < 0 {
		return end, false
	}
	of, err := netns.GetFromPath(path)
	if err != nil {
		return end, false
	}
	defer of.Close()
	named, _ := filepath.Glob(filepath.Join(netnsDir, "*"))
	for _, candidate := range append([]string{""}, named...) {
		if name, ok := endIn(candidate, of, dev.Attrs()); ok {
			return dataplane.Binding{Device: name, Index: dev.Attrs().ParentIndex, Netns: candidate}, true
		}
	}
	return end, false
}

// endIn reports whether a namespace has the other end of a veth of the namespace of,
// and its name.
func endIn(path string, of netns.NsHandle, dev *netlink.LinkAttrs) (name string, ok bool) {
	h, err := networkHandle(path)
	if err != nil {
		return "", false
	}
	defer h.Close()
	id, err := h.GetNetNsIdByFd(int(of))
	if err != nil || id < 0 {
		return "", false
	}
	l, err := h.LinkByIndex(dev.ParentIndex)
	if err != nil || l.Type() != "veth" || l.Attrs().ParentIndex != dev.Index || l.Attrs().NetNsID != id {
		return "", false
	}
	return l.Attrs().Name, true
}
