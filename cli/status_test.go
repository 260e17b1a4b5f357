package cli

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"

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
