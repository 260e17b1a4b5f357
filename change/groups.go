package change

import (
	"slices"
	"strings"

	"moat/ec2"
	"moat/fault"
	"moat/flow"
	"moat/names"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// rename gives the group another name.
func (m *maker) rename() error {
	m.Title = "Rename"
	name, err := vpc.ParseGroupName(m.w.New)
	if err != nil {
		return err
	}
	m.does("%s: %s", called(m.g), m.members(m.g))
	if name == m.g.Name {
		m.does("  = it has that name already")
		return nil
	}
	m.does("  - name %s", quoted(m.g.Name))
	m.does("  + name %s; its id, its rules and whatever uses it stay", quoted(name))
	m.call("RenameSecurityGroup", &RenameSecurityGroupInput{GroupId: string(m.g.ID), GroupName: name})
	m.AWS = m.longWay(name)
	return nil
}

// longWay gives what renaming takes where EC2 alone is asked, as comments: it
// makes another group, with another id, and is not done at once.
func (m *maker) longWay(name string) []string {
	g := m.g
	lines := []string{"EC2 cannot rename a group. The long way makes another one, which has another id, and is not done at once:"}
	add := func(line ...string) { lines = append(lines, strings.Join(line, " ")) }
	add("new=$(aws ec2 create-security-group --group-name", shellWord(name), "--description", shellWord(g.Description), "--vpc-id", string(g.VPC), "--query GroupId --output text)")
	lines = append(lines, ruleLines(g)...)
	p := &Plan{}
	const later = "sg-later" // no id: nobody else has it
	m.replaced(p, later)
	for _, l := range p.AWS {
		l = strings.ReplaceAll(l, `"`+later+`"`, `"'"$new"'"`) // inside quoted JSON
		add(strings.ReplaceAll(l, later, `"$new"`))
	}
	add("aws ec2 delete-security-group --group-id", string(g.ID))
	for i := range lines {
		lines[i] = "# " + lines[i]
	}
	return lines
}

// replace puts another group in the place of the group, wherever that is used.
func (m *maker) replace() error {
	m.Title = "ReplaceGroup"
	other, err := groupOf(m.r, m.w.New, m.g.VPC)
	if err != nil {
		return err
	}
	switch {
	case other.ID == m.g.ID:
		return fault.InvalidParameterValue.Say("%q and %q are the same group, %s.", m.w.Group, m.w.New, m.g.ID)
	case other.VPC != m.g.VPC:
		return fault.InvalidParameterValue.Say("%s and %s are of different VPCs.", called(m.g), called(other))
	}
	m.does("%s in place of %s", called(other), called(m.g))
	m.replaced(m.Plan, other.ID)
	if len(m.Calls) == 0 {
		m.does("  = nothing uses %s", words.Clean(m.g.Name))
		return nil
	}
	m.note("group %s stays, with its own rules; nothing uses it then: `moat rm %s`", words.Clean(m.g.Name), m.g.ID)
	return nil
}

// replaced adds to a plan what puts another group in the group's place.
func (m *maker) replaced(p *Plan, other vpc.GroupID) {
	for _, i := range m.users() {
		var ids []string
		for _, id := range i.Groups {
			if id == m.g.ID {
				id = other
			}
			if !slices.Contains(ids, string(id)) {
				ids = append(ids, string(id))
			}
		}
		p.does("  ~ %s: %s in place of %s", m.interfaceText(i), m.groupWord(other), words.Clean(m.g.Name))
		p.call("ModifyNetworkInterfaceAttribute", &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: string(i.ID), Groups: ids})
	}
	for _, g := range m.referring() {
		if g.ID == m.g.ID {
			continue
		}
		var updates []ec2.SecurityGroupRuleUpdate
		var ids [2][]string // by direction
		for i := range g.Rules {
			r := &g.Rules[i]
			if r.Peer.Ref != string(m.g.ID) {
				continue
			}
			n := *r
			n.Peer = vpc.Peer{Ref: string(other)}
			if slices.ContainsFunc(g.Rules, func(o vpc.Rule) bool { return o.Key() == n.Key() }) {
				p.does("  - %s of group %s: %s; it has the same for %s", r.ID, words.Clean(g.Name), m.ruleText(r), m.groupWord(other))
				d := 0
				if r.Direction == flow.Egress {
					d = 1
				}
				ids[d] = append(ids[d], string(r.ID))
				continue
			}
			p.does("  ~ %s of group %s: %s in place of %s", r.ID, words.Clean(g.Name), words.Rule(&n, "group "+m.groupWord(other)), words.Clean(m.g.Name))
			updates = append(updates, ec2.SecurityGroupRuleUpdate{SecurityGroupRuleId: string(r.ID), SecurityGroupRule: requestOf(&n)})
		}
		if len(updates) > 0 {
			id := string(g.ID)
			p.call("ModifySecurityGroupRules", &ec2.ModifySecurityGroupRulesInput{GroupId: &id, SecurityGroupRules: updates})
		}
		p.revoke(g, flow.Ingress, ids[0])
		p.revoke(g, flow.Egress, ids[1])
	}
}

// users gives the interfaces that have the group, in the order of their names.
func (m *maker) users() []*vpc.Interface {
	all := slices.Collect(state.Interfaces.By(m.r, state.InterfacesByGroup, string(m.g.ID)))
	slices.SortStableFunc(all, func(a, b *vpc.Interface) int { return strings.Compare(names.NameTag(a.Tags), names.NameTag(b.Tags)) })
	return all
}

// referring gives the groups with rules that refer to the group, in the order of
// their names.
func (m *maker) referring() []*vpc.SecurityGroup {
	all := slices.Collect(state.Groups.By(m.r, state.GroupsByRef, string(m.g.ID)))
	slices.SortStableFunc(all, func(a, b *vpc.SecurityGroup) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (m *maker) groupWord(id vpc.GroupID) string {
	if g := state.Groups.Get(m.r, id); g != nil {
		return words.Clean(g.Name)
	}
	return string(id)
}

func (m *maker) interfaceText(i *vpc.Interface) string {
	text := string(i.ID)
	for _, t := range i.Tags {
		if t.Key == "Name" && t.Value != "" {
			text += " (" + words.Clean(t.Value) + ")"
		}
	}
	return text
}

// requestOf gives a rule as a request changes it.
func requestOf(r *vpc.Rule) *ec2.SecurityGroupRuleRequest {
	q := &ec2.SecurityGroupRuleRequest{IpProtocol: r.Protocol.String()}
	if r.HasPorts() {
		from, to := r.Ports.From, r.Ports.To
		q.FromPort, q.ToPort = &from, &to
	}
	if _, ok := r.Peer.Group(); ok {
		q.ReferencedGroupId = r.Peer.Ref
	} else if r.Peer.Ref != "" {
		q.PrefixListId = r.Peer.Ref
	} else if r.Peer.CIDR.Addr().Is4() {
		q.CidrIpv4 = r.Peer.CIDR.String()
	} else {
		q.CidrIpv6 = r.Peer.CIDR.String()
	}
	if r.Description != "" {
		d := r.Description
		q.Description = &d
	}
	return q
}

// remove deletes the group, after it was taken off whatever uses it, if that is
// wished for.
func (m *maker) remove() error {
	m.Title = "Remove"
	g := m.g
	if g.IsDefault() {
		return fault.CannotDelete.With(g.ID, g.Name)
	}
	var instead *vpc.SecurityGroup
	if m.w.New != "" {
		var err error
		if instead, err = groupOf(m.r, m.w.New, g.VPC); err != nil {
			return err
		}
		if instead.ID == g.ID {
			return fault.InvalidParameterValue.Say("--instead %s is the group that is removed.", m.w.New)
		}
	}
	m.does("%s", called(g))
	used, bare := 0, 0
	mark := "-"
	if !m.w.Detach {
		mark = "!"
	}
	for _, i := range m.users() {
		used++
		var ids, left []string
		for _, id := range i.Groups {
			if id != g.ID {
				ids = append(ids, string(id))
				left = append(left, m.groupWord(id))
			}
		}
		switch {
		case len(ids) > 0:
			m.does("  %s off %s, which keeps %s", mark, m.interfaceText(i), list(left))
		case instead != nil:
			ids = []string{string(instead.ID)}
			m.does("  %s off %s, which gets %s", mark, m.interfaceText(i), words.Clean(instead.Name))
		default:
			bare++
			m.does("  ! %s has no other group, and an interface must have one", m.interfaceText(i))
			continue
		}
		m.call("ModifyNetworkInterfaceAttribute", &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: string(i.ID), Groups: ids})
	}
	for _, o := range m.referring() {
		if o.ID == g.ID {
			continue
		}
		var ids [2][]string
		for i := range o.Rules {
			r := &o.Rules[i]
			if r.Peer.Ref != string(g.ID) {
				continue
			}
			used++
			m.does("  %s %s of group %s: %s", mark, r.ID, words.Clean(o.Name), m.ruleText(r))
			d := 0
			if r.Direction == flow.Egress {
				d = 1
			}
			ids[d] = append(ids[d], string(r.ID))
		}
		m.revoke(o, flow.Ingress, ids[0])
		m.revoke(o, flow.Egress, ids[1])
	}
	for a := range state.GroupAssociations.By(m.r, state.GroupAssociationsByGroup, string(g.ID)) {
		used++
		id := string(g.ID)
		m.does("  %s its association with %s", mark, a.VPC)
		m.call("DisassociateSecurityGroupVpc", &ec2.DisassociateSecurityGroupVpcInput{GroupId: &id, VpcId: string(a.VPC)})
	}
	switch {
	case used > 0 && !m.w.Detach:
		m.Refused = "It is in use: --detach takes it off what uses it."
	case bare > 0:
		m.Refused = "An interface must have a group: --instead GROUP says which it gets."
	}
	if m.Refused != "" {
		return nil
	}
	id := string(g.ID)
	m.does("  - the group with its %s", words.Count(len(g.Rules), "rule"))
	m.call("DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: &id})
	return nil
}
