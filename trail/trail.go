// Package trail knows the audit trail: what an event says, where it stands,
// and how each is tied to the one before, so that none can be changed, left
// out or put in without its being seen. Where events are kept, who writes them
// and who may read them is the business of others.
package trail

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"moat/vpc"
)

// A Place is where an event stands: at a revision, and there the first or a
// later one. The first made the revision; those after it were made by the same
// write, or changed nothing and happened after it.
type Place struct {
	Rev uint64
	Seq uint32
}

// Compare orders places.
func (p Place) Compare(q Place) int {
	switch {
	case p.Rev < q.Rev, p.Rev == q.Rev && p.Seq < q.Seq:
		return -1
	case p == q:
		return 0
	}
	return 1
}

// Next gives the least place after p.
func (p Place) Next() Place { return Place{p.Rev, p.Seq + 1} }

// String gives the revision, and after a dot which event of it, if it is not
// the first.
func (p Place) String() string {
	if p.Seq == 0 {
		return strconv.FormatUint(p.Rev, 10)
	}
	return fmt.Sprintf("%d.%d", p.Rev, p.Seq)
}

// ParsePlace reads what String gives.
func ParsePlace(s string) (Place, error) {
	rev, seq, dotted := strings.Cut(s, ".")
	r, err := strconv.ParseUint(rev, 10, 64)
	var n uint64
	if err == nil && dotted {
		n, err = strconv.ParseUint(seq, 10, 32)
	}
	if err != nil {
		return Place{}, fmt.Errorf("%q is no place in the trail: want a revision such as 12, or 12.3", s)
	}
	return Place{r, uint32(n)}, nil
}

// An Event says who did what: one for each committed call, written in the same
// transaction as the change; and one for a call of a known principal that was
// refused, or that gave out credentials.
type Event struct {
	ID        string        `cbor:"1,keyasint"` // a UUID
	Rev       uint64        `cbor:"2,keyasint"`
	Time      time.Time     `cbor:"3,keyasint"`
	Region    string        `cbor:"4,keyasint"`
	Account   vpc.AccountID `cbor:"5,keyasint"`
	Principal string        `cbor:"6,keyasint"` // ARN
	AccessKey string        `cbor:"7,keyasint,omitempty"`
	Source    string        `cbor:"8,keyasint,omitempty"` // address of the caller
	UserAgent string        `cbor:"9,keyasint,omitempty"`
	RequestID string        `cbor:"10,keyasint,omitempty"`
	Service   string        `cbor:"11,keyasint,omitempty"`
	Action    string        `cbor:"12,keyasint"`
	// Request is the call's parameters as a form, without what nobody else
	// should read; Cut tells how many bytes were left off its end.
	Request string `cbor:"13,keyasint,omitempty"`
	// Changed are the keys of the records that the call changed.
	Changed []string `cbor:"14,keyasint,omitempty"`

	PrincipalID string `cbor:"15,keyasint,omitempty"`
	// Type is Root, IAMUser or AssumedRole, as CloudTrail spells it.
	Type     string `cbor:"16,keyasint,omitempty"`
	UserName string `cbor:"17,keyasint,omitempty"` // of a user
	Role     string `cbor:"18,keyasint,omitempty"` // ARN of a session's role
	// Issued is when the session began that made the call; nil for none.
	Issued *time.Time `cbor:"19,keyasint,omitempty"`
	// Code and Message are the error that the caller was told.
	Code    string `cbor:"21,keyasint,omitempty"`
	Message string `cbor:"22,keyasint,omitempty"`
	// Response is what the caller was answered, as the elements of the wire,
	// without secrets; Long tells that it was too long to keep.
	Response []byte `cbor:"23,keyasint,omitempty"`
	Long     bool   `cbor:"24,keyasint,omitempty"`
	TLS      string `cbor:"25,keyasint,omitempty"` // TLSv1.3
	Cipher   string `cbor:"26,keyasint,omitempty"`
	Host     string `cbor:"27,keyasint,omitempty"` // that the client asked for
	// Count is how many alike calls the event stands for, the first at First;
	// 0 for one. Unsaid is how many others of the principal there were, for
	// which there was no room.
	Count  int        `cbor:"28,keyasint,omitempty"`
	First  *time.Time `cbor:"29,keyasint,omitempty"`
	Unsaid int        `cbor:"30,keyasint,omitempty"`
	Cut    int        `cbor:"31,keyasint,omitempty"`
	// Rules are the security group rules that the call added (+sgr-…), changed
	// (~sgr-…) or removed (-sgr-…).
	Rules    []string `cbor:"32,keyasint,omitempty"`
	ReadOnly bool     `cbor:"33,keyasint,omitempty"` // the call would have changed nothing
	// Prev is the hash of the event before; nil for the first of all.
	Prev []byte `cbor:"34,keyasint,omitempty"`
	Seq  uint32 `cbor:"35,keyasint,omitempty"`
}

// Place gives where the event stands.
func (e *Event) Place() Place { return Place{e.Rev, e.Seq} }

// MaxRequest and MaxResponse bound what an event keeps of them, and
// MaxRefusedRequest what one of a refused call does.
const (
	MaxRequest        = 32 << 10
	MaxRefusedRequest = 2 << 10
	MaxResponse       = 8 << 10
)

// Bound cuts the request to a length, at the end of a parameter, and notes how
// much it took away.
func (e *Event) Bound(most int) {
	if len(e.Request) <= most {
		return
	}
	keep := max(0, strings.LastIndexByte(e.Request[:most+1], '&'))
	e.Cut += len(e.Request) - keep
	e.Request = strings.Clone(e.Request[:keep]) // the rest is not held
}

var mode = func() cbor.EncMode {
	m, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// Encode gives an event's bytes.
func Encode(e *Event) []byte {
	b, err := mode.Marshal(e)
	if err != nil {
		panic(err) // of our own type: cannot be
	}
	return b
}

// Decode reads an event.
func Decode(data []byte) (*Event, error) {
	e := new(Event)
	return e, reading.Unmarshal(data, e)
}

// What clients say of themselves need not be UTF-8.
var reading = func() cbor.DecMode {
	m, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// A Hash is an event's, which stands for all events up to it.
type Hash [sha256.Size]byte

// A Stored is an event as it is kept: its body, which may be encrypted, its
// time in the clear so that it can be removed by who cannot read it, and its
// hash, by which it is seen which of two neighbours was changed.
//
//	2  version
//	1  form of the body: 0 as it is, 1 encrypted
//	32 hash
//	8  time, nanoseconds since 1970
//	…  body
//
// The hash is that of the one before, the place, and what follows the hash
// here, with the form before it.
type Stored struct {
	Sealed bool
	Hash   Hash
	Time   time.Time
	Body   []byte
}

const (
	storedVersion = 2
	storedHead    = 2 + sha256.Size + 8
)

// Store gives the stored form of a body after the event whose hash is prev.
func Store(prev Hash, at Place, when time.Time, sealed bool, body []byte) (value []byte, hash Hash) {
	value = make([]byte, storedHead, storedHead+len(body))
	value[0] = storedVersion
	if sealed {
		value[1] = 1
	}
	binary.BigEndian.PutUint64(value[2+sha256.Size:], uint64(when.UnixNano()))
	value = append(value, body...)
	hash = HashOf(prev, at, value)
	copy(value[2:], hash[:])
	return value, hash
}

// HashOf gives the hash that a stored event should have after the one whose hash
// is prev.
func HashOf(prev Hash, at Place, value []byte) (h Hash) {
	var fixed [len("moat event\n") + sha256.Size + 8 + 4 + 1]byte
	b := append(fixed[:0], "moat event\n"...)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint64(b, at.Rev)
	b = binary.BigEndian.AppendUint32(b, at.Seq)
	b = append(b, value[1])
	sum := sha256.New()
	sum.Write(b)
	sum.Write(value[2+sha256.Size:])
	sum.Sum(h[:0])
	return h
}

// ErrOld says that an event was stored by a moat that had no chain.
var ErrOld = errors.New("the event is not in the chain")

// ReadStored takes a stored event apart. The error is ErrOld for one without a
// hash.
func ReadStored(value []byte) (*Stored, error) {
	switch {
	case len(value) > 0 && value[0]>>5 == 5: // a CBOR map
		return nil, ErrOld
	case len(value) < storedHead || value[0] != storedVersion || value[1] > 1:
		return nil, errors.New("the event cannot be read: it was damaged, or a newer moat wrote it")
	}
	return &Stored{
		Sealed: value[1] == 1,
		Hash:   Hash(value[2:]),
		Time:   time.Unix(0, int64(binary.BigEndian.Uint64(value[2+sha256.Size:]))).UTC(),
		Body:   value[storedHead:],
	}, nil
}

// Follows reports whether a stored event stands after the one whose hash is
// prev, at that place, unchanged.
func Follows(prev Hash, at Place, value []byte) bool {
	s, err := ReadStored(value)
	return err == nil && s.Hash == HashOf(prev, at, value)
}

// Bound gives what an encrypted body is tied to: it opens nowhere else.
func Bound(at Place) []byte {
	b := binary.BigEndian.AppendUint64([]byte("event "), at.Rev)
	return binary.BigEndian.AppendUint32(b, at.Seq)
}

// IsAfter reports whether the event says itself that it follows prev.
func (e *Event) IsAfter(prev Hash) bool {
	if prev == (Hash{}) {
		return len(e.Prev) == 0
	}
	return bytes.Equal(e.Prev, prev[:])
}
