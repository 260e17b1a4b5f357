package ebpf

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// homePin is a map with the path of the data directory that pins belong to. A
// version before it pinned none.
const homePin = "datadir"

const homeSize = 4096

// IdentityFile is the file of a data directory that names its folder of pins.
const IdentityFile = "identity"

// hold makes the folder of an identity's pins and locks it, shared, for as long as
// the plane is open: so others know that the pins are in use, whatever namespaces
// the processes are in.
func (p *Plane) hold() error {
	for {
		f, err := lock(filepath.Dir(p.dir), unix.LOCK_SH)
		if err != nil {
			return fmt.Errorf("lock the folder of pins: %w", err)
		}
		if f != nil {
			p.lock = f
			return nil
		}
	}
}

// lock makes a folder and locks it; nil if somebody removed it meanwhile.
func lock(dir string, how int) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, err
	}
	var is, locked unix.Stat_t
	if err := errors.Join(unix.Fstat(int(f.Fd()), &locked), ignore(unix.Stat(dir, &is), unix.ENOENT)); err != nil {
		f.Close()
		return nil, err
	}
	if is.Ino != locked.Ino {
		f.Close()
		return nil, nil
	}
	return f, nil
}

// nameHome pins the path of the data directory beside the rest.
func (p *Plane) nameHome() error {
	if p.options.DataDir == "" || len(p.options.DataDir) >= homeSize {
		return nil
	}
	pin := filepath.Join(p.dir, homePin)
	m, err := ebpf.LoadPinnedMap(pin, nil)
	if errors.Is(err, fs.ErrNotExist) {
		if m, err = ebpf.NewMap(&ebpf.MapSpec{Name: homePin, Type: ebpf.Array, KeySize: 4, ValueSize: homeSize, MaxEntries: 1}); err == nil {
			err = m.Pin(pin)
		}
	}
	if err != nil {
		return fmt.Errorf("pin the name of the data directory: %w", err)
	}
	defer m.Close()
	value := make([]byte, homeSize)
	copy(value, p.options.DataDir)
	return m.Put(uint32(0), value)
}

// An Orphan is what is pinned for a data directory that is gone, while no server
// runs that it belongs to.
type Orphan struct {
	Identity string
	// DataDir is where the data directory was; empty if a version pinned it that did
	// not say.
	DataDir string
	Devices []string
	// Memory is what its maps hold, in bytes.
	Memory uint64
}

// Orphans returns what is pinned for data directories that are gone, without the
// folder of one identity.
func Orphans(pinDir, own string) ([]Orphan, error) {
	entries, err := os.ReadDir(pinDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Orphan
	for _, e := range entries {
		if e.Name() == own || !e.IsDir() {
			continue
		}
		f, err := ownerless(pinDir, e.Name())
		if err != nil {
			continue // a server runs, or may be started again, or it is not known
		}
		o := Orphan{Identity: e.Name(), DataDir: homeOf(pinDir, e.Name())}
		o.Devices, o.Memory = contents(filepath.Join(pinDir, e.Name()))
		f.Close()
		if len(o.Devices) > 0 || o.Memory > 0 {
			out = append(out, o)
		}
	}
	return out, nil
}

// TakeOutOrphan is TakeOut for a data directory that is gone. It refuses if a
// server runs, if the data directory is there, or if neither can be known.
func TakeOutOrphan(pinDir, identity string) (devices []string, err error) {
	if identity == "" || strings.ContainsAny(identity, "/.") {
		return nil, fmt.Errorf("%q is not the identity of a data directory", identity)
	}
	if _, err := os.Stat(filepath.Join(pinDir, identity)); err != nil {
		return nil, fmt.Errorf("nothing is pinned for identity %s: %w", identity, err)
	}
	f, err := ownerless(pinDir, identity)
	if err != nil {
		return nil, err
	}
	defer f.Close() // a server that starts meanwhile waits
	return TakeOut(pinDir, identity)
}

// ownerless locks a folder of pins that no server uses and whose data directory is
// gone. The error says what is not so.
func ownerless(pinDir, identity string) (*os.File, error) {
	f, err := lock(filepath.Join(pinDir, identity), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, fmt.Errorf("a server of identity %s runs: detach its devices there", identity)
	case err != nil:
		return nil, err
	case f == nil:
		return nil, fmt.Errorf("the pins of identity %s were removed this moment", identity)
	}
	home := homeOf(pinDir, identity)
	if home != "" {
		if b, err := os.ReadFile(filepath.Join(home, IdentityFile)); err == nil && strings.TrimSpace(string(b)) == identity {
			err = fmt.Errorf("the data directory of identity %s is %s: run `moat detach --force --data-dir %s`", identity, home, home)
			return nil, errors.Join(err, f.Close())
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("whether the data directory of identity %s is gone cannot be known: %w", identity, err), f.Close())
		}
		return f, nil
	}
	// A version that did not lock its pins may be running.
	pid, err := userOf(filepath.Join(pinDir, identity))
	if err == nil && pid != "" {
		err = fmt.Errorf("process %s uses the pins of identity %s: stop it first", pid, identity)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// homeOf returns the data directory of pins; empty if they do not say.
func homeOf(pinDir, identity string) string {
	pins, _ := filepath.Glob(filepath.Join(pinDir, identity, "*", homePin))
	for _, pin := range pins {
		m, err := ebpf.LoadPinnedMap(pin, &ebpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			continue
		}
		value := make([]byte, homeSize)
		err = m.Lookup(uint32(0), &value)
		m.Close()
		if err == nil {
			return text(value)
		}
	}
	return ""
}

// pinnedMaps calls f with each map of a folder of pins, and its name.
func pinnedMaps(dir string, f func(name string, m *ebpf.Map)) {
	pins, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, pin := range pins {
		if m, err := ebpf.LoadPinnedMap(pin, &ebpf.LoadPinOptions{ReadOnly: true}); err == nil {
			f(filepath.Base(pin), m)
			m.Close()
		}
	}
}

func contents(dir string) (devices []string, memory uint64) {
	pinnedMaps(dir, func(name string, m *ebpf.Map) {
		if info, err := m.Info(); err == nil {
			if n, ok := info.Memlock(); ok {
				memory += n
			}
		}
		if name != "bindings" {
			return
		}
		if _, records, err := all[uint32, bpfBinding](m); err == nil {
			for _, r := range records {
				devices = append(devices, text(r.Device[:]))
			}
		}
	})
	return devices, memory
}

// userOf returns a process that has a map of a folder of pins open; empty for none.
func userOf(dir string) (pid string, err error) {
	ids := map[string]bool{}
	pinnedMaps(dir, func(name string, m *ebpf.Map) {
		if info, err := m.Info(); err == nil {
			if id, ok := info.ID(); ok {
				ids[fmt.Sprint(id)] = true
			}
		}
	})
	processes, err := filepath.Glob("/proc/[0-9]*/fdinfo")
	if err != nil {
		return "", err
	}
	for _, p := range processes {
		files, e := os.ReadDir(p)
		if errors.Is(e, fs.ErrNotExist) || errors.Is(e, unix.ESRCH) {
			continue // it has ended
		}
		if e != nil {
			err = fmt.Errorf("whether a process uses the pins cannot be known: %w", e)
			continue
		}
		for _, f := range files {
			b, _ := os.ReadFile(filepath.Join(p, f.Name())) // it may be closed by now
			if _, rest, ok := bytes.Cut(b, []byte("map_id:")); ok {
				if id, _, _ := bytes.Cut(rest, []byte("\n")); ids[string(bytes.TrimSpace(id))] {
					return filepath.Base(filepath.Dir(p)), nil
				}
			}
		}
	}
	return "", err
}
