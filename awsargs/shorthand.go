package awsargs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"moat/awsmodel"
)

// shorthand reads Key=value,Other=[a,b],Third={K=v}. The grammar is told in
// the AWS CLI's user guide, "shorthand syntax"; where the guide is silent this
// follows what the CLI does.
type shorthand struct {
	text []rune
	at   int
}

// shorthandError is a place where something else was expected.
type shorthandError struct{ message string }

func (e *shorthandError) Error() string { return e.message }

// parseShorthand reads one word.
func parseShorthand(word string) (*awsmodel.Map, error) {
	p := &shorthand{text: []rune(word)}
	m := &awsmodel.Map{}
	last := 0
	for first := true; first || p.at < len(p.text); first = false {
		if !first {
			if err := p.expect(',', true); err != nil {
				return nil, err
			}
		}
		key := p.key()
		if err := p.expect('=', true); err != nil {
			return nil, err
		}
		v, err := p.values()
		if err != nil {
			return nil, err
		}
		if m.Has(key) {
			return nil, &shorthandError{fmt.Sprintf("Second instance of key \"%s\" encountered for input:\n%s\nThis is often because there is a preceding \",\" instead of a space.", key, p.location(last+1))}
		}
		m.Set(key, v)
		last = p.at
	}
	return m, nil
}

func (p *shorthand) end() bool { return p.at >= len(p.text) }

// is reports whether the next rune is c.
func (p *shorthand) is(c rune) bool { return !p.end() && p.text[p.at] == c }

func (p *shorthand) space() {
	for !p.end() && strings.ContainsRune(" \t\n\r\x0b\x0c", p.text[p.at]) {
		p.at++
	}
}

func (p *shorthand) key() string {
	start := p.at
	for !p.end() {
		c := p.text[p.at]
		if c > 0x7f || !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_.#/:", c)) {
			break
		}
		p.at++
	}
	return string(p.text[start:p.at])
}

func (p *shorthand) expect(c rune, around bool) error {
	if around {
		p.space()
	}
	if p.end() {
		return p.unexpected(string(c), "EOF")
	}
	if p.text[p.at] != c {
		return p.unexpected(string(c), string(p.text[p.at]))
	}
	p.at++
	if around {
		p.space()
	}
	return nil
}

func (p *shorthand) unexpected(want, got string) error {
	return &shorthandError{fmt.Sprintf("Expected: '%s', received: '%s' for input:\n%s", want, got, p.location(p.at))}
}

// location shows the input with a caret below a place.
func (p *shorthand) location(at int) string {
	at = min(at, len(p.text))
	spaces := at
	if i := lastIndex(p.text[:at], '\n'); i >= 0 {
		spaces = at - i - 1
	}
	consumed, remaining := string(p.text), ""
	if i := slices.Index(p.text[at:], '\n'); i >= 0 {
		consumed, remaining = string(p.text[:at+i]), string(p.text[at+i:])
	}
	return consumed + "\n" + strings.Repeat(" ", spaces) + "^" + remaining
}

func lastIndex(s []rune, c rune) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == c {
			return i
		}
	}
	return -1
}

func (p *shorthand) values() (any, error) {
	switch {
	case p.end():
		return "", nil
	case p.is('['):
		return p.list()
	case p.is('{'):
		return p.hash()
	}
	return p.csv()
}

// csv reads one value, or several between commas.
func (p *shorthand) csv() (any, error) {
	first, err := p.first()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.is(',') {
		return first, nil
	}
	if err := p.expect(',', true); err != nil {
		return nil, err
	}
	list := []any{first}
	for {
		v, err := p.second()
		if err == nil {
			p.space()
			if p.end() {
				list = append(list, v)
				break
			}
			if err = p.expect(',', true); err == nil {
				list = append(list, v)
				continue
			}
		}
		// What follows the comma is the next key.
		if p.end() {
			return nil, err
		}
		for p.at >= 0 && p.text[p.at] != ',' {
			p.at--
		}
		break
	}
	if len(list) == 1 {
		return first, nil
	}
	return list, nil
}

func (p *shorthand) list() (any, error) {
	if err := p.expect('[', true); err != nil {
		return nil, err
	}
	list := []any{}
	for !p.is(']') {
		v, err := p.explicit()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		p.space()
		if !p.is(']') {
			if err := p.expect(',', false); err != nil {
				return nil, err
			}
			p.space()
		}
	}
	return list, p.expect(']', false)
}

func (p *shorthand) hash() (any, error) {
	if err := p.expect('{', true); err != nil {
		return nil, err
	}
	m := &awsmodel.Map{}
	for !p.is('}') {
		key := p.key()
		if err := p.expect('=', true); err != nil {
			return nil, err
		}
		v, err := p.explicit()
		if err != nil {
			return nil, err
		}
		p.space()
		if !p.is('}') {
			if err := p.expect(',', false); err != nil {
				return nil, err
			}
			p.space()
		}
		m.Set(key, v)
	}
	return m, p.expect('}', false)
}

func (p *shorthand) explicit() (any, error) {
	switch {
	case p.is('['):
		return p.list()
	case p.is('{'):
		return p.hash()
	}
	return p.first()
}

func (p *shorthand) first() (any, error) {
	if p.is('\'') || p.is('"') {
		return p.quoted()
	}
	s, _ := p.match(follows1)
	return s, nil
}

func (p *shorthand) second() (any, error) {
	if p.is('\'') || p.is('"') {
		return p.quoted()
	}
	s, ok := p.match(follows2)
	if !ok {
		return nil, p.unexpected("<second>", "<none>")
	}
	return s, nil
}

// quoted reads a value in quotes. A backslash protects a quote and itself.
func (p *shorthand) quoted() (any, error) {
	quote := p.text[p.at]
	name := "<singled quoted>"
	if quote == '"' {
		name = "<double quoted>"
	}
	for i := p.at + 1; i < len(p.text); i++ {
		switch {
		case p.text[i] == '\\' && i+1 < len(p.text) && (p.text[i+1] == '\\' || p.text[i+1] == quote):
			// A quote that a backslash protects may still be the last, if no other follows.
			if p.text[i+1] == quote && slices.Index(p.text[i+2:], quote) < 0 {
				s := string(p.text[p.at+1 : i+1])
				p.at = i + 2
				return unescape(s, quote), nil
			}
			i++
		case p.text[i] == quote:
			s := string(p.text[p.at+1 : i])
			p.at = i + 1
			return unescape(s, quote), nil
		}
	}
	return nil, p.unexpected(name, "<none>")
}

func unescape(s string, quote rune) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, `\`+string(quote), string(quote)), `\\`, `\`)
}

// match reads a value without quotes; ok is false if none begins here.
func (p *shorthand) match(follows func(rune) bool) (s string, ok bool) {
	start := p.at
	next := func(fits func(rune) bool) bool {
		if p.is('\\') && p.at+1 < len(p.text) && p.text[p.at+1] == ',' {
			p.at += 2
			return true
		}
		if !p.end() && fits(p.text[p.at]) {
			p.at++
			return true
		}
		return false
	}
	if !next(starts) {
		return "", false
	}
	for next(follows) {
	}
	s = strings.ReplaceAll(string(p.text[start:p.at]), `\,`, ",")
	return strings.TrimRightFunc(s, unicode.IsSpace), true
}

func starts(c rune) bool {
	return c > ' ' && c <= 0xffff && !strings.ContainsRune(`"',=[{`, c)
}

func follows1(c rune) bool {
	return (unicode.IsSpace(c) || c > ' ') && c <= 0xffff && !strings.ContainsRune(`"',]}`, c)
}

func follows2(c rune) bool {
	return (unicode.IsSpace(c) || c > ' ') && c <= 0xffff && !strings.ContainsRune(`"',=`, c)
}

// fit makes what shorthand gave into what the shape asks for: a single value
// where a list is wanted becomes a list, and text becomes numbers and bools.
func fit(v any, s *awsmodel.Shape) (any, error) {
	switch s.Kind {
	case awsmodel.Structure:
		m, ok := v.(*awsmodel.Map)
		if !ok {
			return v, nil
		}
		for i := range s.Members {
			have, ok := m.Get(s.Members[i].Name)
			if !ok || have == nil {
				continue
			}
			to, err := fit(have, s.Members[i].Shape)
			if err != nil {
				return nil, err
			}
			m.Set(s.Members[i].Name, to)
		}
		return m, nil
	case awsmodel.List:
		list, ok := v.([]any)
		if !ok {
			return []any{v}, nil
		}
		for i := range list {
			to, err := fit(list[i], s.Elem)
			if err != nil {
				return nil, err
			}
			list[i] = to
		}
		return list, nil
	case awsmodel.Mapping:
		m, ok := v.(*awsmodel.Map)
		if !ok {
			return v, nil
		}
		for i := range m.Values {
			to, err := fit(m.Values[i], s.Elem)
			if err != nil {
				return nil, err
			}
			m.Values[i] = to
		}
		return m, nil
	case awsmodel.Integer, awsmodel.Long:
		return toInt(v)
	case awsmodel.Float, awsmodel.Double:
		return toFloat(v)
	case awsmodel.Boolean:
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("'%s' object has no attribute 'lower'", strings.TrimSuffix(strings.TrimPrefix(typeName(v), "<class '"), "'>"))
		}
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return v, nil
}

// toInt reads a whole number as Python's int does.
func toInt(v any) (any, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case string:
		text := strings.TrimSpace(v)
		if !strings.HasPrefix(text, "_") && !strings.HasSuffix(text, "_") && !strings.Contains(text, "__") {
			text = strings.ReplaceAll(text, "_", "")
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return nil, fmt.Errorf("invalid literal for int() with base 10: %s", Repr(v))
	}
	return nil, fmt.Errorf("int() argument must be a string, a bytes-like object or a real number, not '%s'", strings.TrimSuffix(strings.TrimPrefix(typeName(v), "<class '"), "'>"))
}

func toFloat(v any) (any, error) {
	text, ok := v.(string)
	if !ok {
		return nil, errors.New("float() argument must be a string or a real number, not '" + strings.TrimSuffix(strings.TrimPrefix(typeName(v), "<class '"), "'>") + "'")
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return nil, fmt.Errorf("could not convert string to float: %s", Repr(text))
	}
	return f, nil
}
