package iam

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A long piece is found where a short one would be.
func TestFindLongAsFind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int, of ...string) string {
		var b strings.Builder
		for range n {
			b.WriteString(of[r.IntN(len(of))])
		}
		return b.String()
	}
	found := 0
	for range 20_000 {
		piece := text(1+r.IntN(4)+r.IntN(2)*80, "a", "a", "é", "\xff", "\xff", "\xff", "\xff")
		s := text(r.IntN(200), "a", "a", "a", "é", "b", "\x80", "\uFFFD")
		want := -1
		for i := range s {
			if n, ok := matchHere(piece, true, s[i:]); ok {
				want = i + n
				break
			}
		}
		if got := findLong(piece, s); got != want {
			t.Fatalf("%q in %q ends at %d, want %d", piece, s, got, want)
		}
		if want >= 0 {
			found++
		}
	}
	if found < 1000 {
		t.Errorf("only %d of the pieces are found", found)
	}
}

// How many steps a match takes grows with the text, not with the text times the
// pattern: a pattern that is as hard as can be, at the length of the longest
// document, in the longest text that a request holds.
func TestHardPatterns(t *testing.T) {
	text := strings.Repeat("a", 1<<19)
	began := time.Now()
	for name, pattern := range map[string]string{
		"marks":            "*" + strings.Repeat("?a", 60_000) + "b*",
		"stars":            strings.Repeat("*a", 60_000) + "b",
		"stars and marks":  strings.Repeat("*?a", 40_000) + "b",
		"many long pieces": strings.Repeat("*"+strings.Repeat("?a", 500)+"b", 120),
	} {
		if Like(pattern, text) {
			t.Errorf("%s: matches", name)
		}
	}
	// Tried at every place in turn it is the better part of a minute.
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it takes %v", took)
	}
}
