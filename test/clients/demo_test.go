package clients_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"moat/test/moattest"
)

// TestFirstMinute is the first minute of a new user with real packets: open a
// port to exactly one, see that it works, see that nobody else gets in, take it
// back. Then nothing is left.
func TestFirstMinute(t *testing.T) {
	server, x := demoHost(t)
	out := x.run(`moat demo`)
	next := regexp.MustCompile(`(?m)^    (moat try client web:80.*)$`).FindStringSubmatch(out)
	if next == nil {
		t.Fatalf("moat demo does not say what to type next:\n%s", out)
	}
	addresses := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+) +(172\.31\.\d+\.\d+) +eni-`).FindAllStringSubmatch(out, -1) {
		addresses[m[1]] = m[2]
	}
	for _, name := range []string{"client", "web", "stranger"} {
		if addresses[name] == "" {
			t.Fatalf("moat demo says no address of %s:\n%s", name, out)
		}
	}
	if again := x.run(`moat demo`); again != out {
		t.Errorf("a second demo says\n%s\nthe first said\n%s", again, out)
	}

	// Shut.
	shut := refusal(t, x, next[1], "TIMEOUT: demo has no rule for tcp/80 from "+addresses["client"])
	open := regexp.MustCompile(`(?m)^    (aws ec2 authorize-security-group-ingress .* --cidr \S+)$`).FindStringSubmatch(shut)
	if open == nil {
		t.Fatalf("no command to paste:\n%s", shut)
	}

	// Open, by the command as it was printed.
	rule, _ := at(x.json(open[1]), "SecurityGroupRules.0.SecurityGroupRuleId").(string)
	group := regexp.MustCompile(`sg-[0-9a-f]+`).FindString(open[1])
	if got := x.run(`moat try client web:80`); !regexp.MustCompile(`^connected, by ` + rule + `, enforced \d+(\.\d)? ms after the API call\n$`).MatchString(got) {
		t.Errorf("after the rule: %q", got)
	}
	if got := x.run(`moat why client web:80`); !strings.Contains(got, "allowed by "+rule) || !strings.Contains(got, "\nallowed\n") || strings.Contains(got, "not enforced") {
		t.Errorf("moat why: %s", got)
	}
	// And nobody else, and nothing else.
	refusal(t, x, `moat try stranger web:80`, "TIMEOUT: demo has no rule for tcp/80 from "+addresses["stranger"])
	refusal(t, x, `moat try client web:81 --timeout 500ms`, "TIMEOUT: demo has no rule for tcp/81 from "+addresses["client"])
	refusal(t, x, `moat try web client:80 --timeout 500ms`, "TIMEOUT: demo-client has no rule for tcp/80 from "+addresses["web"])

	// Another command, of a rule that names a group, opens it to the stranger:
	// a port without server refuses instead of timing out.
	wider := regexp.MustCompile(`(?m)^    (aws ec2 authorize-security-group-ingress .* --source-group \S+)$`).
		FindStringSubmatch(refusal(t, x, `moat try stranger web:81 --timeout 500ms`, "TIMEOUT: demo has no rule for tcp/81"))
	if wider == nil {
		t.Error("no command that names the group")
	} else {
		x.run(wider[1])
		refusal(t, x, `moat try stranger web:81`, "REFUSED: the packets pass, by sgr-")
	}

	// Taken back: connections that are open are cut, one in use and one idle.
	busy, idle := dialFrom(t, "client", addresses["web"]+":80"), dialFrom(t, "client", addresses["web"]+":80")
	for _, c := range []net.Conn{busy, idle} {
		if err := ask(c); err != nil {
			t.Fatalf("before the revoke: %v", err)
		}
	}
	x.run(`aws ec2 revoke-security-group-ingress --group-id ` + group + ` --security-group-rule-ids ` + rule)
	if err := ask(busy); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a connection in use after the revoke: %v, want a reset", err)
	}
	idle.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := idle.Read(make([]byte, 1)); n > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an idle connection after the revoke: %v, want a reset", err)
	}
	refusal(t, x, `moat try client web:80`, "TIMEOUT: demo has no rule for tcp/80 from "+addresses["client"])

	// Enforcement does not need the server.
	server.Kill()
	if c, err := dial("client", addresses["web"]+":80", 700*time.Millisecond); err == nil {
		c.Close()
		t.Error("while the server is dead: connected")
	}
	server.Again()

	if got := x.run(`moat demo --clean`); got != "the demo is gone\n" {
		t.Errorf("moat demo --clean: %q", got)
	}
	nothingLeft(t, x)
	if got := x.run(`moat demo --clean`); !strings.HasPrefix(got, "there is no demo") {
		t.Errorf("a second moat demo --clean: %q", got)
	}
}

// TestDemoMends: what of a demo was lost is made again, and cleaning finds
// what is left of one.
func TestDemoMends(t *testing.T) {
	_, x := demoHost(t)
	first := x.run(`moat demo`)
	for _, damage := range []string{
		`ip netns del moat-demo-client`,
		`ip link del moat-web`,
		`ip link del moat-demo`,
		`pid=$(sed -n 's/.*"PID": \([0-9]*\).*/\1/p' "$MOAT_DATA_DIR/demo.json"); kill -9 "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done`,
	} {
		x.run(damage)
		if got := x.run(`moat demo`); got != first {
			t.Errorf("after %s: %s", damage, got)
		}
		refusal(t, x, `moat try client web:80 --timeout 300ms`, "TIMEOUT: demo has no rule")
	}
	x.run(`aws ec2 authorize-security-group-ingress --group-id $(moat why client web:80 | sed -n 's/.*--group-id \(sg-[0-9a-f]*\) .*cidr.*/\1/p') --protocol tcp --port 80 --cidr 172.31.0.0/16`)
	x.run(`moat try client web:80`)

	// Another data directory's demo is left alone.
	other := moattest.Start(t)
	_, said, status := x.try(`moat demo --data-dir ` + other.Dir)
	if status != 2 || !strings.Contains(said, "is there already, and not of this data directory's demo") {
		t.Errorf("a demo beside another: %d, %s", status, said)
	}
	x.run(`moat try client web:80`)

	x.run(`ip netns del moat-demo-web; ip link del moat-stranger`)
	x.run(`moat demo --clean`)
	nothingLeft(t, x)
}

// TestDemoWithoutRoot: it says what is missing.
func TestDemoWithoutRoot(t *testing.T) {
	bin := moattest.Binary(t)
	dir := t.TempDir()
	c := exec.Command(bin, "demo", "--data-dir", dir)
	if os.Geteuid() == 0 {
		copied := filepath.Join(dir, "moat")
		b, err := os.ReadFile(bin)
		if err == nil {
			err = os.WriteFile(copied, b, 0o755)
		}
		for d := dir; err == nil && d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
			err = os.Chmod(d, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		c = exec.Command(copied, "demo", "--data-dir", dir)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	c.Env = moattest.CleanEnv()
	c.Dir = "/"
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the demo needs CAP_NET_ADMIN (links) and CAP_SYS_ADMIN (network namespaces): run it as root") {
		t.Errorf("%v: %s", err, out)
	}
	if !regexp.MustCompile(`user namespace|User namespaces|That is possible here`).Match(out) {
		t.Errorf("it does not say how user namespaces stand: %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "demo*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// demoHost starts a server that enforces, and a terminal with an AWS CLI, and
// skips where a demo cannot be made.
func demoHost(t *testing.T) (*moattest.Server, *terminal) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the demo makes network namespaces: run the test as root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip: apt-get install iproute2")
	}
	if found, _ := filepath.Glob("/run/netns/moat-demo-*"); len(found) > 0 {
		t.Skipf("a demo is on this host: %v", found)
	}
	cli := anyCLI(t)
	server := moattest.Start(t)
	x := newTerminal(t, cli)
	x.use(server.Dir)
	if out, _, _ := x.try(`moat status`); !regexp.MustCompile(`(?m)^data plane +ebpf$`).MatchString(out) {
		t.Skipf("the server cannot enforce here:\n%s", out)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(server.Dir, "demo.json")); err == nil {
			out, errOut, _ := x.try(`moat status; moat demo --clean`)
			t.Logf("at the end: %s%s", out, errOut)
		}
	})
	return server, x
}

// anyCLI gives Debian's AWS CLI, or that of PATH.
func anyCLI(t *testing.T) awsCLI {
	t.Helper()
	for _, path := range interpreters("/usr/bin/aws", "aws") {
		if exec.Command(path, "--version").Run() == nil {
			return awsCLI{path: path} // given --endpoint-url, which all of them know
		}
	}
	t.Skip("no AWS CLI: apt-get install awscli")
	return awsCLI{}
}

// refusal runs a command that has to fail, with a first line that begins so,
// and gives all it printed.
func refusal(t *testing.T, x *terminal, line, first string) string {
	t.Helper()
	out, errOut, status := x.try(line)
	if status != 1 || !strings.HasPrefix(out, first) {
		t.Errorf("%s\nexit status %d, %s%s\nwant %s", line, status, out, errOut, first)
	}
	return out
}

// dial connects from a machine of the demo, through a process in its
// namespace that hands the connection over.
func dial(from, to string, timeout time.Duration) (net.Conn, error) {
	host, port, _ := net.SplitHostPort(to)
	ours, theirs := socketPair()
	defer theirs.Close()
	c := exec.Command("ip", "netns", "exec", "moat-demo-"+from, os.Args[0], "-test.run=^TestDialHelper$")
	c.Env = append(os.Environ(), "MOAT_TEST_DIAL="+net.JoinHostPort(host, port), "MOAT_TEST_TIMEOUT="+timeout.String())
	c.ExtraFiles = []*os.File{theirs}
	out, err := c.CombinedOutput()
	defer ours.Close()
	if err != nil {
		return nil, errors.New(strings.TrimSpace(string(out)))
	}
	return receiveConn(ours)
}

func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	c, err := dial(from, to, 3*time.Second)
	if err != nil {
		t.Fatalf("connect from %s to %s: %v", from, to, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestDialHelper is no test: dial runs it in a namespace.
func TestDialHelper(t *testing.T) {
	to := os.Getenv("MOAT_TEST_DIAL")
	if to == "" {
		t.Skip("only for dial")
	}
	timeout, _ := time.ParseDuration(os.Getenv("MOAT_TEST_TIMEOUT"))
	c, err := net.DialTimeout("tcp", to, timeout)
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Sendmsg(3, []byte{0}, syscall.UnixRights(int(f.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
}

func socketPair() (ours, theirs *os.File) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
}

func receiveConn(from *os.File) (net.Conn, error) {
	oob := make([]byte, 64)
	_, n, _, _, err := syscall.Recvmsg(int(from.Fd()), make([]byte, 1), oob, 0)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) == 0 {
		return nil, errors.Join(err, errors.New("no connection was handed over"))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fds[0]), "conn")
	defer f.Close()
	return net.FileConn(f)
}

// ask sends a request and reads the answer.
func ask(c net.Conn) error {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
		return err
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err == nil && !bytes.Contains(b[:n], []byte("this is web")) {
		return errors.New("not the demo's web server: " + string(b[:n]))
	}
	return err
}

// nothingLeft looks for everything that a demo makes.
func nothingLeft(t *testing.T, x *terminal) {
	t.Helper()
	for _, line := range []string{
		`ip netns list | grep moat-demo`,
		`ls /run/netns 2>/dev/null | grep moat-demo`,
		`ip -o link | grep -E ' moat-(demo|client|web|stranger)[:@]'`,
		`ls "$MOAT_DATA_DIR" | grep demo`,
		`cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -o "[d]emo-web --listen 172"`,
		`find "/sys/fs/bpf/moat/$(cat "$MOAT_DATA_DIR/identity")" 2>/dev/null`,
		`moat interfaces | grep eni-`,
		`aws ec2 describe-network-interfaces --query 'NetworkInterfaces[].NetworkInterfaceId' --output text | grep .`,
		`aws ec2 describe-security-groups --query 'SecurityGroups[?GroupName!=` + "`default`" + `].GroupName' --output text | grep .`,
	} {
		if out, _, _ := x.try(line); out != "" {
			t.Errorf("after moat demo --clean, %s\n%s", line, out)
		}
	}
}
