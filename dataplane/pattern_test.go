package dataplane

import (
	"path"
	"testing"
)

func TestPatternMatches(t *testing.T) {
	for _, row := range []struct {
		pattern, name string
		want          bool
	}{
		{"vnet*", "vnet0", true},
		{"vnet*", "vnet", true},
		{"vnet*", "vne0", false},
		{"vnet*", "xvnet0", false},
		{"tap?", "tap0", true},
		{"tap?", "tap", false},
		{"tap?", "tap10", false},
		{"*-host", "web-host", true},
		{"*-host", "web-host2", false},
		{"a*b*c", "aXbYbc", true},
		{"a*b*c", "aXcYb", false},
		{"veth[0-9a-f]*", "vethb1", true},
		{"veth[0-9a-f]*", "vethz1", false},
		{"[^a]", "b", true},
		{"[^a]", "a", false},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{"*", "anything", true},
	} {
		if got := Pattern(row.pattern).Match(row.name); got != row.want {
			t.Errorf("%s fits %s: %v, want %v", row.name, row.pattern, got, row.want)
		}
	}
	for _, bad := range []Pattern{"", "[", `a\`, "a[b", "[]", "sixteen-bytes-ab", "[]a]"} {
		if bad.Check() == nil {
			t.Errorf("%q is taken for a pattern", string(bad))
		}
	}
}

// Every pattern means what path.Match has it mean.
func FuzzPattern(f *testing.F) {
	f.Add("vnet*", "vnet0")
	f.Add("a?[b-d]*e", "axcfe")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		for _, s := range []string{pattern, name} {
			for i := range len(s) {
				if s[i] >= 0x80 || s[i] == '/' || s[i] == 0 {
					t.Skip() // no name has them, or runes would be meant
				}
			}
		}
		if len(name) > 15 || Pattern(pattern).Check() != nil {
			t.Skip()
		}
		want, err := path.Match(pattern, name)
		if err != nil {
			t.Skip()
		}
		if got := Pattern(pattern).Match(name); got != want {
			t.Errorf("%q fits %q: %v, want %v", name, pattern, got, want)
		}
	})
}
