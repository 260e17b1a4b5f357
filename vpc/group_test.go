package vpc_test

import (
	"net/netip"
	"strings"
	"testing"

	"moat/flow"
	"moat/vpc"
)

func TestParseGroupName(t *testing.T) {
	long := strings.Repeat("n", 255)
	const (
		set   = "InvalidParameterValue: Invalid security group name. Valid names are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
		value = "InvalidParameterValue: "
	)
	for _, c := range []struct{ in, want, refused string }{
		{"web", "web", ""}, {"Web tier ._-:/()#,@[]+=&;{}!$*", "Web tier ._-:/()#,@[]+=&;{}!$*", ""}, {long, long, ""},
		{"web  ", "web", ""}, {" web", " web", ""}, {"Default", "Default", ""}, {"defaults", "defaults", ""}, {"my-sg-1", "my-sg-1", ""},
		{"", "", "MissingParameter: The request must contain the parameter GroupName"},
		{"   ", "", "MissingParameter: The request must contain the parameter GroupName"},
		{"sg-web", "", value + "Value (sg-web) for parameter GroupName is invalid. Group names may not be in the format sg-*."},
		{"default", "", value + "Cannot use reserved security group name: default"},
		{"default ", "", value + "Cannot use reserved security group name: default"},
		{"wéb", "", value + "Value (wéb) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."},
		{"a%b", "", set}, {`a"b`, "", set}, {"a'b", "", set}, {"a<b", "", set}, {`a\b`, "", set}, {"a\nb", "", set}, {long + "n", "", set},
	} {
		got, err := vpc.ParseGroupName(c.in)
		if got != c.want || message(err) != c.refused {
			t.Errorf("name %q: %q %q, want %q %q", c.in, got, message(err), c.want, c.refused)
		}
	}
}

func TestDescriptions(t *testing.T) {
	const (
		group = "InvalidParameterValue: Invalid security group description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
		rule  = "InvalidParameterValue: Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
		ascii = "InvalidParameterValue: Value (né) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported."
	)
	long := strings.Repeat("d", 255)
	for _, c := range []struct{ in, group, rule string }{
		{"web & tier", "", ""}, {long, "", ""},
		{"", "MissingParameter: The request must contain the parameter GroupDescription", ""},
		{"né", ascii, rule}, {"100%", group, rule}, {long + "d", group, rule},
	} {
		if got := message(vpc.CheckGroupDescription(c.in)); got != c.group {
			t.Errorf("group described %q: %q, want %q", c.in, got, c.group)
		}
		if got := message(vpc.CheckRuleDescription(c.in)); got != c.rule {
			t.Errorf("rule described %q: %q, want %q", c.in, got, c.rule)
		}
	}
}

func TestCountRules(t *testing.T) {
	cidr := func(s string) vpc.Peer { return vpc.Peer{CIDR: netip.MustParsePrefix(s)} }
	rules := []vpc.Rule{
		{Peer: cidr("10.0.0.0/8")}, {Peer: cidr("10.1.0.0/16")},
		{Peer: cidr("::/0")},
		{Peer: vpc.Peer{Ref: "sg-1"}},
		{Peer: vpc.Peer{Ref: "pl-1"}},
		{Direction: flow.Egress, Peer: cidr("0.0.0.0/0")},
	}
	weight := func(vpc.PrefixListID) int { return 30 }
	if v4, v6 := vpc.CountRules(rules, flow.Ingress, weight); v4 != 33 || v6 != 32 {
		t.Errorf("ingress counts %d and %d, want 2+1+30 and 1+1+30", v4, v6)
	}
	if v4, v6 := vpc.CountRules(rules, flow.Egress, weight); v4 != 1 || v6 != 0 {
		t.Errorf("egress counts %d and %d, want 1 and 0", v4, v6)
	}
}

func TestRulesTimesGroups(t *testing.T) {
	for _, c := range []struct{ rules, groups, product, want int }{
		{60, 5, 1000, 60}, {200, 5, 1000, 200},
		{250, 5, 1000, 200}, {100, 16, 1000, 62},
	} {
		q := &vpc.Quotas{RulesPerGroup: c.rules, GroupsPerInterface: c.groups, RulesTimesGroups: c.product}
		if got := q.RulesEach(); got != c.want {
			t.Errorf("%d rules, %d groups, product %d: %d rules each, want %d", c.rules, c.groups, c.product, got, c.want)
		}
	}
	if q := vpc.NoQuotas(); q.RulesEach() != q.RulesPerGroup {
		t.Errorf("without quotas %d rules each, want %d", q.RulesEach(), q.RulesPerGroup)
	}
}
