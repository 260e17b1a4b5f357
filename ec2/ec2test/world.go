// Package ec2test runs actions on a state in memory, without server or store,
// for tests that are about what actions do.
package ec2test

import (
	"strings"
	"testing"
	"time"

	"moat/action"
	"moat/ec2"
	"moat/ec2query"
	"moat/fault"
	"moat/iam"
	"moat/state"
	"moat/vpc"
)

// A World is a state that calls change one after the other. Its ids are drawn
// from a sequence, so that a test gives the same ones each time.
type World struct {
	t      testing.TB
	View   *state.View
	Scope  state.Scope
	Now    time.Time
	Quotas *vpc.Quotas
	seed   uint64
	// Check judges what a call staged, as a server does; nil for not at all.
	Check func(tx *state.Txn) error
}

// New gives a world with a default VPC in us-east-1 of account 123456789012.
func New(t testing.TB) *World {
	w := &World{
		t: t, View: state.NewView(), Scope: state.Scope{Region: "us-east-1", Account: "123456789012"},
		Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Quotas: vpc.DefaultQuotas(),
	}
	w.Stage(func(tx *state.Txn) error { _, err := ec2.NewDefaultVPC(tx); return err })
	return w
}

// Stage runs a function in a transaction of its own.
func (w *World) Stage(f func(tx *state.Txn) error) {
	w.t.Helper()
	st := state.NewStage(w.View)
	tx := st.Begin(w.call())
	if err := f(tx); err != nil {
		w.t.Fatal(err)
	}
	st.Accept(tx)
	w.View = st.View()
}

func (w *World) call() state.Call {
	return state.Call{
		Scope: w.Scope, Caller: iam.Root(w.Scope.Account, vpc.Partition(w.Scope.Region), "AKIDEXAMPLE"),
		Now: w.Now, Quotas: w.Quotas, Random: w.random,
	}
}

func (w *World) random() uint64 {
	w.seed++
	x := w.seed * 0x9e3779b97f4a7c15 // spread, so that ids look like ids
	x ^= x >> 31
	return x * 0xbf58476d1ce4e5b9
}

// Do makes a call, its parameters in pairs, and gives the reply's XML or the
// fault. As on the server, a call that fails or is a dry run changes nothing.
func (w *World) Do(name string, params ...string) (string, *fault.Error) {
	w.t.Helper()
	a := w.find(name)
	if a == nil {
		return "", fault.InvalidAction.With(name)
	}
	var body strings.Builder
	body.WriteString("Action=" + name + "&Version=2016-11-15")
	for i := 0; i+1 < len(params); i += 2 {
		body.WriteString("&" + escape(params[i]) + "=" + escape(params[i+1]))
	}
	form, err := ec2query.ParseForm("", []byte(body.String()), ec2query.Limits{})
	if err != nil {
		return "", w.fault(err)
	}
	in := a.NewInput()
	if err := form.Decode(in); err != nil {
		return "", w.fault(err)
	}
	switch a := a.(type) {
	case action.Planner:
		if m, ok := a.(action.Maker); ok && !action.IsDryRun(in) {
			if err := m.Make(in, Secrets{}); err != nil {
				return "", w.fault(err)
			}
		}
		st := state.NewStage(w.View)
		tx := st.Begin(w.call())
		out, err := a.Stage(tx, in)
		if err == nil && w.Check != nil {
			err = w.Check(tx)
		}
		if err != nil {
			return "", w.fault(err)
		}
		if action.IsDryRun(in) {
			return "", fault.DryRunOperation.With()
		}
		st.Accept(tx)
		w.View = st.View()
		return string(ec2query.AppendResponse(nil, name, "11111111-2222-4333-8444-555555555555", out)), nil
	case action.Answerer:
		c := &action.Call{Space: w.View.In(w.Scope), View: w.View, Caller: w.call().Caller, Now: w.Now, Quotas: w.Quotas}
		reply, err := a.Answer(c, in)
		if err != nil {
			return "", w.fault(err)
		}
		if action.IsDryRun(in) {
			return "", fault.DryRunOperation.With()
		}
		buf := ec2query.AppendHead(nil, name, "11111111-2222-4333-8444-555555555555")
		buf = reply.AppendMembers(buf, nil)
		return string(ec2query.AppendTail(buf, name)), nil
	}
	w.t.Fatalf("action %s is neither planned nor answered", name)
	return "", nil
}

// Must is Do for a call that has to succeed.
func (w *World) Must(name string, params ...string) string {
	w.t.Helper()
	xml, f := w.Do(name, params...)
	if f != nil {
		w.t.Fatalf("%s %q: %v", name, params, f)
	}
	return xml
}

// Refused is Do for a call that has to fail with a code, and to change
// nothing. It gives the message.
func (w *World) Refused(code, name string, params ...string) string {
	w.t.Helper()
	before := w.View
	xml, f := w.Do(name, params...)
	switch {
	case f == nil:
		w.t.Fatalf("%s %q: succeeded, want %s; got %s", name, params, code, xml)
	case f.Code != code:
		w.t.Fatalf("%s %q: %v, want code %s", name, params, f, code)
	case w.View != before:
		w.t.Fatalf("%s %q: refused, yet the state changed", name, params)
	}
	return f.Message
}

// Space gives the world's space, for looking at rows.
func (w *World) Space() *state.Space { return w.View.In(w.Scope) }

// Text gives the text of every element with a name, in document order.
func Text(xml, element string) []string {
	var out []string
	open, end := "<"+element+">", "</"+element+">"
	for {
		_, rest, ok := strings.Cut(xml, open)
		if !ok {
			return out
		}
		text, after, ok := strings.Cut(rest, end)
		if !ok {
			return out
		}
		out = append(out, text)
		xml = after
	}
}

// One gives the text of the first element with a name, or "".
func One(xml, element string) string {
	if all := Text(xml, element); len(all) > 0 {
		return all[0]
	}
	return ""
}

func (w *World) find(name string) action.Action {
	for _, a := range ec2.Actions {
		if a.Info().Name == name {
			return a
		}
	}
	return nil
}

func (w *World) fault(err error) *fault.Error {
	w.t.Helper()
	f, ok := err.(*fault.Error)
	if !ok {
		w.t.Fatalf("%v (%T) is not a fault", err, err)
	}
	return f
}

func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// Secrets makes keys that everybody knows.
type Secrets struct{}

// KeyPair gives a key whose halves do not belong together.
func (Secrets) KeyPair(kind string) (*action.KeyPair, error) {
	k := &action.KeyPair{PKCS8: []byte("private"), Private: "the private half of a key"}
	name := "ssh-" + kind
	k.Public = append([]byte{0, 0, 0, byte(len(name))}, name...)
	parts := [][]byte{make([]byte, 32)}
	if kind == "rsa" {
		parts = [][]byte{{1, 0, 1}, make([]byte, 257)}
		parts[1][1], parts[1][256] = 0x80, 1
	}
	for _, p := range parts {
		k.Public = append(k.Public, 0, 0, byte(len(p)>>8), byte(len(p)))
		k.Public = append(k.Public, p...)
	}
	return k, nil
}
