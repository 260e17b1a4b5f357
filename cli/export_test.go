package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An export goes on after the last whole line of its file, whatever a killed
// process left behind it, and touches no file that is none of its own.
func TestLastExported(t *testing.T) {
	line := func(place string) string {
		return `{"eventName":"X","additionalEventData":{"moatRevision":"` + place + `"}}` + "\n"
	}
	for _, row := range []struct {
		what, content, place string
		end                  int
		wrong                bool
	}{
		{"nothing", "", "0", 0, false},
		{"one line", line("7"), "7", len(line("7")), false},
		{"two lines", line("7") + line("7.1"), "7.1", len(line("7") + line("7.1")), false},
		{"half a line after a whole one", line("7") + `{"eventNa`, "7", len(line("7")), false},
		{"half a line alone", `{"eventNa`, "0", 0, false},
		{"a file of somebody else", "hello\n", "0", 0, true},
		{"JSON of somebody else", "{}\n", "0", 0, true},
		{"a line that is longer than what is read", line("1") + strings.Repeat("x", 5<<20), "0", 0, true},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "x"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(row.content); err != nil {
			t.Fatal(err)
		}
		last, end, err := lastExported(f)
		if (err != nil) != row.wrong || err == nil && (last.String() != row.place || end != int64(row.end)) {
			t.Errorf("%s: %s, %d, %v; want %s, %d", row.what, last, end, err, row.place, row.end)
		}
	}
}
