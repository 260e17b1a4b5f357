package store

import (
	"errors"
	"time"

	"github.com/fxamacker/cbor/v2"

	"moat/state"
	"moat/trail"
)

// An Event says who did what.
type Event = trail.Event

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

// DecodeEvent reads what Store.Scan gives of the Audit book.
func DecodeEvent(data []byte) (*Event, error) { return trail.Decode(data) }

// eventTime gives when the call of a stored event began, which can be told
// without the key that encrypts it.
func eventTime(value []byte) (time.Time, error) {
	stored, err := trail.ReadStored(value)
	if errors.Is(err, trail.ErrOld) {
		e, err := trail.Decode(value)
		return e.Time, err
	}
	if err != nil {
		return time.Time{}, err
	}
	return stored.Time, nil
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
