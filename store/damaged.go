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
// where it ends the process with a trace instead of a message.
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
	// First a walk in this goroutine, where a panic can be recovered from. Then the look for
	// free pages that etcd takes, which panics on pages that are used twice.
	open := bbolt.Options{ReadOnly: true, Timeout: time.Second}
	db, err := bbolt.Open(name, 0o600, &open)
	if err == nil {
		defer db.Close()
		if err = db.View(walk); err != nil {
			panic(err)
		}
		open.PreLoadFreelist = true
		var again *bbolt.DB
		if again, err = bbolt.Open(name, 0o600, &open); err == nil {
			return again.Close()
		}
	}
	return fmt.Errorf("open the database %s: %w: if it is damaged, move %s away and restore a backup, see moat restore", name, err, etcdDir)
}

// walk reads all keys.
func walk(tx *bbolt.Tx) error {
	return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
}
