package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	cebpf "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/spf13/cobra"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// demoNetnsDir is where ip netns looks for namespaces.
func demoNetnsDir() string { return "/run/netns" }

// inNetns runs f on a thread that is in a network namespace. The thread is
// given up if it cannot go back.
func inNetns(path string, f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- func() error {
			home, err := netns.Get()
			if err != nil {
				return err
			}
			defer home.Close()
			there, err := netns.GetFromPath(path)
			if err != nil {
				return fmt.Errorf("network namespace %s: %w", path, err)
			}
			defer there.Close()
			if err := netns.Set(there); err != nil {
				return fmt.Errorf("enter network namespace %s: %w", path, err)
			}
			err = f()
			if netns.Set(home) == nil {
				runtime.UnlockOSThread()
			}
			return err
		}()
	}()
	return <-result
}

// makeNetns makes a network namespace that a file keeps.
func makeNetns(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	result := make(chan error)
	go func() {
		// The thread ends with the goroutine: it is never unlocked.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = unix.Mount(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), path, "", unix.MS_BIND, "")
		}
		result <- err
	}()
	if err := <-result; err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

func removeNetns(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isNetns reports whether a file keeps a network namespace; after a restart of
// the machine it is an empty file, or gone.
func isNetns(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

func linkGone(err error) bool {
	var gone netlink.LinkNotFoundError
	return errors.As(err, &gone)
}

func makeBridge(name string) error {
	_, err := netlink.LinkByName(name)
	if err == nil {
		return nil
	}
	if !linkGone(err) {
		return err
	}
	a := netlink.NewLinkAttrs()
	a.Name = name
	b := &netlink.Bridge{LinkAttrs: a}
	if err := netlink.LinkAdd(b); err != nil {
		return err
	}
	noIPv6(name)
	return netlink.LinkSetUp(b)
}

// noIPv6 turns IPv6 off on a device, in the thread's namespace: on the host's
// ends the host has no business. A kernel without IPv6 has no such setting.
func noIPv6(device string) {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0o644)
}

func removeLink(name string) error {
	l, err := netlink.LinkByName(name)
	if linkGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkDel(l)
}

// makeLink makes the namespace and the link of an end, unless they are there.
// It reports whether the host's end is a new one, which is left down.
func (e *demoEnd) makeLink() (fresh bool, err error) {
	if !isNetns(e.Netns) {
		if err := removeNetns(e.Netns); err != nil {
			return false, err
		}
		if err := makeNetns(e.Netns); err != nil {
			return false, err
		}
		// A link into a namespace that is gone is gone with it, at some time.
		if err := removeLink(e.Device); err != nil {
			return false, err
		}
	}
	if _, err := netlink.LinkByName(e.Device); err == nil {
		return false, nil
	} else if !linkGone(err) {
		return false, err
	}
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return false, err
	}
	there, err := netns.GetFromPath(e.Netns)
	if err != nil {
		return false, err
	}
	defer there.Close()
	a := netlink.NewLinkAttrs()
	a.Name = e.Device
	v := &netlink.Veth{LinkAttrs: a, PeerName: "eth0", PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(there)}
	if err := netlink.LinkAdd(v); err != nil {
		return false, err
	}
	noIPv6(e.Device)
	return true, nil
}

// connect brings up both ends of a link, the host's on the bridge.
func (e *demoEnd) connect(bridge string) error {
	host, err := netlink.LinkByName(e.Device)
	if err != nil {
		return err
	}
	b, err := netlink.LinkByName(bridge)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(host, b); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(host); err != nil {
		return err
	}
	// The demo speaks IPv4 only; what its machines would say of IPv6 by
	// themselves, their gates would count as drops.
	if err := inNetns(e.Netns, func() error { noIPv6("eth0"); return nil }); err != nil {
		return err
	}
	there, err := netns.GetFromPath(e.Netns)
	if err != nil {
		return err
	}
	defer there.Close()
	h, err := netlink.NewHandleAt(there)
	if err != nil {
		return err
	}
	defer h.Close()
	for _, name := range []string{"lo", "eth0"} {
		l, err := h.LinkByName(name)
		if err != nil {
			return err
		}
		if name == "eth0" {
			a := &netlink.Addr{IPNet: &net.IPNet{IP: e.Address.Addr().AsSlice(), Mask: net.CIDRMask(e.Address.Bits(), 32)}}
			if err := h.AddrReplace(l, a); err != nil {
				return err
			}
		}
		if err := h.LinkSetUp(l); err != nil {
			return err
		}
	}
	return nil
}

// disconnect takes the host's end of a link down, if it is there.
func (e *demoEnd) disconnect() error {
	l, err := netlink.LinkByName(e.Device)
	if linkGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkSetDown(l)
}

func (e *demoEnd) removeLink() error { return errors.Join(removeLink(e.Device), removeNetns(e.Netns)) }

// startWeb starts the web server in its namespace, unless it runs.
func (d *demo) startWeb() error {
	if d.Web.runs() {
		return nil
	}
	end := d.end("web")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(self, "demo-web", "--listen", net.JoinHostPort(end.Address.Addr().String(), strconv.Itoa(webPort)))
	c.Env = []string{"PATH=" + os.Getenv("PATH")}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	errs, err := c.StderrPipe()
	if err != nil {
		return err
	}
	// A process is in the namespace of the thread that starts it.
	if err := inNetns(end.Netns, c.Start); err != nil {
		return err
	}
	d.Web = demoProcess{PID: c.Process.Pid}
	d.Web.Start, _ = startOf(c.Process.Pid)
	if err := d.save(); err != nil {
		c.Process.Kill()
		return err
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		said.ReadFrom(errs)
		c.Wait()
		return fmt.Errorf("it ended: %s", strings.TrimSpace(said.String()))
	}
	return c.Process.Release()
}

// startOf gives the time at which a process started, in the kernel's ticks.
func startOf(pid int) (string, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// After the name, which may hold anything, come the state and 19 numbers.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 || f[0] == "Z" {
		return "", false
	}
	return f[19], true
}

func (p demoProcess) runs() bool {
	start, ok := startOf(p.PID)
	return ok && p.PID > 0 && start == p.Start
}

// stop ends the process, with SIGKILL if it does not go by itself.
func (p demoProcess) stop() error {
	for i := 0; p.runs(); i++ {
		s := unix.SIGTERM
		switch {
		case i == 20:
			s = unix.SIGKILL
		case i > 60:
			return fmt.Errorf("process %d does not end", p.PID)
		}
		if i%20 == 0 {
			if err := unix.Kill(p.PID, s); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// demoPrivileges says what the demo is not allowed to do here, and why.
func demoPrivileges() error {
	have, err := capabilities()
	if err != nil {
		return err
	}
	var missing []string
	for _, c := range []struct {
		name string
		bit  uint
	}{{"CAP_NET_ADMIN (links)", unix.CAP_NET_ADMIN}, {"CAP_SYS_ADMIN (network namespaces)", unix.CAP_SYS_ADMIN}} {
		if have&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("the demo needs %s: run it as root, and its server too.\nWithout root it would have to live in a user namespace. %s", strings.Join(missing, " and "), userNamespaceReport())
}

// capabilities gives the effective ones of this process.
func capabilities() (uint64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "\nCapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseUint(strings.TrimSpace(line), 16, 64)
}

// userNamespaceReport tries, in a process of its own, what the demo would need
// in a user namespace, and says how to go on or what is missing.
func userNamespaceReport() string {
	c := exec.Command("/proc/self/exe", "demo-probe")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.Output()
	said := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	switch {
	case err == nil && said == "":
		return "That is possible here. In `unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs none /run && exec sh'` run both `moat serve` and `moat demo`, with a --data-dir of your own."
	case err != nil && !errors.As(err, &exit):
		said = "A user namespace cannot be made: " + err.Error()
	case said == "":
		said = "A user namespace cannot be used: " + err.Error()
	}
	return said + sysctlReport()
}

// sysctlReport names the settings of the kernel that stand in the way.
func sysctlReport() string {
	var out []string
	for _, s := range []struct {
		file, name string
		bad        func(v string) bool
		note       string
	}{
		{"user/max_user_namespaces", "user.max_user_namespaces", func(v string) bool { return v == "0" }, "no user namespaces"},
		{"kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone", func(v string) bool { return v == "0" }, "no user namespaces without root"},
		{"kernel/apparmor_restrict_unprivileged_userns", "kernel.apparmor_restrict_unprivileged_userns", func(v string) bool { return v == "1" }, "no capabilities in them without an AppArmor profile"},
		{"kernel/unprivileged_bpf_disabled", "kernel.unprivileged_bpf_disabled", func(v string) bool { return v != "0" }, "no BPF without CAP_BPF"},
	} {
		b, err := os.ReadFile("/proc/sys/" + s.file)
		if v := strings.TrimSpace(string(b)); err == nil && s.bad(v) {
			out = append(out, fmt.Sprintf("%s is %s (%s)", s.name, v, s.note))
		}
	}
	if out == nil {
		return ""
	}
	return "\nOn this host " + strings.Join(out, ", ") + "."
}

// demoProbeCommand tries in a fresh user namespace what the demo needs, and
// says what fails.
func demoProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo-probe", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a := netlink.NewLinkAttrs()
			a.Name = "probe"
			if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: a, PeerName: "probe-peer"}); err != nil {
				fmt.Fprintf(c.OutOrStdout(), "A link cannot be made in a user namespace: %v.", err)
				return exitCode(1)
			}
			p, err := cebpf.NewProgram(&cebpf.ProgramSpec{
				Type: cebpf.SchedCLS, License: "Dual BSD/GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
			})
			if errors.Is(err, unix.EPERM) {
				err = unix.EPERM // without the library's guess
			}
			if err != nil {
				fmt.Fprintf(c.OutOrStdout(), "User namespaces are there; the kernel refuses a BPF program for packets in one (%v): it wants CAP_BPF and CAP_NET_ADMIN of the whole machine, or a BPF token (Linux 6.9) that root has made.", err)
				return exitCode(1)
			}
			return p.Close()
		},
	}
}
