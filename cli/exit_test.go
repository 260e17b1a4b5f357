package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command has a row in the table of statuses, and the table no other. Wrong
// usage is 2 for all, and so is a server that is not there for those that ask one.
func TestExitStatuses(t *testing.T) {
	testSettings(t)
	var rows []string
	for _, s := range statuses {
		rows = append(rows, s.commands...)
	}
	root := rootCommand()
	aws := []string{"ec2", "iam", "sts", "cloudtrail", "configure"}
	// These run without a server, or are one.
	alone := []string{"serve", "env", "restore", "actions", "version", "help", "manual", "completion", "demo", "try", "guardrail"}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			name := strings.TrimPrefix(sub.CommandPath(), "moat ")
			first, _, _ := strings.Cut(name, " ")
			if sub.Hidden || name == "help" || slices.Contains(aws, first) || first == "completion" && name != first {
				continue
			}
			if walk(sub); !sub.Runnable() && sub.HasSubCommands() && !slices.Contains(rows, name) {
				continue
			}
			at := slices.Index(rows, name)
			if at < 0 {
				t.Errorf("%s has no row in the table of exit statuses", name)
				continue
			}
			rows = slices.Delete(rows, at, at+1)
			words := strings.Fields(name)
			if got := Main(append(slices.Clone(words), "--no-such-flag")); got != 2 {
				t.Errorf("moat %s --no-such-flag: status %d, want 2", name, got)
			}
			if slices.Contains(alone, first) {
				continue
			}
			for n := range 4 { // as many arguments as it takes
				args := slices.Repeat([]string{"web"}, n)
				if sub.Args != nil && sub.Args(sub, args) != nil {
					continue
				}
				line := append(append(slices.Clone(words), args...), "--data-dir", filepath.Join(t.TempDir(), "none"))
				if sub.Flags().Lookup("data-dir") == nil && sub.InheritedFlags().Lookup("data-dir") == nil {
					line = line[:len(line)-2]
				}
				if sub.Flags().Lookup("dev") != nil && name == "attach" {
					line = append(line, "--dev", "moat-t-none")
				}
				if got := Main(line); got != 2 {
					t.Errorf("moat %s: status %d without a server, want 2", strings.Join(line, " "), got)
				}
				break
			}
		}
	}
	// What the commands print is not the test's.
	out, errOut := os.Stdout, os.Stderr
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	os.Stdout, os.Stderr = null, null
	t.Cleanup(func() { os.Stdout, os.Stderr = out, errOut })
	t.Setenv("MOAT_ENDPOINT_URL", "")
	t.Setenv("MOAT_DATA_DIR", filepath.Join(t.TempDir(), "none"))
	walk(root)
	if len(rows) > 0 {
		t.Errorf("the table has rows of no command: %v", rows)
	}
}

// Refusals of changes are a no; of questions, and of a server in trouble, they
// say nothing.
func TestExitOfRefusals(t *testing.T) {
	root := rootCommand()
	find := func(name string) *cobra.Command {
		c, _, err := root.Find(strings.Fields(name))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, row := range []struct {
		want    exitCode
		command string
		err     error
	}{
		{0, "why", nil},
		{1, "why", exitNo},
		{2, "why", &adminError{Code: "NotFound"}},
		{1, "allow", &adminError{Code: "OperationNotPermitted"}},
		{1, "allow", errNo},
		{2, "allow", &adminError{Code: "InternalError"}},
		{2, "attach", os.ErrNotExist},
		{1, "enforce", &adminError{Code: "OperationNotPermitted"}},
		{2, "status", &adminError{Code: "AccessDenied"}},
	} {
		if got := exitOf(find(row.command), row.err); got != row.want {
			t.Errorf("%s, %v: status %d, want %d", row.command, row.err, got, row.want)
		}
	}
}
