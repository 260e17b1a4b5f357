package server

import (
	"github.com/maypok86/otter/v2"

	"moat/action"
)

// cacheBytes bounds the rendered rows that are kept.
const cacheBytes = 64 << 20

// renderCache keeps the XML of rows. A row never changes, so nothing is ever
// invalid; what is not asked for is forgotten.
type renderCache struct {
	c *otter.Cache[action.CacheKey, []byte]
}

func newRenderCache() *renderCache {
	return &renderCache{otter.Must(&otter.Options[action.CacheKey, []byte]{
		MaximumWeight: cacheBytes,
		Weigher:       func(_ action.CacheKey, b []byte) uint32 { return uint32(len(b)) + 128 },
	})}
}

func (c *renderCache) Get(k action.CacheKey) ([]byte, bool) { return c.c.GetIfPresent(k) }
func (c *renderCache) Set(k action.CacheKey, b []byte)      { c.c.Set(k, b) }
