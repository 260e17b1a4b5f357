package iam

import (
	"slices"
	"strings"
)

// A Match is a statement that is about a request.
type Match struct {
	Policy    *Policy
	Statement *Statement
	Part      Part
}

// A Simulation is a decision with everything that took part in it.
type Simulation struct {
	Decision
	Matches []Match
	// Missing are the condition keys that statements about the action and the
	// resource asked for and the request does not have, sorted, as they are
	// spelled in the policies.
	Missing []string
	// Boundary tells whether the permissions boundary allows, where there is one.
	Boundary bool
}

// Simulate decides as Decide does, except that it looks at every statement.
func Simulate(p *Policies, r *Request) *Simulation {
	s := &Simulation{Decision: Decide(p, r)}
	if p == nil {
		return s
	}
	e := evaluate(r)
	e.missing = &s.Missing
	look := func(part Part, policies []*Policy) {
		for _, p := range policies {
			for i := range p.Statements {
				if st := &p.Statements[i]; st.matches(e) {
					s.Matches = append(s.Matches, Match{p, st, part})
				}
			}
		}
	}
	look(IdentityPart, p.Identity)
	look(BoundaryPart, boundary(p))
	look(SessionPart, p.Session)
	if p.Boundary != nil {
		d := e.part(BoundaryPart, boundary(p))
		s.Boundary = d.Allowed
	}
	slices.Sort(s.Missing)
	return s
}

// ContextKeys gives the condition keys that a policy asks for, in conditions
// and in variables, sorted, each once.
func (p *Policy) ContextKeys() []string {
	var keys []string
	vars := func(x *pattern) {
		for _, v := range x.parts {
			if v.kind == '$' {
				keys = append(keys, v.text)
			}
		}
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		for j := range s.resources {
			for k := range s.resources[j].parts {
				vars(&s.resources[j].parts[k])
			}
		}
		for j := range s.conditions {
			c := &s.conditions[j]
			keys = append(keys, c.shown)
			for k := range c.values {
				vars(&c.values[k].pattern)
				for l := range c.values[k].arn.parts {
					vars(&c.values[k].arn.parts[l])
				}
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return slices.CompactFunc(keys, strings.EqualFold)
}
