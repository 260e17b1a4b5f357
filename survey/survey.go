// Package survey knows how to look at a space as a person does: what there is,
// what a group lets in, which rules admit an address, who uses a group, what is
// different between two revisions. Its answers are values for programs, with
// the sentences for people beside them; how they are laid out on a terminal is
// left to others.
package survey

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"moat/flow"
	"moat/names"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// A Survey looks at one scope of a view.
type Survey struct {
	View  *state.View
	Scope state.Scope
	// PrefixList gives a list that is not in the state; nil for none.
	PrefixList func(r state.Reader, id vpc.PrefixListID) *vpc.PrefixList
	// MayRead refuses the entries of a list; nil for those of all may be told.
	MayRead func(l *vpc.PrefixList) error
}

func (s *Survey) mayRead(l *vpc.PrefixList) error {
	if s.MayRead == nil {
		return nil
	}
	return s.MayRead(l)
}

func (s *Survey) space() *state.Space { return s.View.In(s.Scope) }

// A Ref is a thing by its id and its name, which may be empty.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Called gives the name, or else the id.
func (r Ref) Called() string { return cmp.Or(r.Name, r.ID) }

// A Tag is a tag.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A Group is a security group.
type Group struct {
	Ref
	VPC         Ref    `json:"vpc"`
	Description string `json:"description"`
	// In and Out count the rules of each direction, Interfaces those that have
	// the group.
	In         int   `json:"rules_in"`
	Out        int   `json:"rules_out"`
	Interfaces int   `json:"interfaces"`
	Tags       []Tag `json:"tags,omitempty"`
}

// A Rule is a rule of a group.
type Rule struct {
	ID        vpc.RuleID `json:"id"`
	Group     Ref        `json:"group"`
	VPC       Ref        `json:"vpc"`
	Direction string     `json:"direction"` // ingress or egress
	Protocol  string     `json:"protocol"`  // as EC2 spells it: tcp, 47, -1
	// FromPort and ToPort are the ports, or ICMP type and code, -1 for all;
	// they are left out for a protocol that has none.
	FromPort *int32 `json:"from_port,omitempty"`
	ToPort   *int32 `json:"to_port,omitempty"`
	// One of these is the other side.
	CIDR       string `json:"cidr,omitempty"`
	PrefixList *Ref   `json:"prefix_list,omitempty"`
	PeerGroup  *Ref   `json:"peer_group,omitempty"`

	Description string `json:"description,omitempty"`
	Tags        []Tag  `json:"tags,omitempty"`
	// Text is the rule in words: "ssh 22/tcp from 203.0.113.7/32".
	Text string `json:"text"`
	// Added tells who added it, where that is known.
	Added *Added `json:"added,omitempty"`
}

// Peer gives the other side: a range or an id.
func (r *Rule) Peer() string {
	switch {
	case r.PeerGroup != nil:
		return r.PeerGroup.ID
	case r.PrefixList != nil:
		return r.PrefixList.ID
	}
	return r.CIDR
}

// prefix gives the range of the other side, the zero one for a group or a list.
func (r *Rule) prefix() netip.Prefix {
	p, _ := netip.ParsePrefix(r.CIDR)
	return p
}

// Added tells of the call that made something.
type Added struct {
	Rev    uint64    `json:"revision"`
	Time   time.Time `json:"time"`
	By     string    `json:"by"` // ARN; empty for moat itself
	From   string    `json:"from,omitempty"`
	Action string    `json:"action"`
}

// An Interface is a network interface.
type Interface struct {
	Ref
	VPC         Ref          `json:"vpc"`
	Subnet      string       `json:"subnet"`
	Addresses   []netip.Addr `json:"addresses"` // private IPv4 first, then IPv6
	Public      []netip.Addr `json:"public,omitempty"`
	Groups      []Ref        `json:"groups"`
	Instance    *Ref         `json:"instance,omitempty"`
	Host        string       `json:"host,omitempty"`
	Device      string       `json:"device,omitempty"`
	Netns       string       `json:"netns,omitempty"`
	Observed    bool         `json:"observed,omitempty"` // judged and counted, nothing dropped
	Description string       `json:"description,omitempty"`
	Tags        []Tag        `json:"tags,omitempty"`
}

// Called gives what people call the interface: its name, that of its instance,
// its id.
func (i *Interface) Called() string {
	if i.Name == "" && i.Instance != nil && i.Instance.Name != "" {
		return i.Instance.Name
	}
	return i.Ref.Called()
}

// A List is a prefix list.
type List struct {
	Ref
	Family  string  `json:"family"`
	Version int64   `json:"version"`
	Max     int32   `json:"max_entries"`
	Entries []Entry `json:"entries,omitempty"`
	// Rules counts the rules that name the list.
	Rules int   `json:"rules"`
	Tags  []Tag `json:"tags,omitempty"`
}

// An Entry is a range of a prefix list.
type Entry struct {
	CIDR        string `json:"cidr"`
	Description string `json:"description,omitempty"`
}

func tagsOf(tags vpc.Tags) []Tag {
	var out []Tag
	for _, t := range tags {
		out = append(out, Tag{t.Key, t.Value})
	}
	return out
}

func vpcRef(r state.Reader, id vpc.VPCID) Ref {
	ref := Ref{ID: string(id)}
	if v := state.VPCs.Get(r, id); v != nil {
		ref.Name = names.NameTag(v.Tags)
	}
	return ref
}

func groupRef(r state.Reader, id vpc.GroupID) Ref {
	ref := Ref{ID: string(id)}
	if g := state.Groups.Get(r, id); g != nil {
		ref.Name = g.Name
	}
	return ref
}

func (s *Survey) group(g *vpc.SecurityGroup) Group {
	out := Group{
		Ref: Ref{string(g.ID), g.Name}, VPC: vpcRef(s.space(), g.VPC), Description: g.Description, Tags: tagsOf(g.Tags),
		Interfaces: state.Interfaces.Count(s.space(), state.InterfacesByGroup, string(g.ID), 1<<30),
	}
	for i := range g.Rules {
		if g.Rules[i].Direction == flow.Egress {
			out.Out++
		} else {
			out.In++
		}
	}
	return out
}

// peerName gives the name of a rule's group or list; empty for another peer,
// and for one that cannot be seen from here.
func (s *Survey) peerName(p vpc.Peer) string {
	if id, ok := p.Group(); ok {
		return groupRef(s.space(), id).Name
	}
	if id, ok := p.PrefixList(); ok {
		if l := s.list(id); l != nil {
			return l.Name
		}
	}
	return ""
}

func (s *Survey) list(id vpc.PrefixListID) *vpc.PrefixList {
	if l := state.PrefixLists.Get(s.space(), id); l != nil {
		return l
	}
	return vpc.AWSPrefixList(s.Scope.Region, id)
}

// Rule gives a rule of a group.
func (s *Survey) Rule(g *vpc.SecurityGroup, r *vpc.Rule) Rule {
	out := Rule{
		ID: r.ID, Group: Ref{string(g.ID), g.Name}, VPC: vpcRef(s.space(), g.VPC), Direction: r.Direction.String(), Protocol: r.Protocol.String(),
		Description: r.Description, Tags: tagsOf(r.Tags),
	}
	if r.HasPorts() {
		out.FromPort, out.ToPort = &r.Ports.From, &r.Ports.To
	}
	name := s.peerName(r.Peer)
	switch {
	case r.Peer.Ref == "":
		out.CIDR = r.Peer.CIDR.String()
	case strings.HasPrefix(r.Peer.Ref, vpc.PrefixListPrefix+"-"):
		out.PrefixList = &Ref{r.Peer.Ref, name}
	default:
		out.PeerGroup = &Ref{r.Peer.Ref, name}
	}
	out.Text = words.Rule(r, words.Peer(r.Peer, name))
	return out
}

func (s *Survey) iface(i *vpc.Interface) Interface {
	out := Interface{
		Ref: Ref{string(i.ID), names.NameTag(i.Tags)}, VPC: vpcRef(s.space(), i.VPC), Subnet: string(i.Subnet),
		Addresses: slices.Concat(i.Addresses, i.IPv6), Description: i.Description, Tags: tagsOf(i.Tags),
	}
	for _, p := range i.Public {
		out.Public = append(out.Public, p.Address)
	}
	for _, id := range i.Groups {
		out.Groups = append(out.Groups, groupRef(s.space(), id))
	}
	if a := i.Attachment; a != nil {
		if a.Instance != "" {
			out.Instance = &Ref{ID: a.Instance}
			if m := state.Instances.Get(s.space(), vpc.InstanceID(a.Instance)); m != nil {
				out.Instance.Name = names.NameTag(m.Tags)
			}
		}
		if d := a.Device; d != nil {
			out.Host, out.Device, out.Netns, out.Observed = d.Host, d.Name, d.Netns, d.Observe
		}
	}
	return out
}

func (s *Survey) prefixList(l *vpc.PrefixList, entries bool) List {
	out := List{Ref: Ref{string(l.ID), l.Name}, Family: l.Family, Version: l.Version, Max: l.MaxEntries, Tags: tagsOf(l.Tags)}
	for g := range state.Groups.By(s.space(), state.GroupsByRef, string(l.ID)) {
		for i := range g.Rules {
			if g.Rules[i].Peer.Ref == string(l.ID) {
				out.Rules++
			}
		}
	}
	if entries {
		for _, e := range l.Entries {
			out.Entries = append(out.Entries, Entry{e.CIDR.String(), e.Description})
		}
	}
	return out
}

// sortRules puts rules into the order in which people read them: inwards
// first, then by traffic and other side.
func sortRules(rules []Rule) {
	port := func(p *int32) int32 {
		if p == nil {
			return -1
		}
		return *p
	}
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(
			cmp.Compare(b.Direction, a.Direction), // ingress first
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(port(a.FromPort), port(b.FromPort)), cmp.Compare(port(a.ToPort), port(b.ToPort)),
			a.prefix().Compare(b.prefix()), cmp.Compare(a.Peer(), b.Peer()), cmp.Compare(a.ID, b.ID),
		)
	})
}
