package clause

import (
	"maps"
	"testing"
)

func TestRead(t *testing.T) {
	got := Read("# Title\n\nOne promise. [F1] Another\nover two lines. [F2] No promise.\n\n* **item** a\n  b [F3]\n* c [F10]\n| k | v [F4] |\n1. first [F5]\n")
	want := map[string]string{"F1": "One promise.", "F2": "Another over two lines.", "F3": "item** a b", "F10": "c", "F4": "k | v", "F5": "1. first"}
	if !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
