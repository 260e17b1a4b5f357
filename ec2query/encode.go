package ec2query

import (
	"reflect"
	"strconv"
	"time"
)

// EncodeForm is the function of that name in this dialect.
func (d *Dialect) EncodeForm(action, version string, src any) string {
	e := encoder{dialect: d}
	e.pair("Action", action)
	e.pair("Version", version)
	if v := indirect(reflect.ValueOf(src)); v.IsValid() {
		e.members(d.structPlan(v.Type()), v)
	}
	return string(e.buf)
}

// indirect looks through pointers and gives the zero Value for nil.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

type encoder struct {
	dialect *Dialect
	buf     []byte
	key     []byte // of the value at hand, with a leading dot
	text    []byte // scratch
}

// members appends what a struct holds.
func (e *encoder) members(p *plan, v reflect.Value) {
	for i := range p.in {
		m := &p.in[i]
		e.below(m.Wire, func() { e.value(m.plan, m.of(v), true) })
	}
}

// below runs f with one more component in the key.
func (e *encoder) below(name string, f func()) {
	n := len(e.key)
	e.key = append(append(e.key, '.'), name...)
	f()
	e.key = e.key[:n]
}

// value appends v under the key. A plain member that is zero is left out if
// omit is set; what a pointer or a list holds is not.
func (e *encoder) value(p *plan, v reflect.Value, omit bool) {
	switch p.kind {
	case pointer:
		if !v.IsNil() {
			e.value(p.elem, v.Elem(), false)
		}
	case Struct:
		n := len(e.buf)
		if e.members(p, v); len(e.buf) == n && !omit {
			e.keep(p, v)
		}
	case List:
		if e.dialect.RequestItem == "" {
			e.items(p, v)
			return
		}
		if v.Len() == 0 && !v.IsNil() {
			e.pair(string(e.key[1:]), "")
		}
		e.below(e.dialect.RequestItem, func() { e.items(p, v) })
	default:
		e.text = p.appendRaw(e.text[:0], v, time.RFC3339Nano)
		if omit && (p.kind == Text && len(e.text) == 0 || p.kind != Text && v.IsZero()) {
			return
		}
		e.pair(string(e.key[1:]), string(e.text))
	}
}

func (e *encoder) items(p *plan, v reflect.Value) {
	for i := range v.Len() {
		e.below(strconv.Itoa(i+1), func() { e.value(p.elem, v.Index(i), false) })
	}
}

// keep appends the first plain member of a struct that holds nothing, so that
// it does not vanish from its list. A struct of pointers and lists only does.
func (e *encoder) keep(p *plan, v reflect.Value) {
	for i := range p.in {
		m := &p.in[i]
		switch m.plan.kind {
		case pointer, Struct, List:
			continue
		}
		e.below(m.Wire, func() { e.value(m.plan, m.of(v), false) })
		return
	}
}

func (e *encoder) pair(key, value string) {
	if len(e.buf) > 0 {
		e.buf = append(e.buf, '&')
	}
	e.buf = appendEscaped(e.buf, key)
	e.buf = append(e.buf, '=')
	e.buf = appendEscaped(e.buf, value)
}

// appendEscaped escapes as the SDKs do: a space is a plus, and only letters,
// digits and -_.~ stand for themselves.
func appendEscaped(buf []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~':
			buf = append(buf, c)
		case c == ' ':
			buf = append(buf, '+')
		default:
			buf = append(buf, '%', hex[c>>4], hex[c&15])
		}
	}
	return buf
}
