package survey

import (
	"cmp"
	"slices"
	"strings"

	"moat/names"
	"moat/state"
	"moat/vpc"
)

// A Filter says what is listed.
type Filter struct {
	// Groups, Rules, Interfaces and Lists say which kinds are.
	Groups, Rules, Interfaces, Lists bool
	// VPC is a word for the VPC that things are in; empty for any.
	VPC string
	// Tags are KEY or KEY=VALUE: a thing has each of them. Rules are listed with
	// the tags of their group.
	Tags []string
}

// A Listing is what there is. What was not asked for is nil.
type Listing struct {
	Rev        uint64      `json:"revision"`
	Groups     []Group     `json:"groups,omitzero"`
	Rules      []Rule      `json:"rules,omitzero"`
	Interfaces []Interface `json:"interfaces,omitzero"`
	Lists      []List      `json:"prefix_lists,omitzero"`
}

// List lists what fits a filter, by VPC, name and id. The error is one of
// package names, of the word for the VPC.
func (s *Survey) List(f Filter) (*Listing, error) {
	out := &Listing{Rev: s.View.Rev}
	var only vpc.VPCID
	if f.VPC != "" {
		v, err := names.Resolve(s.space(), names.Query{Text: f.VPC, Kinds: []names.Kind{names.VPC}})
		if err != nil {
			return nil, err
		}
		only = v.VPC
	}
	fits := func(v vpc.VPCID, tags vpc.Tags) bool { return (only == "" || v == only) && hasTags(tags, f.Tags) }
	if f.Groups || f.Rules {
		if f.Groups {
			out.Groups = []Group{}
		}
		if f.Rules {
			out.Rules = []Rule{}
		}
		for _, g := range s.groupsInOrder(fits) {
			if f.Groups {
				out.Groups = append(out.Groups, s.group(g))
			}
			if f.Rules {
				rules := make([]Rule, len(g.Rules))
				for i := range g.Rules {
					rules[i] = s.Rule(g, &g.Rules[i])
				}
				sortRules(rules)
				out.Rules = append(out.Rules, rules...)
			}
		}
	}
	if f.Interfaces {
		out.Interfaces = []Interface{}
		for i := range state.Interfaces.All(s.space()) {
			if fits(i.VPC, i.Tags) {
				out.Interfaces = append(out.Interfaces, s.iface(i))
			}
		}
		slices.SortStableFunc(out.Interfaces, func(a, b Interface) int {
			return cmp.Or(compareRefs(a.VPC, b.VPC), strings.Compare(a.Called(), b.Called()))
		})
	}
	if f.Lists {
		out.Lists = []List{}
		for l := range state.PrefixLists.All(s.space()) {
			if hasTags(l.Tags, f.Tags) {
				out.Lists = append(out.Lists, s.prefixList(l, false))
			}
		}
		slices.SortStableFunc(out.Lists, func(a, b List) int { return strings.Compare(a.Name, b.Name) })
	}
	return out, nil
}

func (s *Survey) groupsInOrder(fits func(vpc.VPCID, vpc.Tags) bool) []*vpc.SecurityGroup {
	var all []*vpc.SecurityGroup
	for g := range state.Groups.All(s.space()) {
		if fits(g.VPC, g.Tags) {
			all = append(all, g)
		}
	}
	of := map[vpc.VPCID]Ref{}
	for _, g := range all {
		if _, ok := of[g.VPC]; !ok {
			of[g.VPC] = vpcRef(s.space(), g.VPC)
		}
	}
	slices.SortStableFunc(all, func(a, b *vpc.SecurityGroup) int {
		return cmp.Or(compareRefs(of[a.VPC], of[b.VPC]), strings.Compare(a.Name, b.Name))
	})
	return all
}

func compareRefs(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

// hasTags reports whether tags have each of the wanted, KEY or KEY=VALUE.
func hasTags(tags vpc.Tags, want []string) bool {
	for _, w := range want {
		key, value, exact := strings.Cut(w, "=")
		if !slices.ContainsFunc(tags, func(t vpc.Tag) bool { return t.Key == key && (!exact || t.Value == value) }) {
			return false
		}
	}
	return true
}
