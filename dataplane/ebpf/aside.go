package ebpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// asidePrefix begins the folders of pins that nobody reads any more. What is
// pinned there filters on until something else stands at the devices.
const asidePrefix = "aside-"

// checkLayout looks at what the kernel has pinned for this identity. If that is of
// layout 2, checkLayout returns the upgrade that takes it over; otherwise the upgrade
// is nil. It fails for any other layout, which stays in force, because this process
// cannot know what is bound there.
func (p *Plane) checkLayout() (*upgrade, error) {
	home := filepath.Dir(p.dir)
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	is, before := false, false
	for _, e := range entries {
		switch name := e.Name(); {
		case name == unfinished || name == takenOver:
			// A process before this one did not come to its end.
			if err := os.RemoveAll(filepath.Join(home, name)); err != nil {
				return nil, fmt.Errorf("remove what an upgrade has left: %w", err)
			}
		case strings.HasPrefix(name, asidePrefix):
			p.aside = append(p.aside, filepath.Join(home, name))
		case name == version:
			is = true
		case name == versionBefore:
			before = true
		default:
			return nil, fmt.Errorf("the kernel has rules of layout %s, which another version of moat made, and this one's is %s: they stay in force; detach all devices with that version, or have this one take their place by `moat detach --force`", name, version)
		}
	}
	old := filepath.Join(home, versionBefore)
	switch {
	case !before:
		return nil, nil
	case !is && nothingBound(old):
		return nil, os.RemoveAll(old)
	case !is:
		p.dir = filepath.Join(home, unfinished)
	}
	return p.newUpgrade(old, !is)
}

// nothingBound reports whether a process ended before it bound anything, perhaps
// before it had made all maps.
func nothingBound(dir string) bool {
	for _, pattern := range []string{"link-*", "doorman-*"} {
		if pins, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(pins) > 0 {
			return false
		}
	}
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, "bindings"), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer m.Close()
	numbers, _, err := all[uint32, bpfBinding](m)
	return err == nil && len(numbers) == 0
}

// SetAside has the next Open begin anew for an identity. What is pinned goes on
// filtering, until Settled.
func SetAside(pinDir, identity string) error {
	dir := filepath.Join(pinDir, identity)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), asidePrefix) {
			continue
		}
		to := ""
		for n := 1; ; n++ {
			to = filepath.Join(dir, fmt.Sprintf("%s%d", asidePrefix, n))
			if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
		if err := os.Rename(filepath.Join(dir, e.Name()), to); err != nil {
			return fmt.Errorf("set aside what is pinned: %w", err)
		}
	}
	return nil
}

// IsAside reports whether something is set aside for an identity.
func IsAside(pinDir, identity string) bool {
	all, _ := filepath.Glob(filepath.Join(pinDir, identity, asidePrefix+"*"))
	return len(all) > 0
}

// Settled says that everything is bound and in force: what was set aside goes.
// It reports whether there was something.
func (p *Plane) Settled() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.aside) == 0 {
		return false, nil
	}
	for _, dir := range p.aside {
		if err := os.RemoveAll(dir); err != nil {
			return false, fmt.Errorf("remove what was set aside: %w", err)
		}
	}
	p.aside = nil
	return true, nil
}

// Aside reports whether something is set aside that was there when the plane was
// opened.
func (p *Plane) Aside() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.aside) > 0
}

// TakeOut takes everything of an identity out of the kernel, without reading
// rules. Devices pass everything then. It gives those that it knows of.
func TakeOut(pinDir, identity string) (devices []string, err error) {
	dir := filepath.Join(pinDir, identity)
	folders, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	var errs []error
	known := map[bpfDeviceKey]bool{} // while an upgrade is under way, two folders have a device
	for _, f := range folders {
		m, err := ebpf.LoadPinnedMap(filepath.Join(f, "bindings"), &ebpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			continue // whatever is pinned goes all the same
		}
		_, records, err := all[uint32, bpfBinding](m)
		m.Close()
		if err != nil {
			continue
		}
		for _, r := range records {
			b := &bound{bpfBinding: r}
			if k := b.key(); !known[k] {
				known[k] = true
				devices = append(devices, text(r.Device[:]))
			}
			if r.Clsact == 0 {
				continue
			}
			for _, hook := range b.hooks() {
				errs = append(errs, ignore(within(text(r.NetnsPath[:]), func(ns uint32) error {
					if ns != r.Netns {
						return nil
					}
					return netlink.FilterDel(b.bpfFilter(-1, hook))
				}), unix.ENOENT, unix.EINVAL, unix.ENODEV, fs.ErrNotExist))
			}
		}
	}
	return devices, errors.Join(append(errs, os.RemoveAll(dir))...)
}
