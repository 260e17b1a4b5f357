package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a server under test, on the same machine and in a process of
// its own.
type process struct {
	name string
	addr string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

func startProcess(name, addr string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, addr: addr, cmd: cmd}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// ready waits until a GET of path is answered, whatever the answer.
func (p *process) ready(path string) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			continue
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "GET %s HTTP/1.0\r\nHost: x\r\n\r\n", path)
		b, _ := io.ReadAll(c)
		c.Close()
		if len(b) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s does not get ready:\n%s", p.name, p.out.String())
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p == nil {
		return
	}
	hangUp(p.addr)
	p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(20*time.Second, func() { p.cmd.Process.Kill() })
	p.cmd.Wait()
	kill.Stop()
}

// rss gives the resident memory in bytes: anonymous, and of mapped files.
func (p *process) rss() (anon, file int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "RssAnon:":
			anon = n << 10
		case "RssFile:":
			file = n << 10
		}
	}
	return anon, file
}

// cpu gives the processor time that the process has used: its own clock, as
// clock_getcpuclockid(3) names it, of nanoseconds.
func (p *process) cpu() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid)<<3|2, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// A moat is a moat server with a data directory.
type moat struct {
	*process
	signer
	bin, dir string
	args     []string
	vpc      string // the default VPC
}

// buildMoat builds the binary and gives its path.
func buildMoat(dir string) (string, error) {
	bin := filepath.Join(dir, "moat")
	out, err := exec.Command("go", "build", "-o", bin, "moat/cmd/moat").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build moat: %w\n%s", err, out)
	}
	return bin, nil
}

// startMoat starts a server on a directory, new or not, with signatures
// verified, and tells how long it took until it was ready.
func startMoat(bin, dir string, args ...string) (*moat, time.Duration, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, 0, err
	}
	m := &moat{bin: bin, dir: dir, args: args}
	cmd := exec.Command(bin, append([]string{
		"serve", "--listen", addr, "--data-dir", dir, "--quotas", "off", "--log-level", "warn",
	}, args...)...)
	began := time.Now()
	if m.process, err = startProcess("moat", addr, cmd); err != nil {
		return nil, 0, err
	}
	if err := m.ready("/readyz"); err != nil {
		m.stop()
		return nil, 0, err
	}
	took := time.Since(began)
	var e struct {
		Region string `json:"region"`
		Key    string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
	}
	b, err := os.ReadFile(filepath.Join(dir, "endpoint.json"))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		m.stop()
		return nil, 0, err
	}
	m.signer = signer{addr, e.Key, e.Secret, e.Region}
	c := &conn{addr: addr}
	defer c.close()
	if _, err := c.do(m.request("DescribeVpcs", nil), true); err != nil {
		m.stop()
		return nil, 0, err
	}
	m.vpc = element(c.body, "vpcId")
	return m, took, nil
}

// startEmpty starts an empty net/http handler, or one that writes a prepared
// body of a given size: this program again.
func startEmpty(size int) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := startProcess("empty handler", addr, exec.Command(self, "empty", addr, strconv.Itoa(size)))
	if err != nil {
		return nil, err
	}
	return p, p.ready("/")
}

// serveEmpty is what startEmpty starts.
func serveEmpty(addr, size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	body := bytes.Repeat([]byte("x"), n)
	length := []string{size}
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n > 0 {
			w.Header()["Content-Length"] = length
			w.Write(body)
		}
	}))
}

var errNoMoto = errors.New("moto's server is not installed")

// startMoto starts moto's server, which checks no signatures and keeps its
// state in memory, with a limited number of groups made in it.
func startMoto() (*process, *signer, string, error) {
	if exec.Command("python3", "-c", "import moto.server").Run() != nil {
		return nil, nil, "", errNoMoto
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, "", err
	}
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", port)
	p, err := startProcess("moto", addr, cmd)
	if err != nil {
		return nil, nil, "", err
	}
	if err := p.ready("/moto-api/"); err != nil {
		p.stop()
		return nil, nil, "", err
	}
	s := &signer{addr, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"}
	c := &conn{addr: addr}
	defer c.close()
	if _, err := c.do(s.request("DescribeVpcs", nil), true); err != nil {
		p.stop()
		return nil, nil, "", err
	}
	return p, s, element(c.body, "vpcId"), nil
}

// fill makes groups with rules through the API, and gives the groups' ids.
// Group i is named group-0000000i, is tagged with a team of its own, and its
// rules refer to the group made before it.
func fill(s *signer, vpc string, groups, rules, conns int) ([]string, error) {
	ids := make([]string, groups)
	// In slices, so that no signature grows old.
	const slice = 20_000
	for from := 0; from < groups; from += slice {
		n := min(slice, groups-from)
		reqs := s.requests(n, "CreateSecurityGroup", func(i int) params {
			return createGroup(groupName(from+i), vpc, groupName(from+i))
		})
		if _, err := run(load{addr: s.addr, reqs: reqs, conns: conns, Body: func(i int, body []byte) {
			ids[from+i] = element(body, "groupId")
		}}); err != nil {
			return nil, fmt.Errorf("create groups: %w", err)
		}
		if rules == 0 {
			continue
		}
		reqs = s.requests(n, "AuthorizeSecurityGroupIngress", func(i int) params {
			return authorize(ids[from+i], ids[max(0, from+i-1)], 0, rules)
		})
		if _, err := run(load{addr: s.addr, reqs: reqs, conns: conns}); err != nil {
			return nil, fmt.Errorf("authorize rules: %w", err)
		}
	}
	return ids, nil
}

func groupName(i int) string { return fmt.Sprintf("group-%08d", i) }
