package store

import (
	"context"
	"time"
)

// lookEvery is how often a server of a cluster makes sure that its view is the
// newest.
const lookEvery = time.Second

// Age returns how long ago the view at hand was known to be the newest. It is 0
// where no other server writes. It is measured by a clock that nobody sets.
func (s *Store) Age() time.Duration {
	if !s.log.Shared() {
		return 0
	}
	return time.Since(*s.newest.Load())
}

// confirmLoop makes sure that the view is the newest, again and again.
func (s *Store) confirmLoop(ctx context.Context) {
	for ctx.Err() == nil {
		asked := time.Now()
		if _, err := s.barrier(ctx); err == nil {
			s.newest.Store(&asked)
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
		}
	}
}
