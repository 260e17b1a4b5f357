package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
)

// firstMinute stands on top of the help.
const firstMinute = `Amazon EC2 security groups that you run yourself.

The first minute:

    moat serve                         # a server, in one terminal
    eval "$(moat env)"                 # in another: where it is, and the keys
    moat ls                            # the groups that there are
    moat allow default 22 --from me    # opens one port to exactly you
    moat show default                  # what it lets in, and who said so
    moat deny default 22 --from me     # takes it back`

// A subject is a group of commands in the help.
type subject struct {
	id, title string
	commands  []string
}

var subjects = []subject{
	{"look", "Who can reach what:", []string{"ls", "show", "find", "who-uses", "why", "try", "diff", "log", "blame"}},
	{"change", "Change it:", []string{"allow", "deny", "rename", "rm", "replace-group", "undo", "guardrail"}},
	{"aws", "The AWS CLI's commands:", []string{"ec2", "iam", "sts", "cloudtrail", "configure"}},
	{"host", "Enforce it on this host:", []string{"attach", "detach", "enforce", "interfaces", "rules", "status", "wait", "demo"}},
	{"server", "Run a server:", []string{"serve", "env", "backup", "restore", "actions", "version"}},
	{"help", "Help:", []string{"help", "manual", "completion"}},
}

// arrange puts the commands of the root under their subjects.
func arrange(root *cobra.Command) {
	root.Long = firstMinute
	root.SetHelpCommandGroupID("help")
	root.SetCompletionCommandGroupID("help")
	cobra.EnableCommandSorting = false // the order is that of the subjects
	all := slices.Clone(root.Commands())
	root.RemoveCommand(all...)
	for _, s := range subjects {
		root.AddGroup(&cobra.Group{ID: s.id, Title: s.title})
		for _, name := range s.commands {
			for _, c := range all {
				if c.Name() == name {
					c.GroupID = s.id
					root.AddCommand(c)
				}
			}
		}
	}
	for _, c := range all {
		if c.GroupID == "" {
			root.AddCommand(c)
		}
	}
	addCompletion(root)
}

func manualCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "manual",
		Short: "Print the manual page moat(1)",
		Long: `Prints the manual page moat(1), made of the same text as the help.

    moat manual | man -l -
    moat manual | sudo tee /usr/local/share/man/man1/moat.1 >/dev/null`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(manualPage(rootCommand()))
			return err
		},
	}
}

// manualPage gives the manual page.
func manualPage(root *cobra.Command) []byte {
	var b strings.Builder
	b.WriteString("% \"MOAT\" \"1\" \"\" \"Moat\" \"Moat manual\"\n\n# NAME\n\nmoat - " + root.Short + "\n\n# SYNOPSIS\n\n**moat** *command* [*argument*...] [*option*...]\n\n# DESCRIPTION\n\n")
	b.WriteString(firstMinute + "\n\nEvery command finds the server and the keys through the environment that `moat env` prints.\n\n# COMMANDS\n")
	for _, s := range subjects {
		fmt.Fprintf(&b, "\n# %s\n", strings.ToUpper(strings.TrimSuffix(s.title, ":")))
		for _, name := range s.commands {
			if c, _, err := root.Find([]string{name}); err == nil && c != root {
				b.WriteString(reference(c, "##"))
			}
		}
	}
	b.WriteString(`
# WORDS

A name is an id, the beginning of one, a name of its own or the tag Name,
VPC/NAME, or tag:KEY=VALUE. Where several things have the name, they are listed
and nothing is done.

Traffic is a port, a range, a service or a protocol: 22, 53/udp, 8000-8100, ssh,
ping, icmp:3.4, gre, all.

A revision is a number, now, now-N, a time or how long ago: 12, now-1, 3h, 2d,
14:05, 2026-01-31, "2026-01-31 14:05".

# EXIT STATUS

0 for yes or done; 1 for no, if something differs, if a check failed, or if the
server refuses a change; 2 for wrong usage, or if it could not be judged or
reached or is not in force yet. The AWS CLI's commands have the AWS CLI's statuses.

# ENVIRONMENT

MOAT_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
: the server and who calls: what **moat env** prints.

MOAT_DATA_DIR
: the data directory whose server is meant where MOAT_ENDPOINT_URL is not set.

NO_COLOR
: if set to anything, no colours, unless **--color always** is given.
`)
	return md2man.Render([]byte(b.String()))
}

// reference gives a command with its help, and those below it, in Markdown.
// heading is what its headings begin with.
func reference(c *cobra.Command, heading string) string {
	var b strings.Builder
	if c.Runnable() && c.Name() != "help" && !c.Hidden {
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(&b, "\n%s %s\n\n%s\n", heading, c.CommandPath(), text)
		fmt.Fprintf(&b, "\n    %s\n", c.UseLine())
		switch flags := strings.TrimRight(c.LocalFlags().FlagUsages(), "\n"); {
		case c.Name() == "serve":
			b.WriteString("\nThe flags are in [serve](serve.md).\n")
		case flags != "":
			for _, dir := range []string{chosenDataDir(), defaultDataDir()} { // who reads has another
				flags = strings.ReplaceAll(flags, fmt.Sprintf("%q", dir), fmt.Sprintf("%q", "/var/lib/moat"))
			}
			fmt.Fprintf(&b, "\n```\n%s\n```\n", flags)
		}
	}
	if c.Name() == "completion" {
		return b.String() // one for each shell, all alike
	}
	subs := slices.Clone(c.Commands())
	slices.SortFunc(subs, func(a, b *cobra.Command) int { return strings.Compare(a.Name(), b.Name()) })
	for _, s := range subs {
		b.WriteString(reference(s, heading))
	}
	return b.String()
}
