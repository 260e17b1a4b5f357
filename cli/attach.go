package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moat/dataplane/ebpf"
	"moat/server"
	"moat/vpc"
)

func attachCommand() *cobra.Command {
	in := &server.AttachDevice{}
	c := adminCommand(&cobra.Command{
		Use:   "attach INTERFACE --dev DEV",
		Short: "Enforce a network interface's security groups on a device",
		Long: `Binds an EC2 network interface to a network device of the server's host. From
then on only what the interface's security groups allow passes there. It is
enforced when the command returns, also before the link is up; until the first
rules are in force nothing passes.

The device is the host's end of a workload's link: a veth's end on the host, or
a virtual machine's tap. With --side workload it is the device that carries the
interface's addresses itself: one in a network namespace, or the machine's own.

A device that the machine itself is reached by begins by observing: it judges
and counts, and drops nothing until moat enforce. It is recognised on either
side, by an address of the machine, a default route, or a connection through
it: this call's, your login's, or another of SSH or the API. The address of a
gateway on a workload's veth or tap does not count. UDP cannot be seen: if you
come by WireGuard or QUIC, check yourself which device that uses.

Addresses of the device that the interface lacks are listed: where the device is
enforced, their packets are dropped as spoofed. --adopt-addresses puts them on
the interface: in the same revision, or nothing is changed and what is missing is
named. A subnet without IPv6 gets the /64 of the device's address, and so does
its VPC if it has no block around it.

The interface is named by its id, its address, its tag Name, or whatever else
stands for one: see the manual. A network namespace is named as ip netns does, by
the id of a process in it, or by a path.`,
		Args: cobra.ExactArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		in.Interface, in.Login = vpc.InterfaceID(args[0]), loginConnection("/proc", os.Getpid())
		out := &server.Bound{}
		if err := e.admin(c.Context(), "attach", in, out); err != nil {
			return err
		}
		what := "enforced"
		if out.Observe {
			what = "observed: judged and counted, nothing is dropped"
		}
		if out.Probe != nil {
			what += ", " + proofText(out.Probe, out.Limit)
		}
		if err := said(c, out, fmt.Sprintf("%s is bound to %s, %s", out.Interface, place(out.Device, out.Netns), what)); err != nil {
			return err
		}
		if out.Limit != "" {
			fmt.Fprintf(c.ErrOrStderr(), "moat: %s\n", out.Limit)
		}
		if out.Filter != "" {
			fmt.Fprintf(c.OutOrStdout(), "The filter is at the host's end of the link, %s.\n", place(out.Filter, out.FilterNetns))
		}
		_, err := fmt.Fprint(c.OutOrStdout(), ownText(out), lacksText(out))
		return err
	})
	c.Flags().StringVar(&in.Device, "dev", "", "`DEVICE` to enforce on")
	c.Flags().StringVar(&in.Netns, "netns", "", "its network namespace, `NAME|PID|PATH` (default: the server's own)")
	c.Flags().StringVar(&in.Side, "side", "host", "`host|workload`: whose end of the link the device is")
	c.Flags().BoolVar(&in.Adopt, "adopt-addresses", false, "give the interface the device's addresses that it lacks; with --side workload")
	c.Flags().BoolVar(&in.Probe, "probe", false, "prove that the device is enforced, as moat status --probe does, and fail if it is not")
	if err := c.MarkFlagRequired("dev"); err != nil {
		panic(err)
	}
	return c
}

// ownText says why a device begins by observing, and how to go on.
func ownText(b *server.Bound) string {
	text := ""
	if len(b.Adopted) > 0 {
		text = fmt.Sprintf("%s was given addresses of %s: %s\n", b.Interface, b.Device, addressList(b.Adopted))
	}
	if b.Own == nil {
		return text
	}
	var uses []string
	for _, a := range b.Own.Addresses {
		uses = append(uses, "address "+a.String())
	}
	if b.Own.DefaultRoute {
		uses = append(uses, "a default route")
	}
	for _, v := range b.Own.VLANs {
		uses = append(uses, "VLAN device "+v+", whose frames are dropped once "+b.Device+" is enforced")
	}
	for _, c := range b.Own.Sessions {
		uses = append(uses, "connection "+c)
	}
	text += fmt.Sprintf("%s is used by this machine itself: %s\n", b.Device, strings.Join(uses, "; "))
	if b.Side == "host" {
		text += fmt.Sprintf("to enforce what this machine sends and receives, attach %s with --side workload\n", b.Device)
	}
	if b.Observe {
		text += fmt.Sprintf("enforce it on trial with `moat enforce %s`\n", b.Device)
	}
	return text
}

// lacksText says which of a device's addresses will be dropped.
func lacksText(b *server.Bound) string {
	if len(b.Lacks) == 0 {
		return ""
	}
	when := "packets from and to them are dropped as spoofed"
	if b.Observe {
		when = "once " + b.Device + " is enforced, packets from and to them are dropped as spoofed"
	}
	return fmt.Sprintf("%s lacks addresses of %s: %s; %s\n", b.Interface, b.Device, addressList(b.Lacks), when)
}

func addressList(all []netip.Addr) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

func detachCommand() *cobra.Command {
	in := &server.DetachDevice{}
	force := false
	c := adminCommand(&cobra.Command{
		Use:   "detach INTERFACE | --dev DEV",
		Short: "Stop enforcing on a device",
		Long: `Takes a network interface off its device. The device passes everything from
there on, and nothing of moat is left on it, unless its name is guarded or it is
a port of a managed bridge: those pass nothing.

A device of another host of the cluster is that host's server's to open. The command
asks for it, waits until that server confirms, and exits with 1 if it does not.
With --force, and the interface, it removes the binding from the state at once,
for a host that is gone for good.

If etcd does not answer, the filter goes from a device of this host all the same,
and stays off over restarts. The state and the audit trail have it when etcd
answers again.

With --force, and no device, it is for a server that cannot read what is in the
kernel, which moat status says. While the server runs, all that is bound is put
into force anew, and what was there filters until then. While none runs, all that
the server had put into the kernel is taken out, and its devices pass everything
until it is started again.`,
		Args: cobra.MaximumNArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		if (len(args) == 1) == (in.Device != "") {
			return fmt.Errorf("name either the interface or, with --dev, the device")
		}
		if len(args) == 1 {
			in.Interface = vpc.InterfaceID(args[0])
		}
		out := &server.Bound{}
		if err := e.admin(c.Context(), "detach", in, out); err != nil {
			return err
		}
		if out.Asked {
			fmt.Fprintf(os.Stderr, "moat: asked, not done: %s is still on %s of host %s. Only that host's server can take the filter off, and it has not confirmed that: %s.\n"+
				"moat interfaces shows it as detaching until it is done. If the host is gone for good, run `moat detach --force %s`.\n", out.Interface, place(out.Device, out.Netns), out.Host, out.Error, out.Interface)
			return exitCode(1)
		}
		now := "passes everything now"
		if out.Closed {
			now = "passes nothing until it is bound again"
		}
		where := place(out.Device, out.Netns)
		switch {
		case out.Deferred:
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is off %s, which %s. etcd does not answer: the state and the audit trail will have it when it does\n", out.Interface, where, now)
			return err
		case out.Forgotten:
			_, err := fmt.Fprintf(c.OutOrStdout(), "the state no longer has %s on %s of host %s (revision %d). The filter is there until a server of that host reads the state\n", out.Interface, where, out.Host, out.Revision)
			return err
		case out.Host != "":
			where += " of host " + out.Host
		}
		return said(c, out, fmt.Sprintf("%s is off %s, which %s", out.Interface, where, now))
	})
	c.Flags().StringVar(&in.Device, "dev", "", "`DEVICE` that is bound, instead of the interface")
	c.Flags().StringVar(&in.Netns, "netns", "", "its network namespace, `NAME|PID|PATH`, where several have a device of the name")
	c.Flags().BoolVar(&force, "force", false, "replace all that the server of --data-dir has in the kernel, which it cannot read; or, while it does not run, take it out")
	identity := ""
	c.Flags().StringVar(&identity, "identity", "", "with --force: take out what a server of this `IDENTITY` left, whose data directory is gone, as moat status lists")
	one := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if identity != "" {
			if !force || len(args) > 0 || in.Device != "" {
				return fmt.Errorf("--identity opens all devices of a server that is gone: name none, and add --force")
			}
			devices, err := ebpf.TakeOutOrphan(pinDir, identity)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "the kernel has nothing of identity %s any more; devices that pass everything now: %s\n", identity, cmp.Or(strings.Join(devices, " "), "not known"))
			return err
		}
		if !force {
			return one(c, args)
		}
		if in.Device != "" {
			return fmt.Errorf("--force takes the interface of another host, or no name, for all devices of this server")
		}
		if in.Force = len(args) > 0; in.Force {
			return one(c, args)
		}
		return detachAll(c, c.Flags().Lookup("data-dir").Value.String())
	}
	return c
}

// renewPatience is how long a server may take to enforce everything anew.
const renewPatience = 30 * time.Second

// detachAll has what a server has in the kernel replaced, or taken out if it does
// not run.
func detachAll(c *cobra.Command, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, identityFile)); err != nil {
		return fmt.Errorf("%s is no data directory of a server that enforced: %w", dir, err)
	}
	identity, err := identityOf(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(pinDir, identity)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			_, err = fmt.Fprintln(c.OutOrStdout(), "the kernel has nothing of this server")
		}
		return err
	}
	if unlock, err := lockDataDir(dir); err == nil { // no server runs
		defer unlock()
		devices, err := ebpf.TakeOut(pinDir, identity)
		if err != nil {
			return fmt.Errorf("take everything out of the kernel: %w (run as root)", err)
		}
		fmt.Fprintf(c.OutOrStdout(), "the kernel has nothing of this server any more; devices that pass everything now: %s\n", cmp.Or(strings.Join(devices, " "), "not known"))
		return nil
	}
	e, err := readEndpoint(dir)
	if err != nil {
		return err
	}
	var st server.Status
	if err := e.admin(c.Context(), "status", nil, &st); err != nil {
		return err
	}
	if st.Error == "" {
		return errors.New("the server can read what it has in the kernel: detach devices one by one")
	}
	if err := ebpf.SetAside(pinDir, identity); err != nil {
		return fmt.Errorf("%w (run as root)", err)
	}
	for end := time.Now().Add(renewPatience); ; time.Sleep(50 * time.Millisecond) {
		st = server.Status{}
		if err := e.admin(c.Context(), "status", nil, &st); err != nil {
			return err
		}
		if !ebpf.IsAside(pinDir, identity) && st.Error == "" {
			_, err := fmt.Fprintf(c.OutOrStdout(), "revision %d is enforced, and what was in the kernel before is out of it\n", st.Enforced)
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("what was in the kernel before is still in force: %s", cmp.Or(st.Error, "see moat status"))
		}
	}
}

// said tells what was done, once it is in force.
func said(c *cobra.Command, b *server.Bound, what string) error {
	switch b.Enforced {
	case "yes":
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s (revision %d)\n", what, b.Revision)
		return err
	case "pending":
		fmt.Fprintf(os.Stderr, "moat: revision %d is committed and not in force yet: follow it with `moat wait %d`\n", b.Revision, b.Revision)
	case "degraded":
		fmt.Fprintf(os.Stderr, "moat: revision %d is in force, but packets may pass a device without being judged: %s\n", b.Revision, b.Error)
	default:
		fmt.Fprintf(os.Stderr, "moat: revision %d is committed and cannot be put into force, which is tried again: %s\n", b.Revision, b.Error)
	}
	return exitCode(2)
}
