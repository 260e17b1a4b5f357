package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"moat/dataplane"
)

// netnsDir is where `ip netns` keeps namespaces by name.
const netnsDir = "/run/netns"

// NetnsPath gives the path of a network namespace of this host that is named
// as `ip netns` does, by the id of a process in it, or by a path; empty for the
// agent's own, however it is named. A namespace with a name gets the path of
// that, which outlives processes. The error is dataplane.ErrNoDevice if there
// is none.
func NetnsPath(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	path := filepath.Join(netnsDir, name)
	pid, err := strconv.ParseUint(name, 10, 31)
	switch {
	case strings.Contains(name, "/"):
		if !filepath.IsAbs(name) {
			return "", fmt.Errorf("network namespace %q: want a name, the id of a process, or an absolute path", name)
		}
		path = filepath.Clean(name)
	case err == nil:
		if _, err := os.Stat(path); err != nil {
			path = fmt.Sprintf("/proc/%d/ns/net", pid)
		}
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("network namespace %q: %w: %w", name, dataplane.ErrNoDevice, err)
	}
	// Of this thread: the process's first one, which is what "self" means, may have
	// been the one that entered another namespace, and cannot end as others do.
	if own, err := os.Stat("/proc/thread-self/ns/net"); err == nil && os.SameFile(own, fi) {
		return "", nil
	}
	named, _ := filepath.Glob(filepath.Join(netnsDir, "*"))
	for _, n := range named {
		if f, err := os.Stat(n); err == nil && os.SameFile(f, fi) {
			return n, nil
		}
	}
	return path, nil
}
