package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moat/server"
)

func enforceCommand() *cobra.Command {
	in := &server.EnforceDevice{}
	confirm, yes := time.Minute, false
	c := adminCommand(&cobra.Command{
		Use:   "enforce DEVICE",
		Short: "Make a device that observes drop what its groups do not allow",
		Long: `The machine's own device begins by observing: packets are judged and counted,
and none is dropped. This enforces for the time of --confirm, after which the
device observes again by itself, also when the server is gone. If you lock
yourself out, access returns when the trial ends. Open a new session, check that
you can log in, and confirm there:

    moat enforce eth0
    moat enforce eth0 --yes

The confirmation is refused over a connection, or from a login by SSH, that is
older than the trial. Enforcing for good at once is refused if it would cut open
sessions of SSH or of the API, close the API's port, or if open sessions cannot
be read, unless with --force. Sessions over UDP, such as WireGuard's and QUIC's,
cannot be seen: use the trial.`,
		Args: cobra.ExactArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		in.Device = args[0]
		if in.Observe && yes || c.Flags().Changed("confirm") && (yes || in.Observe) {
			return errors.New("--confirm, --yes and --observe exclude each other")
		}
		if !yes && !in.Observe {
			if confirm < time.Second || confirm%time.Second != 0 {
				return fmt.Errorf("--confirm %s: want whole seconds", confirm)
			}
			in.Trial = int(confirm / time.Second)
		}
		if yes {
			in.Login = loginConnection("/proc", os.Getpid())
		}
		out := &server.Bound{}
		if err := e.admin(c.Context(), "enforce", in, out); err != nil {
			var f *adminError
			if errors.As(err, &f) && f.Code == "OperationNotPermitted" {
				before, _, _ := strings.Cut(f.Message, " ; force it")
				return fmt.Errorf("%s\nor try it out with --confirm 60s, or go on with --force", before)
			}
			return err
		}
		what := out.Device + " is enforced"
		switch {
		case out.Observe:
			what = out.Device + " observes: nothing is dropped"
		case out.Until != nil:
			what = fmt.Sprintf("%s is enforced until %s; log in anew, and confirm there with `moat enforce %s --yes`", out.Device, out.Until.Local().Format(time.TimeOnly), out.Device)
		}
		if err := said(c, out, what); err != nil || out.Observe {
			return err
		}
		_, err := fmt.Fprint(c.OutOrStdout(), lacksText(out))
		return err
	})
	c.Flags().StringVar(&in.Netns, "netns", "", "its network namespace, `NAME|PID|PATH`, where several have a device of the name")
	c.Flags().DurationVar(&confirm, "confirm", time.Minute, "how long to enforce before it is confirmed")
	c.Flags().BoolVar(&yes, "yes", false, "enforce for good")
	c.Flags().BoolVar(&in.Observe, "observe", false, "go back to observing")
	c.Flags().BoolVar(&in.Force, "force", false, "enforce also where that cuts open sessions")
	return c
}

// loginConnection gives the connection of SSH by which the person is logged in
// who runs a process: of that process or the nearest one above that knows, for
// sudo hides it. Empty where there is none.
func loginConnection(proc string, pid int) string {
	for range 64 {
		env, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "environ"))
		if err != nil {
			return ""
		}
		for v := range strings.SplitSeq(string(env), "\x00") {
			if c, ok := strings.CutPrefix(v, "SSH_CONNECTION="); ok {
				return c
			}
		}
		stat, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
		// After the name, which may hold anything, come the state and the parent.
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if err != nil || len(f) < 2 {
			return ""
		}
		if pid, err = strconv.Atoi(f[1]); err != nil || pid < 1 {
			return ""
		}
	}
	return ""
}
