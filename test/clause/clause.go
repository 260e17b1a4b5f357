// Package clause ties tests to the promises of docs/firewall.md, which are numbered: "[F7]"
// ends clause F7. A test that holds a clause names it, and quotes it when it fails.
package clause

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"moat/docs"
)

// Holds says that a test holds clauses, such as "F7". If the test fails, it prints them. A
// clause that the manual does not have fails the test.
func Holds(tb testing.TB, numbers ...string) {
	tb.Helper()
	for _, n := range numbers {
		if _, ok := All()[n]; !ok {
			tb.Errorf("docs/firewall.md has no clause %s", n)
		}
	}
	tb.Cleanup(func() {
		if !tb.Failed() {
			return
		}
		for _, n := range numbers {
			tb.Logf("docs/firewall.md promises, %s: %s", n, All()[n])
		}
	})
}

var number = regexp.MustCompile(`\[(F[1-9][0-9]*)\]`)

// In finds the clauses that a text names in brackets, such as the title of a row of tests.
func In(text string) []string {
	var all []string
	for _, m := range number.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// All gives the clauses of docs/firewall.md by their numbers.
var All = sync.OnceValue(func() map[string]string { return Read(docs.Firewall) })

// Read finds the clauses of a page in Markdown. A clause begins with its paragraph, item or
// table row, or where the clause before it ends.
func Read(page string) map[string]string {
	all := map[string]string{}
	for _, block := range blocks(page) {
		for {
			m := number.FindStringSubmatchIndex(block)
			if m == nil {
				break
			}
			text := strings.Trim(strings.Join(strings.Fields(block[:m[0]]), " "), "|*# ")
			n := block[m[2]:m[3]]
			if all[n] != "" {
				text = all[n] + " / " + text
			}
			all[n], block = text, block[m[1]:]
		}
	}
	return all
}

var item = regexp.MustCompile(`^\s*([*-]|[0-9]+\.|\|) ?`)

// blocks splits a page into paragraphs, items of lists and rows of tables.
func blocks(page string) []string {
	var all []string
	open := false
	for line := range strings.Lines(page) {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			open = false
		case !open || item.MatchString(line):
			all, open = append(all, line), true
		default:
			all[len(all)-1] += line
		}
	}
	return all
}
