package state

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// recordVersion is the first byte of every stored record. A later form of the
// records gets the next number and an upgrade from this one.
const recordVersion = 1

var (
	// Times are texts: as a number of seconds they would come back changed.
	encMode = must(cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC, Sort: cbor.SortNone}.UserBufferEncMode())
	decMode = must(cbor.DecOptions{MaxArrayElements: 1 << 24, MaxMapPairs: 1 << 24, DupMapKey: cbor.DupMapKeyQuiet}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var encoders = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Encode gives the stored form of a row.
func Encode(row any) []byte {
	b := encoders.Get().(*bytes.Buffer)
	defer encoders.Put(b)
	b.Reset()
	b.WriteByte(recordVersion)
	if err := encMode.MarshalToBuffer(row, b); err != nil {
		panic(fmt.Sprintf("state: record %T cannot be encoded: %v", row, err))
	}
	return slices.Clone(b.Bytes())
}

func decodeRecord(data []byte, row any) error {
	if len(data) == 0 {
		return fmt.Errorf("empty record")
	}
	if data[0] != recordVersion {
		return fmt.Errorf("record version %d is not known: the data was written by a newer moat", data[0])
	}
	return decMode.Unmarshal(data[1:], row)
}
