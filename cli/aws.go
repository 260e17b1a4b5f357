package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"moat/awscli"
)

// awsCommands are the commands that take the AWS CLI's options.
var awsCommands = []struct{ name, short string }{
	{"ec2", "Call an action of EC2, with the AWS CLI's options and output"},
	{"iam", "Call an action of IAM, with the AWS CLI's options and output"},
	{"sts", "Call an action of STS, with the AWS CLI's options and output"},
	{"cloudtrail", "Call an action of CloudTrail, with the AWS CLI's options and output"},
	{"configure", "Write a profile of credentials and region, as aws configure does"},
}

// awsCommand shows one of them in help and completion; Main runs it before
// cobra sees the line.
func awsCommand(name, short string) *cobra.Command {
	use := name + " <operation> [--option value]..."
	if name == "configure" {
		use = name + " [list | get NAME | set NAME VALUE | list-profiles]"
	}
	return &cobra.Command{
		Use:                use,
		Short:              short,
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			return status(awscli.Run(c.Context(), invocation("moat", append([]string{name}, args...))))
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			found, directive := awscli.Complete(c.Context(), invocation("moat", append([]string{name}, args...)), word), cobra.ShellCompDirectiveNoFileComp
			if found == nil {
				directive = cobra.ShellCompDirectiveDefault
			}
			return found, directive
		},
	}
}

func status(code int) error {
	if code == 0 {
		return nil
	}
	return exitCode(code)
}

func invocation(prog string, args []string) awscli.Invocation {
	inv := awscli.Invocation{Prog: prog, Args: args, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Version: Version()}
	for _, s := range services {
		inv.Services = append(inv.Services, awscli.Service{Name: s.name, Actions: s.actions})
	}
	return inv
}

// runAWS runs a line that is the AWS CLI's: all of them where the program is
// called aws, else those that name one of its commands, and with --cli-compat
// those that are no command of moat's.
func runAWS(ctx context.Context, name string, args []string, root func() *cobra.Command) (code int, ran bool) {
	switch name {
	case "aws":
		inv := invocation("aws", args)
		inv.Other = handOver
		return awscli.Run(ctx, inv), true
	case "aws_completer":
		fmt.Print(completeLine(ctx))
		return 0, true
	}
	command := awscli.Command(args)
	known := slices.ContainsFunc(awsCommands, func(c struct{ name, short string }) bool { return c.name == command })
	if !known && (!compat(args) || slices.ContainsFunc(root().Commands(), func(c *cobra.Command) bool { return c.Name() == command })) {
		return 0, false
	}
	return awscli.Run(ctx, invocation("moat", args)), true
}

func compat(args []string) bool {
	if os.Getenv("MOAT_CLI_COMPAT") != "" {
		return true
	}
	return slices.ContainsFunc(args, func(a string) bool { return a == "--cli-compat" || strings.HasPrefix(a, "--cli-compat=") })
}

// completeLine answers a shell that completes for the name aws as the AWS CLI
// is completed: the line is in COMP_LINE, the cursor in COMP_POINT.
func completeLine(ctx context.Context) string {
	line := os.Getenv("COMP_LINE")
	var at int
	if _, err := fmt.Sscan(os.Getenv("COMP_POINT"), &at); err == nil && at < len(line) {
		line = line[:at]
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return ""
	}
	word := ""
	if !strings.HasSuffix(line, " ") {
		word = words[len(words)-1]
		words = words[:len(words)-1]
	}
	if len(words) > 0 {
		words = words[1:]
	}
	var b strings.Builder
	for _, found := range awscli.Complete(ctx, invocation("aws", words), word) {
		found, _, _ = strings.Cut(found, "\t")
		b.WriteString(found + "\n")
	}
	return b.String()
}

// handedOver is set for the AWS CLI that a line was handed to, so that two
// programs that stand in for it never hand a line to and fro.
const handedOver = "MOAT_HANDED_OVER"

// handOver runs a line by the first program called aws in PATH that is not
// this one. It returns if there is none.
func handOver(args []string) {
	self, err := os.Executable()
	if err != nil || os.Getenv(handedOver) != "" {
		return
	}
	own, err := os.Stat(self)
	if err != nil {
		return
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "aws")
		info, err := os.Stat(path)
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 || os.SameFile(info, own) {
			continue
		}
		_ = syscall.Exec(path, append([]string{"aws"}, args...), append(os.Environ(), handedOver+"=1"))
	}
}
