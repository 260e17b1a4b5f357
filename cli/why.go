package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"moat/server"
)

func whyCommand() *cobra.Command {
	return adminCommand(&cobra.Command{
		Use:   "why FROM TO:PORT[/PROTOCOL]",
		Short: "Say which rules let a flow pass, or which is missing",
		Long: `Says of each gate on the way (out of FROM, into TO, where they are network
interfaces) which rule lets the flow pass, or prints the smallest missing rule
as the aws command that adds it. It says too when another firewall of this host
has a say.

FROM and TO are addresses, ids, the beginnings of ids, names (the tag Name, or
a group that has one interface), VPC/NAME, or tag:KEY=VALUE:

    moat why 10.0.1.5 web:443
    moat why web db:5432
    moat why client vpc-0fcf53d4d7ae47c2f/web:53/udp
    moat why client web/icmp`,
		Args: cobra.ExactArgs(2),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		why, err := e.why(c.Context(), args[0], args[1])
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(c.OutOrStdout(), why.Text, otherFirewallsText()); err != nil {
			return err
		}
		if !why.Allowed {
			return exitCode(1)
		}
		return nil
	})
}

// why asks the server about a flow.
func (e endpoint) why(ctx context.Context, from, to string) (*server.Why, error) {
	out := &server.Why{}
	return out, e.admin(ctx, "why?"+server.WhyQuery(from, to), nil, out)
}

// otherFirewallsText lists the other firewalls of this host, "" if there are
// none.
func otherFirewallsText() string {
	others := hostFirewalls()
	if len(others) == 0 {
		return ""
	}
	return "Other firewalls of this host may drop it all the same:\n  " + strings.Join(others, "\n  ") + "\n"
}
