package state

import "iter"

// Nested plans in a transaction of its own, on what tx has staged so far, and
// stages what that one did. So several plans make one transaction, and each
// sees only its own changes as changes. On error tx is as it was.
func (tx *Txn) Nested(plan func(inner *Txn) error) ([]Change, error) {
	inner := NewStage(tx.View()).Begin(Call{
		Scope: tx.Scope, Caller: tx.Caller, Now: tx.Now, Quotas: tx.Quotas, Random: tx.random, Seal: tx.seal,
	})
	if err := plan(inner); err != nil {
		return nil, err
	}
	changes := inner.Changes()
	for _, c := range changes {
		c.Kind.stage(tx.In(c.Scope), c.ID, c.New)
	}
	return changes, nil
}

// Put stages a record that was read back: its row, or the removal of what is
// there when it has none.
func (tx *Txn) Put(d Decoded) { d.kind.stage(tx.In(d.scope), d.id, d.row) }

// Now gives the row that a reader of the record's scope has in its place; nil
// for none.
func (d *Decoded) Now(r Reader) any { return d.kind.Row(r, d.id) }

// Scope gives the scope of the record.
func (d *Decoded) Scope() Scope { return d.scope }

// Kind gives the kind of the record.
func (d *Decoded) Kind() AnyKind { return d.kind }

// ID gives the id of the record in its kind.
func (d *Decoded) ID() string { return d.id }

// Row gives the record's row, a pointer that is not for changing; nil when the
// record is gone.
func (d *Decoded) Row() any { return d.row }

// With gives the same record with another row, nil for none.
func (d Decoded) With(row any) Decoded {
	d.row = row
	return d
}

// Rows gives every row of a space, of all kinds.
func Rows(r Reader) iter.Seq[Decoded] {
	return func(yield func(Decoded) bool) {
		scope := r.space().Scope
		for _, k := range Kinds {
			if !k.rows(r, func(id string, row any) bool { return yield(Decoded{scope, k, id, row}) }) {
				return
			}
		}
	}
}
