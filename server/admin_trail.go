package server

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/cloudtrail"
	"moat/fault"
	"moat/names"
	"moat/state"
	"moat/store"
	"moat/survey"
	"moat/trail"
	"moat/vpc"
)

// A TrailQuery is what the calls about the audit trail are asked; each knows
// its own part.
type TrailQuery struct {
	// Group is a group's id or name, Port a port that a call was about, By a
	// user's name, an ARN or an access key, Call the name of an action.
	Group string
	Port  int // 0 for any
	By    string
	Call  string
	Rule  string
	// Since and Until bound the time.
	Since, Until time.Time
	// Refused asks for refused calls alone, Own also for what moat does by
	// itself, AllRegions and AllAccounts for more than the caller's.
	Refused, Own, AllRegions, AllAccounts bool
	Limit                                 int
	// Before is the place to go on from.
	Before string
}

// Encode gives the query of a request.
func (q *TrailQuery) Encode() string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("group", q.Group)
	set("by", q.By)
	set("call", q.Call)
	set("rule", q.Rule)
	set("before", q.Before)
	for name, n := range map[string]int{"port": q.Port, "limit": q.Limit} {
		if n != 0 {
			v.Set(name, strconv.Itoa(n))
		}
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	for name, b := range map[string]bool{"refused": q.Refused, "own": q.Own, "all-regions": q.AllRegions, "all-accounts": q.AllAccounts} {
		if b {
			v.Set(name, "true")
		}
	}
	return v.Encode()
}

func trailQuery(r *request) (*TrailQuery, error) {
	v := r.URL.Query()
	q := &TrailQuery{
		Group: v.Get("group"), By: v.Get("by"), Call: v.Get("call"), Rule: v.Get("rule"), Before: v.Get("before"),
		Refused: v.Get("refused") == "true", Own: v.Get("own") == "true", AllRegions: v.Get("all-regions") == "true", AllAccounts: v.Get("all-accounts") == "true",
	}
	var err error
	for name, to := range map[string]*int{"port": &q.Port, "limit": &q.Limit} {
		if text := v.Get(name); text != "" {
			if *to, err = strconv.Atoi(text); err != nil || *to < 0 || *to > 65535 {
				return nil, fault.InvalidParameterValue.Say("%s %q: want a number up to 65535", name, text)
			}
		}
	}
	for name, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := v.Get(name); text != "" {
			if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return nil, fault.InvalidParameterValue.Say("%s %q: want a time of RFC 3339", name, text)
			}
		}
	}
	return q, nil
}

// A Log is a page of the trail, the newest first.
type Log struct {
	Events []LogEvent `json:"events"`
	// Next is the place to go on from; empty when there are no more.
	Next string `json:"next,omitempty"`
}

// A LogEvent is an event for people.
type LogEvent struct {
	Place     string    `json:"place"`
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Account   string    `json:"account,omitempty"`
	Region    string    `json:"region,omitempty"`
	Service   string    `json:"service"`
	Action    string    `json:"action"`
	By        string    `json:"by"` // ARN
	User      string    `json:"user"`
	AccessKey string    `json:"access_key,omitempty"`
	From      string    `json:"from,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	Error     string    `json:"error,omitempty"`
	Message   string    `json:"message,omitempty"`
	// Count is how many alike refused calls it stands for, from First on, and
	// Unsaid how many others of the caller there was no room for.
	Count     int          `json:"count,omitempty"`
	First     *time.Time   `json:"first,omitempty"`
	Unsaid    int          `json:"left_out,omitempty"`
	Rules     []RuleChange `json:"rules,omitempty"`
	Resources []string     `json:"resources,omitempty"`
	Request   string       `json:"request,omitempty"`
}

// A RuleChange is what a call did to a rule.
type RuleChange struct {
	Did   string `json:"did"` // added, changed or removed
	ID    string `json:"id"`
	Group string `json:"group"`
	Rule  string `json:"rule"` // in tcp 22 203.0.113.25/32
}

var ruleDeeds = map[byte]string{'+': "added", '~': "changed", '-': "removed"}

func logEvent(e *trail.Event) LogEvent {
	out := LogEvent{
		Place: e.Place().String(), ID: e.ID, Time: e.Time, Account: string(e.Account), Region: e.Region, Service: e.Service, Action: e.Action,
		By: e.Principal, User: trail.Username(e), AccessKey: e.AccessKey, From: e.Source, UserAgent: e.UserAgent, RequestID: e.RequestID,
		Error: e.Code, Message: e.Message, Count: e.Count, First: e.First, Unsaid: e.Unsaid, Request: e.Request,
	}
	for _, text := range e.Rules {
		if c, ok := trail.ParseRuleChange(text); ok {
			out.Rules = append(out.Rules, RuleChange{ruleDeeds[c.Sign], c.ID, c.Group, c.Rule})
		}
	}
	for _, r := range trail.Resources(e) {
		out.Resources = append(out.Resources, r.Name)
	}
	return out
}

const (
	usualLog = 50
	mostLog  = 1000
)

// describeLog answers "log".
func (s *Server) describeLog(r *request) (any, error) {
	in, err := trailQuery(r)
	if err != nil {
		return nil, err
	}
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	if err := s.mayDo(r, view, mayKnowWho); err != nil {
		return nil, err
	}
	q := &trail.Query{Account: r.scope.Account, Region: r.scope.Region, Since: in.Since, Until: in.Until, Limit: min(cmp.Or(in.Limit, usualLog), mostLog)}
	if in.AllRegions {
		q.Region = ""
	}
	if in.AllAccounts {
		if !r.caller.IsRoot() || r.caller.Account != s.cfg.Account {
			return nil, fault.AccessDenied.With("Only the root of account " + string(s.cfg.Account) + " may look at all accounts.")
		}
		q.Account = ""
	}
	term := func(kind, value string) {
		if value != "" {
			q.Terms = append(q.Terms, trail.Term(kind, value))
		}
	}
	if in.Group != "" {
		id, err := groupNamed(view.In(r.scope), in.Group)
		if err != nil {
			return nil, err
		}
		term(trail.ByResource, id)
	}
	term(trail.ByRule, in.Rule)
	term(trail.ByName, in.Call)
	switch by := in.By; {
	case strings.HasPrefix(by, "arn:"):
		term(trail.ByCaller, by)
	case len(by) >= 16 && (strings.HasPrefix(by, "AKIA") || strings.HasPrefix(by, "ASIA")):
		term(trail.ByKey, by)
	default:
		term(trail.ByUser, by)
	}
	if in.Before != "" {
		if q.Before, err = trail.ParsePlace(in.Before); err != nil {
			return nil, fault.InvalidParameterValue.Say("%v", err)
		}
	}
	if in.Port != 0 || in.Refused || !in.Own {
		q.Match = func(e *trail.Event) bool {
			return (in.Port == 0 || e.Touches(in.Port)) && (!in.Refused || e.Code != "") && (in.Own || trail.Username(e) != "moat")
		}
	}
	out := &Log{Events: []LogEvent{}}
	// Pages that hold little are put together, for as long as people wait.
	for until := time.Now().Add(2 * time.Second); ; {
		found, next, err := s.store.Find(r.Context(), q)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			out.Events = append(out.Events, logEvent(e))
		}
		q.Limit -= len(found)
		q.Before = next
		if next == (trail.Place{}) {
			return out, nil
		}
		if q.Limit == 0 || time.Now().After(until) {
			out.Next = next.String()
			return out, nil
		}
	}
}

// groupNamed gives the id of the group that a text means; of one that is gone,
// what it was called serves as well.
func groupNamed(in state.Reader, text string) (string, error) {
	t, err := names.Resolve(in, names.Query{Text: text, Kinds: []names.Kind{names.Group}})
	switch err := err.(type) {
	case nil:
		return t.ID, nil
	case *names.UnknownError:
		return text, nil
	default:
		return "", said(err)
	}
}

// A Blame tells of each rule of a group where it comes from.
type Blame struct {
	ID    string      `json:"group"`
	Name  string      `json:"name"`
	Rules []BlameRule `json:"rules"`
}

// A BlameRule is a rule with the event of the call that added it or changed it
// last; nil when that is no longer kept.
type BlameRule struct {
	ID          string    `json:"id"`
	Rule        string    `json:"rule"` // in tcp 22 203.0.113.25/32
	Description string    `json:"description,omitempty"`
	Event       *LogEvent `json:"event,omitempty"`
}

// describeBlame answers "blame".
func (s *Server) describeBlame(r *request) (any, error) {
	in, err := trailQuery(r)
	if err != nil {
		return nil, err
	}
	if in.Group == "" {
		return nil, fault.MissingParameter.With("group")
	}
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	if err := s.mayDo(r, view, append(slices.Clone(mayLook), mayKnowWho)...); err != nil {
		return nil, err
	}
	t, err := names.Resolve(view.In(r.scope), names.Query{Text: in.Group, Kinds: []names.Kind{names.Group}})
	if err != nil {
		return nil, said(err)
	}
	g := state.Groups.Get(view.In(r.scope), vpc.GroupID(t.ID))
	if g == nil {
		return nil, fault.InvalidGroupNotFound.With(t.ID)
	}
	ids := make([]vpc.RuleID, len(g.Rules))
	for i := range g.Rules {
		ids[i] = g.Rules[i].ID
	}
	events, err := s.RuleEvents(r.Context(), r.scope, ids)
	if err != nil {
		return nil, err
	}
	if err := s.olderRuleEvents(r.Context(), r.scope, g, events); err != nil {
		return nil, err
	}
	out := &Blame{ID: string(g.ID), Name: g.Name, Rules: make([]BlameRule, len(g.Rules))}
	for i := range g.Rules {
		rule := &g.Rules[i]
		out.Rules[i] = BlameRule{ID: string(rule.ID), Rule: trail.RuleText(rule), Description: rule.Description}
		if e := events[rule.ID]; e != nil {
			le := logEvent(e)
			le.Rules = slices.DeleteFunc(le.Rules, func(c RuleChange) bool { return c.ID != string(rule.ID) })
			out.Rules[i].Event = &le
		}
	}
	return out, nil
}

// RuleEvents gives, of each rule, the event of the call that added it or
// changed it last. Rules whose event is no longer kept, or was written by a moat
// that did not say which rules a call changed, are left out. Its cost follows
// the number of rules.
func (s *Server) RuleEvents(ctx context.Context, scope state.Scope, rules []vpc.RuleID) (map[vpc.RuleID]*trail.Event, error) {
	terms := make([]string, len(rules))
	for i, id := range rules {
		terms[i] = trail.Term(trail.ByRule, string(id))
	}
	found, err := s.store.Latests(ctx, scope.Account, terms)
	if err != nil {
		return nil, err
	}
	out := make(map[vpc.RuleID]*trail.Event, len(rules))
	for i, id := range rules {
		if found[i] != nil {
			out[id] = found[i]
		}
	}
	return out, nil
}

// tellAddedByEvents tells of the pending rules whose events say that they added
// them, takes them from what is pending, and gives their number.
func (s *Server) tellAddedByEvents(ctx context.Context, r *request, view *state.View, pending map[string]map[vpc.RuleID][]*survey.Rule) (n int, err error) {
	var ids []vpc.RuleID
	for _, rules := range pending {
		for id := range rules {
			ids = append(ids, id)
		}
	}
	events, err := s.RuleEvents(ctx, r.scope, ids)
	if err != nil {
		if ctx.Err() != nil && r.Context().Err() == nil {
			return 0, nil // it takes too long
		}
		return 0, err
	}
	added := func(e *trail.Event, id vpc.RuleID) bool {
		return slices.ContainsFunc(e.Rules, func(text string) bool { return strings.HasPrefix(text, "+"+string(id)+" ") })
	}
	for _, rules := range pending {
		for id, of := range rules {
			e := events[id]
			if e != nil && !added(e, id) {
				// It was changed since.
				found, _, err := s.store.Find(ctx, &trail.Query{Account: r.scope.Account, Terms: []string{trail.Term(trail.ByRule, string(id))}, Limit: 1,
					Match: func(e *trail.Event) bool { return added(e, id) }})
				if err != nil || len(found) == 0 {
					continue
				}
				e = found[0]
			}
			if e == nil || e.Rev > view.Rev {
				continue
			}
			a := &survey.Added{Rev: e.Rev, Time: e.Time, By: e.Principal, From: e.Source, Action: e.Action}
			if e.Service == string(ServiceMoat) && e.Action == "Furnish" {
				a.By = ""
			}
			for _, rule := range of {
				rule.Added = a
			}
			delete(rules, id)
			n++
		}
	}
	return n, nil
}

// olderRuleEvents fills in events that do not say which rules they changed: the
// newest that names the group, and what the rule lets pass.
func (s *Server) olderRuleEvents(ctx context.Context, scope state.Scope, g *vpc.SecurityGroup, events map[vpc.RuleID]*trail.Event) error {
	missing := 0
	for i := range g.Rules {
		if events[g.Rules[i].ID] == nil {
			missing++
		}
	}
	if missing == 0 {
		return nil
	}
	q := &trail.Query{Account: scope.Account, Region: scope.Region, Terms: []string{trail.Term(trail.ByResource, string(g.ID))}, Limit: mostLog,
		Match: func(e *trail.Event) bool { return e.Code == "" && len(e.Rules) == 0 && len(e.Changed) > 0 }}
	found, _, err := s.store.Find(ctx, q)
	if err != nil {
		return err
	}
	for i := range g.Rules {
		rule := &g.Rules[i]
		for _, e := range found {
			if events[rule.ID] == nil && mayHaveAdded(e, rule) {
				events[rule.ID] = e
			}
		}
	}
	return nil
}

// mayHaveAdded reports whether a call asked for a rule.
func mayHaveAdded(e *trail.Event, rule *vpc.Rule) bool {
	switch e.Action {
	case "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "ModifySecurityGroupRules":
	case "CreateSecurityGroup", "Furnish", "CreateVpc":
		return bool(rule.Direction) && rule.Protocol < 0 // what a group begins with
	default:
		return false
	}
	peer, from := false, !rule.HasPorts()
	for k, v := range e.Params() {
		switch name := k[strings.LastIndexByte(k, '.')+1:]; {
		case v == rule.Peer.String():
			peer = true
		case name == "FromPort" && v == strconv.Itoa(int(rule.Ports.From)):
			from = true
		}
	}
	return peer && from
}

// A TrailReport is what was found out about the trail.
type TrailReport struct {
	Events int    `json:"events"`
	First  string `json:"first,omitempty"`
	Last   string `json:"last,omitempty"`
	// Removed is the last event that retention removed.
	Removed     string     `json:"removed_up_to,omitempty"`
	RemovedTime *time.Time `json:"removed_up_to_time,omitempty"`
	// Head is the place and the hash of the last event: kept elsewhere, it
	// proves later that nothing before it was changed and nothing after it cut.
	Head       string       `json:"head"`
	Faults     []TrailFault `json:"faults"`
	Found      int          `json:"faults_found"`
	Unreadable int          `json:"unreadable,omitempty"`
}

// A TrailFault is an event that is not as it was written.
type TrailFault struct {
	Place string `json:"place,omitempty"`
	What  string `json:"what"`
}

// FormatHead gives a head as people note it, ParseHead reads it.
func FormatHead(at trail.Place, h trail.Hash) string {
	return at.String() + ":" + hex.EncodeToString(h[:])
}

// ParseHead reads what FormatHead gives.
func ParseHead(text string) (*store.KnownHead, error) {
	place, sum, _ := strings.Cut(strings.TrimSpace(text), ":")
	at, err := trail.ParsePlace(place)
	b, err2 := hex.DecodeString(sum)
	if err != nil || err2 != nil || len(b) != len(trail.Hash{}) {
		return nil, fault.InvalidParameterValue.Say("%q is no head of the trail: want such as 12:… with 64 digits, as `moat log verify` prints", text)
	}
	return &store.KnownHead{Place: at, Hash: trail.Hash(b)}, nil
}

// verifyTrail answers "log-verify".
func (s *Server) verifyTrail(r *request) (any, error) {
	var known *store.KnownHead
	if text := r.URL.Query().Get("head"); text != "" {
		var err error
		if known, err = ParseHead(text); err != nil {
			return nil, err
		}
	}
	v, err := s.store.Verify(r.Context(), known)
	if err != nil {
		return nil, err
	}
	out := &TrailReport{Events: v.Events, Head: FormatHead(v.Head, v.HeadHash), Faults: []TrailFault{}, Found: v.Found, Unreadable: v.Unreadable}
	if v.Events > 0 {
		out.First, out.Last = v.First.String(), v.Last.String()
	}
	if v.Anchor.Place != (trail.Place{}) {
		out.Removed, out.RemovedTime = v.Anchor.Place.String(), &v.Anchor.Time
	}
	for _, f := range v.Faults {
		fault := TrailFault{What: f.What}
		if f.Place != (trail.Place{}) {
			fault.Place = f.Place.String()
		}
		out.Faults = append(out.Faults, fault)
	}
	return out, nil
}

// An Export is a page of the trail as CloudTrail's records, the oldest first.
type Export struct {
	Records []json.RawMessage `json:"records"`
	// Last is the place of the last one; empty when there are no more.
	Last string `json:"last,omitempty"`
}

const exportPage = 500

// exportTrail answers "log-export".
func (s *Server) exportTrail(r *request) (any, error) {
	var after trail.Place
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = trail.ParsePlace(text); err != nil {
			return nil, fault.InvalidParameterValue.Say("%v", err)
		}
	}
	records, last, err := s.Export(r.Context(), after)
	if err != nil {
		return nil, err
	}
	out := &Export{Records: []json.RawMessage{}}
	for _, b := range records {
		out.Records = append(out.Records, b)
	}
	if len(records) > 0 {
		out.Last = last.String()
	}
	return out, nil
}

// Export gives the next events after a place as records of CloudTrail, each
// with its place and hash, and the place of the last one.
func (s *Server) Export(ctx context.Context, after trail.Place) (records [][]byte, last trail.Place, err error) {
	events, hashes, err := s.store.Events(ctx, after.Next(), exportPage)
	if err != nil {
		return nil, last, err
	}
	for i, e := range events {
		records = append(records, cloudtrail.Record(e, s.actionOf, hashes[i]))
		last = e.Place()
	}
	return records, last, nil
}
