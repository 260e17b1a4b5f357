package server

import (
	"crypto/tls"
	"net/http"
	"slices"

	"moat/awsquery"
	"moat/ec2"
	"moat/ec2query"
	"moat/iam"
	"moat/iamapi"
	"moat/state"
	"moat/store"
	"moat/sts"
	"moat/trail"
	"moat/vpc"
)

// event gives the event of a request, as far as it is known before it is
// carried out.
func (s *Server) event(r *request) store.Event {
	e := store.Event{
		Source: r.source.String(), UserAgent: userAgent(r.Request), RequestID: r.id,
		Service: string(r.service), Action: r.action, Region: r.scope.Region, Account: r.scope.Account,
		Host: r.Host[:min(len(r.Host), 255)],
	}
	if r.form != nil {
		e.Request = paramsOf(r.form)
	}
	if r.TLS != nil {
		e.TLS, e.Cipher = tlsNames(r.Request)
	}
	tellCaller(&e, &r.caller)
	return e
}

func tlsNames(r *http.Request) (version, cipher string) {
	version = map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}[r.TLS.Version]
	return version, tls.CipherSuiteName(r.TLS.CipherSuite)
}

// tellCaller says in an event who made the call.
func tellCaller(e *store.Event, p *iam.Principal) {
	e.Principal, e.AccessKey, e.PrincipalID = p.ARN, p.AccessKeyID, p.ID
	switch p.Type {
	case iam.TypeRoot:
		e.Type = "Root"
	case iam.TypeUser:
		e.Type, e.UserName = "IAMUser", p.Name
	case iam.TypeSession:
		e.Type, e.Role = "AssumedRole", p.Role
	}
	if p.Session != nil {
		at := p.Session.Issued
		e.Issued = &at
	}
}

// tell gives the event of a call that was planned.
func (s *Server) tell(r *request) func(*state.Txn, any, store.Event) []store.Event {
	return func(tx *state.Txn, out any, e store.Event) []store.Event {
		tellCaller(&e, &r.caller) // as found on the view of the plan
		e.Rules = ruleChanges(tx.Changes())
		tellAnswer(&e, out)
		return []store.Event{e}
	}
}

// tellAnswer keeps in an event what the caller was answered, but for secrets.
func tellAnswer(e *store.Event, out any) {
	switch o := out.(type) {
	case nil:
		return
	case *iamapi.CreateAccessKeyOutput:
		c, k := *o, *o.AccessKey
		k.SecretAccessKey = ""
		c.AccessKey = &k
		out = &c
	case *ec2.CreateKeyPairOutput:
		c := *o
		c.KeyMaterial = "<sensitiveDataRemoved>"
		out = &c
	case *sts.AssumeRoleOutput:
		c := *o
		c.Credentials = withoutSecret(o.Credentials)
		out = &c
	case *sts.GetSessionTokenOutput:
		c := *o
		c.Credentials = withoutSecret(o.Credentials)
		out = &c
	}
	if service(e.Service) == serviceEC2 {
		e.Response = ec2query.AppendMembers(nil, out)
	} else {
		e.Response = awsquery.AppendElement(nil, "r", out)
	}
	if len(e.Response) > trail.MaxResponse {
		e.Response, e.Long = nil, true
	}
}

func withoutSecret(c *sts.Credentials) *sts.Credentials {
	return &sts.Credentials{AccessKeyId: c.AccessKeyId, Expiration: c.Expiration}
}

// ruleChanges says which rules of security groups a call added, changed and
// removed. Of a group that is gone it says nothing.
func ruleChanges(changes []state.Change) []string {
	var out []string
	for i := range changes {
		c := &changes[i]
		after, _ := c.New.(*vpc.SecurityGroup)
		if after == nil || c.Kind != state.AnyKind(state.Groups) {
			continue
		}
		before, _ := c.Old.(*vpc.SecurityGroup)
		var was []vpc.Rule
		if before != nil {
			was = before.Rules
		}
		now := after.Rules
		// Rules are added at the end, and one that is removed is one of a few:
		// most of two lists is the same from the beginning.
		for len(was) > 0 && len(now) > 0 && sameRule(&was[0], &now[0]) {
			was, now = was[1:], now[1:]
		}
		tell := func(sign byte, r *vpc.Rule) {
			out = append(out, trail.RuleChange{Sign: sign, ID: string(r.ID), Group: string(after.ID), Rule: trail.RuleText(r)}.String())
		}
		var old map[vpc.RuleID]*vpc.Rule
		if len(was) > 0 {
			old = make(map[vpc.RuleID]*vpc.Rule, len(was))
			for i := range was {
				old[was[i].ID] = &was[i]
			}
		}
		for i := range now {
			switch o := old[now[i].ID]; {
			case o == nil:
				tell('+', &now[i])
			case !sameRule(o, &now[i]):
				tell('~', &now[i])
			}
			delete(old, now[i].ID)
		}
		for i := range was {
			if old[was[i].ID] != nil {
				tell('-', &was[i])
			}
		}
	}
	return out
}

func sameRule(a, b *vpc.Rule) bool {
	return a.ID == b.ID && a.Direction == b.Direction && a.Protocol == b.Protocol && a.Ports == b.Ports && a.Peer == b.Peer &&
		a.Description == b.Description && slices.Equal(a.Tags, b.Tags)
}

// noteIssue notes that credentials were given out: no answer without its event.
// Anybody may ask for some, so that there is a bound on it.
func (s *Server) noteIssue(r *request, out any) error {
	if !s.issued.allow(r.caller.PolicyARN(), r.began) {
		return s.throttled(r, "credentials")
	}
	e := s.event(r)
	e.Time, e.ReadOnly = r.began.UTC(), r.action == "AssumeRole" // as CloudTrail has it
	tellAnswer(&e, out)
	return s.store.Note(r.Context(), e)
}

// issues are the actions that change nothing and are noted all the same.
var issues = map[string]bool{"AssumeRole": true, "GetSessionToken": true}
