package awscli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// isTerminal reports whether a file is a terminal.
func isTerminal(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// width gives the terminal's width, 80 if output goes elsewhere.
func (s *session) width() int {
	if s.Out == nil {
		return 80
	}
	size, err := unix.IoctlGetWinsize(int(s.Out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 80
	}
	return int(size.Col)
}

// nothingToClose is a writer that stays open.
type nothingToClose struct{ io.Writer }

func (nothingToClose) Close() error { return nil }

// pager gives what output is written to: on a terminal, the pager that is
// configured.
func (s *session) pager() (io.WriteCloser, error) {
	command, err := s.pagerCommand()
	if err != nil {
		return nil, err
	}
	if s.globals.noPager || command == "" || !isTerminal(s.Out) {
		return nothingToClose{s.out}, nil
	}
	return &pager{s: s, words: strings.Fields(command)}, nil
}

// pagerCommand gives AWS_PAGER, or cli_pager of the profile, or PAGER, or less.
// One that is set to nothing turns the pager off.
func (s *session) pagerCommand() (string, error) {
	if v, ok := s.lookup("AWS_PAGER"); ok {
		return v, nil
	}
	p, err := s.config.profile()
	if err != nil {
		return "", err
	}
	if v, ok := p.get("cli_pager"); ok {
		return v, nil
	}
	if v, ok := s.lookup("PAGER"); ok {
		return v, nil
	}
	return "less", nil
}

// lookup tells a variable that is empty from one that is not there.
func (s *session) lookup(name string) (string, bool) {
	if v := s.Getenv(name); v != "" {
		return v, true
	}
	return os.LookupEnv(name)
}

// A pager is started when something is written to it.
type pager struct {
	s     *session
	words []string
	cmd   *exec.Cmd
	in    io.WriteCloser
}

func (p *pager) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if p.cmd == nil {
		p.cmd = exec.Command(p.words[0], p.words[1:]...)
		p.cmd.Stdout, p.cmd.Stderr = p.s.Out, p.s.Err
		p.cmd.Env = os.Environ()
		if _, ok := os.LookupEnv("LESS"); !ok {
			p.cmd.Env = append(p.cmd.Env, "LESS=FRX")
		}
		var err error
		if p.in, err = p.cmd.StdinPipe(); err == nil {
			err = p.cmd.Start()
		}
		if err != nil {
			return 0, &failure{exitConfig, "Pager", fmt.Sprintf("Unable to redirect output to pager. Received the following error when opening pager:\n%s\n\nLearn more about configuring the output pager by running \"%s help config-vars\".", pythonError(err, p.words[0]), p.s.prog)}
		}
	}
	n, err := p.in.Write(b)
	if errors.Is(err, syscall.EPIPE) { // the reader has seen enough
		return len(b), nil
	}
	return n, err
}

func (p *pager) Close() error {
	if p.cmd == nil || p.in == nil {
		return nil
	}
	p.in.Close()
	return p.cmd.Wait()
}

// pythonError says what the system refused, in the words of Python's OSError.
func pythonError(err error, path string) string {
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		number = syscall.ENOENT
	default:
		return err.Error()
	}
	text := number.Error()
	return fmt.Sprintf("[Errno %d] %s: '%s'", int(number), strings.ToUpper(text[:1])+text[1:], path)
}
