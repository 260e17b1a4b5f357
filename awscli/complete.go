package awscli

import (
	"context"
	"slices"
	"strings"

	"moat/awsargs"
)

// Command gives the word of a line at which a command stands: the first that
// is neither a global option nor its value.
func Command(args []string) string {
	s := &session{}
	options := append(s.globalOptions(), &awsargs.Option{Name: "--cli-compat"})
	for i := 0; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") {
			return a
		}
		name, _, has := strings.Cut(a, "=")
		j := slices.IndexFunc(options, func(o *awsargs.Option) bool { return o.Name == name })
		if j < 0 {
			return ""
		}
		if options[j].Arity == awsargs.One && !has {
			i++
		}
	}
	return ""
}

// Complete gives what may stand where word stands, after a line. What follows
// a tab describes it. Nil stands for files.
func Complete(ctx context.Context, inv Invocation, word string) []string {
	return nil
}
