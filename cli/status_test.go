package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"moat/server"
)

// An exemption for both directions stands out in red, and by a word where there
// is no colour.
func TestStatusOfExemptions(t *testing.T) {
	all := []server.ExemptionStatus{
		{Option: "--exempt aws", Text: "udp/123 to 169.254.169.123", Packets: 12},
		{Option: "--exempt 10.0.0.9", Text: "all traffic to and from 10.0.0.9", BothWays: true, Packets: 3},
	}
	for _, row := range []struct {
		all    []server.ExemptionStatus
		colour bool
		want   string
	}{
		{nil, true, "exempt  nothing: each flow needs a rule\n"},
		{all, false, "exempt  --exempt aws: udp/123 to 169.254.169.123: 12 packets\n        --exempt 10.0.0.9: UNFILTERED, all traffic to and from 10.0.0.9: 3 packets\n"},
		{all, true, "exempt  --exempt aws: udp/123 to 169.254.169.123: 12 packets\n        \x1b[31m--exempt 10.0.0.9: UNFILTERED, all traffic to and from 10.0.0.9: 3 packets\x1b[0m\n"},
	} {
		var out bytes.Buffer
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		writeExemptions(w, &screen{out: &out, colour: row.colour}, row.all)
		if err := w.Flush(); err != nil || out.String() != row.want {
			t.Errorf("got %q, want %q", out.String(), row.want)
		}
	}
}

// What --exempt may be, and what a refusal says.
func TestExemptSetting(t *testing.T) {
	testSettings(t)
	for _, row := range []struct {
		args   []string
		number int
		want   string // of a refusal
	}{
		{nil, 0, ""},
		{[]string{"--exempt", "none"}, 0, ""},
		{[]string{"--exempt", "aws"}, 3, ""},
		{[]string{"--exempt", "aws,10.0.0.2/53", "--exempt", "[fd00::2]:53"}, 5, ""},
		{[]string{"--exempt", "10.0.0.2/25"}, 0, `--exempt: "10.0.0.2/25" is ambiguous: write 10.0.0.2:25 for port 25`},
		{[]string{"--exempt", "none,aws"}, 0, `--exempt: "none"`},
		{[]string{"--config", write(t, "moat.yaml", "exempt: [aws, 10.0.0.9]\n")}, 4, ""},
	} {
		s, err := completed(row.args...)
		switch {
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%q: %v, want %q", row.args, err, row.want)
		case row.want == "" && (err != nil || len(s.enforcing.Exempt) != row.number):
			t.Errorf("%q: %v, %v, want %d exemptions", row.args, s.enforcing.Exempt, err, row.number)
		}
	}
}

// A data directory that this version makes does not list what earlier versions
// exempted. One of an earlier version lists it until --exempt is given, or until
// a rule lets everything out again.
func TestUpgradeIsToldUntilExemptIsGiven(t *testing.T) {
	if reason := whyNotEnforce(); reason != "" {
		t.Skip(reason)
	}
	l := newLAN(t, "exm", "10.213.7.105", "10.213.7.106")
	dir := dataDir(t)
	at := []string{"--data-dir", dir}
	e, stop := start(t, dir)
	eni, group := l.workload(e, "10.213.7.96/28")
	all := []string{"GroupId", group, "IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"}
	ec2Form(t, e, "return", append([]string{"Action", "RevokeSecurityGroupEgress"}, all...)...)
	mustMoat(t, append([]string{"attach", eni, "--dev", l.dev}, at...)...)
	const warning = "WARNING: no rule lets these interfaces open what earlier versions of Moat exempted by default:"
	want := func(listed bool, when string) {
		t.Helper()
		out := mustMoat(t, append([]string{"status"}, at...)...)
		if got := strings.Contains(out, warning) && strings.Contains(out, "  "+eni+": dns (tcp/53 and udp/53 to 10.213.7.98, 169.254.169.253), metadata (tcp/80 to 169.254.169.254), time") &&
			strings.Contains(out, "    aws ec2 authorize-security-group-egress --group-id "+group+" --protocol tcp --port 53 --cidr 10.213.7.98/32\n") &&
			strings.Contains(out, "--exempt aws") && strings.Contains(out, "--exempt none"); got != listed || strings.Contains(out, warning) != listed {
			t.Errorf("%s: listed %v, want %v:\n%s", when, got, listed, out)
		}
	}
	want(false, "in a new data directory")
	stop()
	_, stop = start(t, dir)
	want(false, "at its second start")
	stop()
	if err := os.Remove(filepath.Join(dir, exemptFile)); err != nil {
		t.Fatal(err)
	}
	_, stop = start(t, dir)
	want(true, "in a data directory of an earlier version")
	stop()
	for _, word := range []string{"none", "aws"} {
		_, stop = start(t, dir, "--exempt", word)
		want(false, "with --exempt "+word)
		stop()
	}
	t.Setenv("MOAT_EXEMPT", "none")
	s, f := &settings{}, pflag.NewFlagSet("serve", pflag.ContinueOnError)
	if s.flags(f); f.Parse(nil) != nil || s.complete(f) != nil || !s.exemptGiven {
		t.Error("MOAT_EXEMPT does not count as given")
	}
	e, stop = start(t, dir) // which clears the environment
	want(true, "without it again")
	ec2Form(t, e, "return", append([]string{"Action", "AuthorizeSecurityGroupEgress"}, all...)...)
	want(false, "with a rule for everything")
	mustMoat(t, append([]string{"detach", eni}, at...)...)
	stop()
}
