package moat_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"moat/test/clause"
)

// A clause that the manual has, and no test, is a promise that nobody keeps.
func TestClausesAreHeld(t *testing.T) {
	named := regexp.MustCompile(`clause\.Holds\([^\n]*|\[F[1-9][0-9]*\]|(?m)^# .*\]$`)
	number := regexp.MustCompile(`F[1-9][0-9]*`)
	held := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if path == "clauses_test.go" || !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "/testdata/") && !strings.HasPrefix(path, "dataplane/dataplanetest/") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range named.FindAll(text, -1) {
			for _, n := range number.FindAll(m, -1) {
				held[string(n)] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	clauses := clause.All()
	if len(clauses) == 0 {
		t.Fatal("docs/firewall.md has no clauses")
	}
	var loose []string
	for n, text := range clauses {
		if text == "" {
			t.Errorf("clause %s of docs/firewall.md has no text", n)
		}
		if strings.Contains(text, " / ") {
			t.Errorf("clause %s of docs/firewall.md stands there twice: %s", n, text)
		}
		if !held[n] {
			loose = append(loose, n+": "+text)
		}
	}
	slices.Sort(loose)
	for _, l := range loose {
		t.Errorf("no test holds clause %s", l)
	}
}
