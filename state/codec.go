package state

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// recordVersion is the first byte of every stored record. A later form of the
// records gets the next number and an upgrade from this one.
const recordVersion = 1

var (
	// Times are texts: as a number of seconds they would come back changed.
	encMode = must(cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC, Sort: cbor.SortNone}.EncMode())
	decMode = must(cbor.DecOptions{MaxArrayElements: 1 << 24, MaxMapPairs: 1 << 24, DupMapKey: cbor.DupMapKeyQuiet}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Encode gives the stored form of a row.
func Encode(row any) []byte {
	b, err := encMode.Marshal(row)
	if err != nil {
		panic(fmt.Sprintf("state: record %T cannot be encoded: %v", row, err))
	}
	return append([]byte{recordVersion}, b...)
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
