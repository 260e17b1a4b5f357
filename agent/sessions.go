package agent

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Session is an open TCP connection of this host.
type Session struct {
	Local, Remote netip.AddrPort
	Owner         Owner
	// Out tells that nobody listens on the local port: this host opened it.
	Out bool
}

// An Owner is whose connection it is, as far as it matters.
type Owner uint8

// The owners.
const (
	OwnerOther Owner = iota
	OwnerSSH         // a server of SSH
	OwnerSelf        // this process
)

// sshServers are the processes that speak SSH to whoever logs in.
var sshServers = []string{"sshd", "sshd-session", "sshd-auth", "dropbear"}

// Sessions gives the open TCP connections of the network namespace that the
// process is in, and the local ports and addresses that it itself listens on.
// Whose connections they are is known as far as the process may look at others;
// SSH by its port too, on which a server of SSH listens.
func Sessions() (all []Session, listening []netip.AddrPort, err error) {
	return sessionsOf("/proc")
}

func sessionsOf(proc string) (all []Session, listening []netip.AddrPort, err error) {
	owners := map[string]Owner{}
	for name := range inodesOf(filepath.Join(proc, "self")) {
		owners[name] = OwnerSelf
	}
	for _, pid := range processes(proc, sshServers) {
		for name := range inodesOf(pid) {
			owners[name] = OwnerSSH
		}
	}
	ports := map[uint16]bool{}
	ssh := map[uint16]bool{}
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(proc, "thread-self/net", name))
		if os.IsNotExist(err) {
			continue // no IPv6
		}
		if err != nil {
			return nil, nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout
			// inode; established is 01, listening 0A.
			w := strings.Fields(lines.Text())
			if len(w) < 10 || w[3] != "01" && w[3] != "0A" {
				continue
			}
			l, ok1 := procAddr(w[1])
			r, ok2 := procAddr(w[2])
			if !ok1 || !ok2 {
				continue
			}
			owner := owners[w[9]]
			if w[3] == "01" {
				all = append(all, Session{Local: l, Remote: r, Owner: owner})
				continue
			}
			ports[l.Port()] = true
			ssh[l.Port()] = ssh[l.Port()] || owner == OwnerSSH
			if owner == OwnerSelf {
				listening = append(listening, l)
			}
		}
		err = lines.Err()
		f.Close()
		if err != nil {
			return nil, nil, err
		}
	}
	for i := range all {
		c := &all[i]
		c.Out = !ports[c.Local.Port()]
		if ssh[c.Local.Port()] {
			c.Owner = OwnerSSH
		}
	}
	return all, listening, nil
}

// processes gives the folders of the processes with one of some names.
func processes(proc string, names []string) (all []string) {
	comms, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "comm"))
	for _, c := range comms {
		if b, err := os.ReadFile(c); err == nil && slices.Contains(names, strings.TrimSpace(string(b))) {
			all = append(all, filepath.Dir(c))
		}
	}
	return all
}

// inodesOf gives the inodes of a process's sockets.
func inodesOf(process string) map[string]bool {
	all := map[string]bool{}
	fds, _ := os.ReadDir(filepath.Join(process, "fd"))
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(process, "fd", fd.Name()))
		if rest, ok := strings.CutPrefix(to, "socket:["); err == nil && ok {
			all[strings.TrimSuffix(rest, "]")] = true
		}
	}
	return all
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
