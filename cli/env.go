package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func envCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "env",
		Short: "Print the environment by which AWS clients find the server",
		Long: `Prints export lines for a shell, from the data directory alone:

    eval "$(moat env)"

For a server that root runs: eval "$(sudo moat env)".`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			e, err := readEndpoint(dir)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			for _, v := range e.environment(dir) {
				if _, err := fmt.Fprintf(out, "export %s=%s\n", v.name, shellQuote(v.value)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "data-dir", chosenDataDir(), "the server's data directory")
	return c
}

type variable struct{ name, value string }

// environment gives the variables by which AWS clients and moat's own commands
// find a server. The old AWS CLI reads AWS_DEFAULT_REGION only.
func (e endpoint) environment(dir string) []variable {
	vs := []variable{
		{"AWS_ACCESS_KEY_ID", e.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", e.SecretAccessKey},
		{"AWS_REGION", e.Region},
		{"AWS_DEFAULT_REGION", e.Region},
		{"AWS_ENDPOINT_URL", e.URL},
		{"MOAT_ENDPOINT_URL", e.URL},
		{"MOAT_DATA_DIR", dir},
		{"MOAT_ACCOUNT", e.Account},
	}
	if e.CABundle != "" {
		vs = append(vs, variable{"AWS_CA_BUNDLE", e.CABundle})
	}
	return vs
}

// shellQuote quotes for every POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
