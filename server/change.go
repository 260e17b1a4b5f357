package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"moat/action"
	"moat/change"
	"moat/fault"
	"moat/state"
)

// A Change is a wish that is to be fulfilled.
type Change struct {
	change.Wish
	// DryRun thinks it out, judges it and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// Expect is the digest of the plan that somebody has agreed to: another one
	// is not carried out. Empty for whichever there is.
	Expect string `json:"expect,omitempty"`
}

// A Changed says what was done, or what would be.
type Changed struct {
	Done
	*change.Plan
}

// changeWished fulfils a wish in one revision. The calls that it takes are
// authorised each by itself; to have it thought out, one must be allowed to look
// at what it speaks of.
func (s *Server) changeWished(r *request) (any, error) {
	var in Change
	if err := decodeAdmin(r, &in); err != nil {
		return nil, err
	}
	out := &Changed{}
	err := s.change(r, &out.Done, in.DryRun, func(tx *state.Txn) (*changing, error) {
		if err := s.mayLook(r, txnPlace(tx)); err != nil {
			return nil, err
		}
		plan, err := change.Make(tx, &in.Wish)
		if err != nil {
			return nil, err
		}
		for _, c := range plan.Reads {
			if err := s.mayRead(r, txnPlace(tx), c.Action, c.In, nil); err != nil {
				return nil, err
			}
		}
		out.Plan = plan
		switch {
		case in.Expect != "" && in.Expect != plan.Digest:
			return nil, notAsShown()
		case plan.Refused != "" && !in.DryRun:
			return nil, &fault.Error{Code: "Refused", Status: http.StatusConflict, Message: plan.Refused + " Nothing was changed."}
		}
		c := &changing{title: plan.Title, params: wishParams(&in.Wish)}
		for _, call := range plan.Calls {
			st, err := s.planned(r, call)
			if err != nil {
				return nil, err
			}
			c.steps = append(c.steps, st)
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// looks are the actions that somebody may make who has a wish thought out: the
// answer tells of groups, interfaces and prefix lists by name.
var looks = []string{"DescribeSecurityGroups", "DescribeNetworkInterfaces", "DescribeManagedPrefixLists"}

func (s *Server) mayLook(r *request, at place) error {
	for _, name := range looks {
		if err := s.mayRead(r, at, name, s.actions[serviceEC2][name].NewInput(), nil); err != nil {
			return err
		}
	}
	return nil
}

// mayRead refuses who may not make a call of EC2.
func (s *Server) mayRead(r *request, at place, name string, in any, who *known) error {
	one := *r
	one.service, one.action = serviceEC2, name
	_, err := s.authorise(&one, at, in, who)
	if f := s.asFault(&one, err); err != nil && f != nil {
		return f // in EC2's words
	}
	return err
}

// serviceOfCall gives the service whose permissions a call needs.
func serviceOfCall(c change.Call) service {
	switch c.In.(type) {
	case *change.RenameSecurityGroupInput, *change.UndoInput:
		return ServiceMoat
	}
	return serviceEC2
}

// planned gives the step that makes a call of a plan.
func (s *Server) planned(r *request, c change.Call) (*step, error) {
	svc, a := serviceOfCall(c), s.actions[serviceEC2][c.Action]
	if svc == ServiceMoat {
		for _, own := range change.Actions {
			if own.Info().Name == c.Action {
				a = own
			}
		}
	}
	p, ok := a.(action.Planner)
	if !ok {
		return nil, fmt.Errorf("a plan has %s, which is no action that changes something", c.Action)
	}
	return s.newStep(r, svc, p, c.In, formOf(c.Action, c.In)), nil
}

// notAsShown says that a plan would do something else than was agreed to.
func notAsShown() error {
	return &fault.Error{Code: "ChangedMeanwhile", Status: http.StatusConflict, Message: "The state has changed since this was shown, and it would do something else now: look at it again. Nothing was changed."}
}

// wishParams gives a wish as the audit trail has it: what it says, by the names
// that it has in JSON.
func wishParams(w *change.Wish) url.Values {
	out := url.Values{}
	b, err := json.Marshal(w)
	var members map[string]any
	if err != nil || json.Unmarshal(b, &members) != nil {
		panic("server: a wish is no JSON object") // of our own type: cannot be
	}
	for k, v := range members {
		out.Set(k, fmt.Sprint(v))
	}
	return out
}
