package store

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"

	"moat/state"
	"moat/trail"
)

// A Memory is a log that is gone when the process is. Several stores may use
// one, as several servers use one etcd.
type Memory struct {
	mu      sync.Mutex
	head    Head
	records map[string][]byte
	books   map[Book][]Entry
	papers  map[string]Paper
	batches []Update
	changed chan struct{}
}

// NewMemory gives an empty log.
func NewMemory() *Memory {
	return &Memory{records: map[string][]byte{}, books: map[Book][]Entry{}, papers: map[string]Paper{}, changed: make(chan struct{})}
}

// Load gives all records in the order of keys.
func (m *Memory) Load(_ context.Context, page func([]state.Record) error) (Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []state.Record
	for k, v := range m.records {
		all = append(all, state.Record{Key: k, Value: v})
	}
	slices.SortFunc(all, func(a, b state.Record) int { return strings.Compare(a.Key, b.Key) })
	if len(all) == 0 {
		return m.head, nil
	}
	return m.head, page(all)
}

// Append writes a batch.
func (m *Memory) Append(_ context.Context, after Head, b *Batch) (Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.head.Mark != after.Mark {
		return Head{}, ErrBehind
	}
	for _, r := range b.Records {
		if r.Value == nil {
			delete(m.records, r.Key)
		} else {
			m.records[r.Key] = r.Value
		}
	}
	for _, e := range b.Entries {
		m.books[e.Book] = append(m.books[e.Book], e.Entry)
	}
	m.head = b.head(m.head.Mark + 1)
	m.batches = append(m.batches, Update{Head: m.head, Records: b.Records})
	close(m.changed)
	m.changed = make(chan struct{})
	return m.head, nil
}

// Head gives the head.
func (m *Memory) Head(context.Context) (Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head, nil
}

// Watch gives the batches after a head.
func (m *Memory) Watch(ctx context.Context, after Head) <-chan Update {
	out := make(chan Update)
	go func() {
		defer close(out)
		next := int(after.Mark)
		for {
			m.mu.Lock()
			todo, changed := m.batches[next:], m.changed
			m.mu.Unlock()
			for _, u := range todo {
				select {
				case out <- u:
					next++
				case <-ctx.Done():
					return
				}
			}
			if len(todo) > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Scan gives entries of a book.
func (m *Memory) Scan(_ context.Context, b Book, from trail.Place, limit int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.books[b]
	i := sort.Search(len(all), func(i int) bool { return all[i].Place().Compare(from) >= 0 })
	return slices.Clone(all[i:min(len(all), i+limit)]), nil
}

// Get gives the entries at some places.
func (m *Memory) Get(_ context.Context, b Book, places []trail.Place) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Entry, len(places))
	for n, at := range places {
		out[n] = Entry{Rev: at.Rev, Seq: at.Seq}
		if i, ok := slices.BinarySearchFunc(m.books[b], at, func(e Entry, at trail.Place) int { return e.Place().Compare(at) }); ok {
			out[n] = m.books[b][i]
		}
	}
	return out, nil
}

// Trim removes entries of a book.
func (m *Memory) Trim(_ context.Context, b Book, before trail.Place, p *Paper) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p != nil {
		if err := m.putPaper(p); err != nil {
			return err
		}
	}
	m.books[b] = slices.DeleteFunc(m.books[b], func(e Entry) bool { return e.Place().Compare(before) < 0 })
	return nil
}

// Paper gives a paper.
func (m *Memory) Paper(_ context.Context, name string) (*Paper, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.papers[name]
	p.Name = name
	return &p, nil
}

// PutPaper keeps a paper.
func (m *Memory) PutPaper(_ context.Context, p *Paper) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.putPaper(p)
}

func (m *Memory) putPaper(p *Paper) error {
	if m.papers[p.Name].Mark != p.Mark {
		return ErrBehind
	}
	p.Mark++
	m.papers[p.Name] = *p
	return nil
}

// Shared tells that other stores may use the log.
func (m *Memory) Shared() bool { return true }

// Limits are wide.
func (m *Memory) Limits() Limits { return Limits{Ops: 1 << 20, Bytes: 1 << 30} }

// Compact has nothing to do.
func (m *Memory) Compact(context.Context) error { return nil }

// Close has nothing to do.
func (m *Memory) Close() error { return nil }
