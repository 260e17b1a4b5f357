package agent

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// As a process of its own, under a name of its own, the test listens.
func TestMain(m *testing.M) {
	if os.Getenv(elsewhere) != "" {
		firstThreadElsewhere()
		return
	}
	if os.Getenv("MOAT_TEST_LISTEN") != "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(l.Addr().String() + "\n")
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, c)
		return
	}
	os.Exit(m.Run())
}

func listener(t *testing.T, name string) (at string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(bin, self, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin)
	c.Env = append(os.Environ(), "MOAT_TEST_LISTEN=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	b := make([]byte, 64)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n-1])
}

// Whose a connection is: of a server of SSH, whatever its port; of the process
// itself; of nobody who matters; and who opened it.
func TestSessionsKnowTheirOwner(t *testing.T) {
	ssh, web := listener(t, "sshd"), listener(t, "nginx")
	var conns []net.Conn
	for _, at := range []string{ssh, web} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	all, listening, err := Sessions()
	if err != nil {
		t.Fatal(err)
	}
	addr := func(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }
	if !slices.Contains(listening, addr(own.Addr())) || slices.Contains(listening, netip.MustParseAddrPort(ssh)) {
		t.Errorf("the process listens on %v, want %v and not %v", listening, own.Addr(), ssh)
	}
	for _, row := range []struct {
		what string
		want Session
	}{
		{"the server's end of SSH", Session{addr(conns[0].RemoteAddr()), addr(conns[0].LocalAddr()), OwnerSSH, false}},
		{"another server's end", Session{addr(conns[1].RemoteAddr()), addr(conns[1].LocalAddr()), OwnerOther, false}},
		{"what this process opened", Session{addr(conns[0].LocalAddr()), addr(conns[0].RemoteAddr()), OwnerSelf, true}},
	} {
		if !slices.Contains(all, row.want) {
			at := slices.IndexFunc(all, func(s Session) bool { return s.Local == row.want.Local && s.Remote == row.want.Remote })
			got := Session{}
			if at >= 0 {
				got = all[at]
			}
			t.Errorf("%s: %+v, want %+v", row.what, got, row.want)
		}
	}
}
