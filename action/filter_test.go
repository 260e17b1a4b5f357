package action

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		want       bool
		pattern, s string
	}{
		{true, "web", "web"},
		{false, "web", "web1"},
		{false, "web", "Web"},
		{true, "", ""},
		{false, "", "w"},
		{true, "*", ""},
		{true, "**", "web"},
		{true, "web*", "web"},
		{true, "web*", "web-1"},
		{false, "web*", "a web"},
		{true, "*web", "a web"},
		{false, "*web", "web 1"},
		{true, "w*b", "wb"},
		{false, "w*w", "w"}, // the two ends do not share a character
		{true, "a*b*c", "a-b-b-c"},
		{false, "a*c*b", "a-b-b-c"},
		{true, "*ab*", "aab"},
		{true, "w?b", "web"},
		{false, "w?b", "wb"}, // a question mark is one character, not none
		{true, "w?b", "wéb"},
		{false, "w??b", "wéb"},
		{true, "*?", "é"},
		{false, "*?", ""},
		{true, "*a?c", "abcaxc"},
		{false, "*a?c", "abcaxcd"},
		{true, `10\*`, "10*"},
		{false, `10\*`, "10x"},
		{true, `10\?`, "10?"},
		{false, `10\?`, "101"},
		{true, `a\\b`, `a\b`},
		{true, `a\`, `a\`},
		{true, `a\b`, "ab"},
		{false, `a\b`, `a\b`},
	} {
		if got := Glob(c.pattern, c.s); got != c.want {
			t.Errorf("Glob(%q, %q) = %v, want %v", c.pattern, c.s, got, c.want)
		}
	}
}

// plainGlob is Glob by a definition that is slow and plain.
func plainGlob(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return plainGlob(p[1:], s) || len(s) > 0 && plainGlob(p, s[1:])
	case len(s) == 0:
		return false
	case p[0] == '?':
		return plainGlob(p[1:], s[1:])
	case p[0] == '\\' && len(p) > 1:
		return p[1] == s[0] && plainGlob(p[2:], s[1:])
	}
	return p[0] == s[0] && plainGlob(p[1:], s[1:])
}

func TestGlobLaw(t *testing.T) {
	draw := func(r *rand.Rand) []rune {
		out := make([]rune, r.IntN(9))
		for i := range out {
			out[i] = []rune(`aab*?\é`)[r.IntN(7)]
		}
		return out
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		p, s := draw(r), draw(r)
		if got, want := Glob(string(p), string(s)), plainGlob(p, s); got != want {
			t.Fatalf("Glob(%q, %q) = %v, want %v", string(p), string(s), got, want)
		}
	}
}

func FuzzGlob(f *testing.F) {
	for _, c := range [][2]string{{"web*", "web-1"}, {"*a?c", "abcaxc"}, {`10\*`, "10*"}, {"w?b", "wéb"}, {`a\`, `a\`}, {"", ""}, {"a**b", "ab"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, p, s string) {
		// Requests and rows are UTF-8; the plain definition takes its time.
		if !utf8.ValidString(p) || !utf8.ValidString(s) || len(p) > 16 || len(s) > 16 {
			t.Skip()
		}
		if got, want := Glob(p, s), plainGlob([]rune(p), []rune(s)); got != want {
			t.Errorf("Glob(%q, %q) = %v, want %v", p, s, got, want)
		}
	})
}

// TestFiltersAreReadOnce holds that comparing rows with the values of a filter
// allocates nothing: 200 values with wildcards over 100,000 groups are twenty
// million comparisons.
func TestFiltersAreReadOnce(t *testing.T) {
	values := make([]string, maxFilterValues)
	for i := range values {
		values[i] = strings.Repeat("*a?b", 10)
	}
	offered := []Match[string]{On("name", func(s string) string { return s })}
	filters, err := bind(offered, nil, []Filter{{"name", values}})
	if err != nil {
		t.Fatal(err)
	}
	row := strings.Repeat("ab", 100)
	if n := testing.AllocsPerRun(10, func() { filters[0].holds(nil, row) }); n > 2 {
		t.Errorf("one row against %d values: %v allocations, want 2 at most", len(values), n)
	}
}
