package survey

import (
	"cmp"
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"moat/names"
	"moat/state"
	"moat/vpc"
	"moat/words"
)

// A Diff is what is different between two revisions.
type Diff struct {
	From    uint64   `json:"from_revision"`
	To      uint64   `json:"to_revision"`
	Changes []Change `json:"changes"`
	// Hidden counts what is different and what the caller may not see.
	Hidden int `json:"hidden,omitempty"`
}

// A Change is one thing that came, went or is another.
type Change struct {
	Op   string `json:"op"`   // added, removed or changed
	Kind string `json:"kind"` // security group, network interface, …
	Ref
	VPC string `json:"vpc,omitempty"`
	// Details are the differences in words, in the order in which they are
	// read: "+" something that is there now, "-" something that was, "~"
	// something that is another, with both.
	Details []Detail `json:"details,omitempty"`
}

// A Detail is one difference.
type Detail struct {
	Sign string `json:"sign"`
	Text string `json:"text"`
}

// kindWords are what people call the kinds whose names in tags do not tell.
var kindWords = map[state.AnyKind]string{
	state.GroupAssociations: "association of a group with a VPC", state.RouteTableAssociations: "association of a route table",
	state.NetworkACLAssociations: "association of a network ACL", state.Guardrails: "guardrail", state.AccessKeys: "access key",
	state.Users: "user", state.UserGroups: "user group", state.Roles: "role", state.ManagedPolicies: "policy",
	state.InstanceProfiles: "instance profile", state.Accounts: "account",
	state.VPCs: "VPC", state.NetworkACLs: "network ACL", state.DHCPOptions: "DHCP options", state.Addresses: "elastic address",
}

// unseen are the kinds that are of no interest to anybody but moat.
var unseen = []state.AnyKind{state.PrefixListVersions, state.ClientTokens, state.Spaces, state.KeyUses}

// secret are the kinds of which it is told that they changed, not how: they
// hold keys.
var secret = []state.AnyKind{state.AccessKeys, state.KeyPairs}

// Compare tells what is different in scopes between two views, of the records
// with the keys that may be; of those that are not to be seen, how many are.
func Compare(before, after *state.View, touched []string, see func(kind state.AnyKind, id string) bool, scopes ...state.Scope) *Diff {
	out := &Diff{From: before.Rev, To: after.Rev, Changes: []Change{}}
	for _, key := range touched {
		scope, kind, id := state.ParseKey(key)
		if kind == nil || !slices.Contains(scopes, scope) || slices.Contains(unseen, kind) {
			continue
		}
		d := differ{before: &Survey{View: before, Scope: scope}, after: &Survey{View: after, Scope: scope}, kind: kind}
		d.old, d.new = kind.Row(before.In(scope), id), kind.Row(after.In(scope), id)
		if c, ok := d.change(id); ok && !see(kind, id) {
			out.Hidden++
		} else if ok {
			out.Changes = append(out.Changes, c)
		}
	}
	slices.SortStableFunc(out.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Called(), b.Called()), strings.Compare(a.ID, b.ID))
	})
	return out
}

// rank puts first what decides who can reach what.
func rank(kind string) int {
	if i := slices.Index([]string{"security group", "prefix list", "network interface", "instance"}, kind); i >= 0 {
		return i
	}
	return 1000
}

// A differ compares one record.
type differ struct {
	before, after *Survey
	kind          state.AnyKind
	old, new      any
	details       []Detail
}

func (d *differ) say(sign, format string, args ...any) {
	d.details = append(d.details, Detail{sign, fmt.Sprintf(format, args...)})
}

func (d *differ) change(id string) (Change, bool) {
	c := Change{Op: "changed", Ref: Ref{ID: id}, Kind: kindWords[d.kind]}
	if c.Kind == "" {
		c.Kind = strings.ReplaceAll(cmp.Or(d.kind.ResourceType(), d.kind.Name()), "-", " ")
	}
	survey, row := d.after, d.new
	switch {
	case d.old == nil && d.new == nil:
		return c, false // it came and went
	case d.old == nil:
		c.Op = "added"
	case d.new == nil:
		c.Op = "removed"
		survey, row = d.before, d.old
	case reflect.DeepEqual(d.old, d.new):
		return c, false
	}
	c.Name, c.VPC = d.name(survey, id), vpcOf(row)
	switch row.(type) {
	case *vpc.SecurityGroup:
		d.groups()
	case *vpc.PrefixList:
		d.lists()
	case *vpc.Interface:
		d.interfaces()
	default:
		if c.Op == "changed" && !slices.Contains(secret, d.kind) {
			d.fields(d.old, d.new, nil)
		}
	}
	c.Details = d.details
	// Nothing that people see, as a token that is remembered.
	return c, c.Op != "changed" || len(c.Details) > 0 || slices.Contains(secret, d.kind)
}

func (d *differ) name(s *Survey, id string) string {
	switch row := d.kind.Row(s.space(), id).(type) {
	case *vpc.SecurityGroup:
		return row.Name
	case *vpc.PrefixList:
		return row.Name
	}
	tags, _ := d.kind.TagsOf(s.space(), id)
	return names.NameTag(tags)
}

// vpcOf gives the VPC that a record says it is in.
func vpcOf(row any) string {
	if f := reflect.ValueOf(row).Elem().FieldByName("VPC"); f.IsValid() && f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}

// old and new of a type; the zero value where there was or is none.
func both[T any](d *differ) (old, now T) {
	if o, ok := d.old.(*T); ok {
		old = *o
	}
	if n, ok := d.new.(*T); ok {
		now = *n
	}
	return old, now
}

func (d *differ) groups() {
	old, now := both[vpc.SecurityGroup](d)
	if d.old != nil && d.new != nil {
		d.fields(d.old, d.new, []string{"Rules", "Tags", "EgressTouched"})
	}
	had := map[vpc.RuleID]*vpc.Rule{}
	for i := range old.Rules {
		had[old.Rules[i].ID] = &old.Rules[i]
	}
	var added, changed []Detail
	for i := range now.Rules {
		r := &now.Rules[i]
		was := had[r.ID]
		delete(had, r.ID)
		text := d.rule(d.after, r)
		switch {
		case was == nil:
			added = append(added, Detail{"+", text})
		case reflect.DeepEqual(was, r):
		case d.rule(d.before, was) != text:
			changed = append(changed, Detail{"~", d.rule(d.before, was) + " is now " + text})
		default:
			changed = append(changed, Detail{"~", text + ": its tags are others"})
		}
	}
	for i := range old.Rules {
		if r := &old.Rules[i]; had[r.ID] != nil {
			d.say("-", "%s", d.rule(d.before, r))
		}
	}
	d.details = slices.Concat(d.details, added, changed)
	d.tags(old.Tags, now.Tags)
}

// rule gives a rule in words, with its direction where that is not plain.
func (d *differ) rule(s *Survey, r *vpc.Rule) string {
	text := words.Rule(r, words.Peer(r.Peer, s.peerName(r.Peer)))
	if r.Description != "" {
		text += fmt.Sprintf(" (%s)", words.Clean(r.Description))
	}
	return text
}

func (d *differ) lists() {
	old, now := both[vpc.PrefixList](d)
	if d.old != nil && d.new != nil {
		d.fields(d.old, d.new, []string{"Entries", "Tags", "Version", "State", "StateMessage"})
	}
	had := map[netip.Prefix]string{}
	for _, e := range old.Entries {
		had[e.CIDR] = e.Description
	}
	has := map[netip.Prefix]bool{}
	entry := func(e vpc.PrefixListEntry) string {
		if e.Description == "" {
			return e.CIDR.String()
		}
		return fmt.Sprintf("%s (%s)", e.CIDR, words.Clean(e.Description))
	}
	for _, e := range now.Entries {
		has[e.CIDR] = true
	}
	for _, e := range old.Entries {
		if !has[e.CIDR] {
			d.say("-", "%s", entry(e))
		}
	}
	for _, e := range now.Entries {
		if was, ok := had[e.CIDR]; !ok {
			d.say("+", "%s", entry(e))
		} else if was != e.Description {
			d.say("~", "%s is now called %s", e.CIDR, words.Clean(cmp.Or(e.Description, "nothing")))
		}
	}
	d.tags(old.Tags, now.Tags)
}

func (d *differ) interfaces() {
	old, now := both[vpc.Interface](d)
	groups := func(s *Survey, ids []vpc.GroupID) (out []string) {
		for _, id := range ids {
			out = append(out, words.Clean(groupRef(s.space(), id).Called()))
		}
		return out
	}
	was, is := groups(d.before, old.Groups), groups(d.after, now.Groups)
	for i, id := range old.Groups {
		if !slices.Contains(now.Groups, id) {
			d.say("-", "group %s", was[i])
		}
	}
	for i, id := range now.Groups {
		if !slices.Contains(old.Groups, id) {
			d.say("+", "group %s", is[i])
		}
	}
	d.set("address", addresses(old), addresses(now))
	d.set("public address", publics(old), publics(now))
	place := func(i vpc.Interface) (out []string) {
		if i.Attachment == nil {
			return nil
		}
		if i.Attachment.Instance != "" {
			out = append(out, "attached to "+i.Attachment.Instance)
		}
		if dev := i.Attachment.Device; dev != nil {
			text := "bound to device " + dev.Name
			if dev.Observe {
				text += ", observing"
			}
			out = append(out, text)
		}
		return out
	}
	d.set("", place(old), place(now))
	if d.old != nil && d.new != nil {
		d.fields(d.old, d.new, []string{"Groups", "Addresses", "IPv6", "IPv4Prefixes", "IPv6Prefixes", "Public", "Attachment", "Tags"})
	}
	d.tags(old.Tags, now.Tags)
}

func addresses(i vpc.Interface) (out []string) {
	for _, a := range slices.Concat(i.Addresses, i.IPv6) {
		out = append(out, a.String())
	}
	for _, p := range slices.Concat(i.IPv4Prefixes, i.IPv6Prefixes) {
		out = append(out, p.String())
	}
	return out
}

func publics(i vpc.Interface) (out []string) {
	for _, p := range i.Public {
		out = append(out, p.Address.String())
	}
	return out
}

// set compares two lists of which the order means nothing.
func (d *differ) set(what string, old, now []string) {
	if what != "" {
		what += " "
	}
	for _, s := range old {
		if !slices.Contains(now, s) {
			d.say("-", "%s%s", what, s)
		}
	}
	for _, s := range now {
		if !slices.Contains(old, s) {
			d.say("+", "%s%s", what, s)
		}
	}
}

func (d *differ) tags(old, now vpc.Tags) {
	value := func(tags vpc.Tags, key string) (string, bool) {
		for _, t := range tags {
			if t.Key == key {
				return t.Value, true
			}
		}
		return "", false
	}
	for _, t := range old {
		if _, ok := value(now, t.Key); !ok {
			d.say("-", "tag %s=%s", words.Clean(t.Key), words.Clean(t.Value))
		}
	}
	for _, t := range now {
		was, ok := value(old, t.Key)
		switch {
		case !ok:
			d.say("+", "tag %s=%s", words.Clean(t.Key), words.Clean(t.Value))
		case was != t.Value:
			d.say("~", "tag %s=%s is now %s", words.Clean(t.Key), words.Clean(was), words.Clean(t.Value))
		}
	}
}

// fields names the fields of two records that differ, with their values where
// those are short.
func (d *differ) fields(old, now any, but []string) {
	o, n := reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem()
	for i := range o.NumField() {
		name := o.Type().Field(i).Name
		if slices.Contains(but, name) || reflect.DeepEqual(o.Field(i).Interface(), n.Field(i).Interface()) {
			continue
		}
		if tags, ok := o.Field(i).Interface().(vpc.Tags); ok {
			d.tags(tags, n.Field(i).Interface().(vpc.Tags))
			continue
		}
		a, b := valueText(o.Field(i)), valueText(n.Field(i))
		if a == "" && b == "" || len(a)+len(b) > 160 || name == "UserData" { // which may hold secrets
			d.say("~", "%s is another", fieldWords(name))
		} else {
			d.say("~", "%s %s is now %s", fieldWords(name), cmp.Or(a, "none"), cmp.Or(b, "none"))
		}
	}
}

// valueText gives a value in words, "" for one that is none or of many parts.
func valueText(v reflect.Value) string {
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case encoding.TextMarshaler:
			if b, err := x.MarshalText(); err == nil {
				return words.Clean(string(b))
			}
		}
	}
	switch v.Kind() {
	case reflect.String:
		return words.Clean(v.String())
	case reflect.Bool, reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint64:
		return fmt.Sprint(v.Interface())
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			part := valueText(v.Index(i))
			if part == "" {
				return ""
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// fieldWords gives a field's name as words: "source dest check".
func fieldWords(name string) string {
	var b strings.Builder
	runes := []rune(strings.ReplaceAll(name, "IPv", "IPV"))
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		startsWord := i > 0 && upper && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord {
			b.WriteByte(' ')
		}
		// IPv4, DNS and the like stay as they are.
		if upper && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return strings.ReplaceAll(b.String(), "IPV", "IPv")
}
