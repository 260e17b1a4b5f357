package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/words"
)

func logCommand() *cobra.Command {
	var q server.TrailQuery
	var since, until string
	asJSON := false
	c := adminCommand(&cobra.Command{
		Use:   "log [GROUP]",
		Short: "Tell who changed what, and who was refused",
		Long: `Lists the calls that changed something, gave out credentials or were refused,
the newest first: when, who, from where, which call, and what it did to rules.

    moat log
    moat log web --port 22
    moat log --by alice --since 3d
    moat log --refused --json

GROUP is a group's name or id; of one that is gone the id, or the name that it
was made with. --by takes a user's name, the name of a role's session, an ARN
or an access key. Times are such as 3h, 2d, 14:05 or 2026-01-31.

Calls that only read are not recorded, unless they were refused for want of
permission. A call that is refused again and again is told once a minute, with
its number.`,
		Args: cobra.MaximumNArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) error {
		if len(args) == 1 {
			if q.Group != "" && q.Group != args[0] {
				return errors.New("the group is named twice: by itself and with --group")
			}
			if q.Group = args[0]; q.Group == "" {
				return errors.New("the group's name is empty: leave it out for all groups")
			}
		}
		if c.Flags().Changed("port") && (q.Port < 1 || q.Port > 65535) {
			return fmt.Errorf("--port %d: want 1 to 65535", q.Port)
		}
		for _, t := range []struct {
			flag, text string
			to         *time.Time
		}{{"--since", since, &q.Since}, {"--until", until, &q.Until}} {
			if t.text == "" {
				continue
			}
			at, err := words.ParseWhen(t.text, time.Now())
			if err == nil {
				*t.to, err = time.Parse(time.RFC3339Nano, at)
			}
			if err != nil {
				return fmt.Errorf("%s %q: want a time such as 3h, 2d, 14:05 or 2026-01-31", t.flag, t.text)
			}
		}
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		want, shown := q.Limit, 0
		out := json.NewEncoder(c.OutOrStdout())
		out.SetEscapeHTML(false)
		var rows [][]cell
		for {
			q.Limit = min(want-shown, 1000)
			var page server.Log
			if err := e.admin(c.Context(), "log?"+q.Encode(), nil, &page); err != nil {
				return forPeople(err)
			}
			for i := range page.Events {
				if shown++; asJSON {
					if err := out.Encode(&page.Events[i]); err != nil {
						return err
					}
				} else {
					rows = append(rows, logRows(&page.Events[i])...)
				}
			}
			if q.Before = page.Next; page.Next == "" || shown >= want {
				break
			}
		}
		if asJSON {
			return nil
		}
		if shown == 0 {
			s.printf("nothing was found\n")
			return s.err
		}
		s.table("", []string{"TIME", "WHO", "FROM", "CALL", "WHAT"}, rows)
		if q.Before != "" {
			s.printf("there are more: --limit %d shows twice as many\n", 2*want)
		}
		return s.err
	})
	f := c.Flags()
	f.StringVar(&q.Group, "group", "", "only what is about the group with this `NAME` or id")
	f.IntVar(&q.Port, "port", 0, "only what is about rules that have this `PORT` of TCP or UDP")
	f.StringVar(&q.By, "by", "", "only what `WHO` did: a user's name, a session's, an ARN or an access key")
	f.StringVar(&q.Call, "call", "", "only calls of this `ACTION`, as AuthorizeSecurityGroupIngress")
	f.StringVar(&q.Rule, "rule", "", "only what changed the rule with this `ID`")
	f.StringVar(&since, "since", "", "only from this `TIME` on")
	f.StringVar(&until, "until", "", "only up to this `TIME`")
	f.BoolVar(&q.Refused, "refused", false, "only refused calls")
	f.BoolVar(&q.Own, "own", false, "also what moat does by itself")
	f.BoolVar(&q.AllRegions, "all-regions", false, "also other regions")
	f.BoolVar(&q.AllAccounts, "all-accounts", false, "also other accounts, for the root of the default one")
	f.IntVar(&q.Limit, "limit", 50, "the `NUMBER` of events that are shown at most")
	f.BoolVar(&asJSON, "json", false, "print a line of JSON for each event")
	colourFlag(c)
	c.ValidArgsFunction = firstCompletion("group")
	_ = c.RegisterFlagCompletionFunc("group", completion("group"))
	c.AddCommand(logVerifyCommand(), logExportCommand())
	return c
}

// logRows gives the lines of an event: one for each thing that it tells of.
func logRows(e *server.LogEvent) [][]cell {
	when := e.Time.Local().Format(time.DateTime)
	who := words.Clean(e.User)
	if who == "" {
		who = words.Caller(e.By)
	}
	call := e.Action
	if e.Service != "ec2" && e.Service != "" {
		call = e.Service + " " + call
	}
	var what []cell
	for _, r := range e.Rules {
		sign := map[string]cell{"added": {"+ ", plus}, "changed": {"~ ", tilde}, "removed": {"- ", minus}}[r.Did]
		what = append(what, cell{sign.text + ruleWords(r.Rule) + " (" + r.Group + ")", sign.style})
	}
	if e.Error != "" {
		text := "refused: " + e.Error
		if e.Count > 1 {
			text += fmt.Sprintf(", %d times", e.Count)
		}
		if e.Unsaid > 0 {
			text += fmt.Sprintf(", and %d other refusals", e.Unsaid)
		}
		what = append(what, cell{text, minus})
	}
	if len(e.Rules) == 0 && len(e.Resources) > 0 {
		what = append(what, cell{words.Clean(strings.Join(e.Resources[:min(4, len(e.Resources))], ", ")), plain})
	}
	if len(what) == 0 {
		what = []cell{{}}
	}
	rows := [][]cell{{{when, quiet}, {who, plain}, {e.From, plain}, {call, plain}, what[0]}}
	for _, w := range what[1:] {
		rows = append(rows, []cell{{}, {}, {}, {}, w})
	}
	return rows
}

// ruleWords says a rule of the trail as people do: tcp/22 from 203.0.113.25/32.
func ruleWords(rule string) string {
	p := strings.Fields(rule)
	if len(p) != 4 {
		return rule
	}
	what := p[1]
	if p[1] == "all" {
		what = "all traffic"
	} else if p[2] != "all" {
		what += "/" + p[2]
	}
	way := " from "
	if p[0] == "out" {
		way = " to "
	}
	return what + way + p[3]
}

func blameCommand() *cobra.Command {
	asJSON := false
	c := adminCommand(&cobra.Command{
		Use:   "blame GROUP",
		Short: "Tell of each rule of a security group who added it, when, from where and with which call",
		Args:  oneName,
	}, func(c *cobra.Command, args []string, e endpoint) error {
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		q := server.TrailQuery{Group: args[0]}
		var out server.Blame
		if err := e.admin(c.Context(), "blame?"+q.Encode(), nil, &out); err != nil {
			return forPeople(err)
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), out)
		}
		s.line(cell{words.Clean(out.Name), head}, cell{out.ID, quiet})
		rows := make([][]cell, 0, len(out.Rules))
		for _, r := range out.Rules {
			row := []cell{{ruleWords(r.Rule), plain}, {r.ID, quiet}}
			if e := r.Event; e != nil {
				call := e.Action
				if len(e.Rules) == 1 && e.Rules[0].Did == "changed" {
					call += " (changed)"
				}
				row = append(row, cell{words.Clean(e.User), plain}, cell{e.Time.Local().Format(time.DateTime), quiet}, cell{e.From, plain}, cell{call, plain})
			} else {
				row = append(row, cell{"not known any more", quiet})
			}
			rows = append(rows, append(row, cell{words.Clean(r.Description), quiet}))
		}
		if len(rows) == 0 {
			s.printf("the group has no rules\n")
			return s.err
		}
		s.table("", []string{"RULE", "ID", "WHO", "WHEN", "FROM", "CALL", "DESCRIPTION"}, rows)
		return s.err
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	colourFlag(c)
	c.ValidArgsFunction = firstCompletion("group")
	return c
}

func logVerifyCommand() *cobra.Command {
	asJSON, known := false, ""
	c := adminCommand(&cobra.Command{
		Use:   "verify",
		Short: "See whether the audit trail is as it was written",
		Long: `Reads the whole audit trail and finds every event that was changed, left out,
put in or moved since it was written, and tells which; then the status is 1.

It prints the head: the place and the hash of the last event. Kept where nobody
who can write to the database can, and given with --head later, it proves that
nothing was cut off the end since.`,
		Args: cobra.NoArgs,
	}, func(c *cobra.Command, _ []string, e endpoint) error {
		var out server.TrailReport
		if err := e.admin(c.Context(), "log-verify?"+url.Values{"head": {known}}.Encode(), nil, &out); err != nil {
			return forPeople(err)
		}
		w := c.OutOrStdout()
		if asJSON {
			if err := printJSON(w, out); err != nil {
				return err
			}
		} else {
			for _, f := range out.Faults {
				place := "the trail"
				if f.Place != "" {
					place = "event " + f.Place
				}
				fmt.Fprintf(w, "%s: %s\n", place, f.What)
			}
			if more := out.Found - len(out.Faults); more > 0 {
				fmt.Fprintf(w, "and %d more\n", more)
			}
			if out.Removed != "" {
				fmt.Fprintf(w, "retention removed the events up to %s, of %s\n", out.Removed, out.RemovedTime.Local().Format(time.DateTime))
			}
			if out.Unreadable > 0 {
				fmt.Fprintf(w, "%d events cannot be decrypted any more: their key was given up\n", out.Unreadable)
			}
			if out.Found == 0 {
				fmt.Fprintf(w, "%s, from %s to %s, as they were written\n", count(out.Events, "event"), out.First, out.Last)
			}
			fmt.Fprintf(w, "head %s\n", out.Head)
		}
		if out.Found > 0 {
			return exitCode(1)
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&known, "head", "", "a `HEAD` that was printed earlier, which the trail must still have")
	return c
}

func logExportCommand() *cobra.Command {
	after := ""
	c := adminCommand(&cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the audit trail as lines of JSON, the oldest first",
		Long: `Writes every event of every account as a line of JSON: CloudTrail's record, with
its place in the trail as additionalEventData.moatRevision and its hash as
moatHash. Without FILE, or with -, it is standard output. --after goes on after
a place, as of the last line of an earlier export.

` + "`moat serve --audit-export FILE`" + ` does so all the time.`,
		Args: cobra.MaximumNArgs(1),
	}, func(c *cobra.Command, args []string, e endpoint) (err error) {
		to := c.OutOrStdout()
		if len(args) == 1 && args[0] != "-" {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			to = f
		}
		w := bufio.NewWriter(to)
		for {
			var page server.Export
			if err := e.admin(c.Context(), "log-export?"+url.Values{"after": {after}}.Encode(), nil, &page); err != nil {
				return forPeople(err)
			}
			if err := writeLines(w, page.Records); err != nil {
				return err
			}
			if after = page.Last; after == "" {
				return w.Flush()
			}
		}
	})
	c.Flags().StringVar(&after, "after", "", "only the events after this `PLACE`")
	return c
}

func writeLines(w io.Writer, records []json.RawMessage) error {
	for _, r := range records {
		var line bytes.Buffer
		if err := json.Compact(&line, r); err != nil {
			return fmt.Errorf("an event that is no JSON: %w", err)
		}
		line.WriteByte('\n')
		if _, err := w.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
