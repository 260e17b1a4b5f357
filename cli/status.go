package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"moat/explain"
	"moat/server"
)

func interfacesCommand() *cobra.Command {
	asJSON := false
	c := adminCommand(&cobra.Command{
		Use:   "interfaces",
		Short: "List the network interfaces that are bound to devices",
		Args:  cobra.NoArgs,
	}, func(c *cobra.Command, _ []string, e endpoint) error {
		out := &server.Interfaces{}
		if err := e.admin(c.Context(), "interfaces", nil, out); err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), out)
		}
		if len(out.Interfaces) == 0 {
			_, err := fmt.Fprintln(c.OutOrStdout(), "no interface is bound to a device")
			return err
		}
		return writeInterfaces(c.OutOrStdout(), out.Interfaces)
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writeInterfaces(out io.Writer, all []server.BoundStatus) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INTERFACE\tNAME\tADDRESSES\tDEVICE\tSIDE\tMODE\tREVISION\tFLOWS\tDROPPED")
	for _, i := range all {
		var addresses []string
		for _, a := range i.Addresses {
			addresses = append(addresses, a.String())
		}
		rev := "-"
		if i.Revision > 0 {
			rev = strconv.FormatUint(i.Revision, 10)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", i.Interface, cmp.Or(i.Name, "-"), cmp.Or(strings.Join(addresses, ","), "-"),
			place(i.Device, i.Netns), i.Side, modeText(&i), rev, i.Flows, dropped(&i))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, i := range all {
		if len(i.Failsafe) > 0 {
			if _, err := fmt.Fprintf(out, "%s: open whatever the rules say: %s\n", i.Interface, strings.Join(i.Failsafe, ", ")); err != nil {
				return err
			}
		}
		if i.Error != "" {
			if _, err := fmt.Fprintf(out, "%s: %s\n", i.Interface, i.Error); err != nil {
				return err
			}
		}
	}
	return nil
}

func modeText(i *server.BoundStatus) string {
	if i.Until != nil {
		return "enforce until " + i.Until.Local().Format(time.TimeOnly)
	}
	return i.Mode
}

func dropped(i *server.BoundStatus) (n uint64) {
	for reason, c := range i.Drops {
		if reason != "would_drop" {
			n += c
		}
	}
	return n
}

func statusCommand() *cobra.Command {
	asJSON, probe := false, false
	c := adminCommand(&cobra.Command{
		Use:   "status",
		Short: "Tell how the server and what it enforces stand",
		Long: `Tells which revision of the state is in force on the server's host, and for each
bound interface how its device stands.

With --probe it proves it: the kernel is asked which program stands first at each
device, and that is run on packets of which the rules in force say what becomes,
where there are such: one that passes and one that is dropped, in each direction.
Nothing is sent and no flow begins, but the packets are counted.`,
		Args: cobra.NoArgs,
	}, func(c *cobra.Command, _ []string, e endpoint) error {
		out := &server.Status{}
		call := "status"
		if probe {
			call += "?probe"
		}
		if err := e.admin(c.Context(), call, nil, out); err != nil {
			return err
		}
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(s.out, out)
		} else {
			err = writeStatus(s, e, out)
		}
		if err != nil {
			return err
		}
		bad := func(i server.BoundStatus) bool {
			return slices.Contains([]string{"failed", "deny", "gone", "degraded"}, i.Mode) || i.Probe != nil && i.Probe.Error != ""
		}
		badHost := func(h server.HostStatus) bool { return h.Bad() }
		open := func(b server.BridgeStatus) bool { return b.Error != "" }
		if out.State == "failed" || out.Stale || out.GuardError != "" || slices.ContainsFunc(out.Bridges, open) || slices.ContainsFunc(out.Interfaces, bad) || slices.ContainsFunc(out.Hosts, badHost) {
			return exitCode(1)
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&probe, "probe", false, "prove that each device is enforced")
	colourFlag(c)
	return c
}

// proofText says what a probe proved, and for whom.
func proofText(p *server.Probe, limit string) string {
	if limit != "" {
		return "proved for processes without CAP_NET_RAW by " + probeText(p)
	}
	return "proved by " + probeText(p)
}

// probeText tells how a probe went.
func probeText(p *server.Probe) string {
	return fmt.Sprintf("a probe: the rules of revision %d let %s pass and dropped %d, as they have to", p.Revision, count(p.Passed, "packet"), p.Dropped)
}

func writeStatus(scr *screen, e endpoint, s *server.Status) error {
	out := scr.out
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "server\t%s, moat %s, region %s, account %s\n", e.URL, s.Version, s.Region, s.Account)
	fmt.Fprintf(w, "host\t%s (%s)\n", s.Host, s.Identity)
	if s.Stale {
		age := (time.Duration(s.ViewAge) * time.Second).String()
		fmt.Fprintf(w, "view\t%s\n", scr.paint(cell{"STALE: " + age + " old. etcd does not answer. This host goes on by the revision below; of other hosts nothing is known", minus}))
	}
	if s.DataPlane == "" {
		fmt.Fprintf(w, "data plane\tnone: %s\n", s.Reason)
		fmt.Fprintf(w, "revision\t%d\n", s.Revision)
	} else {
		fmt.Fprintf(w, "data plane\t%s\n", s.DataPlane)
		switch s.State {
		case "yes":
			fmt.Fprintf(w, "revision\t%d, in force\n", s.Revision)
		case "degraded":
			fmt.Fprintf(w, "revision\t%d, in force, but packets may pass a device without being judged: see below\n", s.Revision)
		case "pending":
			fmt.Fprintf(w, "revision\t%d; in force is %d, and it is on its way\n", s.Revision, s.Enforced)
		default:
			fmt.Fprintf(w, "revision\t%d; in force is %d: FAILED since %s, tried again\n", s.Revision, s.Enforced, s.Since.Local().Format(time.DateTime))
			fmt.Fprintf(w, "\t%s\n", s.Error)
		}
		fmt.Fprintf(w, "on revoke\t%s\n", onRevokeText(s.OnRevoke))
		if len(s.Failsafe) > 0 {
			fmt.Fprintf(w, "failsafe\t%s, on the host's own devices: %s\n", strings.Join(s.Failsafe, ", "), count(int(s.FailsafeHits), "packet"))
		}
		if len(s.Guards) > 0 {
			fmt.Fprintf(w, "guarded names\t%s\n", guardText(s))
		}
		for _, b := range s.Bridges {
			what := "a new port passes nothing until it is bound"
			if b.Error != "" {
				what = "a new port passes packets until the server has seen it: " + b.Error
			}
			fmt.Fprintf(w, "managed bridge\t%s: %s\n", b.Name, what)
		}
	}
	writeExemptions(w, scr, s.Exemptions)
	for _, h := range s.Hosts {
		what := "in force"
		switch h.State {
		case "pending":
			what = "a newer one is on its way"
		case "stale":
			what = "STALE: since " + h.Since.Local().Format(time.DateTime) + " it has not put a newer one into force"
		case "lost":
			what = "LOST: its server does not run, or does not reach etcd, and the host goes on by this revision"
		case "unknown":
			what = "as far as is known: this server does not reach etcd"
		}
		fmt.Fprintf(w, "host of the cluster\t%s (%s), %s: revision %d, %s\n", cmp.Or(h.Host, "?"), h.Identity, count(h.Bound, "interface"), h.Enforced, what)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	writeLostExemptions(scr, s.LostExemptions)
	writeOrphans(scr, s)
	if scr.err != nil || len(s.Interfaces) == 0 {
		return scr.err
	}
	fmt.Fprintln(out)
	if err := writeInterfaces(out, s.Interfaces); err != nil {
		return err
	}
	for _, i := range s.Interfaces {
		switch {
		case i.Probe == nil:
		case i.Probe.Error != "":
			fmt.Fprintf(out, "%s: NOT proved: %s\n", i.Interface, i.Probe.Error)
		default:
			fmt.Fprintf(out, "%s: %s\n", i.Interface, proofText(i.Probe, i.Limit))
		}
		if i.Filter != "" {
			fmt.Fprintf(out, "%s: the filter is at the host's end of the link, %s\n", i.Interface, place(i.Filter, i.FilterNetns))
		}
		if i.Limit != "" {
			fmt.Fprintf(out, "%s: %s\n", i.Interface, i.Limit)
		}
		if i.OnRevoke != "" && i.OnRevoke != s.OnRevoke {
			fmt.Fprintf(out, "%s: on revoke: %s\n", i.Interface, onRevokeText(i.OnRevoke))
		}
		for _, reason := range slices.Sorted(maps.Keys(i.Drops)) {
			if n := i.Drops[reason]; n > 0 {
				fmt.Fprintf(out, "%s: %s: %s\n", i.Interface, reason, count(int(n), "packet"))
			}
		}
		var kinds []string
		for _, kind := range slices.Sorted(maps.Keys(i.WithoutRule)) {
			kinds = append(kinds, fmt.Sprintf("%s %d", kind, i.WithoutRule[kind]))
		}
		if kinds != nil {
			fmt.Fprintf(out, "%s: passed without a rule: %s\n", i.Interface, strings.Join(kinds, ", "))
		}
	}
	return nil
}

// writeExemptions lists what passes whatever the rules say. What the other side
// may begin too stands out.
func writeExemptions(w io.Writer, s *screen, all []server.ExemptionStatus) {
	label := "exempt"
	for _, x := range all {
		text, style := x.Text, plain
		if x.BothWays {
			text, style = "UNFILTERED, "+text, minus
		}
		fmt.Fprintf(w, "%s\t%s\n", label, s.paint(cell{fmt.Sprintf("%s: %s: %s", x.Option, text, count(int(x.Packets), "packet")), style}))
		label = ""
	}
	if len(all) == 0 {
		fmt.Fprintf(w, "%s\tnothing: each flow needs a rule\n", label)
	}
}

// writeLostExemptions lists the interfaces that an upgrade took services from,
// and what to do.
func writeLostExemptions(s *screen, all []explain.Lost) {
	if len(all) == 0 {
		return
	}
	s.printf("\n%s\n", s.paint(cell{"WARNING: no rule lets these interfaces open what earlier versions of Moat exempted by default:", tilde}))
	example := ""
	for _, l := range all {
		s.printf("  %s: %s\n", strings.TrimSpace(string(l.Interface)+" "+l.Name), strings.Join(l.Services, ", "))
		if example == "" && len(l.Commands) > 0 {
			example = l.Commands[0]
		}
	}
	s.printf("To let every interface open DNS, metadata and time, start the server with --exempt aws.\n")
	if example != "" {
		s.printf("To let one interface open one of them, add an outbound rule, for example:\n\n    %s\n\n", example)
	}
	s.printf("To keep them closed and hide this warning, start the server with --exempt none.\n")
}

// writeOrphans lists what servers left in the kernel whose data directories are gone,
// and how it is removed.
func writeOrphans(s *screen, st *server.Status) {
	if st.OrphansError != "" {
		s.printf("\nWhether the kernel has anything of other servers cannot be read: %s\n", st.OrphansError)
	}
	for _, o := range st.Orphans {
		s.printf("\n%s\n", s.paint(cell{fmt.Sprintf("WARNING: the data directory %s of identity %s is gone, and what its server enforced is in force still:", cmp.Or(o.DataDir, "(not known)"), o.Identity), tilde}))
		s.printf("  devices %s; %.1f MiB of tables\n", cmp.Or(strings.Join(o.Devices, ", "), "none"), float64(o.Memory)/(1<<20))
		s.printf("To remove it, after which these devices pass everything:\n\n    moat detach --force --identity %s\n", o.Identity)
	}
}

// guardText says which names are guarded, and whether they are.
func guardText(s *server.Status) string {
	var names []string
	for _, p := range s.Guards {
		names = append(names, string(p))
	}
	text := strings.Join(names, ", ")
	if s.GuardError != "" {
		return text + ": NOT guarded, such devices pass everything until they are bound: " + s.GuardError
	}
	return fmt.Sprintf("%s: pass no IP packet until they are bound: %s", text, count(int(s.GuardDrops), "packet"))
}

// onRevokeText explains a mode, whose default is not EC2's.
func onRevokeText(mode string) string {
	switch {
	case mode == "cut":
		return "cut: flows that no rule allows any more end at once (EC2 lets tracked ones live: --on-revoke aws)"
	case mode == "aws":
		return "aws: tracked flows outlive their rule, as on EC2"
	}
	return mode + ": seconds that flows outlive their rule"
}

func waitCommand() *cobra.Command {
	timeout, all := time.Duration(0), false
	c := adminCommand(&cobra.Command{
		Use:   "wait REVISION",
		Short: "Wait until a revision is in force",
		Long: `Waits until a revision is in force on the server's host. With --all, or if the
server was started with --wait-enforced all, it waits for each host of the etcd
cluster that the revision concerns instead, whether or not it is the server's.

Replies to calls that change something have their revision in the header
x-moat-revision, beside x-moat-enforced: yes, pending or failed.`,
		Args: cobra.ExactArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		rev, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no revision", args[0])
		}
		until := time.Now().Add(timeout)
		for said := false; ; {
			once := 20 * time.Second
			if timeout > 0 {
				once = min(once, max(0, time.Until(until)))
			}
			out := &server.Waited{}
			call := fmt.Sprintf("wait?rev=%d&timeout=%s", rev, once)
			if all {
				call += "&hosts=all"
			}
			if err := e.admin(c.Context(), call, nil, out); err != nil {
				return err
			}
			if out.Enforced == "yes" {
				_, err := fmt.Fprintf(c.OutOrStdout(), "revision %d is in force%s\n", rev, onHosts(out.EnforcedHosts))
				return err
			}
			if out.Error != "" && !said {
				said = true
				what := "cannot be put into force, which is tried again"
				if out.Enforced == "pending" {
					what = "is not in force everywhere yet"
				}
				fmt.Fprintf(os.Stderr, "moat: revision %d %s: %s\n", rev, what, out.Error)
			}
			if timeout > 0 && !time.Now().Before(until) {
				fmt.Fprintf(os.Stderr, "moat: revision %d is not in force after %s%s; in force on the server's host is %d\n", rev, timeout, onHosts(out.EnforcedHosts), out.InForce)
				return exitCode(2)
			}
			if out.Error != "" { // which was answered at once
				select {
				case <-time.After(500 * time.Millisecond):
				case <-c.Context().Done():
					return c.Context().Err()
				}
			}
		}
	})
	c.Flags().DurationVar(&timeout, "timeout", 0, "give up after that long (default: never)")
	c.Flags().BoolVar(&all, "all", false, "wait for each host that the revision concerns")
	return c
}

// onHosts says on how many hosts a revision is in force, given "2/3".
func onHosts(count string) string {
	done, of, counted := strings.Cut(count, "/")
	switch {
	case !counted:
		return ""
	case of == "0":
		return ": it concerns no host"
	case of == "1":
		return " on " + done + " of 1 host"
	}
	return " on " + done + " of " + of + " hosts"
}
