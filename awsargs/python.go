package awsargs

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"moat/awsmodel"
)

// The CLI shows values in its messages, and in text, as Python writes them.

// Repr gives a value as Python's repr does.
func Repr(v any) string {
	switch v := v.(type) {
	case string:
		return reprString(v)
	case []byte:
		return "b" + reprString(string(v))
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = Repr(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *awsmodel.Map:
		parts := make([]string, v.Len())
		for i, k := range v.Keys {
			parts[i] = reprString(k) + ": " + Repr(v.Values[i])
		}
		if v.Class != "" {
			for i, k := range v.Keys {
				parts[i] = "(" + reprString(k) + ", " + Repr(v.Values[i]) + ")"
			}
			return "OrderedDict([" + strings.Join(parts, ", ") + "])"
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return Str(v)
}

// Str gives a value as Python's str does.
func Str(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return Float(v)
	case []byte, []any, *awsmodel.Map:
		return Repr(v)
	}
	return fmt.Sprint(v)
}

// Float gives a number as Python does: the shortest text that reads back, with
// .0 for a whole one.
func Float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if exp := strings.IndexByte(s, 'e'); exp >= 0 {
		n, _ := strconv.Atoi(s[exp+1:])
		if n < -4 || n >= 16 {
			return s
		}
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !strings.ContainsAny(s, ".eIN") {
		s += ".0"
	}
	return s
}

// typeName gives the class that a value has in Python.
func typeName(v any) string {
	name := "str"
	switch v := v.(type) {
	case nil:
		name = "NoneType"
	case bool:
		name = "bool"
	case int, int64:
		name = "int"
	case float64:
		name = "float"
	case []byte:
		name = "bytes"
	case []any:
		name = "list"
	case *awsmodel.Map:
		name = "dict"
		if v.Class != "" {
			name = v.Class
		}
	}
	return "<class '" + name + "'>"
}

func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0x7f && !unicode.IsPrint(r):
			switch {
			case r < 0x100:
				fmt.Fprintf(&b, `\x%02x`, r)
			case r < 0x10000:
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				fmt.Fprintf(&b, `\U%08x`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}
