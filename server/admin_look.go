package server

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"moat/change"
	"moat/ec2"
	"moat/fault"
	"moat/flow"
	"moat/iam"
	"moat/names"
	"moat/state"
	"moat/store"
	"moat/survey"
	"moat/vpc"
	"moat/words"
)

// mayLook are the calls of EC2 that somebody must be allowed to make who looks at
// groups and interfaces, and at the names of what these are in, of and open to.
var mayLook = []string{
	"ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs", "ec2:DescribeInstances",
	"ec2:DescribeManagedPrefixLists",
}

// shownBy is the call of EC2 that lists the records of a kind, and inside the one
// that shows what is in one of them, which has an ARN. The root alone is shown
// kinds that are not here.
var shownBy = map[state.AnyKind]string{
	state.Groups: "DescribeSecurityGroups", state.Interfaces: "DescribeNetworkInterfaces", state.PrefixLists: "DescribeManagedPrefixLists",
	state.PrefixListVersions: "DescribeManagedPrefixLists",
	state.GroupAssociations:  "DescribeSecurityGroupVpcAssociations", state.VPCs: "DescribeVpcs", state.Subnets: "DescribeSubnets",
	state.Instances: "DescribeInstances", state.Volumes: "DescribeVolumes", state.KeyPairs: "DescribeKeyPairs", state.Addresses: "DescribeAddresses",
	state.InternetGateways: "DescribeInternetGateways", state.RouteTables: "DescribeRouteTables", state.RouteTableAssociations: "DescribeRouteTables",
	state.NetworkACLs: "DescribeNetworkAcls", state.NetworkACLAssociations: "DescribeNetworkAcls", state.DHCPOptions: "DescribeDhcpOptions",
	state.Endpoints: "DescribeVpcEndpoints", state.Peerings: "DescribeVpcPeeringConnections",
}

func inside(kind state.AnyKind, id string) (in any) {
	switch kind {
	case state.AnyKind(state.PrefixLists):
		return &ec2.GetManagedPrefixListEntriesInput{PrefixListId: id}
	case state.AnyKind(state.PrefixListVersions):
		list, _, _ := strings.Cut(id, ".")
		return &ec2.GetManagedPrefixListEntriesInput{PrefixListId: list}
	case state.AnyKind(state.VPCs):
		return &ec2.DescribeVpcAttributeInput{VpcId: id}
	case state.AnyKind(state.Instances):
		return &ec2.DescribeInstanceAttributeInput{InstanceId: id}
	}
	return nil
}

// maySee refuses who may not make the calls that show a record with all that is
// in it. It is asked for as it is in each of some places, where it may have other
// tags; who is what is known of the caller in the first.
func (s *Server) maySee(r *request, who *known, kind state.AnyKind, id string, at ...place) error {
	if r.caller.IsRoot() {
		return nil
	}
	name := shownBy[kind]
	if name == "" {
		return fault.AccessDenied.With("Only the root may look at this.")
	}
	calls := []change.Call{{Action: name, In: s.actions[serviceEC2][name].NewInput()}}
	if in := inside(kind, id); in != nil {
		calls = append(calls, change.Call{Action: strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input"), In: in})
	}
	for _, c := range calls {
		for _, in := range at {
			if err := s.mayRead(r, in, c.Action, c.In, who); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayKnowWho is what one needs to be told who did something.
const mayKnowWho = "cloudtrail:LookupEvents"

// AsOf tells which revision an answer is of, where it is not the present one.
type AsOf struct {
	Rev uint64 `json:"revision"`
	// Time is when the call that made it began; zero for the empty beginning.
	Time time.Time `json:"time,omitzero"`
}

// A Listing, a Shown, a Found and a Uses are what package survey says, with the
// revision that it is about.
type (
	Listing struct {
		*survey.Listing
		AsOf *AsOf `json:"as_of,omitempty"`
	}
	Shown struct {
		*survey.Shown
		AsOf *AsOf `json:"as_of,omitempty"`
	}
	Found struct {
		*survey.Found
		AsOf *AsOf `json:"as_of,omitempty"`
	}
	Uses struct {
		*survey.Uses
		AsOf *AsOf `json:"as_of,omitempty"`
	}
	// A Difference is what became of the state between two revisions.
	Difference struct {
		*survey.Diff
		FromTime time.Time `json:"from_time,omitzero"`
		ToTime   time.Time `json:"to_time,omitzero"`
	}
)

// A LookQuery is what the calls that look are asked; each knows its own part.
type LookQuery struct {
	// Name is the word for what is shown, From and To the revisions of a
	// difference, AsOf the one that is looked at. Revisions are as
	// words.ParseWhen gives them.
	Name, From, To, AsOf string
	// Kinds are groups, rules, interfaces and lists.
	Kinds []string
	VPC   string
	Tags  []string
	// Added asks who added each rule, and when.
	Added bool
	// Of a search.
	Addresses, Traffic, Group string
	Egress                    bool
	Match                     survey.Match
	// Text is what completions begin with.
	Text string
}

// Encode gives the query of a request.
func (q LookQuery) Encode() string {
	v := url.Values{}
	for name, value := range map[string]string{
		"name": q.Name, "from": q.From, "to": q.To, "as-of": q.AsOf, "vpc": q.VPC, "ip": q.Addresses, "port": q.Traffic, "group": q.Group,
		"match": string(q.Match), "text": q.Text,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, value := range map[string]bool{"egress": q.Egress, "added": q.Added} {
		if value {
			v.Set(name, "true")
		}
	}
	for name, values := range map[string][]string{"kind": q.Kinds, "tag": q.Tags} {
		if len(values) > 0 {
			v[name] = values
		}
	}
	return v.Encode()
}

func lookQuery(r *request) (q LookQuery, err error) {
	v := r.URL.Query()
	q = LookQuery{
		Name: v.Get("name"), From: v.Get("from"), To: v.Get("to"), AsOf: v.Get("as-of"), VPC: v.Get("vpc"), Addresses: v.Get("ip"), Traffic: v.Get("port"),
		Group: v.Get("group"), Match: survey.Match(v.Get("match")), Text: v.Get("text"), Kinds: v["kind"], Tags: v["tag"],
		Egress: v.Get("egress") == "true", Added: v.Get("added") == "true",
	}
	if !slices.Contains([]survey.Match{"", survey.Containing, survey.Exact, survey.Overlapping}, q.Match) {
		return q, fault.InvalidParameterValue.Say("match %q: want containing, exact or overlapping", q.Match)
	}
	return q, nil
}

// look gives what a caller may look at: the present, or the past that the query
// names.
func (s *Server) look(r *request, asOf string, needs []string) (*survey.Survey, *AsOf, error) {
	view, err := s.viewFor(r)
	if err != nil {
		return nil, nil, err
	}
	if err := s.mayDo(r, view, needs...); err != nil {
		return nil, nil, err
	}
	if asOf == "" {
		if view, err = s.furnished(r, view); err != nil {
			return nil, nil, err
		}
	}
	var at *AsOf
	now := view
	if asOf != "" {
		rev, err := s.revision(r.Context(), view, asOf)
		if err != nil {
			return nil, nil, err
		}
		if view, err = s.store.AsOf(r.Context(), rev); err != nil {
			return nil, nil, s.historyFault(err)
		}
		at = &AsOf{Rev: rev}
		if at.Time, err = s.began(r.Context(), rev); err != nil {
			return nil, nil, err
		}
	}
	r.rev = view.Rev
	o := &survey.Survey{View: view, Scope: r.scope}
	who := s.whoOn(r, now)
	o.MayRead = func(l *vpc.PrefixList) error {
		return s.maySee(r, who, state.PrefixLists, string(l.ID), viewPlace(now), viewPlace(view))
	}
	if a := s.cfg.Enforcement.Agent; a != nil {
		o.PrefixList = a.Options().PrefixList
	}
	return o, at, nil
}

// viewFor gives the newest view, on which the caller is who they are found to be.
func (s *Server) viewFor(r *request) (*state.View, error) {
	view, err := s.store.View(r.Context())
	if err == nil && view != r.seen {
		err = s.identifyAgain(r, view)
	}
	return view, err
}

// whoOn gives what is known of a caller on a view.
func (s *Server) whoOn(r *request, view *state.View) *known {
	return &known{policies: s.policiesOf(r, viewPlace(view), nil)}
}

// mayDo refuses a caller who has not every one of some permissions, on a view.
func (s *Server) mayDo(r *request, view *state.View, actions ...string) error {
	if r.caller.IsRoot() {
		return nil
	}
	p := &permit{r: r, policies: s.policiesOf(r, viewPlace(view), nil)}
	for _, action := range actions {
		if err := p.decide(&iam.Need{Action: action, Resource: "*"}, nil); err != nil {
			return err
		}
	}
	return nil
}

// revision finds the revision that a text means: a number, now, now-N, or a
// time of RFC 3339.
func (s *Server) revision(ctx context.Context, view *state.View, text string) (uint64, error) {
	if back, ok := strings.CutPrefix(text, "now"); ok {
		var n uint64
		var err error
		if back != "" {
			n, err = strconv.ParseUint(strings.TrimPrefix(back, "-"), 10, 64)
		}
		if err != nil || n > view.Rev {
			return 0, fault.InvalidParameterValue.Say("%s: the newest revision is %d", text, view.Rev)
		}
		return view.Rev - n, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fault.InvalidParameterValue.Say("%q is no revision or time", text)
	}
	rev, err := s.store.RevisionAt(ctx, t)
	if err != nil {
		return 0, s.historyFault(err)
	}
	return rev, nil
}

// historyFault tells a caller why the past cannot be shown.
func (s *Server) historyFault(err error) error {
	if _, ok := err.(*store.HistoryError); ok {
		return &fault.Error{Code: "NoSuchRevision", Status: http.StatusNotFound, Message: err.Error()}
	}
	return err
}

// began gives when the call of a revision began; zero if that is not known.
func (s *Server) began(ctx context.Context, rev uint64) (time.Time, error) {
	e, err := s.eventOf(ctx, rev)
	if err != nil || e == nil {
		return time.Time{}, err
	}
	return e.Time, nil
}

// eventOf gives the event of the call that made a revision, nil if it is not
// kept.
func (s *Server) eventOf(ctx context.Context, rev uint64) (*store.Event, error) {
	if rev == 0 {
		return nil, nil
	}
	entries, err := s.store.Scan(ctx, store.Audit, rev, 1)
	if err != nil || len(entries) == 0 || entries[0].Rev != rev {
		return nil, err
	}
	return store.DecodeEvent(entries[0].Value)
}

// said gives an error of packages that read words as a fault.
func said(err error) error {
	switch err := err.(type) {
	case *fault.Error, *denied:
		return err
	case nil:
		return nil
	case *names.UnknownError:
		return &fault.Error{Code: "NotFound", Status: http.StatusNotFound, Message: err.Error()}
	case *names.AmbiguousError:
		return &fault.Error{Code: "Ambiguous", Status: http.StatusBadRequest, Message: err.Error()}
	}
	return &fault.Error{Code: "InvalidParameterValue", Status: http.StatusBadRequest, Message: err.Error()}
}

// describeList answers "ls".
func (s *Server) describeList(r *request) (any, error) {
	q, err := lookQuery(r)
	if err != nil {
		return nil, err
	}
	f := survey.Filter{VPC: q.VPC, Tags: q.Tags}
	for _, k := range q.Kinds {
		switch k {
		case "groups":
			f.Groups = true
		case "rules":
			f.Rules = true
		case "interfaces":
			f.Interfaces = true
		case "lists":
			f.Lists = true
		default:
			return nil, fault.InvalidParameterValue.Say("kind %q: want groups, rules, interfaces or lists", k)
		}
	}
	o, at, err := s.look(r, q.AsOf, mayLook)
	if err != nil {
		return nil, err
	}
	out, err := o.List(f)
	if err != nil {
		return nil, said(err)
	}
	if q.Added {
		rules := make([]*survey.Rule, len(out.Rules))
		for i := range out.Rules {
			rules[i] = &out.Rules[i]
		}
		if err := s.tellAdded(r, o.View, rules); err != nil {
			return nil, err
		}
	}
	return &Listing{out, at}, nil
}

// describeThing answers "show".
func (s *Server) describeThing(r *request) (any, error) {
	q, err := lookQuery(r)
	if err != nil {
		return nil, err
	}
	if q.Name == "" {
		return nil, fault.MissingParameter.With("name")
	}
	o, at, err := s.look(r, q.AsOf, mayLook)
	if err != nil {
		return nil, err
	}
	out, err := o.Show(q.Name)
	if err != nil {
		return nil, said(err)
	}
	if out.Associations != nil {
		if err := s.mayDo(r, s.store.Latest(), "ec2:DescribeSecurityGroupVpcAssociations"); err != nil {
			return nil, err
		}
	}
	var rules []*survey.Rule
	out.Each(func(rule *survey.Rule) { rules = append(rules, rule) })
	if err := s.tellAdded(r, o.View, rules); err != nil {
		return nil, err
	}
	return &Shown{out, at}, nil
}

// findRules answers "find".
func (s *Server) findRules(r *request) (any, error) {
	q, err := lookQuery(r)
	if err != nil {
		return nil, err
	}
	search := survey.Search{Egress: flow.Direction(q.Egress), Match: q.Match, VPC: q.VPC, Group: q.Group}
	if q.Addresses != "" {
		var p netip.Prefix
		if p, err = survey.ParseAddresses(q.Addresses); err != nil {
			return nil, said(err)
		}
		search.Addresses = p
	}
	if q.Traffic != "" {
		what, err := words.ParseWhat(q.Traffic)
		if err != nil {
			return nil, said(err)
		}
		search.Traffic = &what
	}
	o, at, err := s.look(r, q.AsOf, mayLook)
	if err != nil {
		return nil, err
	}
	out, err := o.Find(search)
	if err != nil {
		return nil, said(err)
	}
	rules := make([]*survey.Rule, len(out.Rules))
	for i := range out.Rules {
		rules[i] = &out.Rules[i].Rule
	}
	if err := s.tellAdded(r, o.View, rules); err != nil {
		return nil, err
	}
	return &Found{out, at}, nil
}

// describeUses answers "who-uses".
func (s *Server) describeUses(r *request) (any, error) {
	q, err := lookQuery(r)
	if err != nil {
		return nil, err
	}
	if q.Name == "" {
		return nil, fault.MissingParameter.With("name")
	}
	o, at, err := s.look(r, q.AsOf, append(slices.Clone(mayLook), "ec2:DescribeRouteTables"))
	if err != nil {
		return nil, err
	}
	out, err := o.Uses(q.Name)
	if err != nil {
		return nil, said(err)
	}
	return &Uses{out, at}, nil
}

// mostUnseen is how many revisions are looked at for the last difference.
const mostUnseen = 100

// describeDifference answers "diff".
func (s *Server) describeDifference(r *request) (any, error) {
	q, err := lookQuery(r)
	if err != nil {
		return nil, err
	}
	view, err := s.viewFor(r)
	if err != nil {
		return nil, err
	}
	if err := s.mayDo(r, view, mayLook...); err != nil {
		return nil, err
	}
	who := s.whoOn(r, view)
	from, err := s.revision(r.Context(), view, cmp.Or(q.From, "now-1"))
	if err != nil {
		return nil, err
	}
	to, err := s.revision(r.Context(), view, cmp.Or(q.To, "now"))
	if err != nil {
		return nil, err
	}
	if newest := max(from, to); newest > view.Rev {
		return nil, s.historyFault(&store.HistoryError{Rev: newest, Head: view.Rev})
	}
	if from > to {
		return nil, fault.InvalidParameterValue.Say("Revision %d is after revision %d: write the earlier one first.", from, to)
	}
	scopes := []state.Scope{r.scope}
	if r.caller.IsRoot() {
		// Users, policies and guardrails belong to the account.
		scopes = append(scopes, state.Scope{Account: r.scope.Account})
	}
	out := &Difference{}
	for {
		before, after, touched, err := s.store.Between(r.Context(), from, to)
		if err != nil {
			return nil, s.historyFault(err)
		}
		see := func(k state.AnyKind, id string) bool {
			return s.maySee(r, who, k, id, viewPlace(view), viewPlace(before), viewPlace(after)) == nil
		}
		out.Diff = survey.Compare(before, after, touched, see, scopes...)
		// Of the last change is asked, not of what nobody sees: when keys were
		// used, or what another account did.
		if q.From != "" || len(out.Changes) > 0 || from == 0 || view.Rev-from >= mostUnseen {
			break
		}
		from--
	}
	if out.FromTime, err = s.began(r.Context(), from); err != nil {
		return nil, err
	}
	if out.ToTime, err = s.began(r.Context(), to); err != nil {
		return nil, err
	}
	return out, nil
}

// Completions is the answer to "complete".
type Completions struct {
	Words []CompletedWord `json:"words"`
}

// A CompletedWord is a word that can be written, with what it stands for.
type CompletedWord struct {
	Word string `json:"word"`
	Help string `json:"help"`
}

var completedKinds = map[string]names.Kind{
	"group": names.Group, "interface": names.Interface, "list": names.PrefixList, "vpc": names.VPC, "instance": names.Instance, "subnet": names.Subnet,
}

// complete answers "complete".
func (s *Server) complete(r *request) (any, error) {
	q, err := lookQuery(r)
	if err != nil {
		return nil, err
	}
	var kinds []names.Kind
	for _, k := range q.Kinds {
		kind, ok := completedKinds[k]
		if !ok {
			return nil, fault.InvalidParameterValue.Say("kind %q: want group, interface, list, vpc, instance or subnet", k)
		}
		kinds = append(kinds, kind)
	}
	o, _, err := s.look(r, "", append(slices.Clone(mayLook), "ec2:DescribeSubnets"))
	if err != nil {
		return nil, err
	}
	out := Completions{Words: []CompletedWord{}}
	for _, c := range names.Complete(o.View.In(r.scope), kinds, q.Text) {
		help := c.Thing.Kind.String() + " " + c.Thing.ID
		if c.Word == c.Thing.ID {
			help = strings.TrimSpace(c.Thing.Kind.String() + " " + c.Thing.Name)
		}
		out.Words = append(out.Words, CompletedWord{c.Word, help})
	}
	return out, nil
}

// How far back who added a rule is looked for, in revisions and in time.
const (
	mostLookedBack   = 5_000
	patienceForAdded = 2 * time.Second
)

// tellAdded tells of rules of a view who added them and when, as far as the
// caller may know and as history goes, or a number of revisions: those that
// nothing is found of keep quiet.
func (s *Server) tellAdded(r *request, view *state.View, rules []*survey.Rule) error {
	if len(rules) == 0 || s.mayDo(r, s.store.Latest(), mayKnowWho) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), patienceForAdded)
	defer cancel()
	pending := map[string]map[vpc.RuleID][]*survey.Rule{} // by the group's key
	left := 0
	for _, rule := range rules {
		key := state.Key(r.scope, state.Groups, rule.Group.ID)
		if pending[key] == nil {
			pending[key] = map[vpc.RuleID][]*survey.Rule{}
		}
		if pending[key][rule.ID] == nil {
			left++
		}
		pending[key][rule.ID] = append(pending[key][rule.ID], rule)
	}
	told, err := s.tellAddedByEvents(ctx, r, view, pending)
	if err != nil {
		return err
	}
	left -= told
	const page = 128
	floor := uint64(1)
	if view.Rev > mostLookedBack {
		floor = view.Rev - mostLookedBack
	}
	for high := view.Rev; high >= floor && left > 0; {
		low := floor
		if high-floor >= page {
			low = high - page + 1
		}
		entries, err := s.store.Scan(ctx, store.Past, low, int(high-low+1))
		if err != nil {
			if ctx.Err() != nil && r.Context().Err() == nil {
				return nil // it takes too long: what is known is told
			}
			return err
		}
		for i := len(entries) - 1; i >= 0 && left > 0; i-- {
			if entries[i].Rev > high {
				continue
			}
			found, err := s.addedAt(ctx, entries[i], pending)
			if err != nil {
				return err
			}
			left -= found
		}
		if low == floor || len(entries) == 0 {
			break
		}
		high = low - 1
	}
	return nil
}

// addedAt tells of the rules that a revision added, of those that are pending,
// and gives their number.
func (s *Server) addedAt(ctx context.Context, e store.Entry, pending map[string]map[vpc.RuleID][]*survey.Rule) (found int, err error) {
	was, err := store.DecodeBefore(e.Value)
	if err != nil {
		return 0, err
	}
	var added *survey.Added
	for _, row := range was.Rows {
		wanted := pending[row.Key]
		if len(wanted) == 0 {
			continue
		}
		had := map[vpc.RuleID]bool{}
		if row.Value != nil {
			d, err := state.Decode(state.Record{Key: row.Key, Value: row.Value})
			if err != nil {
				return 0, err
			}
			if g, ok := d.Row().(*vpc.SecurityGroup); ok {
				for i := range g.Rules {
					had[g.Rules[i].ID] = true
				}
			}
		}
		for id, rules := range wanted {
			if had[id] {
				continue
			}
			if added == nil {
				added = &survey.Added{Rev: e.Rev, Time: was.Time}
				event, err := s.eventOf(ctx, e.Rev)
				if err != nil {
					return 0, err
				}
				if event != nil {
					added.By, added.From, added.Action, added.Time = event.Principal, event.Source, event.Action, event.Time
					if event.Service == string(ServiceMoat) && event.Action == "Furnish" {
						added.By = "" // what every space begins with is moat's own doing
					}
				}
			}
			for _, rule := range rules {
				rule.Added = added
			}
			delete(wanted, id)
			found++
		}
	}
	return found, nil
}
