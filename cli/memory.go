package cli

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A collection costs as much as is live, so that it pays best when there is
// much garbage. There may be a floor and twice what is live, until the heap
// has heapAim. A larger one may grow by a share of what is live, and not to its
// double as with Go's own setting.
const (
	garbageFloor   = 64 << 20
	heapAim        = 800 << 20
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
		if p := gcPercent(int64(live[0].Value.Uint64())); p != set {
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
func gcPercent(live int64) int {
	live = max(live, 1<<20)
	room := min(garbageFloor+2*live, heapAim-live)
	return int(max(garbagePercent, 100*room/live))
}
