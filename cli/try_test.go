package cli

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"moat/explain"
	"moat/flow"
	"moat/server"
)

func TestTried(t *testing.T) {
	answer := func(allowed bool, unenforced string) *explain.Answer {
		a := &explain.Answer{Allowed: allowed}
		a.From, a.To = explain.End{Name: "client", Addr: netip.MustParseAddr("172.31.0.5")}, explain.End{Name: "web", Addr: netip.MustParseAddr("172.31.0.6")}
		a.Protocol, a.Port = flow.TCP, 80
		out := explain.Gate{Name: "client", Egress: flow.Egress, Allowed: true, Rule: &explain.Rule{ID: "sgr-out"}}
		in := explain.Gate{Name: "web", Remote: a.From.Addr, Allowed: allowed, Groups: []explain.Group{{ID: "sg-1", Name: "demo"}}, Unenforced: unenforced}
		if allowed {
			in.Rule = &explain.Rule{ID: "sgr-in"}
		} else {
			in.Missing = []explain.Missing{{Command: "aws ec2 authorize-security-group-ingress"}}
		}
		a.Gates = []explain.Gate{out, in}
		return a
	}
	took := 2345 * time.Microsecond
	timeout := &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	refused := &net.OpError{Op: "dial", Err: fmt.Errorf("connect: %w", syscall.ECONNREFUSED)}
	const missing = "demo has no rule for tcp/80 from 172.31.0.5"
	for _, row := range []struct {
		what    string
		why     *server.Why
		failure error
		want    string
		ok      bool
	}{
		{"open", &server.Why{Answer: answer(true, "")}, nil, "connected, by sgr-in\n", true},
		{"open, a moment ago", &server.Why{Answer: answer(true, ""), EnforcedAfter: &took}, nil, "connected, by sgr-in, enforced 2.3 ms after the API call\n", true},
		{"shut", &server.Why{Answer: answer(false, "")}, timeout,
			"TIMEOUT: " + missing + "\nThis allows exactly it:\n\n    aws ec2 authorize-security-group-ingress\n", false},
		{"shut, and connected", &server.Why{Answer: answer(false, "bound to no device")}, nil,
			"connected, although " + missing + "\nweb is not enforced: bound to no device\n", false},
		{"open, nobody listens", &server.Why{Answer: answer(true, "")}, refused, "REFUSED: the packets pass, by sgr-in; nothing listens on web (172.31.0.6) port 80\n", false},
		{"another error", &server.Why{Answer: answer(true, "")}, errors.New("no route"), "FAILED: from client: no route\n", false},
	} {
		got, ok := tried(row.why, "client", row.failure)
		if got != row.want || ok != row.ok {
			t.Errorf("%s: got %v %q\nwant %v %q", row.what, ok, got, row.ok, row.want)
		}
	}
}

// A process is told from another that got its id.
func TestDemoProcess(t *testing.T) {
	start, ok := startOf(os.Getpid())
	if !ok || start == "" {
		t.Fatal("this process has no start")
	}
	for _, row := range []struct {
		p    demoProcess
		want bool
	}{
		{demoProcess{os.Getpid(), start}, true},
		{demoProcess{os.Getpid(), start + "1"}, false},
		{demoProcess{os.Getpid(), ""}, false},
		{demoProcess{}, false},
	} {
		if got := row.p.runs(); got != row.want {
			t.Errorf("%+v runs: %v, want %v", row.p, got, row.want)
		}
	}
	if err := (demoProcess{os.Getpid(), start + "1"}).stop(); err != nil {
		t.Error(err) // and this process goes on
	}
}
