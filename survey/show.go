package survey

import (
	"slices"
	"strings"

	"moat/names"
	"moat/state"
	"moat/vpc"
)

// Shown is one thing with what is around it. Exactly one of Group, Interface,
// List and Rule is set.
type Shown struct {
	Rev uint64 `json:"revision"`

	Group     *Group     `json:"group,omitempty"`
	Interface *Interface `json:"interface,omitempty"`
	List      *List      `json:"prefix_list,omitempty"`
	Rule      *Rule      `json:"rule,omitempty"`

	// In and Out are the rules of a group, or those of all groups of an
	// interface.
	In  []Rule `json:"in,omitempty"`
	Out []Rule `json:"out,omitempty"`
	// Carriers are the interfaces that have a group.
	Carriers []Interface `json:"carriers,omitempty"`
	// Referrers are the rules of other groups that name a group, or all that
	// name a list.
	Referrers []Rule `json:"referrers,omitempty"`
	// Associations are the other VPCs that a group may be used in.
	Associations []Ref `json:"associations,omitempty"`
}

// shownKinds are what can be shown, the first that a word stands for.
var shownKinds = []names.Kind{names.Group, names.Interface, names.PrefixList, names.Rule}

// Show shows what a word stands for: a group, else an interface, a prefix list
// or a rule. The error is one of package names, or that of MayRead.
func (s *Survey) Show(word string) (*Shown, error) {
	t, err := names.ResolveFirst(s.space(), names.Query{Text: word, Kinds: shownKinds})
	if err != nil {
		return nil, err
	}
	out := &Shown{Rev: s.View.Rev}
	switch t.Kind {
	case names.Group:
		g := state.Groups.Get(s.space(), vpc.GroupID(t.ID))
		group := s.group(g)
		out.Group = &group
		out.addRules(s, g)
		out.Carriers = s.carriers(t.ID)
		out.Referrers = s.referrers(t.ID)
		for a := range state.GroupAssociations.By(s.space(), state.GroupAssociationsByGroup, t.ID) {
			out.Associations = append(out.Associations, vpcRef(s.space(), a.VPC))
		}
	case names.Interface:
		row := state.Interfaces.Get(s.space(), vpc.InterfaceID(t.ID))
		i := s.iface(row)
		out.Interface = &i
		for _, id := range row.Groups {
			if g := state.Groups.Get(s.space(), id); g != nil {
				out.addRules(s, g)
			}
		}
	case names.PrefixList:
		row := state.PrefixLists.Get(s.space(), vpc.PrefixListID(t.ID))
		if err := s.mayRead(row); err != nil {
			return nil, err
		}
		l := s.prefixList(row, true)
		out.List = &l
		out.Referrers = s.referrers(t.ID)
	case names.Rule:
		g, i := state.RuleByID(s.space(), vpc.RuleID(t.ID))
		r := s.Rule(g, &g.Rules[i])
		out.Rule = &r
	}
	sortRules(out.In)
	sortRules(out.Out)
	return out, nil
}

func (o *Shown) addRules(s *Survey, g *vpc.SecurityGroup) {
	for i := range g.Rules {
		r := s.Rule(g, &g.Rules[i])
		if g.Rules[i].Direction {
			o.Out = append(o.Out, r)
		} else {
			o.In = append(o.In, r)
		}
	}
}

// referrers gives the rules of other groups that name a group or a list.
func (s *Survey) referrers(id string) []Rule {
	var out []Rule
	for g := range state.Groups.By(s.space(), state.GroupsByRef, id) {
		if string(g.ID) == id {
			continue
		}
		for i := range g.Rules {
			if g.Rules[i].Peer.Ref == id {
				out = append(out, s.Rule(g, &g.Rules[i]))
			}
		}
	}
	return out
}

// Each gives every rule that is shown, to tell more of it.
func (o *Shown) Each(yield func(*Rule)) {
	if o.Rule != nil {
		yield(o.Rule)
	}
	for _, rules := range [][]Rule{o.In, o.Out, o.Referrers} {
		for i := range rules {
			yield(&rules[i])
		}
	}
}

// Uses tells who uses a group or a prefix list.
type Uses struct {
	Rev uint64 `json:"revision"`

	Group *Group `json:"group,omitempty"`
	List  *List  `json:"prefix_list,omitempty"`
	// Interfaces have the group, Instances have those.
	Interfaces []Interface `json:"interfaces,omitempty"`
	Instances  []Ref       `json:"instances,omitempty"`
	// Paths are the rules that name it, each with the interfaces that it opens:
	// those of the rule's own group.
	Paths []Path `json:"paths,omitempty"`
	// RouteTables have routes to a list.
	RouteTables []Ref `json:"route_tables,omitempty"`
}

// A Path is a rule that names a group or list, with who has the rule's group.
type Path struct {
	Rule Rule `json:"rule"`
	// Self tells that the rule is one of the group that is named.
	Self       bool        `json:"self,omitempty"`
	Interfaces []Interface `json:"interfaces,omitempty"`
}

// Uses tells who uses the group or prefix list that a word stands for. The
// error is one of package names.
func (s *Survey) Uses(word string) (*Uses, error) {
	t, err := names.ResolveFirst(s.space(), names.Query{Text: word, Kinds: []names.Kind{names.Group, names.PrefixList}})
	if err != nil {
		return nil, err
	}
	out := &Uses{Rev: s.View.Rev}
	if t.Kind == names.Group {
		g := s.group(state.Groups.Get(s.space(), vpc.GroupID(t.ID)))
		out.Group = &g
	} else {
		l := s.prefixList(state.PrefixLists.Get(s.space(), vpc.PrefixListID(t.ID)), false)
		out.List = &l
		for table := range state.RouteTables.By(s.space(), state.RouteTablesByTarget, t.ID) {
			out.RouteTables = append(out.RouteTables, Ref{string(table.ID), names.NameTag(table.Tags)})
		}
	}
	out.Interfaces = s.carriers(t.ID)
	for _, i := range out.Interfaces {
		if i.Instance != nil && !slices.Contains(out.Instances, *i.Instance) {
			out.Instances = append(out.Instances, *i.Instance)
		}
	}
	for g := range state.Groups.By(s.space(), state.GroupsByRef, t.ID) {
		for i := range g.Rules {
			if g.Rules[i].Peer.Ref == t.ID {
				p := Path{Rule: s.Rule(g, &g.Rules[i]), Self: string(g.ID) == t.ID}
				if !p.Self {
					p.Interfaces = s.carriers(string(g.ID))
				}
				out.Paths = append(out.Paths, p)
			}
		}
	}
	return out, nil
}

// carriers gives the interfaces that have a group, by what they are called.
func (s *Survey) carriers(group string) (out []Interface) {
	for i := range state.Interfaces.By(s.space(), state.InterfacesByGroup, group) {
		out = append(out, s.iface(i))
	}
	slices.SortStableFunc(out, func(a, b Interface) int { return strings.Compare(a.Called(), b.Called()) })
	return out
}
