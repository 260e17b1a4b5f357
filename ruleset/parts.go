package ruleset

import (
	"slices"

	"moat/state"
	"moat/vpc"
)

// A Part is a piece of the state that rulesets are compiled from. A change of the
// state concerns a host if the host's ruleset is compiled from a part that the
// change replaced. The hosts and those who wait for them both go by parts, so
// that they agree on which hosts a change concerns.
type Part struct {
	kind  partKind
	scope state.Scope
	vpc   vpc.VPCID // of members
	id    string
}

type partKind uint8

const (
	interfacePart partKind = iota // an interface's own row
	groupPart                     // a group's rules and tags, for the interfaces that have it
	membersPart                   // the addresses of a group's interfaces in a VPC, for the rules that refer to the group
	listPart                      // a prefix list
	vpcPart
	subnetPart
	peeringPart // the peerings of a VPC
)

// PartKinds are the kinds of the rows that parts consist of.
var PartKinds = []state.AnyKind{state.VPCs, state.Subnets, state.Groups, state.Interfaces, state.PrefixLists, state.Peerings}

// Parts returns the parts that changes replaced.
func Parts(changes []state.Change) (parts []Part) {
	for i := range changes {
		c := &changes[i]
		part := Part{scope: c.Scope, id: c.ID}
		switch c.Kind {
		case state.VPCs:
			part.kind = vpcPart
		case state.Subnets:
			part.kind = subnetPart
		case state.Groups:
			part.kind = groupPart
		case state.PrefixLists:
			part.kind = listPart
		case state.Peerings:
			for _, row := range []any{c.Old, c.New} {
				if p, _ := row.(*vpc.Peering); p != nil {
					for _, side := range []vpc.PeeringSide{p.Requester, p.Accepter} {
						parts = append(parts, Part{kind: peeringPart, scope: c.Scope, id: string(side.VPC)})
					}
				}
			}
			continue
		case state.Interfaces:
			part.kind = interfacePart
			old, _ := c.Old.(*vpc.Interface)
			now, _ := c.New.(*vpc.Interface)
			if !sameMember(old, now) {
				parts = appendMembers(appendMembers(parts, c.Scope, old), c.Scope, now)
			}
		default:
			continue
		}
		parts = append(parts, part)
	}
	return parts
}

// sameMember reports whether two rows of an interface put the same addresses
// into the same groups.
func sameMember(a, b *vpc.Interface) bool {
	return a != nil && b != nil && a.VPC == b.VPC && slices.Equal(a.Groups, b.Groups) && slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.IPv6, b.IPv6)
}

func appendMembers(parts []Part, scope state.Scope, row *vpc.Interface) []Part {
	if row == nil {
		return parts
	}
	for _, g := range row.Groups {
		parts = append(parts, Part{kind: membersPart, scope: scope, vpc: row.VPC, id: string(g)})
	}
	return parts
}

// Unaffected reports whether Compile would make the same of a view as of the last
// one, because none of the parts that were replaced since then is in the last
// ruleset. It then counts as compiled.
func (c *Compiler) Unaffected(v *state.View, replaced []Part) bool {
	if c.last == nil {
		return false
	}
	if c.parts == nil {
		c.parts = c.last.partsOf()
	}
	for _, p := range replaced {
		if c.parts[p] {
			return false
		}
	}
	c.last.view = v
	return true
}

// partsOf returns the parts that a ruleset was compiled from.
func (c *compiler) partsOf() map[Part]bool {
	parts := map[Part]bool{}
	for _, l := range c.locals {
		parts[Part{kind: interfacePart, scope: l.Scope, id: string(l.ID)}] = true
		x := c.of[l]
		if x == nil {
			continue
		}
		parts[Part{kind: vpcPart, scope: l.Scope, id: string(x.row.VPC)}] = true
		parts[Part{kind: peeringPart, scope: l.Scope, id: string(x.row.VPC)}] = true
		parts[Part{kind: subnetPart, scope: l.Scope, id: string(x.row.Subnet)}] = true
		for _, g := range x.row.Groups {
			parts[Part{kind: groupPart, scope: l.Scope, id: string(g)}] = true
		}
		for _, g := range x.groups {
			for i := range g.Rules {
				if id, ok := g.Rules[i].Peer.PrefixList(); ok {
					parts[Part{kind: listPart, scope: l.Scope, id: string(id)}] = true
				}
			}
		}
	}
	for w := range c.wanted {
		for _, there := range c.reach[reach{w.scope, w.vpc}] {
			parts[Part{kind: membersPart, scope: there.scope, vpc: there.vpc, id: string(w.group)}] = true
		}
	}
	return parts
}

// Hosts returns the hosts that changes concern: those whose bindings differ, or
// whose rulesets are compiled from a part that was replaced. The view is the one
// that the changes made. The cost is in proportion to the interfaces that have
// the groups concerned.
func Hosts(v *state.View, changes []state.Change) map[string]bool {
	h := concerned{view: v, hosts: map[string]bool{}, groups: map[groupIn]bool{}}
	for i := range changes {
		for _, row := range []any{changes[i].Old, changes[i].New} {
			if i, _ := row.(*vpc.Interface); i != nil {
				h.add(i)
			}
		}
	}
	for _, p := range Parts(changes) {
		h.part(p)
	}
	return h.hosts
}

// concerned collects the hosts that changes concern.
type concerned struct {
	view   *state.View
	hosts  map[string]bool
	groups map[groupIn]bool // whose interfaces are added already
}

// A groupIn is a group as the interfaces of one VPC have it; of every VPC if vpc
// is empty.
type groupIn struct {
	scope state.Scope
	vpc   vpc.VPCID
	id    vpc.GroupID
}

func (h *concerned) add(i *vpc.Interface) {
	if i.Attachment != nil && i.Attachment.Device != nil {
		h.hosts[i.Attachment.Device.Host] = true
	}
}

// part adds the hosts whose rulesets are compiled from a part.
func (h *concerned) part(p Part) {
	space := h.view.In(p.scope)
	switch p.kind {
	case groupPart:
		h.group(groupIn{p.scope, "", vpc.GroupID(p.id)})
	case membersPart:
		// VPCs see each other.
		for _, from := range reaches(h.view, p.scope, p.vpc) {
			h.referring(from, p.id)
		}
	case listPart:
		h.referring(reach{scope: p.scope}, p.id)
	case vpcPart, peeringPart:
		for i := range state.Interfaces.By(space, state.InterfacesByVPC, p.id) {
			h.add(i)
		}
	case subnetPart:
		for i := range state.Interfaces.By(space, state.InterfacesBySubnet, p.id) {
			h.add(i)
		}
	}
}

// referring adds the hosts of the interfaces of a VPC whose groups refer to a
// group or to a prefix list.
func (h *concerned) referring(from reach, ref string) {
	for g := range state.Groups.By(h.view.In(from.scope), state.GroupsByRef, ref) {
		h.group(groupIn{from.scope, from.vpc, g.ID})
	}
}

func (h *concerned) group(g groupIn) {
	if h.groups[g] {
		return
	}
	h.groups[g] = true
	for i := range state.Interfaces.By(h.view.In(g.scope), state.InterfacesByGroup, string(g.id)) {
		if g.vpc == "" || i.VPC == g.vpc {
			h.add(i)
		}
	}
}
