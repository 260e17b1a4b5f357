package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// defaultDataDir is /var/lib/moat for root, and for others the state
// directory of the XDG base directory specification.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/moat"
	}
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "moat")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "moat")
	}
	return "moat-data"
}

// chosenDataDir is the data directory where no flag names one: that of the
// environment, of the configuration file that MOAT_CONFIG names, or the
// default.
func chosenDataDir() string {
	if d := os.Getenv("MOAT_DATA_DIR"); d != "" {
		return d
	}
	var file struct {
		DataDir string `yaml:"data-dir"`
	}
	if b, err := os.ReadFile(os.Getenv("MOAT_CONFIG")); err == nil && yaml.Unmarshal(b, &file) == nil && file.DataDir != "" {
		return file.DataDir
	}
	return defaultDataDir()
}

// lockDataDir makes a data directory and locks it for this process. The lock
// ends with the process, however it ends. A directory of others, such as /tmp,
// is refused and left as it is.
func lockDataDir(dir string) (unlock func(), err error) {
	// Others would lose what they have there when it becomes private.
	if fi, err := os.Stat(dir); err == nil && fi.Mode().Perm()&0o077 != 0 {
		if err := onlyOurs(dir); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w: choose another with --data-dir", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made private: %w: choose another with --data-dir", err)
	}
	name := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data directory cannot be written to: %w: mount it writable, or choose another with --data-dir", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(name)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &inUseError{dir, strings.TrimSpace(string(holder))}
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "%d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the data directory cannot be written to: %w", err)
	}
	return func() { f.Close() }, nil
}

const lockFile = "lock"

// An inUseError says that another process holds a data directory.
type inUseError struct{ dir, holder string }

func (e *inUseError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by process %s: stop it, or choose another with --data-dir", e.dir, e.holder)
}

// An endpoint is what a data directory tells of its server: where it listens
// and the root key that it made.
type endpoint struct {
	URL             string `json:"url"`
	Region          string `json:"region"`
	Account         string `json:"account"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	CABundle        string `json:"ca_bundle,omitempty"`
}

const endpointFile = "endpoint.json"

// writeEndpoint replaces the file at once, readable by its owner alone.
func writeEndpoint(dir string, e endpoint) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, endpointFile+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, endpointFile))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func readEndpoint(dir string) (endpoint, error) {
	var e endpoint
	b, err := os.ReadFile(filepath.Join(dir, endpointFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e, fmt.Errorf("no server has been started with the data directory %s: run `moat serve`, or name another with --data-dir%s", dir, sudoHint())
	case errors.Is(err, fs.ErrPermission):
		return e, fmt.Errorf("the data directory %s belongs to another user: use `sudo moat env`, or name your own with --data-dir", dir)
	case err != nil:
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("%s is damaged: %w: restart the server, which writes it anew", filepath.Join(dir, endpointFile), err)
	}
	return e, nil
}

// sudoHint tells a user who is not root where root's server would be.
func sudoHint() string {
	if os.Geteuid() == 0 {
		return ""
	}
	if _, err := os.Stat("/var/lib/moat"); err == nil {
		return " (root has one: `sudo moat env`)"
	}
	return ""
}
