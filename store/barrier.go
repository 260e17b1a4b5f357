package store

import (
	"context"
	"fmt"
	"sync"
)

// barriers collect readers that must know the head of a shared log: all that
// wait while one question is under way share the next one.
type barriers struct {
	mu      sync.Mutex
	waiting *barrier
	kick    chan struct{}
}

type barrier struct {
	done chan struct{}
	head Head
	err  error
}

// barrier waits until the view has everything that was committed before the
// call.
func (s *Store) barrier(ctx context.Context) (*published, error) {
	// The question may have to wait for one that is under way.
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.Patience, ErrNoAnswer)
	defer cancel()
	s.reads.mu.Lock()
	b := s.reads.waiting
	if b == nil {
		b = &barrier{done: make(chan struct{})}
		s.reads.waiting = b
	}
	s.reads.mu.Unlock()
	select {
	case s.reads.kick <- struct{}{}:
	default:
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		if context.Cause(ctx) == ErrNoAnswer {
			return nil, ErrNoAnswer
		}
		return nil, ctx.Err()
	case <-s.done:
		return nil, ErrClosed
	}
	if b.err != nil {
		return nil, b.err
	}
	if p := s.now.Load(); p.head.Mark >= b.head.Mark {
		return p, nil
	}
	p, err := s.wait(ctx, func(p *published) bool { return p.head.Mark >= b.head.Mark })
	if err != nil && context.Cause(ctx) == ErrNoAnswer {
		err = fmt.Errorf("the view does not follow the log: %w", ErrNoAnswer)
	}
	return p, err
}

func (s *Store) barrierLoop(ctx context.Context) {
	for {
		select {
		case <-s.reads.kick:
		case <-ctx.Done():
			return
		}
		s.reads.mu.Lock()
		b := s.reads.waiting
		s.reads.waiting = nil
		s.reads.mu.Unlock()
		if b == nil {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, s.opts.Patience)
		b.head, b.err = s.log.Head(ask)
		cancel()
		close(b.done)
	}
}
