// Package awsjson knows the wire of CloudTrail: JSON 1.1, in which a header
// names the operation and the body is one object. Structs are described as
// package ec2query says, by the names of their members. It knows no action.
package awsjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"moat/awsquery"
	"moat/ec2query"
	"moat/fault"
)

// ContentType is that of requests and answers.
const ContentType = "application/x-amz-json-1.1"

// IsJSON reports whether a Content-Type is of this wire.
func IsJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), ContentType)
}

// Decode fills dst, a pointer to a struct, from a body. Members that it does
// not have are left out, as AWS does; a member of another type is a
// SerializationException.
func Decode(body []byte, dst any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return fault.SerializationException.With()
	}
	return set(reflect.ValueOf(dst).Elem(), ec2query.Struct, 0, v)
}

func set(to reflect.Value, kind, elem ec2query.Kind, v any) error {
	if v == nil {
		return nil
	}
	if to.Kind() == reflect.Pointer {
		p := reflect.New(to.Type().Elem())
		if err := set(p.Elem(), kind, elem, v); err != nil {
			return err
		}
		to.Set(p)
		return nil
	}
	wrong := func(want string) error {
		got := map[bool]string{true: "END_ARRAY", false: "value"}[reflect.TypeOf(v).Kind() == reflect.Slice]
		return fault.SerializationException.Say("%s can not be converted to %s", got, want)
	}
	switch kind {
	case ec2query.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return wrong("a structure")
		}
		for _, f := range awsquery.Fields(to.Type(), ec2query.In) {
			if member, there := m[f.Name]; there {
				if err := set(to.FieldByIndex(f.Index), f.Kind, f.Elem, member); err != nil {
					return err
				}
			}
		}
	case ec2query.List:
		items, ok := v.([]any)
		if !ok {
			return wrong("a list")
		}
		list := reflect.MakeSlice(to.Type(), len(items), len(items))
		for i, item := range items {
			if err := set(list.Index(i), elem, 0, item); err != nil {
				return err
			}
		}
		to.Set(list)
	case ec2query.Bool:
		b, ok := v.(bool)
		if !ok {
			return wrong("Boolean")
		}
		to.SetBool(b)
	case ec2query.Int:
		n, ok := v.(json.Number)
		i, err := strconv.ParseInt(string(n), 10, to.Type().Bits())
		if !ok || err != nil {
			return wrong("Integer")
		}
		to.SetInt(i)
	case ec2query.Time:
		// Seconds since 1970, with a fraction.
		n, ok := v.(json.Number)
		f, err := n.Float64()
		if !ok || err != nil || math.Abs(f) > 1e11 {
			return wrong("Timestamp")
		}
		whole, fraction := math.Modf(f)
		to.Set(reflect.ValueOf(time.Unix(int64(whole), int64(math.Round(fraction*1e3))*1e6).UTC()))
	default:
		s, ok := v.(string)
		if !ok || to.Kind() != reflect.String {
			return wrong("String")
		}
		to.SetString(s)
	}
	return nil
}

// Append appends the answer that out is, a pointer to a struct.
func Append(buf []byte, out any) []byte {
	return appendValue(buf, reflect.ValueOf(out), ec2query.Struct, 0)
}

func appendValue(buf []byte, v reflect.Value, kind, elem ec2query.Kind) []byte {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return append(buf, "null"...)
		}
		v = v.Elem()
	}
	switch kind {
	case ec2query.Struct:
		buf = append(buf, '{')
		first := true
		for _, f := range awsquery.Fields(v.Type(), ec2query.Out) {
			member := v.FieldByIndex(f.Index)
			if member.IsZero() {
				continue
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(appendText(buf, f.Name), ':')
			buf = appendValue(buf, member, f.Kind, f.Elem)
		}
		return append(buf, '}')
	case ec2query.List:
		buf = append(buf, '[')
		for i := range v.Len() {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = appendValue(buf, v.Index(i), elem, 0)
		}
		return append(buf, ']')
	case ec2query.Bool:
		return strconv.AppendBool(buf, v.Bool())
	case ec2query.Int:
		return strconv.AppendInt(buf, v.Int(), 10)
	case ec2query.Time:
		return strconv.AppendInt(buf, v.Interface().(time.Time).Unix(), 10)
	}
	return appendText(buf, fmt.Sprint(v.Interface()))
}

func appendText(buf []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string: cannot fail
	return append(buf, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// AppendError appends the answer to a refused request.
func AppendError(buf []byte, f *fault.Error) []byte {
	buf = append(appendText(append(buf, `{"__type":`...), f.Code), `,"message":`...)
	return append(appendText(buf, f.Message), '}')
}

// DecodeError reads a refusal.
func DecodeError(body []byte) (*fault.Error, error) {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Capital string `json:"Message"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" {
		return nil, fmt.Errorf("the answer is no refusal of this wire: %w", err)
	}
	if e.Message == "" {
		e.Message = e.Capital
	}
	return &fault.Error{Code: e.Type[strings.LastIndexByte(e.Type, '#')+1:], Message: e.Message}, nil
}
