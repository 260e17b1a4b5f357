package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// The commands that look for a server find the directory that `moat serve`
// took from the same environment.
func TestChosenDataDir(t *testing.T) {
	t.Setenv("MOAT_DATA_DIR", "")
	t.Setenv("MOAT_CONFIG", "")
	if got := chosenDataDir(); got != defaultDataDir() {
		t.Errorf("nothing said: %q, want %q", got, defaultDataDir())
	}
	file := filepath.Join(t.TempDir(), "moat.yaml")
	if err := os.WriteFile(file, []byte("listen: 127.0.0.1:0\ndata-dir: /srv/moat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MOAT_CONFIG", file)
	if got := chosenDataDir(); got != "/srv/moat" {
		t.Errorf("the file says: %q, want /srv/moat", got)
	}
	t.Setenv("MOAT_DATA_DIR", "/elsewhere")
	if got := chosenDataDir(); got != "/elsewhere" {
		t.Errorf("the environment says: %q, want /elsewhere", got)
	}
}
