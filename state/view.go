// Package state knows what exists at one revision: immutable views with
// indexes, and transactions staged on one. Nothing here waits, sends or
// stores; a view is a value, and reading it takes no lock.
package state

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/tidwall/btree"

	"moat/vpc"
)

// A Scope is a region of one account, the widest thing that a caller sees.
// The zero Scope holds what belongs to no region: access keys.
type Scope struct {
	Region  string
	Account vpc.AccountID
}

func (s Scope) key() string { return s.Region + "/" + string(s.Account) }

// A View is everything at one revision.
type View struct {
	// Rev counts the committed calls.
	Rev    uint64
	spaces *btree.Map[string, *Space]
}

// NewView gives the view of an empty store.
func NewView() *View { return &View{spaces: new(btree.Map[string, *Space])} }

// In gives a scope's space. One in which nothing was ever stored is empty.
func (v *View) In(s Scope) *Space {
	if sp, ok := v.spaces.Get(s.key()); ok {
		return sp
	}
	return &Space{Scope: s}
}

// Used reports whether a scope was ever used, also if nothing is left in it.
func (v *View) Used(s Scope) bool { return Spaces.Get(v.In(s), "space") != nil }

// Has reports whether anything was ever stored in a scope.
func (v *View) Has(s Scope) bool { _, ok := v.spaces.Get(s.key()); return ok }

// SpaceCount gives the number of scopes in which something was ever stored.
func (v *View) SpaceCount() int { return v.spaces.Len() }

// Spaces gives every space that holds something.
func (v *View) Spaces() iter.Seq[*Space] {
	return func(yield func(*Space) bool) {
		v.spaces.Scan(func(_ string, s *Space) bool { return yield(s) })
	}
}

// Changes returns the rows of some kinds that were replaced on the way from an
// earlier view to this one, at the cost of what was replaced and of a comparison
// for each space. ok is false if that is not known: views that do not come from
// one another, or too many changes.
func (v *View) Changes(from *View, kinds ...AnyKind) (changes []Change, ok bool) {
	found, ok := 0, true
	v.spaces.Scan(func(key string, now *Space) bool {
		old, there := from.spaces.Get(key)
		if there {
			found++
		}
		for _, k := range kinds {
			if old == now || !ok {
				break
			}
			var more []Change
			more, ok = k.changes(old, now)
			changes = append(changes, more...)
		}
		return ok
	})
	if !ok || found < from.spaces.Len() { // or a space is gone
		return nil, false
	}
	return changes, true
}

// A Space is what one scope holds at one revision.
type Space struct {
	Scope
	tables [numKinds]*table
	owned  [numKinds]bool // by a transaction: may be changed in place
}

func (s *Space) space() *Space { return s }

// Same reports whether two spaces have the same rows of some kinds, at the cost
// of a comparison for each kind. It may say no where rows are equal: a view that
// was loaded anew shares nothing with the one before.
func (s *Space) Same(o *Space, kinds ...AnyKind) bool {
	for _, k := range kinds {
		if n := k.number(); s.tables[n] != o.tables[n] {
			return false
		}
	}
	return true
}

// own gives a kind's table for changing; s must not be in a view.
func (s *Space) own(k AnyKind) *table {
	n := k.number()
	if !s.owned[n] {
		if s.tables[n] == nil {
			s.tables[n] = k.newTable()
		} else {
			s.tables[n] = s.tables[n].copy()
		}
		s.owned[n] = true
	}
	return s.tables[n]
}

func (s *Space) clone() *Space { return &Space{Scope: s.Scope, tables: s.tables} }

// A Record is a stored row: its key, and its bytes or nil when it is gone.
type Record struct {
	Key   string
	Value []byte
}

// Key gives the key under which the store keeps a row.
func Key(s Scope, k AnyKind, id string) string { return s.key() + "/" + k.Name() + "/" + id }

// ParseKey reads a key back; kind is nil for one that this moat does not know.
func ParseKey(key string) (s Scope, kind AnyKind, id string) {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) != 4 {
		return s, nil, ""
	}
	for _, k := range Kinds {
		if k.Name() == parts[2] {
			kind = k
		}
	}
	return Scope{parts[0], vpc.AccountID(parts[1])}, kind, parts[3]
}

// A Decoded is a record read back, ready to be put into a view.
type Decoded struct {
	scope Scope
	kind  AnyKind
	id    string
	row   any
}

// Decode reads a record back. Decoding is the slow part of loading and may be
// done by several goroutines at once.
func Decode(r Record) (Decoded, error) {
	parts := strings.SplitN(r.Key, "/", 4)
	if len(parts) != 4 {
		return Decoded{}, fmt.Errorf("record key %q: want region/account/kind/id", r.Key)
	}
	d := Decoded{scope: Scope{parts[0], vpc.AccountID(parts[1])}, id: parts[3]}
	for _, k := range Kinds {
		if k.Name() == parts[2] {
			d.kind = k
		}
	}
	if d.kind == nil {
		return Decoded{}, fmt.Errorf("record key %q: kind %q is unknown: the data was written by a newer moat", r.Key, parts[2])
	}
	if r.Value == nil {
		return d, nil
	}
	row, err := d.kind.decode(r.Value)
	if err != nil {
		return Decoded{}, fmt.Errorf("record %q: %w", r.Key, err)
	}
	d.row = row
	return d, nil
}

// Load gives the view at revision rev that holds the records, each of which
// has a key of its own. It is fastest when they come in the order of keys.
func Load(rev uint64, records iter.Seq[Decoded]) *View {
	v := NewView()
	v.Rev = rev
	open := map[Scope]*Space{}
	for d := range records {
		s := open[d.scope]
		if s == nil {
			s = &Space{Scope: d.scope}
			open[d.scope] = s
			v.spaces.Set(d.scope.key(), s)
		}
		d.kind.load(s, d.id, d.row)
	}
	for _, s := range open {
		for _, t := range s.tables {
			if t != nil {
				t.loaded()
			}
		}
		s.owned = [numKinds]bool{}
	}
	return v
}

// Apply gives the view at revision rev that v and the records make.
func (v *View) Apply(rev uint64, records iter.Seq[Decoded]) *View {
	next := &View{Rev: rev, spaces: v.spaces.Copy()}
	open := map[Scope]*Space{}
	for d := range records {
		s := open[d.scope]
		if s == nil {
			s = next.In(d.scope).clone()
			open[d.scope] = s
			next.spaces.Set(d.scope.key(), s)
		}
		d.kind.apply(s, d.id, d.row)
	}
	for _, s := range open {
		s.owned = [numKinds]bool{}
	}
	return next
}

// AddressKey gives an address's key in InterfacesByAddress.
func AddressKey(subnet vpc.SubnetID, a netip.Addr) string {
	return string(subnet) + "/" + a.String()
}

// BlockKey gives a delegated block's key in InterfacesByAddress.
func BlockKey(subnet vpc.SubnetID, b netip.Prefix) string {
	return string(subnet) + "/" + b.String()
}

// TouchedKey gives the key in InterfacesByAddress of the interfaces that have
// single addresses in an IPv6 block.
func TouchedKey(subnet vpc.SubnetID, b netip.Prefix) string {
	return string(subnet) + "~" + b.String()
}

// TagKey gives a tag's key in an index of tags.
func TagKey(key, value string) string { return key + "\x00" + value }

// PrefixListVersionKey gives the id of a kept version; ids sort by number.
func PrefixListVersionKey(l vpc.PrefixListID, number int64) string {
	return fmt.Sprintf("%s.%012d", l, number)
}

// GroupAssociationKey gives the id of an association.
func GroupAssociationKey(g vpc.GroupID, v vpc.VPCID) string { return string(g) + "." + string(v) }

// RuleByID finds a rule by its id: the group that has it and its place there,
// or nil. An id begins with digits of its group's id, so that no index of
// rules is needed.
func RuleByID(r Reader, id vpc.RuleID) (*vpc.SecurityGroup, int) {
	if len(id) < len("sgr-")+ruleGroupDigits || id[:4] != "sgr-" {
		return nil, 0
	}
	prefix := "sg-" + string(id[4:4+ruleGroupDigits])
	for g := range Groups.From(r, vpc.GroupID(prefix)) {
		if !strings.HasPrefix(string(g.ID), prefix) {
			break
		}
		for i := range g.Rules {
			if g.Rules[i].ID == id {
				return g, i
			}
		}
	}
	return nil, 0
}

// DefaultVPC gives the space's default VPC, or nil.
func DefaultVPC(r Reader) *vpc.VPC {
	for v := range VPCs.By(r, VPCsByDefault, "true") {
		return v
	}
	return nil
}

// DefaultGroup gives the default group of a VPC, or nil.
func DefaultGroup(r Reader, id vpc.VPCID) *vpc.SecurityGroup { return GroupByName(r, id, "default") }

// GroupByName gives the group of a VPC that has a name, whatever its case, or
// nil.
func GroupByName(r Reader, id vpc.VPCID, name string) *vpc.SecurityGroup {
	for g := range Groups.By(r, GroupsByName, strings.ToLower(name)) {
		if g.VPC == id {
			return g
		}
	}
	return nil
}
