package iam

import (
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// An Index is policies made ready for many requests: it remembers which of
// their statements are about an action, and looks at no other when it is asked
// about that action again; of those, it passes over the ones that ask for a
// key that the request does not have without looking at them. What it decides
// is what Decide decides. Several goroutines may use it.
type Index struct {
	policies *Policies
	keys     []string // of guards, by bit

	mu    sync.RWMutex
	about map[asked]*[SessionPart + 1][]entry
}

// An asked is what statements are sorted by: an action, as it came, and
// whether it names no resource.
type asked struct {
	action  string
	nothing bool
}

// An entry is a statement about an action. What can be told of it without the
// request is in the entry, which lies beside its neighbours: a statement is in
// many places of memory.
type entry struct {
	policy, statement uint32
	allow             bool
	everything        bool // it names every resource
	unconditional     bool
	// guards are the keys without which the statement does not match.
	guards uint64
}

// maxAsked bounds what an index remembers; there are fewer actions.
const maxAsked = 1024

// NewIndex gives the index of policies, which are not changed any more.
func NewIndex(p *Policies) *Index {
	x := &Index{policies: p, about: map[asked]*[SessionPart + 1][]entry{}}
	x.each(func(_ Part, _, _ int, s *Statement) {
		for i := range s.conditions {
			if c := &s.conditions[i]; c.guards() && len(x.keys) < 64 && !slices.Contains(x.keys, c.key) {
				x.keys = append(x.keys, c.key)
			}
		}
	})
	return x
}

// Policies gives what was indexed; nil for no index.
func (x *Index) Policies() *Policies {
	if x == nil {
		return nil
	}
	return x.policies
}

// Decide is Decide for the policies of the index.
func (x *Index) Decide(r *Request) Decision {
	if r.Principal.IsRoot() || x == nil || x.policies == nil {
		return Decide(nil, r)
	}
	a := asked{r.Action, r.Resource == "*"}
	x.mu.RLock()
	about := x.about[a]
	x.mu.RUnlock()
	if about == nil {
		about = x.sort(a)
	}
	e := evaluation{request: r, resource: parseValueARN(r.Resource)}
	var present, absent uint64
	return combine(x.policies, func(part Part, policies []*Policy) Decision {
		d := Decision{Part: part}
	next:
		for i := range about[part] {
			n := &about[part][i]
			if d.Allowed && n.allow || n.guards&absent != 0 {
				continue
			}
			for unknown := n.guards &^ present; unknown != 0; unknown &= unknown - 1 {
				bit := bits.TrailingZeros64(unknown)
				if _, ok := e.values(x.keys[bit]); !ok {
					absent |= 1 << bit
					continue next
				}
				present |= 1 << bit
			}
			p := policies[n.policy]
			s := &p.Statements[n.statement]
			if !n.everything && !s.matchesResource(&e) || !n.unconditional && !s.holds(&e) {
				continue
			}
			if !n.allow {
				return Decision{Explicit: true, Part: part, Policy: p, Statement: s}
			}
			d.Allowed, d.Policy, d.Statement = true, p, s
		}
		return d
	})
}

// each calls f for every statement of the policies.
func (x *Index) each(f func(part Part, policy, statement int, s *Statement)) {
	look := func(part Part, policies []*Policy) {
		for i, p := range policies {
			for j := range p.Statements {
				f(part, i, j, &p.Statements[j])
			}
		}
	}
	if x.policies == nil {
		return
	}
	look(IdentityPart, x.policies.Identity)
	look(BoundaryPart, boundary(x.policies))
	look(SessionPart, x.policies.Session)
}

// sort finds the statements that are about an action.
func (x *Index) sort(a asked) *[SessionPart + 1][]entry {
	e := evaluation{action: strings.ToLower(a.action)}
	about := new([SessionPart + 1][]entry)
	x.each(func(part Part, policy, statement int, s *Statement) {
		star := slices.ContainsFunc(s.resources, func(a arnPattern) bool { return a.any })
		// Of a request that names no resource only a lone star speaks.
		if !s.matchesAction(&e) || a.nothing && star == s.notResources {
			return
		}
		n := entry{
			policy: uint32(policy), statement: uint32(statement), allow: s.Allow,
			everything: star && !s.notResources, unconditional: len(s.conditions) == 0,
		}
		for i := range s.conditions {
			if c := &s.conditions[i]; c.guards() {
				if bit := slices.Index(x.keys, c.key); bit >= 0 {
					n.guards |= 1 << bit
				}
			}
		}
		about[part] = append(about[part], n)
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.about) >= maxAsked {
		clear(x.about)
	}
	x.about[a] = about
	return about
}

// guards reports whether a condition fails without its key, whatever the
// request is: see holds.
func (c *condition) guards() bool {
	return c.op != opNull && !c.rule && !c.ifExists && (c.many == forAny || c.many == single && !c.negated)
}
