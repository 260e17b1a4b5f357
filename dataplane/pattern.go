package dataplane

import (
	"fmt"
	"path"
)

// A Pattern stands for names of devices: * for any bytes, ? for one, and
// [a-z] for one of some, as path.Match has them.
type Pattern string

// maxPlaces is how long a pattern may be, stars aside: as a device's name.
const maxPlaces = 15

// Check fails if the pattern is none.
func (p Pattern) Check() error {
	_, _, _, err := p.Compile()
	return err
}

// Match reports whether a name fits.
func (p Pattern) Match(name string) bool {
	take, stay, end, err := p.Compile()
	if err != nil {
		return false
	}
	at := uint32(1)
	for i := range len(name) {
		at = at&take[name[i]]<<1 | at&stay
	}
	return at&end != 0
}

// Compile gives a pattern as something without a branch can match it: bit i of
// take[c] says that the byte c may be what is at place i, bit i of stay that
// any bytes may be before that, and end is the bit after the last place. From
// bit 0 on, each byte turns the bits at into at&take[c]<<1 | at&stay; the name
// fits if end is among them.
func (p Pattern) Compile() (take [256]uint32, stay, end uint32, err error) {
	bad := fmt.Errorf("%q is no pattern of device names of at most %d bytes: * stands for any, ? for one, [a-z] for one of some", string(p), maxPlaces)
	if _, err := path.Match(string(p), ""); err != nil || p == "" {
		return take, 0, 0, bad
	}
	n := 0
	for i := 0; i < len(p); {
		if p[i] == '*' {
			stay |= 1 << n
			i++
			continue
		}
		if n == maxPlaces {
			return take, 0, 0, bad
		}
		size := placeLen(string(p[i:]))
		one := latin(string(p[i : i+size]))
		for c := range 256 {
			if ok, err := path.Match(one, string(rune(c))); err != nil {
				return take, 0, 0, bad
			} else if ok && c != 0 {
				take[c] |= 1 << n
			}
		}
		n++
		i += size
	}
	return take, stay, 1 << n, nil
}

// placeLen gives the length of what stands for one byte at the beginning of a
// pattern, which is well formed.
func placeLen(p string) int {
	switch p[0] {
	case '\\':
		return min(2, len(p))
	case '[':
		i := 1
		if i < len(p) && p[i] == '^' {
			i++
		}
		for first := true; i < len(p) && (first || p[i] != ']'); first = false {
			if p[i] == '\\' {
				i++
			}
			i++
		}
		return min(i+1, len(p))
	}
	return 1
}

// latin makes a rune of each byte: to a device's name bytes are letters.
func latin(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
