// Package cli is the command line: it turns flags, environment and files into
// settings, and wires servers from them.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs a command line and gives the exit status.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if code, ran := runAWS(ctx, filepath.Base(os.Args[0]), args, rootCommand); ran {
		return code
	}
	root := rootCommand()
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	var code exitCode
	if err != nil && !errors.As(err, &code) {
		fmt.Fprintln(os.Stderr, "moat:", err)
	}
	return int(exitOf(c, err))
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "moat",
		Short:         "Amazon EC2 security groups that you run yourself",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       Version(),
	}
	root.SetVersionTemplate(versionLine())
	root.AddCommand(serveCommand(), envCommand(), backupCommand(), restoreCommand(), actionsCommand(), versionCommand(),
		attachCommand(), detachCommand(), enforceCommand(), interfacesCommand(), rulesCommand(), statusCommand(), waitCommand())
	root.AddCommand(lsCommand(), showCommand(), findCommand(), whoUsesCommand(), diffCommand())
	root.AddCommand(logCommand(), blameCommand())
	root.AddCommand(guardrailCommand(), whyCommand(), tryCommand(), demoCommand(), demoWebCommand(), demoProbeCommand())
	root.AddCommand(allowCommand(), denyCommand(), renameCommand(), rmCommand(), replaceGroupCommand(), undoCommand())
	root.AddCommand(manualCommand())
	for _, c := range awsCommands {
		root.AddCommand(awsCommand(c.name, c.short))
	}
	arrange(root)
	tellStatuses(root)
	return root
}

// exitCode ends the process with a status and no further word.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
