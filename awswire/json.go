package awswire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"moat/awsargs"
	"moat/awsmodel"
)

// jsonType is the content type of JSON 1.1.
const jsonType = "application/x-amz-json-1.1"

func encodeJSON(op *awsmodel.Operation, params *awsmodel.Map) []byte {
	var v any = map[string]any{}
	if op.In != nil {
		v = plain(params, op.In)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return []byte("{}") // of a number that is none: the service will say what is missing
	}
	return body
}

// plain gives a value as it travels in JSON.
func plain(v any, s *awsmodel.Shape) any {
	switch s.Kind {
	case awsmodel.Structure:
		out := map[string]any{}
		if m, ok := v.(*awsmodel.Map); ok && m != nil {
			for i, k := range m.Keys {
				if member := s.Member(k); member != nil {
					out[member.In] = plain(m.Values[i], member.Shape)
				}
			}
		}
		return out
	case awsmodel.List:
		list, _ := v.([]any)
		out := make([]any, len(list))
		for i := range list {
			out[i] = plain(list[i], s.Elem)
		}
		return out
	case awsmodel.Mapping:
		out := map[string]any{}
		if m, ok := v.(*awsmodel.Map); ok && m != nil {
			for i, k := range m.Keys {
				out[k] = plain(m.Values[i], s.Elem)
			}
		}
		return out
	case awsmodel.Blob:
		switch v := v.(type) {
		case []byte:
			return base64.StdEncoding.EncodeToString(v)
		case string:
			return base64.StdEncoding.EncodeToString([]byte(v))
		}
	case awsmodel.Timestamp: // whole seconds, as the AWS CLI sends them
		if text, ok := v.(string); ok {
			if t, ok := awsargs.ParseTime(text); ok {
				return t.Unix()
			}
		}
	}
	return v
}

func decodeJSON(op *awsmodel.Operation, doc []byte, o Options) (*awsmodel.Map, error) {
	if op.Out == nil || len(doc) == 0 {
		return &awsmodel.Map{}, nil
	}
	v, err := awsargs.ParseJSON(string(doc))
	if err != nil {
		return nil, err
	}
	if _, ok := v.(*awsmodel.Map); !ok {
		return nil, fmt.Errorf("the answer is no object")
	}
	return o.shaped(v, op.Out).(*awsmodel.Map), nil
}

// shaped gives what JSON says in the order of a shape, without what the shape
// does not know.
func (o *Options) shaped(v any, s *awsmodel.Shape) any {
	switch v := v.(type) {
	case *awsmodel.Map:
		out := &awsmodel.Map{}
		switch s.Kind {
		case awsmodel.Structure:
			for i := range s.Members {
				member := &s.Members[i]
				if item, there := v.Get(member.Out); there && item != nil {
					out.Set(member.Name, o.shaped(item, member.Shape))
				}
			}
		case awsmodel.Mapping:
			for i, k := range v.Keys {
				out.Set(k, o.shaped(v.Values[i], s.Elem))
			}
		}
		return out
	case []any:
		list := make([]any, len(v))
		if s.Kind == awsmodel.List {
			for i := range v {
				list[i] = o.shaped(v[i], s.Elem)
			}
		}
		return list
	case string:
		if s.Kind == awsmodel.Timestamp && !o.WireTimes {
			return isoTime(v)
		}
	case int64:
		if s.Kind == awsmodel.Timestamp && !o.WireTimes {
			return o.isoSeconds(float64(v))
		}
	case float64:
		if s.Kind == awsmodel.Timestamp && !o.WireTimes {
			return o.isoSeconds(v)
		}
	}
	return v
}

// isoSeconds gives a time in seconds since 1970 as the AWS CLI shows it: where
// the machine stands, other than the times that come as text.
func (o *Options) isoSeconds(seconds float64) string {
	whole, part := math.Modf(seconds)
	t := time.Unix(int64(whole), int64(math.RoundToEven(part*1e6))*1000)
	if o.Zone != nil {
		t = t.In(o.Zone)
	} else {
		t = t.UTC()
	}
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05.000000-07:00")
}

// decodeJSONError reads a refusal. What it does not say is the HTTP status's.
func decodeJSONError(doc []byte) (code, message string, err error) {
	v, err := awsargs.ParseJSON(string(doc))
	if err != nil {
		return "", "", err
	}
	m, ok := v.(*awsmodel.Map)
	if !ok {
		return "", "", fmt.Errorf("the answer is no object")
	}
	text := func(names ...string) string {
		for _, n := range names {
			if t, ok := m.Get(n); ok {
				if s, ok := t.(string); ok {
					return s
				}
			}
		}
		return ""
	}
	code, message = text("__type", "code"), text("message", "Message")
	if _, after, ok := strings.Cut(code, "#"); ok {
		code = after
	}
	return code, message, nil
}
