// Package names knows what a person means: it finds the network interface,
// group, VPC, subnet, prefix list or address that a word on a command line
// stands for. What is then done with it is left to others.
//
// A word is, in this order: an address; tag:KEY=VALUE; an id; a name, which is
// a group's or a list's own or the tag Name of anything; VPC/NAME, where VPC is
// again any word for a VPC; the beginning of an id, with its prefix. The first
// of these that finds something decides, so an id never means a name by
// accident. Several found are an error that lists them; none, one that lists
// names that are spelled nearly so.
package names

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"moat/state"
	"moat/vpc"
)

// A Kind is a kind of thing that can be named.
type Kind uint8

// The kinds. Where an Interface is asked for and no Group, the word for a
// group stands for its members; where no Instance is, the id or name of an
// instance for its interfaces. An Address is one that no interface has, or
// needs none. A Rule has an id only.
const (
	Interface Kind = iota
	Group
	VPC
	Subnet
	PrefixList
	Address
	Instance
	Rule
)

var kinds = [...]struct {
	word string
	rows state.AnyKind
}{
	Interface:  {"network interface", state.Interfaces},
	Group:      {"security group", state.Groups},
	VPC:        {"VPC", state.VPCs},
	Subnet:     {"subnet", state.Subnets},
	PrefixList: {"prefix list", state.PrefixLists},
	Address:    {"address", nil},
	Instance:   {"instance", state.Instances},
	Rule:       {"rule", nil},
}

// String gives the kind in words.
func (k Kind) String() string { return kinds[k].word }

// A Thing is what a word stands for.
type Thing struct {
	Kind Kind
	// ID is its id; an address's text.
	ID string
	// Name is a group's or a list's name, or the tag Name; possibly empty.
	Name string
	// VPC is the one it is in, or is; empty for what is in none.
	VPC vpc.VPCID
	// Addr is the address that was typed; not valid for another word.
	Addr netip.Addr
}

// String gives the id with what helps to recognise it.
func (t Thing) String() string {
	var also []string
	if t.Name != "" {
		also = append(also, t.Name)
	}
	if t.VPC != "" && t.Kind != VPC {
		also = append(also, string(t.VPC))
	}
	if also == nil {
		return t.ID
	}
	return t.ID + " (" + strings.Join(also, ", ") + ")"
}

// A Query is a word with what it may stand for.
type Query struct {
	Text  string
	Kinds []Kind
	// VPC is preferred where the word is ambiguous; empty for none.
	VPC vpc.VPCID
}

// An UnknownError says that a word stands for nothing.
type UnknownError struct {
	Query
	Near []string // names that are spelled nearly so, at most three
}

func (e *UnknownError) Error() string {
	words := make([]string, len(e.Kinds))
	for i, k := range e.Kinds {
		words[i] = k.String()
	}
	kinds := words[len(words)-1]
	if len(words) > 1 {
		kinds = strings.Join(words[:len(words)-1], ", ") + " or " + kinds
	}
	text := fmt.Sprintf("no %s is called %q", kinds, e.Text)
	if len(e.Near) > 0 {
		text += ": did you mean " + strings.Join(e.Near, " or ") + "?"
	}
	return text
}

// An AmbiguousError says that a word stands for several things.
type AmbiguousError struct {
	Query
	Candidates []Thing // at least two, in the order of kinds and ids
}

// mostShown is how many candidates a message lists.
const mostShown = 10

func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q stands for %d things, write the id of one: ", e.Text, len(e.Candidates))
	for i, c := range e.Candidates {
		if i == mostShown {
			fmt.Fprintf(&b, ", and %d more", len(e.Candidates)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.String())
	}
	return b.String()
}

// Resolve gives the one thing that a word stands for. The error is an
// UnknownError or an AmbiguousError.
func Resolve(r state.Reader, q Query) (Thing, error) {
	return only(r, q, Find(r, q))
}

// only gives the one thing that was found.
func only(r state.Reader, q Query, found []Thing) (Thing, error) {
	if len(found) > 1 && q.VPC != "" {
		if there := in(q.VPC, found); len(there) > 0 {
			found = there
		}
	}
	switch len(found) {
	case 0:
		return Thing{}, &UnknownError{q, near(r, q)}
	case 1:
		return found[0], nil
	}
	return Thing{}, &AmbiguousError{q, found}
}

// ByID gives the thing of one of the kinds whose id the word is. EC2 lets a
// group be called what another kind's id looks like: whoever looks among some
// kinds before others asks for the id first, so that such a name hides nothing.
func ByID(r state.Reader, q Query) (Thing, bool) {
	f := finder{r: r, kinds: q.Kinds}
	for _, t := range f.byID(q.Text) {
		if t.ID == q.Text {
			return t, true
		}
	}
	return Thing{}, false
}

// ResolveFirst is Resolve for the first of the kinds of which the word stands
// for something: a group's name is not ambiguous because an interface has it,
// too. An id stands for what has it, of whichever kind.
func ResolveFirst(r state.Reader, q Query) (Thing, error) {
	if t, ok := ByID(r, q); ok {
		return t, nil
	}
	for _, k := range q.Kinds {
		one := q
		one.Kinds = []Kind{k}
		if k == Interface {
			// A word for a group never stands for its members here.
			one.Kinds = append(one.Kinds, Group)
		}
		found := slices.DeleteFunc(Find(r, one), func(t Thing) bool { return t.Kind != k })
		if len(found) > 0 {
			return only(r, q, found)
		}
	}
	return Thing{}, &UnknownError{q, near(r, q)}
}

// Find gives everything that a word stands for, in the order of kinds and ids.
func Find(r state.Reader, q Query) []Thing {
	f := finder{r: r, kinds: q.Kinds}
	if q.Text == "" {
		return nil
	}
	for _, by := range []func(string) []Thing{f.byAddress, f.byTag, f.byID, f.byName, f.byPath, f.byPrefix} {
		if found := by(q.Text); len(found) > 0 {
			slices.SortFunc(found, func(a, b Thing) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID)) })
			return slices.Compact(found)
		}
	}
	return nil
}

type finder struct {
	r     state.Reader
	kinds []Kind
}

func (f *finder) wants(k Kind) bool { return slices.Contains(f.kinds, k) }

// throughGroup reports whether the word for a group stands for its members.
func (f *finder) throughGroup() bool { return f.wants(Interface) && !f.wants(Group) }

func (f *finder) byAddress(text string) []Thing {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return nil
	}
	a = a.Unmap()
	var found []Thing
	if f.wants(Interface) {
		for i := range holders(f.r, a) {
			t := f.thing(Interface, string(i.ID))
			t.Addr = a
			found = append(found, t)
		}
	}
	if len(found) == 0 && f.wants(Address) {
		found = append(found, Thing{Kind: Address, ID: a.String(), Addr: a})
	}
	return found
}

// holders gives the interfaces that have an address, or a block delegated to
// them that holds it.
func holders(r state.Reader, a netip.Addr) func(func(*vpc.Interface) bool) {
	delegated := 28
	if a.Is6() {
		delegated = 80
	}
	block, _ := a.Prefix(delegated)
	return func(yield func(*vpc.Interface) bool) {
		for s := range state.Subnets.All(r) {
			if !s.CIDR.Contains(a) && !slices.ContainsFunc(s.IPv6, func(b vpc.Block) bool { return b.CIDR.Contains(a) }) {
				continue
			}
			for _, key := range []string{state.AddressKey(s.ID, a), state.BlockKey(s.ID, block)} {
				for i := range state.Interfaces.By(r, state.InterfacesByAddress, key) {
					if !yield(i) {
						return
					}
				}
			}
		}
	}
}

func (f *finder) byTag(text string) (found []Thing) {
	pair, ok := strings.CutPrefix(text, "tag:")
	if !ok {
		return nil
	}
	key, value, ok := strings.Cut(pair, "=")
	if !ok {
		return nil
	}
	return f.tagged(key, value)
}

func (f *finder) tagged(key, value string) (found []Thing) {
	for _, k := range f.kinds {
		if rows := kinds[k].rows; rows != nil {
			for id := range rows.IDsByTag(f.r, key, value) {
				found = append(found, f.thing(k, id))
			}
		}
	}
	return found
}

func (f *finder) byID(text string) (found []Thing) {
	for _, k := range f.kinds {
		if rows := kinds[k].rows; rows != nil {
			if _, ok := rows.TagsOf(f.r, text); ok {
				found = append(found, f.thing(k, text))
			}
		}
	}
	if f.throughGroup() && strings.HasPrefix(text, vpc.GroupPrefix+"-") {
		found = append(found, f.members(vpc.GroupID(text))...)
	}
	if f.throughInstance() && strings.HasPrefix(text, "i-") {
		found = append(found, f.interfacesOf(text)...)
	}
	if f.wants(Rule) {
		if g, i := state.RuleByID(f.r, vpc.RuleID(text)); g != nil {
			found = append(found, ruleThing(g, &g.Rules[i]))
		}
	}
	return found
}

func (f *finder) throughInstance() bool { return f.wants(Interface) && !f.wants(Instance) }

func (f *finder) interfacesOf(instance string) (found []Thing) {
	for i := range state.Interfaces.By(f.r, state.InterfacesByAttachment, instance) {
		found = append(found, f.thing(Interface, string(i.ID)))
	}
	return found
}

func ruleThing(g *vpc.SecurityGroup, r *vpc.Rule) Thing {
	return Thing{Kind: Rule, ID: string(r.ID), Name: g.Name, VPC: g.VPC}
}

func (f *finder) byName(text string) []Thing {
	found := f.tagged("Name", text)
	if f.wants(Group) {
		for g := range state.Groups.By(f.r, state.GroupsByName, strings.ToLower(text)) {
			found = append(found, f.thing(Group, string(g.ID)))
		}
	}
	if f.wants(PrefixList) {
		for l := range state.PrefixLists.By(f.r, state.PrefixListsByName, text) {
			found = append(found, f.thing(PrefixList, string(l.ID)))
		}
	}
	if len(found) == 0 && f.throughInstance() {
		for id := range state.Instances.IDsByTag(f.r, "Name", text) {
			found = append(found, f.interfacesOf(id)...)
		}
	}
	if len(found) == 0 && f.throughGroup() {
		for g := range state.Groups.By(f.r, state.GroupsByName, strings.ToLower(text)) {
			found = append(found, f.members(g.ID)...)
		}
	}
	return found
}

func (f *finder) members(id vpc.GroupID) (found []Thing) {
	for i := range state.Interfaces.By(f.r, state.InterfacesByGroup, string(id)) {
		found = append(found, f.thing(Interface, string(i.ID)))
	}
	return found
}

// byPath reads VPC/NAME. Names may hold slashes, ids and names of VPCs before
// the first one do not.
func (f *finder) byPath(text string) []Thing {
	left, right, ok := strings.Cut(text, "/")
	if !ok {
		return nil
	}
	v, err := Resolve(f.r, Query{Text: left, Kinds: []Kind{VPC}})
	if err != nil {
		return nil
	}
	return in(v.VPC, Find(f.r, Query{Text: right, Kinds: f.kinds}))
}

func in(v vpc.VPCID, things []Thing) []Thing {
	var there []Thing
	for _, t := range things {
		if t.VPC == v {
			there = append(there, t)
		}
	}
	return there
}

// byPrefix reads the beginning of an id: its prefix, the dash and a digit at
// least.
func (f *finder) byPrefix(text string) (found []Thing) {
	for _, k := range f.kinds {
		rows := kinds[k].rows
		if rows == nil || !strings.HasPrefix(text, rows.IDPrefix()+"-") || len(text) == len(rows.IDPrefix())+1 {
			continue
		}
		for id := range rows.EachTagged(f.r, text) {
			if !strings.HasPrefix(id, text) {
				break
			}
			found = append(found, f.thing(k, id))
		}
	}
	if f.wants(Rule) && strings.HasPrefix(text, vpc.RulePrefix+"-") && len(text) > len(vpc.RulePrefix)+1 {
		// The digits of a rule's id begin with those of its group's.
		digits := text[len(vpc.RulePrefix)+1:]
		ofGroup := vpc.GroupPrefix + "-" + digits[:min(len(digits), 10)]
		for g := range state.Groups.From(f.r, vpc.GroupID(ofGroup)) {
			if !strings.HasPrefix(string(g.ID), ofGroup) {
				break
			}
			for i := range g.Rules {
				if strings.HasPrefix(string(g.Rules[i].ID), text) {
					found = append(found, ruleThing(g, &g.Rules[i]))
				}
			}
		}
	}
	return found
}

// thing describes a row that is there.
func (f *finder) thing(k Kind, id string) Thing {
	t := Thing{Kind: k, ID: id}
	tags, _ := kinds[k].rows.TagsOf(f.r, id)
	t.Name = NameTag(tags)
	switch k {
	case Interface:
		t.VPC = state.Interfaces.Get(f.r, vpc.InterfaceID(id)).VPC
	case Group:
		g := state.Groups.Get(f.r, vpc.GroupID(id))
		t.Name, t.VPC = g.Name, g.VPC
	case VPC:
		t.VPC = vpc.VPCID(id)
	case Subnet:
		t.VPC = state.Subnets.Get(f.r, vpc.SubnetID(id)).VPC
	case PrefixList:
		t.Name = state.PrefixLists.Get(f.r, vpc.PrefixListID(id)).Name
	case Instance:
		t.VPC = state.Instances.Get(f.r, vpc.InstanceID(id)).VPC
	}
	return t
}

// NameTag gives the value of the tag Name, or "".
func NameTag(tags vpc.Tags) string {
	for _, t := range tags {
		if t.Key == "Name" {
			return t.Value
		}
	}
	return ""
}
