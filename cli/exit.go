package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The exit statuses of all commands but the AWS CLI's.
const (
	exitYes     exitCode = 0 // yes, or done
	exitNo      exitCode = 1 // no, it differs, or a check failed
	exitUnknown exitCode = 2 // wrong usage, or it could not be judged or reached
)

// errNo says that something was not done because somebody said no.
var errNo = errors.New("nothing was changed")

// statuses say what the exit status 1 of a command means. Of commands that change
// something it is also that the server refuses. What is not listed only prints.
var statuses = []struct {
	commands []string
	changes  bool
	no       string
}{
	{[]string{"why"}, false, "the flow is denied"},
	{[]string{"try"}, false, "it did not connect"},
	{[]string{"find"}, false, "no rule was found"},
	{[]string{"diff"}, false, "something is different"},
	{[]string{"log verify"}, false, "the trail is not as it was written"},
	{[]string{"status"}, false, "something that is to be enforced is not: a revision failed; a device is gone, failed, degraded or denied; a name or bridge is unguarded; another host is lost; the view is stale; or a probe failed. A device that observes is no error, nor is a revision on its way"},
	{[]string{"allow", "deny", "rename", "rm", "replace-group", "undo", "guardrail set", "guardrail remove", "attach", "detach", "enforce"}, true, "the server refused, or you said no, and nothing was changed"},
	{[]string{"ls", "show", "who-uses", "log", "log export", "blame", "guardrail", "guardrail list", "interfaces", "rules", "wait", "demo", "serve", "env", "backup", "restore", "actions", "version", "manual", "completion"}, false, ""},
}

// exitOf returns the exit status for the error of a command.
func exitOf(c *cobra.Command, err error) exitCode {
	var code exitCode
	var refusal *adminError
	switch {
	case err == nil:
		return exitYes
	case errors.As(err, &code):
		return code
	case errors.Is(err, errNo):
		return exitNo
	case errors.As(err, &refusal) && !strings.HasPrefix(refusal.Code, "Internal") && refusal.Code != "Unavailable" && refusal.Code != "ServiceUnavailable":
		for _, s := range statuses {
			for _, name := range s.commands {
				if s.changes && c.CommandPath() == "moat "+name {
					return exitNo
				}
			}
		}
	}
	return exitUnknown
}

// exitTable is the table of statuses in Markdown.
func exitTable() string {
	var b strings.Builder
	b.WriteString("\n| command | 0 | 1 | 2 |\n| --- | --- | --- | --- |\n")
	for _, s := range statuses {
		yes, no := "yes, or done", s.no
		if no == "" {
			yes, no = "done", "never"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | wrong usage, or it could not be judged or reached, or is not in force yet |\n", strings.Join(s.commands, "`, `"), yes, no)
	}
	b.WriteString("| `ec2`, `iam`, `sts`, `cloudtrail`, `configure` | the AWS CLI's: 0, 252, 253, 254, 255 | | |\n")
	return b.String()
}

// tellStatuses adds the meaning of their exit statuses to the help of commands.
func tellStatuses(root *cobra.Command) {
	for _, s := range statuses {
		for _, name := range s.commands {
			c, rest, err := root.Find(strings.Fields(name))
			if err != nil || len(rest) > 0 || s.no == "" {
				continue
			}
			if c.Long == "" {
				c.Long = c.Short + "."
			}
			c.Long += "\n\n" + wrap("Exit status: 0 if yes or done; 1 if "+s.no+"; 2 if the usage is wrong, or it could not be judged or reached.", 80)
		}
	}
}

// wrap breaks a text into lines of a width.
func wrap(text string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
