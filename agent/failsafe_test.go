package agent_test

import (
	"net/netip"
	"testing"

	"moat/agent"
	"moat/flow"
	"moat/ruleset"
	"moat/test/clause"
	"moat/vpc"
)

// What is denied because it cannot be enforced keeps its pinholes, and nothing
// else.
func TestDenyingKeepsPinholes(t *testing.T) {
	clause.Holds(t, "F99")
	hole, err := ruleset.ParsePinhole("22/10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	ports := flow.PortRange{From: 22, To: 22}
	rule := func(id vpc.RuleID, from string) ruleset.Rule {
		return ruleset.Rule{ID: id, Protocol: flow.TCP, Ports: ports, Remote: ruleset.Remote{Prefix: netip.MustParsePrefix(from)}}
	}
	rs := &ruleset.Ruleset{
		Policies: []ruleset.Policy{
			{Name: "egress sg-1", Direction: flow.Egress},
			{Name: "ingress failsafe exempt sg-1", Rules: []ruleset.Rule{rule(hole.RuleID(), "10.0.0.0/8"), rule("sgr-1", "192.0.2.0/24"), rule("exempt:in:198.51.100.7", "198.51.100.7/32")}},
			{Name: "ingress sg-1", Rules: []ruleset.Rule{rule("sgr-1", "192.0.2.0/24")}},
		},
		Interfaces: []ruleset.Interface{{ID: "eni-1", In: 1, Out: 0}, {ID: "eni-2", In: 2, Out: 0}, {ID: "eni-3", In: 2, Out: 0}},
	}
	denied := agent.Denying(rs, []vpc.InterfaceID{"eni-1", "eni-2"})
	for _, row := range []struct {
		id    vpc.InterfaceID
		from  string
		wants bool
	}{
		{"eni-1", "10.1.2.3", true},
		{"eni-1", "192.0.2.1", false},
		{"eni-1", "198.51.100.7", false}, // an exemption is no pinhole
		{"eni-2", "10.1.2.3", false},
		{"eni-2", "192.0.2.1", false},
		{"eni-3", "192.0.2.1", true},
	} {
		f := ruleset.Flow{Interface: row.id, Direction: flow.Ingress, Remote: netip.MustParseAddr(row.from), Protocol: flow.TCP, Port: 22}
		if got := denied.Judge(f).Allowed; got != row.wants {
			t.Errorf("%s from %s: %v, want %v", row.id, row.from, got, row.wants)
		}
	}
}

func TestPinholesAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"22/10.0.0.0/8": "22/10.0.0.0/8", "22/10.1.2.3/8": "22/10.0.0.0/8", "2222/192.0.2.7": "2222/192.0.2.7/32",
		"22/2001:db8::/32": "22/2001:db8::/32", "out:2379/10.9.0.0/16": "out:2379/10.9.0.0/16",
		"22": "", "0/10.0.0.0/8": "", "22/x": "", "65536/10.0.0.0/8": "", "in:22/10.0.0.0/8": "",
	} {
		p, err := ruleset.ParsePinhole(text)
		if want == "" && err == nil || want != "" && (err != nil || p.String() != want) {
			t.Errorf("%q is %v, %v; want %q", text, p, err, want)
		}
	}
}
