package cloudtrail

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"moat/action"
	"moat/awsquery"
	"moat/ec2query"
	"moat/trail"
)

const (
	sourceSuffix = ".amazonaws.com"
	eventVersion = "1.11"
	timeLayout   = "2006-01-02T15:04:05Z"
)

func source(e *trail.Event) string {
	if e.Service == "" || e.Service == "moat" {
		return "moat"
	}
	return e.Service + sourceSuffix
}

// A record is CloudTrail's: user guide, "CloudTrail record contents". The
// members come in the order in which CloudTrail writes them.
type record struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        identity       `json:"userIdentity"`
	EventTime           string         `json:"eventTime"`
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   any            `json:"requestParameters"`
	ResponseElements    any            `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID,omitempty"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	EventType           string         `json:"eventType"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	EventCategory       string         `json:"eventCategory"`
	TLSDetails          *tlsDetails    `json:"tlsDetails,omitempty"`
}

type identity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *sessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

type sessionContext struct {
	SessionIssuer *sessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes    sessionAttributes `json:"attributes"`
}

type sessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

type sessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

type tlsDetails struct {
	TLSVersion               string `json:"tlsVersion"`
	CipherSuite              string `json:"cipherSuite"`
	ClientProvidedHostHeader string `json:"clientProvidedHostHeader,omitempty"`
}

// Record gives an event as CloudTrail writes it. find gives the action of a
// service, from whose types parameters and answer get their shape; nil for one
// that is not known. What Moat knows and CloudTrail has no place for is in
// additionalEventData, with the event's hash unless that is zero.
func Record(e *trail.Event, find func(service, name string) action.Action, hash trail.Hash) []byte {
	var a action.Action
	if find != nil {
		a = find(e.Service, e.Action)
	}
	r := record{
		EventVersion: eventVersion, UserIdentity: identityOf(e), EventTime: e.Time.UTC().Format(timeLayout),
		EventSource: source(e), EventName: e.Action, AWSRegion: cmp.Or(e.Region, "us-east-1"), // as IAM's are
		SourceIPAddress: cmp.Or(e.Source, "moat"), UserAgent: e.UserAgent, RequestParameters: parameters(e, a), ResponseElements: answer(e, a),
		RequestID: e.RequestID, EventID: e.ID, ReadOnly: e.ReadOnly, EventType: "AwsApiCall", ManagementEvent: true,
		RecipientAccountID: cmp.Or(string(e.Account), accountOfARN(e.Principal)), EventCategory: "Management",
	}
	if e.RequestID == "" {
		r.EventType = "AwsServiceEvent"
	}
	if e.Code != "" {
		r.ErrorCode, r.ErrorMessage, r.ResponseElements = e.Code, e.Message, nil
		if e.Service == "ec2" {
			r.ErrorCode = "Client." + e.Code
		}
	}
	if e.TLS != "" {
		r.TLSDetails = &tlsDetails{e.TLS, e.Cipher, e.Host}
	}
	more := map[string]any{"moatRevision": e.Place().String()}
	if hash != (trail.Hash{}) {
		more["moatHash"] = hex.EncodeToString(hash[:])
	}
	if len(e.Rules) > 0 {
		more["securityGroupRuleChanges"] = e.Rules
	}
	if e.Count > 0 {
		more["count"] = e.Count
	}
	if e.First != nil {
		more["firstTime"] = e.First.UTC().Format(timeLayout)
	}
	if e.Unsaid > 0 {
		more["refusedCallsLeftOut"] = e.Unsaid
	}
	r.AdditionalEventData = more
	return encode(&r)
}

// encode gives JSON in which <, > and & stand as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("cloudtrail: a record is no JSON: " + err.Error()) // of our own types
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func accountOfARN(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

func identityOf(e *trail.Event) identity {
	account := accountOfARN(e.Principal)
	id := identity{Type: e.Type, PrincipalID: e.PrincipalID, ARN: e.Principal, AccountID: account, AccessKeyID: e.AccessKey, UserName: e.UserName}
	if id.Type == "" { // of an older moat, or moat itself
		switch {
		case e.AccessKey == "":
			return identity{Type: "AWSService", InvokedBy: "moat"}
		case strings.HasSuffix(e.Principal, ":root"):
			id.Type, id.PrincipalID = "Root", account
		default:
			id.Type, id.UserName = "IAMUser", trail.Username(e)
		}
	}
	if e.Issued == nil {
		return id
	}
	id.SessionContext = &sessionContext{Attributes: sessionAttributes{e.Issued.UTC().Format(timeLayout), "false"}}
	if e.Role != "" {
		issuer, _, _ := strings.Cut(e.PrincipalID, ":")
		id.SessionContext.SessionIssuer = &sessionIssuer{"Role", issuer, e.Role, accountOfARN(e.Role), e.Role[strings.LastIndexByte(e.Role, '/')+1:]}
	}
	return id
}

// parameters gives the request as CloudTrail writes it, or flat, as it came,
// where it does not fit the action.
func parameters(e *trail.Event, a action.Action) any {
	if e.Request == "" {
		return nil
	}
	if e.Cut == 0 && a != nil {
		in := a.NewInput()
		form, err := ec2query.ParseForm("", []byte(e.Request), ec2query.Limits{})
		if err == nil && e.Service == "ec2" {
			err = form.Decode(in)
		} else if err == nil {
			err = awsquery.Decode(form, in)
		}
		if err == nil {
			if m := members(styleOf(e), reflect.ValueOf(in), ec2query.In, true); len(m) > 0 {
				return m
			}
			return nil
		}
	}
	flat := map[string]any{}
	for k, v := range e.Params() {
		flat[k] = v
	}
	if e.Cut > 0 {
		flat["omitted"], flat["originalSize"] = true, len(e.Request)+e.Cut
	}
	return flat
}

// answer gives what the caller was answered.
func answer(e *trail.Event, a action.Action) any {
	if e.Long {
		return map[string]any{"omitted": true, "reason": "the answer was longer than what an event keeps"}
	}
	if a == nil || len(e.Response) == 0 || e.Code != "" {
		return nil
	}
	out := reflect.New(a.Info().Out)
	var err error
	if e.Service == "ec2" {
		doc := ec2query.AppendTail(append(ec2query.AppendHead(nil, e.Action, e.RequestID), e.Response...), e.Action)
		err = ec2query.DecodeResponse(doc, out.Interface())
	} else {
		inner := bytes.TrimSuffix(bytes.TrimPrefix(e.Response, []byte("<r>")), []byte("</r>"))
		if string(inner) == "<r/>" {
			return nil
		}
		doc := "<" + e.Action + "Response><" + e.Action + "Result>" + string(inner) + "</" + e.Action + "Result></" + e.Action + "Response>"
		err = awsquery.DecodeResponse([]byte(doc), out.Interface())
	}
	if err != nil {
		return nil
	}
	m := members(styleOf(e), out, ec2query.Out, false)
	if e.Service == "ec2" {
		m["requestId"] = e.RequestID
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

// A style is how CloudTrail writes the structures of a service.
type style struct {
	fields func(reflect.Type, ec2query.Direction) []ec2query.Field
	items  bool // a list is {"items": […]}, an empty one {}
	time   func(time.Time) any
}

var (
	ec2Style = style{ec2query.Fields, true, func(t time.Time) any { return t.UnixMilli() }}
	iamStyle = style{awsquery.Fields, false, func(t time.Time) any { return t.UTC().Format("Jan 2, 2006 3:04:05 PM") }}
)

func styleOf(e *trail.Event) *style {
	if e.Service == "ec2" {
		return &ec2Style
	}
	return &iamStyle
}

// setNames are those of lists of EC2's parameters that CloudTrail calls
// otherwise; single is what an item's one value is called.
var setNames = map[string]struct{ name, single string }{
	"Filter": {"filterSet", ""}, "Tag": {"tagSet", ""}, "ResourceId": {"resourcesSet", "resourceId"},
	"TagSpecification": {"tagSpecificationSet", ""}, "SecurityGroupRuleId": {"securityGroupRuleIds", ""},
}

// members gives the members of a struct that are set. Of the structures in a
// request of EC2 it gives empty lists too, as CloudTrail does.
func members(s *style, v reflect.Value, dir ec2query.Direction, top bool) map[string]any {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	m := map[string]any{}
	for _, f := range s.fields(v.Type(), dir) {
		member := v.FieldByIndex(f.Index)
		name, single := lowerFirst(f.Wire), ""
		if set, ok := setNames[f.Wire]; ok && top && s.items && dir == ec2query.In {
			name, single = set.name, set.single
		}
		if name == "return" {
			name = "_return"
		}
		if member.IsZero() {
			if f.Kind == ec2query.List && s.items && dir == ec2query.In && (!top || name == "ipPermissions") {
				m[name] = struct{}{}
			}
			if f.Kind == ec2query.Bool && dir == ec2query.Out && member.Kind() == reflect.Bool {
				m[name] = false
			}
			continue
		}
		m[name] = value(s, member, f.Kind, f.Elem, dir, single)
	}
	return m
}

func value(s *style, v reflect.Value, kind, elem ec2query.Kind, dir ec2query.Direction, single string) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch kind {
	case ec2query.Struct:
		return members(s, v, dir, false)
	case ec2query.List:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = value(s, v.Index(i), elem, 0, dir, "")
			if single != "" {
				items[i] = map[string]any{single: items[i]}
			}
		}
		if !s.items {
			return items
		}
		if len(items) == 0 {
			return struct{}{}
		}
		return map[string]any{"items": items}
	case ec2query.Time:
		if t, ok := v.Interface().(time.Time); ok {
			return s.time(t)
		}
	case ec2query.Bool, ec2query.Int, ec2query.Float:
		return v.Interface()
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return v.Interface() // writes itself
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
