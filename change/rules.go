package change

import (
	"fmt"
	"slices"
	"strings"

	"moat/ec2"
	"moat/flow"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

func direction(egress bool) flow.Direction { return flow.Direction(egress) }

// allow adds the rules that a group lacks to allow what is wished for.
func (m *maker) allow() error {
	m.Title = "Allow"
	if err := vpc.CheckRuleDescription(m.w.Description); err != nil {
		return err
	}
	parts, sides, err := m.asked()
	if err != nil {
		return err
	}
	m.does("%s: %s", called(m.g), m.members(m.g))
	var add []vpc.Rule
	for _, p := range parts {
		if by := m.allowing(p); by != nil {
			m.does("  = %s is allowed already by %s: %s", m.partText(p), by.ID, m.ruleText(by))
			continue
		}
		r := vpc.Rule{Direction: direction(m.w.Egress), Protocol: p.protocol, Ports: p.ports, Peer: p.peer, Description: m.w.Description}
		add = append(add, r)
		m.does("  + %s", m.ruleText(&r))
	}
	if len(add) == 0 {
		return nil
	}
	for _, s := range sides {
		if slices.ContainsFunc(add, func(r vpc.Rule) bool { return r.Peer == s.peer }) {
			m.mind(s)
		}
	}
	m.authorize(add)
	return nil
}

// mind notes what is easily overlooked about an other side.
func (m *maker) mind(s side) {
	c := s.peer.CIDR
	switch {
	case s.typed != "":
		m.note("%s is the range %s: a rule has no address in a range", s.typed, c)
	case s.peer.Ref != "":
		if id, ok := s.peer.Group(); ok {
			if n := len(m.ranges().of(s.peer)); n == 0 {
				m.note("no interface has group %s yet, so that the rule lets nobody in for now", words.Clean(nameOf(m.r, vpc.Peer{Ref: string(id)})))
			}
		}
	case c.Bits() == 0 && !m.w.Egress:
		m.note("%s is everybody", c)
	case c.Addr().IsLoopback():
		m.note("%s is an address that a machine has for itself: no packet comes from it over a network. Name the address by which the others see you.", c.Addr())
	}
}

// allowing gives a rule of the group that allows all of a part, or nil.
func (m *maker) allowing(p part) *vpc.Rule {
	for i := range m.g.Rules {
		r := &m.g.Rules[i]
		if r.Direction != direction(m.w.Egress) {
			continue
		}
		rest, hit, cannot := p.minus(partOf(r), m.ranges())
		if hit && len(rest) == 0 && cannot == "" {
			return r
		}
	}
	return nil
}

func (m *maker) partText(p part) string {
	return m.ruleText(&vpc.Rule{Direction: direction(m.w.Egress), Protocol: p.protocol, Ports: p.ports, Peer: p.peer})
}

// authorize adds rules to the group: one call for those that are tagged alike.
func (m *maker) authorize(rules []vpc.Rule) {
	for len(rules) > 0 {
		tags := rules[0].Tags
		var now, later []vpc.Rule
		for _, r := range rules {
			if slices.Equal(r.Tags, tags) {
				now = append(now, r)
			} else {
				later = append(later, r)
			}
		}
		rules = later
		id, perms := string(m.g.ID), permissionsOf(m.g, now)
		var specs []ec2.TagSpecification
		if len(tags) > 0 {
			spec := ec2.TagSpecification{ResourceType: "security-group-rule"}
			for _, t := range tags {
				spec.Tags = append(spec.Tags, ec2.Tag{Key: t.Key, Value: &t.Value})
			}
			specs = append(specs, spec)
		}
		if now[0].Direction == flow.Egress {
			m.call("AuthorizeSecurityGroupEgress", &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: perms, TagSpecifications: specs})
		} else {
			m.call("AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: perms, TagSpecifications: specs})
		}
	}
}

// revoke takes rules of a group away, all of one direction.
func (p *Plan) revoke(g *vpc.SecurityGroup, d flow.Direction, ids []string) {
	if len(ids) == 0 {
		return
	}
	id := string(g.ID)
	if d == flow.Egress {
		p.call("RevokeSecurityGroupEgress", &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: ids})
	} else {
		p.call("RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: ids})
	}
}

// permissionsOf gives rules of g as a request names them, those of the same
// traffic together.
func permissionsOf(g *vpc.SecurityGroup, rules []vpc.Rule) (out []ec2.IpPermission) {
	type traffic struct {
		protocol flow.Protocol
		ports    flow.PortRange
	}
	at := map[traffic]int{}
	for i := range rules {
		r := &rules[i]
		t := traffic{r.Protocol, r.Ports}
		n, ok := at[t]
		if !ok {
			n = len(out)
			at[t] = n
			p := ec2.IpPermission{IpProtocol: r.Protocol.String()}
			if r.HasPorts() {
				from, to := r.Ports.From, r.Ports.To
				p.FromPort, p.ToPort = &from, &to
			}
			out = append(out, p)
		}
		p := &out[n]
		if _, ok := r.Peer.Group(); ok {
			pair := ec2.UserIdGroupPair{GroupId: r.Peer.Ref, Description: r.Description}
			if r.Foreign != nil && r.Foreign.Owner != g.Owner {
				pair.UserId = string(r.Foreign.Owner)
			}
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, pair)
		} else if _, ok := r.Peer.PrefixList(); ok {
			p.PrefixListIds = append(p.PrefixListIds, ec2.PrefixListId{PrefixListId: r.Peer.Ref, Description: r.Description})
		} else if r.Peer.CIDR.Addr().Is4() {
			p.IpRanges = append(p.IpRanges, ec2.IpRange{CidrIp: r.Peer.CIDR.String(), Description: r.Description})
		} else {
			p.Ipv6Ranges = append(p.Ipv6Ranges, ec2.Ipv6Range{CidrIpv6: r.Peer.CIDR.String(), Description: r.Description})
		}
	}
	return out
}

// An obstacle is a rule that still allows some of what is to be denied.
type obstacle struct {
	text string // the rule, and what to do about it
	// narrowed are the rules that would stand in its place; ok tells that there
	// are such.
	rule     *vpc.Rule
	narrowed []part
	ok       bool
}

// mostPieces bounds what one rule is narrowed to; a quota mostly ends it
// earlier.
const mostPieces = 2000

// deny takes away what allows something: rules that allow nothing else. Where
// another rule still does it changes nothing, unless it may narrow that one.
func (m *maker) deny() error {
	m.Title = "Deny"
	parts, sides, err := m.asked()
	if err != nil {
		return err
	}
	// What a group or a list holds now is denied by its addresses, too.
	denied := slices.Clone(parts)
	for _, p := range parts {
		if p.peer.Ref == "" {
			continue
		}
		for _, c := range m.ranges().of(p.peer) {
			q, ok := (part{p.protocol, p.ports, vpc.Peer{CIDR: c.Masked()}}).ofFamily()
			if ok && !slices.Contains(denied, q) {
				denied = append(denied, q)
			}
		}
	}
	d := direction(m.w.Egress)
	var gone []string
	var went []*vpc.Rule
	var wider []obstacle
	for i := range m.g.Rules {
		r := &m.g.Rules[i]
		if r.Direction != d {
			continue
		}
		rest, hit, cannot := m.left(r, denied)
		switch {
		case !hit:
		case cannot == "" && len(rest) == 0:
			gone, went = append(gone, string(r.ID)), append(went, r)
		default:
			wider = append(wider, m.inTheWay(r, rest, cannot, denied))
		}
	}
	others := m.throughOthers(denied)
	m.does("%s: %s", called(m.g), m.members(m.g))
	if len(gone)+len(wider)+len(others) == 0 {
		m.does("  = nothing allows %s", m.w.what())
		return nil
	}
	for _, r := range went {
		m.does("  - %s %s", r.ID, m.ruleText(r))
	}
	var add []vpc.Rule
	stuck, told := len(others), len(m.Does)
	for _, o := range wider {
		if !m.w.Split || !o.ok {
			m.does("  ! %s", o.text)
			stuck++
			continue
		}
		gone = append(gone, string(o.rule.ID))
		m.does("  - %s %s", o.rule.ID, m.ruleText(o.rule))
		for _, p := range o.narrowed {
			n := p.rule(o.rule)
			if m.stays(&n, gone) || slices.ContainsFunc(add, func(a vpc.Rule) bool { return a.Key() == n.Key() }) {
				continue
			}
			add = append(add, n)
			m.does("  + %s", m.ruleText(&n))
		}
	}
	// Of a rule that is narrowed later a piece may be one that goes now.
	for _, o := range others {
		m.does("  ! %s", o)
	}
	for _, s := range sides {
		if s.typed != "" {
			m.mind(s)
		}
		if s.peer.Ref != "" && len(add) > 0 {
			m.note("%s is denied by the addresses that it has now", words.Peer(s.peer, nameOf(m.r, s.peer)))
		}
	}
	if stuck > 0 && !m.w.Anyway {
		what := "What is marked ! still allows it."
		if !m.w.Split && slices.ContainsFunc(wider, func(o obstacle) bool { return o.ok }) {
			what += " --split narrows the wider rules;"
		} else {
			what += " Change that first;"
		}
		m.Refused = what + " --anyway takes away what can be, and leaves that."
		return nil
	}
	if tx, ok := m.r.(*state.Txn); ok && len(add) > 0 {
		after := *m.g
		after.Rules = slices.Concat(slices.DeleteFunc(slices.Clone(m.g.Rules), func(r vpc.Rule) bool { return slices.Contains(gone, string(r.ID)) }), add)
		if overQuota(tx, &after) && !overQuota(tx, m.g) {
			m.Does = m.Does[:told]
			for _, o := range wider {
				m.does("  ! %s", o.text)
			}
			m.Refused = fmt.Sprintf("A group may have %d rules for each direction and family of addresses, and this would be more: allow what is needed by fewer rules, and then take the wider rule away.", tx.Quotas.RulesEach())
			return nil
		}
	}
	m.revoke(m.g, d, gone)
	m.authorize(add)
	return nil
}

// stays reports whether the group has a rule that remains.
func (m *maker) stays(n *vpc.Rule, gone []string) bool {
	return slices.ContainsFunc(m.g.Rules, func(r vpc.Rule) bool { return r.Key() == n.Key() && !slices.Contains(gone, string(r.ID)) })
}

// left gives what a rule allows that is not denied.
func (m *maker) left(r *vpc.Rule, denied []part) (rest []part, hit bool, cannot string) {
	rest = []part{partOf(r)}
	for _, d := range denied {
		var next []part
		for _, p := range rest {
			more, touched, no := p.minus(d, m.ranges())
			hit = hit || touched
			if no != "" {
				return nil, true, no
			}
			next = append(next, more...)
		}
		if rest = next; len(rest) > mostPieces {
			return nil, true, "pieces"
		}
	}
	return rest, hit, ""
}

// inTheWay says what a rule that is wider than what is denied needs.
func (m *maker) inTheWay(r *vpc.Rule, rest []part, cannot string, denied []part) obstacle {
	o := obstacle{rule: r, text: fmt.Sprintf("%s %s: ", r.ID, m.ruleText(r))}
	switch cannot {
	case "":
		o.narrowed, o.ok = rest, true
		o.text += fmt.Sprintf("wider than what is denied; --split puts %s in its place", words.Count(len(rest), "narrower rule"))
	case "protocol":
		o.text += fmt.Sprintf("a rule for all protocols cannot lose one: allow what is needed by rules of their own, as `moat allow %s tcp %s %s`, and take this one away with `moat deny %s all %s %s`",
			shellWord(m.w.Group), m.fromFlag(), m.peerWord(r), shellWord(m.w.Group), m.fromFlag(), m.peerWord(r))
	case "pieces":
		o.text += fmt.Sprintf("it would take more than %d rules in its place", mostPieces)
	default:
		o.text += m.refAdvice(r, denied)
	}
	return o
}

// refAdvice says how to take from a list or a group what is denied.
func (m *maker) refAdvice(r *vpc.Rule, denied []part) string {
	what, wider := "", false
	for _, d := range denied {
		if left, common := partOf(r).portsWithout(d); common {
			if what = m.ranges().common(r.Peer, d.peer); what != "" {
				wider = len(left) > 0
				break
			}
		}
	}
	how := fmt.Sprintf("the rule away with `moat deny %s %s %s %s`", shellWord(m.w.Group), shellWord(m.w.What), m.fromFlag(), r.Peer.Ref)
	switch {
	case partOf(r).cannotProtocol(denied[0]) != "":
		how = fmt.Sprintf("the rule away with `moat deny %s all %s %s`", shellWord(m.w.Group), m.fromFlag(), r.Peer.Ref)
	case wider:
		how = fmt.Sprintf("that from the rule with `moat deny %s %s %s %s --split`", shellWord(m.w.Group), shellWord(m.w.What), m.fromFlag(), r.Peer.Ref)
	}
	name := words.Clean(nameOf(m.r, r.Peer))
	if id, ok := r.Peer.PrefixList(); ok {
		if l := state.PrefixLists.Get(m.r, id); l != nil {
			return fmt.Sprintf("the list has %s, and a rule cannot allow a part of a list: take it out of the list with `aws ec2 modify-managed-prefix-list --prefix-list-id %s --current-version %d --remove-entries Cidr=%s`, or %s",
				what, id, l.Version, what, how)
		}
		return fmt.Sprintf("the list, which AWS owns, has %s: take %s", what, how)
	}
	return fmt.Sprintf("%s has %s: take group %s off that interface, or %s",
		name, strings.TrimSuffix(strings.TrimSuffix(what, "/32"), "/128"), name, how)
}

// throughOthers gives rules of other groups that allow what is denied to an
// interface that has the group, too: rules add up.
func (m *maker) throughOthers(denied []part) (out []string) {
	via := map[vpc.GroupID]vpc.InterfaceID{}
	var others []vpc.GroupID
	for i := range state.Interfaces.By(m.r, state.InterfacesByGroup, string(m.g.ID)) {
		for _, id := range i.Groups {
			if _, seen := via[id]; !seen && id != m.g.ID {
				via[id] = i.ID
				others = append(others, id)
			}
		}
	}
	slices.Sort(others)
	for _, id := range others {
		g := state.Groups.Get(m.r, id)
		if g == nil {
			continue
		}
		for i := range g.Rules {
			r := &g.Rules[i]
			if r.Direction != direction(m.w.Egress) {
				continue
			}
			if _, hit, _ := m.left(r, denied); hit {
				out = append(out, fmt.Sprintf("%s of group %s (%s), which %s has too: %s: `moat deny %s %s %s %s`",
					r.ID, words.Clean(g.Name), g.ID, via[id], m.ruleText(r), g.ID, shellWord(m.w.What), m.fromFlag(), shellWord(m.w.Peer)))
			}
		}
	}
	return out
}

func (m *maker) fromFlag() string {
	if m.w.Egress {
		return "--to"
	}
	return "--from"
}

func (m *maker) peerWord(r *vpc.Rule) string { return r.Peer.String() }

// what gives what a wish is about in its own words.
func (w *Wish) what() string {
	return w.What + " " + words.Preposition(direction(w.Egress)) + " " + words.Clean(w.Peer)
}
