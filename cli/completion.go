package cli

import (
	_ "embed"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// completionBash makes cobra's script work without the package bash-completion.
//
//go:embed completion.bash
var completionBash string

// addCompletion adds the command completion. Its script for bash needs no
// other package, unlike cobra's.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil {
		panic(err) // cobra always adds it
	}
	bash.Long = `Prints a script with which bash completes commands, options, names and ids.
Put this line into ~/.bashrc:

    source <(moat completion bash)

The package bash-completion is not needed. Where it is installed, this
completes for all users:

    moat completion bash | sudo tee /etc/bash_completion.d/moat >/dev/null`
	bash.RunE = func(c *cobra.Command, _ []string) error {
		plain, err := c.Flags().GetBool("no-descriptions")
		if err != nil {
			return err
		}
		var script strings.Builder
		if err := root.GenBashCompletionV2(&script, !plain); err != nil {
			return err
		}
		_, err = io.WriteString(c.OutOrStdout(), strings.ReplaceAll(script.String(), "_filedir", "__moat_filedir")+completionBash)
		return err
	}
}
