// Package store knows how the state becomes durable: calls are planned on a
// view and committed to a log, several at once, all or nothing; views follow
// the log. What the records mean is not its business.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"moat/state"
	"moat/trail"
)

// A Log is where commits go. There are two: etcd, and memory for tests and
// for servers that forget.
type Log interface {
	// Load gives every record at the head, in pages, and the head. It may call
	// page from one goroutine only.
	Load(ctx context.Context, page func([]state.Record) error) (Head, error)

	// Append writes a batch after the given head, whole or not at all, and
	// gives the new head once the batch is durable. When another server was
	// faster it gives ErrBehind and nothing is written. Any other error means
	// that the batch was not written and will not be, except that an error
	// from ctx leaves it open.
	Append(ctx context.Context, after Head, b *Batch) (Head, error)

	// Head gives the head as it is at some moment after the call began.
	Head(ctx context.Context) (Head, error)

	// Watch gives every batch after the given head, in order, until ctx ends.
	// An Update with Err ends it too: the view must be loaded again.
	Watch(ctx context.Context, after Head) <-chan Update

	// Scan gives up to limit entries of a book from a place on, in order.
	Scan(ctx context.Context, b Book, from trail.Place, limit int) ([]Entry, error)

	// Get gives the entries of a book at some places; Value is nil where there
	// is none.
	Get(ctx context.Context, b Book, places []trail.Place) ([]Entry, error)

	// Trim removes the entries of a book before a place and puts a paper, unless
	// that is nil, all in one; or nothing, with ErrBehind, if the paper has
	// changed since it was read.
	Trim(ctx context.Context, b Book, before trail.Place, p *Paper) error

	// Paper reads a paper; its Value is nil if there is none.
	Paper(ctx context.Context, name string) (*Paper, error)

	// PutPaper writes a paper, or gives ErrBehind if it has changed since it
	// was read.
	PutPaper(ctx context.Context, p *Paper) error

	// Dump gives every key with its value as it was at one moment, the head
	// first: records, books, whatever a later moat adds. A log that holds
	// nothing gives a head without a mark.
	Dump(ctx context.Context, visit func(key string, value []byte) error) (Head, error)

	// Shared reports whether other servers may write to the log too.
	Shared() bool

	// Limits are those of one batch.
	Limits() Limits

	// Compact gives space back that removed entries took.
	Compact(ctx context.Context) error

	Close() error
}

// A Head is a place in the log: the revision, and the log's own mark for it,
// which grows with every batch.
type Head struct {
	Rev  uint64
	Mark int64
	// Seen is how far the log was read when it was loaded, in its own count: a
	// watch goes on from there. 0 means up to the mark.
	Seen int64
	// Seq is which event of the revision the last one is, and Chain its hash.
	Seq   uint32
	Chain trail.Hash
	// Format is that of the log; of an empty one it is 0.
	Format int
	// Entered is up to which revision the events of an older format are in the
	// chain, while they are being entered; 0 for all of them.
	Entered uint64
}

// Place gives the place of the last event.
func (h Head) Place() trail.Place { return trail.Place{Rev: h.Rev, Seq: h.Seq} }

// head gives the head that a batch makes.
func (b *Batch) head(mark int64) Head {
	return Head{Rev: b.Rev, Mark: mark, Seq: b.Seq, Chain: b.Chain, Format: storeFormat, Entered: b.Entered}
}

// A Batch is what some calls change together.
type Batch struct {
	Rev     uint64     // of the last call
	Seq     uint32     // of the last event
	Chain   trail.Hash // of the last event
	Entered uint64
	Records []state.Record
	Entries []BookEntry // events, and one past for each call that changes something
}

// A Book is a series of entries by revision beside the records.
type Book string

// The books: what was done by whom, and what was there before.
const (
	Audit Book = "audit"
	Past  Book = "past"
)

// An Entry is a book's entry for a revision; of events there may be several,
// which Seq counts from 0.
type Entry struct {
	Rev   uint64
	Seq   uint32
	Value []byte
}

// Place gives where the entry stands.
func (e *Entry) Place() trail.Place { return trail.Place{Rev: e.Rev, Seq: e.Seq} }

// A Paper is something small that is kept beside the records, under a name.
type Paper struct {
	Name  string
	Value []byte
	Mark  int64 // the log's own, for the version that was read
}

// A BookEntry is an entry with its book.
type BookEntry struct {
	Book Book
	Entry
}

// An Update is a batch that somebody wrote.
type Update struct {
	Head    Head
	Records []state.Record
	Err     error
}

// Limits bound a batch: the number of things written, and their bytes.
type Limits struct{ Ops, Bytes int }

// ErrBehind says that the log's head has moved on.
var ErrBehind = errors.New("the log has moved on")

// ErrNoAnswer says that the log cannot be reached, or takes too long. What
// became of a write is not known then.
var ErrNoAnswer = errors.New("the log does not answer")

// ErrTooBig says that a call changes more than one transaction can hold.
var ErrTooBig = errors.New("the call changes more than one transaction of etcd can hold: raise --max-txn-ops and --max-request-bytes of the etcd cluster")

// A NoSpaceError says that there is no room for further writes.
type NoSpaceError struct{ Reason string }

func (e *NoSpaceError) Error() string { return e.Reason }

func (b *Batch) size() Limits {
	l := Limits{Ops: 1 + len(b.Records) + len(b.Entries)}
	for _, r := range b.Records {
		l.Bytes += len(r.Key) + len(r.Value) + 64
	}
	for _, e := range b.Entries {
		l.Bytes += len(e.Value) + 64
	}
	return l
}

// placeKey gives a place's part of a key: 16 digits of the revision and, after
// the first event of one, a dot and 8 digits. Keys sort as places do.
func placeKey(at trail.Place) string {
	if at.Seq == 0 {
		return fmt.Sprintf("%016x", at.Rev)
	}
	return fmt.Sprintf("%016x.%08x", at.Rev, at.Seq)
}

func parsePlaceKey(key string) (trail.Place, error) {
	rev, seq, dotted := strings.Cut(key, ".")
	r, err := strconv.ParseUint(rev, 16, 64)
	var n uint64
	if err == nil && dotted {
		n, err = strconv.ParseUint(seq, 16, 32)
	}
	return trail.Place{Rev: r, Seq: uint32(n)}, err
}
