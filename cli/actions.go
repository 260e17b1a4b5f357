package cli

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"moat/action"
	"moat/cloudtrail"
	"moat/ec2"
	"moat/iamapi"
	"moat/sts"
)

func actionsCommand() *cobra.Command {
	markdown := false
	c := &cobra.Command{
		Use:   "actions",
		Short: "List the API actions that moat serves",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if markdown {
				return writeActionsMarkdown(c.OutOrStdout())
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, s := range services {
				for _, a := range s.sorted() {
					fmt.Fprintf(w, "%s\t%s\t%s\n", s.name, a.Name, a.Doc)
				}
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "print docs/actions.md")
	return c
}

type apiService struct {
	name, title string
	actions     []action.Action
}

var services = []apiService{
	{"ec2", "EC2, version 2016-11-15", ec2.Actions},
	{"iam", "IAM, version 2010-05-08", iamapi.Actions},
	{"sts", "STS, version 2011-06-15", sts.Actions},
	{"cloudtrail", "CloudTrail, version 2013-11-01", cloudtrail.Actions},
}

func (s apiService) sorted() []action.Info {
	var all []action.Info
	for _, a := range s.actions {
		all = append(all, a.Info())
	}
	slices.SortFunc(all, func(a, b action.Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// writeActionsMarkdown prints docs/actions.md.
func writeActionsMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Actions\n\nThe API actions that Moat serves. This page is printed by `moat actions --markdown`; a test keeps it current.\n")
	for _, s := range services {
		all := s.sorted()
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", s.title, count(len(all), "action"))
		for _, a := range all {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", a.Name, a.Doc)
			if names := parameters(a.In); len(names) > 0 {
				fmt.Fprintf(&b, "\nParameters: `%s`.\n", strings.Join(names, "`, `"))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// parameters gives the names of an input's members on the wire; a list's
// name is followed by .N.
func parameters(in reflect.Type) []string {
	var names []string
	for i := range in.NumField() {
		f := in.Field(i)
		if f.Anonymous {
			names = append(names, parameters(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("in"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = f.Name
		}
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() != reflect.Uint8 {
			name += ".N"
		}
		names = append(names, name)
	}
	return names
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
