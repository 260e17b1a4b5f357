package agent

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const elsewhere = "MOAT_TEST_ELSEWHERE"

func init() {
	if os.Getenv(elsewhere) != "" {
		runtime.LockOSThread() // main stays on the process's first thread
	}
}

// firstThreadElsewhere puts the process's first thread into a network namespace
// of its own, and asks from another thread for the one it is in.
func firstThreadElsewhere() {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		panic(err)
	}
	answer := make(chan string)
	go func() {
		path, err := NetnsPath("/proc/self/ns/net")
		if err != nil {
			path = err.Error()
		}
		answer <- path
	}()
	os.Stdout.WriteString(<-answer + "\n")
}

// The first thread may have entered a namespace and cannot end there: that one is
// not the agent's own, or a device is looked for where it is not.
func TestOwnNetnsIsNotTheFirstThreads(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), elsewhere+"=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "/proc/self/ns/net" {
		t.Errorf("a namespace that only the first thread is in is %q", got)
	}
	if path, err := NetnsPath("/proc/thread-self/ns/net"); err != nil || path != "" {
		t.Errorf("the agent's own namespace is %q, %v", path, err)
	}
}
