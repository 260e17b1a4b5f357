// Package explain knows how to say why a flow passes or not: it asks
// ruleset.Judge at each gate on the way and, where one is shut, looks for the
// smallest rule that opens it. It has no opinion of its own: also whether a
// proposed rule would do is judged, on a state in which it stands.
package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"moat/flow"
	"moat/names"
	"moat/ruleset"
	"moat/state"
	"moat/vpc"
)

// A Question is the first packet of a flow.
type Question struct {
	From     End           `json:"from"`
	To       End           `json:"to"`
	Protocol flow.Protocol `json:"protocol"`
	// Port is the destination's; for ICMP and ICMPv6 it is the type and Code
	// the code.
	Port uint16 `json:"port"`
	Code uint8  `json:"code"`
}

// An End is one side of a flow: an interface, or an address of somebody else.
type End struct {
	Addr netip.Addr `json:"address"`
	// Interface has the address; empty for one that is not ours.
	Interface vpc.InterfaceID `json:"interface,omitempty"`
	// Name is what to call it: the tag Name, or the address.
	Name string `json:"name"`
}

// An Answer is what becomes of a flow.
type Answer struct {
	Question
	// Rev is the revision that was asked.
	Rev uint64 `json:"revision"`
	// Allowed tells that every gate on the way lets the flow pass.
	Allowed bool `json:"allowed"`
	// Gates are those that the flow passes, the sender's first.
	Gates []Gate `json:"gates"`
	// Note explains what may surprise about the protocol; "" for most.
	Note string `json:"note,omitempty"`
}

// A Gate is where an interface's groups decide.
type Gate struct {
	Interface vpc.InterfaceID `json:"interface"`
	Name      string          `json:"name"`
	Egress    flow.Direction  `json:"egress"`
	// Remote is the address on the other side.
	Remote  netip.Addr `json:"remote"`
	Allowed bool       `json:"allowed"`
	// Rule allows the flow. Nil where none does.
	Rule *Rule `json:"rule,omitempty"`
	// Groups are those of the interface, whose rules add up.
	Groups []Group `json:"groups"`
	// Missing is what would open the gate, the smallest first. Each opens it
	// alone.
	Missing []Missing `json:"missing,omitempty"`
	// Unenforced says why the host does not do what is judged here; empty when
	// nothing is known to stand in the way.
	Unenforced string `json:"unenforced,omitempty"`
}

// A Rule is one that allows.
type Rule struct {
	ID vpc.RuleID `json:"id"`
	// Group has the rule. A rule that is an option of the operator has no group's
	// id but the option as its name: "--exempt aws".
	Group Group `json:"group"`
	// Text is the rule in a few words: "tcp/80 from 0.0.0.0/0".
	Text string `json:"text"`
}

// A Group is a group by id and name.
type Group struct {
	ID   vpc.GroupID `json:"id"`
	Name string      `json:"name"`
}

// Missing is a rule that is not there.
type Missing struct {
	Group Group `json:"group"`
	// Text is the rule in a few words.
	Text string `json:"text"`
	// Command adds it with the AWS command line.
	Command string `json:"command"`
	// Members is how many interfaces the rule lets in where it names a group,
	// else 0.
	Members int `json:"members,omitempty"`
}

// Why answers a question on the interfaces of a scope.
func Why(v *state.View, scope state.Scope, q Question, o ruleset.Options) *Answer {
	a := &Answer{Question: q, Rev: v.Rev, Allowed: true}
	w := &asker{view: v, scope: scope, options: o, q: q}
	for _, end := range []End{q.From, q.To} {
		if end.Interface != "" {
			w.locals = append(w.locals, ruleset.Local{Scope: scope, ID: end.Interface})
		}
	}
	rs := ruleset.Compile(v, w.locals, o)
	if q.From.Interface != "" {
		a.Gates = append(a.Gates, w.gate(rs, q.From, q.To, flow.Egress))
	}
	if q.To.Interface != "" {
		a.Gates = append(a.Gates, w.gate(rs, q.To, q.From, flow.Ingress))
	}
	for _, g := range a.Gates {
		a.Allowed = a.Allowed && g.Allowed
	}
	a.Note = cmp.Or(noteOf(&q), w.note)
	return a
}

// noteOf explains what the rules alone do not decide.
func noteOf(q *Question) string {
	const ah = 51
	switch {
	case q.Protocol.IsIPv6Extension() && q.To.Addr.Is6():
		return fmt.Sprintf("Protocol %s is an IPv6 extension header. IPv6 packets are judged by the protocol behind their extension headers, so a rule for protocol %s alone allows none of them; a rule for all protocols does.", q.Protocol, q.Protocol)
	case q.Protocol == ah:
		return "Protocol 51 (AH) is judged as protocol 51, over IPv4 and IPv6. The protocol that it carries is not looked at."
	case ruleset.WithoutRule(q.Protocol, q.Port, q.To.Addr) != "":
		return fmt.Sprintf("%s passes without a rule if it stays on the link and has the shape that it needs. The rules decide about everything else of this kind.", ruleset.WithoutRule(q.Protocol, q.Port, q.To.Addr))
	}
	return ""
}

type asker struct {
	view    *state.View
	scope   state.Scope
	options ruleset.Options
	q       Question
	locals  []ruleset.Local
	note    string
}

func (w *asker) flow(at, other End, d flow.Direction) ruleset.Flow {
	return ruleset.Flow{Interface: at.Interface, Direction: d, Remote: other.Addr, Protocol: w.q.Protocol, Port: w.q.Port, Code: w.q.Code}
}

func (w *asker) gate(rs *ruleset.Ruleset, at, other End, d flow.Direction) Gate {
	space := w.view.In(w.scope)
	g := Gate{Interface: at.Interface, Name: at.Name, Egress: d, Remote: other.Addr}
	row := state.Interfaces.Get(space, at.Interface)
	if row == nil {
		return g
	}
	for _, id := range row.Groups {
		g.Groups = append(g.Groups, groupOf(space, id))
	}
	switch a := row.Attachment; {
	case a == nil || a.Device == nil:
		g.Unenforced = "bound to no device"
	case a.Device.Observe:
		g.Unenforced = a.Device.Name + " only observes"
	}
	verdict := rs.Judge(w.flow(at, other, d))
	g.Allowed = verdict.Allowed
	if verdict.Rule != "" {
		if option, text, ok := ruleset.OptionOf(verdict.Rule); ok {
			g.Rule = &Rule{ID: verdict.Rule, Group: Group{Name: option}, Text: text}
		} else if group, i := state.RuleByID(space, verdict.Rule); group != nil {
			r := &group.Rules[i]
			g.Rule = &Rule{ID: r.ID, Group: Group{group.ID, group.Name}, Text: RuleText(r)}
		}
	}
	if !g.Allowed {
		g.Missing = w.missing(row, at, other, d)
	} else if w.note == "" {
		w.note = mtuNote(rs, w.flow(at, other, d), at.Name)
	}
	return g
}

// mtuNote warns of a flow that is not tracked in mode aws, for which ICMP errors
// need a rule that there is not.
func mtuNote(rs *ruleset.Ruleset, f ruleset.Flow, name string) string {
	i := rs.Interface(f.Interface)
	if i == nil || i.OnRevoke.Mode != ruleset.AWS || f.Protocol != flow.TCP && f.Protocol != flow.UDP {
		return ""
	}
	here, other := rs.Policies[i.In], rs.Policies[i.Out]
	if f.Direction == flow.Egress {
		here, other = other, here
	}
	family := f.Remote.BitLen()
	anyone := func(p ruleset.Policy, matches func(ruleset.Rule) bool) bool {
		return slices.ContainsFunc(p.Rules, func(r ruleset.Rule) bool {
			return r.Remote.Group == "" && r.Remote.Prefix.IsValid() && r.Remote.Prefix.Bits() == 0 && r.Remote.Prefix.Addr().BitLen() == family && matches(r)
		})
	}
	all := func(r ruleset.Rule) bool { return r.Protocol == flow.AllProtocols }
	covers := func(r ruleset.Rule) bool {
		return all(r) || r.Protocol == f.Protocol && r.Ports.From <= int32(f.Port) && int32(f.Port) <= r.Ports.To
	}
	proto, kind := flow.ICMP, int32(3)
	if family == 128 {
		proto, kind = flow.ICMPv6, 2
	}
	errors := func(r ruleset.Rule) bool {
		return all(r) || r.Protocol == proto && (r.Ports.From == -1 || r.Ports.From == kind)
	}
	if !anyone(here, covers) || !anyone(other, all) || anyone(rs.Policies[i.In], errors) {
		return ""
	}
	return fmt.Sprintf("In mode aws this flow is not tracked at %s, so ICMP errors for it need a rule. Without an inbound rule for icmp 3.4 and icmpv6 type 2, downloads over a path with a smaller MTU stall.", name)
}

func groupOf(r state.Reader, id vpc.GroupID) Group {
	if g := state.Groups.Get(r, id); g != nil {
		return Group{id, g.Name}
	}
	return Group{ID: id}
}

// missing gives the rules that would each open a gate: one for exactly the
// other address, then one for each group of the other interface, the smallest
// group first.
func (w *asker) missing(row *vpc.Interface, at, other End, d flow.Direction) []Missing {
	space := w.view.In(w.scope)
	g := w.narrowest(space, row)
	if g == nil {
		return nil
	}
	rule := vpc.Rule{ID: "sgr-proposed", Direction: d, Protocol: w.q.Protocol, Ports: w.ports()}
	rule.Peer.CIDR = netip.PrefixFrom(other.Addr, other.Addr.BitLen())
	var out []Missing
	if w.opens(g, rule, at, other, d) {
		out = append(out, Missing{Group: Group{g.ID, g.Name}, Text: RuleText(&rule), Command: Command(g.ID, &rule)})
	}
	o := state.Interfaces.Get(space, other.Interface)
	if o == nil {
		return out
	}
	var byGroup []Missing
	for _, id := range o.Groups {
		rule.Peer = vpc.Peer{Ref: string(id)}
		if w.opens(g, rule, at, other, d) {
			byGroup = append(byGroup, Missing{
				Group: Group{g.ID, g.Name}, Text: RuleText(&rule), Command: Command(g.ID, &rule),
				Members: state.Interfaces.Count(space, state.InterfacesByGroup, string(id), 1000),
			})
		}
	}
	slices.SortStableFunc(byGroup, func(a, b Missing) int { return cmp.Compare(a.Members, b.Members) })
	return append(out, byGroup...)
}

// narrowest gives the group of an interface that the fewest others have, since
// what is added to it opens the least; of equals the first.
func (w *asker) narrowest(r state.Reader, row *vpc.Interface) *vpc.SecurityGroup {
	var best *vpc.SecurityGroup
	fewest := 0
	for _, id := range row.Groups {
		g := state.Groups.Get(r, id)
		if g == nil {
			continue
		}
		n := state.Interfaces.Count(r, state.InterfacesByGroup, string(id), 1000)
		if best == nil || n < fewest {
			best, fewest = g, n
		}
	}
	return best
}

func (w *asker) ports() flow.PortRange {
	switch w.q.Protocol {
	case flow.TCP, flow.UDP:
		return flow.PortRange{From: int32(w.q.Port), To: int32(w.q.Port)}
	case flow.ICMP, flow.ICMPv6:
		return flow.PortRange{From: int32(w.q.Port), To: int32(w.q.Code)}
	}
	return flow.NoPorts
}

// opens judges the gate on a state in which g has the rule too.
func (w *asker) opens(g *vpc.SecurityGroup, rule vpc.Rule, at, other End, d flow.Direction) bool {
	st := state.NewStage(w.view)
	tx := st.Begin(state.Call{Scope: w.scope})
	with := *g
	with.Rules = append(slices.Clone(g.Rules), rule)
	state.Groups.Put(tx, &with)
	st.Accept(tx)
	return ruleset.Compile(st.View(), w.locals, w.options).Judge(w.flow(at, other, d)).Allowed
}

// ResolveEnds finds what two words stand for, in the same VPC where there is a
// choice, with addresses of one family.
func ResolveEnds(r state.Reader, from, to string) (a, b End, err error) {
	kinds := []names.Kind{names.Interface, names.Address}
	// The word that is clear by itself says which VPC is meant.
	t, err := names.Resolve(r, names.Query{Text: to, Kinds: kinds})
	f, ferr := names.Resolve(r, names.Query{Text: from, Kinds: kinds, VPC: t.VPC})
	if ferr != nil {
		return a, b, ferr
	}
	if err != nil {
		if t, err = names.Resolve(r, names.Query{Text: to, Kinds: kinds, VPC: f.VPC}); err != nil {
			return a, b, err
		}
	}
	if f.Kind == names.Address && t.Kind == names.Address {
		return a, b, &NoInterfaceError{from, to}
	}
	fi, ti := state.Interfaces.Get(r, vpc.InterfaceID(f.ID)), state.Interfaces.Get(r, vpc.InterfaceID(t.ID))
	for _, six := range []bool{false, true} {
		fa, ta := address(f, fi, six), address(t, ti, six)
		if fa.IsValid() && ta.IsValid() {
			return end(f, fa), end(t, ta), nil
		}
	}
	return a, b, &FamilyError{f, t}
}

// address gives the address of one family by which a thing takes part: the
// one that was typed, or the interface's first.
func address(t names.Thing, i *vpc.Interface, six bool) netip.Addr {
	switch {
	case t.Addr.IsValid():
		if t.Addr.Is6() == six {
			return t.Addr
		}
	case i == nil:
	case six && len(i.IPv6) > 0:
		return i.IPv6[0]
	case !six && len(i.Addresses) > 0:
		return i.Addresses[0]
	}
	return netip.Addr{}
}

func end(t names.Thing, a netip.Addr) End {
	if t.Kind == names.Address {
		return End{Addr: a, Name: a.String()}
	}
	return End{Addr: a, Interface: vpc.InterfaceID(t.ID), Name: cmp.Or(t.Name, t.ID)}
}

// A NoInterfaceError says that no gate is between two addresses.
type NoInterfaceError struct{ From, To string }

func (e *NoInterfaceError) Error() string {
	return "neither " + e.From + " nor " + e.To + " is an address of a network interface: no rule decides about them"
}

// A FamilyError says that two ends cannot speak to each other.
type FamilyError struct{ From, To names.Thing }

func (e *FamilyError) Error() string {
	return e.From.String() + " and " + e.To.String() + " have no addresses of the same family, IPv4 or IPv6"
}
