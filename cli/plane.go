package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf/features"
	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	cebpf "github.com/cilium/ebpf"

	"moat/agent"
	"moat/dataplane"
	"moat/dataplane/ebpf"
	"moat/ruleset"
	"moat/server"
	"moat/store"
)

// identityFile has the uuid of a data directory. The state knows the host by
// it, and so does the folder of what is pinned in the kernel: unlike a host's
// name it never changes, and a change would leave devices open.
const identityFile = ebpf.IdentityFile

// exemptFile says what the server exempts from the rules without --exempt:
// nothing. It is made with the data directory. A directory that lacks it was
// used by a version that exempted DNS, metadata and time.
const exemptFile = "exempt-default"

// bridgesFile has what managed bridges were before they were.
const bridgesFile = "bridges.json"

// pinDir is where the folders of pins of all identities are.
const pinDir = "/sys/fs/bpf/moat"

// firstPatience is how long a server that starts waits until what is bound is
// enforced.
const firstPatience = 5 * time.Second

// identityOf gives the uuid of a data directory, made when there is none.
func identityOf(dir string) (string, error) {
	name := filepath.Join(dir, identityFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		// First, so that a directory with an identity has it.
		if err := replaceFile(filepath.Join(dir, exemptFile), func(w io.Writer) error {
			_, err := fmt.Fprintln(w, "none")
			return err
		}); err != nil {
			return "", err
		}
		id := uuid.NewString()
		return id, replaceFile(name, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, id)
			return err
		})
	}
	if err != nil {
		return "", err
	}
	id, err := uuid.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		return "", fmt.Errorf("%s is damaged: %w: put back what it was, which is the name of a folder in %s if devices are bound, or remove it", name, err, pinDir)
	}
	return id.String(), nil
}

// snapshotFile has what the host enforces, for the next start of the machine.
const snapshotFile = "enforced.snapshot"

// releasesFile has what was detached on this host while etcd did not answer, until
// the state has it.
const releasesFile = "releases"

// A hostPlane is the enforcement of this host. It begins before there is a
// database: with what the kernel still has, or else with the snapshot.
type hostPlane struct {
	server.Enforcement
	plane  *agent.Lazy
	logger *slog.Logger
	// booting is what is enforced until run, and endBoot ends looking after it.
	booting agent.Booting
	endBoot func()
	stop    func()
}

// beginEnforcing closes devices whose names are guarded and puts the snapshot into
// force, where this process may.
func beginEnforcing(ctx context.Context, s *settings, logger *slog.Logger) (*hostPlane, error) {
	h := &hostPlane{logger: logger, endBoot: func() {}, stop: func() {}}
	var err error
	if h.Host, err = identityOf(s.dataDir); err != nil {
		return nil, err
	}
	h.Hostname, _ = os.Hostname()
	h.Wait, h.Timeout, h.Options = s.waitEnforced != "none", s.waitTimeout, s.enforcing
	if _, err := os.Stat(filepath.Join(s.dataDir, exemptFile)); errors.Is(err, fs.ErrNotExist) {
		h.ListLost = !s.exemptGiven
	}
	pins := filepath.Join(pinDir, h.Host)
	_, err = os.Stat(pins)
	pinned := err == nil
	if reason := whyNotEnforce(); reason != "" && !pinned {
		h.Reason = reason
		return h, nil
	}
	if !pinned {
		// Nothing is bound yet, and all else takes longer.
		if err := ebpf.GuardFirst(h.Host, dataplane.Guards{Names: s.guards, Bridges: s.managedBridges, Own: ownNames(s.configured), Pinholes: s.enforcing.Failsafe}); err != nil {
			logger.Warn("nftables cannot guard devices while the data plane is loaded", "host", h.Host, "err", err)
		}
	}
	h.plane = agent.NewLazy(func() (dataplane.Dataplane, error) {
		p, err := ebpf.Open(ebpf.Options{Identity: h.Host, PinDir: pinDir, DataDir: absolute(s.dataDir), Adopt: s.adopt})
		if err != nil {
			return nil, err
		}
		return &kernelPlane{p, pins}, nil
	}, pinned)
	h.Kind = "ebpf"
	h.Orphans = func() (all []server.OrphanStatus, err error) {
		orphans, err := ebpf.Orphans(pinDir, h.Host)
		for _, o := range orphans {
			all = append(all, server.OrphanStatus(o))
		}
		return all, err
	}
	h.Agent = agent.New(agent.Config{
		Plane: h.plane, Host: h.Host, Options: s.enforcing, Logger: logger, Links: agent.WatchLinks, Bridges: s.managedBridges, Guards: s.guards, Own: ownNames(s.configured),
		Notes: filepath.Join(s.dataDir, bridgesFile), Snapshot: filepath.Join(s.dataDir, snapshotFile), Devices: agent.ReadDevices,
		Releases: filepath.Join(s.dataDir, releasesFile),
	})
	h.booting, h.endBoot = h.Agent.Boot(ctx)
	return h, nil
}

// holds reports whether something is to be enforced whether or not there is a
// database.
func (h *hostPlane) holds() bool {
	return h.Agent != nil && (len(h.booting.Bindings) > 0 || len(h.Agent.Guards()) > 0)
}

// run enforces the state from now on.
func (h *hostPlane) run(ctx context.Context, st *store.Store) {
	if h.Agent == nil {
		if bound := agent.Bound(st.Latest(), h.Host); len(bound) > 0 {
			h.logger.Error("devices are bound and nothing can be enforced", "host", h.Host, "devices", len(bound), "err", h.Reason)
		}
		return
	}
	h.endBoot()
	h.Agent.Watch(st)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Agent.Run(run) // it ends with run only
	}()
	h.stop = sync.OnceFunc(func() { cancel(); <-done })
	// When the server is ready, the devices that were bound before are enforced.
	first, gaveUp := context.WithTimeout(ctx, firstPatience)
	defer gaveUp()
	_ = h.Agent.Wait(first, st.Latest().Rev) // status tells, and it is tried again
}

// close lets go of the data plane; enforcement goes on.
func (h *hostPlane) close() {
	h.endBoot()
	h.stop()
	if h.plane != nil {
		if err := h.plane.Close(); err != nil {
			h.logger.Error("the data plane did not close cleanly", "err", err)
		}
	}
}

// tellHosts tells the other hosts of a cluster what this one enforces, and has
// calls wait for them if they are to. stop ends it.
func tellHosts(ctx context.Context, log store.Log, e *server.Enforcement, all bool, logger *slog.Logger) (stop func()) {
	etcd, ok := log.(*store.Etcd)
	if !ok || !etcd.Shared() {
		return func() {}
	}
	hosts := etcd.Hosts(e.Host, e.Hostname, logger)
	e.Hosts, e.All = hosts, all
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() { hosts.Run(run) })
	if a := e.Agent; a != nil {
		done.Go(func() { server.ReportEnforced(run, a, hosts) })
	}
	return func() {
		cancel()
		done.Wait()
	}
}

var errAside = errors.New("what was in the kernel before is not replaced yet")

// kernelPlane is the kernel's data plane, which can be taken out whole.
type kernelPlane struct {
	*ebpf.Plane
	pins string
}

// Remove closes the plane and removes its pins, unless some are set aside, which
// filter still.
func (p *kernelPlane) Remove() error {
	if p.Aside() {
		return errAside
	}
	if err := p.Close(); err != nil {
		return err
	}
	return os.RemoveAll(p.pins)
}

// whyNotEnforce says why this process cannot enforce; empty when it can.
func whyNotEnforce() string {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return fmt.Sprintf("the process's capabilities cannot be read: %v", err)
	}
	has := func(c uint) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	var missing []string
	if !has(unix.CAP_NET_ADMIN) {
		missing = append(missing, "CAP_NET_ADMIN")
	}
	if !has(unix.CAP_SYS_ADMIN) {
		if !has(unix.CAP_BPF) {
			missing = append(missing, "CAP_BPF")
		}
		if !has(unix.CAP_PERFMON) {
			missing = append(missing, "CAP_PERFMON")
		}
	}
	if len(missing) > 0 {
		return "the server has no right to: run it as root or grant " + strings.Join(missing, " and ")
	}
	// Making the folder takes more: see there.
	if uid := os.Geteuid(); uid != 0 && !has(unix.CAP_DAC_OVERRIDE) {
		if err := unix.Faccessat(unix.AT_FDCWD, pinDir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
			return fmt.Sprintf("the server may not write to %s: %v: as root, `chmod 711 %s && install -d -o %d -m 700 %s`", pinDir, err, filepath.Dir(pinDir), uid, pinDir)
		}
	}
	if err := features.HaveProgramType(cebpf.SchedCLS); err != nil {
		return fmt.Sprintf("the kernel refuses BPF: %v", err)
	}
	return ""
}

// enforcementOptions reads --on-revoke, --exempt and --failsafe.
func enforcementOptions(onRevoke string, exempt, failsafe []string) (o ruleset.Options, err error) {
	var ok bool
	if o.OnRevoke, ok = ruleset.ParseOnRevoke(onRevoke); !ok {
		return o, fmt.Errorf("--on-revoke %q: want cut, aws, or drain and a number of seconds", onRevoke)
	}
	for _, word := range failsafe {
		p, err := ruleset.ParsePinhole(word)
		if err != nil {
			return o, fmt.Errorf("--failsafe: %w", err)
		}
		o.Failsafe = append(o.Failsafe, p)
	}
	if o.Exempt, err = ruleset.ParseExemptions(exempt); err != nil {
		return o, fmt.Errorf("--exempt: %w", err)
	}
	return o, nil
}

// guardedNames gives the patterns of names of devices that are to pass nothing
// until they are bound: those of --guard, and of configured bindings of the
// host's ends of links. A machine's own device observes once it is bound, so
// that it is not guarded before.
func guardedNames(patterns []string, configured []server.ConfiguredBinding) (all []dataplane.Pattern, err error) {
	for _, p := range patterns {
		all = append(all, dataplane.Pattern(p))
	}
	for _, c := range configured {
		if ns, err := agent.NetnsPath(c.Netns); c.Side != "workload" && err == nil && ns == "" {
			all = append(all, c.Device)
		}
	}
	for _, p := range all {
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("--guard: %w", err)
		}
		if p.Match(dataplane.Loopback) {
			return nil, fmt.Errorf("--guard: %w", fitsLoopback(p))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ownNames returns the patterns of the machine's own devices that are to be guarded.
func ownNames(configured []server.ConfiguredBinding) (all []dataplane.Pattern) {
	for _, c := range configured {
		if c.Guard {
			all = append(all, c.Device)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// fitsLoopback refuses a pattern that fits lo.
func fitsLoopback(p dataplane.Pattern) error {
	return fmt.Errorf("%q fits lo, by which the machine speaks to itself", p)
}

// readBindings reads a file of --bind. A pattern for another namespace may fit
// lo, which is left out; the name lo itself is refused everywhere.
func readBindings(name string) (all []server.ConfiguredBinding, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i, b := range all {
		if b.Device == "" || b.Interface == "" {
			return nil, fmt.Errorf("binding %d: want device, a pattern of names, and interface, an id or a tag Name", i+1)
		}
		if err := b.Device.Check(); err != nil {
			return nil, fmt.Errorf("binding %d: device: %w", i+1, err)
		}
		if b.Side != "" && b.Side != "host" && b.Side != "workload" {
			return nil, fmt.Errorf("binding %d: side %q: want host or workload", i+1, b.Side)
		}
		if ns, err := agent.NetnsPath(b.Netns); b.Guard && (b.Side != "workload" || err != nil || ns != "") {
			return nil, fmt.Errorf("binding %d: guard is for side workload in the server's own network namespace: other devices of that namespace are guarded anyway", i+1)
		}
		if ns, err := agent.NetnsPath(b.Netns); b.Device.Match(dataplane.Loopback) && (b.Device == dataplane.Loopback || err == nil && ns == "") {
			return nil, fmt.Errorf("binding %d: %w", i+1, fitsLoopback(b.Device))
		}
	}
	return all, nil
}
