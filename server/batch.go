package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"moat/action"
	"moat/ec2query"
	"moat/fault"
	"moat/iamapi"
	"moat/state"
	"moat/store"
)

// A Batch is several calls of EC2 that are made together: all of them in one
// revision, or none.
type Batch struct {
	Calls []BatchCall `json:"calls"`
	// DryRun plans and judges everything and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// IfRevision is the revision on which the batch was thought out: on any other
	// nothing is done. 0 for whichever there is.
	IfRevision uint64 `json:"if_revision,omitempty"`
}

// A BatchCall is a call as EC2's Query API has it: "Action=…&GroupId=…".
type BatchCall struct {
	Form string `json:"form"`
}

// A BatchReply answers a batch.
type BatchReply struct {
	Done
	Calls []BatchAnswer `json:"calls"`
}

// A Done says what became of a change: its revision, and how far it is enforced.
// Of a dry run the revision is the one that was judged.
type Done struct {
	Revision uint64 `json:"revision"`
	Enforced string `json:"enforced,omitempty"`
	// EnforcedHosts counts the hosts that obey and those that the change concerns,
	// as "2/3"; empty if only the server's host was waited for.
	EnforcedHosts string `json:"enforced_hosts,omitempty"`
	// EnforcedAfter is how long it took from the call's arrival until it was in
	// force; nil where no device is bound whose packets could obey.
	EnforcedAfter *time.Duration `json:"enforced_after_ns,omitempty"`
}

// A BatchAnswer is the answer to one call, in EC2's XML.
type BatchAnswer struct {
	Action    string `json:"action"`
	RequestID string `json:"request_id"`
	Response  string `json:"response"`
}

// maxBatchCalls bounds what one transaction does.
const maxBatchCalls = 1000

// A callError is the refusal of one call of a batch.
type callError struct {
	number int // from 1
	action string
	fault  *fault.Error
}

func (e *callError) Error() string { return e.fault.Error() }
func (e *callError) Unwrap() error { return e.fault }

// A step is one call on its way through a change.
type step struct {
	*request
	plan action.Planner
	in   any
	form string // for the audit trail

	out     any
	changes []state.Change
}

// newStep gives a step of a request's caller.
func (s *Server) newStep(r *request, svc service, a action.Planner, in any, form string) *step {
	own := *r
	st := &step{request: &own, plan: a, in: in, form: form}
	st.id = newRequestID()
	st.service, st.action, st.known = svc, a.Info().Name, true
	return st
}

// batch answers a batch.
func (s *Server) batch(r *request) (any, error) {
	var in Batch
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	if len(in.Calls) == 0 || len(in.Calls) > maxBatchCalls {
		return nil, fault.InvalidParameterValue.Say("A batch has from 1 to %d calls.", maxBatchCalls)
	}
	steps := make([]*step, len(in.Calls))
	for i, c := range in.Calls {
		st, err := s.readStep(r, c.Form, in.DryRun)
		if err != nil {
			f := s.fault(r, err)
			return nil, numbered(len(in.Calls), i+1, f, actionOf(c.Form))
		}
		steps[i] = st
	}
	reply := &BatchReply{}
	err := s.change(r, &reply.Done, in.DryRun, func(tx *state.Txn) (*changing, error) {
		if in.IfRevision != 0 && tx.Before().Rev != in.IfRevision {
			return nil, movedOn(in.IfRevision, tx.Before().Rev)
		}
		return &changing{title: "Batch", steps: steps}, nil
	})
	if err != nil {
		return nil, err
	}
	for _, st := range steps {
		xml := ec2query.AppendHead(nil, st.action, st.id)
		xml = ec2query.AppendTail(ec2query.AppendMembers(xml, st.out), st.action)
		reply.Calls = append(reply.Calls, BatchAnswer{Action: st.action, RequestID: st.id, Response: string(xml)})
	}
	return reply, nil
}

// actionOf gives the action that a form names, which may be no good one.
func actionOf(form string) string {
	q, _ := url.ParseQuery(form)
	return q.Get("Action")
}

// movedOn says that the state is not the one that a change was thought out on.
func movedOn(want, is uint64) error {
	return &fault.Error{Code: "RevisionChanged", Status: http.StatusPreconditionFailed, Message: fmt.Sprintf(
		"The state is at revision %d, not at %d on which this was asked for: look again, and ask again. Nothing was changed.", is, want)}
}

// readStep reads a call of EC2.
func (s *Server) readStep(r *request, text string, dryRun bool) (*step, error) {
	form, err := ec2query.ParseForm("", []byte(text), ec2query.Limits{Bytes: maxBody})
	if err != nil {
		return nil, err
	}
	name := form.Get("Action")
	if name == "" {
		return nil, fault.MissingAction.With()
	}
	version := form.Get("Version")
	if version != "" {
		if err := serviceEC2.checkVersion(version, name); err != nil {
			return nil, err
		}
	}
	a, ok := s.actions[serviceEC2][name]
	if !ok {
		return nil, serviceEC2.unknownAction(name, version)
	}
	p, ok := a.(action.Planner)
	if !ok {
		return nil, fault.InvalidRequest.Say("%s changes nothing, and a batch is of calls that do: make it by itself.", name)
	}
	in := a.NewInput()
	if err := form.Decode(in); err != nil {
		return nil, err
	}
	if action.IsDryRun(in) {
		return nil, fault.InvalidRequest.Say("A dry run is of the whole batch: use dry_run of the batch, not DryRun of a call.")
	}
	if m, ok := a.(action.Maker); ok && !dryRun {
		if err := m.Make(in, secrets{}); err != nil {
			return nil, err
		}
	}
	return s.newStep(r, serviceEC2, p, in, paramsOf(form)), nil
}

// A changing is what one change does in a transaction: steps, or a function of
// its own beside them.
type changing struct {
	// title is what the audit trail calls it where it is not one call of an API.
	title  string
	params url.Values
	steps  []*step
	also   func(tx *state.Txn) error
}

// change makes a change in one revision: all its steps, each authorised as if
// it were made alone, judged together by guardrails, the protection against
// lockout and whatever else every call is judged by. what is called on the view
// that is planned on, possibly several times.
func (s *Server) change(r *request, done *Done, dryRun bool, what func(tx *state.Txn) (*changing, error)) error {
	api := *r // as a call of EC2: what every account begins with, the guard
	api.service, api.form = serviceEC2, &ec2query.Form{}
	if err := s.furnish(&api); err != nil {
		return err
	}
	began := time.Now()
	w := &store.Write{Call: s.call(r), DryRun: dryRun}
	var made *changing
	w.Tell = func(tx *state.Txn, _ any, _ store.Event) []store.Event {
		event := s.adminEvent(r, nil) // of who is found to call
		events := eventsOf(event, made)
		if made.also != nil {
			events[0].Rules = slices.DeleteFunc(ruleChanges(tx.Changes()), func(text string) bool {
				return slices.ContainsFunc(events[1:], func(e store.Event) bool { return slices.Contains(e.Rules, text) })
			})
		}
		return events
	}
	plan := s.plan(r, func(tx *state.Txn) (*changing, error) {
		var err error
		made, err = what(tx)
		return made, err
	})
	w.Plan = func(tx *state.Txn) (any, error) { return nil, plan(tx) }
	_, rev, err := s.write(r, w)
	if err != nil {
		return err
	}
	r.rev, done.Revision = rev, rev
	if dryRun {
		return nil
	}
	s.done(r, done, began)
	return nil
}

// plan returns what every write is planned by, whether it is one call or
// several. It runs on the view of the plan, again on a newer one when another
// server was faster: the caller is identified, what says what to do, each step is
// authorised and planned, and the guard against lockout judges the whole.
func (s *Server) plan(r *request, what func(tx *state.Txn) (*changing, error)) func(tx *state.Txn) error {
	guard := s.lockoutGuard(r)
	return func(tx *state.Txn) error {
		var err error
		if r.caller, err = s.again(r, iamapi.TxnPlace(tx)); err != nil {
			return err
		}
		tx.Caller = r.caller
		c, err := what(tx)
		if err != nil {
			return err
		}
		for i, st := range c.steps {
			st.caller = r.caller
			if st.request == r { // it is the whole change
				err = s.stage(tx, st)
			} else {
				err = s.stageNested(tx, c, i)
			}
			if err != nil {
				return err
			}
		}
		if c.also != nil {
			if err := c.also(tx); err != nil {
				return err
			}
		}
		if guard != nil {
			return guard.check(tx.View())
		}
		return nil
	}
}

// done waits until a change is enforced, as far as calls do, and says so.
func (s *Server) done(r *request, d *Done, began time.Time) {
	o := s.awaitEnforced(r, d.Revision)
	d.Enforced, d.EnforcedHosts = o.word, o.hosts
	e := &s.cfg.Enforcement
	if d.Enforced == enforcedYes && (e.Agent != nil && !e.Agent.Idle() || e.Hosts != nil) {
		took := time.Since(began)
		d.EnforcedAfter = &took
	}
}

// stage authorises and plans one step.
func (s *Server) stage(tx *state.Txn, st *step) error {
	p, err := s.authorise(st.request, txnPlace(tx), st.in, nil)
	if err != nil {
		return err
	}
	if st.out, err = st.plan.Stage(tx, st.in); err != nil {
		return err
	}
	return p.rules(tx)
}

// stageNested stages a step of several in a transaction of its own, so that it
// is judged by what it does and not by what the steps before it did.
func (s *Server) stageNested(tx *state.Txn, c *changing, i int) (err error) {
	st := c.steps[i]
	st.changes, err = tx.Nested(func(inner *state.Txn) error { return s.stage(inner, st) })
	if err == nil {
		return nil
	}
	f := s.asFault(st.request, err)
	if f == nil {
		return fmt.Errorf("%s: %w", st.action, err)
	}
	return numbered(len(c.steps), i+1, f, st.action)
}

// asFault gives the fault that an error tells a caller; nil for an error of
// our own.
func (s *Server) asFault(r *request, err error) *fault.Error {
	switch err := err.(type) {
	case *fault.Error:
		return err
	case *denied:
		return s.denial(r, err)
	}
	return nil
}

// numbered says which of several calls was refused.
func numbered(of, n int, f *fault.Error, action string) error {
	if of > 1 {
		f = &fault.Error{Code: f.Code, Status: f.Status, Message: "Call " + strconv.Itoa(n) + " of " + strconv.Itoa(of) + ", " + action + ": " + f.Message}
	}
	return &callError{number: n, action: action, fault: f}
}

// eventsOf gives the events of a change: that of its call, if it is one, else
// one that says what for, and one for each call.
func eventsOf(e store.Event, c *changing) []store.Event {
	var events []store.Event
	if len(c.steps) != 1 || c.also != nil {
		what := e
		what.Service, what.Action, what.Request = ServiceMoat, c.title, c.params.Encode()
		events = append(events, what)
	}
	for _, st := range c.steps {
		call := e
		call.RequestID, call.Service, call.Action, call.Request = st.id, string(st.service), st.action, st.form
		for i := range st.changes {
			call.Changed = append(call.Changed, st.changes[i].Key())
		}
		call.Rules = ruleChanges(st.changes)
		tellAnswer(&call, st.out)
		events = append(events, call)
	}
	return events
}

// formOf gives the parameters of an input as the audit trail has them.
func formOf(name string, in any) string {
	form, err := ec2query.ParseForm("", []byte(ec2query.EncodeForm(name, "2016-11-15", in)), ec2query.Limits{Bytes: 16 * maxBody, Pairs: 1 << 20})
	if err != nil {
		panic(fmt.Sprintf("server: an input of %s that cannot be read back: %v", name, err)) // of our own making
	}
	return paramsOf(form)
}
