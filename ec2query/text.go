package ec2query

import (
	"encoding"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// set parses s into v, a settable value of this scalar plan. The error's text is
// the reason in an InvalidParameterValue, so it is a sentence.
func (p *plan) set(v reflect.Value, s string) error {
	switch p.kind {
	case Text:
		if p.unmarshals {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
		}
		// A copy of its own: a name kept for years must not keep its request.
		v.SetString(strings.Clone(s))
	case Bool:
		// Clients send true and false; the service is known to be lenient.
		switch {
		case s == "1", strings.EqualFold(s, "true"):
			v.SetBool(true)
		case s == "0", strings.EqualFold(s, "false"):
			v.SetBool(false)
		default:
			return errors.New("Not a valid boolean.")
		}
	case Int:
		if v.CanInt() {
			n, err := strconv.ParseInt(s, 10, v.Type().Bits())
			if err != nil {
				return errors.New("Not a valid integer.")
			}
			v.SetInt(n)
			return nil
		}
		n, err := strconv.ParseUint(s, 10, v.Type().Bits())
		if err != nil {
			return errors.New("Not a valid integer.")
		}
		v.SetUint(n)
	case Float:
		n, err := strconv.ParseFloat(s, v.Type().Bits())
		// No hexadecimal, no infinity, no NaN, no underscore.
		if err != nil || strings.Trim(s, "0123456789+-.eE") != "" {
			return errors.New("Not a valid number.")
		}
		v.SetFloat(n)
	case Blob:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return errors.New("Not valid base64.")
		}
		v.SetBytes(b)
	case Time:
		t, err := time.Parse(time.RFC3339Nano, s)
		// A zone can carry the first and the last hours out of the years that
		// have four digits, where the text could not be written again.
		if t = t.UTC(); err != nil || t.Year() < 0 || t.Year() > 9999 {
			return errors.New("Not a valid timestamp.")
		}
		v.Set(reflect.ValueOf(t))
	default:
		panic("ec2query: not a scalar: " + p.kind.String())
	}
	return nil
}

// appendRaw appends the text of v, a value of this scalar plan, unescaped.
func (p *plan) appendRaw(buf []byte, v reflect.Value, timeLayout string) []byte {
	switch p.kind {
	case Text:
		if p.marshals {
			return appendMarshaled(buf, v)
		}
		return append(buf, v.String()...)
	case Bool:
		return strconv.AppendBool(buf, v.Bool())
	case Int:
		if v.CanInt() {
			return strconv.AppendInt(buf, v.Int(), 10)
		}
		return strconv.AppendUint(buf, v.Uint(), 10)
	case Float:
		return strconv.AppendFloat(buf, v.Float(), 'g', -1, v.Type().Bits())
	case Blob:
		return base64.StdEncoding.AppendEncode(buf, v.Bytes())
	case Time:
		return timeOf(v).UTC().AppendFormat(buf, timeLayout)
	}
	panic("ec2query: not a scalar: " + p.kind.String())
}

// appendMarshaled appends the text of a value that writes itself. One that
// cannot is not a value of its type: a broken invariant.
func appendMarshaled(buf []byte, v reflect.Value) []byte {
	if !v.CanAddr() { // the method may want a pointer
		at := reflect.New(v.Type()).Elem()
		at.Set(v)
		v = at
	}
	var err error
	switch m := v.Addr().Interface().(type) {
	case encoding.TextAppender:
		buf, err = m.AppendText(buf)
	case encoding.TextMarshaler:
		var text []byte
		text, err = m.MarshalText()
		buf = append(buf, text...)
	}
	if err != nil {
		panic(fmt.Sprintf("ec2query: %v: %v", v.Type(), err))
	}
	return buf
}

// timeOf gives a time value, without a copy on the heap if v can be pointed to.
func timeOf(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}
