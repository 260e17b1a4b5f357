package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/survey"
	"moat/words"
)

// listed are the kinds of things that moat ls lists.
var listed = []string{"groups", "rules", "interfaces", "lists"}

func lsCommand() *cobra.Command {
	var l looker
	var vpc string
	var tags []string
	c := adminCommand(&cobra.Command{
		Use:   "ls [groups|rules|interfaces|lists|all]...",
		Short: "List security groups, rules, network interfaces, prefix lists",
		Long: `Lists security groups, or the kinds of things that are named: rules in the words
that people use, network interfaces with who they are, prefix lists. "all" is
groups, rules and interfaces.

    moat ls
    moat ls rules --vpc shop
    moat ls interfaces --tag tier=db --wide
    moat ls --as-of 2d

--vpc takes any word for a VPC: an id, the beginning of one, its tag Name.
--tag takes KEY or KEY=VALUE, several times; rules are listed by the tags of
their group.`,
		Args: oneOf(append(slices.Clone(listed), "all")), ValidArgs: append(slices.Clone(listed), "all"),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		at, err := l.when()
		if err != nil {
			return err
		}
		q := server.LookQuery{VPC: vpc, Tags: tags, AsOf: at, Added: l.wide || l.porcelain || l.json}
		for _, k := range listed {
			if slices.Contains(args, k) || slices.Contains(args, "all") && k != "lists" || len(args) == 0 && k == "groups" {
				q.Kinds = append(q.Kinds, k)
			}
		}
		var out server.Listing
		if err := e.ask(c.Context(), "ls", q, &out); err != nil {
			return err
		}
		switch {
		case l.json:
			return printJSON(c.OutOrStdout(), out)
		case l.porcelain:
			_, err := fmt.Fprint(c.OutOrStdout(), porcelainListing(out.Listing))
			return err
		}
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		s.says(out.AsOf)
		s.listing(q.Kinds, out.Listing, l.wide)
		return s.err
	})
	c.Flags().StringVar(&vpc, "vpc", "", "only what is in the VPC with this `NAME`")
	c.Flags().StringArrayVar(&tags, "tag", nil, "only what has the tag `KEY[=VALUE]`")
	_ = c.RegisterFlagCompletionFunc("vpc", completion("vpc"))
	_ = c.RegisterFlagCompletionFunc("tag", cobra.NoFileCompletions)
	l.flags(c, true, true)
	return c
}

// listing writes what is listed, each kind with its head.
func (s *screen) listing(kinds []string, out *survey.Listing, wide bool) {
	for i, kind := range kinds {
		if i > 0 {
			s.write("\n")
		}
		var header []string
		var rows [][]cell
		switch kind {
		case "groups":
			header = []string{"GROUP", "ID", "VPC", "IN", "OUT", "INTERFACES"}
			if wide {
				header = append(header, "DESCRIPTION", "TAGS")
			}
			for _, g := range out.Groups {
				row := []cell{{words.Clean(g.Name), plain}, {g.ID, quiet}, {vpcText(g.VPC), plain}, {strconv.Itoa(g.In), plain}, {strconv.Itoa(g.Out), plain}, {strconv.Itoa(g.Interfaces), plain}}
				if wide {
					row = append(row, cell{words.Clean(g.Description), plain}, cell{tagText(g.Tags), plain})
				}
				rows = append(rows, row)
			}
		case "rules":
			header = []string{"GROUP", "RULE", "ID", "DESCRIPTION"}
			if wide {
				header = []string{"GROUP", "VPC", "RULE", "ID", "ADDED", "DESCRIPTION", "TAGS"}
			}
			for i := range out.Rules {
				r := &out.Rules[i]
				row := []cell{{refText(r.Group), plain}, {r.Text, plain}, {string(r.ID), quiet}, {words.Clean(r.Description), plain}}
				if wide {
					row = []cell{row[0], {vpcText(r.VPC), plain}, row[1], row[2], {strings.TrimPrefix(addedText(r.Added), "added "), quiet}, row[3], {tagText(r.Tags), plain}}
				}
				rows = append(rows, row)
			}
		case "interfaces":
			header = []string{"INTERFACE", "ID", "ADDRESSES", "GROUPS", "INSTANCE", "DEVICE"}
			if wide {
				header = append(header, "VPC", "SUBNET", "PUBLIC", "DESCRIPTION", "TAGS")
			}
			for i := range out.Interfaces {
				n := &out.Interfaces[i]
				row := []cell{{words.Clean(n.Name), plain}, {n.ID, quiet}, {addressText(n.Addresses), plain}, {refTexts(n.Groups), plain}, {instanceText(n.Instance), plain}, {deviceText(n), plain}}
				if n.Name == "" {
					row[0].text = "-"
				}
				if wide {
					row = append(row, cell{vpcText(n.VPC), plain}, cell{n.Subnet, quiet}, cell{addressText(n.Public), plain}, cell{words.Clean(n.Description), plain}, cell{tagText(n.Tags), plain})
				}
				rows = append(rows, row)
			}
		case "lists":
			header = []string{"LIST", "ID", "FAMILY", "VERSION", "MAX ENTRIES", "RULES"}
			if wide {
				header = append(header, "TAGS")
			}
			for _, p := range out.Lists {
				row := []cell{{words.Clean(p.Name), plain}, {p.ID, quiet}, {p.Family, plain}, {strconv.FormatInt(p.Version, 10), plain}, {strconv.Itoa(int(p.Max)), plain}, {strconv.Itoa(p.Rules), plain}}
				if wide {
					row = append(row, cell{tagText(p.Tags), plain})
				}
				rows = append(rows, row)
			}
		}
		if rows == nil {
			s.line(cell{"no " + map[string]string{"groups": "security group", "rules": "rule", "interfaces": "network interface", "lists": "prefix list"}[kind], quiet})
			continue
		}
		s.table("", header, rows)
	}
}

// porcelainListing gives what is listed for programs. New fields are added at
// the ends of lines only.
func porcelainListing(out *survey.Listing) string {
	var b strings.Builder
	for _, g := range out.Groups {
		b.WriteString(porcelainLine("group", g.ID, g.Name, g.VPC.ID, strconv.Itoa(g.In), strconv.Itoa(g.Out), strconv.Itoa(g.Interfaces), g.Description))
	}
	for i := range out.Rules {
		b.WriteString(porcelainLine(porcelainRule(&out.Rules[i])...))
	}
	for i := range out.Interfaces {
		n := &out.Interfaces[i]
		var addresses []string
		for _, a := range n.Addresses {
			addresses = append(addresses, a.String())
		}
		instance := ""
		if n.Instance != nil {
			instance = n.Instance.ID
		}
		b.WriteString(porcelainLine("interface", n.ID, n.Name, n.VPC.ID, n.Subnet, strings.Join(addresses, ","), ids(n.Groups), instance, n.Device))
	}
	for _, p := range out.Lists {
		b.WriteString(porcelainLine("list", p.ID, p.Name, p.Family, strconv.FormatInt(p.Version, 10), strconv.Itoa(int(p.Max)), strconv.Itoa(p.Rules)))
	}
	return b.String()
}
