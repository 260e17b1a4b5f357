package server

import (
	"net/http"
	"net/url"
	"time"

	"moat/fault"
	"moat/guardrail"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// A Guardrail is a guardrail of the operator's account: a sentence about what
// must never be so, in every region, whoever brings it about.
type Guardrail struct {
	Name     string `json:"name"`
	Sentence string `json:"sentence"`
	// Created and Author are given in replies.
	Created time.Time `json:"created,omitzero"`
	Author  string    `json:"author,omitempty"`
	// Unreadable tells why the sentence cannot be read: every change that it may
	// forbid is refused.
	Unreadable string `json:"unreadable,omitempty"`
	// Standing are the ways against the sentence that are open already: no
	// change is refused for them.
	Standing []*guardrail.Violation `json:"standing,omitempty"`
}

// Guardrails is the answer to "guardrails".
type Guardrails struct {
	Guardrails []Guardrail `json:"guardrails"`
}

// maxGuardrails bounds what every change of an account is judged by.
const maxGuardrails = 100

// describeGuardrails lists the guardrails with what stands against them.
func (s *Server) describeGuardrails(r *request) (any, error) {
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	out := Guardrails{Guardrails: []Guardrail{}}
	for g := range state.Guardrails.All(view.In(state.Scope{Account: r.scope.Account})) {
		out.Guardrails = append(out.Guardrails, s.describedGuardrail(view, r.scope.Account, g))
	}
	return out, nil
}

func (s *Server) describedGuardrail(v *state.View, account vpc.AccountID, g *vpc.Guardrail) Guardrail {
	out := Guardrail{Name: g.Name, Sentence: g.Sentence, Created: g.Created, Author: g.Author}
	rail, err := guardrail.Parse(g.Name, g.Sentence)
	if err != nil {
		out.Unreadable = err.Error()
		return out
	}
	for sp := range v.Spaces() {
		if sp.Account == account && sp.Region != "" {
			out.Standing = append(out.Standing, guardrail.Standing(v, sp.Scope, rail, s.cfg.Enforcement.Options.Exempt)...)
		}
	}
	return out
}

// setGuardrail makes a guardrail, or says anew what one means. What stands
// against it already is told, and stays.
func (s *Server) setGuardrail(r *request) (any, error) {
	var in Guardrail
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	rail, err := guardrail.Parse(in.Name, in.Sentence)
	if err != nil {
		return nil, err
	}
	row := &vpc.Guardrail{Name: in.Name, Sentence: rail.Sentence, Created: r.began, Author: r.caller.ARN}
	_, rev, err := s.writeGuardrail(r, in, func(tx *state.Txn) error {
		if state.Guardrails.Get(tx, in.Name) == nil && state.Guardrails.Len(tx) >= maxGuardrails {
			return fault.InvalidParameterValue.Say("An account has at most %d guardrails.", maxGuardrails)
		}
		state.Guardrails.Put(tx, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.rev = rev
	return s.describedGuardrail(s.store.Latest(), r.scope.Account, row), nil
}

// removeGuardrail takes a guardrail away.
func (s *Server) removeGuardrail(r *request) (any, error) {
	var in Guardrail
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	_, rev, err := s.writeGuardrail(r, in, func(tx *state.Txn) error {
		if state.Guardrails.Get(tx, in.Name) == nil {
			return &fault.Error{Code: "NotFound", Status: http.StatusNotFound, Message: "There is no guardrail " + in.Name + ": see `moat guardrail list`."}
		}
		state.Guardrails.Delete(tx, in.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.rev = rev
	return Guardrail{Name: in.Name}, nil
}

func (s *Server) writeGuardrail(r *request, in Guardrail, plan func(tx *state.Txn) error) (any, uint64, error) {
	call := s.call(r)
	call.Scope = state.Scope{Account: r.scope.Account} // of every region
	return s.store.Write(r.Context(), &store.Write{
		Call:  call,
		Plan:  func(tx *state.Txn) (any, error) { return nil, plan(tx) },
		Event: s.adminEvent(r, url.Values{"Name": {in.Name}, "Sentence": {in.Sentence}}),
	})
}
