package ebpf

import (
	"slices"

	"moat/ruleset"
	"moat/vpc"
)

func sameIDs(a, b []ruleset.Rule) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

// subset reports whether every rule of a is one of b; both are in canonical
// order. Of whom a rule comes does not matter.
func subset(a, b []ruleset.Rule) bool {
	key := func(r ruleset.Rule) ruleset.Rule { r.ID = ""; return r }
	j := 0
	for i := range a {
		for j < len(b) && ruleset.Compare(key(b[j]), key(a[i])) < 0 {
			j++
		}
		if j == len(b) || key(b[j]) != key(a[i]) {
			return false
		}
	}
	return true
}

// kept are the rules that allow all they allowed before, by direction: flows
// that one of them admitted need no second look. nil: none.
type kept [2]*survivors

type survivors struct {
	before placedPolicy
	after  *ruleset.Policy
	left   map[vpc.GroupID]bool
}

// mark sets the counters of rules that are kept, and of those that are not,
// each of several of the same id.
func (s *survivors) mark(kept, lost bits) {
	j := 0
	after := s.after.Rules
	for i := range s.before.policy.Rules {
		r := &s.before.policy.Rules[i]
		for j < len(after) && ruleset.Compare(after[j], *r) < 0 {
			j++
		}
		n := s.before.places[s.before.number(i)-1]
		if j < len(after) && after[j] == *r && !s.left[r.Remote.Group] {
			kept.set(n)
		} else {
			lost.set(n)
		}
	}
}

// refers reports whether a policy refers to one of some groups.
func refers(p *ruleset.Policy, groups map[vpc.GroupID]bool) bool {
	return len(groups) > 0 && slices.ContainsFunc(p.Rules, func(r ruleset.Rule) bool { return groups[r.Remote.Group] })
}

// lessOwn reports whether an interface may have fewer flows than before, by
// its own addresses or VPC.
func lessOwn(a, b *ruleset.Interface) bool {
	return a.VPC != b.VPC || b.Check && (!a.Check || !slices.Equal(a.Own, b.Own)) || a.OnRevoke.Mode != b.OnRevoke.Mode
}
