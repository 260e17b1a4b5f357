package firewall_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moat/test/clause"
	"moat/test/etcdtest"
	"moat/test/moattest"
)

// TestAllHostsObey: two servers on one etcd, each with a data plane of its own.
// With --wait-enforced all, what one has answered the other's host obeys at once.
// A host whose server is stopped or was killed makes those changes pending that
// concern it, and status names it.
func TestAllHostsObey(t *testing.T) {
	clause.Holds(t, "F78")
	const patience = 2 * time.Second
	etcd := etcdtest.Start(t)
	key := make([]byte, 32)
	rand.Read(key)
	file := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--etcd", etcd.Endpoint(), "--secret-key-file", file, "--wait-enforced", "all", "--wait-timeout", patience.String()}
	l := newLab(t, args...)
	one, two := l.server, moattest.Start(t, args...)
	identity := identityOf(t, two)
	t.Cleanup(func() {
		two.Kill()
		os.RemoveAll("/sys/fs/bpf/moat/" + identity)
	})
	group, local := l.group("web"), l.group("local")
	client := l.machine("client")
	l.machine("here", group, local)
	l.server = two
	there := l.machine("there", group)
	l.server = one
	there.answerer(80, 81)
	reaches := func(port int) bool {
		return client.in(func() error {
			c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", there.four, port), 500*time.Millisecond)
			if err == nil {
				c.Close()
			}
			return err
		}) == nil
	}
	// changeOf returns the revision, both headers and how long the call took.
	changeOf := func(group, action string, port int) (uint64, string, time.Duration) {
		t.Helper()
		began := time.Now()
		r, err := l.client.Do(context.Background(), action, append([]string{"GroupId", group}, permissions(fmt.Sprintf("tcp %d %s/32", port, client.four))...)...)
		if err != nil || !r.OK() {
			t.Fatalf("%s: %v %v", action, r, err)
		}
		return r.Rev, r.Enforced + " " + r.EnforcedHosts, time.Since(began)
	}
	change := func(action string, port int) (uint64, string, time.Duration) { return changeOf(group, action, port) }
	// A change that does not concern the other's host is answered as ever.
	unconcerned := func(when string, port int) {
		t.Helper()
		if _, enforced, took := changeOf(local, "AuthorizeSecurityGroupIngress", port); enforced != "yes 1/1" || took > patience {
			t.Errorf("%s, a change that does not concern its host: enforced %s after %v", when, enforced, took)
		}
	}
	for range 10 {
		for action, want := range map[string]bool{"AuthorizeSecurityGroupIngress": true, "RevokeSecurityGroupIngress": false} {
			if reaches(80) == want {
				continue // the order of a map
			}
			if _, enforced, took := change(action, 80); enforced != "yes 2/2" || reaches(80) != want {
				t.Fatalf("%s answered by one server: enforced %s after %v; the other's host lets connections through: want %v", action, enforced, took, want)
			}
		}
	}
	if reaches(80) {
		change("RevokeSecurityGroupIngress", 80)
	}
	host := func() (state string) {
		t.Helper()
		var st struct {
			Hosts []struct{ Identity, Enforced string }
		}
		if err := json.Unmarshal([]byte(l.moat("status", "--json")), &st); err != nil || len(st.Hosts) != 2 {
			t.Fatalf("status has %d hosts, want 2: %v", len(st.Hosts), err)
		}
		for _, h := range st.Hosts {
			if h.Identity == identity {
				state = h.Enforced
			}
		}
		return state
	}
	pending := func(when string, atLeast, atMost time.Duration) uint64 {
		t.Helper()
		rev, enforced, took := change("AuthorizeSecurityGroupIngress", 80)
		if enforced != "pending 1/2" || took < atLeast || took > atMost {
			t.Errorf("%s: enforced %s after %v; want pending 1/2, after %v to %v", when, enforced, took, atLeast, atMost)
		}
		if reaches(80) {
			t.Errorf("%s: it obeys", when)
		}
		return rev
	}
	settles := func(rev uint64) {
		t.Helper()
		if out := l.moat("wait", fmt.Sprint(rev), "--timeout", "20s"); !strings.Contains(out, "is in force") {
			t.Errorf("moat wait: %s", out)
		}
		if !reaches(80) {
			t.Error("it does not obey")
		}
		l.until(5*time.Second, func() error {
			if s := host(); s != "yes" {
				return fmt.Errorf("status says %q of it, want yes", s)
			}
			return nil
		})
		change("RevokeSecurityGroupIngress", 80)
	}

	if err := syscall.Kill(two.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.until(5*time.Second, func() error {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", two.Pid()))
		for _, name := range threads {
			if b, _ := os.ReadFile(name); !strings.Contains(string(b), ") T ") {
				return fmt.Errorf("it is not stopped: %s", b)
			}
		}
		return err
	})
	rev := pending("the other's server is stopped", patience, patience+3*time.Second)
	unconcerned("the other's server is stopped", 90)
	if s := host(); s != "pending" {
		t.Errorf("of a host that does not come to it status says %q, want pending", s)
	}
	syscall.Kill(two.Pid(), syscall.SIGCONT)
	settles(rev)

	change("AuthorizeSecurityGroupIngress", 81)
	two.Kill()
	pending("the other's server was killed a moment ago", patience, patience+3*time.Second)
	l.until(30*time.Second, func() error {
		if s := host(); s != "lost" {
			return fmt.Errorf("of a host whose server was killed status says %q, want lost", s)
		}
		return nil
	})
	if out := l.moat("status"); !strings.Contains(out, identity) || !strings.Contains(out, "its server does not run, or does not reach etcd") {
		t.Errorf("status:\n%s", out)
	}
	change("RevokeSecurityGroupIngress", 80)
	rev = pending("the other's server is known to be gone", 0, patience/2)
	unconcerned("the other's server is known to be gone", 91)
	if out := l.moat("wait", fmt.Sprint(rev), "--timeout", "1s"); !strings.Contains(out, "do not run") || !strings.Contains(out, "not in force after 1s") {
		t.Errorf("moat wait: %s", out)
	}
	if !reaches(81) {
		t.Error("without its server the host does not go on by the rules that it had")
	}
	two.Again()
	settles(rev)
}

func identityOf(t *testing.T, s *moattest.Server) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
