package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moat/server"
	"moat/survey"
	"moat/words"
)

// What is common to the commands that look: how they ask, and how they say
// what they were told.

// A looker is how a command that looks is asked to answer.
type looker struct {
	asOf                  string
	json, wide, porcelain bool
}

// flags adds the flags of a looker: those of its fields that are asked for.
func (l *looker) flags(c *cobra.Command, wide, porcelain bool) {
	f := c.Flags()
	f.StringVar(&l.asOf, "as-of", "", "`TIME|REVISION` that is looked at: 12, now-1, 3h, 2d, 14:05, 2026-01-31, \"2026-01-31 14:05\"")
	f.BoolVar(&l.json, "json", false, "print JSON")
	if wide {
		f.BoolVarP(&l.wide, "wide", "w", false, "print more columns")
	}
	if porcelain {
		f.BoolVar(&l.porcelain, "porcelain", false, "print lines for programs, whose form stays as it is")
	}
	colourFlag(c)
	_ = c.RegisterFlagCompletionFunc("as-of", cobra.NoFileCompletions)
}

// when reads the time or revision that is looked at, as the server takes it.
func (l *looker) when() (string, error) {
	if l.asOf == "" {
		return "", nil
	}
	at, err := words.ParseWhen(l.asOf, time.Now())
	if err != nil {
		return "", fmt.Errorf("--as-of %w", err)
	}
	return at, nil
}

// ask asks the server and reads the answer into out.
func (e endpoint) ask(ctx context.Context, call string, q server.LookQuery, out any) error {
	err := e.admin(ctx, call+"?"+q.Encode(), nil, out)
	if f, ok := errors.AsType[*adminError](err); ok && f.Code == "NotFound" && q.AsOf != "" {
		return fmt.Errorf("%s, as of %s: see when it came with `moat diff %s`", f.Message, q.AsOf, q.AsOf)
	}
	return forPeople(err)
}

// oneName wants one argument, and says so in words.
func oneName(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one name, as in `%s web`: `moat ls` lists what there is", c.CommandPath())
	}
	return nil
}

// oneOf wants arguments that are among some words.
func oneOf(known []string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		for _, a := range args {
			if !slices.Contains(known, a) {
				return fmt.Errorf("%q cannot be listed: want %s", a, strings.Join(known, ", "))
			}
		}
		return nil
	}
}

// forPeople gives a refusal without the code that is for programs, and with
// the next step where the message has none.
func forPeople(err error) error {
	f, ok := errors.AsType[*adminError](err)
	if !ok {
		return err
	}
	switch f.Code {
	case "NotFound":
		if strings.HasSuffix(f.Message, "?") {
			return errors.New(f.Message)
		}
		return errors.New(f.Message + ": `moat ls` lists what there is")
	case "Ambiguous", "InvalidParameterValue", "NoSuchRevision":
		return errors.New(f.Message)
	}
	return err
}

// says writes which revision an answer is of, where it is not the present.
func (s *screen) says(at *server.AsOf) {
	if at == nil {
		return
	}
	text := fmt.Sprintf("as of revision %d", at.Rev)
	if !at.Time.IsZero() {
		text += fmt.Sprintf(", of %s (%s)", at.Time.Local().Format(time.DateTime), words.Ago(time.Since(at.Time)))
	}
	s.line(cell{text, tilde})
}

// addedText tells who added a rule: "added 3 d ago by alice".
func addedText(a *survey.Added) string {
	if a == nil {
		return ""
	}
	text := "added " + words.Ago(time.Since(a.Time))
	if a.Action == "" {
		return text // its event is no longer kept
	}
	return text + " by " + words.Caller(a.By)
}

// refText gives a thing for a column: its name, with the id where there is
// none.
func refText(r survey.Ref) string { return words.Clean(r.Called()) }

func refTexts(refs []survey.Ref) string {
	texts := make([]string, len(refs))
	for i, r := range refs {
		texts[i] = refText(r)
	}
	return strings.Join(texts, ", ")
}

// vpcText names a VPC: shop, or its id.
func vpcText(r survey.Ref) string { return refText(r) }

func addressText(addresses []netip.Addr) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

func tagText(tags []survey.Tag) string {
	texts := make([]string, len(tags))
	for i, t := range tags {
		texts[i] = words.Clean(t.Key + "=" + t.Value)
	}
	return strings.Join(texts, ", ")
}

// instanceText names an instance: its name, with the id.
func instanceText(r *survey.Ref) string {
	switch {
	case r == nil:
		return ""
	case r.Name == "":
		return r.ID
	}
	return words.Clean(r.Name) + " (" + r.ID + ")"
}

func deviceText(i *survey.Interface) string {
	if i.Device == "" {
		return ""
	}
	text := place(i.Device, i.Netns)
	if i.Observed {
		text += ", observing"
	}
	return text
}

// porcelainLine gives fields for programs: parted by tabs, "-" for none. A tab,
// a line's end or a backslash in a field stands as \t, \n or \\.
func porcelainLine(fields ...string) string {
	for i, f := range fields {
		fields[i] = cmp.Or(porcelainEscapes.Replace(f), "-")
	}
	return strings.Join(fields, "\t") + "\n"
}

var porcelainEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func porcelainRule(r *survey.Rule) []string {
	port := func(p *int32) string {
		if p == nil {
			return ""
		}
		return strconv.Itoa(int(*p))
	}
	added, by := "", ""
	if r.Added != nil {
		added, by = r.Added.Time.UTC().Format(time.RFC3339), r.Added.By
	}
	return []string{"rule", string(r.ID), r.Group.ID, r.Group.Name, r.VPC.ID, r.Direction, r.Protocol, port(r.FromPort), port(r.ToPort), r.Peer(), added, by, r.Description}
}

func ids(refs []survey.Ref) string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = r.ID
	}
	return strings.Join(out, ",")
}

// completion gives the words that the server knows for kinds of things: group,
// interface, list, vpc, instance, subnet. A server that does not answer at once
// completes nothing.
func completion(kinds ...string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		return completeWords(c, kinds, word), cobra.ShellCompDirectiveNoFileComp
	}
}

// firstCompletion is completion for a command whose first argument alone is a
// name.
func firstCompletion(kinds ...string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeWords(c, kinds, word), cobra.ShellCompDirectiveNoFileComp
	}
}

func completeWords(c *cobra.Command, kinds []string, word string) []string {
	s := &settings{dataDir: chosenDataDir()}
	if f := c.Flags().Lookup("data-dir"); f != nil && f.Changed {
		s.dataDir = f.Value.String()
	}
	e, err := s.endpoint(c.Flags().Changed("data-dir"))
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var out server.Completions
	if err := e.ask(ctx, "complete", server.LookQuery{Kinds: kinds, Text: word}, &out); err != nil {
		return nil
	}
	var found []string
	for _, w := range out.Words {
		if !strings.ContainsFunc(w.Word, func(r rune) bool { return r < ' ' }) {
			found = append(found, w.Word+"\t"+words.Clean(w.Help))
		}
	}
	return slices.Compact(found)
}
