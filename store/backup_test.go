package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func embedded(t *testing.T, dir string) *store.Etcd {
	t.Helper()
	e, err := store.OpenEmbedded(t.Context(), dir, slog.New(slog.DiscardHandler), func(reason string) { panic(reason) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func open(t *testing.T, log store.Log) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), log, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// create commits a group named name.
func create(s *store.Store, name string) error {
	_, _, err := s.Write(context.Background(), &store.Write{
		Call: state.Call{
			Scope:  state.Scope{Region: "us-east-1", Account: "123456789012"},
			Caller: iam.Root("123456789012", "aws", ""), Now: testTime,
		},
		Plan: func(tx *state.Txn) (any, error) {
			state.Groups.Put(tx, &vpc.SecurityGroup{ID: vpc.GroupID("sg-" + name), Name: name})
			return nil, nil
		},
		Event: store.Event{Action: "CreateSecurityGroup"},
	})
	return err
}

func mustCreate(t *testing.T, s *store.Store, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := create(s, n); err != nil {
			t.Fatal(err)
		}
	}
}

// contents gives all that a log holds, the head included.
func contents(t *testing.T, log store.Log) map[string]string {
	t.Helper()
	all := map[string]string{}
	if _, err := log.Dump(t.Context(), func(k string, v []byte) error { all[k] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func backupOf(t *testing.T, log store.Log) ([]byte, *store.BackupInfo) {
	t.Helper()
	var b bytes.Buffer
	info, err := store.WriteBackup(t.Context(), log, &b, "1.2.3", testTime)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), info
}

func TestBackupAndRestoreGiveEverythingBack(t *testing.T) {
	from := embedded(t, t.TempDir())
	s := open(t, from)
	mustCreate(t, s, "one", "two", "three", "two")
	want := contents(t, from)
	file, info := backupOf(t, from)

	if got, err := store.ReadBackup(bytes.NewReader(file), nil); err != nil || *got != *info {
		t.Fatalf("ReadBackup: got %+v, %v, want %+v", got, err, info)
	}
	if info.Rev != 4 || info.Keys != uint64(len(want)) || info.Moat != "1.2.3" || !info.Time.Equal(testTime) {
		t.Errorf("the header says %+v", info)
	}
	// 1 head, 3 records, and for each of 4 calls an event and a past.
	if len(want) != 1+3+4+4 {
		t.Errorf("the log holds %d keys, want 12: %v", len(want), slices.Collect(maps.Keys(want)))
	}

	to := embedded(t, t.TempDir())
	if err := to.Restore(t.Context(), bytes.NewReader(file), info); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, to); !maps.Equal(got, want) {
		t.Errorf("restored %d keys, want the %d that were there", len(got), len(want))
	}
	restored := open(t, to)
	if restored.Latest().Rev != 4 {
		t.Errorf("the restored store is at revision %d, want 4", restored.Latest().Rev)
	}
	mustCreate(t, restored, "four")
	if events, err := restored.Scan(t.Context(), store.Audit, 1, 10); err != nil || len(events) != 5 || events[4].Rev != 5 {
		t.Errorf("after one more call: %d events, %v; want 5, the last at revision 5", len(events), err)
	}
}

func TestBackupOfNothing(t *testing.T) {
	for name, log := range map[string]store.Log{"etcd": embedded(t, t.TempDir()), "memory": store.NewMemory()} {
		var b bytes.Buffer
		if _, err := store.WriteBackup(t.Context(), log, &b, "", testTime); !errors.Is(err, store.ErrEmpty) || b.Len() > 0 {
			t.Errorf("%s: %d bytes and error %v, want none and ErrEmpty", name, b.Len(), err)
		}
	}
}

// A backup that is not exactly what was written is refused, and before that
// nothing of it is.
func TestDamagedBackupIsRefused(t *testing.T) {
	m := store.NewMemory()
	mustCreate(t, open(t, m), "one", "two")
	file, _ := backupOf(t, m)
	refused := func(what string, damaged []byte) {
		t.Helper()
		var bad *store.BackupError
		if _, err := store.ReadBackup(bytes.NewReader(damaged), nil); !errors.As(err, &bad) {
			t.Errorf("%s: got %v, want a BackupError", what, err)
		}
	}
	for i := range file {
		for _, bit := range []byte{0x01, 0x80} {
			damaged := slices.Clone(file)
			damaged[i] ^= bit
			refused(fmt.Sprintf("byte %d of %d flipped by %#x", i, len(file), bit), damaged)
		}
	}
	for n := range file {
		refused(fmt.Sprintf("cut short to %d of %d bytes", n, len(file)), file[:n])
	}
	refused("a byte more", append(slices.Clone(file), 0))
	refused("two in one", append(slices.Clone(file), file...))
	if _, err := store.ReadBackup(bytes.NewReader(file), nil); err != nil {
		t.Errorf("undamaged: %v", err)
	}
}

func TestRestoreWantsAnEmptyLog(t *testing.T) {
	m := store.NewMemory()
	mustCreate(t, open(t, m), "one")
	file, info := backupOf(t, m)

	to := embedded(t, t.TempDir())
	s := open(t, to)
	mustCreate(t, s, "other", "another")
	want := contents(t, to)
	var taken *store.NotEmptyError
	if err := to.Restore(t.Context(), bytes.NewReader(file), info); !errors.As(err, &taken) || taken.Rev != 2 || taken.Keys != int64(len(want)) {
		t.Errorf("got %v, want a NotEmptyError for revision 2 and %d keys", err, len(want))
	}
	if got := contents(t, to); !maps.Equal(got, want) {
		t.Error("the refused restore changed something")
	}
}

// cut is a reader whose disk fails after n bytes.
type cut struct {
	io.Reader
	n int
}

var errDisk = errors.New("the disk failed")

func (c *cut) Read(b []byte) (int, error) {
	if c.n == 0 {
		return 0, errDisk
	}
	n, err := c.Reader.Read(b[:min(len(b), c.n)])
	c.n -= n
	return n, err
}

// A restore that fails half-way leaves what no store opens, and what another
// restore completes, also one of another backup.
func TestUnfinishedRestore(t *testing.T) {
	m := store.NewMemory()
	s := open(t, m)
	for i := range 400 {
		mustCreate(t, s, fmt.Sprintf("%04d%s", i, strings.Repeat("x", 8<<10))) // three batches
	}
	file, info := backupOf(t, m)
	small := store.NewMemory()
	mustCreate(t, open(t, small), "one")
	other, otherInfo := backupOf(t, small)

	dir := t.TempDir()
	to := embedded(t, dir)
	if err := to.Restore(t.Context(), &cut{bytes.NewReader(file), len(file) - 100<<10}, info); !errors.Is(err, errDisk) {
		t.Fatalf("got %v, want the failure of the disk", err)
	}
	var half *store.UnfinishedError
	if _, err := store.Open(t.Context(), to, store.Options{}); !errors.As(err, &half) || half.Rev != info.Rev {
		t.Fatalf("opening half a restore: got %v, want an UnfinishedError for revision %d", err, info.Rev)
	}
	if _, err := store.WriteBackup(t.Context(), to, io.Discard, "", testTime); !errors.As(err, &half) {
		t.Errorf("backing up half a restore: got %v, want an UnfinishedError", err)
	}
	if err := to.Restore(t.Context(), bytes.NewReader(other), otherInfo); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, to), contents(t, small); !maps.Equal(got, want) {
		t.Errorf("after the second restore: %d keys, want the other backup's %d and nothing of the first", len(got), len(want))
	}
	open(t, to)
}

// A file that changes between its check and its restore gives no head.
func TestRestoreOfAChangedFile(t *testing.T) {
	m := store.NewMemory()
	s := open(t, m)
	mustCreate(t, s, "one")
	_, info := backupOf(t, m)
	mustCreate(t, s, "two")
	file, _ := backupOf(t, m)
	to := embedded(t, t.TempDir())
	var bad *store.BackupError
	if err := to.Restore(t.Context(), bytes.NewReader(file), info); !errors.As(err, &bad) {
		t.Errorf("got %v, want a BackupError", err)
	}
	var half *store.UnfinishedError
	if _, err := store.Open(t.Context(), to, store.Options{}); !errors.As(err, &half) {
		t.Errorf("opening it: got %v, want an UnfinishedError", err)
	}
}

// A cluster takes no more in a transaction than its settings say; the batches
// of a restore keep to that.
func TestRestoreIntoACluster(t *testing.T) {
	m := store.NewMemory()
	s := open(t, m)
	for i := range 300 {
		mustCreate(t, s, fmt.Sprintf("%04d%s", i, strings.Repeat("x", 10<<10)))
	}
	file, info := backupOf(t, m)
	to := startEtcd(t).open().(*store.Etcd)
	t.Cleanup(func() { to.Close() })
	if err := to.Restore(t.Context(), bytes.NewReader(file), info); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, to), contents(t, m); !maps.Equal(got, want) {
		t.Errorf("restored %d keys, want the %d that were there", len(got), len(want))
	}
	var taken *store.NotEmptyError
	if err := to.Restore(t.Context(), bytes.NewReader(file), info); !errors.As(err, &taken) {
		t.Errorf("restoring twice: got %v, want a NotEmptyError", err)
	}
	if again, _ := backupOf(t, to); !bytes.Equal(again, file) {
		t.Error("a backup of the cluster is not the one it was restored from")
	}
}

// A server that is started while a restore is under way does not get in
// between: the restore ends with an error and the server's data stand.
func TestRestoreAndServerDoNotMix(t *testing.T) {
	m := store.NewMemory()
	mustCreate(t, open(t, m), "one", "two")
	file, info := backupOf(t, m)
	to := embedded(t, t.TempDir())
	s := open(t, to) // before the restore begins: it sees an empty log
	r := &meanwhile{Reader: bytes.NewReader(file), do: func() { mustCreate(t, s, "other") }}
	if err := to.Restore(t.Context(), r, info); err == nil || !strings.Contains(err.Error(), "somebody else writes") {
		t.Errorf("got %v, want that somebody else writes", err)
	}
	for k := range contents(t, to) {
		if strings.Contains(k, "sg-one") {
			t.Errorf("%s of the backup is among the server's records", k)
		}
	}
}

// meanwhile does something before it is first read.
type meanwhile struct {
	io.Reader
	do func()
}

func (m *meanwhile) Read(b []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Reader.Read(b)
}

// A backup taken while others write is of one revision: it has that
// revision's event, none after it, and the record of each call until then.
func TestBackupWhileWriting(t *testing.T) {
	log := embedded(t, t.TempDir())
	s := open(t, log)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := create(s, fmt.Sprintf("%d-%06d", w, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var last uint64
	for range 20 {
		for s.Latest().Rev < last+50 {
			time.Sleep(time.Millisecond)
		}
		// Compaction must not take away what the backup reads.
		writers.Go(func() {
			if err := s.Retain(t.Context(), testTime, store.Retention{History: time.Hour, Audit: time.Hour}); err != nil {
				t.Error(err)
			}
		})
		var b bytes.Buffer
		info, err := s.Backup(t.Context(), &b, "", testTime)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]uint64{}
		newest := ""
		if _, err := store.ReadBackup(&b, func(_ *store.BackupInfo, key string, _ []byte) error {
			book, rest, _ := strings.Cut(key, "/")
			count[book]++
			if book == "audit" {
				newest = max(newest, rest)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%016x", info.Rev); newest != want {
			t.Fatalf("head at revision %s, newest event at %s", want, newest)
		}
		if count["audit"] != info.Rev || count["past"] != info.Rev || count["state"] != info.Rev+1 {
			t.Fatalf("at revision %d: %v, want as many of each, and the head", info.Rev, count)
		}
		if info.Rev <= last {
			t.Fatalf("revision %d after %d", info.Rev, last)
		}
		last = info.Rev
	}
	close(stop)
	writers.Wait()
}

func TestEmbeddedIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	embedded(t, dir)
	fi, err := os.Stat(dir)
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the data directory has mode %v, %v; want 0700", fi.Mode(), err)
	}
}
