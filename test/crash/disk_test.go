package crash_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moat/test/ec2client"
	"moat/test/moattest"
)

// fileSystem mounts a small file system for the test.
func fileSystem(t *testing.T, mib int) string {
	t.Helper()
	if testing.Short() {
		t.Skip("fills disks for half a minute")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system to fill: run this test as root")
	}
	dir, err := os.MkdirTemp("", "moat-disk-")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		os.Remove(dir)
		t.Skipf("no file system can be mounted here, though we are root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
			return
		}
		os.Remove(dir)
	})
	return dir
}

func free(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// fill lets a file grow until so many bytes are left, and gives what removes it.
func fill(t *testing.T, dir string, left int64) (empty func()) {
	t.Helper()
	name := filepath.Join(dir, "somebody's file")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := free(t, dir) - left; n > 0 {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, n); err != nil && !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() { os.Remove(name) }
}

// fullDisk is how a write is refused for want of room.
func fullDisk(r *ec2client.Reply) bool {
	return r.Status == 503 && r.Code == "Unavailable" && strings.Contains(r.Message, "the disk of the data directory is full")
}

// On a disk that is nearly full writes are refused and reads go on; with room
// again, writes go on. A kill in between loses nothing.
func TestFullDisk(t *testing.T) {
	fs := fileSystem(t, 384)
	l := newLoad(t, moattest.StartIn(t, data(fs), "--quotas", "off"), 8)
	stop := l.start()
	time.Sleep(300 * time.Millisecond)
	stop()
	for _, w := range l.writers {
		w.refused = fullDisk
	}
	for round := range 3 {
		l.check()
		stop := l.start()
		time.Sleep(100 * time.Millisecond)
		empty := fill(t, fs, 40<<20) // less than moat needs to write, more than nothing
		time.Sleep(100 * time.Millisecond)
		stop()
		known := l.acked()
		r, err := l.writers[0].client.Do(t.Context(), "CreateSecurityGroup", "GroupName", "late", "GroupDescription", "x")
		if err != nil || !fullDisk(r) {
			t.Errorf("a write on a full disk is answered %v, %v", r, err)
		}
		l.check() // reads, and what was refused is not there
		if round == 1 {
			l.server.Kill()
			if said := mustNotStart(t, data(fs)); !strings.Contains(said, "full") || !strings.Contains(said, "free some space") {
				t.Errorf("a server on a full disk says %q", said)
			}
			l.checkBooks()
			empty()
			l.server.Again()
			l.check()
		}
		empty()
		stop = l.start()
		time.Sleep(100 * time.Millisecond)
		stop()
		if l.acked() == known {
			t.Errorf("no write succeeds after the disk has room again")
		}
		l.check()
	}
	l.server.Kill()
	l.checkBooks()
	l.server.Again()
	l.check()
	t.Logf("%d calls were answered", l.acked())
}

// When somebody else takes the very last byte under load, the process may have
// to end, with a message. What was answered is there when it comes back.
func TestDiskFilledBySomebodyElse(t *testing.T) {
	fs := fileSystem(t, 384)
	l := newLoad(t, moattest.StartIn(t, data(fs), "--quotas", "off"), 8)
	for _, w := range l.writers {
		w.refused = fullDisk
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	ended, rounds := 0, 0
	for until := time.Now().Add(long(8 * time.Second)); time.Now().Before(until) || rounds < 3; rounds++ {
		stop := l.start()
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		empty := fill(t, fs, int64(r.IntN(3))<<12)
		time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
		stop()
		said := l.server.Stderr()
		mustBeClear(t, said)
		if _, err := l.writers[0].client.Do(t.Context(), "DescribeSecurityGroups"); err != nil {
			ended++
			if !strings.Contains(said, "the database cannot go on") || !strings.Contains(said, "has room") {
				t.Errorf("the process ended and said\n%s", said)
			}
			l.server.Kill()
		} else if r.IntN(2) == 0 {
			l.server.Kill()
		}
		empty()
		if !l.server.Running() {
			l.checkBooks()
			l.server.Again()
		}
		l.check()
	}
	t.Logf("filled %d times, the process ended %d times; %d calls were answered", rounds, ended, l.acked())
}

// A data directory that cannot be written says so, whatever is in it.
func TestReadOnlyDataDirectory(t *testing.T) {
	fs := fileSystem(t, 384)
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", fs, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY)
	clear := func() {
		t.Helper()
		said := mustNotStart(t, data(fs))
		if !strings.Contains(said, "data directory") || !strings.Contains(said, "read-only") || !strings.Contains(said, "--data-dir") {
			t.Errorf("a server on a read-only directory says %q", said)
		}
	}
	clear() // it cannot be made
	remount(0)
	server := moattest.StartIn(t, data(fs))
	l := newLoad(t, server, 2)
	stop := l.start()
	time.Sleep(100 * time.Millisecond)
	stop()
	if server.Stop() != 0 {
		t.Error("the server did not stop cleanly")
	}
	remount(unix.MS_RDONLY)
	clear() // it is there
	remount(0)
	server.Again()
	l.check()
	if l.acked() == 0 {
		t.Error("nothing was written")
	}
}
