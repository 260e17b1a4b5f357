package store

import (
	"time"

	"github.com/fxamacker/cbor/v2"

	"moat/state"
	"moat/vpc"
)

// An Event says who did what: one for each committed call, written in the
// same transaction as the change.
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
	// Request is the call's parameters as a form.
	Request string `cbor:"13,keyasint,omitempty"`
	// Changed are the keys of the records that the call changed.
	Changed []string `cbor:"14,keyasint,omitempty"`
	// Calls are the calls that the revision consists of, where it is of several:
	// Service, Action and Request then say what they were made for.
	Calls []EventCall `cbor:"20,keyasint,omitempty"`
}

// An EventCall is one of several calls that were made in one revision.
type EventCall struct {
	ID        string   `cbor:"1,keyasint"` // a UUID
	RequestID string   `cbor:"2,keyasint"`
	Service   string   `cbor:"3,keyasint"`
	Action    string   `cbor:"4,keyasint"`
	Request   string   `cbor:"5,keyasint,omitempty"`
	Changed   []string `cbor:"6,keyasint,omitempty"`
}

// A Before is what one revision replaced: going back from a later state
// through the befores gives any earlier one.
type Before struct {
	Time time.Time `cbor:"1,keyasint"`
	Rows []OldRow  `cbor:"2,keyasint"`
}

// An OldRow is a record as it was; nil where there was none.
type OldRow struct {
	Key   string `cbor:"1,keyasint"`
	Value []byte `cbor:"2,keyasint,omitempty"`
}

var bookMode = func() cbor.EncMode {
	m, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

func encodeEntry(v any) []byte {
	b, err := bookMode.Marshal(v)
	if err != nil {
		panic(err) // of our own types: cannot be
	}
	return b
}

// DecodeEvent reads an entry of the Audit book.
func DecodeEvent(data []byte) (*Event, error) {
	e := new(Event)
	return e, cbor.Unmarshal(data, e)
}

// DecodeBefore reads an entry of the Past book.
func DecodeBefore(data []byte) (*Before, error) {
	b := new(Before)
	return b, cbor.Unmarshal(data, b)
}

func before(at time.Time, changes []state.Change) *Before {
	b := &Before{Time: at, Rows: make([]OldRow, len(changes))}
	for i := range changes {
		b.Rows[i].Key = changes[i].Key()
		if changes[i].Old != nil {
			b.Rows[i].Value = state.Encode(changes[i].Old)
		}
	}
	return b
}
