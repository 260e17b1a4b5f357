package ebpf

import (
	"cmp"
	"slices"
)

// An arena gives out places in words: first fit, neighbours merged when freed.
type arena struct {
	words []uint64
	free  []extent // sorted
}

type extent struct{ at, n uint32 }

// newArena gives an arena in which all is free but the first word and what is
// used.
func newArena(words []uint64, used []extent) *arena {
	a := &arena{words: words}
	slices.SortFunc(used, func(x, y extent) int { return cmp.Compare(x.at, y.at) })
	at := uint32(1)
	for _, u := range used {
		if u.at > at {
			a.free = append(a.free, extent{at, u.at - at})
		}
		at = max(at, u.at+u.n)
	}
	if at < uint32(len(words)) {
		a.free = append(a.free, extent{at, uint32(len(words)) - at})
	}
	return a
}

// put writes a block where there is room.
func (a *arena) put(w []uint64) (uint32, error) {
	at, err := a.take(uint32(len(w)))
	if err == nil {
		copy(a.words[at:], w)
	}
	return at, err
}

// take gives out room for n words.
func (a *arena) take(n uint32) (uint32, error) {
	for i := range a.free {
		f := &a.free[i]
		if f.n < n {
			continue
		}
		at := f.at
		f.at, f.n = f.at+n, f.n-n
		if f.n == 0 {
			a.free = slices.Delete(a.free, i, i+1)
		}
		return at, nil
	}
	return 0, errRoom
}

// release makes a block's room free again. No packet may still look at it.
func (a *arena) release(e extent) {
	i, _ := slices.BinarySearchFunc(a.free, e.at, func(f extent, at uint32) int { return cmp.Compare(f.at, at) })
	a.free = slices.Insert(a.free, i, e)
	if i+1 < len(a.free) && a.free[i].at+a.free[i].n == a.free[i+1].at {
		a.free[i].n += a.free[i+1].n
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].at+a.free[i-1].n == a.free[i].at {
		a.free[i-1].n += a.free[i].n
		a.free = slices.Delete(a.free, i, i+1)
	}
}
