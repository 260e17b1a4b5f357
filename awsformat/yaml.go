package awsformat

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"moat/awsargs"
	"moat/awsmodel"
)

// AppendYAML appends a value as YAML in blocks, keys sorted. A scalar alone is
// written as JSON, because YAML would end it with a line of dots.
func AppendYAML(buf []byte, v any) []byte {
	if scalar(v) {
		return append(appendJSON(buf, v, "", false), '\n')
	}
	e := emitter{buf: buf, sorted: true}
	e.node(v, -2, atRoot)
	return e.buf
}

// AppendOrdered is AppendYAML with keys as they come, and with a comment after
// each that has one.
func AppendOrdered(buf []byte, v any, comment func(path []string) string) []byte {
	e := emitter{buf: buf, comment: comment}
	e.node(v, -2, atRoot)
	return e.buf
}

// An emitter writes lines. Column counts runes, as libyaml's does.
type emitter struct {
	buf     []byte
	column  int
	sorted  bool
	comment func(path []string) string
	path    []string
}

const bestWidth = 80

func (e *emitter) write(s string) {
	e.buf = append(e.buf, s...)
	e.column += utf8.RuneCountInString(s)
}

func (e *emitter) newline(indent int) {
	e.buf = append(e.buf, '\n')
	e.column = 0
	e.write(spaces(indent))
}

// Where a node stands.
const (
	atRoot = iota
	afterDash
	afterKey
)

// node writes a value. Indent is that of the list or mapping that holds it. A
// list after a key stays at the key's indent; all else goes two further in.
func (e *emitter) node(v any, indent, where int) {
	at := indent + 2
	if where == atRoot {
		at = 0
	}
	begin := func(i int) {
		switch {
		case i > 0 || where == afterKey:
			e.newline(at)
		case where == afterDash:
			e.write(" ")
		}
	}
	lead := " "
	if where == atRoot {
		lead = ""
	}
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			e.write(lead + "[]")
			break
		}
		if where == afterKey {
			at = indent
		}
		for i, item := range v {
			begin(i)
			e.write("-")
			e.node(item, at, afterDash)
		}
	case *awsmodel.Map:
		if v.Len() == 0 {
			e.write(lead + "{}")
			break
		}
		keys := v.Keys
		if e.sorted {
			keys = v.Sorted()
		}
		for i, k := range keys {
			begin(i)
			e.scalarText(k, at, false)
			e.write(":")
			value, _ := v.Get(k)
			e.path = append(e.path, k)
			text := ""
			if e.comment != nil {
				text = e.comment(e.path)
			}
			if text != "" && !scalar(value) && !empty(value) {
				e.write("  # " + text)
				text = ""
			}
			e.node(value, at, afterKey)
			if text != "" {
				e.write("  # " + text)
			}
			e.path = e.path[:len(e.path)-1]
		}
	default:
		e.write(lead)
		e.scalarValue(v, indent+2)
	}
	if where == atRoot {
		e.buf = append(e.buf, '\n')
		e.column = 0
	}
}

func (e *emitter) scalarValue(v any, indent int) {
	switch v := v.(type) {
	case string:
		e.scalarText(v, indent, true)
	case []byte:
		e.scalarText(string(v), indent, true)
	case nil:
		e.write("null")
	case bool:
		e.write(fmt.Sprint(v))
	default:
		e.write(awsargs.Str(v))
	}
}

// implicit are the plain texts that would be read as something else than text.
var implicit = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`true|True|TRUE|false|False|FALSE`,
	`~|null|Null|NULL|`,
	`[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+`,
	`[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)`,
	`<<|=`,
	`[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?`,
}, "|") + `)$`)

// looksTyped reports whether a plain text would be read as something else.
func looksTyped(s string) bool {
	if s == "" {
		return true
	}
	if !strings.ContainsRune("tTfF~nN-+.0123456789<=", rune(s[0])) {
		return false
	}
	return implicit.MatchString(s) && s[0] != '_'
}

// scalarText writes a string: plain, in single quotes, or in double quotes, the
// first of these that can hold it.
func (e *emitter) scalarText(s string, indent int, fold bool) {
	plain, single := analyse(s)
	switch {
	case plain && !looksTyped(s):
		e.plain(s, indent, fold)
	case single:
		e.single(s, indent, fold)
	default:
		e.double(s, indent, fold)
	}
}

func printable(r rune) bool {
	return r == '\n' || r >= 0x20 && r <= 0x7e || r == 0x85 || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != 0xfeff
}

func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// analyse says whether a string may stand plain in a block, and in single
// quotes: libyaml's rules.
func analyse(s string) (plain, single bool) {
	runes := []rune(s)
	if len(runes) == 0 {
		return true, true
	}
	blank := func(i int) bool { return i >= len(runes) || runes[i] == ' ' || runes[i] == '\t' || isBreak(runes[i]) }
	plain, single = true, true
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		plain = false
	}
	previousSpace, previousBreak := false, false
	for i, r := range runes {
		if i == 0 {
			switch {
			case strings.ContainsRune("#,[]{}&*!|>'\"%@`", r), strings.ContainsRune("?:-", r) && blank(1):
				plain = false
			}
		} else if r == ':' && blank(i+1) || r == '#' && blank(i-1) {
			plain = false
		}
		if !printable(r) {
			plain, single = false, false
		}
		switch {
		case r == ' ':
			if i == 0 || i == len(runes)-1 {
				plain = false
			}
			if previousBreak {
				plain, single = false, false
			}
			previousSpace, previousBreak = true, false
		case isBreak(r):
			plain = false
			if previousSpace {
				single = false
			}
			previousSpace, previousBreak = false, true
		default:
			previousSpace, previousBreak = false, false
		}
	}
	return plain, single
}

func (e *emitter) plain(s string, indent int, fold bool) {
	runes, wasSpace := []rune(s), false
	for i, r := range runes {
		if r == ' ' && fold && !wasSpace && e.column > bestWidth && !(i+1 < len(runes) && runes[i+1] == ' ') {
			e.newline(indent)
		} else {
			e.write(string(r))
		}
		wasSpace = r == ' '
	}
}

func (e *emitter) single(s string, indent int, fold bool) {
	e.write("'")
	runes, wasSpace, wasBreak := []rune(s), false, false
	for i, r := range runes {
		switch {
		case r == ' ':
			if fold && !wasSpace && e.column > bestWidth && i != 0 && i != len(runes)-1 && runes[i+1] != ' ' {
				e.newline(indent)
			} else {
				e.write(" ")
			}
			wasSpace = true
		case isBreak(r):
			if !wasBreak && r == '\n' {
				e.buf = append(e.buf, '\n')
			}
			e.buf = append(e.buf, string(r)...)
			e.column = 0
			wasBreak = true
		default:
			if wasBreak {
				e.write(spaces(indent))
			}
			if r == '\'' {
				e.write("'")
			}
			e.write(string(r))
			wasSpace, wasBreak = false, false
		}
	}
	if wasBreak {
		e.write(spaces(indent))
	}
	e.write("'")
}

var escapes = map[rune]string{
	0: `\0`, 7: `\a`, 8: `\b`, 9: `\t`, 10: `\n`, 11: `\v`, 12: `\f`, 13: `\r`, 0x1b: `\e`, '"': `\"`, '\\': `\\`,
	0x85: `\N`, 0xa0: `\_`, 0x2028: `\L`, 0x2029: `\P`,
}

func (e *emitter) double(s string, indent int, fold bool) {
	e.write(`"`)
	runes, wasSpace := []rune(s), false
	for i, r := range runes {
		switch {
		case !printable(r) || isBreak(r) || r == '"' || r == '\\':
			text := escapes[r]
			switch {
			case text != "":
			case r <= 0xff:
				text = fmt.Sprintf(`\x%02X`, r)
			case r <= 0xffff:
				text = fmt.Sprintf(`\u%04X`, r)
			default:
				text = fmt.Sprintf(`\U%08X`, r)
			}
			e.write(text)
			wasSpace = false
		case r == ' ':
			if fold && !wasSpace && e.column > bestWidth && i != 0 && i != len(runes)-1 {
				e.newline(indent)
				if runes[i+1] == ' ' {
					e.write(`\`)
				}
			} else {
				e.write(" ")
			}
			wasSpace = true
		default:
			e.write(string(r))
			wasSpace = false
		}
	}
	e.write(`"`)
}
