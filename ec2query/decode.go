package ec2query

import (
	"errors"
	"fmt"
	"reflect"

	"moat/fault"
)

// Decode is Form.Decode in this dialect.
func (d *Dialect) Decode(f *Form, dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("ec2query: Decode into %T, not a pointer to a struct", dst))
	}
	return d.decodeStruct(d.structPlan(v.Type().Elem()), v.Elem(), f.params, 0)
}

// The three functions below walk sorted pairs that agree in their first
// components. A run of pairs with the same next component is one member or one
// item, so what is allocated follows the number of pairs, not the numbers in
// their keys.

// decodeStruct fills v from pairs whose keys name its members at offset at.
func (d *Dialect) decodeStruct(p *plan, v reflect.Value, pairs []Pair, at int) error {
	for len(pairs) > 0 {
		name := componentAt(pairs[0].Key, at)
		n := run(pairs, at, name)
		m := p.byIn[name]
		if m == nil {
			return fault.UnknownParameter.With(pairs[0].Key)
		}
		if err := d.decodeValue(m.plan, m.Wire, m.of(v), pairs[:n], at+len(name)); err != nil {
			return err
		}
		pairs = pairs[n:]
	}
	return nil
}

// decodeValue fills v, the member or an item of the member of that name, from
// pairs whose keys name it up to offset end.
func (d *Dialect) decodeValue(p *plan, name string, v reflect.Value, pairs []Pair, end int) error {
	switch p.kind {
	case pointer:
		to := reflect.New(v.Type().Elem())
		if err := d.decodeValue(p.elem, name, to.Elem(), pairs, end); err != nil {
			return err
		}
		v.Set(to)
		return nil

	case Struct:
		return d.decodeStruct(p, v, pairs, end+1)

	case List:
		return d.decodeList(p, name, v, pairs, end)
	}

	for _, pair := range pairs { // nothing is below a scalar
		if len(pair.Key) != end {
			return fault.UnknownParameter.With(pair.Key)
		}
	}
	value := pairs[0].Value
	err := p.set(v, value)
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*fault.Error](err); ok { // the type knows better
		return f
	}
	return fault.InvalidParameterValue.With(value, lowerFirst(name), err)
}

// decodeList fills v with one item for each number that occurs, in their order.
func (d *Dialect) decodeList(p *plan, name string, v reflect.Value, pairs []Pair, end int) error {
	if pairs[0].Key[end:] == "" {
		if d.RequestItem == "" || pairs[0].Value != "" {
			return fault.UnknownParameter.With(pairs[0].Key)
		}
		pairs = pairs[1:] // Name= is an empty list
	}
	if d.RequestItem != "" {
		for _, pair := range pairs {
			if componentAt(pair.Key, end+1) != d.RequestItem {
				return fault.UnknownParameter.With(pair.Key)
			}
		}
		end += 1 + len(d.RequestItem)
	}
	at, items := end+1, 0
	for rest := pairs; len(rest) > 0; items++ {
		index := componentAt(rest[0].Key, at)
		if !isIndex(index) {
			return fault.UnknownParameter.With(rest[0].Key)
		}
		rest = rest[run(rest, at, index):]
	}
	list := reflect.MakeSlice(v.Type(), items, items)
	for i := range items {
		index := componentAt(pairs[0].Key, at)
		n := run(pairs, at, index)
		if err := d.decodeValue(p.elem, name, list.Index(i), pairs[:n], at+len(index)); err != nil {
			return err
		}
		pairs = pairs[n:]
	}
	v.Set(list)
	return nil
}

// componentAt gives the component of a key that begins at offset at, or "" if
// the key ends before, which is the name of no member and the number of no item.
func componentAt(key string, at int) string {
	if at > len(key) {
		return ""
	}
	return component(key[at:])
}

// run counts the leading pairs whose component at offset at is c.
func run(pairs []Pair, at int, c string) int {
	n := 1
	for n < len(pairs) && componentAt(pairs[n].Key, at) == c {
		n++
	}
	return n
}
