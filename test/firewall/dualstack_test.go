package firewall_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moat/test/clause"
	"moat/test/moattest"
)

// A box is a dual-stack host in a network namespace, with a server in it and
// something like an SSH server on port 22. Beside it on its link are a peer and,
// in the same namespace by other addresses, a stranger.
type box struct {
	*lab
	host, peer *machine
	dir        string
	env        []string
}

func newBox(t *testing.T) *box {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces and loads BPF programs")
	}
	l := &lab{T: t, name: fmt.Sprintf("moat-t-%06x-", rand.Uint32()&0xffffff)}
	b := &box{lab: l, host: &machine{lab: l, netns: l.name + "box"}, peer: &machine{lab: l, netns: l.name + "peer"}, dir: filepath.Join(t.TempDir(), "moat")}
	l.netns(b.host.netns)
	l.netns(b.peer.netns)
	l.ip("-n", b.host.netns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b.peer.netns)
	for _, line := range []string{
		"box link set lo up", "box link set eth0 up", "peer link set lo up", "peer link set eth0 up",
		"box addr add 192.0.2.5/24 dev eth0", "box addr add 192.0.2.6/24 dev eth0", "box addr add 2001:db8:5::5/64 dev eth0 nodad",
		"peer addr add 192.0.2.1/24 dev eth0", "peer addr add 192.0.2.66/24 dev eth0",
		"peer addr add 2001:db8:5::1/64 dev eth0 nodad", "peer addr add 2001:db8:5::66/64 dev eth0 nodad",
		"box route add default via 192.0.2.1", "box route add default via 2001:db8:5::1",
	} {
		l.ip(append([]string{"-n"}, strings.Fields(l.name+line)...)...)
	}
	b.serve()
	return b
}

// serve starts the server and the listener inside.
func (b *box) serve() {
	b.Helper()
	c := exec.Command(moattest.Binary(b), "serve", "--listen", "127.0.0.1:4599", "--data-dir", b.dir)
	c.Env = moattest.CleanEnv()
	var log strings.Builder
	c.Stderr = &log
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	b.host.must(c.Start)
	moattest.Undo(b, func() {
		c.Process.Kill()
		c.Wait()
		if id, err := os.ReadFile(filepath.Join(b.dir, "identity")); err == nil {
			os.RemoveAll("/sys/fs/bpf/moat/" + strings.TrimSpace(string(id)))
		}
	})
	ready := make(chan bool, 1)
	go func() {
		defer close(ready)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "moat is ready") {
				ready <- true
			}
		}
	}()
	if !<-ready {
		b.Fatalf("moat serve: %s", &log)
	}
	b.env = moattest.CleanEnv()
	for name, value := range moattest.Environment(b, b.dir) {
		b.env = append(b.env, name+"="+value)
	}
	var ln net.Listener
	b.host.must(func() (err error) {
		ln, err = net.Listen("tcp", ":22")
		return err
	})
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // until the other side closes
				defer c.Close()
				c.Write([]byte("SSH"))
				c.Read(make([]byte, 1))
			}()
		}
	}()
}

// cli runs a command on the host, by loopback. login is the session by which who
// runs it is logged in, or nil.
func (b *box) cli(login net.Conn, args ...string) (string, error) {
	b.Helper()
	c := exec.Command(moattest.Binary(b), args...)
	c.Env = b.env
	if login != nil {
		from, to := login.LocalAddr().(*net.TCPAddr), login.RemoteAddr().(*net.TCPAddr)
		c.Env = append(b.env, fmt.Sprintf("SSH_CONNECTION=%s %d %s %d", from.IP, from.Port, to.IP, to.Port))
	}
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	b.host.must(c.Start)
	err := c.Wait()
	return out.String(), err
}

func (b *box) must(args ...string) string {
	b.Helper()
	out, err := b.cli(nil, args...)
	if err != nil {
		b.Fatalf("moat %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// refused wants a command to fail and to say something.
func (b *box) refused(says string, args ...string) {
	b.Helper()
	if out, err := b.cli(nil, args...); err == nil || !strings.Contains(out, says) {
		b.Errorf("moat %s: %v, and it does not say %q:\n%s", strings.Join(args, " "), err, says, out)
	}
}

// login opens a session from an address of the peer's namespace.
func (b *box) login(from, to string) (c net.Conn, err error) {
	err = b.peer.in(func() error {
		d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		if c, err = d.Dial("tcp", net.JoinHostPort(to, "22")); err != nil {
			return err
		}
		c.SetDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(make([]byte, 3)); err != nil {
			c.Close()
			return err
		}
		return c.SetDeadline(time.Time{})
	})
	if err == nil {
		b.Cleanup(func() { c.Close() })
	}
	return c, err
}

// open is login that must succeed, on a machine that may be slow.
func (b *box) open(from, to string) (c net.Conn) {
	b.Helper()
	b.until(20*time.Second, func() (err error) {
		c, err = b.login(from, to)
		return err
	})
	return c
}

func (b *box) closed(from, to string) {
	b.Helper()
	if c, err := b.login(from, to); err == nil {
		c.Close()
		b.Errorf("%s reaches %s", from, to)
	}
}

// end closes a session and waits until the host does not list it any more.
func (b *box) end(c net.Conn) {
	b.Helper()
	c.Close()
	from := fmt.Sprintf(":%04X ", c.LocalAddr().(*net.TCPAddr).Port)
	b.until(20*time.Second, func() error {
		var all []byte
		b.host.must(func() error {
			for _, f := range []string{"tcp", "tcp6"} {
				text, err := os.ReadFile("/proc/thread-self/net/" + f)
				if err != nil {
					return err
				}
				all = append(all, text...)
			}
			return nil
		})
		for _, line := range strings.Split(string(all), "\n") {
			if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[2], strings.TrimSpace(from)) && f[3] == "01" {
				return errors.New("a session that was closed is open still: " + line)
			}
		}
		return nil
	})
}

var (
	peers     = []string{"192.0.2.1", "192.0.2.1", "2001:db8:5::1"}
	strangers = []string{"192.0.2.66", "192.0.2.66", "2001:db8:5::66"}
	boxes     = []string{"192.0.2.5", "192.0.2.6", "2001:db8:5::5"}
)

// A dual-stack host is attached and enforced by its own addresses, and nobody
// who works on it is cut off on the way: by IPv4, a second IPv4 address, IPv6 or
// a link-local address.
func TestDualStackHost(t *testing.T) {
	clause.Holds(t, "F88", "F93", "F96")
	b := newBox(t)
	aws := func(query string, args ...string) string {
		t.Helper()
		return b.must(append(append([]string{"ec2"}, args...), "--query", query, "--output", "text")...)
	}
	v := aws("Vpc.VpcId", "create-vpc", "--cidr-block", "192.0.2.0/24")
	subnet := aws("Subnet.SubnetId", "create-subnet", "--vpc-id", v, "--cidr-block", "192.0.2.0/24")
	group := aws("GroupId", "create-security-group", "--vpc-id", v, "--group-name", "box", "--description", "d")
	eni := aws("NetworkInterface.NetworkInterfaceId", "create-network-interface", "--subnet-id", subnet, "--private-ip-address", boxes[0], "--groups", group)
	allow := func(action, cidr string) []string {
		kind := "IpRanges=[{CidrIp=" + cidr + "}]"
		if strings.Contains(cidr, ":") {
			kind = "Ipv6Ranges=[{CidrIpv6=" + cidr + "}]"
		}
		return []string{"ec2", action + "-security-group-ingress", "--group-id", group, "--ip-permissions", "IpProtocol=tcp,FromPort=22,ToPort=22," + kind}
	}
	for _, cidr := range []string{"192.0.2.1/32", "2001:db8:5::1/128", "fe80::/10"} {
		b.must(allow("authorize", cidr)...)
	}
	if out := b.must("status"); !strings.Contains(out, "ebpf") {
		t.Skipf("the server cannot enforce here:\n%s", out)
	}

	// On the default side: the uplink is recognised, although the calls come by
	// loopback.
	for _, side := range []string{"host", "workload"} {
		out := b.must("attach", eni, "--dev", "eth0", "--side", side)
		for _, says := range []string{"observed", "address 192.0.2.6", "address 2001:db8:5::5", "a default route", "moat enforce eth0"} {
			if !strings.Contains(out, says) {
				t.Errorf("attaching the uplink on side %s does not say %q:\n%s", side, says, out)
			}
		}
		if lacks := eni + " lacks addresses of eth0: 192.0.2.6, 2001:db8:5::5; once eth0 is enforced"; strings.Contains(out, lacks) != (side == "workload") {
			t.Errorf("attaching on side %s says\n%s", side, out)
		}
		for i := range boxes {
			b.open(strangers[i], boxes[i]).Close()
		}
		for i := range boxes {
			c := b.open(peers[i], boxes[i])
			if i > 0 || side == "host" { // that address the interface lacks, or all that come by the wire
				b.refused(c.LocalAddr().String()+" to port 22 (SSH)", "enforce", "eth0", "--yes")
			}
			b.end(c)
		}
		b.must("detach", eni)
	}

	out := b.must("attach", eni, "--dev", "eth0", "--side", "workload", "--adopt-addresses")
	if !strings.Contains(out, eni+" was given addresses of eth0: 192.0.2.6, 2001:db8:5::5") || strings.Contains(out, "lacks") {
		t.Errorf("attaching with its addresses says\n%s", out)
	}
	old := b.open(peers[2], boxes[2])
	b.must("enforce", "eth0", "--confirm", "300s")
	if out, err := b.cli(old, "enforce", "eth0", "--yes"); err == nil {
		t.Errorf("confirmed from the session that is older than the trial: %s", out)
	}
	var sessions []net.Conn
	for i := range boxes {
		b.closed(strangers[i], boxes[i])
		sessions = append(sessions, b.open(peers[i], boxes[i]))
	}
	if out, err := b.cli(sessions[2], "enforce", "eth0", "--yes"); err != nil {
		t.Errorf("confirmed from a new session: %v: %s", err, out)
	}
	b.end(old)
	b.end(sessions[0])
	b.end(sessions[2])
	b.refused("192.0.2.1:", allow("revoke", "192.0.2.1/32")...) // by the second address
	b.refused("lacks 192.0.2.6", "ec2", "unassign-private-ip-addresses", "--network-interface-id", eni, "--private-ip-addresses", "192.0.2.6")
	b.must(allow("revoke", "2001:db8:5::1/128")...) // by which nobody is there now
	b.closed(peers[2], boxes[2])
	b.end(sessions[1])

	// By the link-local address, whose rule is the last.
	var near string
	b.host.must(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		all, err := eth0.Addrs()
		for _, a := range all {
			if ip := a.(*net.IPNet).IP; ip.IsLinkLocalUnicast() {
				near = ip.String()
			}
		}
		return err
	})
	c := b.open("", near+"%eth0")
	b.refused("to port 22 (SSH)", allow("revoke", "fe80::/10")...)
	b.end(c)
	b.must(allow("revoke", "fe80::/10")...)
	b.must(allow("revoke", "192.0.2.1/32")...)
	b.closed(peers[0], boxes[0])
	b.must("enforce", "eth0", "--observe")
	b.open(strangers[0], boxes[0])
}
