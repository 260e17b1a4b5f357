package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/vpc"
)

func attachCommand() *cobra.Command {
	in := &server.AttachDevice{}
	c := adminCommand(&cobra.Command{
		Use:   "attach eni-ID --dev DEV",
		Short: "Enforce a network interface's security groups on a device",
		Long: `Binds an EC2 network interface to a network device of the server's host. From
then on only what the interface's security groups allow passes there. It is
enforced when the command returns, also before the link is up; until the first
rules are in force nothing passes.

The device is the host's end of a workload's link: a veth's end on the host, or
a virtual machine's tap. With --side workload it is the device that carries the
interface's addresses itself: one in a network namespace, or the machine's own.
A machine's own begins by observing: it judges and counts, and drops nothing.

A network namespace is named as ip netns does, by the id of a process in it, or
by a path.`,
		Args: cobra.ExactArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		in.Interface = vpc.InterfaceID(args[0])
		out := &server.Bound{}
		if err := e.admin(c.Context(), "attach", in, out); err != nil {
			return err
		}
		what := "enforced"
		if out.Observe {
			what = "observed: judged and counted, nothing is dropped"
		}
		if out.Probe != nil {
			what += ", proved by " + probeText(out.Probe)
		}
		return said(c, out, fmt.Sprintf("%s is bound to %s, %s", out.Interface, place(out.Device, out.Netns), what))
	})
	c.Flags().StringVar(&in.Device, "dev", "", "`DEVICE` to enforce on")
	c.Flags().StringVar(&in.Netns, "netns", "", "its network namespace, `NAME|PID|PATH` (default: the server's own)")
	c.Flags().StringVar(&in.Side, "side", "host", "`host|workload`: whose end of the link the device is")
	c.Flags().BoolVar(&in.Probe, "probe", false, "prove that the device is enforced, as moat status --probe does, and fail if it is not")
	if err := c.MarkFlagRequired("dev"); err != nil {
		panic(err)
	}
	return c
}

func detachCommand() *cobra.Command {
	in := &server.DetachDevice{}
	c := adminCommand(&cobra.Command{
		Use:   "detach eni-ID | --dev DEV",
		Short: "Stop enforcing on a device",
		Long: `Takes a network interface off its device. The device passes everything from
there on, and nothing of moat is left on it, unless its name is guarded or it is
a port of a managed bridge: those pass nothing.`,
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
		now := "passes everything now"
		if out.Closed {
			now = "passes nothing until it is bound again"
		}
		return said(c, out, fmt.Sprintf("%s is off %s, which %s", out.Interface, place(out.Device, out.Netns), now))
	})
	c.Flags().StringVar(&in.Device, "dev", "", "`DEVICE` that is bound, instead of the interface")
	c.Flags().StringVar(&in.Netns, "netns", "", "its network namespace, `NAME|PID|PATH`, where several have a device of the name")
	return c
}

// said tells what was done, once it is in force.
func said(c *cobra.Command, b *server.Bound, what string) error {
	switch b.Enforced {
	case "yes":
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s (revision %d)\n", what, b.Revision)
		return err
	case "pending":
		fmt.Fprintf(os.Stderr, "moat: revision %d is committed and not in force yet: follow it with `moat wait %d`\n", b.Revision, b.Revision)
	default:
		fmt.Fprintf(os.Stderr, "moat: revision %d is committed and cannot be put into force, which is tried again: %s\n", b.Revision, b.Error)
	}
	return exitCode(2)
}
