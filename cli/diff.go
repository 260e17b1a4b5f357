package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/words"
)

func diffCommand() *cobra.Command {
	asJSON := false
	c := adminCommand(&cobra.Command{
		Use:   "diff [REV1 [REV2]]",
		Short: "Say what is different between two revisions, or two times",
		Long: `Says what was added, removed and changed after REV1, up to REV2, in the words that
people use. Without REV2 that is up to now; with neither, what the last change
did.

    moat diff
    moat diff 2d
    moat diff 12 15
    moat diff "2026-01-31 14:05" now-1

A REV is a revision, now, now-N (so many changes before it), a time, or how long
ago: 90m, 3h, 2d, 1w. What is told is what is different: a rule that came and
went in between is not there.`,
		Args: cobra.MaximumNArgs(2), ValidArgsFunction: cobra.NoFileCompletions,
	}, func(c *cobra.Command, args []string, e endpoint) error {
		revs := []string{"", "now"}
		for i, arg := range args {
			at, err := words.ParseWhen(arg, time.Now())
			if err != nil {
				return err
			}
			revs[i] = at
		}
		var out server.Difference
		if err := e.ask(c.Context(), "diff", server.LookQuery{From: revs[0], To: revs[1]}, &out); err != nil {
			return err
		}
		if asJSON {
			if err := printJSON(c.OutOrStdout(), out); err != nil {
				return err
			}
			return differs(&out)
		}
		s, err := screenOf(c)
		if err != nil {
			return err
		}
		s.difference(&out)
		if s.err != nil {
			return s.err
		}
		return differs(&out)
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	colourFlag(c)
	return c
}

// differs gives the status of a difference.
func differs(d *server.Difference) error {
	if len(d.Changes) == 0 && d.Hidden == 0 {
		return nil
	}
	return exitNo
}

func (s *screen) difference(d *server.Difference) {
	at := func(rev uint64, t time.Time) string {
		if t.IsZero() {
			return fmt.Sprint(rev)
		}
		return fmt.Sprintf("%d (%s)", rev, words.Ago(time.Since(t)))
	}
	s.line(cell{"from revision " + at(d.From, d.FromTime) + " to " + at(d.To, d.ToTime), quiet})
	if len(d.Changes) == 0 && d.Hidden == 0 {
		s.line(cell{"nothing is different", plain})
	}
	styles := map[string]style{"+": plus, "-": minus, "~": tilde, "added": plus, "removed": minus, "changed": tilde}
	for _, c := range d.Changes {
		id := c.ID
		if c.Name == "" || c.Name == c.ID {
			id = ""
		}
		s.line(cell{c.Op, styles[c.Op]}, cell{c.Kind, plain}, cell{refText(c.Ref), head}, cell{id, quiet})
		for _, x := range c.Details {
			s.line(cell{"  " + x.Sign, styles[x.Sign]}, cell{x.Text, plain})
		}
	}
	if d.Hidden > 0 {
		s.line(cell{"and " + words.Count(d.Hidden, "change") + " of what you have no permission to see", quiet})
	}
}
