package store

import (
	"context"
	"errors"
	"fmt"

	"moat/seal"
	"moat/trail"
)

// A Verification is what was found out about the trail.
type Verification struct {
	// Events is how many there are, from First to Last.
	Events      int
	First, Last trail.Place
	// Anchor is the last event that retention removed; its place is zero if
	// none was.
	Anchor Anchor
	// Head is the place and the hash of the last event as the log's head has it.
	Head     trail.Place
	HeadHash trail.Hash
	// Faults are the first of those that were found; Found is how many.
	Faults []TrailFault
	Found  int
	// Unreadable is how many events cannot be decrypted because their key was
	// given up. Their chain was verified.
	Unreadable int
}

// A TrailFault is something that is not as it was written.
type TrailFault struct {
	Place trail.Place
	What  string
}

const maxFaults = 20

func (v *Verification) fault(at trail.Place, format string, args ...any) {
	if v.Found++; len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, TrailFault{at, fmt.Sprintf(format, args...)})
	}
}

// A KnownHead is the head of the trail as somebody noted it elsewhere.
type KnownHead struct {
	Place trail.Place
	Hash  trail.Hash
}

// Verify reads the whole trail and finds every event that was changed, left
// out, put in or moved since it was written, as far as that can be told from
// within: what cannot is the end of the trail, if the head was changed with it
// by somebody who can write to the database. For that a head that was noted
// elsewhere is compared; nil for none.
func (s *Store) Verify(ctx context.Context, known *KnownHead) (*Verification, error) {
	for {
		v, again, err := s.verifyOnce(ctx, known)
		if err != nil || !again {
			return v, err
		}
	}
}

// verifyOnce gives again when retention removed events meanwhile.
func (s *Store) verifyOnce(ctx context.Context, known *KnownHead) (v *Verification, again bool, err error) {
	paper, err := s.log.Paper(ctx, anchorPaper)
	if err != nil {
		return nil, false, err
	}
	head, err := s.log.Head(ctx)
	if err != nil {
		return nil, false, err
	}
	if head.old() {
		return nil, false, errNotEntered
	}
	v = &Verification{Head: head.Place(), HeadHash: head.Chain}
	anchored := true
	if anchor, err := s.decodeAnchor(paper.Value); err != nil {
		v.fault(trail.Place{}, "the anchor, which tells what retention removed, cannot be relied on: %v", err)
		anchored = false
	} else {
		v.Anchor = *anchor
	}
	c := chain{s: s, v: v, prevs: []trail.Hash{v.Anchor.Hash}, last: v.Anchor.Place, begun: anchored && v.Anchor.Place != trail.Place{}, anchored: anchored}
	seenKnown := known == nil
	beyond := false
	for from := (trail.Place{}); !beyond; {
		entries, err := s.log.Scan(ctx, Audit, from, 512)
		if err != nil {
			return nil, false, err
		}
		if len(entries) == 0 {
			break
		}
		for i := range entries {
			e := &entries[i]
			if e.Place().Compare(v.Head) > 0 {
				// Written since, unless nothing was.
				now, err := s.log.Head(ctx)
				if err != nil {
					return nil, false, err
				}
				if now.Mark == head.Mark {
					v.fault(e.Place(), "stands after the end of the trail")
				}
				beyond = true
				break
			}
			hash := c.next(e)
			if known != nil && e.Place() == known.Place {
				seenKnown = true
				if hash != known.Hash {
					v.fault(e.Place(), "the trail up to here is not the one whose head was noted")
				}
			}
		}
		from = entries[len(entries)-1].Place().Next()
	}
	switch {
	case v.Last.Compare(v.Head) < 0 && v.Events > 0:
		v.fault(v.Last, "the events after this one are missing: the trail goes on to %s", v.Head)
	case v.Events == 0 && v.Anchor.Place.Compare(v.Head) < 0 && v.Head != (trail.Place{}):
		v.fault(v.Head, "all events are missing")
	case v.Events > 0 && !c.is(v.HeadHash):
		v.fault(v.Last, "is not the event that was written last: the head has another hash")
	}
	if !seenKnown {
		if known.Place.Compare(v.Anchor.Place) <= 0 {
			if known.Place == v.Anchor.Place && known.Hash != v.Anchor.Hash {
				v.fault(known.Place, "the trail up to here is not the one whose head was noted")
			}
		} else {
			v.fault(known.Place, "the event whose hash was noted is missing")
		}
	}
	now, err := s.log.Paper(ctx, anchorPaper)
	return v, err == nil && now.Mark != paper.Mark, err
}

// A chain goes through the events.
type chain struct {
	s *Store
	v *Verification
	// prevs are what the hash of the event before may be: after one that was
	// changed, what it says and what it should say.
	prevs    []trail.Hash
	last     trail.Place
	begun    bool // there was an event before
	anchored bool // the anchor can be relied on
}

func (c *chain) is(h trail.Hash) bool {
	for _, p := range c.prevs {
		if p == h {
			return true
		}
	}
	return false
}

// next looks at an event and gives its hash.
func (c *chain) next(e *Entry) trail.Hash {
	v, at := c.v, e.Place()
	if v.Events++; v.Events == 1 {
		v.First = at
	}
	v.Last = at
	before := v.Found
	gap := c.begun && at != (c.last.Next()) && at != (trail.Place{Rev: c.last.Rev + 1})
	if gap {
		v.fault(at, "the events between %s and this one are missing", c.last)
	}
	c.last = at
	stored, err := trail.ReadStored(e.Value)
	if err != nil {
		v.fault(at, "was changed: it is no event that moat writes")
		// Whatever it was, the next one is taken as it says.
		c.prevs, c.begun = nil, true
		return trail.Hash{}
	}
	event, err := c.s.readEvent(e)
	var unknown *seal.UnknownKeyError
	lost := errors.As(err, &unknown)
	follows := false
	for _, p := range c.prevs {
		if trail.Follows(p, at, e.Value) {
			follows = true
			c.prevs = []trail.Hash{p}
			break
		}
	}
	first := !c.begun
	c.begun = true
	says := func(p trail.Hash) bool { return event != nil && event.IsAfter(p) }
	switch {
	case lost:
		v.Unreadable++
		if !follows && v.Found == before && len(c.prevs) > 0 {
			v.fault(at, "was changed, or does not follow the event before")
		}
	case errors.Is(err, errPutIn):
		v.fault(at, "was put in: it is not encrypted, as those that moat writes are")
	case err != nil:
		v.fault(at, "was changed: its contents cannot be read")
	case event.Place() != at:
		v.fault(at, "stands in another's place: it is event %s", event.Place())
	case !event.Time.Equal(stored.Time):
		v.fault(at, "was changed: its time is not the one that it was written with")
	case follows && says(c.prevs[0]):
	case v.Found > before:
	case len(c.prevs) == 0 || !c.anchored && first:
		// What was before is not known; what it says of itself holds.
		if !trail.Follows(prevOf(event), at, e.Value) {
			v.fault(at, "was changed: its hash is not that of its contents")
		}
	case !c.saysAny(event) && first && len(event.Prev) > 0:
		v.fault(at, "the events before this one are missing")
	case !c.saysAny(event):
		v.fault(at, "does not follow the event before it: one was changed, put in or taken out between them")
	default:
		v.fault(at, "was changed: its hash is not that of its contents")
	}
	// What the next one must follow: the hash that is there, or the one that
	// should be, where the hash itself was changed.
	hash := stored.Hash
	next := []trail.Hash{hash}
	if v.Found > before {
		for _, p := range append(c.prevs, prevsOf(event)...) {
			next = append(next, trail.HashOf(p, at, e.Value))
		}
		if v.Found > before && event == nil && len(c.prevs) == 0 {
			next = nil
		}
	}
	c.prevs = next
	return hash
}

func (c *chain) saysAny(e *Event) bool {
	for _, p := range c.prevs {
		if e.IsAfter(p) {
			return true
		}
	}
	return false
}

func prevOf(e *Event) (h trail.Hash) {
	copy(h[:], e.Prev)
	return h
}

func prevsOf(e *Event) []trail.Hash {
	if e == nil {
		return nil
	}
	return []trail.Hash{prevOf(e)}
}
