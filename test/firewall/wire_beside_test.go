package firewall_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestHostileOffload sends a frame that a rule allows, to port 7777, and asks the
// kernel to complete a checksum at the place of its destination port. A device
// behind the filter that computes checksums in software writes there, so that
// another port is reached than was judged.
func TestHostileOffload(t *testing.T) {
	w := newWire(t, true, "host")
	w.authorize(w.rules, "Egress", "udp 7777 "+w.o.four+"/32")
	w.router().must(func() error { return checksumsInSoftware("o") })
	var c net.PacketConn
	w.o.must(func() (err error) {
		c, err = net.ListenPacket("udp4", ":7778")
		return err
	})
	defer c.Close()
	w.v4["O"] = netip.MustParseAddr(w.o.four)
	frame, err := w.frame(true, false, "ip src=W dst=O / udp >7777 / fill 20")
	if err != nil {
		t.Fatal(err)
	}
	be.PutUint16(frame[40:], 0) // UDP without a checksum
	// The sum over the datagram is written over its destination port. The last word
	// of the payload is chosen so that the sum is 7778.
	copy(frame[42:], make([]byte, 20))
	sum := uint32(0)
	for i := 34; i < len(frame)-2; i += 2 {
		sum += uint32(be.Uint16(frame[i:]))
	}
	for sum>>16 > 0 {
		sum = sum>>16 + sum&0xffff
	}
	want := uint32(^uint16(7778))
	be.PutUint16(frame[len(frame)-2:], uint16((want+0xffff-sum)%0xffff))
	hdr := make([]byte, 10)
	hdr[0] = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	binary.LittleEndian.PutUint16(hdr[6:], 34)
	binary.LittleEndian.PutUint16(hdr[8:], 2)
	if err := unix.SetsockoptInt(w.near.send, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		t.Skip(err)
	}
	if err := w.near.write(append(hdr, frame...)); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	if n, from, err := c.ReadFrom(make([]byte, 100)); err == nil {
		t.Skipf("a known gap, docs/firewall.md, What is not there: %d bytes from %v reach port 7778; a rule allows 7777 only", n, from)
	}
}

// checksumsInSoftware turns off that a device computes checksums.
func checksumsInSoftware(dev string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	v := [2]uint32{0x17, 0} // ETHTOOL_STXCSUM
	req := struct {
		name [16]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&v)}
	copy(req.name[:], dev)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); e != 0 {
		return e
	}
	return nil
}

// TestHostileBypass sends a frame that no rule allows from a socket that bypasses
// the queues of the device, with either end of the link bound.
func TestHostileBypass(t *testing.T) {
	for _, side := range []string{"host", "workload"} {
		t.Run(side, func(t *testing.T) {
			w := newWire(t, false, side)
			if err := unix.SetsockoptInt(w.near.send, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
				t.Skip(err)
			}
			frame, err := w.frame(true, false, "udp >7778")
			if err != nil {
				t.Fatal(err)
			}
			n, err := w.exchange(true, frame)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				t.Error("a datagram to a port that no rule allows arrives")
			}
		})
	}
}
