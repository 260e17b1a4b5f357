package ruleset

import (
	"reflect"
	"slices"
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
	c.PutMembers, c.RemoveMembers = merge(old.Members, want.Members, compareMembers,
		func(a, b Member) bool { return slices.Equal(a.Groups, b.Groups) })
	return c
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
