// Package awsformat knows how the AWS CLI writes answers: as JSON, YAML, text
// and tables. Values come in, bytes go out.
//
// YAML is written here and not by a library, because the lines are to break
// where libyaml breaks them for the AWS CLI, and strings are to be quoted as
// it quotes them; no library for Go lets its width be set.
package awsformat

import (
	"fmt"
	"unicode/utf8"

	"moat/awsargs"
	"moat/awsmodel"
)

// AppendJSON appends a value over several lines, each level four spaces in.
func AppendJSON(buf []byte, v any) []byte { return appendJSON(buf, v, "\n", false) }

// AppendASCII is AppendJSON with an escape for all that is not ASCII.
func AppendASCII(buf []byte, v any) []byte { return appendJSON(buf, v, "\n", true) }

// AppendLine appends a value in one line, as a token holds it.
func AppendLine(buf []byte, v any) []byte { return appendJSON(buf, v, "", true) }

// appendJSON appends a value; indent is a newline and the spaces of this
// level, or nothing for one line.
func appendJSON(buf []byte, v any, indent string, ascii bool) []byte {
	inner, comma := "", ", "
	if indent != "" {
		inner, comma = indent+"    ", ","
	}
	switch v := v.(type) {
	case nil:
		return append(buf, "null"...)
	case bool:
		if v {
			return append(buf, "true"...)
		}
		return append(buf, "false"...)
	case string:
		return appendString(buf, v, ascii)
	case []byte:
		return appendString(buf, string(v), ascii)
	case []any:
		if len(v) == 0 {
			return append(buf, "[]"...)
		}
		buf = append(buf, '[')
		for i, item := range v {
			if i > 0 {
				buf = append(buf, comma...)
			}
			buf = append(buf, inner...)
			buf = appendJSON(buf, item, inner, ascii)
		}
		buf = append(buf, indent...)
		return append(buf, ']')
	case *awsmodel.Map:
		if v.Len() == 0 {
			return append(buf, "{}"...)
		}
		buf = append(buf, '{')
		for i, k := range v.Keys {
			if i > 0 {
				buf = append(buf, comma...)
			}
			buf = append(buf, inner...)
			buf = appendString(buf, k, ascii)
			buf = append(buf, ": "...)
			buf = appendJSON(buf, v.Values[i], inner, ascii)
		}
		buf = append(buf, indent...)
		return append(buf, '}')
	}
	return append(buf, awsargs.Str(v)...)
}

func appendString(buf []byte, s string, ascii bool) []byte {
	buf = append(buf, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch c {
			case '"', '\\':
				buf = append(buf, '\\', c)
			case '\n':
				buf = append(buf, '\\', 'n')
			case '\r':
				buf = append(buf, '\\', 'r')
			case '\t':
				buf = append(buf, '\\', 't')
			case '\b':
				buf = append(buf, '\\', 'b')
			case '\f':
				buf = append(buf, '\\', 'f')
			default:
				if c < ' ' {
					buf = fmt.Appendf(buf, `\u%04x`, c)
				} else {
					buf = append(buf, c)
				}
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case !ascii:
			buf = append(buf, s[i:i+n]...)
		case r < 0x10000:
			buf = fmt.Appendf(buf, `\u%04x`, r)
		default:
			r -= 0x10000
			buf = fmt.Appendf(buf, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		}
		i += n
	}
	return append(buf, '"')
}
