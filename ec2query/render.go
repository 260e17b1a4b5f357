package ec2query

import (
	"reflect"
	"unicode/utf8"
)

// Prolog begins every document.
const Prolog = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// AppendMembers appends the members of out, a struct or a pointer to one, one
// after the other. It reports false if there can be none: out is nil or its
// type has no output members.
func (d *Dialect) AppendMembers(buf []byte, out any) ([]byte, bool) {
	v := indirect(reflect.ValueOf(out))
	if !v.IsValid() {
		return buf, false
	}
	p := d.structPlan(v.Type())
	return d.structContent(buf, p, v), len(p.out) > 0
}

// AppendElement is the function of that name in this dialect.
func (d *Dialect) AppendElement(buf []byte, name string, v any) []byte {
	rv := indirect(reflect.ValueOf(v))
	if !rv.IsValid() {
		return buf
	}
	return d.element(buf, name, d.plan(rv.Type()), rv)
}

func (d *Dialect) structContent(buf []byte, p *plan, v reflect.Value) []byte {
	for i := range p.out {
		m := &p.out[i]
		buf = d.member(buf, m, m.of(v))
	}
	return buf
}

// member appends one member, or nothing if it is to be omitted.
func (d *Dialect) member(buf []byte, m *member, v reflect.Value) []byte {
	switch m.plan.kind {
	case pointer, List:
		if v.IsNil() {
			if m.always {
				return empty(buf, m.Wire)
			}
			return buf
		}
	case Text:
		if !m.always {
			n := len(buf)
			buf = open(buf, m.Wire)
			text := len(buf)
			if buf = d.content(buf, m.plan, v); len(buf) == text {
				return buf[:n]
			}
			return shut(buf, m.Wire)
		}
	case Blob:
		if v.IsNil() {
			return buf
		}
	case Time:
		if timeOf(v).IsZero() {
			return buf
		}
	}
	if m.omitZero && v.IsZero() {
		return buf
	}
	if m.item != "" && v.Len() > 0 {
		buf = open(buf, m.Wire)
		for i := range v.Len() {
			buf = d.element(buf, m.item, m.plan.elem, v.Index(i))
		}
		return shut(buf, m.Wire)
	}
	return d.element(buf, m.Wire, m.plan, v)
}

// element appends v whatever it is, <name/> if it has no content.
func (d *Dialect) element(buf []byte, name string, p *plan, v reflect.Value) []byte {
	n := len(buf)
	buf = open(buf, name)
	text := len(buf)
	if buf = d.content(buf, p, v); len(buf) == text {
		return empty(buf[:n], name)
	}
	return shut(buf, name)
}

// content appends what stands between the tags.
func (d *Dialect) content(buf []byte, p *plan, v reflect.Value) []byte {
	switch p.kind {
	case pointer:
		return d.content(buf, p.elem, v.Elem())
	case Struct:
		return d.structContent(buf, p, v)
	case List:
		for i := range v.Len() {
			item := v.Index(i)
			if p.elem.kind == pointer && item.IsNil() {
				continue
			}
			buf = d.element(buf, d.ResponseItem, p.elem, item)
		}
		return buf
	case Text:
		if !p.marshals {
			return AppendText(buf, v.String())
		}
		n := len(buf)
		buf = p.appendRaw(buf, v, "")
		if clean(buf[n:]) {
			return buf
		}
		return AppendText(buf[:n], string(buf[n:]))
	}
	return p.appendRaw(buf, v, d.TimeLayout) // nothing to escape in the others
}

func open(buf []byte, name string) []byte {
	buf = append(buf, '<')
	buf = append(buf, name...)
	return append(buf, '>')
}

func shut(buf []byte, name string) []byte {
	buf = append(buf, '<', '/')
	buf = append(buf, name...)
	return append(buf, '>')
}

func empty(buf []byte, name string) []byte {
	buf = append(buf, '<')
	buf = append(buf, name...)
	return append(buf, '/', '>')
}

// plain holds the bytes that stand for themselves in the text of an element.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = true
	}
	t['\t'], t['\n'] = true, true
	t['&'], t['<'], t['>'] = false, false, false
	return t
}()

func clean(s []byte) bool {
	for _, c := range s {
		if !plain[c] {
			return false
		}
	}
	return true
}

// AppendText appends s as the text of an element. Quotes stand as they are, as
// in EC2's own messages: "The security group 'sg-0123' does not exist" is what
// people search for. A carriage return is escaped, or a parser would read it as
// a newline, and what XML 1.0 cannot hold becomes U+FFFD.
func AppendText(buf []byte, s string) []byte {
	from := 0 // s[from:i] is yet to be copied
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		size, to := 1, "\uFFFD"
		switch {
		case c == '&':
			to = "&amp;"
		case c == '<':
			to = "&lt;"
		case c == '>':
			to = "&gt;"
		case c == '\r':
			to = "&#xD;"
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if (r != utf8.RuneError || size > 1) && r != 0xFFFE && r != 0xFFFF {
				i += size
				continue
			}
		}
		buf = append(buf, s[from:i]...)
		buf = append(buf, to...)
		i += size
		from = i
	}
	return append(buf, s[from:]...)
}
