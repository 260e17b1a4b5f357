package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"moat/seal"
	"moat/trail"
)

// The papers of the trail: the keys that encrypt it, themselves encrypted, and
// the last event that retention removed.
const (
	keysPaper   = "trail-keys"
	anchorPaper = "trail-anchor"
)

// A vault encrypts events and opens them. Its keys are random, made with the
// first event, and kept in the log encrypted with those of the server: when
// these change the events stay as they are.
type vault struct {
	stream        *seal.Stream
	reader        *seal.Reader
	anchorsStream *seal.Stream
	anchorsReader *seal.Reader
}

func newVault(keys [][seal.KeySize]byte) *vault {
	ring := seal.NewRing(keys...)
	return &vault{
		stream: ring.Stream(seal.Event, salt()), reader: ring.Reader(seal.Event),
		anchorsStream: ring.Stream(seal.Event+" anchor", salt()), anchorsReader: ring.Reader(seal.Event + " anchor"),
	}
}

func salt() (b [seal.SaltSize]byte) {
	rand.Read(b[:])
	return b
}

// A LostEventsError says that the events were encrypted with a key that the
// server was not given.
type LostEventsError struct{ Cause error }

func (e *LostEventsError) Error() string {
	return fmt.Sprintf("the audit trail cannot be decrypted (%v): give the server the right key with --secret-key-file, or, if that is lost, start with --discard-secrets: the events stay, unreadable, and new ones follow them", e.Cause)
}

func (e *LostEventsError) Unwrap() error { return e.Cause }

var (
	errNotEntered = errors.New("the events of an older moat are not in the chain yet: call Unlock before writing")
	errPutIn      = errors.New("it is not encrypted, as those that moat writes are")
	errLocked     = errors.New("the event is encrypted, and its key was not given")
)

// old reports whether a log has events that are not in the chain.
func (h *Head) old() bool { return h.Mark != 0 && (h.Format < storeFormat || h.Entered != 0) }

// Unlock lets the store encrypt its events and read those that are encrypted,
// with keys that the ring encrypts, and enters the events that an older moat
// wrote into the chain. A store that nobody unlocks writes events as they are,
// and cannot write to what an older moat wrote. Discard gives up events whose
// key is lost. ring may be nil for a store that encrypts nothing.
//
// Entering goes on where it stopped, and several servers may try at once. The
// servers of an older version must have stopped.
func (s *Store) Unlock(ctx context.Context, ring *seal.Ring, discard bool) error {
	if ring != nil {
		if err := s.openVault(ctx, ring, discard); err != nil {
			return err
		}
	}
	for {
		p := s.now.Load()
		if s.log.Shared() {
			var err error
			if p, err = s.barrier(ctx); err != nil {
				return err
			}
		}
		if !p.head.old() {
			s.stopped.Go(func() { s.keepIndexed(s.run) })
			return nil
		}
		if err := s.enterOld(ctx, p); err != nil && !errors.Is(err, ErrBehind) {
			return fmt.Errorf("enter the events of an older moat into the chain: %w", err)
		}
	}
}

type eventKeys struct {
	// Sealed are the keys one after the other, the first of which encrypts.
	Sealed []byte `cbor:"1,keyasint"`
}

func (s *Store) openVault(ctx context.Context, ring *seal.Ring, discard bool) error {
	for {
		paper, err := s.log.Paper(ctx, keysPaper)
		if err != nil {
			return err
		}
		var joined []byte
		if paper.Value != nil {
			var kept eventKeys
			if err := cbor.Unmarshal(paper.Value, &kept); err != nil {
				return fmt.Errorf("the keys of the audit trail cannot be read: %w", err)
			}
			joined, err = ring.Open(seal.EventKeys, "", kept.Sealed)
			switch {
			case err != nil && !discard:
				return &LostEventsError{err}
			case err != nil:
				s.opts.Logger.Warn("the events of the audit trail up to now cannot be decrypted any more", "err", err)
				joined = nil
			case ring.Current(kept.Sealed):
				return s.useKeys(joined)
			}
		}
		if joined == nil {
			joined = make([]byte, seal.KeySize)
			rand.Read(joined)
		}
		paper.Value = encodeEntry(eventKeys{ring.Seal(seal.EventKeys, "", salt(), joined)})
		switch err := s.log.PutPaper(ctx, paper); {
		case errors.Is(err, ErrBehind):
			continue
		case err != nil:
			return err
		}
		return s.useKeys(joined)
	}
}

func (s *Store) useKeys(joined []byte) error {
	if len(joined) == 0 || len(joined)%seal.KeySize != 0 {
		return errors.New("the keys of the audit trail have an impossible length")
	}
	var keys [][seal.KeySize]byte
	for k := range slices.Chunk(joined, seal.KeySize) {
		keys = append(keys, [seal.KeySize]byte(k))
	}
	s.vault.Store(newVault(keys))
	return nil
}

// enter adds events to a batch, from a place on, after the event whose hash is
// prev, and gives the hash of the last one.
func (s *Store) enter(b *Batch, events []Event, at trail.Place, prev trail.Hash) trail.Hash {
	for i := range events {
		e := &events[i]
		e.ID = s.opts.NewEventID()
		e.Rev, e.Seq = at.Rev, at.Seq
		e.Bound(trail.MaxRequest)
		var value []byte
		value, prev = s.chained(e, prev)
		b.Entries = append(b.Entries, BookEntry{Audit, Entry{Rev: at.Rev, Seq: at.Seq, Value: value}})
		at = at.Next()
	}
	return prev
}

// chained gives an event as it is stored after the one whose hash is prev.
func (s *Store) chained(e *Event, prev trail.Hash) ([]byte, trail.Hash) {
	e.Prev = nil
	if prev != (trail.Hash{}) {
		e.Prev = prev[:]
	}
	body := trail.Encode(e)
	v := s.vault.Load()
	if v != nil {
		body = v.stream.Seal(trail.Bound(e.Place()), body)
	}
	return trail.Store(prev, e.Place(), e.Time, v != nil, body)
}

// open gives the bytes of a stored event as they were encoded.
func (s *Store) open(e *Entry) ([]byte, error) {
	stored, err := trail.ReadStored(e.Value)
	v := s.vault.Load()
	body := []byte(nil)
	switch {
	case errors.Is(err, trail.ErrOld) && s.now.Load().head.old():
		return e.Value, nil
	case err != nil:
	case !stored.Sealed && v != nil:
		err = errPutIn
	case !stored.Sealed:
		body = stored.Body
	case v == nil:
		return nil, fmt.Errorf("event %s: %w", e.Place(), errLocked)
	default:
		body, err = v.reader.Open(trail.Bound(e.Place()), stored.Body)
	}
	if err != nil {
		return nil, fmt.Errorf("event %s cannot be read: %w; moat log verify tells more", e.Place(), err)
	}
	return body, nil
}

// readEvent gives the event of an entry.
func (s *Store) readEvent(e *Entry) (*Event, error) {
	b, err := s.open(e)
	if err != nil {
		return nil, err
	}
	ev, err := trail.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("event %s cannot be read: %w; moat log verify tells more", e.Place(), err)
	}
	return ev, nil
}

// enterOld enters a page of the events of an older moat into the chain. Each
// page moves the head's mark, so that a server that is at it too, or one that
// writes, makes this one begin anew.
func (s *Store) enterOld(ctx context.Context, p *published) error {
	limits := s.log.Limits()
	head := p.head
	entries, err := s.log.Scan(ctx, Audit, trail.Place{Rev: head.Entered + 1}, min(1024, limits.Ops-1))
	if err != nil {
		return err
	}
	b := &Batch{Rev: head.Rev, Chain: head.Chain, Entered: head.Entered}
	size := b.size()
	for i := range entries {
		ev, err := s.readEvent(&entries[i])
		if err != nil {
			return err
		}
		// An event may be larger than its moat of today would let it.
		ev.Bound(trail.MaxRequest)
		value, hash := s.chained(ev, b.Chain)
		grown := Limits{Ops: 1, Bytes: len(value) + 64}
		if i > 0 && (size.Ops+grown.Ops > limits.Ops || size.Bytes+grown.Bytes > min(limits.Bytes, batchBytes)) {
			break
		}
		size.Ops, size.Bytes = size.Ops+grown.Ops, size.Bytes+grown.Bytes
		b.Entries = append(b.Entries, BookEntry{Audit, Entry{Rev: ev.Rev, Value: value}})
		b.Chain, b.Entered = hash, ev.Rev
	}
	if len(entries) == 0 || b.Entered == head.Rev {
		b.Entered = 0
	}
	after, err := s.log.Append(ctx, head, b)
	if err != nil {
		return err
	}
	s.staging.Lock()
	s.publish(p.view, after)
	s.staging.Unlock()
	if after.Entered == 0 {
		s.opts.Logger.Info("the events of an older moat are encrypted and in the chain", "revision", head.Rev)
	}
	return nil
}

// An Anchor is the last event that retention removed: the chain of those that
// are kept begins after it.
type Anchor struct {
	Place trail.Place
	Hash  trail.Hash
	Time  time.Time
}

type anchorValue struct {
	Rev  uint64    `cbor:"1,keyasint"`
	Seq  uint32    `cbor:"2,keyasint"`
	Hash []byte    `cbor:"3,keyasint"`
	Time time.Time `cbor:"4,keyasint"`
}

// encodeAnchor gives a paper of which nobody can make another without the key.
func (s *Store) encodeAnchor(a *Anchor) []byte {
	b := encodeEntry(anchorValue{a.Place.Rev, a.Place.Seq, a.Hash[:], a.Time})
	if v := s.vault.Load(); v != nil {
		return append([]byte{1}, v.anchorsStream.Seal(nil, b)...)
	}
	return append([]byte{0}, b...)
}

func (s *Store) decodeAnchor(value []byte) (*Anchor, error) {
	if len(value) == 0 {
		return &Anchor{}, nil
	}
	b := value[1:]
	v := s.vault.Load()
	switch {
	case value[0] == 1 && v != nil:
		var err error
		if b, err = v.anchorsReader.Open(nil, b); err != nil {
			return nil, err
		}
	case value[0] == 1:
		return nil, errLocked
	case v != nil:
		return nil, errors.New("it is not encrypted, as only an older moat would leave it")
	}
	var a anchorValue
	if err := cbor.Unmarshal(b, &a); err != nil || len(a.Hash) != len(trail.Hash{}) {
		return nil, fmt.Errorf("it is damaged: %v", err)
	}
	return &Anchor{trail.Place{Rev: a.Rev, Seq: a.Seq}, trail.Hash(a.Hash), a.Time}, nil
}
