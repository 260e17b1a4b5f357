package awsargs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"moat/awsmodel"
)

// ParseJSON reads JSON in order. An error says what Python's json says, which
// people search for.
func ParseJSON(text string) (any, error) { return parseJSON(text, "") }

// parseJSON is ParseJSON with the class of the objects it makes.
func parseJSON(text, class string) (any, error) {
	if strings.HasPrefix(text, "\ufeff") {
		return nil, jsonError{text, "Unexpected UTF-8 BOM (decode using utf-8-sig)", 0}
	}
	p := &jsonText{text: text, class: class}
	p.space()
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(text) {
		return nil, p.fail("Extra data", p.at)
	}
	return v, nil
}

type jsonText struct {
	text, class string
	at          int
}

type jsonError struct {
	text, message string
	at            int
}

func (e jsonError) Error() string {
	before := e.text[:min(e.at, len(e.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.message, line, column, utf8.RuneCountInString(before))
}

func (p *jsonText) fail(message string, at int) error { return jsonError{p.text, message, at} }

func (p *jsonText) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *jsonText) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

var jsonWords = []struct {
	text  string
	value any
}{
	{"null", nil}, {"true", true}, {"false", false},
	{"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)},
}

func (p *jsonText) value() (any, error) {
	start := p.at
	switch c := p.peek(); {
	case c == '"':
		return p.string()
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '-' || '0' <= c && c <= '9':
		if v, ok := p.number(); ok {
			return v, nil
		}
	}
	for _, w := range jsonWords {
		if strings.HasPrefix(p.text[start:], w.text) {
			p.at = start + len(w.text)
			return w.value, nil
		}
	}
	return nil, p.fail("Expecting value", start)
}

func (p *jsonText) number() (any, bool) {
	start, at := p.at, p.at
	digits := func() int {
		n := 0
		for at < len(p.text) && '0' <= p.text[at] && p.text[at] <= '9' {
			at, n = at+1, n+1
		}
		return n
	}
	if p.text[at] == '-' {
		at++
	}
	if at < len(p.text) && p.text[at] == '0' {
		at++
	} else if digits() == 0 {
		return nil, false
	}
	whole := at
	if at < len(p.text) && p.text[at] == '.' {
		at++
		if digits() == 0 {
			at = whole
		}
	}
	if at < len(p.text) && (p.text[at] == 'e' || p.text[at] == 'E') {
		mark := at
		at++
		if at < len(p.text) && (p.text[at] == '+' || p.text[at] == '-') {
			at++
		}
		if digits() == 0 {
			at = mark
		}
	}
	p.at = at
	if at == whole {
		if n, err := strconv.ParseInt(p.text[start:at], 10, 64); err == nil {
			return n, true
		}
	}
	f, _ := strconv.ParseFloat(p.text[start:at], 64)
	return f, true
}

func (p *jsonText) object() (any, error) {
	m := &awsmodel.Map{Class: p.class}
	p.at++
	p.space()
	if p.peek() == '}' && p.at < len(p.text) {
		p.at++
		return m, nil
	}
	for {
		if p.peek() != '"' {
			return nil, p.fail("Expecting property name enclosed in double quotes", p.at)
		}
		key, err := p.string()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.peek() != ':' {
			return nil, p.fail("Expecting ':' delimiter", p.at)
		}
		p.at++
		p.space()
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		m.Set(key.(string), v)
		p.space()
		switch p.peek() {
		case '}':
			p.at++
			return m, nil
		case ',':
			p.at++
			p.space()
		default:
			return nil, p.fail("Expecting ',' delimiter", p.at)
		}
	}
}

func (p *jsonText) array() (any, error) {
	list := []any{}
	p.at++
	p.space()
	if p.peek() == ']' {
		p.at++
		return list, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		p.space()
		switch p.peek() {
		case ']':
			p.at++
			return list, nil
		case ',':
			p.at++
			p.space()
		default:
			return nil, p.fail("Expecting ',' delimiter", p.at)
		}
	}
}

func (p *jsonText) string() (any, error) {
	open := p.at
	p.at++
	var b strings.Builder
	for {
		if p.at >= len(p.text) {
			return nil, p.fail("Unterminated string starting at", open)
		}
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return b.String(), nil
		case c < ' ':
			return nil, p.fail("Invalid control character at", p.at)
		case c != '\\':
			b.WriteByte(c)
			p.at++
			continue
		}
		if p.at+1 >= len(p.text) {
			return nil, p.fail("Unterminated string starting at", open)
		}
		e := p.text[p.at+1]
		if e == 'u' {
			r, err := p.hex(p.at)
			if err != nil {
				return nil, err
			}
			p.at += 6
			if utf16.IsSurrogate(r) && strings.HasPrefix(p.text[p.at:], `\u`) {
				low, err := p.hex(p.at)
				if err != nil {
					return nil, err
				}
				if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
					r = both
					p.at += 6
				}
			}
			b.WriteRune(r)
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, e)
		if i < 0 {
			return nil, p.fail("Invalid \\escape", p.at)
		}
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		p.at += 2
	}
}

func (p *jsonText) hex(at int) (rune, error) {
	if at+6 <= len(p.text) {
		if n, err := strconv.ParseUint(p.text[at+2:at+6], 16, 32); err == nil {
			return rune(n), nil
		}
	}
	return 0, p.fail("Invalid \\uXXXX escape", at+1)
}
