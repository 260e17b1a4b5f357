package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"moat/dataplane"
	"moat/ruleset"
)

// A Snapshot is what a host enforces. A file keeps it for the next start of the
// machine, when the kernel has forgotten everything and the database may be
// unreachable.
type Snapshot struct {
	Rules    *ruleset.Ruleset
	Bindings []dataplane.Binding
	// Marks are those of Bindings, and of interfaces whose devices are gone.
	Marks []Mark
}

// snapshotHead begins the first line of a snapshot. The checksum of the rest
// follows.
const snapshotHead = "moat-enforced 1 sha256:"

// snapshotFile is the JSON of a snapshot.
type snapshotFile struct {
	Rev        uint64
	Interfaces []ruleset.Interface
	Policies   []ruleset.Policy
	Members    []ruleset.Member
	Bindings   []dataplane.Binding
	Marks      []Mark `json:",omitempty"`
}

// ReadSnapshot reads a snapshot. The error is fs.ErrNotExist if there is no such
// file.
func ReadSnapshot(name string) (*Snapshot, error) {
	rest, err := readSummed(name, snapshotHead)
	if err != nil {
		return nil, err
	}
	var f snapshotFile
	if err := json.Unmarshal(rest, &f); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	for i := range f.Interfaces {
		if x := &f.Interfaces[i]; x.In < 0 || x.In >= len(f.Policies) || x.Out < 0 || x.Out >= len(f.Policies) {
			return nil, fmt.Errorf("%s is damaged: interface %s has no policy", name, x.ID)
		}
	}
	rs := &ruleset.Ruleset{Rev: f.Rev, Interfaces: f.Interfaces, Policies: f.Policies, Members: ruleset.NewMembers(f.Members...)}
	return &Snapshot{rs, f.Bindings, f.Marks}, nil
}

// Write replaces a snapshot. A crash leaves either the old one or the new one.
func (s *Snapshot) Write(name string) error {
	f := snapshotFile{Rev: s.Rules.Rev, Interfaces: s.Rules.Interfaces, Policies: s.Rules.Policies, Bindings: s.Bindings, Marks: s.Marks}
	for m := range s.Rules.Members.All() {
		f.Members = append(f.Members, m)
	}
	b, err := json.Marshal(&f)
	if err != nil {
		return err
	}
	return writeSummed(name, snapshotHead, b)
}

// readSummed reads a file whose first line is head and the checksum of the rest,
// which it returns.
func readSummed(name, head string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	if kind, format, _ := strings.Cut(head, " "); bytes.HasPrefix(line, []byte(kind+" ")) && !bytes.HasPrefix(line, []byte(head)) {
		format, _, _ = strings.Cut(format, " ")
		return nil, fmt.Errorf("%s has another format than %s, the one that this version knows", name, format)
	}
	sum, ok := bytes.CutPrefix(line, []byte(head))
	if want := sha256.Sum256(rest); !ok || string(sum) != hex.EncodeToString(want[:]) {
		return nil, fmt.Errorf("%s is damaged: its checksum is wrong", name)
	}
	return rest, nil
}

func writeSummed(name, head string, b []byte) error {
	sum := sha256.Sum256(b)
	return writeSynced(name, append([]byte(head+hex.EncodeToString(sum[:])+"\n"), b...))
}

// writeSynced replaces a file. The new content is on the disk when it returns.
func writeSynced(name string, b []byte) (err error) {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// A keeper writes what is in force to a file, at most once a second, without making
// Run wait.
type keeper struct {
	name string
	next chan Snapshot // the newest one to write
	stop chan struct{}
	done chan struct{}
}

const snapshotPause = time.Second

func newKeeper(name string, failed func(error)) *keeper {
	k := &keeper{name: name, next: make(chan Snapshot, 1), stop: make(chan struct{}), done: make(chan struct{})}
	write := func(s Snapshot) {
		if err := k.write(&s); err != nil {
			failed(err)
		}
	}
	go func() {
		defer close(k.done)
		for {
			select {
			case s := <-k.next:
				write(s)
			case <-k.stop:
				select {
				case s := <-k.next:
					write(s)
				default:
				}
				return
			}
			// A snapshot that arrives during the pause replaces the one that waits.
			select {
			case <-time.After(snapshotPause):
			case <-k.stop:
			}
		}
	}()
	return k
}

// write writes the file, or removes it if the host enforces nothing any more.
func (k *keeper) write(s *Snapshot) error {
	if len(s.Bindings) > 0 {
		return s.Write(k.name)
	}
	if err := os.Remove(k.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keep schedules a snapshot to be written, in place of one that still waits.
func (k *keeper) keep(s Snapshot) {
	for {
		select {
		case k.next <- s:
			return
		default:
		}
		select {
		case <-k.next:
		default:
		}
	}
}

// close writes the snapshot that still waits, if any.
func (k *keeper) close() {
	close(k.stop)
	<-k.done
}
