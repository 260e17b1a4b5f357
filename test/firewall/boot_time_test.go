package firewall_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

	"moat/test/clause"
	"moat/test/moattest"
)

// TestBootTime starts a server on a machine that has just booted and on one where only
// the server restarts, and prints how long after exec guarded names are closed, and the
// devices of the snapshot are enforced. The order is held; the times depend on the
// machine. For 1, 10 and 100 devices:
//
//	go test ./test/firewall -run TestBootTime -long -v
func TestBootTime(t *testing.T) {
	clause.Holds(t, "F102")
	devices := []int{1}
	if *long {
		devices = []int{1, 10, 100}
	}
	const guarded = "moat-t-boot*"
	l := newLab(t)
	group := l.group("web")
	l.authorize(group, "Ingress", "tcp 80 0.0.0.0/0")
	identity := identityOf(t, l.server)
	snapshot := filepath.Join(l.server.Dir, "enforced.snapshot")
	made := 0
	for _, n := range devices {
		for ; made < n; made++ {
			eni := l.call("CreateNetworkInterface", "SubnetId", l.subnet, "SecurityGroupId.1", group).Get("networkInterfaceId")
			m := &machine{lab: l, port: fmt.Sprintf("d%d", made), eni: eni}
			l.ip("-n", l.host, "link", "add", m.port, "type", "veth", "peer", "name", m.port+"p")
			m.attach()
		}
		l.until(30*time.Second, func() error {
			b, err := os.ReadFile(snapshot)
			if err == nil && strings.Count(string(b), `"Side":`) != n {
				err = fmt.Errorf("the snapshot has not all devices:\n%s", b)
			}
			return err
		})
		l.server.Stop()
		for _, reboot := range []bool{true, false} {
			if reboot { // the machine forgets what was in the kernel
				if err := os.RemoveAll("/sys/fs/bpf/moat/" + identity); err != nil {
					t.Fatal(err)
				}
				for _, family := range []string{"inet", "bridge"} {
					exec.Command("nft", "delete", "table", family, "moat-"+identity).Run()
				}
				// The kernel takes the filters off after that, and is busy meanwhile.
				time.Sleep(time.Second + time.Duration(n)*100*time.Millisecond)
			}
			closed, ready := l.timeBoot(identity, "--guard", guarded)
			what := "restart"
			if reboot {
				what = "reboot"
				if closed == 0 || closed > ready {
					t.Errorf("%s: guarded names were closed after %v, and the server was ready after %v", what, closed, ready)
				}
				t.Logf("%s, %d devices: guarded names are closed %v after exec, devices are enforced %v after exec", what, n, closed, ready)
			} else {
				t.Logf("%s, %d devices: programs are replaced %v after exec", what, n, ready)
			}
		}
		l.server.Again()
	}
}

// timeBoot starts a server, and returns how long after that its table of nftables stood
// and it reported that it is ready. It ends the server.
func (l *lab) timeBoot(identity string, args ...string) (closed, ready time.Duration) {
	l.Helper()
	socket := filepath.Join(l.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		l.Fatal(err)
	}
	defer c.Close()
	cmd := exec.Command(moattest.Binary(l), append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", l.server.Dir}, args...)...)
	cmd.Env = append(moattest.CleanEnv(), "NOTIFY_SOCKET="+socket)
	stands := make(chan time.Duration, 1)
	done := make(chan struct{})
	began := time.Now()
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
			if n, err := nftables.New(); err == nil {
				tables, _ := n.ListTablesOfFamily(nftables.TableFamilyBridge)
				for _, t := range tables {
					if t.Name == "moat-"+identity {
						stands <- time.Since(began)
						return
					}
				}
			}
		}
	}()
	said := &strings.Builder{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	c.SetReadDeadline(began.Add(2 * time.Minute))
	b := make([]byte, 1024)
	n, err := c.Read(b)
	ready = time.Since(began)
	close(done)
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if err != nil || !strings.Contains(string(b[:n]), "READY=1") {
		l.Fatalf("the server did not report that it is ready: %q, %v\n%s", b[:n], err, said)
	}
	select {
	case closed = <-stands:
	default:
	}
	return closed, ready
}
