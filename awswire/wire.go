// Package awswire knows how values travel to a service and back: the Query
// protocol of STS and IAM, EC2's form of it, and CloudTrail's JSON, by shapes
// that are known only when the program runs. Packages ec2query, awsquery and
// awsjson do the same for Go's types.
package awswire

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"moat/awsargs"
	"moat/awsmodel"
)

// Encode gives the body of a request. The values were checked before.
func Encode(op *awsmodel.Operation, params *awsmodel.Map) []byte {
	if op.Service.Protocol == awsmodel.JSON {
		return encodeJSON(op, params)
	}
	return []byte(encodeForm(op, params))
}

// Header gives the header fields that say what the body of a request is.
func Header(op *awsmodel.Operation) map[string]string {
	if op.Service.Protocol == awsmodel.JSON {
		return map[string]string{"Content-Type": jsonType, "X-Amz-Target": op.Service.Target + "." + op.Name}
	}
	return map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
}

func encodeForm(op *awsmodel.Operation, params *awsmodel.Map) string {
	e := encoder{ec2: op.Service.Protocol == awsmodel.EC2}
	e.pair("Action", op.Name)
	e.pair("Version", op.Service.Version)
	if op.In != nil {
		e.value("", params, op.In)
	}
	return e.b.String()
}

type encoder struct {
	b   strings.Builder
	ec2 bool
}

func (e *encoder) pair(key, value string) {
	if e.b.Len() > 0 {
		e.b.WriteByte('&')
	}
	e.b.WriteString(url.QueryEscape(key))
	e.b.WriteByte('=')
	e.b.WriteString(url.QueryEscape(value))
}

func (e *encoder) value(key string, v any, s *awsmodel.Shape) {
	switch s.Kind {
	case awsmodel.Structure:
		m, _ := v.(*awsmodel.Map)
		if m == nil {
			return
		}
		for i, k := range m.Keys {
			member := s.Member(k)
			if member == nil {
				continue
			}
			at := member.In
			if key != "" {
				at = key + "." + at
			}
			e.value(at, m.Values[i], member.Shape)
		}
	case awsmodel.List:
		list, _ := v.([]any)
		if len(list) == 0 && !e.ec2 {
			e.pair(key, "")
			return
		}
		if !s.Flat {
			key += ".member"
		}
		for i, item := range list {
			e.value(key+"."+strconv.Itoa(i+1), item, s.Elem)
		}
	case awsmodel.Mapping:
		m, _ := v.(*awsmodel.Map)
		if m == nil {
			return
		}
		for i, k := range m.Keys {
			at := key + ".entry." + strconv.Itoa(i+1)
			e.value(at+".key", k, s.Key)
			e.value(at+".value", m.Values[i], s.Elem)
		}
	case awsmodel.Boolean:
		if b, ok := v.(bool); ok && b {
			e.pair(key, "true")
		} else {
			e.pair(key, "false")
		}
	case awsmodel.Blob:
		switch v := v.(type) {
		case []byte:
			e.pair(key, base64.StdEncoding.EncodeToString(v))
		case string:
			e.pair(key, base64.StdEncoding.EncodeToString([]byte(v)))
		}
	case awsmodel.Timestamp:
		text := awsargs.Str(v)
		switch n := v.(type) {
		case int64:
			text = time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05Z")
		case string:
			if t, ok := awsargs.ParseTime(n); ok {
				text = t.Format("2006-01-02T15:04:05Z")
			}
		}
		e.pair(key, text)
	default:
		e.pair(key, awsargs.Str(v))
	}
}

// Options say how answers are read.
type Options struct {
	WireTimes bool           // times stay as they were sent
	Zone      *time.Location // in which times that JSON tells as numbers are shown; nil for UTC
}

// A node is an element of a document.
type node struct {
	name     string
	text     string // before the first child
	children []*node
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// parse reads a document.
func parse(doc []byte) (*node, error) {
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	var root *node
	var stack []*node
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			if root == nil || len(stack) > 0 {
				return nil, fmt.Errorf("no element found: line 1, column 0")
			}
			return root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("syntax error: %v", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local}
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, n)
			} else if root == nil {
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1].name != t.Name.Local {
				return nil, fmt.Errorf("mismatched tag")
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) == 0 {
				if strings.TrimSpace(string(t)) != "" {
					return nil, fmt.Errorf("syntax error: line 1, column 0")
				}
				continue
			}
			if top := stack[len(stack)-1]; len(top.children) == 0 {
				top.text += string(t)
			}
		}
	}
}

// Decode reads the document of a success. Members come in the shape's order;
// elements that it does not know are left out.
func Decode(op *awsmodel.Operation, doc []byte, o Options) (*awsmodel.Map, error) {
	if op.Service.Protocol == awsmodel.JSON {
		return decodeJSON(op, doc, o)
	}
	root, err := parse(doc)
	if err != nil {
		return nil, err
	}
	if op.Out == nil {
		return &awsmodel.Map{}, nil
	}
	if op.Wrapper != "" {
		if root = root.child(op.Wrapper); root == nil {
			return nil, fmt.Errorf("no element %s", op.Wrapper)
		}
	}
	d := decoder{o, op.Service.Name == "iam"}
	v, err := d.value(root, op.Out)
	if err != nil {
		return nil, err
	}
	return v.(*awsmodel.Map), nil
}

type decoder struct {
	Options
	iam bool
}

func (d *decoder) value(n *node, s *awsmodel.Shape) (any, error) {
	switch s.Kind {
	case awsmodel.Structure:
		m := &awsmodel.Map{}
		for i := range s.Members {
			member := &s.Members[i]
			c := n.child(member.Out)
			if c == nil {
				continue
			}
			v, err := d.value(c, member.Shape)
			if err != nil {
				return nil, err
			}
			if text, ok := v.(string); ok && d.iam && strings.HasSuffix(member.Name, "Document") {
				v = policy(text)
			}
			m.Set(member.Name, v)
		}
		return m, nil
	case awsmodel.List:
		list := make([]any, 0, len(n.children))
		for _, c := range n.children {
			v, err := d.value(c, s.Elem)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case awsmodel.Mapping:
		m := &awsmodel.Map{}
		for _, c := range n.children {
			key, value := c.child("key"), c.child("value")
			if key == nil || value == nil {
				continue
			}
			v, err := d.value(value, s.Elem)
			if err != nil {
				return nil, err
			}
			m.Set(key.text, v)
		}
		return m, nil
	case awsmodel.Boolean:
		return n.text == "true", nil
	case awsmodel.Integer, awsmodel.Long:
		i, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("element %s: %q is no whole number", n.name, n.text)
		}
		return i, nil
	case awsmodel.Float, awsmodel.Double:
		f, err := strconv.ParseFloat(strings.TrimSpace(n.text), 64)
		if err != nil {
			return nil, fmt.Errorf("element %s: %q is no number", n.name, n.text)
		}
		return f, nil
	case awsmodel.Timestamp:
		if d.WireTimes {
			return n.text, nil
		}
		return isoTime(n.text), nil
	}
	return n.text, nil
}

// isoTime gives a time as the AWS CLI shows it, with its offset.
func isoTime(s string) string {
	t, ok := awsargs.ParseTime(s)
	if !ok {
		return s
	}
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05.000000-07:00")
}

// policy gives the document that IAM sends as escaped text, if it is one.
func policy(text string) any {
	plain, err := url.PathUnescape(text)
	if err != nil {
		return text
	}
	v, err := awsargs.ParseJSON(plain)
	if err != nil {
		return text
	}
	return v
}

// DecodeError reads the document of a refusal. What it does not say is
// Unknown.
func DecodeError(op *awsmodel.Operation, doc []byte) (code, message string, err error) {
	if op.Service.Protocol == awsmodel.JSON {
		return decodeJSONError(doc)
	}
	root, err := parse(doc)
	if err != nil {
		return "", "", err
	}
	code, message = "Unknown", "Unknown"
	n := root
	if e := n.child("Errors"); e != nil {
		n = e
	}
	if e := n.child("Error"); e != nil {
		if c := e.child("Code"); c != nil {
			code = c.text
		}
		if m := e.child("Message"); m != nil {
			message = m.text
		}
	}
	return code, message, nil
}
