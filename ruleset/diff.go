package ruleset

import (
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
	c.PutInterfaces, c.RemoveInterfaces = merge(old.Interfaces, want.Interfaces,
		func(a, b *Interface) int { return compareStrings(a.ID, b.ID) },
		func(a, b *Interface) bool {
			return old.Policies[a.In].Name == want.Policies[b.In].Name && old.Policies[a.Out].Name == want.Policies[b.Out].Name && a.Alike(b)
		})
	c.PutPolicies, c.RemovePolicies = merge(old.Policies, want.Policies,
		func(a, b *Policy) int { return compareStrings(a.Name, b.Name) },
		func(a, b *Policy) bool { return SameRules(a.Rules, b.Rules) })
	c.PutMembers, c.RemoveMembers = diffMembers(old.Members, want.Members)
	return c
}

// Alike reports whether two interfaces are equal but for their policies.
func (i *Interface) Alike(o *Interface) bool {
	return i.ID == o.ID && i.VPC == o.VPC && i.MAC == o.MAC && i.Check == o.Check && i.Timeouts == o.Timeouts && i.OnRevoke == o.OnRevoke &&
		slices.Equal(i.Own, o.Own) && slices.Equal(i.OnLink, o.OnLink)
}

// SameRules reports whether two lists are equal. Of what is one list it does not
// look at each.
func SameRules(a, b []Rule) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
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
func merge[T any](old, want []T, order func(a, b *T) int, same func(a, b *T) bool) (put, remove []T) {
	i, j := 0, 0
	for i < len(old) || j < len(want) {
		switch {
		case j == len(want) || i < len(old) && order(&old[i], &want[j]) < 0:
			remove = append(remove, old[i])
			i++
		case i == len(old) || order(&old[i], &want[j]) > 0:
			put = append(put, want[j])
			j++
		default:
			if !same(&old[i], &want[j]) {
				put = append(put, want[j])
			}
			i++
			j++
		}
	}
	return put, remove
}
