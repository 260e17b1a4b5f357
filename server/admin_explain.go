package server

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"moat/explain"
	"moat/fault"
	"moat/names"
	"moat/state"
	"moat/store"
)

// A Why reply says what becomes of a flow, and why.
type Why struct {
	*explain.Answer
	// Text is the answer in words.
	Text string `json:"text"`
	// EnforcedAfter is how long it took from the newest call until its change
	// was in force. Nil unless that call changed a group that decides here, on
	// interfaces of this host.
	EnforcedAfter *time.Duration `json:"enforced_after_ns,omitempty"`
}

// describeWhy answers ?from=NAME&to=NAME:PORT/PROTOCOL.
func (s *Server) describeWhy(r *request) (any, error) {
	q := r.URL.Query()
	for _, p := range []string{"from", "to"} {
		if q.Get(p) == "" {
			return nil, fault.MissingParameter.With(p)
		}
	}
	target, err := names.ParseTarget(q.Get("to"))
	if err != nil {
		return nil, fault.InvalidParameterValue.Say("%v", err)
	}
	view, err := s.store.View(r.Context())
	if err != nil {
		return nil, err
	}
	r.rev = view.Rev
	from, to, err := explain.ResolveEnds(view.In(r.scope), q.Get("from"), target.Text)
	if err != nil {
		return nil, &fault.Error{Code: "InvalidParameterValue", Status: http.StatusBadRequest, Message: err.Error()}
	}
	out := &Why{Answer: explain.Why(view, r.scope, explain.Question{
		From: from, To: to, Protocol: target.Protocol, Port: target.Port, Code: target.Code,
	}, s.cfg.Enforcement.Options)}
	bound := s.bound(r.Context(), view, false)
	for i := range out.Gates {
		g := &out.Gates[i]
		if at := slices.IndexFunc(bound, func(b BoundStatus) bool { return b.Interface == g.Interface }); at >= 0 {
			g.Unenforced = unenforced(&bound[at])
		}
	}
	out.Text = out.Answer.Text()
	if out.EnforcedAfter, err = s.enforcedAfter(r, out.Answer); err != nil {
		return nil, err
	}
	return out, nil
}

// unenforced says why a bound interface does not do what its rules say, "" if
// it does.
func unenforced(b *BoundStatus) string {
	switch b.Mode {
	case "enforce":
		return ""
	case "observe":
		return b.Device + " only observes"
	case "elsewhere":
		return "bound on host " + b.Host + ", which is not asked"
	case "deny":
		return b.Device + " passes nothing: " + b.Error
	case "gone":
		return b.Device + " is not there"
	}
	return b.Error
}

// enforcedAfter gives the time from the beginning of the newest call until the
// agent had it in force, if that call changed a group of a gate.
func (s *Server) enforcedAfter(r *request, a *explain.Answer) (*time.Duration, error) {
	if s.cfg.Enforcement.Agent == nil {
		return nil, nil
	}
	st := s.cfg.Enforcement.Agent.Status()
	if st.Err != nil || st.At.IsZero() || st.Rev != a.Rev {
		return nil, nil
	}
	entries, err := s.store.Scan(r.Context(), store.Audit, st.Rev, 1)
	if err != nil || len(entries) == 0 || entries[0].Rev != st.Rev {
		return nil, err
	}
	event, err := store.DecodeEvent(entries[0].Value)
	if err != nil {
		return nil, err
	}
	for _, g := range a.Gates {
		if g.Unenforced != "" {
			continue
		}
		for _, group := range g.Groups {
			if slices.Contains(event.Changed, state.Key(r.scope, state.Groups, string(group.ID))) {
				took := st.At.Sub(event.Time)
				return &took, nil
			}
		}
	}
	return nil, nil
}

// WhyQuery gives the query of a question.
func WhyQuery(from, to string) string { return url.Values{"from": {from}, "to": {to}}.Encode() }
