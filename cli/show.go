package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/survey"
	"moat/words"
)

func showCommand() *cobra.Command {
	var l looker
	c := adminCommand(&cobra.Command{
		Use:   "show NAME",
		Short: "Show a security group: what it lets in and out, who has it, who refers to it",
		Long: `Shows a security group with its rules of both directions in the words that
people use, who added each, the network interfaces that have the group, and the
rules of other groups that refer to it. A network interface is shown with the
rules of all its groups, a prefix list with its entries and the rules that name
it, a rule by itself.

    moat show web
    moat show shop/web
    moat show eni-0c4f --as-of 2026-01-31

NAME is a name, an id, the beginning of an id, VPC/NAME or tag:KEY=VALUE. A name
is looked for among the groups first, then among interfaces and prefix lists.`,
		Args: oneName, ValidArgsFunction: firstCompletion("group", "interface", "list"),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		at, err := l.when()
		if err != nil {
			return err
		}
		var out server.Shown
		if err := e.ask(c.Context(), "show", server.LookQuery{Name: args[0], AsOf: at}, &out); err != nil {
			return err
		}
		if l.json {
			return printJSON(c.OutOrStdout(), out)
		}
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		s.says(out.AsOf)
		s.shown(out.Shown)
		return s.err
	})
	l.flags(c, false, false)
	return c
}

func (s *screen) shown(o *survey.Shown) {
	switch {
	case o.Group != nil:
		s.group(o)
	case o.Interface != nil:
		s.iface(o)
	case o.List != nil:
		s.prefixList(o)
	case o.Rule != nil:
		s.line(cell{"rule", plain}, cell{string(o.Rule.ID), quiet}, cell{"of group", plain}, cell{refText(o.Rule.Group), head}, cell{o.Rule.Group.ID, quiet})
		s.rules([]survey.Rule{*o.Rule}, false)
	}
}

func (s *screen) group(o *survey.Shown) {
	g := o.Group
	s.line(cell{words.Clean(g.Name), head}, cell{g.ID, quiet}, cell{"in VPC " + vpcText(g.VPC), plain})
	if g.Description != "" {
		s.line(cell{words.Clean(g.Description), plain})
	}
	s.tags(g.Tags)
	if o.Associations != nil {
		s.line(cell{"may be used in VPC " + refTexts(o.Associations), plain})
	}
	s.heading("lets in", o.In, "nothing: no inbound rule")
	s.rules(o.In, false)
	s.heading("lets out", o.Out, "nothing: no outbound rule")
	s.rules(o.Out, false)

	s.write("\n")
	if o.Carriers == nil {
		s.line(cell{"no network interface has it: its rules are nobody's", plain})
	} else {
		s.line(cell{words.Count(len(o.Carriers), "network interface") + " " + have(len(o.Carriers)) + " it", head})
		s.interfaces(o.Carriers)
	}
	s.write("\n")
	s.referrers(o.Referrers, words.Count(len(o.Referrers), "rule")+" of other groups "+refers(len(o.Referrers))+" to it", "no rule of another group refers to it")
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func (s *screen) iface(o *survey.Shown) {
	i := o.Interface
	s.line(cell{words.Clean(i.Called()), head}, cell{i.ID, quiet}, cell{addressText(i.Addresses), plain}, cell{"in VPC " + vpcText(i.VPC), plain})
	if i.Description != "" {
		s.line(cell{words.Clean(i.Description), plain})
	}
	s.tags(i.Tags)
	if i.Public != nil {
		s.line(cell{"public " + addressText(i.Public), plain})
	}
	if i.Instance != nil {
		s.line(cell{"of instance " + instanceText(i.Instance), plain})
	}
	if d := deviceText(i); d != "" {
		s.line(cell{"bound to device " + d, plain})
	} else {
		s.line(cell{"bound to no device: no packet obeys its rules (moat attach)", plain})
	}
	s.line(cell{"groups " + refTexts(i.Groups), plain})
	s.heading("lets in", o.In, "nothing: no inbound rule")
	s.rules(o.In, true)
	s.heading("lets out", o.Out, "nothing: no outbound rule")
	s.rules(o.Out, true)
}

func (s *screen) prefixList(o *survey.Shown) {
	l := o.List
	s.line(cell{words.Clean(l.Name), head}, cell{l.ID, quiet}, cell{fmt.Sprintf("%s, version %d, %d of %d entries", l.Family, l.Version, len(l.Entries), l.Max), plain})
	s.tags(l.Tags)
	var rows [][]cell
	for _, e := range l.Entries {
		rows = append(rows, []cell{{e.CIDR, plain}, {words.Clean(e.Description), quiet}})
	}
	s.table("  ", nil, rows)
	s.write("\n")
	s.referrers(o.Referrers, words.Count(len(o.Referrers), "rule")+" "+refers(len(o.Referrers))+" to it", "no rule refers to it")
}

func (s *screen) tags(tags []survey.Tag) {
	if tags != nil {
		s.line(cell{"tags " + tagText(tags), plain})
	}
}

func (s *screen) heading(what string, rules []survey.Rule, none string) {
	s.write("\n")
	if rules == nil {
		s.line(cell{what, head}, cell{none, plain})
		return
	}
	s.line(cell{what, head})
}

// rules writes rules, one a line: "ssh 22/tcp from 203.0.113.7/32 · added 3 d
// ago by alice", with the group where they are of several.
func (s *screen) rules(rules []survey.Rule, groups bool) {
	var rows [][]cell
	for i := range rules {
		r := &rules[i]
		row := []cell{{r.Text, plain}, dotted(addedText(r.Added)), dotted(words.Clean(r.Description)), dotted(string(r.ID))}
		if groups {
			row = append([]cell{{refText(r.Group) + ":", plain}}, row...)
		}
		rows = append(rows, row)
	}
	s.table("  ", nil, rows)
}

func dotted(text string) cell {
	if text == "" {
		return cell{}
	}
	return cell{"· " + text, quiet}
}

func (s *screen) referrers(rules []survey.Rule, some, none string) {
	if rules == nil {
		s.line(cell{none, plain})
		return
	}
	s.line(cell{some, head})
	s.rules(rules, true)
}

func refers(n int) string {
	if n == 1 {
		return "refers"
	}
	return "refer"
}

func (s *screen) interfaces(all []survey.Interface) {
	var rows [][]cell
	for i := range all {
		n := &all[i]
		of := ""
		if n.Instance != nil {
			of = "of instance " + instanceText(n.Instance)
		}
		on := ""
		if d := deviceText(n); d != "" {
			on = "on " + d
		}
		rows = append(rows, []cell{{words.Clean(n.Called()), plain}, {addressText(n.Addresses), plain}, {n.ID, quiet}, {of, plain}, {on, plain}})
	}
	s.table("  ", nil, rows)
}
