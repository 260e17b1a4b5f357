package survey_test

import (
	"slices"
	"testing"
)

// People look for an address among the others of its neighbourhood: 10.1.16.0
// stands between 10.1.2.0 and 10.1.128.0.
func TestShowOrdersRulesByNumber(t *testing.T) {
	w := newSite(t)
	w.group("web")
	for _, cidr := range []string{"10.1.128.0/17", "9.0.0.0/8", "10.1.16.0/20", "2001:db8::/32", "10.1.2.0/31", "10.0.0.0/8", "10.0.0.0/16", "web"} {
		w.allow("in", "web", "tcp 22", cidr)
	}
	w.allow("in", "web", "tcp 9", "10.9.0.0/16")
	shown, err := w.survey().Show("web")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range shown.In {
		got = append(got, r.CIDR)
	}
	want := []string{"10.9.0.0/16", "", "9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "10.1.2.0/31", "10.1.16.0/20", "10.1.128.0/17", "2001:db8::/32"}
	if !slices.Equal(got, want) {
		t.Errorf("the rules stand as\n%q, not as\n%q", got, want)
	}
}
