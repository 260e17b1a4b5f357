package iam

import (
	"regexp"
	"strings"

	"moat/vpc"
)

// A PolicyKind is where a policy document is used, which decides what it may say.
type PolicyKind uint8

// The kinds.
const (
	IdentityPolicy PolicyKind = iota // of users, groups and roles; a boundary too
	TrustPolicy                      // of a role: who may assume it
	SessionPolicy                    // given when a session is made
)

// A Policy is a document that was read, ready to decide. It never changes and
// may be shared.
type Policy struct {
	Kind       PolicyKind
	Version    string // 2012-10-17 or 2008-10-17
	ID         string // the document's own
	Statements []Statement

	// Name and Source tell where it comes from, for messages and simulations:
	// an ARN or the name of an inline policy, and user, group, role,
	// aws-managed, user-managed or resource. Whoever keeps it sets them before
	// it is shared.
	Name, Source string

	// rules tells that conditions ask for keys of rules, addresses that they
	// ask for the ranges that rules let in.
	rules, addresses bool
}

// A Statement is one statement of a policy.
type Statement struct {
	Sid   string
	Allow bool
	// Start and End are where it stands in the document.
	Start, End Position

	actions      []pattern // in lower case
	notActions   bool
	resources    []arnPattern // of a trust policy none
	notResources bool
	principals   []principalPattern // of a trust policy
	notPrincipal bool
	conditions   []condition
}

// A Position is a line and a column, from 1.
type Position struct{ Line, Column int }

// ParsePolicy reads a policy document. What is wrong with it is a
// MalformedPolicyDocument that names line and reason. It takes time linear in
// the document's length, and documents that are larger or deeper than any
// policy are refused before they are read. IAM user guide, "Grammar of the IAM
// JSON policy language".
func ParsePolicy(doc []byte, kind PolicyKind) (*Policy, error) {
	d, err := readDocument(doc, kind)
	if err != nil {
		return nil, err
	}
	if d.root.kind != '{' {
		return nil, d.wrong(d.root.start, syntaxErrors, "a policy is an object, not %s", d.root.words())
	}
	p := &reader{document: d, policy: &Policy{Kind: kind, Version: version2008}}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p.policy, nil
}

// The versions of the language. The older one, which a document without a
// version has, knows no variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// reader reads a policy out of a document.
type reader struct {
	*document
	policy *Policy
	sids   map[string]bool
}

func (r *reader) read() error {
	var statements *node
	for i := range r.root.members {
		m := &r.root.members[i]
		switch m.name {
		case "Version":
			if m.value.kind != 's' || m.value.text != version2012 && m.value.text != version2008 {
				return r.wrong(m.value.start, "Policy document must be version 2012-10-17 or greater.", "Version is 2012-10-17 or 2008-10-17, not %s", m.value.words())
			}
			r.policy.Version = m.value.text
		case "Id":
			if m.value.kind != 's' {
				return r.wrong(m.value.start, syntaxErrors, "Id must be text, not %s", m.value.words())
			}
			r.policy.ID = m.value.text
		case "Statement":
			statements = &m.value
		default:
			return r.wrong(m.start, syntaxErrors, "a policy has Version, Id and Statement, not %q", clip(m.name))
		}
	}
	if statements == nil {
		return r.wrong(r.root.start, syntaxErrors, "the policy has no Statement")
	}
	list := []node{*statements}
	if statements.kind == '[' {
		list = statements.items
	}
	if len(list) == 0 {
		return r.wrong(statements.start, syntaxErrors, "the policy has no statement")
	}
	r.sids = map[string]bool{}
	r.policy.Statements = make([]Statement, 0, len(list))
	for i := range list {
		s, err := r.statement(&list[i])
		if err != nil {
			return err
		}
		r.policy.Statements = append(r.policy.Statements, s)
	}
	return nil
}

var sidPattern = regexp.MustCompile(`^[A-Za-z0-9]*$`)

// statement reads one statement.
func (r *reader) statement(n *node) (s Statement, err error) {
	if n.kind != '{' {
		return s, r.wrong(n.start, syntaxErrors, "a statement is an object, not %s", n.words())
	}
	s.Start, s.End = r.position(n.start), r.position(max(n.end-1, n.start))
	at := map[string]*member{}
	for i := range n.members {
		m := &n.members[i]
		switch m.name {
		case "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition":
			at[m.name] = m
		default:
			return s, r.wrong(m.start, syntaxErrors, "a statement has no element %q", clip(m.name))
		}
	}
	for _, pair := range [][2]string{{"Action", "NotAction"}, {"Resource", "NotResource"}, {"Principal", "NotPrincipal"}} {
		if at[pair[0]] != nil && at[pair[1]] != nil {
			return s, r.wrong(at[pair[1]].start, syntaxErrors, "a statement has %s or %s, not both", pair[0], pair[1])
		}
	}
	if m := at["Sid"]; m != nil {
		if m.value.kind != 's' || !sidPattern.MatchString(m.value.text) {
			return s, r.wrong(m.value.start, syntaxErrors, "a Sid is made of the characters A-Z, a-z and 0-9, not %s", m.value.words())
		}
		s.Sid = m.value.text
		if s.Sid != "" && r.sids[s.Sid] {
			return s, r.wrong(m.value.start, "Statement IDs (SID) in a single policy must be unique.", "%q was used before", clip(s.Sid))
		}
		r.sids[s.Sid] = true
	}
	m := at["Effect"]
	switch {
	case m == nil:
		return s, r.wrong(n.start, syntaxErrors, "the statement has no Effect")
	case m.value.kind == 's' && m.value.text == "Allow":
		s.Allow = true
	case m.value.kind == 's' && m.value.text == "Deny":
	default:
		return s, r.wrong(m.value.start, syntaxErrors, "Effect is Allow or Deny, not %s", m.value.words())
	}
	if err := r.actions(&s, n, at); err != nil {
		return s, err
	}
	if r.policy.Kind == TrustPolicy {
		err = r.principals(&s, n, at)
	} else {
		err = r.resources(&s, n, at)
	}
	if err == nil && at["Condition"] != nil {
		err = r.conditions(&s, &at["Condition"].value)
	}
	return s, err
}

const vendorSentence = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."

var (
	vendorPattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	actionPattern = regexp.MustCompile(`^[A-Za-z0-9_.*?-]+$`)
)

func (r *reader) actions(s *Statement, n *node, at map[string]*member) error {
	m := at["Action"]
	if m == nil {
		m, s.notActions = at["NotAction"], true
	}
	if m == nil {
		return r.wrong(n.start, "Policy statement must contain actions.", "the statement has neither Action nor NotAction")
	}
	texts, err := r.texts(m.name, &m.value)
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return r.wrong(m.value.start, "Policy statement must contain actions.", "%s is empty", m.name)
	}
	for _, t := range texts {
		if t.text != "*" {
			vendor, name, ok := strings.Cut(t.text, ":")
			switch {
			case !ok || vendor == "":
				return r.wrong(t.start, vendorSentence, "%q is not SERVICE:ACTION", clip(t.text))
			case !vendorPattern.MatchString(vendor):
				return r.wrong(t.start, "Vendor "+clip(vendor)+" is not valid", "a service is named without wildcards in %q", clip(t.text))
			case !actionPattern.MatchString(name):
				return r.wrong(t.start, syntaxErrors, "%q names no action", clip(t.text))
			case r.policy.Kind == TrustPolicy && !strings.EqualFold(vendor, "sts"):
				return r.wrong(t.start, "AssumeRole policy may only specify STS AssumeRole actions.", "%q is none", clip(t.text))
			}
		}
		p, _ := parsePattern(strings.ToLower(t.text), true, false)
		p.text = t.text
		s.actions = append(s.actions, p)
	}
	return nil
}

func (r *reader) vars() bool { return r.policy.Version == version2012 }

func (r *reader) resources(s *Statement, n *node, at map[string]*member) error {
	for _, name := range []string{"Principal", "NotPrincipal"} {
		if m := at[name]; m != nil {
			return r.wrong(m.start, "Policy document should not specify a principal.", "%s belongs to the trust policy of a role", name)
		}
	}
	m := at["Resource"]
	if m == nil {
		m, s.notResources = at["NotResource"], true
	}
	if m == nil {
		return r.wrong(n.start, "Policy statement must contain resources.", "the statement has neither Resource nor NotResource")
	}
	texts, err := r.texts(m.name, &m.value)
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return r.wrong(m.value.start, "Policy statement must contain resources.", "%s is empty", m.name)
	}
	for _, t := range texts {
		a, ok, reason := parseARN(t.text, r.vars())
		switch {
		case !ok || !a.any && a.parts[0].text != "arn":
			return r.wrong(t.start, `Resource `+clip(t.text)+` must be in ARN format or "*".`, "an ARN is arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE")
		case reason != "":
			return r.wrong(t.start, syntaxErrors, "%s in %q", reason, clip(t.text))
		case !a.any && !knownPartition(&a.parts[1]):
			return r.wrong(t.start, `Partition "`+clip(a.parts[1].text)+`" is not valid for resource "`+clip(t.text)+`".`, "the partitions are aws, aws-cn and aws-us-gov")
		}
		s.resources = append(s.resources, a)
	}
	return nil
}

// knownPartition reports whether a pattern can match a partition. Which a
// variable gives is not known before a request.
func knownPartition(p *pattern) bool {
	if p.parts != nil {
		return true
	}
	for _, name := range []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b"} {
		if p.match(name) {
			return true
		}
	}
	return false
}

// A principalPattern is an entry of the Principal of a trust policy.
type principalPattern struct {
	kind    byte // '*' everybody, 'a' an account, 'p' one principal by ARN, 'i' by unique id, 's' a service or federation
	text    string
	account vpc.AccountID
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
var uniqueIDPattern = regexp.MustCompile(`^A(IDA|ROA)[A-Z0-9]{8,28}$`)

func (r *reader) principals(s *Statement, n *node, at map[string]*member) error {
	for _, name := range []string{"Resource", "NotResource"} {
		if m := at[name]; m != nil {
			return r.wrong(m.start, "Has prohibited field Resource", "the resource of a trust policy is its role")
		}
	}
	m := at["Principal"]
	if m == nil {
		m, s.notPrincipal = at["NotPrincipal"], true
	}
	if m == nil {
		return r.wrong(n.start, "Missing required field Principal", "a trust policy says who may assume the role")
	}
	if s.notPrincipal && s.Allow {
		return r.wrong(m.start, syntaxErrors, "NotPrincipal goes with Effect Deny only")
	}
	v := &m.value
	if v.kind == 's' && v.text == "*" {
		s.principals = append(s.principals, principalPattern{kind: '*', text: "*"})
		return nil
	}
	if v.kind != '{' || len(v.members) == 0 {
		return r.wrong(v.start, "Invalid principal in policy.", `%s is "*" or an object such as {"AWS": "arn:aws:iam::123456789012:user/name"}, not %s`, m.name, v.words())
	}
	for i := range v.members {
		k := &v.members[i]
		texts, err := r.texts(k.name, &k.value)
		if err != nil {
			return err
		}
		if len(texts) == 0 {
			return r.wrong(k.value.start, "Invalid principal in policy.", "%s is empty", clip(k.name))
		}
		for _, t := range texts {
			p, ok := principalEntry(k.name, t.text)
			if !ok {
				return r.wrong(t.start, `Invalid principal in policy: "`+clip(k.name)+`":"`+clip(t.text)+`"`, "an account of 12 digits, the ARN of a user, a role, a session or a root, or a lone star are principals")
			}
			s.principals = append(s.principals, p)
		}
	}
	return nil
}

// Named gives the ARNs of users and roles that a trust policy names.
func (p *Policy) Named() (arns []string) {
	for i := range p.Statements {
		for _, n := range p.Statements[i].principals {
			if a := parseValueARN(n.text); n.kind == 'p' && a.parts[2] == "iam" {
				arns = append(arns, n.text)
			}
		}
	}
	return arns
}

func principalEntry(kind, text string) (p principalPattern, ok bool) {
	p.text = text
	switch kind {
	case "AWS":
	case "Service", "Federated", "CanonicalUser":
		// Nobody of Moat's is one; roles that name them are kept all the same.
		p.kind = 's'
		return p, text != ""
	default:
		return p, false
	}
	a := parseValueARN(text)
	switch {
	case text == "*":
		p.kind = '*'
	case accountPattern.MatchString(text):
		p.kind, p.account = 'a', vpc.AccountID(text)
	case uniqueIDPattern.MatchString(text):
		p.kind = 'i'
	case !a.ok || a.parts[0] != "arn" || !accountPattern.MatchString(a.parts[4]) || strings.ContainsAny(text, "*?"):
		return p, false
	case a.parts[2] == "iam" && a.parts[5] == "root":
		p.kind, p.account = 'a', vpc.AccountID(a.parts[4])
	case a.parts[2] == "iam" && (named(a.parts[5], "user/") || named(a.parts[5], "role/")), a.parts[2] == "sts" && (named(a.parts[5], "assumed-role/") || named(a.parts[5], "federated-user/")):
		p.kind = 'p'
	default:
		return p, false
	}
	return p, true
}

func named(s, prefix string) bool { return len(s) > len(prefix) && strings.HasPrefix(s, prefix) }
