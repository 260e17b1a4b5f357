package store

import (
	"context"
	"fmt"
	"time"
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
	if err := s.trim(ctx, Audit, head+1, now.Add(-r.Audit), func(b []byte) (time.Time, error) {
		e, err := DecodeEvent(b)
		return e.Time, err
	}); err != nil {
		return err
	}
	return s.log.Compact(ctx)
}

// trim removes the entries of a book that are before a revision and older
// than a time, in pages.
func (s *Store) trim(ctx context.Context, b Book, most uint64, before time.Time, timeOf func([]byte) (time.Time, error)) error {
	const page = 256
	for {
		entries, err := s.log.Scan(ctx, b, 0, page)
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
		if err := s.log.Trim(ctx, b, keep); err != nil {
			return fmt.Errorf("trim %s: %w", b, err)
		}
		if n < page {
			return nil
		}
	}
}
