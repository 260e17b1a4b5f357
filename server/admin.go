package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"moat/fault"
	"moat/sigv4"
	"moat/state"
	"moat/store"
)

// AdminPath is where the operator of the host is answered: JSON, signed for
// the service "moat" with a root key of the default account, verified even
// where every credential is taken. Errors are {"code", "message",
// "request_id"}.
const AdminPath = "/moat/v1/"

// An adminCall is one thing that the operator may ask for; the value is the
// body of the answer.
type adminCall struct {
	method string
	action string // in the audit trail and the metrics
	answer func(s *Server, r *request) (any, error)
	// anybody may call: what they may do is for their permissions to say.
	anybody bool
}

var adminCalls = map[string]adminCall{
	"attach":     {http.MethodPost, "AttachDevice", (*Server).attachDevice, false},
	"detach":     {http.MethodPost, "DetachDevice", (*Server).detachDevice, false},
	"enforce":    {http.MethodPost, "EnforceDevice", (*Server).enforceDevice, false},
	"interfaces": {http.MethodGet, "DescribeDevices", (*Server).describeDevices, false},
	"status":     {http.MethodGet, "DescribeStatus", (*Server).describeStatus, false},
	"wait":       {http.MethodGet, "WaitEnforced", (*Server).waitFor, false},
	"hits":       {http.MethodGet, "DescribeRuleHits", (*Server).describeHits, false},
	"why":        {http.MethodGet, "DescribeWhy", (*Server).describeWhy, false},

	"batch":  {http.MethodPost, "Batch", (*Server).batch, true},
	"change": {http.MethodPost, "Change", (*Server).changeWished, true},
	"undo":   {http.MethodPost, "Undo", (*Server).undo, true},

	"ls":       {http.MethodGet, "List", (*Server).describeList, true},
	"show":     {http.MethodGet, "Show", (*Server).describeThing, true},
	"find":     {http.MethodGet, "Find", (*Server).findRules, true},
	"who-uses": {http.MethodGet, "DescribeUses", (*Server).describeUses, true},
	"diff":     {http.MethodGet, "DescribeDifference", (*Server).describeDifference, true},
	"complete": {http.MethodGet, "Complete", (*Server).complete, true},

	"log":        {http.MethodGet, "DescribeLog", (*Server).describeLog, true},
	"blame":      {http.MethodGet, "DescribeBlame", (*Server).describeBlame, true},
	"log-verify": {http.MethodGet, "VerifyLog", (*Server).verifyTrail, false},
	"log-export": {http.MethodGet, "ExportLog", (*Server).exportTrail, false},

	"guardrails":       {http.MethodGet, "DescribeGuardrails", (*Server).describeGuardrails, false},
	"guardrail-set":    {http.MethodPost, "SetGuardrail", (*Server).setGuardrail, false},
	"guardrail-remove": {http.MethodPost, "RemoveGuardrail", (*Server).removeGuardrail, false},
}

func (s *Server) serveAdmin(w http.ResponseWriter, r *request) {
	r.service = ServiceMoat
	out, err := s.answerAdmin(w, r)
	status, code := http.StatusOK, ""
	if err != nil {
		f := s.fault(r, err)
		s.noteRefusal(r, err, f)
		status, code = f.Status, f.Code
		refusal := map[string]any{"code": f.Code, "message": f.Message, "request_id": r.id}
		if call, ok := errors.AsType[*callError](err); ok {
			refusal["call"], refusal["action"] = call.number, call.action
		}
		out = refusal
	}
	body, e := json.MarshalIndent(out, "", "  ")
	if e != nil {
		panic(fmt.Sprintf("server: the answer to %s is no JSON: %v", r.action, e))
	}
	setHeaders(w.Header(), r)
	sendText(w, r, status, "application/json", string(body)+"\n")
	s.cfg.Metrics.served(r, code, s.cfg.Now().Sub(r.began))
}

func (s *Server) answerAdmin(w http.ResponseWriter, r *request) (any, error) {
	var err error
	if r.body, err = s.readBody(w, r, nil); err != nil {
		return nil, err
	}
	r.hash = sha256.Sum256(r.body)
	call, ok := adminCalls[strings.TrimPrefix(r.URL.Path, AdminPath)]
	if ok {
		r.action, r.known = call.action, true
	}
	if ok && call.anybody {
		err = s.person(r)
	} else {
		err = s.operator(r, "do this")
	}
	if err != nil {
		return nil, err
	}
	s.senderKnown(r)
	switch {
	case !ok:
		return nil, &fault.Error{Code: "NotFound", Status: http.StatusNotFound, Message: "There is no " + r.URL.Path + "."}
	case r.Method != call.method:
		w.Header().Set("Allow", call.method)
		return nil, &fault.Error{Code: "InvalidRequest", Status: http.StatusMethodNotAllowed, Message: r.URL.Path + " is asked with " + call.method + "."}
	}
	return call.answer(s, r)
}

// operator finds out whether a request comes from the operator: it is signed
// for the service "moat" with a root key of the default account. Its scope is
// that account in the region of the signature.
func (s *Server) operator(r *request, do string) error {
	sig, err := sigv4.Parse(r.Request)
	if err != nil {
		return r.service.authFault(err)
	}
	if sig.Service != ServiceMoat {
		return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongService, Detail: ServiceMoat})
	}
	if r.region = sig.Region; r.region == "" {
		r.region = s.cfg.Region
	}
	if err := s.verify(r, sig); err != nil {
		return r.service.authFault(err)
	}
	if !r.caller.IsRoot() || r.caller.Account != s.cfg.Account {
		return &fault.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Only the root key of account " + string(s.cfg.Account) + " may " + do + "."}
	}
	r.scope = state.Scope{Region: r.region, Account: r.caller.Account}
	return nil
}

// person finds out who makes a request that every principal may make: it is
// signed for the service "moat", and otherwise as the API's are.
func (s *Server) person(r *request) error {
	sig, err := sigv4.Parse(r.Request)
	if err != nil {
		return r.service.authFault(err)
	}
	if sig.Service != ServiceMoat {
		return r.service.authFault(&sigv4.Error{Kind: sigv4.WrongService, Detail: ServiceMoat})
	}
	return s.identify(r, sig)
}

// decodeAdmin reads the JSON of a request; what it does not know is an error.
func decodeAdmin(r *request, in any) error {
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return fault.InvalidRequest.Say("The request's body is not the JSON that is expected: %v", err)
	}
	return nil
}

// adminEvent is the event of a call of the operator with its parameters.
func (s *Server) adminEvent(r *request, params url.Values) store.Event {
	source := "moat" // itself, as configured
	if r.source.IsValid() {
		source = r.source.String()
	}
	e := s.event(r)
	e.Source, e.Service, e.Request = source, ServiceMoat, params.Encode()
	return e
}
