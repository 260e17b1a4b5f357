package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"moat/flow"
	"moat/names"
	"moat/server"
	"moat/vpc"
)

func tryCommand() *cobra.Command {
	var dir string
	timeout := 2 * time.Second
	c := &cobra.Command{
		Use:   "try FROM TO:PORT",
		Short: "Make a real connection from one of the demo's machines",
		Long: `Opens a TCP connection from inside FROM's network namespace (client, web or
stranger of moat demo) to TO, and says what became of it and why: by which rule
it was let in, or which rule is missing, as the aws command that adds it. TO is
written as for moat why.

    moat try client web:80`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			d, err := openDemo(abs)
			if err != nil {
				return err
			}
			if !d.exists() {
				return fmt.Errorf("try speaks from a machine of the demo, and the data directory %s has none: run `%s demo%s`", abs, moatCommand(), dataDirFlag(abs))
			}
			from := d.end(args[0])
			if from == nil {
				return fmt.Errorf("try speaks from a machine of the demo: client, web or stranger, not %q; for others ask `moat why`", args[0])
			}
			e, err := readEndpoint(abs)
			if err != nil {
				return err
			}
			return e.try(c.Context(), c.OutOrStdout(), from, args[1], timeout)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for an answer")
	c.Flags().StringVar(&dir, "data-dir", chosenDataDir(), "data directory of the server")
	return c
}

// try connects and says what became of it.
func (e endpoint) try(ctx context.Context, out io.Writer, from *demoEnd, to string, timeout time.Duration) error {
	target, err := names.ParseTarget(to)
	if err != nil {
		return err
	}
	if target.Protocol != flow.TCP {
		return fmt.Errorf("try speaks TCP only; `moat why` answers for %s", target.Protocol)
	}
	// The address first, the reason after the fact: the state may change
	// meanwhile.
	why, err := e.why(ctx, string(from.Interface), to)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(why.To.Addr.String(), strconv.Itoa(int(target.Port)))
	failure := inNetns(from.Netns, func() error {
		conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if errors.Is(failure, os.ErrPermission) {
		return fmt.Errorf("enter the namespace of %s: %w: run it as root", from.Name, failure)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if why, err = e.why(ctx, string(from.Interface), to); err != nil {
		return err
	}
	text, ok := tried(why, from.Name, failure)
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if !ok {
		return exitCode(1)
	}
	return nil
}

// tried says what became of a connection, and whether it was made as the rules
// have it.
func tried(why *server.Why, from string, failure error) (string, bool) {
	var by vpc.RuleID
	for _, g := range why.Gates { // the receiver's, where there is one
		if g.Rule != nil {
			by = g.Rule.ID
		}
	}
	rule := ""
	if by != "" {
		rule = ", by " + string(by)
	}
	var timeout net.Error
	switch {
	case failure == nil && why.Allowed:
		if why.EnforcedAfter != nil {
			rule += fmt.Sprintf(", enforced %s ms after the API call", milliseconds(*why.EnforcedAfter))
		}
		return "connected" + rule + "\n", true
	case failure == nil:
		text := "connected, although " + why.Denied() + "\n"
		for _, g := range why.Gates {
			if g.Unenforced != "" {
				text += fmt.Sprintf("%s is not enforced: %s\n", g.Name, g.Unenforced)
			}
		}
		return text, false
	case errors.As(failure, &timeout) && timeout.Timeout():
		if !why.Allowed {
			return "TIMEOUT: " + why.Denied() + "\n" + why.Remedy(), false
		}
		text := fmt.Sprintf("TIMEOUT: no answer, although the rules allow it%s\n", rule)
		for _, g := range why.Gates {
			if g.Unenforced != "" {
				text += fmt.Sprintf("%s: %s\n", g.Name, g.Unenforced)
			}
		}
		return text + otherFirewallsText(), false
	case errors.Is(failure, syscall.ECONNREFUSED):
		return fmt.Sprintf("REFUSED: the packets pass%s; nothing listens on %s port %d\n", rule, why.To, why.Port), false
	case errors.Is(failure, syscall.ECONNRESET):
		return "RESET: the connection was cut: " + failure.Error() + "\n", false
	}
	return fmt.Sprintf("FAILED: from %s: %v\n", from, failure), false
}

// milliseconds gives a duration with as many digits as say something.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return strconv.FormatFloat(ms, 'f', 0, 64)
}
