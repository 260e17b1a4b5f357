package ruleset

import (
	"iter"
	"slices"
	"sort"

	"moat/vpc"
)

// Members are addresses with their groups, in the order of VPC and address.
// They are kept in runs, which what is made of them shares: a change among very
// many costs a run, and two lists are compared where their runs differ.
type Members struct {
	runs [][]Member // none empty
}

// A run is split when it is twice as long as this.
const runLength = 256

// NewMembers gives a list, which must be sorted, and of each address once.
func NewMembers(list ...Member) Members {
	var m Members
	for run := range slices.Chunk(list, runLength) {
		m.runs = append(m.runs, run)
	}
	return m
}

// Len gives how many there are.
func (m Members) Len() int {
	n := 0
	for _, r := range m.runs {
		n += len(r)
	}
	return n
}

// All gives each.
func (m Members) All() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for _, r := range m.runs {
			for i := range r {
				if !yield(r[i]) {
					return
				}
			}
		}
	}
}

// find gives the place where a member is or would be.
func (m Members) find(want Member) (run, at int, found bool) {
	run = sort.Search(len(m.runs), func(i int) bool { return compareMembers(m.runs[i][0], want) > 0 }) - 1
	if run < 0 {
		return 0, 0, false
	}
	at, found = slices.BinarySearchFunc(m.runs[run], want, compareMembers)
	return run, at, found
}

// get gives the groups of an address; nil for none.
func (m Members) get(want Member) []vpc.GroupID {
	if run, at, ok := m.find(want); ok {
		return m.runs[run][at].Groups
	}
	return nil
}

// with gives the list with members in the place of those of the same address;
// one without groups is removed.
func (m Members) with(changes []Member) Members {
	out := Members{slices.Clone(m.runs)}
	for _, c := range changes {
		run, at, found := out.find(c)
		switch {
		case !found && len(c.Groups) == 0:
		case len(out.runs) == 0:
			out.runs = [][]Member{{c}}
		case !found:
			r := make([]Member, 0, len(out.runs[run])+1)
			r = append(append(append(r, out.runs[run][:at]...), c), out.runs[run][at:]...)
			if out.runs[run] = r; len(r) >= 2*runLength {
				out.runs[run] = r[:runLength:runLength]
				out.runs = slices.Insert(out.runs, run+1, r[runLength:])
			}
		case len(c.Groups) == 0:
			if len(out.runs[run]) == 1 {
				out.runs = slices.Delete(out.runs, run, run+1)
				break
			}
			r := out.runs[run]
			out.runs[run] = append(append(make([]Member, 0, len(r)-1), r[:at]...), r[at+1:]...)
		default:
			out.runs[run] = slices.Clone(out.runs[run])
			out.runs[run][at] = c
		}
	}
	return out
}

// A cursor goes through a list.
type cursor struct {
	m       Members
	run, at int
}

func (c *cursor) done() bool     { return c.run == len(c.m.runs) }
func (c *cursor) member() Member { return c.m.runs[c.run][c.at] }

func (c *cursor) next() {
	if c.at++; c.at == len(c.m.runs[c.run]) {
		c.run, c.at = c.run+1, 0
	}
}

// skip leaves out a run that both lists share. What is in it need not be looked
// at.
func (c *cursor) skip(o *cursor) bool {
	if c.at+o.at > 0 || c.done() || o.done() {
		return false
	}
	a, b := c.m.runs[c.run], o.m.runs[o.run]
	if len(a) != len(b) || &a[0] != &b[0] {
		return false
	}
	c.run++
	o.run++
	return true
}

// diffMembers gives what is new or other in want, and what of old is no longer
// there.
func diffMembers(old, want Members) (put, remove []Member) {
	var s sameGroups
	i, j := cursor{m: old}, cursor{m: want}
	for {
		switch {
		case i.skip(&j):
		case i.done() && j.done():
			return put, remove
		case i.done():
			put = append(put, j.member())
			j.next()
		case j.done():
			remove = append(remove, i.member())
			i.next()
		default:
			a, b := &old.runs[i.run][i.at], &want.runs[j.run][j.at]
			if s.member(a, b) {
				i.next()
				j.next()
				continue
			}
			switch order := compareMembers(*a, *b); {
			case order < 0:
				remove = append(remove, *a)
				i.next()
			case order > 0:
				put = append(put, *b)
				j.next()
			default:
				put = append(put, *b)
				i.next()
				j.next()
			}
		}
	}
}
