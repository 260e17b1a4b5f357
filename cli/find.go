package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/survey"
	"moat/words"
)

func findCommand() *cobra.Command {
	var l looker
	var q server.LookQuery
	var protocol string
	exact, overlapping, containing := false, false, false
	c := adminCommand(&cobra.Command{
		Use:   "find [--ip ADDRESS|CIDR] [--port PORT]",
		Short: "Find the rules that let an address in",
		Long: `Finds every rule that lets an address in on a port, and says whose door it opens.
Prefix lists are looked into, and groups: a rule that names a group lets in the
addresses of its members.

    moat find --ip 203.0.113.7 --port 22
    moat find --ip me --port ssh
    moat find --ip 10.0.0.0/8 --overlapping
    moat find --port 5432 --vpc shop
    moat find --ip 192.0.2.1 --port 443/tcp --egress

--containing, the default, finds rules that let in all that is asked for, and
perhaps more; --exact those for exactly the range and the ports; --overlapping
those that let in some of it. What is not asked for fits any.

PORT is a port, a range, a service or a protocol: 22, 53/udp, 8000-8100, ssh,
ping, icmp:3.4, gre, all. A number alone is a port of TCP or UDP.

The status is 1 if no rule is found.`,
		Args: cobra.NoArgs,
	}, func(c *cobra.Command, _ []string, e endpoint) error {
		if q.Addresses == "" && q.Traffic == "" && protocol == "" {
			return errors.New("say what to look for: --ip ADDRESS, --port PORT or both, as `moat find --ip 203.0.113.7 --port 22`")
		}
		switch {
		case exact:
			q.Match = survey.Exact
		case overlapping:
			q.Match = survey.Overlapping
		case containing:
			q.Match = survey.Containing
		}
		switch {
		case protocol == "":
		case q.Traffic == "":
			if q.Traffic = protocol; strings.Trim(protocol, "0123456789") == "" {
				if n, err := strconv.Atoi(protocol); err != nil || n > 255 {
					return fmt.Errorf("--protocol %s: want a name or a number from 0 to 255", protocol)
				}
				q.Traffic += "/proto" // a number is no port here
			}
		case strings.ContainsAny(q.Traffic, "/:"):
			return errors.New("--port names a protocol already: leave out --protocol")
		case protocol == "icmp" || protocol == "icmpv6":
			q.Traffic = protocol + ":" + q.Traffic
		default:
			q.Traffic += "/" + protocol
		}
		var what words.What
		var err error
		if q.Traffic != "" {
			if what, err = words.ParseWhat(q.Traffic); err != nil {
				return err
			}
		}
		if q.AsOf, err = l.when(); err != nil {
			return err
		}
		if strings.EqualFold(q.Addresses, "me") {
			me, err := e.checkIP(c.Context())
			if err != nil {
				return err
			}
			q.Addresses = me.String()
		}
		var out server.Found
		if err := e.ask(c.Context(), "find", q, &out); err != nil {
			return err
		}
		none := error(nil)
		if len(out.Rules) == 0 {
			none = exitCode(1)
		}
		switch {
		case l.json:
			if err := printJSON(c.OutOrStdout(), out); err != nil {
				return err
			}
			return none
		case l.porcelain:
			for i := range out.Rules {
				h := &out.Rules[i]
				var via []string
				for _, v := range h.Via {
					via = append(via, v.CIDR)
				}
				if _, err := fmt.Fprint(c.OutOrStdout(), porcelainLine(append(porcelainRule(&h.Rule), strings.Join(via, ","), ids(h.Interfaces))...)); err != nil {
					return err
				}
			}
			return none
		}
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		s.says(out.AsOf)
		s.found(&q, what, out.Found)
		if s.err != nil {
			return s.err
		}
		return none
	})
	f := c.Flags()
	f.StringVar(&q.Addresses, "ip", "", "`ADDRESS|CIDR` on the other side, or me: the address by which the server sees you")
	f.StringVar(&q.Traffic, "port", "", "`PORT`, range, service or protocol")
	f.StringVar(&protocol, "protocol", "", "`PROTOCOL` of the port, tcp, udp, icmp or icmpv6; without --port any protocol, by name or number")
	f.BoolVar((*bool)(&q.Egress), "egress", false, "look at outbound rules: what lets it be reached")
	f.BoolVar(&containing, "containing", false, "rules that let in all of it (default)")
	f.BoolVar(&exact, "exact", false, "rules for exactly it")
	f.BoolVar(&overlapping, "overlapping", false, "rules that let in some of it")
	f.StringVar(&q.VPC, "vpc", "", "only groups of the VPC with this `NAME`")
	f.StringVar(&q.Group, "group", "", "only the group with this `NAME`")
	c.MarkFlagsMutuallyExclusive("containing", "exact", "overlapping")
	_ = c.RegisterFlagCompletionFunc("vpc", completion("vpc"))
	_ = c.RegisterFlagCompletionFunc("group", completion("group"))
	_ = c.RegisterFlagCompletionFunc("ip", cobra.NoFileCompletions)
	_ = c.RegisterFlagCompletionFunc("port", cobra.FixedCompletions(words.Services(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions([]string{"tcp", "udp", "icmp", "icmpv6"}, cobra.ShellCompDirectiveNoFileComp))
	l.flags(c, false, true)
	return c
}

// found writes the rules that were found, group by group, with who has it.
func (s *screen) found(q *server.LookQuery, what words.What, out *survey.Found) {
	asked := strings.TrimSpace(q.Addresses)
	if q.Traffic != "" {
		asked = strings.TrimSpace(asked + " " + what.String())
	}
	verb := "lets in "
	if q.Egress {
		verb = "lets out to "
		if q.Addresses == "" {
			verb = "lets out "
		}
	}
	if q.Match == survey.Overlapping {
		asked = "some of " + asked
	}
	if len(out.Unread) > 0 {
		defer s.line(cell{"Not searched, because you may not read their entries: prefix lists " + refTexts(out.Unread) + ". Rules that name them may also fit.", plain})
	}
	if len(out.Rules) == 0 {
		s.line(cell{"no rule " + verb + asked, plain})
		return
	}
	last := ""
	for i := 0; i < len(out.Rules); i++ {
		h := &out.Rules[i]
		if h.Group.ID != last {
			if last != "" {
				s.write("\n")
			}
			last = h.Group.ID
			opens := "no network interface has it"
			if n := len(h.Interfaces); n > 0 {
				const most = 5
				opens = "on " + refTexts(h.Interfaces[:min(n, most)])
				if n > most {
					opens += fmt.Sprintf(" and %d more", n-most)
				}
			}
			s.line(cell{refText(h.Group), head}, cell{h.Group.ID, quiet}, cell{"in VPC " + vpcText(h.VPC) + ",", plain}, cell{opens, plain})
		}
		s.rules([]survey.Rule{h.Rule}, false)
		for j, v := range h.Via {
			if j == 5 {
				s.printf("    and %d more\n", len(h.Via)-j)
				break
			}
			by := words.Clean(v.Description)
			if v.Interface != nil {
				by = refText(*v.Interface)
			}
			s.line(cell{"    by its " + map[bool]string{true: "member", false: "entry"}[h.PeerGroup != nil], quiet}, cell{v.CIDR, plain}, cell{by, quiet})
		}
	}
	s.write("\n")
	s.line(cell{words.Count(len(out.Rules), "rule") + " " + map[bool]string{true: strings.TrimSpace(verb), false: strings.Replace(strings.TrimSpace(verb), "lets", "let", 1)}[len(out.Rules) == 1] + " " + asked, plain})
}
