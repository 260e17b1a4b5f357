package ruleset

import (
	"reflect"
	"slices"

	"moat/vpc"
)

// A Change is the way from one ruleset to another.
type Change struct {
	// Interfaces to put and to remove, and Policies whose rules are new or
	// other than before; by name, so that places do not matter.
	PutInterfaces, RemoveInterfaces []Interface
	PutPolicies, RemovePolicies     []Policy
	PutMembers, RemoveMembers       []Member
}

// Empty reports whether nothing changes.
func (c *Change) Empty() bool {
	return len(c.PutInterfaces)+len(c.RemoveInterfaces)+len(c.PutPolicies)+len(c.RemovePolicies)+len(c.PutMembers)+len(c.RemoveMembers) == 0
}

// Diff gives the least change from old to want; old may be nil.
func Diff(old, want *Ruleset) *Change {
	if old == nil {
		old = &Ruleset{}
	}
	c := &Change{}
	same := func(a, b Interface) bool {
		pa, pb := old.Policies[a.In].Name+old.Policies[a.Out].Name, want.Policies[b.In].Name+want.Policies[b.Out].Name
		a.In, a.Out, b.In, b.Out = 0, 0, 0, 0
		return pa == pb && reflect.DeepEqual(a, b)
	}
	c.PutInterfaces, c.RemoveInterfaces = merge(old.Interfaces, want.Interfaces,
		func(a, b Interface) int { return compareStrings(a.ID, b.ID) }, same)
	c.PutPolicies, c.RemovePolicies = merge(old.Policies, want.Policies,
		func(a, b Policy) int { return compareStrings(a.Name, b.Name) },
		func(a, b Policy) bool { return slices.Equal(a.Rules, b.Rules) })
	o, w := alike(old.Members, want.Members)
	c.PutMembers, c.RemoveMembers = merge(o, w, compareMembers,
		func(a, b Member) bool { return slices.Equal(a.Groups, b.Groups) })
	return c
}

// alike takes off what two lists have in common at their beginnings and ends: of
// many members mostly one changes, and each look at one counts.
func alike(a, b []Member) (x, y []Member) {
	n := min(len(a), len(b))
	var s sameGroups
	i := 0
	for i < n && s.member(&a[i], &b[i]) {
		i++
	}
	a, b, n = a[i:], b[i:], n-i
	j := 0
	for j < n && s.member(&a[len(a)-1-j], &b[len(b)-1-j]) {
		j++
	}
	return a[:len(a)-j], b[:len(b)-j]
}

// sameGroups are two lists that were found equal. Members of the same groups
// share a list, so that the next two are mostly those.
type sameGroups struct {
	a, b *vpc.GroupID
	n    int
}

func (s *sameGroups) member(a, b *Member) bool {
	if a.Addr != b.Addr || a.VPC != b.VPC || len(a.Groups) != len(b.Groups) {
		return false
	}
	n := len(a.Groups)
	if n == 0 || n == s.n && &a.Groups[0] == s.a && &b.Groups[0] == s.b {
		return true
	}
	if !slices.Equal(a.Groups, b.Groups) {
		return false
	}
	s.a, s.b, s.n = &a.Groups[0], &b.Groups[0], n
	return true
}

func compareStrings[S ~string](a, b S) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// merge walks two sorted lists: what is new or other in want, and what of old
// is no longer there.
func merge[T any](old, want []T, order func(a, b T) int, same func(a, b T) bool) (put, remove []T) {
	i, j := 0, 0
	for i < len(old) || j < len(want) {
		switch {
		case j == len(want) || i < len(old) && order(old[i], want[j]) < 0:
			remove = append(remove, old[i])
			i++
		case i == len(old) || order(old[i], want[j]) > 0:
			put = append(put, want[j])
			j++
		default:
			if !same(old[i], want[j]) {
				put = append(put, want[j])
			}
			i++
			j++
		}
	}
	return put, remove
}
