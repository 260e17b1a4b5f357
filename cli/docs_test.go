package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the generated parts of docs")

// The generated parts of the manual say what the program does today. After a
// change of actions, flags or commands: go test ./cli -run Manual -update.
func TestManualIsCurrent(t *testing.T) {
	testSettings(t) // clears the environment, which defaults depend on
	var actions bytes.Buffer
	if err := writeActionsMarkdown(&actions); err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct{ file, part, want string }{
		{"actions.md", "", actions.String()},
		{"serve.md", "settings", settingsTable()},
		{"cli.md", "commands", commandReference()},
		{"cli.md", "statuses", exitTable()},
		{"moat.1", "", string(manualPage(rootCommand()))},
	} {
		file := filepath.Join("..", "docs", page.file)
		b, err := os.ReadFile(file)
		if err != nil && !*update {
			t.Error(err)
			continue
		}
		text, want := string(b), page.want
		if page.part != "" {
			begin, end := "<!-- "+page.part+": generated -->\n", "<!-- end of "+page.part+" -->\n"
			before, rest, ok := strings.Cut(text, begin)
			_, after, ok2 := strings.Cut(rest, end)
			if !ok || !ok2 {
				t.Errorf("%s has no lines %q and %q", file, begin, end)
				continue
			}
			want = before + begin + want + end + after
		}
		if text == want {
			continue
		}
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Error(err)
			}
			continue
		}
		t.Errorf("%s is not current: run go test ./cli -run Manual -update", file)
	}
}

// Every page that a page names is there.
func TestManualHasNoDeadLinks(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, page := range append(pages, "../README.md", "../ARCHITECTURE.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		for rest := string(b); ; links++ {
			_, after, ok := strings.Cut(rest, "](")
			if !ok {
				break
			}
			target, _, _ := strings.Cut(after, ")")
			rest = after
			if name, _, _ := strings.Cut(target, "#"); name != "" && !strings.Contains(name, "://") {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), name)); err != nil {
					t.Errorf("%s names %s: %v", page, target, err)
				}
			}
		}
	}
	if links == 0 {
		t.Error("no links found")
	}
}

// settingsTable gives every setting of serve.
func settingsTable() string {
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	new(settings).flags(f)
	var b strings.Builder
	b.WriteString("| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n")
	f.VisitAll(func(g *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(g)
		name := "--" + g.Name
		if value != "" {
			name += " " + strings.ReplaceAll(value, "|", "\\|")
		}
		d := g.DefValue
		switch {
		case g.Name == "data-dir":
			d = "see [operating](operating.md#the-data-directory)"
		case d == "" || d == "[]":
			d = "none"
		default:
			d = "`" + d + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `MOAT_%s` | %s | %s |\n", name, strings.ToUpper(strings.ReplaceAll(g.Name, "-", "_")), d, strings.ReplaceAll(usage, "|", "\\|"))
	})
	return b.String()
}

// commandReference gives every command with its help.
func commandReference() string { return reference(rootCommand(), "##") }

// Every command is under a subject of the help.
func TestHelpHasEveryCommand(t *testing.T) {
	root := rootCommand()
	for _, c := range root.Commands() {
		if !c.Hidden && c.GroupID == "" {
			t.Errorf("%s is under no subject: say in subjects where people look for it", c.Name())
		}
	}
}
