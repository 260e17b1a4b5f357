package server

import (
	"sync"
	"time"

	"moat/fault"
)

// Bounds on what callers may make the server store without any permission; the
// table in docs/operating.md has all of them. Each server of a cluster counts by
// itself.
const (
	// Each set of credentials that STS gives out is an event of about 2 KB.
	credentialsEach      = 0.5 // a second, of one principal
	credentialsEachBurst = 300
	credentialsAll       = 10 // a second, of all together
	credentialsAllBurst  = 1200

	// maxSpaces bounds the regions of accounts that --auth any makes: any 12
	// digits are an account there.
	maxSpaces = 5000
)

// A rate is a token bucket for each principal and one for all of them.
type rate struct {
	each, eachBurst, all, allBurst float64

	mu    sync.Mutex
	of    map[string]bucket
	total bucket
}

// A bucket has the tokens that were left at some time; the zero bucket is full.
type bucket struct {
	left float64
	at   time.Time
}

func newCredentialsRate() *rate {
	return &rate{each: credentialsEach, eachBurst: credentialsEachBurst, all: credentialsAll, allBurst: credentialsAllBurst, of: map[string]bucket{}}
}

// now gives the bucket as it is at a time. A clock that went back adds nothing.
func (b bucket) now(at time.Time, perSecond, burst float64) bucket {
	if b.at.IsZero() {
		return bucket{burst, at}
	}
	passed := max(0, at.Sub(b.at).Seconds())
	return bucket{min(burst, b.left+passed*perSecond), at}
}

// allow takes a token of a principal's, and reports whether there was one.
func (q *rate) allow(principal string, at time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	own, total := q.of[principal].now(at, q.each, q.eachBurst), q.total.now(at, q.all, q.allBurst)
	if own.left < 1 || total.left < 1 {
		if _, known := q.of[principal]; known {
			q.of[principal] = own // at the clock's new time, if it went back
		}
		q.total = total
		return false
	}
	if len(q.of) >= maxCallers {
		for p, b := range q.of {
			if b.now(at, q.each, q.eachBurst).left == q.eachBurst {
				delete(q.of, p) // full again: the same as none
			}
		}
	}
	own.left, total.left = own.left-1, total.left-1
	q.of[principal], q.total = own, total
	return true
}

// throttled is the error of a service that is asked too often.
func (s *Server) throttled(r *request, what string) error {
	s.cfg.Metrics.throttled.WithLabelValues(what).Inc()
	switch r.service {
	case serviceEC2:
		return fault.RequestLimitExceeded.With()
	case serviceCloudTrail:
		return fault.ThrottlingException.With()
	}
	return fault.Throttling.With()
}

// roomForSpace refuses to make another region of another account under --auth
// any when there are too many.
func (s *Server) roomForSpace(r *request) error {
	if !s.cfg.AnyAuth {
		return nil
	}
	if v := s.store.Latest(); v.Has(r.scope) || v.SpaceCount() < maxSpaces {
		return nil
	}
	return s.throttled(r, "spaces")
}
