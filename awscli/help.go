package awscli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"moat/awsargs"
	"moat/awsmodel"
)

// page writes a page of help, through the pager on a terminal.
func (s *session) page(write func(w io.Writer)) (int, error) {
	w, err := s.pager()
	if err != nil {
		return 0, err
	}
	var b strings.Builder
	write(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return 0, err
	}
	return 0, w.Close()
}

func columns(w io.Writer, words []string) {
	for _, word := range words {
		fmt.Fprintf(w, "  %s\n", word)
	}
}

func (s *session) helpTop() (int, error) {
	return s.page(func(w io.Writer) {
		fmt.Fprintf(w, "Usage:\n  %s [options] <command> <subcommand> [parameters]\n\nCommands:\n", s.prog)
		columns(w, s.commandNames())
		fmt.Fprintf(w, "\nOptions:\n")
		for _, o := range s.globalOptions() {
			fmt.Fprintf(w, "  %s%s\n", o.Name, optionValue(o))
		}
	})
}

func (s *session) helpService(service *awsmodel.Service, commands []string) (int, error) {
	return s.page(func(w io.Writer) {
		fmt.Fprintf(w, "%s %s: %s, version %s\n\nUsage:\n  %s [options] %s <subcommand> [parameters]\n\nCommands:\n", s.prog, service.Name, service.Title, service.Version, s.prog, service.Name)
		for _, c := range commands {
			doc := ""
			if op := service.Find(c); op != nil && op.Doc != "" {
				doc = firstSentence(op.Doc)
			}
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-50s %s", c, doc), " "))
		}
	})
}

func (s *session) helpWait(service *awsmodel.Service, names []string) (int, error) {
	return s.page(func(w io.Writer) {
		fmt.Fprintf(w, "%s %s wait: poll until something is so\n\nUsage:\n  %s [options] %s wait <subcommand> [parameters]\n\nCommands:\n", s.prog, service.Name, s.prog, service.Name)
		for i, n := range names {
			wt := service.Wait(service.Waiters[i])
			fmt.Fprintf(w, "  %-40s every %d seconds, %d times at most\n", n, wt.Delay, wt.MaxAttempts)
		}
	})
}

func (s *session) helpOperation(op *awsmodel.Operation, table *awsargs.Arguments) (int, error) {
	return s.page(func(w io.Writer) {
		fmt.Fprintf(w, "%s %s %s\n", s.prog, op.Service.Name, op.Command())
		if op.Doc != "" {
			fmt.Fprintf(w, "\n%s\n", op.Doc)
		}
		fmt.Fprintf(w, "\nUsage:\n  %s [options] %s %s", s.prog, op.Service.Name, op.Command())
		shown := slices.DeleteFunc(slices.Clone(table.List), func(a *awsargs.Argument) bool { return a.Hidden })
		for _, a := range shown {
			if a.Required {
				fmt.Fprintf(w, " %s%s", a.Name, optionValue(&a.Option))
			}
		}
		fmt.Fprintf(w, " [parameters]\n\nParameters:\n")
		for _, a := range shown {
			notes := []string{}
			if a.Required {
				notes = append(notes, "required")
			}
			if shape := a.Shape(); shape != nil {
				notes = append(notes, shape.Kind.String())
				if len(shape.Enum) > 0 {
					notes = append(notes, strings.Join(shape.Enum, "|"))
				}
			}
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %s%s  (%s)", a.Name, optionValue(&a.Option), strings.Join(notes, ", ")), " ()"))
			if a.Member != nil && a.Member.Doc != "" {
				fmt.Fprintf(w, "      %s\n", a.Member.Doc)
			}
			if shape := a.Shape(); shape != nil && awsargs.Complex(shape) && !awsargs.OnlyValue(shape, awsmodel.Boolean) {
				if text := shorthandForm(shape); text != "" {
					fmt.Fprintf(w, "      %s\n", text)
				}
			}
		}
	})
}

func optionValue(o *awsargs.Option) string {
	switch o.Arity {
	case awsargs.Zero:
		return ""
	case awsargs.Opt:
		return " [<value>]"
	case awsargs.Any, awsargs.Many:
		return " <value> ..."
	}
	if len(o.Choices) > 0 {
		return " " + strings.Join(o.Choices, "|")
	}
	return " <value>"
}

func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, ". ")
	return strings.TrimSuffix(s, ".")
}

// shorthandForm shows how a value is written in shorthand.
func shorthandForm(s *awsmodel.Shape) string {
	more := ""
	if s.Kind == awsmodel.List {
		s, more = s.Elem, " ..."
	}
	return form(s, nil) + more
}

func form(s *awsmodel.Shape, stack []*awsmodel.Shape) string {
	if slices.Contains(stack, s) || len(stack) > 4 {
		return "..."
	}
	stack = append(stack, s)
	switch s.Kind {
	case awsmodel.Structure:
		var parts []string
		for i := range s.Members {
			parts = append(parts, s.Members[i].Name+"="+form(s.Members[i].Shape, stack))
		}
		text := strings.Join(parts, ",")
		if len(stack) > 1 {
			text = "{" + text + "}"
		}
		return text
	case awsmodel.List:
		item := form(s.Elem, stack)
		if s.Elem.Kind.Scalar() && len(stack) == 2 {
			return item + "," + item
		}
		return "[" + item + "," + item + "]"
	case awsmodel.Mapping:
		return "KeyName1=" + form(s.Elem, stack)
	}
	return s.Kind.String()
}
