// Package moattest runs real moat processes for tests that speak to them from
// outside. It knows the command line only, nothing of the code behind it.
package moattest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var build struct {
	sync.Once
	bin string
	err error
}

// work is a folder for what a test process builds.
var work struct {
	sync.Mutex
	dir string
}

func workDir() (string, error) {
	work.Lock()
	defer work.Unlock()
	if work.dir != "" {
		return work.dir, nil
	}
	var err error
	work.dir, err = os.MkdirTemp("", "moat-test-")
	return work.dir, err
}

// programs names a folder with programs that were built before: moat, and those of
// Released. test/vm/run sets it, because a virtual machine takes long to build them.
const programs = "MOAT_TEST_PROGRAMS"

// Binary builds ./cmd/moat, once in a test process, and returns its path.
func Binary(tb testing.TB) string {
	tb.Helper()
	build.Do(func() {
		if dir := os.Getenv(programs); dir != "" {
			build.bin = filepath.Join(dir, "moat")
			return
		}
		root, err := moduleRoot()
		if err != nil {
			build.err = err
			return
		}
		dir, err := workDir()
		if err != nil {
			build.err = err
			return
		}
		build.bin = filepath.Join(dir, "moat")
		c := exec.Command("go", "build", "-o", build.bin, "./cmd/moat")
		c.Dir = root
		if out, err := c.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go build ./cmd/moat: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		tb.Fatal(build.err)
	}
	return build.bin
}

// Main runs the tests of a package and removes what Binary and Released left. Use it as
// func TestMain(m *testing.M) { moattest.Main(m) }
func Main(m *testing.M) {
	status := m.Run()
	if work.dir != "" {
		os.RemoveAll(work.dir)
	}
	os.Exit(status)
}

// moduleRoot is where the go.mod of moat is, at or above the test's directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		mod, readErr := os.ReadFile(filepath.Join(dir, "go.mod"))
		if readErr == nil && bytes.HasPrefix(mod, []byte("module moat\n")) {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			err = errors.New("no go.mod of module moat above the test's directory")
		}
		dir = up
	}
	return "", err
}

// A Server is one moat serve with its data directory.
type Server struct {
	tb      testing.TB
	Dir     string // data directory
	URL     string
	Env     map[string]string // what `moat env` prints
	ToReady time.Duration     // from the start of the process to its ready line
	Bin     string            // what is started the next time; empty for Binary's

	listen string
	args   []string
	cmd    *exec.Cmd
	stderr *tail
	exited chan struct{}
	mu     sync.Mutex
	stdout bytes.Buffer
}

// Start starts moat serve on a fresh data directory and a free loopback port,
// and waits until it is ready. It is stopped at the end of the test, where
// what it logged is shown if the test failed.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return StartIn(tb, filepath.Join(tb.TempDir(), "moat"), args...)
}

// StartIn is Start on a data directory of the caller's.
func StartIn(tb testing.TB, dir string, args ...string) *Server {
	tb.Helper()
	return start(tb, &Server{Dir: dir}, args)
}

// StartProgram is Start of another program than Binary's.
func StartProgram(tb testing.TB, bin string, args ...string) *Server {
	tb.Helper()
	return start(tb, &Server{Dir: filepath.Join(tb.TempDir(), "moat"), Bin: bin}, args)
}

func start(tb testing.TB, s *Server, args []string) *Server {
	tb.Helper()
	s.tb, s.listen, s.args = tb, "127.0.0.1:0", args
	for i, a := range args {
		if a == "--listen" {
			s.listen, s.args = args[i+1], append(args[:i:i], args[i+2:]...)
			break
		}
	}
	tb.Cleanup(func() {
		if tb.Failed() && s.stderr != nil {
			tb.Logf("the server on %s logged:\n%s", s.URL, s.stderr)
		}
	})
	Undo(tb, s.Kill)
	s.start()
	return s
}

// Again starts the server once more, on the same data and the same port.
func (s *Server) Again() {
	s.tb.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.listen = u.Host
	s.start()
}

// StartAndKill starts the server, on the same data and the same port, and ends the
// process a while later, ready or not, as a power cut would.
func (s *Server) StartAndKill(after time.Duration) {
	s.tb.Helper()
	c := s.command()
	c.Stderr = s.stderr
	if err := c.Start(); err != nil {
		s.tb.Fatal(err)
	}
	time.Sleep(after)
	c.Process.Kill()
	c.Wait()
}

func (s *Server) command() *exec.Cmd {
	bin := s.Bin
	if bin == "" {
		bin = Binary(s.tb)
	}
	c := exec.Command(bin, append([]string{"serve", "--listen", s.listen, "--data-dir", s.Dir}, s.args...)...)
	c.Env = CleanEnv()
	return c
}

func (s *Server) start() {
	s.tb.Helper()
	c := s.command()
	out, err := c.StdoutPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	if s.stderr == nil {
		s.stderr = &tail{}
	}
	c.Stderr = s.stderr
	began := time.Now()
	if err := c.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.cmd, s.exited = c, make(chan struct{})
	s.stdout.Reset()
	ready := make(chan string, 1)
	go func(exited chan struct{}) {
		defer close(exited)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			s.mu.Lock()
			s.stdout.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			if rest, ok := strings.CutPrefix(lines.Text(), "moat is ready on "); ok {
				url, _, _ := strings.Cut(rest, " ")
				ready <- url
			}
		}
		c.Wait()
	}(s.exited)
	select {
	case s.URL = <-ready:
		s.ToReady = time.Since(began)
	case <-s.exited:
		s.tb.Fatalf("moat serve ended with %v:\n%s", c.ProcessState, s.stderr)
	case <-time.After(60 * time.Second):
		s.tb.Fatalf("moat serve is not ready after a minute:\n%s", s.stderr)
	}
	s.awaitReadyz()
	s.Env = Environment(s.tb, s.Dir)
}

func (s *Server) awaitReadyz() {
	s.tb.Helper()
	if strings.HasPrefix(s.URL, "https:") {
		return // the test has the certificate, not we
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r, err := http.Get(s.URL + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(until) {
			s.tb.Fatalf("/readyz does not answer 200: %v", err)
		}
	}
}

// Pid is the process id.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Stdout is what the process printed so far.
func (s *Server) Stdout() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stdout.String()
}

// Stderr is what all the processes of this server logged last.
func (s *Server) Stderr() string { return s.stderr.String() }

// Kill ends the process as a power cut would, with SIGKILL.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// Running reports whether the process is there, as far as this Server ended it.
func (s *Server) Running() bool { return s.cmd != nil }

// Stop ends the process with SIGTERM and gives its exit status.
func (s *Server) Stop() int {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.tb.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		s.tb.Fatal("the server runs on 30 seconds after SIGTERM")
	}
	status := s.cmd.ProcessState.ExitCode()
	s.cmd = nil
	return status
}

// Port is the API's TCP port.
func (s *Server) Port() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		s.tb.Fatal(err)
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		s.tb.Fatal(err)
	}
	return port
}

// Environment gives what `moat env` exports for a data directory, as a shell
// understands it.
func Environment(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	c := exec.Command("sh", "-c", `vars=$("$1" env --data-dir "$2") && eval "$vars" && env -0`, "sh", Binary(tb), dir)
	c.Env = []string{"PATH=" + os.Getenv("PATH")}
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		tb.Fatalf("moat env: %v", err)
	}
	vars := map[string]string{}
	for _, line := range strings.Split(string(out), "\x00") {
		if name, value, ok := strings.Cut(line, "="); ok && (strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MOAT_")) {
			vars[name] = value
		}
	}
	return vars
}

// CleanEnv is the environment without what steers AWS clients or moat.
func CleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "MOAT_") {
			env = append(env, e)
		}
	}
	return env
}

// A tail keeps the last of what is written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
