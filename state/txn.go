package state

import (
	"fmt"
	"time"

	"moat/iam"
	"moat/vpc"
)

// A Stage collects the changes of calls on top of a view, one call after the
// other, each whole or not at all.
type Stage struct {
	base   *View
	rev    uint64
	spaces map[Scope]*Space
}

// NewStage gives a stage on a view with nothing staged.
func NewStage(v *View) *Stage {
	return &Stage{base: v, rev: v.Rev, spaces: map[Scope]*Space{}}
}

// A Call is what a transaction must be told, since it reads no clock and draws
// no number of its own.
type Call struct {
	Scope  Scope
	Caller iam.Principal
	Now    time.Time
	Quotas *vpc.Quotas
	// Random gives numbers for new ids; a call that makes secrets is given
	// numbers that nobody can foretell.
	Random func() uint64
	// Seal encrypts the secret of an access key.
	Seal func(keyID, secret string) []byte
}

// A Txn is the staging of one call: it reads what the calls before it left,
// and its own changes.
type Txn struct {
	*Space
	Caller iam.Principal
	Now    time.Time
	Quotas *vpc.Quotas

	random  func() uint64
	seal    func(keyID, secret string) []byte
	stage   *Stage
	spaces  map[Scope]*Space
	changes *changeLog // shared by the transaction's scopes
}

// A changeLog has each changed row once, in the order of first touch. The zero
// value is empty.
type changeLog struct {
	list []Change
	at   map[changeKey]int // places in list, once there are many
}

// A changeKey names a row.
type changeKey struct {
	scope Scope
	kind  kindNumber
	id    string
}

func (c *Change) key() changeKey { return changeKey{c.Scope, c.Kind.number(), c.ID} }

// fewChanges are so many that looking at each is faster than a map.
const fewChanges = 16

// find returns the change of a row, or nil.
func (l *changeLog) find(k changeKey) *Change {
	if l.at == nil {
		for i := range l.list {
			if c := &l.list[i]; c.key() == k {
				return c
			}
		}
		return nil
	}
	if i, ok := l.at[k]; ok {
		return &l.list[i]
	}
	return nil
}

// add appends the change of a row that has none.
func (l *changeLog) add(c Change) {
	l.list = append(l.list, c)
	switch n := len(l.list); {
	case l.at != nil:
		l.at[c.key()] = n - 1
	case n > fewChanges:
		l.at = make(map[changeKey]int, 2*n)
		for i := range l.list {
			l.at[l.list[i].key()] = i
		}
	}
}

// A Change is a row before and after a call; nil where it did not exist.
type Change struct {
	Scope    Scope
	Kind     AnyKind
	ID       string
	Old, New any
}

// Key gives the key of the changed row in the store.
func (c *Change) Key() string { return Key(c.Scope, c.Kind, c.ID) }

// Begin starts a call's transaction. It counts only once it is accepted.
func (st *Stage) Begin(c Call) *Txn {
	tx := &Txn{
		Caller: c.Caller, Now: c.Now, Quotas: c.Quotas,
		random: c.Random, seal: c.Seal, stage: st, spaces: map[Scope]*Space{}, changes: new(changeLog),
	}
	if tx.Quotas == nil {
		tx.Quotas = vpc.DefaultQuotas()
	}
	return tx.In(c.Scope)
}

// In gives the same transaction in another scope.
func (tx *Txn) In(s Scope) *Txn {
	sp := tx.spaces[s]
	if sp == nil {
		if staged := tx.stage.spaces[s]; staged != nil {
			sp = staged.clone()
		} else {
			sp = tx.stage.base.In(s).clone()
		}
		tx.spaces[s] = sp
	}
	c := *tx
	c.Space = sp
	return &c
}

func (tx *Txn) record(k AnyKind, id string, old, row any) {
	change := Change{tx.Scope, k, id, old, row}
	if c := tx.changes.find(change.key()); c != nil {
		c.New = row
		return
	}
	tx.changes.add(change)
}

// Changes gives what the transaction staged, each row once, in the order of
// first touch. A row that came and went is left out.
func (tx *Txn) Changes() []Change {
	var out []Change
	for _, c := range tx.changes.list {
		if c.Old != nil || c.New != nil {
			out = append(out, c)
		}
	}
	return out
}

// View gives the view that the transaction would make, for looking at while it
// is staged: it shows what is staged after, too.
func (tx *Txn) View() *View {
	v := tx.stage.View()
	for scope, s := range tx.spaces {
		v.spaces.Set(scope.key(), s)
	}
	v.Rev++
	return v
}

// Before gives the view that the transaction began on, with what the calls
// before it staged.
func (tx *Txn) Before() *View { return tx.stage.View() }

// Accept makes the transaction's changes part of the stage, as its next
// revision, which it gives.
func (st *Stage) Accept(tx *Txn) uint64 {
	for scope, s := range tx.spaces {
		if s.owned == [numKinds]bool{} {
			continue // only looked into
		}
		s.owned = [numKinds]bool{}
		st.spaces[scope] = s
	}
	st.rev++
	return st.rev
}

// View gives the view that the accepted transactions make.
func (st *Stage) View() *View {
	v := &View{Rev: st.rev, spaces: st.base.spaces.Copy()}
	for scope, s := range st.spaces {
		v.spaces.Set(scope.key(), s)
	}
	return v
}

// NewID gives a new id: prefix, a dash and 17 hexadecimal digits.
func (tx *Txn) NewID(prefix string) string {
	return fmt.Sprintf("%s-0%016x", prefix, tx.random())
}

// Seal encrypts the secret of an access key, for its record.
func (tx *Txn) Seal(keyID, secret string) []byte { return tx.seal(keyID, secret) }

// Random gives a random number, for addresses and the like.
func (tx *Txn) Random() uint64 { return tx.random() }

// ruleGroupDigits is how many digits of a group's id its rules' ids begin with.
const ruleGroupDigits = 10

// NewRuleID gives an id for a new rule of g that no rule has: neither one of
// g, which may not be put yet, nor one of a group whose id begins alike.
func (tx *Txn) NewRuleID(g *vpc.SecurityGroup) vpc.RuleID {
	digits := string(g.ID[3:])
	if len(digits) < ruleGroupDigits {
		digits += "0000000000"
	}
	for {
		id := vpc.RuleID(fmt.Sprintf("sgr-%s%07x", digits[:ruleGroupDigits], tx.random()>>36))
		other, _ := RuleByID(tx, id)
		taken := other != nil
		for i := range g.Rules {
			taken = taken || g.Rules[i].ID == id
		}
		if !taken {
			return id
		}
	}
}
