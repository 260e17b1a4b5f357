// Package change knows what a person's wish means: allow this, deny that, give
// a group another name, put one in place of another. It makes of a wish the
// calls of EC2 that fulfil it, in order, with words that say what they do, or
// says why it does not. It asks a state and changes none: making the calls, all
// in one revision, is left to others.
package change

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"moat/ec2query"
	"moat/fault"
	"moat/names"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// A Wish is what somebody wants to be changed.
type Wish struct {
	// Do is allow, deny, rename, rm or replace-group.
	Do string `json:"do"`
	// Group is the word for the group that it is about.
	Group string `json:"group"`

	// What says which traffic is allowed or denied, Peer the other side: words
	// as words.ParseWhat and sources read them. Egress turns it around.
	What        string `json:"what,omitempty"`
	Peer        string `json:"peer,omitempty"`
	Egress      bool   `json:"egress,omitempty"`
	Description string `json:"description,omitempty"`
	// Split narrows wider rules that allow what is denied, and Anyway denies what
	// it can where something still allows the rest.
	Split  bool `json:"split,omitempty"`
	Anyway bool `json:"anyway,omitempty"`

	// New is the new name, or the word for the group that comes in place of the
	// other; of rm it is the one for interfaces that would be left with none.
	New string `json:"new,omitempty"`
	// Detach takes a group that is to be removed off whatever uses it.
	Detach bool `json:"detach,omitempty"`
}

// A Plan is what fulfils a wish.
type Plan struct {
	// Title is what the audit trail calls it where it is several calls.
	Title string `json:"-"`
	Calls []Call `json:"-"`
	// Does says what will be done, a line each; what goes begins with "-", what
	// comes with "+", what is in the way with "!".
	Does []string `json:"does,omitempty"`
	// Notes say what to mind.
	Notes []string `json:"notes,omitempty"`
	// Refused says why nothing is done; empty for a plan that may be carried out.
	Refused string `json:"refused,omitempty"`
	// AWS are the lines that do the same with the AWS command line.
	AWS []string `json:"aws,omitempty"`
	// Idle tells that there is nothing to do.
	Idle bool `json:"idle,omitempty"`
	// Reads are the calls of EC2 that tell what the plan tells beyond groups,
	// interfaces and the names of lists: who may not make them is not to see it.
	Reads []Call `json:"-"`
	// Digest is the same for plans that do the same.
	Digest string `json:"digest"`
}

// A Call is one call of EC2, or of Actions.
type Call struct {
	Action string
	In     any // a pointer to the action's input
}

func (p *Plan) does(format string, args ...any) {
	p.Does = append(p.Does, fmt.Sprintf(format, args...))
}
func (p *Plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// call adds a call with the line that makes it elsewhere.
func (p *Plan) call(action string, in any) {
	p.Calls = append(p.Calls, Call{action, in})
	p.AWS = append(p.AWS, awsLine(action, in)...)
}

// read notes that the plan tells what a call of EC2 does.
func (p *Plan) read(action string, in any) {
	if !slices.ContainsFunc(p.Reads, func(c Call) bool { return c.Action == action && reflect.DeepEqual(c.In, in) }) {
		p.Reads = append(p.Reads, Call{action, in})
	}
}

// Make gives the plan for a wish on a state. The error is a fault: the wish
// cannot be understood there.
func Make(r state.Reader, w *Wish) (*Plan, error) {
	g, err := groupOf(r, w.Group, "")
	if err != nil {
		return nil, err
	}
	m := &maker{Plan: &Plan{}, r: r, w: w, g: g}
	switch w.Do {
	case "allow":
		err = m.allow()
	case "deny":
		err = m.deny()
	case "rename":
		err = m.rename()
	case "rm":
		err = m.remove()
	case "replace-group":
		err = m.replace()
	default:
		err = fault.InvalidParameterValue.With(w.Do, "do", "It is allow, deny, rename, rm or replace-group.")
	}
	if err != nil {
		return nil, err
	}
	m.seal()
	return m.Plan, nil
}

// seal gives the plan its digest. A plan that is refused does nothing.
func (p *Plan) seal() {
	if p.Refused != "" {
		p.Calls, p.AWS = nil, nil
	}
	p.Idle = len(p.Calls) == 0 && p.Refused == ""
	h := sha256.New()
	fmt.Fprintln(h, p.Title, p.Refused)
	for _, line := range p.Does {
		fmt.Fprintln(h, line)
	}
	for _, c := range p.Calls {
		fmt.Fprintln(h, ec2query.EncodeForm(c.Action, "2016-11-15", c.In))
	}
	p.Digest = hex.EncodeToString(h.Sum(nil)[:12])
}

type maker struct {
	*Plan
	r state.Reader
	w *Wish
	g *vpc.SecurityGroup
	// nameIn gives the names of groups and lists where the state does not; nil for
	// that of the state.
	nameIn func(vpc.Peer) string
}

// groupOf finds a group by a word, preferably in a VPC.
func groupOf(r state.Reader, word string, in vpc.VPCID) (*vpc.SecurityGroup, error) {
	t, err := names.Resolve(r, names.Query{Text: word, Kinds: []names.Kind{names.Group}, VPC: in})
	if err != nil {
		return nil, notUnderstood(err)
	}
	return state.Groups.Get(r, vpc.GroupID(t.ID)), nil
}

func notUnderstood(err error) *fault.Error {
	return &fault.Error{Code: "InvalidParameterValue", Status: 400, Message: err.Error()}
}

// called gives a group with its id, for people.
func called(g *vpc.SecurityGroup) string {
	return fmt.Sprintf("%s (%s, %s)", words.Clean(g.Name), g.ID, g.VPC)
}

// nameOf gives the name of a group or a list, "" if it is not there.
func nameOf(r state.Reader, p vpc.Peer) string {
	if id, ok := p.Group(); ok {
		if g := state.Groups.Get(r, id); g != nil {
			return g.Name
		}
	}
	if id, ok := p.PrefixList(); ok {
		if l := prefixList(r, id); l != nil {
			return l.Name
		}
	}
	return ""
}

// prefixList gives a list of the state, or one that AWS owns; nil for none.
func prefixList(r state.Reader, id vpc.PrefixListID) *vpc.PrefixList {
	if l := state.PrefixLists.Get(r, id); l != nil {
		return l
	}
	switch r := r.(type) {
	case *state.Txn:
		return vpc.AWSPrefixList(r.Region, id)
	case *state.Space:
		return vpc.AWSPrefixList(r.Region, id)
	}
	return nil
}

// ruleText gives a rule in words, with its other side by name and id.
func (m *maker) ruleText(rule *vpc.Rule) string {
	name := ""
	if m.nameIn != nil {
		name = m.nameIn(rule.Peer)
	} else {
		name = nameOf(m.r, rule.Peer)
	}
	text := words.Rule(rule, words.Peer(rule.Peer, name))
	if rule.Peer.Ref != "" {
		text += " (" + rule.Peer.Ref + ")"
	}
	if rule.Description != "" {
		text += " " + quoted(rule.Description)
	}
	return text
}

func quoted(s string) string { return `"` + words.Clean(s) + `"` }

// members says how many interfaces have the group.
func (m *maker) members(g *vpc.SecurityGroup) string {
	n := state.Interfaces.Count(m.r, state.InterfacesByGroup, string(g.ID), 1000)
	switch n {
	case 0:
		return "no interface has it yet"
	case 1:
		return "1 interface has it"
	case 1000:
		return "1000 interfaces or more have it"
	}
	return fmt.Sprintf("%d interfaces have it", n)
}

func list(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
