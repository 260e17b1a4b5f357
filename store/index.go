package store

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"moat/trail"
	"moat/vpc"
)

// An index finds events. It is of this process alone, made from the book and
// caught up with it when somebody asks, so that writing knows nothing of it.
//
// Events are counted in the order of their places, by an ordinal. A posting is
// the hash of a term and the ordinal of an event that is found by it, in one
// number; a segment is a sorted list of postings of a run of events. An event
// takes about 100 bytes in all.
type index struct {
	// catching lets one catch up at a time.
	catching sync.Mutex

	mu       sync.RWMutex // guards what follows
	base     uint32       // ordinal of the first event here
	places   []trail.Place
	times    []int64
	classes  []uint16 // of each event
	known    []class
	classOf  map[class]uint16
	segments []segment
	blocks   []block // of blockSize events each, from base on
	upTo     trail.Place
}

// A class is what many events have in common.
type class struct {
	account  vpc.AccountID
	region   string
	service  string
	readOnly bool
}

// A segment has the postings of the events from an ordinal on to another.
type segment struct {
	from, to uint32
	postings []uint64
}

// A block tells between which times its events are.
type block struct{ min, max int64 }

const (
	blockSize = 256
	indexPage = 512
)

var termSeed = maphash.MakeSeed()

// posting gives the least posting of a term: the hash of what it is found by.
func posting(term string) uint64 { return maphash.String(termSeed, term) &^ math.MaxUint32 }

// catchUp indexes the events that were written since it was called last, at
// most so many.
func (s *Store) catchUp(ctx context.Context, most int) error {
	x := &s.index
	x.catching.Lock()
	defer x.catching.Unlock()
	for most > 0 {
		// Only who catches up moves it.
		entries, err := s.log.Scan(ctx, Audit, x.upTo.Next(), min(indexPage, most))
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		events := make([]*Event, len(entries))
		for i := range entries {
			// One that cannot be read is found by nothing.
			events[i], _ = s.readEvent(&entries[i])
		}
		x.add(entries, events)
		most -= len(entries)
	}
	return nil
}

func (x *index) add(entries []Entry, events []*Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := x.base + uint32(len(x.places))
	seg := segment{from: next, to: next + uint32(len(entries))}
	for i, e := range events {
		c := class{account: "unreadable"}
		var at int64
		if e != nil {
			c = class{accountOf(e), e.Region, e.Service, e.ReadOnly}
			at = e.Time.UnixNano()
			for t := range trail.Terms(e) {
				seg.postings = append(seg.postings, posting(t)|uint64(next+uint32(i)))
			}
		} else if t, err := eventTime(entries[i].Value); err == nil {
			at = t.UnixNano()
		}
		if len(x.places)%blockSize == 0 {
			x.blocks = append(x.blocks, block{at, at})
		}
		b := &x.blocks[len(x.blocks)-1]
		b.min, b.max = min(b.min, at), max(b.max, at)
		x.places = append(x.places, entries[i].Place())
		x.times = append(x.times, at)
		x.classes = append(x.classes, x.class(c))
	}
	x.upTo = entries[len(entries)-1].Place()
	slices.Sort(seg.postings)
	x.segments = append(x.segments, seg)
	// Each posting is merged a few times in all.
	for n := len(x.segments); n > 1 && 2*len(x.segments[n-1].postings) >= len(x.segments[n-2].postings); n-- {
		a, b := x.segments[n-2], x.segments[n-1]
		x.segments = append(x.segments[:n-2], segment{a.from, b.to, merge(a.postings, b.postings)})
	}
}

func merge(a, b []uint64) []uint64 {
	out := make([]uint64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// accountOf gives whose event it is: what moat does by itself is its
// principal's.
func accountOf(e *Event) vpc.AccountID {
	if e.Account == "" {
		return accountOfARN(e.Principal)
	}
	return e.Account
}

func accountOfARN(arn string) vpc.AccountID {
	for i, n := 0, 0; i < len(arn); i++ {
		if arn[i] == ':' {
			if n++; n == 4 && len(arn) >= i+13 {
				return vpc.AccountID(arn[i+1 : i+13])
			}
		}
	}
	return ""
}

// class gives the number of a class. Past the last number all are one, which
// every query looks into.
func (x *index) class(c class) uint16 {
	n, ok := x.classOf[c]
	if !ok {
		if len(x.known) == math.MaxUint16 {
			return math.MaxUint16
		}
		if x.classOf == nil {
			x.classOf = map[class]uint16{}
		}
		n = uint16(len(x.known))
		x.classOf[c], x.known = n, append(x.known, c)
	}
	return n
}

// forget drops the events before a place.
func (x *index) forget(before trail.Place) {
	x.catching.Lock()
	defer x.catching.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	n := sort.Search(len(x.places), func(i int) bool { return x.places[i].Compare(before) >= 0 })
	n -= n % blockSize // whole blocks; what is gone is skipped when it is read
	if n == 0 || n < len(x.places)/4 && n < 1<<16 {
		return
	}
	x.base += uint32(n)
	x.places, x.times, x.classes, x.blocks = slices.Clone(x.places[n:]), slices.Clone(x.times[n:]), slices.Clone(x.classes[n:]), slices.Clone(x.blocks[n/blockSize:])
	kept := x.segments[:0]
	for _, seg := range x.segments {
		if seg.to <= x.base {
			continue
		}
		if seg.from < x.base {
			seg.from = x.base
			seg.postings = slices.DeleteFunc(slices.Clone(seg.postings), func(p uint64) bool { return uint32(p) < x.base })
		}
		kept = append(kept, seg)
	}
	x.segments = kept
}

// lookUp gives up to so many places of events that may be what a query wants,
// before the place of which it gives the last in turn. more is false when there
// are no others.
func (x *index) lookUp(q *trail.Query, before trail.Place, limit int) (places []trail.Place, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	end := len(x.places)
	if before != (trail.Place{}) {
		end = sort.Search(end, func(i int) bool { return x.places[i].Compare(before) >= 0 })
	}
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.Since.IsZero() {
		since = q.Since.UnixNano()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixNano()
	}
	fits := make([]bool, len(x.known))
	any := len(x.known) == math.MaxUint16
	for i, c := range x.known {
		fits[i] = (q.Account == "" || c.account == q.Account) && (q.Region == "" || c.region == "" || c.region == q.Region) &&
			(q.Source == "" || c.service == q.Source) && (q.ReadOnly == nil || c.readOnly == *q.ReadOnly)
		any = any || fits[i]
	}
	if !any {
		return nil, false
	}
	// wanted takes one event by its place in the slices; false is enough.
	wanted := func(i int) bool {
		if c := x.classes[i]; x.times[i] < since || x.times[i] > until || c != math.MaxUint16 && !fits[c] {
			return true
		}
		if len(places) == limit {
			more = true
			return false
		}
		places = append(places, x.places[i])
		return true
	}
	if len(q.Terms) == 0 {
		for i := end - 1; i >= 0; i-- {
			if b := &x.blocks[i/blockSize]; b.max < since || b.min > until {
				i -= i % blockSize // the loop goes on before it
				continue
			}
			if !wanted(i) {
				break
			}
		}
		return places, more
	}
	for n := len(x.segments) - 1; n >= 0; n-- {
		seg := &x.segments[n]
		if int(seg.from-x.base) >= end {
			continue
		}
		// The rarest term leads, the others are looked up.
		lists := make([][]uint64, len(q.Terms))
		for i, t := range q.Terms {
			first := posting(t)
			from, _ := slices.BinarySearch(seg.postings, first)
			to, _ := slices.BinarySearch(seg.postings, first|uint64(end)+uint64(x.base))
			lists[i] = seg.postings[from:max(from, to)]
		}
		slices.SortFunc(lists, func(a, b []uint64) int { return len(a) - len(b) })
	candidates:
		for i := len(lists[0]) - 1; i >= 0; i-- {
			ordinal := uint32(lists[0][i])
			for _, other := range lists[1:] {
				if len(other) == 0 {
					continue candidates
				}
				if _, ok := slices.BinarySearch(other, other[0]&^math.MaxUint32|uint64(ordinal)); !ok {
					continue candidates
				}
			}
			if !wanted(int(ordinal - x.base)) {
				return places, more
			}
		}
	}
	return places, more
}

// keepIndexed catches up with what is written, slowly: who asks does not wait.
func (s *Store) keepIndexed(ctx context.Context) {
	if err := s.catchUp(ctx, math.MaxInt); err != nil && ctx.Err() == nil {
		s.opts.Logger.Warn("the audit trail could not be indexed; it is tried again when somebody asks", "err", err)
	}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.catchUp(ctx, 4*indexPage) // who asks is told
		}
	}
}

// Find gives events, the newest first, and the place to go on from: zero when
// there are no more. A page may hold fewer than are wanted, and none, when much
// had to be read for it.
func (s *Store) Find(ctx context.Context, q *trail.Query) (events []*Event, next trail.Place, err error) {
	if err := s.catchUp(ctx, math.MaxInt); err != nil {
		return nil, next, err
	}
	const mostRead = 2048
	before := q.Before
	for read := 0; read < mostRead; {
		want := q.Limit - len(events)
		if q.Match != nil {
			want = max(want, 128)
		}
		places, more := s.index.lookUp(q, before, want)
		entries, err := s.log.Get(ctx, Audit, places)
		if err != nil {
			return nil, next, err
		}
		for i := range entries {
			before = entries[i].Place()
			if entries[i].Value == nil {
				continue // retention has removed it
			}
			e, err := s.readEvent(&entries[i])
			if err != nil {
				s.opts.Logger.Warn("an event is left out of an answer", "err", err)
				continue
			}
			if !isFound(q, e) || q.Match != nil && !q.Match(e) {
				continue
			}
			if events = append(events, e); len(events) == q.Limit {
				if !more && i == len(entries)-1 {
					before = trail.Place{}
				}
				return events, before, nil
			}
		}
		if !more {
			return events, trail.Place{}, nil
		}
		read += len(places)
	}
	return events, before, nil
}

// Latests gives, for each term, the newest event of an account that has it; nil
// where there is none.
func (s *Store) Latests(ctx context.Context, account vpc.AccountID, terms []string) ([]*Event, error) {
	if err := s.catchUp(ctx, math.MaxInt); err != nil {
		return nil, err
	}
	out := make([]*Event, len(terms))
	var places []trail.Place
	at := make([]int, len(terms)) // into places
	seen := map[trail.Place]int{}
	for i, t := range terms {
		q := trail.Query{Account: account, Terms: []string{t}}
		found, _ := s.index.lookUp(&q, trail.Place{}, 1)
		at[i] = -1
		if len(found) == 0 {
			continue
		}
		n, ok := seen[found[0]]
		if !ok {
			n = len(places)
			seen[found[0]], places = n, append(places, found[0])
		}
		at[i] = n
	}
	entries, err := s.log.Get(ctx, Audit, places)
	if err != nil {
		return nil, err
	}
	events := make([]*Event, len(entries))
	for i := range entries {
		if entries[i].Value != nil {
			if events[i], err = s.readEvent(&entries[i]); err != nil {
				s.opts.Logger.Warn("an event is left out of an answer", "err", err)
			}
		}
	}
	for i, t := range terms {
		if at[i] < 0 || events[at[i]] == nil {
			continue
		}
		q := trail.Query{Account: account, Terms: []string{t}, Limit: 1}
		if isFound(&q, events[at[i]]) {
			out[i] = events[at[i]]
		} else if found, _, err := s.Find(ctx, &q); err == nil && len(found) == 1 { // another term has its hash
			out[i] = found[0]
		}
	}
	return out, nil
}

// isFound tells an event that has the terms from one whose terms have the same
// hash.
func isFound(q *trail.Query, e *Event) bool {
	if q.Account != "" && accountOf(e) != q.Account || q.Region != "" && e.Region != "" && e.Region != q.Region ||
		q.Source != "" && e.Service != q.Source || q.ReadOnly != nil && e.ReadOnly != *q.ReadOnly {
		return false
	}
	missing := len(q.Terms)
	for t := range trail.Terms(e) {
		if slices.Contains(q.Terms, t) {
			missing--
		}
	}
	return missing == 0
}

// Events gives up to so many events from a place on, the oldest first.
func (s *Store) Events(ctx context.Context, from trail.Place, limit int) ([]*Event, []trail.Hash, error) {
	entries, err := s.log.Scan(ctx, Audit, from, limit)
	if err != nil {
		return nil, nil, err
	}
	events, hashes := make([]*Event, len(entries)), make([]trail.Hash, len(entries))
	for i := range entries {
		if events[i], err = s.readEvent(&entries[i]); err != nil {
			return nil, nil, err
		}
		if stored, err := trail.ReadStored(entries[i].Value); err == nil {
			hashes[i] = stored.Hash
		}
	}
	return events, hashes, nil
}
