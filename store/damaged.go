package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// checkDatabase looks for damage on which etcd would panic in a goroutine of its own,
// where it ends the process with a trace instead of a message. It reads the tree of
// pages, as etcd does when it opens the file.
func checkDatabase(etcdDir string) (err error) {
	name := filepath.Join(etcdDir, "member", "snap", "db")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a file that was cut short
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the database %s is damaged: %v: move %s away and restore a backup, see moat restore", name, r, etcdDir)
		}
	}()
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("open the database %s: %w: if it is damaged, move %s away and restore a backup, see moat restore", name, err, etcdDir)
	}
	return db.Close()
}
