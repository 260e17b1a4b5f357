package cli

import (
	"github.com/spf13/cobra"

	"moat/server"
	"moat/survey"
	"moat/words"
)

func whoUsesCommand() *cobra.Command {
	var l looker
	c := adminCommand(&cobra.Command{
		Use:   "who-uses NAME",
		Short: "Say who uses a security group or a prefix list",
		Long: `Says who uses a security group: the network interfaces and instances that have
it, and the rules that refer to it, each with the interfaces whose door it opens.
For a prefix list: the rules and route tables that name it.

    moat who-uses web
    moat who-uses office

NAME is a name, an id, the beginning of an id, VPC/NAME or tag:KEY=VALUE.`,
		Args: oneName, ValidArgsFunction: firstCompletion("group", "list"),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		at, err := l.when()
		if err != nil {
			return err
		}
		var out server.Uses
		if err := e.ask(c.Context(), "who-uses", server.LookQuery{Name: args[0], AsOf: at}, &out); err != nil {
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
		s.uses(out.Uses)
		return s.err
	})
	l.flags(c, false, false)
	return c
}

func (s *screen) uses(o *survey.Uses) {
	name := ""
	if o.Group != nil {
		name = words.Clean(o.Group.Name)
		s.line(cell{"group", plain}, cell{name, head}, cell{o.Group.ID, quiet}, cell{"in VPC " + vpcText(o.Group.VPC), plain})
	} else {
		name = words.Clean(o.List.Name)
		s.line(cell{"list", plain}, cell{name, head}, cell{o.List.ID, quiet})
	}
	if o.Interfaces == nil && o.Paths == nil && o.RouteTables == nil {
		s.line(cell{"nobody uses it", plain})
		return
	}
	if o.Interfaces != nil {
		s.write("\n")
		text := words.Count(len(o.Interfaces), "network interface") + " " + have(len(o.Interfaces)) + " it"
		if n := len(o.Instances); n > 0 {
			text += ", of " + words.Count(n, "instance")
		}
		s.line(cell{text, head})
		s.interfaces(o.Interfaces)
	}
	if o.Paths != nil {
		s.write("\n")
		s.line(cell{words.Count(len(o.Paths), "rule") + " " + refers(len(o.Paths)) + " to it", head})
		for i := range o.Paths {
			p := &o.Paths[i]
			s.rules([]survey.Rule{p.Rule}, true)
			inwards := p.Rule.Direction == "ingress"
			switch {
			case p.Self:
				s.printf("    among its own members\n")
			case p.Interfaces == nil:
				s.printf("    no network interface has %s\n", refText(p.Rule.Group))
			default:
				var who []survey.Ref
				for j := range p.Interfaces {
					who = append(who, survey.Ref{Name: p.Interfaces[j].Called()})
				}
				if inwards {
					s.printf("    %s -> %s: %s\n", name, refText(p.Rule.Group), refTexts(who))
				} else {
					s.printf("    %s (%s) -> %s\n", refText(p.Rule.Group), refTexts(who), name)
				}
			}
		}
	}
	if o.RouteTables != nil {
		s.write("\n")
		s.line(cell{words.Count(len(o.RouteTables), "route table") + " " + have(len(o.RouteTables)) + " a route to it", head})
		for _, t := range o.RouteTables {
			s.line(cell{" ", plain}, cell{refText(t), plain}, cell{t.ID, quiet})
		}
	}
}
