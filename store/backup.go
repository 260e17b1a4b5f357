package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A backup is one file: the magic, the header, every key of the log with its
// value, an end mark with their number, and the SHA-256 of all of it.
//
//	magic   "moat backup\n"
//	header  length, CBOR of BackupInfo
//	key     length (not 0), bytes, length of the value, bytes; the head first
//	…
//	end     0, number of keys
//	sum     32 bytes
//
// Lengths and numbers are unsigned varints. The keys are those in etcd without
// the prefix.
const backupMagic = "moat backup\n"

// backupFormat is the form of the file. A newer moat that changes it counts it
// up and goes on reading this one.
const backupFormat = 1

// A BackupInfo says what a backup is of.
type BackupInfo struct {
	Format int       `cbor:"1,keyasint"`
	Moat   string    `cbor:"2,keyasint"` // the version that wrote it
	Time   time.Time `cbor:"3,keyasint"`
	Rev    uint64    `cbor:"4,keyasint"`

	// Keys and Sum are known at the end.
	Keys uint64            `cbor:"-"`
	Sum  [sha256.Size]byte `cbor:"-"`
}

// A BackupError says that a file is no backup, or a damaged one.
type BackupError struct{ Reason string }

func (e *BackupError) Error() string { return e.Reason }

// ErrEmpty says that a log holds nothing to back up.
var ErrEmpty = errors.New("there is no data yet")

// An UnfinishedError says that a log holds part of a backup.
type UnfinishedError struct{ Rev uint64 }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("a restore of revision %d into this database was not finished: run `moat restore` again, which starts over", e.Rev)
}

// A NotEmptyError says that a log which should be restored into holds data.
type NotEmptyError struct {
	Rev  uint64 // 0 for keys without a head, which are not moat's
	Keys int64
}

func (e *NotEmptyError) Error() string {
	if e.Rev == 0 {
		return fmt.Sprintf("it holds %d keys that no moat of this format wrote", e.Keys)
	}
	return fmt.Sprintf("it holds data at revision %d (%d keys)", e.Rev, e.Keys)
}

// Backup writes everything that the log holds at one moment. moat is the
// version of the program.
func (s *Store) Backup(ctx context.Context, w io.Writer, moat string, now time.Time) (*BackupInfo, error) {
	return WriteBackup(ctx, s.log, w, moat, now)
}

// WriteBackup writes everything that a log holds at one moment, in memory
// that does not grow with it.
func WriteBackup(ctx context.Context, log Log, w io.Writer, moat string, now time.Time) (*BackupInfo, error) {
	info := &BackupInfo{Format: backupFormat, Moat: moat, Time: now.UTC().Truncate(time.Second)}
	sum := sha256.New()
	buffered := bufio.NewWriterSize(w, 64<<10)
	out := io.MultiWriter(buffered, sum)
	var scratch []byte
	head, err := log.Dump(ctx, func(key string, value []byte) error {
		scratch = scratch[:0]
		if key == headKey {
			head, err := decodeHead(value)
			if err != nil {
				return err
			}
			info.Rev = head.Rev
			h := encodeEntry(info)
			scratch = append(scratch, backupMagic...)
			scratch = binary.AppendUvarint(scratch, uint64(len(h)))
			scratch = append(scratch, h...)
		}
		info.Keys++
		scratch = binary.AppendUvarint(scratch, uint64(len(key)))
		scratch = append(scratch, key...)
		scratch = binary.AppendUvarint(scratch, uint64(len(value)))
		if _, err := out.Write(scratch); err != nil {
			return err
		}
		_, err := out.Write(value)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	if head.Mark == 0 {
		return nil, ErrEmpty
	}
	if _, err := out.Write(binary.AppendUvarint([]byte{0}, info.Keys)); err != nil {
		return nil, err
	}
	info.Sum = [sha256.Size]byte(sum.Sum(nil))
	if _, err := buffered.Write(info.Sum[:]); err != nil {
		return nil, err
	}
	return info, buffered.Flush()
}

// ReadBackup reads a whole backup and gives each key with its value, the head
// first. The error is a *BackupError if the file is not exactly what
// WriteBackup wrote; keys may have been given by then. A nil key is for who
// only wants to know that.
func ReadBackup(r io.Reader, key func(info *BackupInfo, key string, value []byte) error) (*BackupInfo, error) {
	b := &backupReader{in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	info, err := b.read(key)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = &BackupError{"the backup is cut short"}
	}
	return info, err
}

// Bounds on what a damaged file can make the reader take for a length.
const (
	maxBackupHeader = 64 << 10
	maxBackupKey    = 64 << 10
	maxBackupValue  = 1 << 30
)

type backupReader struct {
	in  *bufio.Reader
	sum hash.Hash
	one [1]byte
}

func (b *backupReader) read(key func(*BackupInfo, string, []byte) error) (*BackupInfo, error) {
	magic, err := b.bytes(uint64(len(backupMagic)), maxBackupHeader)
	if err != nil || string(magic) != backupMagic {
		return nil, &BackupError{"this is no backup of moat"}
	}
	n, err := binary.ReadUvarint(b)
	if err != nil {
		return nil, broken(err)
	}
	h, err := b.bytes(n, maxBackupHeader)
	if err != nil {
		return nil, err
	}
	info := new(BackupInfo)
	if err := cbor.Unmarshal(h, info); err != nil {
		return nil, &BackupError{"the backup is damaged: its header cannot be read"}
	}
	if info.Format != backupFormat {
		return nil, &BackupError{fmt.Sprintf("the backup has format %d, this moat knows %d: restore it with moat %s or a newer one", info.Format, backupFormat, info.Moat)}
	}
	for {
		n, err := binary.ReadUvarint(b)
		if err != nil {
			return nil, broken(err)
		}
		if n == 0 {
			break
		}
		k, err := b.bytes(n, maxBackupKey)
		if err != nil {
			return nil, err
		}
		if n, err = binary.ReadUvarint(b); err != nil {
			return nil, broken(err)
		}
		v, err := b.bytes(n, maxBackupValue)
		if err != nil {
			return nil, err
		}
		if (info.Keys == 0) != (string(k) == headKey) {
			return nil, &BackupError{"the backup is damaged: its head is not where it belongs"}
		}
		info.Keys++
		if key != nil {
			if err := key(info, string(k), v); err != nil {
				return nil, err
			}
		}
	}
	n, err = binary.ReadUvarint(b)
	if err != nil {
		return nil, broken(err)
	}
	b.sum.Sum(info.Sum[:0])
	var sum [sha256.Size]byte
	if _, err := io.ReadFull(b.in, sum[:]); err != nil {
		return nil, err
	}
	if n != info.Keys || info.Keys == 0 || sum != info.Sum {
		return nil, &BackupError{"the backup is damaged: its checksum does not fit"}
	}
	if _, err := b.in.ReadByte(); err != io.EOF {
		return nil, &BackupError{"the backup is damaged: something follows its end"}
	}
	return info, nil
}

// bytes reads n bytes. The result belongs to the caller.
func (b *backupReader) bytes(n, most uint64) ([]byte, error) {
	if n > most {
		return nil, &BackupError{"the backup is damaged: an impossible length"}
	}
	// A length is believed as far as the file goes.
	var buf bytes.Buffer
	buf.Grow(int(min(n, 16<<10)))
	if _, err := io.CopyN(&buf, b.in, int64(n)); err != nil {
		return nil, err
	}
	b.sum.Write(buf.Bytes())
	return buf.Bytes(), nil
}

// ReadByte is for numbers.
func (b *backupReader) ReadByte() (byte, error) {
	c, err := b.in.ReadByte()
	if err == nil {
		b.one[0] = c
		b.sum.Write(b.one[:])
	}
	return c, err
}

// broken gives the error of a number that cannot be read.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return &BackupError{"the backup is damaged: " + err.Error()}
}

// restoreKey is there while a restore is under way. Its value is the
// restore's own: whoever finds another there has been overtaken.
const restoreKey = "restore"

type restoreValue struct {
	Rev   uint64 `cbor:"1,keyasint"`
	Nonce []byte `cbor:"2,keyasint"`
}

// checkRestored gives an error if a log without a head is half of a backup.
func (e *Etcd) checkRestored(ctx context.Context) error {
	resp, err := e.client.Get(ctx, e.key(restoreKey))
	if err != nil {
		return fmt.Errorf("read the restore mark: %w", err)
	}
	if len(resp.Kvs) == 0 {
		return nil
	}
	var v restoreValue
	_ = cbor.Unmarshal(resp.Kvs[0].Value, &v) // the revision is for the message only
	return &UnfinishedError{v.Rev}
}

// Batches of a restore: small enough to be sent and synced in a moment.
const (
	restoreOps   = 4096
	restoreBytes = 1 << 20
)

// Restore writes a backup that ReadBackup found whole, as info says, into a
// log that holds nothing. The head is written last, and only if what was
// written is what info tells of: a restore that did not come so far leaves a
// log that no store opens, and that another Restore clears and fills anew.
func (e *Etcd) Restore(ctx context.Context, r io.Reader, info *BackupInfo) error {
	mark, err := e.beginRestore(ctx, info)
	if err != nil {
		return err
	}
	var (
		head  []byte
		ops   []clientv3.Op
		bytes int
	)
	mine := []clientv3.Cmp{
		clientv3.Compare(clientv3.Value(e.key(restoreKey)), "=", mark),
		clientv3.Compare(clientv3.ModRevision(e.key(headKey)), "=", 0),
	}
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		if e.room != nil {
			if err := e.room(); err != nil {
				return err
			}
		}
		resp, err := e.client.Txn(ctx).If(mine...).Then(ops...).Commit()
		if errors.Is(err, rpctypes.ErrRequestTooLarge) || errors.Is(err, rpctypes.ErrTooManyOps) {
			return fmt.Errorf("the cluster takes no transaction of %d keys and %d bytes: raise its --max-txn-ops and --max-request-bytes, or tell moat of lower ones with --etcd-max-txn-ops and --etcd-max-request-bytes", len(ops), bytes)
		}
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if !resp.Succeeded {
			return errors.New("somebody else writes to this database: a server was started, or another restore")
		}
		ops, bytes = ops[:0], 0
		return nil
	}
	maxOps, maxBytes := min(e.limits.Ops, restoreOps), min(e.limits.Bytes, restoreBytes)
	got, err := ReadBackup(r, func(_ *BackupInfo, key string, value []byte) error {
		if key == headKey {
			head = value
			return nil
		}
		size := len(key) + len(value) + 64
		if len(ops) == maxOps || len(ops) > 0 && bytes+size > maxBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		ops, bytes = append(ops, clientv3.OpPut(e.key(key), string(value))), bytes+size
		return nil
	})
	if err != nil {
		return err
	}
	if got.Sum != info.Sum {
		return &BackupError{"the backup changed while it was read"}
	}
	if err := flush(); err != nil {
		return err
	}
	ops = append(ops, clientv3.OpPut(e.key(headKey), string(head)), clientv3.OpDelete(e.key(restoreKey)))
	return flush()
}

// beginRestore claims an empty log, or one that holds part of a backup, which
// it removes.
func (e *Etcd) beginRestore(ctx context.Context, info *BackupInfo) (mark string, err error) {
	v := restoreValue{Rev: info.Rev, Nonce: make([]byte, 16)}
	rand.Read(v.Nonce)
	mark = string(encodeEntry(v))
	end := clientv3.GetPrefixRangeEnd(e.prefix)
	resp, err := e.client.Txn(ctx).
		// Nothing at all, or no head and somebody's mark.
		If(clientv3.Compare(clientv3.CreateRevision(e.prefix), "=", 0).WithPrefix()).
		Then(clientv3.OpPut(e.key(restoreKey), mark)).
		Else(clientv3.OpTxn(
			[]clientv3.Cmp{
				clientv3.Compare(clientv3.ModRevision(e.key(headKey)), "=", 0),
				clientv3.Compare(clientv3.ModRevision(e.key(restoreKey)), ">", 0),
			},
			// A key is changed once in a transaction: the mark sorts between
			// two ranges of others.
			[]clientv3.Op{
				clientv3.OpDelete(e.prefix, clientv3.WithRange(e.key(restoreKey))),
				clientv3.OpDelete(e.key(restoreKey, "\x00"), clientv3.WithRange(end)),
				clientv3.OpPut(e.key(restoreKey), mark),
			},
			[]clientv3.Op{
				clientv3.OpGet(e.key(headKey)),
				clientv3.OpGet(e.prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()),
			},
		)).Commit()
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if resp.Succeeded {
		return mark, nil
	}
	inner := resp.Responses[0].GetResponseTxn()
	if inner.Succeeded {
		return mark, nil
	}
	head, err := parseHead(inner.Responses[0].GetResponseRange().Kvs)
	if err != nil {
		return "", err
	}
	return "", &NotEmptyError{head.Rev, inner.Responses[1].GetResponseRange().Count}
}

// Dump gives every key at the head's revision of etcd, without the prefix.
func (e *Etcd) Dump(ctx context.Context, visit func(key string, value []byte) error) (Head, error) {
	e.dumping.RLock()
	defer e.dumping.RUnlock()
	resp, err := e.client.Get(ctx, e.key(headKey))
	if err != nil {
		return Head{}, fmt.Errorf("read the head: %w", err)
	}
	head, err := parseHead(resp.Kvs)
	if err != nil {
		return Head{}, err
	}
	if head.Mark == 0 {
		return Head{}, e.checkRestored(ctx)
	}
	if err := visit(headKey, resp.Kvs[0].Value); err != nil {
		return Head{}, err
	}
	at := resp.Header.Revision
	err = e.pages(ctx, e.prefix, clientv3.GetPrefixRangeEnd(e.prefix), at, func(resp *clientv3.GetResponse) error {
		for _, kv := range resp.Kvs {
			key := string(kv.Key[len(e.prefix):])
			if key == headKey || strings.HasPrefix(key, hostKey) {
				continue
			}
			if err := visit(key, kv.Value); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, rpctypes.ErrCompacted) {
		err = errors.New("the cluster compacted its history while it was read: try again, or give it a longer --auto-compaction-retention")
	}
	return head, err
}

// pageBytes is what a page of keys should hold. Pages are large because etcd
// counts, for each, all the keys that are still to come.
const pageBytes = 8 << 20

// pages reads a range of keys at one revision of etcd, in pages whose bytes
// stay near pageBytes however large the values are.
func (e *Etcd) pages(ctx context.Context, from, end string, at int64, page func(*clientv3.GetResponse) error) error {
	for limit := 256; ; {
		resp, err := e.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(int64(limit)), clientv3.WithRev(at))
		if err != nil {
			return err
		}
		if err := page(resp); err != nil {
			return err
		}
		if !resp.More {
			return nil
		}
		n := len(resp.Kvs)
		from = string(resp.Kvs[n-1].Key) + "\x00"
		size := 0
		for _, kv := range resp.Kvs {
			size += len(kv.Key) + len(kv.Value)
		}
		limit = max(1, min(n*pageBytes/max(size, 1), 4*limit, 32<<10))
	}
}

// Dump gives the keys as etcd would have them.
func (m *Memory) Dump(_ context.Context, visit func(key string, value []byte) error) (Head, error) {
	m.mu.Lock()
	head := m.head
	all := map[string][]byte{}
	for k, v := range m.records {
		all[recordKey+k] = v
	}
	for b, entries := range m.books {
		for _, en := range entries {
			all[string(b)+"/"+placeKey(en.Place())] = en.Value
		}
	}
	for name, p := range m.papers {
		all[paperKey+name] = p.Value
	}
	m.mu.Unlock()
	if head.Mark == 0 {
		return head, nil
	}
	if err := visit(headKey, encodeHead(head)); err != nil {
		return Head{}, err
	}
	keys := make([]string, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	for _, k := range keys {
		if err := visit(k, all[k]); err != nil {
			return Head{}, err
		}
	}
	return head, nil
}
