package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"moat/trail"
)

// A Retention says how long books are kept.
type Retention struct {
	// History is how long what was there before is kept, and HistoryRevisions
	// how many revisions of it at least.
	History          time.Duration
	HistoryRevisions uint64
	// Audit is how long events are kept.
	Audit time.Duration
}

// Retain removes what is older than the retention says, and gives the space
// back.
func (s *Store) Retain(ctx context.Context, now time.Time, r Retention) error {
	// The log is not closed while its space is given back.
	s.retaining.Lock()
	defer s.retaining.Unlock()
	select {
	case <-s.done:
		return ErrClosed
	default:
	}
	head := s.Latest().Rev
	var most uint64 // history before this revision may go
	if head > r.HistoryRevisions {
		most = head - r.HistoryRevisions + 1
	}
	if err := s.trim(ctx, Past, most, now.Add(-r.History), func(b []byte) (time.Time, error) {
		p, err := DecodeBefore(b)
		return p.Time, err
	}); err != nil {
		return err
	}
	if err := s.trimEvents(ctx, now.Add(-r.Audit)); err != nil {
		return err
	}
	return s.log.Compact(ctx)
}

// trim removes the entries of a book that are before a revision and older
// than a time, in pages.
func (s *Store) trim(ctx context.Context, b Book, most uint64, before time.Time, timeOf func([]byte) (time.Time, error)) error {
	const page = 256
	for {
		entries, err := s.log.Scan(ctx, b, trail.Place{}, page)
		if err != nil {
			return err
		}
		var keep uint64 // the first revision to keep
		n := 0
		for _, e := range entries {
			at, err := timeOf(e.Value)
			if err != nil {
				return fmt.Errorf("%s entry %d: %w", b, e.Rev, err)
			}
			if e.Rev >= most || !at.Before(before) {
				break
			}
			keep = e.Rev + 1
			n++
		}
		if n == 0 {
			return nil
		}
		if err := s.log.Trim(ctx, b, trail.Place{Rev: keep}, nil); err != nil {
			return fmt.Errorf("trim %s: %w", b, err)
		}
		if n < page {
			return nil
		}
	}
}

// trimEvents removes the events before the first one that is not older than a
// time. The anchor, from which the rest of the chain can be verified, is moved
// with them.
func (s *Store) trimEvents(ctx context.Context, before time.Time) error {
	const page = 256
	for {
		paper, err := s.log.Paper(ctx, anchorPaper)
		if err != nil {
			return err
		}
		entries, err := s.log.Scan(ctx, Audit, trail.Place{}, page)
		if err != nil {
			return err
		}
		n := 0
		for n < len(entries) {
			at, err := eventTime(entries[n].Value)
			if err != nil {
				return fmt.Errorf("event %s: %w", entries[n].Place(), err)
			}
			if !at.Before(before) {
				break
			}
			n++
		}
		if n == 0 {
			return nil
		}
		last := &entries[n-1]
		stored, err := trail.ReadStored(last.Value)
		if err != nil {
			return fmt.Errorf("event %s: %w", last.Place(), err)
		}
		anchor := &Anchor{Place: last.Place(), Hash: stored.Hash, Time: stored.Time}
		paper.Value = s.encodeAnchor(anchor)
		err = s.log.Trim(ctx, Audit, last.Place().Next(), paper)
		if errors.Is(err, ErrBehind) {
			return nil // another server is at it
		}
		if err != nil {
			return fmt.Errorf("trim %s: %w", Audit, err)
		}
		s.index.forget(last.Place().Next())
		if n < page {
			return nil
		}
	}
}
