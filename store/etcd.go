package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"moat/state"
	"moat/trail"
)

// Keys in etcd, below a prefix: the head and the records share the prefix
// "state", so that one watch sees a batch whole.
const (
	headKey   = "state"
	recordKey = "state/"
)

// storeFormat is the form of keys and entries. A newer moat that changes it
// counts it up and upgrades what it finds. Of format 1 were the events without
// a chain.
const storeFormat = 2

type headValue struct {
	Rev     uint64 `cbor:"1,keyasint"`
	Format  int    `cbor:"2,keyasint"`
	Seq     uint32 `cbor:"3,keyasint,omitempty"`
	Chain   []byte `cbor:"4,keyasint,omitempty"`
	Entered uint64 `cbor:"5,keyasint,omitempty"`
}

// An Etcd is a log in etcd, embedded or not: the same keys, the same
// transactions.
type Etcd struct {
	client *clientv3.Client
	prefix string
	shared bool
	limits Limits

	// room says whether there is space to write; nil for a cluster's own business.
	room    func() error
	compact func(ctx context.Context) error
	close   func() error

	// dumping keeps compaction away from the revision that a dump reads.
	dumping sync.RWMutex
}

func (e *Etcd) key(parts ...string) string { return e.prefix + strings.Join(parts, "") }

func (e *Etcd) bookKey(b Book, at trail.Place) string { return e.key(string(b), "/", placeKey(at)) }

// Load reads all records at one revision of etcd.
func (e *Etcd) Load(ctx context.Context, page func([]state.Record) error) (Head, error) {
	resp, err := e.client.Get(ctx, e.key(headKey))
	if err != nil {
		return Head{}, fmt.Errorf("read the head: %w", err)
	}
	head, err := parseHead(resp.Kvs)
	if err != nil {
		return Head{}, err
	}
	head.Seen = resp.Header.Revision
	if head.Mark == 0 {
		return head, e.checkRestored(ctx)
	}
	from := e.key(recordKey)
	err = e.pages(ctx, from, clientv3.GetPrefixRangeEnd(from), resp.Header.Revision, func(resp *clientv3.GetResponse) error {
		if len(resp.Kvs) == 0 {
			return nil
		}
		records := make([]state.Record, len(resp.Kvs))
		for i, kv := range resp.Kvs {
			records[i] = state.Record{Key: string(kv.Key[len(from):]), Value: kv.Value}
		}
		return page(records)
	})
	if err != nil {
		return Head{}, fmt.Errorf("read records: %w", err)
	}
	return head, nil
}

func parseHead(kvs []*mvccpb.KeyValue) (Head, error) {
	if len(kvs) == 0 {
		return Head{}, nil
	}
	h, err := decodeHead(kvs[0].Value)
	if err != nil {
		return Head{}, err
	}
	head := Head{Rev: h.Rev, Mark: kvs[0].ModRevision, Seq: h.Seq, Format: h.Format, Entered: h.Entered}
	copy(head.Chain[:], h.Chain)
	return head, nil
}

func decodeHead(value []byte) (headValue, error) {
	var h headValue
	if err := cbor.Unmarshal(value, &h); err != nil {
		return h, fmt.Errorf("the head cannot be read: %w", err)
	}
	if h.Format < 1 || h.Format > storeFormat {
		return h, fmt.Errorf("the data has format %d, this moat knows %d: use the moat that wrote it, or a newer one", h.Format, storeFormat)
	}
	return h, nil
}

func encodeHead(h Head) []byte {
	return encodeEntry(headValue{Rev: h.Rev, Format: storeFormat, Seq: h.Seq, Chain: h.Chain[:], Entered: h.Entered})
}

// Append writes a batch in one transaction that is guarded by the head.
func (e *Etcd) Append(ctx context.Context, after Head, b *Batch) (Head, error) {
	if e.room != nil {
		if err := e.room(); err != nil {
			return Head{}, err
		}
	}
	if s := b.size(); s.Ops > e.limits.Ops || s.Bytes > e.limits.Bytes {
		return Head{}, ErrTooBig
	}
	ops := make([]clientv3.Op, 0, 1+len(b.Records)+len(b.Entries))
	ops = append(ops, clientv3.OpPut(e.key(headKey), string(encodeHead(b.head(0)))))
	for _, r := range b.Records {
		if r.Value == nil {
			ops = append(ops, clientv3.OpDelete(e.key(recordKey, r.Key)))
		} else {
			ops = append(ops, clientv3.OpPut(e.key(recordKey, r.Key), string(r.Value)))
		}
	}
	for _, en := range b.Entries {
		ops = append(ops, clientv3.OpPut(e.bookKey(en.Book, en.Place()), string(en.Value)))
	}
	// When the outcome of an attempt is unknown it is made again: the guard
	// lets it through once. If the guard fails then, the first event of the
	// batch tells whether it was ours that went through, since an event's id
	// is drawn anew for each batch.
	var witness BookEntry
	for _, en := range b.Entries {
		if en.Book == Audit {
			witness = en
			break
		}
	}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		resp, err := e.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(e.key(headKey)), "=", after.Mark)).
			Then(ops...).
			Else(clientv3.OpGet(e.bookKey(witness.Book, witness.Place()))).
			Commit()
		switch {
		case err == nil && resp.Succeeded:
			return b.head(resp.Header.Revision), nil
		case err == nil:
			kvs := resp.Responses[0].GetResponseRange().Kvs
			if len(kvs) == 1 && bytes.Equal(kvs[0].Value, witness.Value) {
				return b.head(kvs[0].ModRevision), nil
			}
			return Head{}, ErrBehind
		case errors.Is(err, rpctypes.ErrNoSpace):
			// etcd also says so of the one transaction that it carried out
			// and found to be over the quota.
			resp, getErr := e.client.Get(ctx, e.bookKey(witness.Book, witness.Place()))
			if getErr != nil {
				break // look again
			}
			if len(resp.Kvs) == 1 && bytes.Equal(resp.Kvs[0].Value, witness.Value) {
				return b.head(resp.Kvs[0].ModRevision), nil
			}
			return Head{}, &NoSpaceError{"etcd's storage quota is used up: raise it, or shorten --history and --audit-retention, then disarm the alarm with etcdctl"}
		case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
			return Head{}, ErrTooBig
		case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrInvalidAuthToken), errors.Is(err, rpctypes.ErrDuplicateKey):
			return Head{}, err
		}
		select {
		case <-ctx.Done():
			return Head{}, fmt.Errorf("commit revision %d: %w: %w", b.Rev, ErrNoAnswer, err)
		case <-time.After(wait):
		}
	}
}

// Head reads the head linearizably.
func (e *Etcd) Head(ctx context.Context) (Head, error) {
	resp, err := e.client.Get(ctx, e.key(headKey))
	if err != nil {
		return Head{}, fmt.Errorf("read the head: %w: %w", ErrNoAnswer, err)
	}
	return parseHead(resp.Kvs)
}

// Watch gives the batches after a head.
func (e *Etcd) Watch(ctx context.Context, after Head) <-chan Update {
	out := make(chan Update)
	send := func(u Update) bool {
		select {
		case out <- u:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(out)
		watch := e.client.Watch(clientv3.WithRequireLeader(ctx), e.key(headKey),
			clientv3.WithPrefix(), clientv3.WithRev(max(after.Mark, after.Seen)+1))
		for resp := range watch {
			if err := resp.Err(); err != nil {
				send(Update{Err: fmt.Errorf("watch: %w", err)})
				return
			}
			// A response holds whole revisions of etcd, in order.
			for evs := resp.Events; len(evs) > 0; {
				mark := evs[0].Kv.ModRevision
				u := Update{Head: Head{Mark: mark}}
				for len(evs) > 0 && evs[0].Kv.ModRevision == mark {
					kv, gone := evs[0].Kv, evs[0].Type == mvccpb.DELETE
					evs = evs[1:]
					key := string(kv.Key)
					switch {
					case key == e.key(headKey):
						h, err := parseHead([]*mvccpb.KeyValue{kv})
						if err != nil || gone {
							send(Update{Err: fmt.Errorf("watch: the head is gone or unreadable: %w", err)})
							return
						}
						u.Head = h
					case strings.HasPrefix(key, e.key(recordKey)):
						r := state.Record{Key: key[len(e.key(recordKey)):]}
						if !gone {
							r.Value = kv.Value
						}
						u.Records = append(u.Records, r)
					}
				}
				if u.Head.Rev == 0 {
					// Somebody changed records without the head: nothing that
					// moat does. The state is read anew rather than guessed.
					send(Update{Err: fmt.Errorf("watch: records changed at etcd revision %d without the head", mark)})
					return
				}
				if !send(u) {
					return
				}
			}
		}
		if ctx.Err() == nil {
			send(Update{Err: errors.New("watch: the connection to etcd ended")})
		}
	}()
	return out
}

// Scan reads entries of a book.
func (e *Etcd) Scan(ctx context.Context, b Book, from trail.Place, limit int) ([]Entry, error) {
	end := clientv3.GetPrefixRangeEnd(e.key(string(b), "/"))
	resp, err := e.client.Get(ctx, e.bookKey(b, from), clientv3.WithRange(end), clientv3.WithLimit(int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("read %s entries: %w", b, err)
	}
	out := make([]Entry, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		at, err := parsePlaceKey(string(kv.Key[len(e.key(string(b), "/")):]))
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", kv.Key, err)
		}
		out = append(out, Entry{at.Rev, at.Seq, kv.Value})
	}
	return out, nil
}

// Get reads the entries at some places, as many together as a transaction
// takes.
func (e *Etcd) Get(ctx context.Context, b Book, places []trail.Place) ([]Entry, error) {
	out := make([]Entry, 0, len(places))
	for part := range slices.Chunk(places, 64) {
		ops := make([]clientv3.Op, len(part))
		for i, at := range part {
			ops[i] = clientv3.OpGet(e.bookKey(b, at))
		}
		resp, err := e.client.Txn(ctx).Then(ops...).Commit()
		if err != nil {
			return nil, fmt.Errorf("read %s entries: %w", b, err)
		}
		for i, at := range part {
			entry := Entry{Rev: at.Rev, Seq: at.Seq}
			if kvs := resp.Responses[i].GetResponseRange().Kvs; len(kvs) == 1 {
				entry.Value = kvs[0].Value
			}
			out = append(out, entry)
		}
	}
	return out, nil
}

// Trim removes entries of a book.
func (e *Etcd) Trim(ctx context.Context, b Book, before trail.Place, p *Paper) error {
	remove := clientv3.OpDelete(e.bookKey(b, trail.Place{}), clientv3.WithRange(e.bookKey(b, before)))
	if p == nil {
		_, err := e.client.Do(ctx, remove)
		return err
	}
	return e.putPaper(ctx, p, remove)
}

// paperKey is what the keys of papers begin with.
const paperKey = "paper/"

// Paper reads a paper.
func (e *Etcd) Paper(ctx context.Context, name string) (*Paper, error) {
	resp, err := e.client.Get(ctx, e.key(paperKey, name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	p := &Paper{Name: name}
	if len(resp.Kvs) == 1 {
		p.Value, p.Mark = resp.Kvs[0].Value, resp.Kvs[0].ModRevision
	}
	return p, nil
}

// PutPaper writes a paper.
func (e *Etcd) PutPaper(ctx context.Context, p *Paper) error { return e.putPaper(ctx, p) }

func (e *Etcd) putPaper(ctx context.Context, p *Paper, with ...clientv3.Op) error {
	key := e.key(paperKey, p.Name)
	resp, err := e.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", p.Mark)).
		Then(append(with, clientv3.OpPut(key, string(p.Value)))...).
		Commit()
	switch {
	case err != nil:
		return fmt.Errorf("write %s: %w", p.Name, err)
	case !resp.Succeeded:
		return ErrBehind
	}
	p.Mark = resp.Header.Revision
	return nil
}

// Shared reports whether other servers may write.
func (e *Etcd) Shared() bool { return e.shared }

// Limits gives the limits of a transaction.
func (e *Etcd) Limits() Limits { return e.limits }

// Compact gives space back, where etcd is the process's own.
func (e *Etcd) Compact(ctx context.Context) error {
	if e.compact == nil || !e.dumping.TryLock() {
		return nil // a dump is under way: it is compacted the next time
	}
	defer e.dumping.Unlock()
	return e.compact(ctx)
}

// Close ends the connection, and the server where it is embedded.
func (e *Etcd) Close() error { return e.close() }
