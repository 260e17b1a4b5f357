package server

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"moat/change"
	"moat/ec2"
	"moat/fault"
	"moat/iam"
	"moat/iamapi"
	"moat/state"
)

// place gives what a scope holds, in a view or in a transaction.
type place = func(state.Scope) state.Reader

func viewPlace(v *state.View) place { return func(s state.Scope) state.Reader { return v.In(s) } }
func txnPlace(tx *state.Txn) place  { return func(s state.Scope) state.Reader { return tx.In(s) } }

// A permit is what was found out about a caller's permissions for one call.
// The root of an account needs none: its permit is nil. It is part of its
// request, so that to ask costs no memory of its own.
type permit struct {
	r        *request
	policies *iam.Index
	needs    []iam.Need
	// question is what is being decided, and context what its Context is.
	question iam.Request
	context  callContext
}

// authorise refuses a call that its caller may not make. Statements about the
// rules that it adds are judged when they are known: see (*permit).rules. Who
// is what is known of the caller in the same place, nil to look there.
func (s *Server) authorise(r *request, at place, in any, who *known) (*permit, error) {
	p := s.permitOf(r, at, in, who)
	for i := 0; p != nil && i < len(p.needs); i++ {
		if err := p.decide(&p.needs[i], nil); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// permitOf returns what a call needs, before anything is decided; nil for a call
// that its caller may make in any case.
func (s *Server) permitOf(r *request, at place, in any, who *known) *permit {
	if r.caller.IsRoot() {
		return nil
	}
	needs, ok := s.needsOf(r, at, in)
	if ok && len(needs) == 0 {
		return nil // everybody may
	}
	if !ok {
		// Nobody said what the action needs.
		needs = []iam.Need{{Action: string(r.service) + ":" + r.action, Resource: "*"}}
	}
	p := &r.permit
	*p = permit{r: r, needs: needs}
	if ok {
		p.policies = s.policiesOf(r, at, who)
	}
	return p
}

// policiesOf gives the caller's policies. Those that cannot be read allow
// nothing.
func (s *Server) policiesOf(r *request, at place, who *known) *iam.Index {
	if who == nil {
		policies, err := iamapi.PoliciesOf(at, &r.caller)
		who = &known{policies: iam.NewIndex(policies), err: err}
	}
	if who.err != nil {
		s.cfg.Logger.Warn("the policies of a principal cannot be read; nothing is allowed", "request", r.id, "principal", r.caller.ARN, "err", who.err)
		return nil
	}
	return who.policies
}

// needsOf gives the permissions that a call needs; ok is false when nobody
// knows.
func (s *Server) needsOf(r *request, at place, in any) (needs []iam.Need, ok bool) {
	switch r.service {
	case serviceEC2:
		return ec2.Needs(r.action, at, r.scope, in)
	case serviceSTS:
		// Always allowed, also against an explicit deny: API reference of STS.
		// Who may assume a role is for its trust policy to say.
		switch r.action {
		case "GetCallerIdentity", "GetSessionToken", "GetAccessKeyInfo", "AssumeRole":
			return nil, true
		}
		return []iam.Need{{Action: "sts:" + r.action, Resource: "*"}}, true
	}
	if r.service == serviceIAM {
		return iamapi.Needs(r.action, at, r.caller, in), true
	}
	if r.service == serviceCloudTrail {
		return []iam.Need{{Action: "cloudtrail:" + r.action, Resource: "*"}}, true
	}
	if r.service == ServiceMoat {
		needs = change.Needs(at, r.scope, in)
		return needs, needs != nil
	}
	return nil, false
}

// rules refuses a call that adds a rule, or makes one wider, for which its
// caller has no permission: each is judged by itself.
func (p *permit) rules(tx *state.Txn) error {
	if p == nil {
		return nil
	}
	about, addresses := p.policies.Policies().AboutRules()
	if !about {
		return nil
	}
	for i := range p.needs {
		n := &p.needs[i]
		if !n.Rules {
			continue
		}
		for rule := range ec2.AddedRules(tx, addresses) {
			if strings.HasPrefix(n.Action, "ec2:AuthorizeSecurityGroup") && !strings.HasSuffix(strings.ToLower(n.Action), rule.Direction) {
				continue // an undo may add rules of both directions, by a call for each
			}
			if err := p.decide(n, rule); err != nil {
				return err
			}
		}
	}
	return nil
}

// decide refuses one need. Rule is the one that is judged; without it a call
// that may add rules is judged as if it added none.
func (p *permit) decide(n *iam.Need, rule *iam.Rule) error {
	p.context = callContext{r: p.r, need: n, rule: rule}
	p.question = iam.Request{Principal: &p.r.caller, Action: n.Action, Resource: n.Resource, Context: &p.context, NoRule: n.Rules && rule == nil}
	d := p.policies.Decide(&p.question)
	if d.Allowed {
		return nil
	}
	return &denied{p.question, d}
}

// A denied is the refusal of a need.
type denied struct {
	iam.Request
	iam.Decision
}

func (d *denied) Error() string { return iam.Denial(&d.Request, &d.Decision) }

// denial gives what the caller of a request is told of a refusal.
func (s *Server) denial(r *request, d *denied) *fault.Error {
	q := d.Request
	if r.service == serviceCloudTrail {
		q.Resource = ""
		return fault.AccessDeniedException.Say("%s", iam.Denial(&q, &d.Decision))
	}
	if r.service != serviceEC2 {
		return iam.AccessDenied(&q, &d.Decision)
	}
	if q.Resource == "*" {
		// Nothing to tell more about.
		q.Resource = ""
		return fault.UnauthorizedOperation.Say("%s %s", fault.UnauthorizedOperation.Format, iam.Denial(&q, &d.Decision))
	}
	c := q.Context.(*callContext)
	text := fault.UnauthorizedOperation.Format + " " + iam.Denial(&q, &d.Decision)
	if c.rule != nil {
		text += ": " + ruleText(c.rule)
	}
	text += ". Encoded authorization failure message: " + s.sealMessage(r.scope.Account, iam.DenialMessage(&q, &d.Decision, c.shown()))
	return fault.UnauthorizedOperation.Say("%s", text)
}

// ruleText says which rule a refusal is about: what AWS has not, after what it
// says.
func ruleText(r *iam.Rule) string {
	ports := ""
	switch {
	case !r.HasPorts || r.Protocol == "-1":
	case r.From == r.To:
		ports = "/" + strconv.Itoa(int(r.From))
	default:
		ports = "/" + strconv.Itoa(int(r.From)) + "-" + strconv.Itoa(int(r.To))
	}
	word := map[string]string{"ingress": " from ", "egress": " to "}[r.Direction]
	peer := cmp.Or(r.Group, r.PrefixList)
	if r.CIDR.IsValid() {
		if peer != "" {
			peer = " of " + peer
		}
		peer = r.CIDR.String() + peer
	}
	protocol := r.Protocol
	if protocol == "-1" {
		protocol = "all traffic"
	}
	return "the rule " + protocol + ports + word + peer
}

// A callContext gives the condition keys of one need of a call. IAM user guide,
// "AWS global condition context keys".
type callContext struct {
	r    *request
	need *iam.Need
	rule *iam.Rule
}

// Values gives the values of a key.
func (c *callContext) Values(key string) ([]string, bool) {
	one := func(s string) ([]string, bool) { return []string{s}, s != "" }
	switch key {
	case "aws:sourceip":
		if c.r.source == (netip.Addr{}) {
			return nil, false
		}
		return one(c.r.source.String())
	case "aws:currenttime":
		return one(c.r.began.UTC().Format("2006-01-02T15:04:05Z"))
	case "aws:epochtime":
		return one(strconv.FormatInt(c.r.began.Unix(), 10))
	case "aws:securetransport":
		return one(strconv.FormatBool(c.r.TLS != nil))
	case "aws:useragent":
		return one(userAgent(c.r.Request))
	case "aws:referer":
		referer := c.r.Referer()
		return one(referer[:min(len(referer), 2048)])
	case "aws:requestedregion":
		return one(c.r.region)
	case "ec2:region":
		if c.r.service != serviceEC2 {
			return nil, false
		}
		return one(c.r.scope.Region)
	case "aws:resourceaccount":
		return one(string(c.r.scope.Account))
	case "aws:viaawsservice":
		return one("false")
	}
	if c.rule != nil {
		if v, ok := c.rule.Values(key); ok {
			return v, true
		}
	}
	return c.need.Values(key)
}

// shown gives the keys that an encoded message tells.
func (c *callContext) shown() []iam.Key {
	out := []iam.Key{
		{Name: "ec2:Region", Values: []string{c.r.scope.Region}}, {Name: "aws:Region", Values: []string{c.r.scope.Region}},
		{Name: "aws:Service", Values: []string{string(c.r.service)}},
		{Name: "aws:Account", Values: []string{string(c.r.scope.Account)}},
		{Name: "aws:Resource", Values: []string{c.need.Resource}}, {Name: "aws:ARN", Values: []string{c.need.Resource}},
	}
	out = append(out, c.need.Keys...)
	for _, t := range c.need.Tags {
		out = append(out, iam.Key{Name: "aws:ResourceTag/" + t.Key, Values: []string{t.Value}})
	}
	for _, t := range c.need.RequestTags {
		out = append(out, iam.Key{Name: "aws:RequestTag/" + t.Key, Values: []string{t.Value}})
	}
	if c.rule != nil {
		out = append(out, c.rule.Keys()...)
	}
	return out
}
