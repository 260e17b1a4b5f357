package awscli

import (
	"errors"
	"fmt"
	"strings"

	"moat/awsargs"
)

// Exit statuses of the AWS CLI 2.
const (
	exitOK          = 0
	exitParam       = 252 // the line is wrong
	exitConfig      = 253 // the configuration is
	exitService     = 254 // the service refused
	exitGeneral     = 255
	exitInterrupted = 130
)

// A failure is an error with the status that it ends the command with.
type failure struct {
	status  int
	code    string // for those who read errors as data
	message string
}

func (f *failure) Error() string { return f.message }

func general(format string, args ...any) error {
	return &failure{exitGeneral, "", fmt.Sprintf(format, args...)}
}

func wrongLine(format string, args ...any) error {
	return &failure{exitParam, "ParamValidation", fmt.Sprintf(format, args...)}
}

// A refusal is an error that the service answered.
type refusal struct {
	operation, code, message string
	retries                  int // more than 0 if they were exhausted
}

func (r *refusal) Error() string {
	retried := ""
	if r.retries > 0 {
		retried = fmt.Sprintf(" (reached max retries: %d)", r.retries)
	}
	return fmt.Sprintf("An error occurred (%s) when calling the %s operation%s: %s", r.code, r.operation, retried, r.message)
}

const usageText = `usage: aws [options] <command> <subcommand> [<subcommand> ...] [parameters]
To see help text, you can run:

  aws help
  aws <command> help
  aws <command> <subcommand> help
`

// fail shows an error and gives the exit status.
func (s *session) fail(err error) int {
	status, message, plain := exitGeneral, err.Error(), false
	var usage *awsargs.UsageError
	var unknown *awsargs.UnknownOptions
	var param *awsargs.ParamError
	var fails *failure
	var refused *refusal
	help := strings.ReplaceAll(usageText, "aws", s.prog)
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(s.out)
		return exitInterrupted
	case errors.As(err, &usage):
		status = exitParam
		if s.compat {
			message = help + "\n" + s.prog + ": error: " + message + "\n"
		} else {
			fmt.Fprintf(s.err, "\n%s", help)
		}
	case errors.As(err, &unknown):
		status = exitParam
		if s.compat {
			message = "usage: " + strings.TrimPrefix(help, "usage: ") + "\n" + message + "\n"
		} else {
			fmt.Fprintf(s.err, "\n%s", help)
		}
	case errors.As(err, &param):
		status = exitParam
	case errors.As(err, &refused):
		status = exitService
	case errors.As(err, &fails):
		status, plain = fails.status, fails.message == ""
	}
	if plain {
		return status
	}
	if s.compat || s.errorFormat == "legacy" {
		fmt.Fprintf(s.err, "\n%s\n", message)
		return status
	}
	if s.structured(refused, status, message) {
		return status
	}
	fmt.Fprintf(s.err, "\n%s: [ERROR]: %s\n", s.prog, strings.TrimSpace(message))
	return status
}
