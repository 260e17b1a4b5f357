package ebpf

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"moat/dataplane"
)

const (
	linkLearns = 1
	linkKnown  = 2
)

// identify stores the MAC and the link-local addresses of an interface's device
// where the programs read them. They count beside the MAC and the addresses of the
// interface's record. They are read only when the device is bound, because a
// workload may be able to change them. The caller is in the device's network
// namespace.
func (p *Plane) identify(n uint32, dev netlink.Link, side dataplane.Side) error {
	l := bpfLink{Flags: linkKnown}
	if mac, local, err := workloadOf(dev, side); err != nil {
		// The other end is a tap's, or cannot be seen. Its MAC is learned, and may be
		// any but those of the host's devices.
		l.Flags |= linkLearns
		all, err := netlink.LinkList()
		if err != nil {
			return fmt.Errorf("list the host's devices: %w", err)
		}
		for _, d := range all {
			p.reserve(d.Attrs().HardwareAddr)
		}
	} else {
		l.Mac = macWord(mac)
		i := 0
		for _, a := range local {
			_, lo := halves(a)
			if i < len(l.Local) && lo != eui64(mac) {
				l.Local[i] = lo
				i++
			}
		}
	}
	if err := p.maps.Links.Put(n, l); err != nil {
		return fmt.Errorf("store the MAC of its device: %w", err)
	}
	return nil
}

// reserve prevents a MAC from being learned. If the map is full, it does nothing.
func (p *Plane) reserve(mac net.HardwareAddr) {
	if w := macWord(mac); w != 0 {
		_ = p.maps.Macs.Put(w, uint32(1))
	}
}

// workloadOf returns the MAC and the link-local addresses of the workload's device:
// dev itself, or the other end of a veth. It fails if it cannot see that device.
func workloadOf(dev netlink.Link, side dataplane.Side) (net.HardwareAddr, []netip.Addr, error) {
	const own = -1
	at, index := own, dev.Attrs().Index
	if side == dataplane.Host {
		if dev.Type() != "veth" || dev.Attrs().ParentIndex == 0 {
			return nil, nil, dataplane.ErrNoDevice
		}
		at, index = dev.Attrs().NetNsID, dev.Attrs().ParentIndex
		l, err := linkAt(at, index)
		if err != nil {
			return nil, nil, err
		}
		dev = l
	}
	mac := dev.Attrs().HardwareAddr
	if len(mac) != 6 {
		return nil, nil, dataplane.ErrNoDevice
	}
	local, err := linkLocalsAt(at, index)
	return mac, local, err
}

// Attributes that direct a request to another network namespace, by that
// namespace's id in this one.
const (
	iflaTargetNetnsID = 46
	ifaTargetNetnsID  = 10
)

// linkAt returns a device of a namespace, -1 for this one.
func linkAt(netns, index int) (netlink.Link, error) {
	if netns < 0 {
		return netlink.LinkByIndex(index)
	}
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(iflaTargetNetnsID, nl.Uint32Attr(uint32(netns))))
	out, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil || len(out) == 0 {
		return nil, fmt.Errorf("look at device %d of network namespace %d: %w", index, netns, err)
	}
	return netlink.LinkDeserialize(nil, out[0])
}

// linkLocalsAt returns the IPv6 link-local addresses of a device.
func linkLocalsAt(netns, index int) ([]netip.Addr, error) {
	s, err := nl.GetNetlinkSocketAt(-1, -1, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	// Without this the kernel ignores the index and the namespace in the request.
	if err := unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1); err != nil {
		return nil, err
	}
	req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}
	msg := nl.NewIfAddrmsg(unix.AF_INET6)
	msg.Index = uint32(index)
	req.AddData(msg)
	if netns >= 0 {
		req.AddData(nl.NewRtAttr(ifaTargetNetnsID, nl.Uint32Attr(uint32(netns))))
	}
	replies, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, fmt.Errorf("look at the addresses of device %d: %w", index, err)
	}
	var out []netip.Addr
	for _, b := range replies {
		m := nl.DeserializeIfAddrmsg(b)
		attrs, err := nl.ParseRouteAttr(b[m.Len():])
		if err != nil || m.Index != uint32(index) {
			continue
		}
		for _, a := range attrs {
			if addr, ok := netip.AddrFromSlice(a.Value); ok && a.Attr.Type == unix.IFA_ADDRESS && addr.IsLinkLocalUnicast() {
				out = append(out, addr)
			}
		}
	}
	return out, nil
}

// macWord is MAC of bpf/link.h: the bytes as they lie in memory.
func macWord(mac net.HardwareAddr) uint64 {
	if len(mac) != 6 {
		return 0
	}
	return uint64(binary.LittleEndian.Uint32(mac)) | uint64(binary.LittleEndian.Uint16(mac[4:]))<<32
}

// eui64 is that of bpf/link.h: the lower half of the link-local address derived
// from a MAC.
func eui64(mac net.HardwareAddr) uint64 {
	return binary.BigEndian.Uint64([]byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
}
