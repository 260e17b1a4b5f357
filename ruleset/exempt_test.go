package ruleset_test

import (
	"slices"
	"strings"
	"testing"

	"moat/ruleset"
	"moat/vpc"
)

// Each word means one thing, or is refused with what to write instead.
func TestParseExemptions(t *testing.T) {
	for _, row := range []struct{ words, want string }{ // want begins with "error" for a refusal that has the rest
		{"", ""},
		{"none", ""},
		{"aws", "exempt:aws:dns exempt:aws:metadata exempt:aws:time"},
		{"10.0.0.2/53", "exempt:10.0.0.2/53"},
		{"10.0.0.2:53", "exempt:10.0.0.2/53"},
		{"10.0.0.2/33", "exempt:10.0.0.2/33"},
		{"10.0.0.2:25", "exempt:10.0.0.2:25"},
		{"10.0.0.2/65535", "exempt:10.0.0.2/65535"},
		{"10.0.0.2", "exempt:in:10.0.0.2 exempt:out:10.0.0.2"},
		{"10.0.0.2/32", "exempt:in:10.0.0.2 exempt:out:10.0.0.2"},
		{"10.0.0.0/24", "exempt:in:10.0.0.0/24 exempt:out:10.0.0.0/24"},
		{"0.0.0.0/0", "exempt:in:0.0.0.0/0 exempt:out:0.0.0.0/0"},
		{"10.0.0.2/25", "error ambiguous: write 10.0.0.2:25 for port 25 of the address, or 10.0.0.0/25 for all traffic to and from the block"},
		{"10.0.0.2/22", "error 10.0.0.2:22"},
		{"10.0.0.2/0", "error write 0.0.0.0/0"},
		{"fd00::2", "exempt:in:fd00::2 exempt:out:fd00::2"},
		{"fd00::/8", "exempt:in:fd00::/8 exempt:out:fd00::/8"},
		{"fd00::2/128", "exempt:in:fd00::2 exempt:out:fd00::2"},
		{"fd00::2/129", "exempt:fd00::2/129"},
		{"fd00::2/443", "exempt:fd00::2/443"},
		{"fd00::2/53", "error write [fd00::2]:53 for port 53 of the address, or fd00::/53 for all"},
		{"[fd00::2]:53", "exempt:[fd00::2]:53"},
		{"[fd00::2]/53", "exempt:[fd00::2]:53"},
		{"[fd00::2]/443", "exempt:fd00::2/443"},
		{"fd00::2:53", "exempt:in:fd00::2:53 exempt:out:fd00::2:53"}, // an address
		// The same words twice, and in another order.
		{"aws 10.0.0.9 10.0.0.2:53 aws 10.0.0.2/53", "exempt:aws:dns exempt:aws:metadata exempt:aws:time exempt:10.0.0.2/53 exempt:in:10.0.0.9 exempt:out:10.0.0.9"},
		{"aws none", "error must be the only value"},
		{"10.0.0.2:0", "error"}, {"[fd00::2]/0", "error"}, {"10.0.0.2/65536", "error"}, {"10.0.0.2/", "error"}, {"10.0.0.2/053", "error"},
		{"10.0.0.2/-1", "error"}, {"10.0.0.2/+53", "error"}, {"10.0.0", "error"}, {"fe80::1%eth0", "error"}, {"[fd00::2]", "error"}, {"web", "error"},
		{"::ffff:10.0.0.2", "error 10.0.0.2"}, {"::ffff:10.0.0.0/120", "error 10.0.0.0"}, {"in:10.0.0.2", "error"}, {"aws:dns", "error"},
	} {
		all, err := ruleset.ParseExemptions(strings.Fields(row.words))
		var got []string
		for _, e := range all {
			for _, id := range e.RuleIDs() {
				got = append(got, string(id))
			}
		}
		refusal, refused := strings.CutPrefix(row.want, "error")
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), strings.TrimSpace(refusal))):
			t.Errorf("%q is %q, %v; want a refusal with %q", row.words, got, err, refusal)
		case !refused && (err != nil || strings.Join(got, " ") != row.want):
			t.Errorf("%q is %q, %v; want %q", row.words, strings.Join(got, " "), err, row.want)
		}
		for _, e := range all { // what it is written as means the same
			if again, err := ruleset.ParseExemptions([]string{e.String()}); e.Service == "" && (err != nil || len(again) != 1 || again[0] != e) {
				t.Errorf("%q is written as %q, which is %v, %v", row.words, e, again, err)
			}
		}
	}
}

// The names of rules tell which option they come from and what they let pass.
func TestOptionOf(t *testing.T) {
	for id, want := range map[vpc.RuleID]string{
		"exempt:aws:dns":           "--exempt aws: tcp/53 and udp/53 to the VPC's resolver, 169.254.169.253 and fd00:ec2::253",
		"exempt:aws:metadata":      "--exempt aws: tcp/80 to 169.254.169.254 and fd00:ec2::254",
		"exempt:aws:time":          "--exempt aws: udp/123 to 169.254.169.123 and fd00:ec2::123",
		"exempt:10.0.0.2:25":       "--exempt 10.0.0.2:25: tcp/25 and udp/25 to 10.0.0.2",
		"exempt:fd00::2/443":       "--exempt fd00::2/443: tcp/443 and udp/443 to fd00::2",
		"exempt:in:10.0.0.9":       "--exempt 10.0.0.9: all traffic from 10.0.0.9",
		"exempt:out:10.0.0.0/24":   "--exempt 10.0.0.0/24: all traffic to 10.0.0.0/24",
		"failsafe:22/10.0.0.0/8":   "--failsafe: tcp/22, 10.0.0.0/8",
		"exempt:aws:mail":          "",
		"exempt:web":               "",
		"sgr-0123456789abcdef0":    "",
		"failsafe:22/nowhere at a": "",
	} {
		got := ""
		if option, text, ok := ruleset.OptionOf(id); ok {
			got = option + ": " + text
		}
		if got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
}

// The resolver is in the rules, so that policies of VPCs differ by name where it
// is exempt, and by nothing where it is not.
func TestPolicyNamesTellResolversApart(t *testing.T) {
	for exempt, want := range map[string]string{
		"none":             "egress sg-g, ingress sg-g",
		"aws":              "egress exempt:10.0.0.2 sg-g, egress exempt:10.2.0.2 sg-g, ingress sg-g",
		"192.0.2.1/53":     "egress exempt sg-g, ingress sg-g",
		"192.0.2.1":        "egress exempt sg-g, ingress exempt sg-g",
		"aws 198.51.100.1": "egress exempt:10.0.0.2 sg-g, egress exempt:10.2.0.2 sg-g, ingress exempt sg-g",
	} {
		w := newWorld(t)
		for _, l := range []string{"vpc vpc-2 10.2.0.0/16", "interface eni-1 10.0.0.5 in g", "interface eni-2 10.2.0.5 in g vpc vpc-2", "group g: nothing", "exempt " + exempt} {
			w.add(l)
		}
		rs := w.ruleset()
		var names []string
		for _, p := range rs.Policies {
			names = append(names, p.Name)
			if !slices.IsSortedFunc(p.Rules, ruleset.Compare) {
				t.Errorf("%s: the rules of %s are not in order: %v", exempt, p.Name, p.Rules)
			}
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("--exempt %s: %s, want %s", exempt, got, want)
		}
	}
}
