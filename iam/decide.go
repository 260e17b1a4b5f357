package iam

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Policies are what applies to one principal.
type Policies struct {
	// Identity are the policies of the user and of the user's groups, inline
	// and managed; for a session those of its role.
	Identity []*Policy
	// Boundary limits what Identity allows; nil for no boundary.
	Boundary *Policy
	// Session are the policies that a session was made with; what one of them
	// allows is allowed. None does not limit.
	Session []*Policy
}

// AboutRules reports whether any of the policies asks for keys of the rules
// that a call adds, and whether for the ranges of addresses that they let in.
func (p *Policies) AboutRules() (rules, addresses bool) {
	if p == nil {
		return false, false
	}
	look := func(all []*Policy) {
		for _, p := range all {
			rules, addresses = rules || p.rules, addresses || p.addresses
		}
	}
	look(p.Identity)
	look(boundary(p))
	look(p.Session)
	return rules, addresses
}

// A Request is one action on one resource.
type Request struct {
	Principal *Principal
	Action    string // "ec2:CreateSecurityGroup"
	Resource  string // an ARN, or "*" for an action that names none
	Context   Context
	// NoRule tells that the call could add rules to security groups and adds
	// or widens none: statements about rules have nothing to forbid.
	NoRule bool
}

// A Context gives the values of a request's condition keys. The key comes in
// lower case; ok is false for one that the request does not have. What the
// principal says of itself need not be in it.
type Context interface {
	Values(key string) (values []string, ok bool)
}

// A ContextMap is a Context of given values. Its keys are in lower case.
type ContextMap map[string][]string

// Values gives the values of a key.
func (m ContextMap) Values(key string) ([]string, bool) { v, ok := m[key]; return v, ok }

// A Part is a kind of policy that takes part in a decision.
type Part uint8

// The parts.
const (
	IdentityPart Part = iota
	BoundaryPart
	SessionPart
	TrustPart
)

// A Decision is the answer to a request. The zero value denies: no policy
// allows it.
type Decision struct {
	Allowed bool
	// Explicit tells that a statement denies; Statement and Policy say which.
	// Otherwise Part is the kind of policy that does not allow.
	Explicit  bool
	Part      Part
	Policy    *Policy    // that denies or, if it is allowed, allows
	Statement *Statement // in Policy
}

// Decide says whether the policies of a principal allow a request: the root of
// an account may do everything, a Deny of any policy wins, and otherwise each
// part that is there must allow. Policies nil is none. IAM user guide, "Policy
// evaluation logic".
func Decide(p *Policies, r *Request) Decision {
	if r.Principal.IsRoot() {
		return Decision{Allowed: true}
	}
	if p == nil {
		return Decision{}
	}
	return combine(p, evaluate(r).part)
}

// combine asks the parts of policies in turn.
func combine(p *Policies, ask func(Part, []*Policy) Decision) Decision {
	allowed := ask(IdentityPart, p.Identity)
	if allowed.Explicit {
		return allowed
	}
	var least Decision // the first part that does not allow
	lacks := !allowed.Allowed
	for _, part := range []struct {
		part     Part
		policies []*Policy
	}{{BoundaryPart, boundary(p)}, {SessionPart, p.Session}} {
		if len(part.policies) == 0 {
			continue
		}
		d := ask(part.part, part.policies)
		if d.Explicit {
			return d
		}
		if !d.Allowed && !lacks {
			lacks, least = true, d
		}
	}
	if lacks {
		return least
	}
	return allowed
}

func boundary(p *Policies) []*Policy {
	if p.Boundary == nil {
		return nil
	}
	return []*Policy{p.Boundary}
}

// part gives what the policies of one part say together.
func (e *evaluation) part(part Part, policies []*Policy) Decision {
	d := Decision{Part: part}
	for _, p := range policies {
		for i := range p.Statements {
			s := &p.Statements[i]
			if d.Allowed && s.Allow || !s.matches(e) {
				continue
			}
			if !s.Allow {
				return Decision{Explicit: true, Part: part, Policy: p, Statement: s}
			}
			d.Allowed, d.Policy, d.Statement = true, p, s
		}
	}
	return d
}

// DecideTrust says whether a role's trust policy lets the principal of a
// request assume it; the request's resource is the role. Named tells that it
// names the principal itself, of the role's own account, so that no identity
// policy is needed.
func DecideTrust(trust *Policy, r *Request) (d Decision, named bool) {
	e := evaluate(r)
	d.Part = TrustPart
	for i := range trust.Statements {
		s := &trust.Statements[i]
		who, byName := s.trusts(r.Principal)
		if !who || !s.matches(e) {
			continue
		}
		if !s.Allow {
			return Decision{Explicit: true, Part: TrustPart, Policy: trust, Statement: s}, false
		}
		if !d.Allowed {
			d.Allowed, d.Policy, d.Statement = true, trust, s
		}
		role := parseValueARN(r.Resource)
		named = named || byName && role.parts[4] == string(r.Principal.Account)
	}
	return d, named
}

// trusts reports whether a statement of a trust policy is about a principal,
// and whether it names it.
func (s *Statement) trusts(p *Principal) (yes, named bool) {
	for i := range s.principals {
		t := &s.principals[i]
		switch t.kind {
		case '*':
			yes = true
		case 'a':
			yes = yes || t.account == p.Account
		case 'p':
			named = named || t.text == p.ARN || p.Role != "" && t.text == p.Role
		case 'i':
			id, _, _ := strings.Cut(p.ID, ":")
			named = named || t.text == id
		}
	}
	yes = yes || named
	if s.notPrincipal {
		return !yes, false
	}
	return yes, named
}

// An evaluation is one request on its way through statements.
type evaluation struct {
	request  *Request
	action   string // in lower case
	resource arn
	// looked are the keys that were looked up, in whose place more come.
	looked [4]lookedUp
	next   int
	// missing collects the keys that were asked for and are not there; nil to
	// collect none.
	missing *[]string
}

func evaluate(r *Request) *evaluation {
	return &evaluation{request: r, action: strings.ToLower(r.Action), resource: parseValueARN(r.Resource)}
}

// A lookedUp is a key of the request with its values. Statements ask for the
// same few keys over and over.
type lookedUp struct {
	key    string
	values []string
	ok     bool
}

// values gives the values of a key: from the context, or of the principal.
func (e *evaluation) values(key string) (values []string, ok bool) {
	for i := range e.looked {
		if l := &e.looked[i]; l.key == key {
			return l.values, l.ok
		}
	}
	values, ok = e.find(key)
	e.looked[e.next] = lookedUp{key, values, ok}
	e.next = (e.next + 1) % len(e.looked)
	return values, ok
}

func (e *evaluation) find(key string) (values []string, ok bool) {
	if e.request.Context != nil {
		values, ok = e.request.Context.Values(key)
	}
	if !ok {
		values, ok = e.request.Principal.values(key)
	}
	return values, ok && len(values) > 0
}

// single gives the value of a key that has exactly one.
func (e *evaluation) single(key string) (string, bool) {
	if v, ok := e.values(key); ok && len(v) == 1 {
		return v[0], true
	}
	return "", false
}

// values gives what a principal says of itself. IAM user guide, "AWS global
// condition context keys", properties of the principal.
func (p *Principal) values(key string) ([]string, bool) {
	one := func(s string) ([]string, bool) { return []string{s}, s != "" }
	switch key {
	case "aws:username":
		if p.Type != TypeUser {
			return nil, false
		}
		return one(p.Name)
	case "aws:userid":
		return one(p.ID)
	case "aws:principalarn":
		if p.Role != "" {
			return one(p.Role)
		}
		return one(p.ARN)
	case "aws:principalaccount":
		return one(string(p.Account))
	case "aws:principaltype":
		return one(string(p.Type))
	case "aws:principalisawsservice":
		return one("false")
	case "aws:tokenissuetime":
		if p.Issued.IsZero() {
			return nil, false
		}
		return one(p.Issued.UTC().Format("2006-01-02T15:04:05Z"))
	case "aws:multifactorauthpresent":
		if p.Issued.IsZero() {
			return nil, false
		}
		return one(strconv.FormatBool(p.MFA))
	}
	if tag, ok := strings.CutPrefix(key, "aws:principaltag/"); ok {
		for _, t := range p.Tags {
			if strings.EqualFold(t.Key, tag) {
				return []string{t.Value}, true
			}
		}
	}
	return nil, false
}

// matches reports whether a statement is about the request.
func (s *Statement) matches(e *evaluation) bool {
	return s.matchesAction(e) && s.matchesResource(e) && s.holds(e)
}

func (s *Statement) matchesAction(e *evaluation) bool {
	for i := range s.actions {
		if s.actions[i].match(e.action) {
			return !s.notActions
		}
	}
	return s.notActions
}

func (s *Statement) matchesResource(e *evaluation) bool {
	if s.resources == nil {
		return true // of a trust policy
	}
	for i := range s.resources {
		a := &s.resources[i]
		if a.any {
			return !s.notResources
		}
		match, resolved := a.match(e, &e.resource)
		if !resolved && s.notResources {
			return false
		}
		if match {
			return !s.notResources
		}
	}
	return s.notResources
}

// holds reports whether every condition of a statement does.
func (s *Statement) holds(e *evaluation) bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.rule && e.request.NoRule {
			if s.Allow {
				continue
			}
			return false
		}
		values, ok := e.values(c.key)
		if !ok && e.missing != nil && !slices.Contains(*e.missing, c.shown) {
			*e.missing = append(*e.missing, c.shown)
		}
		var yes bool
		switch {
		case c.op == opNull:
			for v := range c.values {
				yes = yes || c.values[v].truth == !ok
			}
		case !ok:
			yes = c.ifExists || c.many == forAll || c.many == single && c.negated
		case c.key == keyPort || c.key == keyCIDR:
			yes = c.many == single && s.earlier(i) || s.ranged(e, i, values)
		case c.many == forAll:
			yes = true
			for _, v := range values {
				yes = yes && e.one(c, v, false)
			}
		case c.many == forAny:
			for _, v := range values {
				yes = yes || e.one(c, v, true)
			}
		case c.negated: // none of the values may match
			yes = true
			for _, v := range values {
				yes = yes && e.one(c, v, !s.Allow)
			}
		default:
			for _, v := range values {
				yes = yes || e.one(c, v, !s.Allow)
			}
		}
		if !yes {
			return false
		}
	}
	return true
}

// one reports whether one value satisfies a condition. A rule of protocol -1
// is one of every protocol: some says whether it is enough that one of them
// satisfies the condition.
func (e *evaluation) one(c *condition, value string, some bool) bool {
	if c.key == keyProtocol && value == "-1" {
		text, valid := e.satisfied(c, value)
		switch {
		case !valid:
			return false
		case some && !c.negated:
			return len(c.values) > 0
		case !some && c.negated:
			return len(c.values) == 0
		}
		return text
	}
	yes, valid := e.satisfied(c, value)
	return yes && valid
}

// earlier reports whether an earlier condition of the statement is on the same
// key, so that both were judged together.
func (s *Statement) earlier(i int) bool {
	for j := range i {
		if s.conditions[j].key == s.conditions[i].key && s.conditions[j].many == single && s.conditions[j].op != opNull {
			return true
		}
	}
	return false
}

// ranged judges the conditions on a key whose values are ranges: the ports or
// the addresses of a rule. A range stands for all that lies in it. A statement
// that allows must hold for every port and address, one that denies needs but
// one for which all its conditions hold; ForAllValues and ForAnyValue say it
// otherwise. Between two neighbouring bounds that the conditions name all
// points are alike, so that a few points decide for all.
func (s *Statement) ranged(of *evaluation, i int, values []string) bool {
	// The loops below let what they use escape to the heap: a copy does, so that
	// deciding without ranges leaves nothing there.
	e := *of
	first := &s.conditions[i]
	together := []*condition{first}
	if first.many == single {
		for j := i + 1; j < len(s.conditions); j++ {
			if c := &s.conditions[j]; c.key == first.key && c.many == single && c.op != opNull {
				together = append(together, c)
			}
		}
	}
	some := first.many == forAny || first.many == single && !s.Allow
	for _, v := range values {
		points := numberPoints
		if first.key == keyCIDR {
			points = addressPoints
		}
		for p := range points(v, together) {
			yes := true
			for _, c := range together {
				ok, valid := e.satisfied(c, p)
				yes = yes && ok && valid
			}
			if yes == some {
				return some
			}
		}
	}
	return !some
}

// numberPoints gives the points of "20-30", or of a number, that tell.
func numberPoints(v string, together []*condition) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		a, b, ranged := strings.Cut(v, "-")
		from, err := strconv.Atoi(a)
		to := from
		if ranged && err == nil {
			to, err = strconv.Atoi(b)
		}
		if err != nil || from == to {
			yield(v)
			return
		}
		if !yield(a) || !yield(b) {
			return
		}
		for _, c := range together {
			for i := range c.values {
				n, err := strconv.Atoi(c.values[i].number.whole)
				if err != nil && c.values[i].number.whole != "" || c.values[i].number.negative {
					continue
				}
				for p := n - 1; p <= n+1; p++ {
					if from <= p && p <= to && !yield(strconv.Itoa(p)) {
						return
					}
				}
			}
		}
	}
}

// addressPoints gives the points of a range of addresses that tell.
func addressPoints(v string, together []*condition) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		p, ok := parsePrefix(v)
		if !ok {
			yield(v)
			return
		}
		at := func(a netip.Addr) bool { return !a.IsValid() || !p.Contains(a) || yield(a.String()) }
		if !at(p.Addr()) {
			return
		}
		for _, c := range together {
			for _, s := range c.spans {
				if !at(s.from) || !at(s.to.Next()) {
					return
				}
			}
		}
	}
}
