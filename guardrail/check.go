package guardrail

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"moat/fault"
	"moat/flow"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// A Violation is a way that a sentence says must not be there.
type Violation struct {
	Rail      *Rail           `json:"-"`
	Guardrail string          `json:"guardrail"`
	Interface vpc.InterfaceID `json:"interface"`
	Region    string          `json:"region"`
	// Path is the way from one end to the other, a step an entry.
	Path []string `json:"path"`
}

// Error says which sentence is broken, and by what way.
func (v *Violation) Error() string {
	return fmt.Sprintf("The guardrail %q says: %s. The change would open %s.", v.Rail.Name, v.Rail.Sentence, strings.Join(v.Path, " -> "))
}

// Check refuses a transaction that opens what a guardrail of its account says
// must not be open, whoever makes it and however. What was open before it may
// stay: only new ways refuse. The operator's exemptions count as rules of every
// interface, before the transaction and after it.
func Check(tx *state.Txn, exempt []ruleset.Exemption) error {
	changes := tx.Changes()
	var after, before *state.View
	rails := map[vpc.AccountID][]*Rail{}
	for _, scope := range scopes(tx, changes) {
		list, known := rails[scope.Account]
		if !known {
			var err error
			if list, err = of(tx, scope.Account); err != nil {
				return err
			}
			rails[scope.Account] = list
		}
		if len(list) == 0 {
			continue
		}
		if after == nil {
			after, before = tx.View(), tx.Before()
		}
		c := newChecker(scope, after, before, exempt)
		t := c.touched(changes)
		for _, r := range list {
			if v := c.check(r, t); v != nil {
				return fault.UnauthorizedOperation.Say("%s %s", fault.UnauthorizedOperation.Format, v.Error())
			}
		}
	}
	return nil
}

// of reads the guardrails of an account. A sentence that cannot be read may forbid
// any change, so that it refuses all: of it nobody can tell.
func of(tx *state.Txn, account vpc.AccountID) ([]*Rail, error) {
	var out []*Rail
	for g := range state.Guardrails.All(tx.In(state.Scope{Account: account})) {
		rail, err := Parse(g.Name, g.Sentence)
		if err != nil {
			// It was read when it was stored: by a newer moat, or it is damaged.
			return nil, fault.UnauthorizedOperation.Say("%s The guardrail %q cannot be read by this version of Moat: %q. No change is made that it may forbid: set it anew with `moat guardrail set`, take it away with `moat guardrail remove`, or run the version that set it.",
				fault.UnauthorizedOperation.Format, g.Name, g.Sentence)
		}
		out = append(out, rail)
	}
	return out, nil
}

// Standing gives the ways that are open in a view against a sentence, one for
// each interface, by rules or by the operator's exemptions.
func Standing(v *state.View, scope state.Scope, r *Rail, exempt []ruleset.Exemption) []*Violation {
	c := newChecker(scope, v, state.NewView(), exempt)
	var out []*Violation
	for i := range state.Interfaces.All(v.In(scope)) {
		if w := c.judge(r, i); w != nil {
			out = append(out, w)
		}
	}
	return out
}

// scopes gives the scopes in which changes can open a way: their own, and those
// of VPCs that are peered with one there, whose rules may name its groups.
func scopes(tx *state.Txn, changes []state.Change) []state.Scope {
	var out []state.Scope
	add := func(s state.Scope) {
		if s.Region != "" && s.Account != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for i := range changes {
		add(changes[i].Scope)
	}
	for _, s := range slices.Clone(out) {
		for p := range state.Peerings.All(tx.In(s)) {
			if p.SameRegion() {
				add(state.Scope{Region: s.Region, Account: p.Requester.Owner})
				add(state.Scope{Region: s.Region, Account: p.Accepter.Owner})
			}
		}
	}
	return out
}

// A side is a view before or after the change, with what was found out of it.
type side struct {
	view  *state.View
	scope state.Scope
	space *state.Space
	open  map[string][]opening // by VPC, direction and groups
	// exempt are the operator's exemptions.
	exempt []ruleset.Exemption
}

func newSide(v *state.View, s state.Scope, exempt []ruleset.Exemption) *side {
	return &side{view: v, scope: s, space: v.In(s), open: map[string][]opening{}, exempt: exempt}
}

type checker struct {
	scope         state.Scope
	after, before *side
	found         map[question]*finding
}

// A question is what is the same for all interfaces of the same groups.
type question struct{ rail, after, before string }

// A finding is the first new opening, and which part of it is new; nil for
// none.
type finding struct {
	opening opening
	part    box
}

func newChecker(s state.Scope, after, before *state.View, exempt []ruleset.Exemption) *checker {
	return &checker{scope: s, after: newSide(after, s, exempt), before: newSide(before, s, exempt), found: map[question]*finding{}}
}

// touched is what a change can open a way to.
type touched struct {
	ids map[vpc.InterfaceID]bool
	// any tells that it can be any interface, others that the other side of a
	// sentence about interfaces may be other ones than before.
	any, others bool
}

func (c *checker) touched(changes []state.Change) touched {
	t := touched{ids: map[vpc.InterfaceID]bool{}}
	space := c.after.space
	ofGroup := func(id string) {
		for i := range state.Interfaces.By(space, state.InterfacesByGroup, id) {
			t.ids[i.ID] = true
		}
	}
	referring := func(ref string) {
		for g := range state.Groups.By(space, state.GroupsByRef, ref) {
			ofGroup(string(g.ID))
		}
	}
	for i := range changes {
		if changes[i].Scope != c.scope {
			t.any = t.any || changes[i].Scope.Region == c.scope.Region // across a peering
			continue
		}
		if changes[i].New == nil {
			continue
		}
		switch row := changes[i].New.(type) {
		case *vpc.SecurityGroup:
			ofGroup(string(row.ID))
		case *vpc.Interface:
			t.ids[row.ID], t.others = true, true
			for _, g := range row.Groups {
				referring(string(g)) // their members may be others now
			}
		case *vpc.PrefixList:
			referring(string(row.ID))
		case *vpc.VPC:
			t.any = true // what is outside of it is another
		default:
			t.any = t.any || changes[i].Kind.ResourceType() == "vpc-peering-connection"
		}
	}
	return t
}

// check gives the first new way that breaks a sentence, nil if there is none.
func (c *checker) check(r *Rail, t touched) *Violation {
	if t.any || r.through || t.others && r.remote.kind == "interfaces" {
		for i := range c.candidates(r) {
			if v := c.judge(r, i); v != nil {
				return v
			}
		}
		return nil
	}
	for _, id := range sorted(t.ids) {
		if i := state.Interfaces.Get(c.after.space, id); i != nil {
			if v := c.judge(r, i); v != nil {
				return v
			}
		}
	}
	return nil
}

func sorted(ids map[vpc.InterfaceID]bool) []vpc.InterfaceID {
	out := make([]vpc.InterfaceID, 0, len(ids))
	for id := range ids {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// candidates gives the interfaces that a sentence can be about, by an index if
// there is one.
func (c *checker) candidates(r *Rail) func(yield func(*vpc.Interface) bool) {
	for _, w := range r.who {
		switch w.kind {
		case "tag":
			return state.Interfaces.ByTag(c.after.space, w.key, w.value)
		case "subnet":
			return state.Interfaces.By(c.after.space, state.InterfacesBySubnet, w.value)
		case "vpc":
			return state.Interfaces.By(c.after.space, state.InterfacesByVPC, w.value)
		}
	}
	return state.Interfaces.All(c.after.space)
}

// judge gives a new way to an interface that breaks a sentence.
func (c *checker) judge(r *Rail, i *vpc.Interface) *Violation {
	if !matches(c.after.space, r.who, i) {
		return nil
	}
	was := state.Interfaces.Get(c.before.space, i.ID)
	if was != nil && !matches(c.before.space, r.who, was) {
		was = nil
	}
	if f := c.first(r, i, was); f != nil {
		return &Violation{Rail: r, Guardrail: r.Name, Interface: i.ID, Region: c.scope.Region, Path: c.after.path(r, i, f.opening, f.part)}
	}
	if r.through {
		if way := c.after.through(r, i); way != nil && (was == nil || c.before.through(r, was) == nil) {
			return &Violation{Rail: r, Guardrail: r.Name, Interface: i.ID, Region: c.scope.Region, Path: way}
		}
	}
	return nil
}

// first gives the first opening of an interface that a sentence is about and
// that was not there before; was is nil where the sentence was not about it.
func (c *checker) first(r *Rail, i, was *vpc.Interface) *finding {
	q := question{r.Name, groupsKey(i), ""}
	if was != nil {
		q.before = groupsKey(was)
	}
	alike := r.remote.kind != "interfaces"
	if f, ok := c.found[q]; ok && alike {
		return f
	}
	now := c.after.ways(r, i)
	var then []opening
	if was != nil {
		then = c.before.ways(r, was)
	}
	had := make(map[box]bool, len(then))
	for _, o := range then {
		had[o.box] = true
	}
	slices.SortFunc(now, compareOpenings)
	var f *finding
	for _, o := range now {
		if had[o.box] {
			continue
		}
		if part, ok := uncovered(o.box, then); ok {
			f = &finding{o, part}
			break
		}
	}
	c.found[q] = f
	return f
}

// groupsKey is the same for interfaces of which the rules let in the same.
func groupsKey(i *vpc.Interface) string {
	key := string(i.VPC)
	for _, g := range i.Groups {
		key += " " + string(g)
	}
	return key
}

// ways gives what of an interface's openings a sentence is about.
func (s *side) ways(r *Rail, i *vpc.Interface) []opening {
	d := flow.Ingress
	if r.egress {
		d = flow.Egress
	}
	return clip(s.openings(i, d), r.traffic, s.remote(r, i))
}

// openings gives what an interface lets pass, found out once for all that have
// the same groups.
func (s *side) openings(i *vpc.Interface, d flow.Direction) []opening {
	key := d.String() + " " + groupsKey(i)
	if o, ok := s.open[key]; ok {
		return o
	}
	rs := ruleset.Compile(s.view, []ruleset.Local{{Scope: s.scope, ID: i.ID}}, ruleset.Options{PrefixList: awsPrefixList(s.scope.Region), Exempt: s.exempt})
	var out []opening
	if at := rs.Interface(i.ID); at != nil {
		out = openings(rs, at, d)
	}
	s.open[key] = out
	return out
}

// awsPrefixList gives the lists that AWS owns.
func awsPrefixList(region string) func(state.Reader, vpc.PrefixListID) *vpc.PrefixList {
	return func(_ state.Reader, id vpc.PrefixListID) *vpc.PrefixList { return vpc.AWSPrefixList(region, id) }
}

// private are the ranges that the internet does not have.
var private = func() []span {
	var out []span
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
		"::/8", "fc00::/7", "fe80::/10", "ff00::/8",
	} {
		out = append(out, spanOf(netip.MustParsePrefix(p)))
	}
	return union(out)
}()

// remote gives the addresses of the other side of a sentence, as an interface
// sees them.
func (s *side) remote(r *Rail, i *vpc.Interface) []span {
	var out []span
	own := func() []span {
		var own []span
		if v := state.VPCs.Get(s.space, i.VPC); v != nil {
			for _, b := range v.Blocks {
				own = append(own, spanOf(b.CIDR.Masked()))
			}
		}
		return union(own)
	}
	switch r.remote.kind {
	case "outside":
		out = minus(all, own())
	case "internet":
		out = minus(minus(all, private), own())
	case "anywhere":
		out = slices.Clone(all)
	case "ranges":
		for _, p := range r.remote.ranges {
			out = append(out, spanOf(p))
		}
		out = union(out)
	case "interfaces":
		for j := range state.Interfaces.All(s.space) {
			if j.ID != i.ID && matches(s.space, r.remote.who, j) {
				for _, a := range slices.Concat(j.Addresses, j.IPv6) {
					out = append(out, span{a, a})
				}
			}
		}
		out = union(out)
	}
	if len(r.except) > 0 {
		var not []span
		for _, p := range r.except {
			not = append(not, spanOf(p))
		}
		out = minus(out, union(not))
	}
	return out
}

// path tells the way through a part of an opening.
func (s *side) path(r *Rail, i *vpc.Interface, o opening, part box) []string {
	far := part.span.String()
	if part.span == all[0] || part.span == all[1] {
		far = "everywhere (" + far + ")"
	}
	if o.member != "" {
		for j := range state.Interfaces.By(s.space, state.InterfacesByGroup, string(o.member)) {
			if slices.Contains(slices.Concat(j.Addresses, j.IPv6), o.span.from) {
				far = string(j.ID) + " (" + o.span.from.String() + ", of " + string(o.member) + ")"
			}
		}
	}
	rule := part.traffic.String() + " by " + s.rule(o.rule)
	at := s.name(i)
	if r.egress {
		return []string{at, rule, far}
	}
	return []string{far, rule, at}
}

// rule names a rule with its group, and the list or the group that it names; of
// an exemption the option.
func (s *side) rule(id vpc.RuleID) string {
	if option, _, ok := ruleset.OptionOf(id); ok {
		return string(id) + " of " + option
	}
	g, n := state.RuleByID(s.space, id)
	if g == nil {
		return string(id)
	}
	out := string(id) + " of " + string(g.ID) + " (" + g.Name + ")"
	if ref := g.Rules[n].Peer.Ref; ref != "" {
		out += " through " + ref
	}
	return out
}

func (s *side) name(i *vpc.Interface) string {
	out := string(i.ID)
	for _, t := range i.Tags {
		if t.Key == "Name" && t.Value != "" {
			out += " " + t.Value
		}
	}
	if len(i.Addresses) > 0 {
		out += " (" + i.Addresses[0].String() + ")"
	}
	return out
}

// through gives a way to an interface over others: the first of them can be
// reached from the other side of the sentence on any port, each may send to the
// next, and the last to the interface on the traffic of the sentence. Nil if
// there is none.
func (s *side) through(r *Rail, to *vpc.Interface) []string {
	anything := *r
	anything.traffic = everything
	type step struct {
		at   *vpc.Interface
		next *step
	}
	seen := map[vpc.InterfaceID]bool{to.ID: true}
	queue := []*step{{at: to}}
	for len(queue) > 0 {
		here := queue[0]
		queue = queue[1:]
		want := everything
		if here.next == nil {
			want = r.traffic
		}
		in := s.openings(here.at, flow.Ingress)
		for j := range state.Interfaces.All(s.space) {
			if seen[j.ID] || !s.sends(j, here.at, in, want) {
				continue
			}
			seen[j.ID] = true
			st := &step{at: j, next: here}
			if open := s.ways(&anything, j); len(open) > 0 && !matches(s.space, r.who, j) {
				slices.SortFunc(open, compareOpenings)
				path := s.path(&anything, j, open[0], open[0].box)
				for x := st.next; x != nil; x = x.next {
					path = append(path, s.name(x.at))
				}
				return path
			}
			queue = append(queue, st)
		}
	}
	return nil
}

// sends reports whether an interface may send to another: both gates let some
// of the traffic pass.
func (s *side) sends(from, to *vpc.Interface, in []opening, want []traffic) bool {
	for _, a := range slices.Concat(from.Addresses, from.IPv6) {
		for _, b := range slices.Concat(to.Addresses, to.IPv6) {
			if a.BitLen() != b.BitLen() {
				continue
			}
			arrive := clip(in, want, []span{{a, a}})
			if len(arrive) == 0 {
				continue
			}
			var t []traffic
			for _, o := range arrive {
				t = append(t, o.traffic)
			}
			if len(clip(s.openings(from, flow.Egress), t, []span{{b, b}})) > 0 {
				return true
			}
		}
	}
	return false
}
