package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"moat/change"
	"moat/server"
)

// howToChange is what every command says that changes something.
const howToChange = `

It shows what it will do and asks; without a terminal it does nothing unless
--yes is given. It is done in one revision, which ` + "`moat undo`" + ` takes back.`

// A changer is what the commands have in common that change something.
type changer struct {
	endpoint
	c       *cobra.Command
	yes     bool
	dryRun  bool
	explain bool
	asJSON  bool
}

// changeCommand adds the flags of a command that changes something. run has
// what the arguments mean to be asked of the server.
func changeCommand(c *cobra.Command, run func(ch *changer, args []string) error) *cobra.Command {
	ch := &changer{c: c}
	c.Long += howToChange
	adminCommand(c, func(_ *cobra.Command, args []string, e endpoint) error {
		ch.endpoint = e
		return run(ch, args)
	})
	c.Flags().BoolVarP(&ch.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&ch.dryRun, "dry-run", false, "show what it would do, and do nothing")
	c.Flags().BoolVar(&ch.explain, "explain-aws", false, "print the lines that do the same with the AWS CLI, and the rest to standard error")
	c.Flags().BoolVar(&ch.asJSON, "json", false, "print JSON, with --yes or --dry-run")
	colourFlag(c)
	return c
}

func allowCommand() *cobra.Command {
	w := &change.Wish{Do: "allow"}
	from, to := "", ""
	c := changeCommand(&cobra.Command{
		Use:   "allow GROUP WHAT --from WHO | --to WHO",
		Short: "Allow traffic into a security group's interfaces, or out of them",
		Long: `Adds the rules to a group that it lacks to let WHO in, or with --to its
interfaces out.

    moat allow web 22 --from me
    moat allow web http,https --from anywhere
    moat allow db postgres --from web
    moat allow web 8000-8100/udp --from 203.0.113.0/24 --description "partner"
    moat allow web https --to 198.51.100.0/24

WHAT is a port, a range, a service or a protocol: 22, 22/tcp, 53/udp, 8000-8100,
ssh, icmp, ping, all; several have commas between. A number alone is of TCP. WHO
is me (the address by which the server sees you), an address, a range, anywhere,
a group or a prefix list by name or id, or an interface, a subnet or a VPC, which
stands for its addresses. GROUP is a name, VPC/NAME, tag:KEY=VALUE, an id or the
beginning of one.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeAllow,
	}, func(ch *changer, args []string) error {
		w.Group, w.What = args[0], args[1]
		if err := ch.side(w, from, to); err != nil {
			return err
		}
		return ch.wish(w)
	})
	sideFlags(c, w, &from, &to, "let in", "let out to")
	c.Flags().StringVar(&w.Description, "description", "", "what the rules are for")
	return c
}

func denyCommand() *cobra.Command {
	w := &change.Wish{Do: "deny"}
	from, to := "", ""
	c := changeCommand(&cobra.Command{
		Use:   "deny GROUP WHAT --from WHO | --to WHO",
		Short: "Take away what allows traffic into a security group's interfaces, or out of them",
		Long: `Takes away the rules of a group that allow what is to be denied and nothing else.
Where another rule still would allow it - a wider one, one with a prefix list or
a group, one of another group of the same interfaces - nothing is changed, and
those rules are shown, with what to do about each.

    moat deny web 22 --from 203.0.113.7
    moat deny web 22 --from 10.1.0.0/16 --split
    moat deny web all --from ops

--split puts narrower rules in the place of wider ones, in the same revision: what
is allowed then is exactly what was, without what is denied. A rule with a prefix
list or a group can lose ports, but no addresses, and a rule for all protocols
cannot lose one of them. A group or a list that is denied is denied by the
addresses that it has now, too. GROUP, WHAT and WHO are as in moat allow.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeAllow,
	}, func(ch *changer, args []string) error {
		w.Group, w.What = args[0], args[1]
		if err := ch.side(w, from, to); err != nil {
			return err
		}
		return ch.wish(w)
	})
	sideFlags(c, w, &from, &to, "keep out", "keep from being reached")
	c.Flags().BoolVar(&w.Split, "split", false, "narrow wider rules")
	c.Flags().BoolVar(&w.Anyway, "anyway", false, "take away what can be, although something still allows it")
	return c
}

func sideFlags(c *cobra.Command, w *change.Wish, from, to *string, in, out string) {
	c.Flags().StringVar(from, "from", "", "`WHO` to "+in+": me, an address, a range, anywhere, a group, a prefix list")
	c.Flags().StringVar(to, "to", "", "`WHO` to "+out)
	c.Flags().BoolVar(&w.Egress, "egress", false, "turn --from around, as --to does")
	for _, flag := range []string{"from", "to"} {
		if err := c.RegisterFlagCompletionFunc(flag, completeSide); err != nil {
			panic(err)
		}
	}
}

// side puts the other side into a wish.
func (ch *changer) side(w *change.Wish, from, to string) error {
	if (from == "") == (to == "") {
		return errors.New("say who: --from WHO for what comes in, --to WHO for what goes out")
	}
	if to != "" {
		from, w.Egress = to, true
	}
	words := strings.Split(from, ",")
	for i, word := range words {
		if strings.EqualFold(strings.TrimSpace(word), "me") {
			me, err := ch.checkIP(ch.c.Context())
			if err != nil {
				return fmt.Errorf("find out who you are to the server: %w", err)
			}
			words[i] = me.String()
		}
	}
	w.Peer = strings.Join(words, ",")
	return nil
}

// checkIP asks the server by which address it sees the caller.
func (e endpoint) checkIP(ctx context.Context) (netip.Addr, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(e.URL, "/")+"/checkip", nil)
	if err != nil {
		return netip.Addr{}, err
	}
	client, err := e.client()
	if err != nil {
		return netip.Addr{}, err
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if errors.Is(err, unix.ECONNREFUSED) {
		return netip.Addr{}, &noServerError{e.URL}
	}
	if err != nil {
		return netip.Addr{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := netip.ParseAddr(strings.TrimSpace(string(b)))
	if err != nil {
		return a, fmt.Errorf("%s/checkip answers %q", e.URL, b)
	}
	return a.Unmap(), nil
}

func renameCommand() *cobra.Command {
	return changeCommand(&cobra.Command{
		Use:   "rename GROUP NAME",
		Short: "Give a security group another name",
		Long: `Gives a group another name, which EC2 cannot do: there a name is for good. The
group stays the same one, with its id, its rules, its tags and whatever uses it.
--explain-aws prints the long way as comments: another group, put in the place of
the first.

    moat rename web www`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeGroup,
	}, func(ch *changer, args []string) error {
		return ch.wish(&change.Wish{Do: "rename", Group: args[0], New: args[1]})
	})
}

func rmCommand() *cobra.Command {
	w := &change.Wish{Do: "rm"}
	c := changeCommand(&cobra.Command{
		Use:   "rm GROUP",
		Short: "Delete a security group",
		Long: `Deletes a group. One that is in use is not deleted, and what uses it is shown.
With --detach it is taken off interfaces first, rules of other groups that refer
to it are taken away, and its associations with other VPCs end, all in the same
revision. An interface must have a group: one that has no other gets the one that
--instead names.

    moat rm web
    moat rm web --detach --instead default`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeGroup,
	}, func(ch *changer, args []string) error {
		w.Group = args[0]
		if w.New != "" && !w.Detach {
			return errors.New("--instead is for interfaces that --detach would leave without a group: give both")
		}
		return ch.wish(w)
	})
	c.Flags().BoolVar(&w.Detach, "detach", false, "take it off whatever uses it")
	c.Flags().StringVar(&w.New, "instead", "", "`GROUP` for interfaces that would have none")
	if err := c.RegisterFlagCompletionFunc("instead", completeTwo); err != nil {
		panic(err)
	}
	return c
}

func replaceGroupCommand() *cobra.Command {
	everywhere := false
	c := changeCommand(&cobra.Command{
		Use:   "replace-group OLD NEW --everywhere",
		Short: "Put one security group in the place of another",
		Long: `Gives every interface that has the group OLD the group NEW in its place, and makes
the rules of other groups that refer to OLD refer to NEW, in one revision. OLD
stays, with its own rules.

    moat replace-group web-old web --everywhere`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeTwo,
	}, func(ch *changer, args []string) error {
		if !everywhere {
			return errors.New("say --everywhere: on interfaces, and in the rules of other groups")
		}
		return ch.wish(&change.Wish{Do: "replace-group", Group: args[0], New: args[1]})
	})
	c.Flags().BoolVar(&everywhere, "everywhere", false, "on every interface and in the rules of every other group")
	return c
}

func undoCommand() *cobra.Command {
	return changeCommand(&cobra.Command{
		Use:   "undo [REV | REV.. | REV..REV]",
		Short: "Take revisions back",
		Long: `Takes back what revisions changed: the newest one, the one that is named, or with
two dots those from one to another, or to the newest. What they changed becomes
what it was before them, with the same ids, in one new revision; the history stays
as it is, so that an undo can be undone.

    moat undo
    moat undo 118
    moat undo 118..
    moat undo 118..121

What was done since stays where it is about something else: other groups, other
rules of the same group, other tags. Where it is about the same thing, and where
something came to need what would go, or took the name or the address of what
would come back, nothing is changed, and the revision that stands in the way is
named. It is about networks in the account and region of the caller; identities,
guardrails and the binding of devices are not taken back.`,
		Args: cobra.MaximumNArgs(1),
	}, func(ch *changer, args []string) error {
		in := server.Undo{}
		if len(args) == 1 {
			var err error
			if in, err = parseRevisions(args[0]); err != nil {
				return err
			}
		}
		return ch.run(func(dryRun bool, expect string) (*server.Changed, error) {
			out := &server.Undone{}
			in.DryRun, in.Expect = dryRun, expect
			if err := ch.admin(ch.c.Context(), "undo", in, out); err != nil {
				return nil, err
			}
			if dryRun {
				// What was shown is what is agreed to, whatever is the newest then.
				in = server.Undo{From: out.From, To: out.To}
				what := fmt.Sprintf("undo of revision %d", out.From)
				if out.To != out.From {
					what = fmt.Sprintf("undo of revisions %d to %d", out.From, out.To)
				}
				if out.Idle {
					what += ": nothing is left of it"
				}
				out.Does = slices.Insert(out.Does, 0, what)
			}
			return &out.Changed, nil
		})
	})
}

// parseRevisions reads 118, 118.. or 118..121.
func parseRevisions(text string) (in server.Undo, err error) {
	from, to, several := strings.Cut(text, "..")
	number := func(s string) (uint64, error) {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n == 0 {
			return 0, fmt.Errorf("%q is no revision: want such as 118, 118.. or 118..121", text)
		}
		return n, nil
	}
	if in.From, err = number(from); err != nil || !several {
		return in, err
	}
	if to == "" {
		in.Since = true
		return in, nil
	}
	if in.To, err = number(to); err == nil && in.To < in.From {
		err = fmt.Errorf("%q ends before it begins: did you mean %d..%d?", text, in.To, in.From)
	}
	return in, err
}

// wish has a wish fulfilled.
func (ch *changer) wish(w *change.Wish) error {
	return ch.run(func(dryRun bool, expect string) (*server.Changed, error) {
		out := &server.Changed{}
		return out, ch.admin(ch.c.Context(), "change", server.Change{Wish: *w, DryRun: dryRun, Expect: expect}, out)
	})
}

// mostAgain is how often a plan is made again because the state changed
// meanwhile, where nobody is asked.
const mostAgain = 5

// run shows what will be done, asks, and has it done if it is still that.
func (ch *changer) run(ask func(dryRun bool, expect string) (*server.Changed, error)) error {
	if ch.asJSON && !ch.yes && !ch.dryRun {
		return errors.New("--json asks nothing: give --yes or --dry-run, too")
	}
	out := ch.c.OutOrStdout()
	shown, err := screenOf(ch.c)
	if err != nil {
		return err
	}
	if ch.explain || ch.asJSON {
		shown.out, shown.colour = ch.c.ErrOrStderr(), shown.colour && coloured(os.Stderr)
	}
	for again := 0; ; again++ {
		plan, err := ask(true, "")
		if err != nil {
			return unwrapped(err)
		}
		if !ch.asJSON {
			showPlan(shown, plan.Plan)
		}
		if plan.Refused != "" {
			if ch.asJSON {
				if err := printJSON(out, plan); err != nil {
					return err
				}
			}
			return errors.New(plan.Refused + " Nothing was changed.")
		}
		if ch.explain {
			for _, line := range plan.AWS {
				fmt.Fprintln(out, line)
			}
		}
		if ch.dryRun || plan.Idle {
			if ch.asJSON {
				return printJSON(out, plan)
			}
			return nil
		}
		if !ch.yes {
			if err := ch.agreed(); err != nil {
				return err
			}
		}
		done, err := ask(false, plan.Digest)
		var refused *adminError
		if errors.As(err, &refused) && refused.Code == "ChangedMeanwhile" && again < mostAgain {
			fmt.Fprintln(ch.c.ErrOrStderr(), "The state has changed meanwhile; it would do this now:")
			continue
		}
		if err != nil {
			return unwrapped(err)
		}
		if ch.asJSON {
			if err := printJSON(out, done); err != nil {
				return err
			}
		}
		return ch.told(shown, done)
	}
}

// unwrapped gives a refusal as one sentence: its code says nothing more than
// its words where it is moat's own.
func unwrapped(err error) error {
	var f *adminError
	if errors.As(err, &f) && slices.Contains([]string{"Refused", "ChangedMeanwhile", "InvalidParameterValue", "NoLongerFits"}, f.Code) {
		return errors.New(f.Message)
	}
	return err
}

func showPlan(s *screen, p *change.Plan) {
	for _, line := range p.Does {
		how := plain
		if mark := strings.TrimLeft(line, " "); mark != line && mark != "" {
			how = map[byte]style{'+': plus, '-': minus, '~': tilde, '!': tilde, '=': quiet}[mark[0]]
		}
		s.line(cell{line, how})
	}
	for _, line := range p.Notes {
		s.line(cell{"note:", tilde}, cell{line, plain})
	}
}

// agreed asks whether to go ahead.
func (ch *changer) agreed() error {
	if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); err != nil {
		return errors.New("there is no terminal to ask on, and nothing was changed: --yes does it without asking")
	}
	fmt.Fprint(ch.c.ErrOrStderr(), "Go ahead? [y/N] ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errNo
	}
	return nil
}

// told says what became of a change.
func (ch *changer) told(s *screen, d *server.Changed) error {
	switch d.Enforced {
	case "yes":
		if ch.asJSON {
			return nil
		}
		if d.EnforcedHosts == "0/0" {
			s.printf("done: revision %d, which concerns no device\n", d.Revision)
		} else if d.EnforcedAfter != nil {
			s.printf("done: revision %d, enforced%s in %s ms\n", d.Revision, onHosts(d.EnforcedHosts), milliseconds(*d.EnforcedAfter))
		} else {
			s.printf("done: revision %d\n", d.Revision)
		}
		return s.err
	case "pending":
		fmt.Fprintf(ch.c.ErrOrStderr(), "moat: revision %d is committed and not in force yet%s: follow it with `moat wait %d`\n", d.Revision, onHosts(d.EnforcedHosts), d.Revision)
	case "degraded":
		fmt.Fprintf(ch.c.ErrOrStderr(), "moat: revision %d is in force, but packets may pass a device without being judged: see `moat status`\n", d.Revision)
	default:
		fmt.Fprintf(ch.c.ErrOrStderr(), "moat: revision %d is committed and cannot be put into force, which is tried again: see `moat status`\n", d.Revision)
	}
	return exitCode(2)
}

var (
	completeGroup = firstCompletion("group")
	completeTwo   = completion("group")
)

func completeAllow(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completeGroup(c, args, word)
	case 1:
		return []string{"ssh", "http", "https", "dns", "postgres", "mysql", "rdp", "ping", "icmp", "tcp", "udp", "all"}, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func completeSide(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	out := []string{"me\tthe address by which the server sees you", "anywhere\t0.0.0.0/0 and ::/0"}
	return append(out, completeWords(c, []string{"group", "list", "interface", "subnet", "vpc"}, word)...), cobra.ShellCompDirectiveNoFileComp
}
