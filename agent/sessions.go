package agent

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// A Session is an open TCP connection of this host.
type Session struct{ Local, Remote netip.AddrPort }

// Sessions gives the open TCP connections of the network namespace that the
// process is in.
func Sessions() ([]Session, error) {
	var all []Session
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(name)
		if os.IsNotExist(err) {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// sl local_address rem_address st …; established is 01.
			w := strings.Fields(lines.Text())
			if len(w) < 4 || w[3] != "01" {
				continue
			}
			l, ok1 := procAddr(w[1])
			r, ok2 := procAddr(w[2])
			if ok1 && ok2 {
				all = append(all, Session{l, r})
			}
		}
		err = lines.Err()
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// procAddr reads an address as /proc/net/tcp has it: words of 32 bits, each
// as a little-endian machine prints it, and the port.
func procAddr(s string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(address)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), ok
}
