package awscli

import (
	"fmt"
	"time"

	"moat/awsargs"
	"moat/awsmodel"
)

// runWait polls an operation until something is so.
func (s *session) runWait(service *awsmodel.Service, args []string) (int, error) {
	names := make([]string, len(service.Waiters))
	for i, w := range service.Waiters {
		names[i] = awsmodel.CommandName(w)
	}
	if len(args) == 1 && args[0] == "help" {
		return s.helpWait(service, names)
	}
	p := &awsargs.Parser{Options: []*awsargs.Option{{Name: "subcommand", Arity: awsargs.Opt, Choices: names}}}
	values, _, err := p.Parse(args)
	if err != nil {
		return 0, err
	}
	name, _ := values["subcommand"].(string)
	if name == "" {
		return 0, wrongLine("usage: %s [options] %s wait <subcommand> [parameters]\n%s: error: too few arguments", s.prog, service.Name, s.prog)
	}
	rest := make([]string, 0, len(args))
	for i, a := range args {
		if a == name {
			rest = append(append(rest, args[:i]...), args[i+1:]...)
			break
		}
	}
	var waiter *awsmodel.Waiter
	for i, n := range names {
		if n == name {
			waiter = service.Wait(service.Waiters[i])
		}
	}
	op := service.Lookup(waiter.Operation)
	table := awsargs.For(op, true)
	req, err := table.Read(rest, s.globals.paginate, s.loader, readYAML)
	if err != nil {
		return 0, err
	}
	if req.Help {
		return s.helpOperation(op, table)
	}
	switch req.Skeleton {
	case "input", "yaml-input", "output":
		return s.runOperation(op, rest)
	}
	c, err := s.newClient(service)
	if err != nil {
		return 0, err
	}
	if err := s.timeFormat(); err != nil {
		return 0, err
	}
	if req.Paging.Len() > 0 {
		req.Params.Set("PaginationConfig", req.Paging)
	}
	if err := s.check(op, req.Params); err != nil {
		return 0, err
	}
	return 0, s.wait(c, op, req.Params, waiter)
}

func (s *session) wait(c *client, op *awsmodel.Operation, params *awsmodel.Map, w *awsmodel.Waiter) error {
	failed := func(format string, args ...any) error {
		return general("Waiter %s failed: %s", w.Name, fmt.Sprintf(format, args...))
	}
	var last *awsmodel.Acceptor
	for attempt := 1; ; attempt++ {
		a, err := c.call(s.ctx, op, params)
		if err != nil {
			return err
		}
		state := ""
		for i := range w.Acceptors {
			if accepts(&w.Acceptors[i], a) {
				last = &w.Acceptors[i]
				state = last.State
				break
			}
		}
		switch {
		case state == "" && a.refused != nil:
			return failed("An error occurred (%s): %s", a.refused.code, a.refused.message)
		case state == "success":
			return nil
		case state == "failure":
			return failed("Waiter encountered a terminal failure state: %s", explain(last))
		case attempt >= w.MaxAttempts:
			if last == nil {
				return failed("Max attempts exceeded")
			}
			return failed("Max attempts exceeded. Previously accepted state: %s", explain(last))
		}
		if err := s.sleep(s.ctx, time.Duration(w.Delay)*time.Second); err != nil {
			return err
		}
	}
}

// accepts reports whether an answer is what the acceptor waits for.
func accepts(w *awsmodel.Acceptor, a *answer) bool {
	switch w.Matcher {
	case "error":
		return a.refused != nil && a.refused.code == w.Expected
	case "status":
		return int64(a.status) == w.Expected
	}
	if a.refused != nil {
		return false
	}
	v := choose(a.out, w.Argument)
	if w.Matcher == "path" {
		return v == w.Expected
	}
	list, _ := v.([]any)
	if len(list) == 0 {
		return false
	}
	for _, item := range list {
		if equal := item == w.Expected; equal != (w.Matcher == "pathAll") {
			return equal
		}
	}
	return w.Matcher == "pathAll"
}

func explain(a *awsmodel.Acceptor) string {
	expected := awsargs.Str(a.Expected)
	switch a.Matcher {
	case "path":
		return fmt.Sprintf("For expression \"%s\" we matched expected path: \"%s\"", a.Argument, expected)
	case "pathAll":
		return fmt.Sprintf("For expression \"%s\" all members matched excepted path: \"%s\"", a.Argument, expected)
	case "pathAny":
		return fmt.Sprintf("For expression \"%s\" we matched expected path: \"%s\" at least once", a.Argument, expected)
	case "status":
		return "Matched expected HTTP status code: " + expected
	}
	return "Matched expected service error code: " + expected
}
