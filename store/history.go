package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"moat/state"
	"moat/trail"
)

// historyPage is how many entries of the history are in memory at once.
const historyPage = 128

// A HistoryError says that a revision cannot be shown.
type HistoryError struct {
	Rev uint64
	// Oldest is the earliest revision that can be shown, Head the newest.
	Oldest, Head uint64
}

func (e *HistoryError) Error() string {
	if e.Rev > e.Head {
		return fmt.Sprintf("there is no revision %d yet: the newest is %d", e.Rev, e.Head)
	}
	return fmt.Sprintf("revision %d is no longer kept: history goes back to revision %d (moat serve --history says for how long)", e.Rev, e.Oldest)
}

// AsOf gives the view as it was at a revision. Its cost follows the number of
// calls since then; what is in memory beside the view is a page of them and the
// keys that they changed. The error is a *HistoryError when the revision is not
// there yet, or no longer.
//
// Rows that were kept out of the history (Write.Forget) are as they are now.
func (s *Store) AsOf(ctx context.Context, rev uint64) (*state.View, error) {
	v, err := s.View(ctx)
	if err != nil {
		return nil, err
	}
	v, _, err = s.back(ctx, v, rev)
	return v, err
}

// Between gives the views at two revisions, the earlier one first, and the keys
// of the records that the calls after the first, up to the second, touched, in
// the order of keys. A record may have come back to what it was.
func (s *Store) Between(ctx context.Context, from, to uint64) (before, after *state.View, touched []string, err error) {
	if after, err = s.AsOf(ctx, to); err != nil {
		return nil, nil, nil, err
	}
	before, touched, err = s.back(ctx, after, from)
	return before, after, touched, err
}

// back gives the view at a revision at or before that of v, by putting back
// what the calls in between replaced, and the keys of that.
func (s *Store) back(ctx context.Context, v *state.View, rev uint64) (*state.View, []string, error) {
	if rev > v.Rev {
		return nil, nil, &HistoryError{Rev: rev, Head: v.Rev}
	}
	head := v.Rev
	// Of several entries for a record the first tells what it was at rev.
	seen := map[string]bool{}
	next := rev + 1
	for next <= head {
		entries, err := s.log.Scan(ctx, Past, trail.Place{Rev: next}, int(min(historyPage, head-next+1)))
		if err != nil {
			return nil, nil, err
		}
		if len(entries) == 0 || entries[0].Rev != next {
			return nil, nil, s.gone(ctx, rev, head)
		}
		var rows []state.Decoded
		for _, e := range entries {
			if e.Rev > head {
				break
			}
			if e.Rev != next {
				return nil, nil, s.gone(ctx, rev, head)
			}
			next++
			was, err := DecodeBefore(e.Value)
			if err != nil {
				return nil, nil, fmt.Errorf("history of revision %d: %w", e.Rev, err)
			}
			for _, row := range was.Rows {
				if seen[row.Key] {
					continue
				}
				seen[row.Key] = true
				d, err := state.Decode(state.Record{Key: row.Key, Value: row.Value})
				if err != nil {
					return nil, nil, fmt.Errorf("history of revision %d: %w", e.Rev, err)
				}
				rows = append(rows, d)
			}
		}
		s.staging.Lock()
		v = v.Apply(rev, seqOf(rows))
		s.staging.Unlock()
	}
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return v, keys, nil
}

// gone says why a revision cannot be shown.
func (s *Store) gone(ctx context.Context, rev, head uint64) error {
	oldest, err := s.Oldest(ctx, head)
	if err != nil {
		return err
	}
	if rev >= oldest {
		return fmt.Errorf("the history of revision %d has a gap: the database was changed by something other than moat", rev)
	}
	return &HistoryError{Rev: rev, Oldest: oldest, Head: head}
}

// Oldest gives the earliest revision that can be shown; head is the newest.
func (s *Store) Oldest(ctx context.Context, head uint64) (uint64, error) {
	entries, err := s.log.Scan(ctx, Past, trail.Place{}, 1)
	if err != nil || len(entries) == 0 {
		return head, err
	}
	return min(entries[0].Rev-1, head), nil
}

// RevisionAt gives the revision that was the newest at a time: that of the last
// call that began at or before it. Of calls that ran at once the order of times
// may differ from that of revisions; those are told apart by revision only. The
// error is a *HistoryError when the time is before what is kept.
func (s *Store) RevisionAt(ctx context.Context, at time.Time) (uint64, error) {
	v, err := s.View(ctx)
	if err != nil {
		return 0, err
	}
	head := v.Rev
	oldest, err := s.Oldest(ctx, head)
	if err != nil {
		return 0, err
	}
	// The last of the revisions in (oldest, head] that is not after the time.
	low, high := oldest, head
	for low < high {
		mid := low + (high-low+1)/2
		began, err := s.timeOf(ctx, mid)
		if err != nil {
			return 0, err
		}
		if began.After(at) {
			high = mid - 1
		} else {
			low = mid
		}
	}
	if low > oldest || oldest == 0 {
		return low, nil
	}
	// What was there before is not kept of this revision; when it began may be
	// told by its event.
	events, err := s.log.Scan(ctx, Audit, trail.Place{Rev: oldest}, 1)
	if err != nil {
		return 0, err
	}
	if len(events) == 1 && events[0].Rev == oldest {
		if began, err := eventTime(events[0].Value); err == nil && !began.After(at) {
			return oldest, nil
		}
	}
	return 0, &HistoryError{Rev: oldest - 1, Oldest: oldest, Head: head}
}

// timeOf gives when the call of a revision began.
func (s *Store) timeOf(ctx context.Context, rev uint64) (time.Time, error) {
	entries, err := s.log.Scan(ctx, Past, trail.Place{Rev: rev}, 1)
	if err != nil {
		return time.Time{}, err
	}
	if len(entries) == 0 || entries[0].Rev != rev {
		return time.Time{}, s.gone(ctx, rev, s.Latest().Rev)
	}
	was, err := DecodeBefore(entries[0].Value)
	if err != nil {
		return time.Time{}, fmt.Errorf("history of revision %d: %w", rev, err)
	}
	return was.Time, nil
}
