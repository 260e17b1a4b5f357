package state

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"moat/vpc"
)

// A Kind is a kind of record: how it is named, indexed, tagged and read back.
// Its methods are the only way to the rows of a space.
type Kind[K ~string, T any] struct {
	n    kindNumber
	name string // in keys of the store; never changed
	key  func(*T) K

	// resource is the type that tags and ARNs know, idPrefix what its ids
	// begin with; both are empty for a kind without tags.
	resource string
	idPrefix string
	tags     func(*T) *vpc.Tags

	indexes []*Index[T]
}

// An Index finds rows by an attribute. A row may have the attribute several
// times, or not at all.
type Index[T any] struct {
	n     int
	attrs func(row *T, yield func(attr string))
}

// A Reader is something that rows can be read from: a Space or a Txn.
type Reader interface{ space() *Space }

type entry struct {
	attr, id string
	row      any // *T
}

func compareEntries(a, b entry) int {
	if c := strings.Compare(a.attr, b.attr); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

func lessEntry(a, b entry) bool { return compareEntries(a, b) < 0 }

// A table holds the rows of one kind in one space. A table in a view is never
// changed; a transaction copies it first, which costs the same for any size.
// Only its kind touches it, which knows the rows' type: a tree of each type
// would be compiled again, whole, by every package that reads rows.
type table struct {
	rows    *btree.Map[string, any]
	indexes []*btree.BTreeG[entry] // the kind's own, then one for tags
	loading [][]entry              // what is yet to be put into indexes, while a view is loaded

	// changes are the last ones that led here, the first of them but a sign of
	// where they begin. Tables that come from one another share them.
	changes []*change
	noted   bool // changes are this table's own
}

// A change is a row that was replaced by another; each is nil if there was none.
type change struct {
	id       string
	old, row any
}

// keptChanges are so many that a reader of each view knows what it missed, and
// what some busy moments bring.
const keptChanges = 256

func (t *table) note(id string, old, row any) {
	if !t.noted || len(t.changes) == 2*keptChanges {
		last := t.changes[max(0, len(t.changes)-keptChanges):]
		t.changes = append(make([]*change, 0, len(last)+8), last...)
		t.noted = true
	}
	t.changes = append(t.changes, &change{id, old, row})
}

func (t *table) copy() *table {
	c := &table{rows: t.rows.Copy(), indexes: make([]*btree.BTreeG[entry], len(t.indexes)), changes: t.changes}
	for i, x := range t.indexes {
		c.indexes[i] = x.Copy()
	}
	return c
}

// ascend calls yield for the rows whose ids are at or after id, in order.
func (t *table) ascend(id string, yield func(row any) bool) {
	t.rows.Ascend(id, func(_ string, row any) bool { return yield(row) })
}

// walk calls yield for the rows that have the attribute, in the order of ids.
func (t *table) walk(index int, attr string, yield func(row any) bool) {
	t.indexes[index].Ascend(entry{attr: attr}, func(e entry) bool {
		return e.attr == attr && yield(e.row)
	})
}

// set sets a row of a table that nobody else sees, or removes it with nil.
func (t *table) set(id string, row any) (old any) {
	if row == nil {
		old, _ = t.rows.Delete(id)
	} else {
		old, _ = t.rows.Set(id, row)
	}
	return old
}

// drop removes an index's entry, unless it was replaced by another row's.
func (t *table) drop(index int, attr, id string, row any) {
	e := entry{attr: attr, id: id}
	if found, ok := t.indexes[index].Get(e); ok && found.row == row {
		t.indexes[index].Delete(e)
	}
}

// loaded puts what waits into the indexes.
func (t *table) loaded() {
	for i, entries := range t.loading {
		slices.SortFunc(entries, compareEntries)
		for _, e := range entries {
			t.indexes[i].Load(e)
		}
	}
	t.loading = nil
}

func newTable(indexes int) *table {
	t := &table{rows: new(btree.Map[string, any]), changes: []*change{{}}}
	for range indexes {
		t.indexes = append(t.indexes, btree.NewBTreeGOptions(lessEntry, btree.Options{NoLocks: true, Degree: 32}))
	}
	return t
}

func (k *Kind[K, T]) newTable() *table {
	n := len(k.indexes)
	for i, ix := range k.indexes {
		if ix.n != i {
			panic(fmt.Sprintf("state: index %d of kind %s says that it is %d", i, k.name, ix.n))
		}
	}
	if k.tags != nil {
		n++
	}
	return newTable(n)
}

func (k *Kind[K, T]) in(r Reader) *table {
	if s := r.space(); s != nil {
		return s.tables[k.n]
	}
	return nil
}

// Name gives the kind's name in the store.
func (k *Kind[K, T]) Name() string { return k.name }

// ResourceType gives the type by which tags know the kind, "" for a kind
// without tags.
func (k *Kind[K, T]) ResourceType() string { return k.resource }

// IDPrefix gives what ids of the kind begin with, without the dash.
func (k *Kind[K, T]) IDPrefix() string { return k.idPrefix }

// Key gives a row's id.
func (k *Kind[K, T]) Key(row *T) K { return k.key(row) }

// Get gives the row with an id, or nil.
func (k *Kind[K, T]) Get(r Reader, id K) *T {
	t := k.in(r)
	if t == nil {
		return nil
	}
	found, _ := t.rows.Get(string(id))
	row, _ := found.(*T)
	return row
}

// Row is Get for one who does not know the type: nil if there is none.
func (k *Kind[K, T]) Row(r Reader, id string) any {
	if row := k.Get(r, K(id)); row != nil {
		return row
	}
	return nil
}

// Len gives the number of rows.
func (k *Kind[K, T]) Len(r Reader) int {
	t := k.in(r)
	if t == nil {
		return 0
	}
	return t.rows.Len()
}

// All gives every row in the order of ids.
func (k *Kind[K, T]) All(r Reader) iter.Seq[*T] { return k.From(r, "") }

// From gives the rows whose ids are at or after id, in order.
func (k *Kind[K, T]) From(r Reader, id K) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if t := k.in(r); t != nil {
			t.ascend(string(id), func(row any) bool { return yield(row.(*T)) })
		}
	}
}

// By gives the rows that have the attribute in the index, in the order of ids.
func (k *Kind[K, T]) By(r Reader, ix *Index[T], attr string) iter.Seq[*T] {
	return k.walk(r, ix.n, attr)
}

// Attrs returns each attribute that a row has in the index, once, in order. Its
// cost is in proportion to their number, not to that of the rows.
func (k *Kind[K, T]) Attrs(r Reader, ix *Index[T]) iter.Seq[string] {
	return func(yield func(string) bool) {
		t := k.in(r)
		for next, more := "", t != nil; more; {
			more = false
			t.indexes[ix.n].Ascend(entry{attr: next}, func(e entry) bool {
				next, more = e.attr+"\x00", yield(e.attr)
				return false
			})
		}
	}
}

// ByTag gives the rows that have the tag, in the order of ids.
func (k *Kind[K, T]) ByTag(r Reader, key, value string) iter.Seq[*T] {
	return k.walk(r, len(k.indexes), key+"\x00"+value)
}

func (k *Kind[K, T]) walk(r Reader, index int, attr string) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if t := k.in(r); t != nil {
			t.walk(index, attr, func(row any) bool { return yield(row.(*T)) })
		}
	}
}

// Count gives how many rows have the attribute in the index, counting no
// further than limit.
func (k *Kind[K, T]) Count(r Reader, ix *Index[T], attr string, limit int) int {
	n := 0
	for range k.By(r, ix, attr) {
		if n++; n >= limit {
			break
		}
	}
	return n
}

// Put stages a row, in place of one with the same id if there is one.
func (k *Kind[K, T]) Put(tx *Txn, row *T) { k.set(tx, string(k.key(row)), row) }

// Delete stages the removal of the row with an id; none is no error.
func (k *Kind[K, T]) Delete(tx *Txn, id K) { k.set(tx, string(id), nil) }

func (k *Kind[K, T]) set(tx *Txn, id string, row *T) {
	old := k.replace(tx.Space.own(k), id, row)
	if old == nil && row == nil {
		return
	}
	var o, n any
	if old != nil {
		o = old
	}
	if row != nil {
		n = row
	}
	tx.record(k, id, o, n)
}

// replace sets (or with nil removes) a row of a table that nobody else sees.
func (k *Kind[K, T]) replace(t *table, id string, row *T) (old *T) {
	if row == nil {
		old, _ = t.set(id, nil).(*T)
	} else {
		old, _ = t.set(id, row).(*T)
		k.eachAttr(row, func(i int, attr string) { t.indexes[i].Set(entry{attr, id, row}) })
	}
	if old != nil && old != row {
		// What both have was replaced above.
		k.eachAttr(old, func(i int, attr string) { t.drop(i, attr, id, old) })
	}
	t.note(id, rowOrNil(old), rowOrNil(row))
	return old
}

// rowOrNil gives no row as nil, which any(row) would not be.
func rowOrNil[T any](row *T) any {
	if row == nil {
		return nil
	}
	return row
}

// A Replaced is a row as it was before and as it is, nil where there is none.
type Replaced[T any] struct{ Old, New *T }

// Changes gives how the rows of a view came from those of an earlier one, at the
// cost of what changed. ok is false if that is not known: views that do not come
// from one another, or too many changes.
func (k *Kind[K, T]) Changes(from, to Reader) (changes []Replaced[T], ok bool) {
	old, now := k.in(from), k.in(to)
	if old == now {
		return nil, true
	}
	if old == nil || now == nil {
		return nil, false
	}
	at := len(now.changes) - 1
	for last := old.changes[len(old.changes)-1]; at >= 0 && now.changes[at] != last; at-- {
	}
	if at < 0 {
		return nil, false
	}
	places := map[string]int{}
	for _, c := range now.changes[at+1:] {
		n, found := places[c.id]
		if !found {
			n = len(changes)
			places[c.id] = n
			was, _ := c.old.(*T)
			changes = append(changes, Replaced[T]{Old: was})
		}
		changes[n].New, _ = c.row.(*T)
	}
	return changes, true
}

func (k *Kind[K, T]) changes(from, to *Space) (changes []Change, ok bool) {
	replaced, ok := k.Changes(from, to)
	for _, r := range replaced {
		c := Change{Scope: to.Scope, Kind: k, Old: rowOrNil(r.Old), New: rowOrNil(r.New)}
		switch {
		case r.New != nil:
			c.ID = string(k.key(r.New))
		case r.Old != nil:
			c.ID = string(k.key(r.Old))
		default:
			continue // it came and went
		}
		changes = append(changes, c)
	}
	return changes, ok
}

func (k *Kind[K, T]) eachAttr(row *T, f func(index int, attr string)) {
	for i, ix := range k.indexes {
		ix.attrs(row, func(attr string) { f(i, attr) })
	}
	if k.tags != nil {
		for _, tag := range *k.tags(row) {
			f(len(k.indexes), tag.Key+"\x00"+tag.Value)
		}
	}
}

// TagsOf gives the tags of the row with an id; ok is false if there is none.
func (k *Kind[K, T]) TagsOf(r Reader, id string) (tags vpc.Tags, ok bool) {
	row := k.Get(r, K(id))
	if row == nil || k.tags == nil {
		return nil, false
	}
	return *k.tags(row), true
}

// SetTags stages new tags for the row with an id, which must be there.
func (k *Kind[K, T]) SetTags(tx *Txn, id string, tags vpc.Tags) {
	c := *k.Get(tx, K(id))
	*k.tags(&c) = tags
	k.Put(tx, &c)
}

// EachTagged gives id and tags of the rows whose ids are at or after from, in
// the order of ids.
func (k *Kind[K, T]) EachTagged(r Reader, from string) iter.Seq2[string, vpc.Tags] {
	return func(yield func(string, vpc.Tags) bool) {
		if k.tags == nil {
			return
		}
		for row := range k.From(r, K(from)) {
			if !yield(string(k.key(row)), *k.tags(row)) {
				return
			}
		}
	}
}

// IDsByTag gives the ids of the rows that have the tag, in order.
func (k *Kind[K, T]) IDsByTag(r Reader, key, value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if k.tags == nil {
			return
		}
		for row := range k.ByTag(r, key, value) {
			if !yield(string(k.key(row))) {
				return
			}
		}
	}
}

// An AnyKind is a Kind without its types: what tags and the store see of it.
type AnyKind interface {
	Name() string
	ResourceType() string
	IDPrefix() string
	Row(r Reader, id string) any
	TagsOf(r Reader, id string) (vpc.Tags, bool)
	SetTags(tx *Txn, id string, tags vpc.Tags)
	EachTagged(r Reader, from string) iter.Seq2[string, vpc.Tags]
	IDsByTag(r Reader, key, value string) iter.Seq[string]

	number() kindNumber
	newTable() *table
	changes(from, to *Space) (changes []Change, ok bool)
	decode(data []byte) (any, error)
	apply(s *Space, id string, row any)
	stage(tx *Txn, id string, row any)
	rows(r Reader, yield func(id string, row any) bool) bool
	load(s *Space, id string, row any)
}

func (k *Kind[K, T]) number() kindNumber { return k.n }

func (k *Kind[K, T]) decode(data []byte) (any, error) {
	row := new(T)
	if err := decodeRecord(data, row); err != nil {
		return nil, err
	}
	return row, nil
}

// apply puts a decoded row, or removes the one with the id when row is nil.
func (k *Kind[K, T]) apply(s *Space, id string, row any) {
	r, _ := row.(*T)
	k.replace(s.own(k), id, r)
}

// stage stages a row, or the removal of the one with the id when row is nil.
func (k *Kind[K, T]) stage(tx *Txn, id string, row any) {
	r, _ := row.(*T)
	k.set(tx, id, r)
}

// rows gives every row with its id, in the order of ids, until yield ends it.
func (k *Kind[K, T]) rows(r Reader, yield func(id string, row any) bool) bool {
	for row := range k.All(r) {
		if !yield(string(k.key(row)), row) {
			return false
		}
	}
	return true
}

// load puts a decoded row that was not there. Its attributes wait until the
// table is loaded: a tree grows much faster when all that goes into it is sorted.
func (k *Kind[K, T]) load(s *Space, id string, row any) {
	t, r := s.own(k), row.(*T)
	t.rows.Load(id, r)
	if t.loading == nil {
		t.loading = make([][]entry, len(t.indexes))
	}
	k.eachAttr(r, func(i int, attr string) { t.loading[i] = append(t.loading[i], entry{attr, id, r}) })
}
