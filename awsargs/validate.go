package awsargs

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"moat/awsmodel"
)

// Validate checks what a call is given before it is sent. The text has a line
// for each mistake; "" means there is none.
func Validate(in *awsmodel.Map, shape *awsmodel.Shape) string {
	var c checker
	c.value(in, shape, "")
	return strings.Join(c.lines, "\n")
}

type checker struct{ lines []string }

func (c *checker) report(format string, args ...any) {
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
}

func named(name string) string {
	if name == "" {
		return "input"
	}
	return strings.TrimPrefix(name, ".")
}

func (c *checker) invalidType(v any, name string, valid ...string) {
	for i := range valid {
		if !strings.Contains(valid[i], "-") {
			valid[i] = "<class '" + valid[i] + "'>"
		}
	}
	c.report("Invalid type for parameter %s, value: %s, type: %s, valid types: %s", named(name), Str(v), typeName(v), strings.Join(valid, ", "))
}

func (c *checker) least(n int64, s *awsmodel.Shape, what, name string) {
	if s.HasMin && n < s.Min {
		word := "value"
		if what == "length" {
			word = "length"
		}
		c.report("Invalid %s for parameter %s, value: %d, valid min %s: %d", what, named(name), n, word, s.Min)
	}
}

func (c *checker) value(v any, s *awsmodel.Shape, name string) {
	switch s.Kind {
	case awsmodel.Structure:
		m, ok := v.(*awsmodel.Map)
		if !ok {
			c.invalidType(v, name, "dict")
			return
		}
		for i := range s.Members {
			if r := &s.Members[i]; r.Required && !m.Has(r.Name) {
				c.report("Missing required parameter in %s: \"%s\"", named(name), r.Name)
			}
		}
		var known []int
		for i, k := range m.Keys {
			if s.Member(k) == nil {
				c.report("Unknown parameter in %s: \"%s\", must be one of: %s", named(name), k, strings.Join(s.Names(), ", "))
				continue
			}
			known = append(known, i)
		}
		for _, i := range known {
			c.value(m.Values[i], s.Member(m.Keys[i]).Shape, name+"."+m.Keys[i])
		}
	case awsmodel.List:
		list, ok := v.([]any)
		if !ok {
			c.invalidType(v, name, "list", "tuple")
			return
		}
		c.least(int64(len(list)), s, "length", name)
		for i := range list {
			c.value(list[i], s.Elem, fmt.Sprintf("%s[%d]", name, i))
		}
	case awsmodel.Mapping:
		m, ok := v.(*awsmodel.Map)
		if !ok {
			c.invalidType(v, name, "dict")
			return
		}
		for i, k := range m.Keys {
			c.value(k, s.Key, fmt.Sprintf("%s (key: %s)", name, k))
			c.value(m.Values[i], s.Elem, name+"."+k)
		}
	case awsmodel.String:
		text, ok := v.(string)
		if !ok {
			c.invalidType(v, name, "str")
			return
		}
		c.least(int64(len([]rune(text))), s, "length", name)
	case awsmodel.Integer, awsmodel.Long:
		switch n := v.(type) {
		case int64:
			c.least(n, s, "value", name)
		case bool: // a kind of int in Python
		default:
			c.invalidType(v, name, "int")
		}
	case awsmodel.Float, awsmodel.Double:
		switch v.(type) {
		case float64, int64, bool:
		default:
			c.invalidType(v, name, "float", "decimal.Decimal", "int")
		}
	case awsmodel.Boolean:
		if _, ok := v.(bool); !ok {
			c.invalidType(v, name, "bool")
		}
	case awsmodel.Blob:
		switch v.(type) {
		case []byte, string:
		default:
			c.invalidType(v, name, "bytes", "bytearray", "file-like object")
		}
	case awsmodel.Timestamp:
		switch t := v.(type) {
		case int64, float64, time.Time:
		case string:
			if _, ok := ParseTime(t); !ok {
				c.invalidType(v, name, "datetime.datetime", "timestamp-string")
			}
		default:
			c.invalidType(v, name, "datetime.datetime", "timestamp-string")
		}
	}
}

// ParseTime reads a time in one of the forms that people write. A number is the
// seconds since 1970, as the AWS CLI takes it, also one that reads as a date.
func ParseTime(s string) (time.Time, bool) {
	if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && math.Abs(n) < 1<<40 {
		whole, part := math.Modf(n)
		return time.Unix(int64(whole), int64(math.RoundToEven(part*1e6))*1000).UTC(), true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "20060102T150405Z", time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// DecodeBlobs replaces the base64 text of every blob by what it stands for.
func DecodeBlobs(v any, s *awsmodel.Shape) (any, error) {
	switch s.Kind {
	case awsmodel.Structure:
		if m, ok := v.(*awsmodel.Map); ok {
			for i, k := range m.Keys {
				if member := s.Member(k); member != nil {
					to, err := DecodeBlobs(m.Values[i], member.Shape)
					if err != nil {
						return nil, err
					}
					m.Values[i] = to
				}
			}
		}
	case awsmodel.List:
		if list, ok := v.([]any); ok {
			for i := range list {
				to, err := DecodeBlobs(list[i], s.Elem)
				if err != nil {
					return nil, err
				}
				list[i] = to
			}
		}
	case awsmodel.Blob:
		if text, ok := v.(string); ok {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("Invalid base64: \"%s\"", text)
			}
			return b, nil
		}
	}
	return v, nil
}
