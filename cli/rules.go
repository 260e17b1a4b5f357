package cli

import (
	"cmp"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"moat/server"
)

func rulesCommand() *cobra.Command {
	hits, asJSON := false, false
	c := adminCommand(&cobra.Command{
		Use:   "rules",
		Short: "Show what each rule has let pass",
		Long: `Shows the counters of the rules that this host enforces: packets, bytes and
connections that each let pass since its interface was bound, and when it did
last.

    moat rules --hits`,
		Args: cobra.NoArgs,
	}, func(c *cobra.Command, _ []string, e endpoint) error {
		if !hits {
			return errors.New("say what to show: `moat rules --hits`; the rules themselves are shown by `moat ls rules`")
		}
		out := &server.Hits{}
		if err := e.admin(c.Context(), "hits", nil, out); err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), out)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "RULE\tGROUP\tDIRECTION\tALLOWS\tCONNECTIONS\tPACKETS\tBYTES\tLAST")
		for _, r := range out.Rules {
			last := "-"
			if r.LastHit != nil {
				last = r.LastHit.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", r.Rule, cmp.Or(r.Group, "-"), r.Direction, cmp.Or(r.Text, "(gone)"), r.Connections, r.Packets, r.Bytes, last)
		}
		return w.Flush()
	})
	c.Flags().BoolVar(&hits, "hits", false, "show the counters")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
