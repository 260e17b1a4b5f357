package cli

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Garbage is collected when there is this much of it, or this share of what
// is live: a small server is not to collect all the time, and a large one is
// not to double its memory, as it would with Go's own setting.
const (
	garbageFloor   = 64 << 20
	garbagePercent = 35
)

// keepHeap keeps the collector's setting in step with what is live, unless the
// operator has chosen one.
func keepHeap(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(250 * time.Millisecond) // a heap that is being loaded grows fast
	defer tick.Stop()
	for set := 0; ; {
		metrics.Read(live)
		if p := gcPercent(live[0].Value.Uint64()); p != set {
			debug.SetGCPercent(p)
			set = p
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// gcPercent gives the setting for a heap with so many live bytes.
func gcPercent(live uint64) int {
	return int(min(400, max(garbagePercent, 100*garbageFloor/max(live, 1))))
}
