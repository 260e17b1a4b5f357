package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"moat/server"
)

func guardrailCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "guardrail",
		Short: "Say what must never be so, whoever would bring it about",
		Long: `A guardrail is a sentence about the account, such as

    moat guardrail set db 'no interface tagged tier=db may be reachable from outside the VPC on any port'

A change that makes it untrue is refused, also one of the root, and the refusal
shows the way that it would have opened. What is open already stays open and is
listed; only new ways are refused. The sentences:

    no interface [WHO] may be reachable from WHERE [except RANGES] on PORTS[, also through other interfaces]
    no interface [WHO] may reach WHERE [except RANGES] on PORTS

    WHO     tagged KEY=VALUE, in group NAME|ID, in subnet ID, in vpc ID; several joined by "and"
    WHERE   outside the VPC, the internet, anywhere, interfaces WHO, or RANGES
    RANGES  CIDRs, with commas between them
    PORTS   any port, or such as tcp/22, tcp/8000-8100, udp, icmp, 50`,
	}
	c.AddCommand(guardrailSetCommand(), guardrailListCommand(), guardrailRemoveCommand())
	return c
}

func guardrailSetCommand() *cobra.Command {
	return adminCommand(&cobra.Command{
		Use:   "set NAME SENTENCE",
		Short: "Make a guardrail, or say anew what one means",
		Long:  "Makes a guardrail, or says anew what one means. What stands against it already is listed.",
		Args:  cobra.MinimumNArgs(2),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		in := server.Guardrail{Name: args[0], Sentence: strings.Join(args[1:], " ")}
		var out server.Guardrail
		if err := e.admin(c.Context(), "guardrail-set", in, &out); err != nil {
			return err
		}
		printGuardrail(c, &out)
		return nil
	})
}

func guardrailListCommand() *cobra.Command {
	asJSON := false
	c := adminCommand(&cobra.Command{
		Use:   "list",
		Short: "List the guardrails and what stands against them",
		Args:  cobra.NoArgs,
	}, func(c *cobra.Command, _ []string, e endpoint) error {
		var out server.Guardrails
		if err := e.admin(c.Context(), "guardrails", nil, &out); err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), out)
		}
		for i := range out.Guardrails {
			printGuardrail(c, &out.Guardrails[i])
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func guardrailRemoveCommand() *cobra.Command {
	return adminCommand(&cobra.Command{
		Use:   "remove NAME",
		Short: "Take a guardrail away",
		Args:  cobra.ExactArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		var out server.Guardrail
		return e.admin(c.Context(), "guardrail-remove", server.Guardrail{Name: args[0]}, &out)
	})
}

func printGuardrail(c *cobra.Command, g *server.Guardrail) {
	w := c.OutOrStdout()
	fmt.Fprintf(w, "%s: %s\n", g.Name, g.Sentence)
	if g.Unreadable != "" {
		fmt.Fprintf(w, "    cannot be read, so that every change of networks is refused: %s\n", g.Unreadable)
	}
	for _, v := range g.Standing {
		fmt.Fprintf(w, "    stands against it in %s: %s\n", v.Region, strings.Join(v.Path, " -> "))
	}
}
