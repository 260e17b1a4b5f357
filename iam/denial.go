package iam

import (
	"encoding/json"
	"strings"

	"moat/fault"
)

// Reason says why a request is refused, as AWS ends its messages.
func (d *Decision) Reason(action string) string {
	part := [...]string{"an identity-based policy", "a permissions boundary", "a session policy", "a resource-based policy"}[d.Part]
	if d.Explicit {
		return "with an explicit deny in " + part
	}
	_, kind, _ := strings.Cut(part, " ")
	return "because no " + kind + " allows the " + action + " action"
}

// Denial is the sentence of a refusal: who may not do what to which resource,
// and why. Without a resource it names none.
func Denial(r *Request, d *Decision) string {
	on := ""
	if r.Resource != "" {
		on = " on resource: " + r.Resource
	}
	return "User: " + r.Principal.ARN + " is not authorized to perform: " + r.Action + on + " " + d.Reason(r.Action)
}

// AccessDenied is the refusal of IAM and STS.
func AccessDenied(r *Request, d *Decision) *fault.Error {
	return fault.AccessDenied.With(Denial(r, d))
}

// DenialMessage is what the encoded message of a refusal says once it is
// decoded: API reference of STS, DecodeAuthorizationMessage. Keys are the
// conditions of the request that are worth telling.
func DenialMessage(r *Request, d *Decision, keys []Key) []byte {
	type value struct {
		Value string `json:"value"`
	}
	type items[T any] struct {
		Items []T `json:"items"`
	}
	values := func(texts []string) items[value] {
		out := items[value]{[]value{}}
		for _, t := range texts {
			out.Items = append(out.Items, value{t})
		}
		return out
	}
	type condition struct {
		Key    string       `json:"key"`
		Values items[value] `json:"values"`
	}
	type statement struct {
		ID         string           `json:"statementId"`
		Effect     string           `json:"effect"`
		Principals items[value]     `json:"principals"`
		Groups     items[value]     `json:"principalGroups"`
		Actions    items[value]     `json:"actions"`
		Resources  items[value]     `json:"resources"`
		Conditions items[condition] `json:"conditions"`
	}
	var m struct {
		Allowed  bool             `json:"allowed"`
		Explicit bool             `json:"explicitDeny"`
		Matched  items[statement] `json:"matchedStatements"`
		Failures items[value]     `json:"failures"`
		Context  struct {
			Principal struct {
				ID   string `json:"id"`
				Name string `json:"name,omitempty"`
				ARN  string `json:"arn"`
			} `json:"principal"`
			Action     string           `json:"action"`
			Resource   string           `json:"resource"`
			Conditions items[condition] `json:"conditions"`
		} `json:"context"`
	}
	m.Allowed, m.Explicit = d.Allowed, d.Explicit
	m.Matched.Items, m.Failures.Items = []statement{}, []value{}
	if s := d.Statement; d.Explicit && s != nil {
		st := statement{
			ID: s.Sid, Effect: "DENY", Principals: values([]string{r.Principal.ID}), Groups: values(nil), Actions: values(s.Actions()),
			Resources: values(s.Resources()), Conditions: items[condition]{[]condition{}},
		}
		for i := range s.conditions {
			st.Conditions.Items = append(st.Conditions.Items, condition{s.conditions[i].shown, values(s.conditions[i].texts)})
		}
		m.Matched.Items = append(m.Matched.Items, st)
	}
	m.Context.Principal.ID, m.Context.Principal.Name, m.Context.Principal.ARN = r.Principal.ID, r.Principal.Name, r.Principal.ARN
	m.Context.Action, m.Context.Resource = r.Action, r.Resource
	m.Context.Conditions.Items = []condition{}
	for _, k := range keys {
		m.Context.Conditions.Items = append(m.Context.Conditions.Items, condition{k.Name, values(k.Values)})
	}
	out, err := json.Marshal(&m)
	if err != nil {
		panic(err) // of texts alone
	}
	return out
}

// Actions gives the patterns of a statement's Action or NotAction.
func (s *Statement) Actions() []string {
	out := make([]string, len(s.actions))
	for i := range s.actions {
		out[i] = s.actions[i].text
	}
	return out
}

// Resources gives the patterns of a statement's Resource or NotResource.
func (s *Statement) Resources() []string {
	out := make([]string, len(s.resources))
	for i := range s.resources {
		out[i] = s.resources[i].text
	}
	return out
}
