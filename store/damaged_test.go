package store_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moat/store"
)

// A database that is damaged is an error that says what to do. Etcd would end the
// process with a trace.
func TestDamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	open := func() (*store.Etcd, error) {
		return store.OpenEmbedded(t.Context(), dir, slog.New(slog.DiscardHandler), func(string) {})
	}
	log, err := open()
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
	name := filepath.Join(dir, store.EmbeddedDir, "member", "snap", "db")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := 100; at < len(b); at += 512 {
		b[at] ^= 0x55
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if log, err = open(); err == nil {
		log.Close()
		t.Fatal("it opens")
	}
	if !strings.Contains(err.Error(), "restore a backup") || !strings.Contains(err.Error(), name) {
		t.Errorf("the error does not say what to do: %v", err)
	}
}
