package jmespath

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"moat/awsargs"
	"moat/awsmodel"
)

// An expref is &expression, an argument of a function.
type expref struct{ n *node }

// Search applies the expression to a value.
func (e *Expression) Search(v any) (any, error) { return eval(e.root, v) }

func eval(n *node, v any) (any, error) {
	switch n.kind {
	case "current":
		return v, nil
	case "literal":
		return n.value, nil
	case "field":
		if m, ok := v.(*awsmodel.Map); ok {
			v, _ := m.Get(n.name)
			return v, nil
		}
		return nil, nil
	case "chain", "pipe":
		v, err := eval(n.nodes[0], v)
		if err != nil {
			return nil, err
		}
		return eval(n.nodes[1], v)
	case "index":
		base, err := eval(n.nodes[0], v)
		list, ok := base.([]any)
		if err != nil || !ok {
			return nil, err
		}
		i := int(n.value.(int64))
		if i < 0 {
			i += len(list)
		}
		if i < 0 || i >= len(list) {
			return nil, nil
		}
		return list[i], nil
	case "slice":
		base, err := eval(n.nodes[0], v)
		list, ok := base.([]any)
		if err != nil || !ok {
			return nil, err
		}
		return sliced(list, n.slice)
	case "flatten":
		base, err := eval(n.nodes[0], v)
		list, ok := base.([]any)
		if err != nil || !ok {
			return nil, err
		}
		flat := []any{}
		for _, item := range list {
			if inner, ok := item.([]any); ok {
				flat = append(flat, inner...)
			} else {
				flat = append(flat, item)
			}
		}
		return flat, nil
	case "projection":
		base, err := eval(n.nodes[0], v)
		list, ok := base.([]any)
		if err != nil || !ok {
			return nil, err
		}
		return each(n.nodes[1], list)
	case "values":
		base, err := eval(n.nodes[0], v)
		m, ok := base.(*awsmodel.Map)
		if err != nil || !ok {
			return nil, err
		}
		return each(n.nodes[1], m.Values)
	case "filter":
		base, err := eval(n.nodes[0], v)
		list, ok := base.([]any)
		if err != nil || !ok {
			return nil, err
		}
		var kept []any
		for _, item := range list {
			holds, err := eval(n.nodes[1], item)
			if err != nil {
				return nil, err
			}
			if truth(holds) {
				kept = append(kept, item)
			}
		}
		return each(n.nodes[2], kept)
	case "or", "and":
		left, err := eval(n.nodes[0], v)
		if err != nil || truth(left) == (n.kind == "or") {
			return left, err
		}
		return eval(n.nodes[1], v)
	case "not":
		inner, err := eval(n.nodes[0], v)
		return !truth(inner), err
	case "compare":
		left, err := eval(n.nodes[0], v)
		if err != nil {
			return nil, err
		}
		right, err := eval(n.nodes[1], v)
		if err != nil {
			return nil, err
		}
		return compare(n.name, left, right)
	case "list":
		if v == nil {
			return nil, nil
		}
		out := make([]any, 0, len(n.nodes))
		for _, c := range n.nodes {
			item, err := eval(c, v)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	case "object":
		if v == nil {
			return nil, nil
		}
		m := &awsmodel.Map{}
		for i, c := range n.nodes {
			item, err := eval(c, v)
			if err != nil {
				return nil, err
			}
			m.Set(n.keys[i], item)
		}
		return m, nil
	case "expref":
		return expref{n.nodes[0]}, nil
	case "call":
		args := make([]any, 0, len(n.nodes))
		for _, c := range n.nodes {
			a, err := eval(c, v)
			if err != nil {
				return nil, err
			}
			args = append(args, a)
		}
		return call(n.name, args)
	}
	panic("jmespath: no node is a " + n.kind)
}

// each applies a node to items, and leaves out what gives nothing.
func each(n *node, items []any) (any, error) {
	out := []any{}
	for _, item := range items {
		v, err := eval(n, item)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// sliced gives list[start:stop:step] as Python does.
func sliced(list []any, s [3]*int) (any, error) {
	step := 1
	if s[2] != nil {
		step = *s[2]
	}
	if step == 0 {
		return nil, fmt.Errorf("slice step cannot be zero")
	}
	n := len(list)
	place := func(p *int, otherwise, least, most int) int {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i += n
		}
		return min(max(i, least), most)
	}
	out := []any{}
	if step > 0 {
		for i, end := place(s[0], 0, 0, n), place(s[1], n, 0, n); i < end; i += step {
			out = append(out, list[i])
		}
		return out, nil
	}
	for i, end := place(s[0], n-1, -1, n-1), place(s[1], -1, -1, n-1); i > end; i += step {
		out = append(out, list[i])
	}
	return out, nil
}

// truth: null, false, and what is empty are false; 0 is not.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *awsmodel.Map:
		return v.Len() > 0
	}
	return true
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case *awsmodel.Map:
		b, ok := b.(*awsmodel.Map)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for i, k := range a.Keys {
			v, ok := b.Get(k)
			if !ok || !equal(a.Values[i], v) {
				return false
			}
		}
		return true
	case expref:
		return false
	}
	switch b.(type) {
	case []any, *awsmodel.Map, expref:
		return false
	}
	return a == b
}

func compare(how string, a, b any) (any, error) {
	switch how {
	case "eq":
		return equal(a, b), nil
	case "ne":
		return !equal(a, b), nil
	}
	x, isNumber := number(a)
	y, alsoNumber := number(b)
	s, isText := a.(string)
	t, alsoText := b.(string)
	var order int
	switch {
	case isNumber && alsoNumber:
		order = cmp.Compare(x, y)
	case isText && alsoText:
		order = strings.Compare(s, t)
	case (isNumber || isText) && (alsoNumber || alsoText):
		sign := map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[how]
		return nil, fmt.Errorf("'%s' not supported between instances of '%s' and '%s'", sign, python(a), python(b))
	default:
		return nil, nil
	}
	switch how {
	case "lt":
		return order < 0, nil
	case "lte":
		return order <= 0, nil
	case "gt":
		return order > 0, nil
	}
	return order >= 0, nil
}

// python gives the name of a value's class in Python.
func python(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	case expref:
		return "_Expression"
	}
	return "dict"
}

var types = map[string]string{"NoneType": "null", "bool": "boolean", "int": "number", "float": "number", "str": "string", "list": "array", "_Expression": "expref", "dict": "object"}

func typeOf(v any) string { return types[python(v)] }

// A function has the types that its arguments may have; any type is nil.
type function struct {
	args     [][]string
	variadic bool
	call     func(name string, args []any) (any, error)
}

func one(kinds ...string) [][]string { return [][]string{kinds} }

// named gives a function of the language's specification.
func named(name string) (f function, ok bool) {
	switch name {
	case "abs":
		f = function{args: one("number"), call: func(_ string, a []any) (any, error) { return absolute(a[0]), nil }}
	case "avg":
		f = function{args: one("array-number"), call: func(_ string, a []any) (any, error) { return average(a[0].([]any)), nil }}
	case "ceil":
		f = function{args: one("number"), call: func(_ string, a []any) (any, error) { f, _ := number(a[0]); return int64(math.Ceil(f)), nil }}
	case "contains":
		f = function{args: [][]string{{"array", "string"}, nil}, call: contains}
	case "ends_with":
		f = function{args: [][]string{{"string"}, {"string"}}, call: func(_ string, a []any) (any, error) { return strings.HasSuffix(a[0].(string), a[1].(string)), nil }}
	case "floor":
		f = function{args: one("number"), call: func(_ string, a []any) (any, error) { f, _ := number(a[0]); return int64(math.Floor(f)), nil }}
	case "join":
		f = function{args: [][]string{{"string"}, {"array-string"}}, call: join}
	case "keys":
		f = function{args: one("object"), call: func(_ string, a []any) (any, error) { return texts(a[0].(*awsmodel.Map).Keys), nil }}
	case "length":
		f = function{args: one("string", "array", "object"), call: length}
	case "map":
		f = function{args: [][]string{{"expref"}, {"array"}}, call: mapped}
	case "max":
		f = function{args: one("array-number", "array-string"), call: func(_ string, a []any) (any, error) { return extreme(a[0].([]any), 1), nil }}
	case "max_by":
		f = function{args: [][]string{{"array"}, {"expref"}}, call: extremeBy}
	case "merge":
		f = function{args: one("object"), variadic: true, call: merge}
	case "min":
		f = function{args: one("array-number", "array-string"), call: func(_ string, a []any) (any, error) { return extreme(a[0].([]any), -1), nil }}
	case "min_by":
		f = function{args: [][]string{{"array"}, {"expref"}}, call: extremeBy}
	case "not_null":
		f = function{args: [][]string{nil}, variadic: true, call: notNull}
	case "reverse":
		f = function{args: one("array", "string"), call: reverse}
	case "sort":
		f = function{args: one("array-string", "array-number"), call: func(_ string, a []any) (any, error) { return sorted(a[0].([]any)), nil }}
	case "sort_by":
		f = function{args: [][]string{{"array"}, {"expref"}}, call: sortBy}
	case "starts_with":
		f = function{args: [][]string{{"string"}, {"string"}}, call: func(_ string, a []any) (any, error) { return strings.HasPrefix(a[0].(string), a[1].(string)), nil }}
	case "sum":
		f = function{args: one("array-number"), call: func(_ string, a []any) (any, error) { return sum(a[0].([]any)), nil }}
	case "to_array":
		f = function{args: [][]string{nil}, call: toArray}
	case "to_number":
		f = function{args: [][]string{nil}, call: func(_ string, a []any) (any, error) { return toNumber(a[0]), nil }}
	case "to_string":
		f = function{args: [][]string{nil}, call: func(_ string, a []any) (any, error) { return toString(a[0]), nil }}
	case "type":
		f = function{args: [][]string{nil}, call: func(_ string, a []any) (any, error) { return typeOf(a[0]), nil }}
	case "values":
		f = function{args: one("object"), call: func(_ string, a []any) (any, error) { return slices.Clone(a[0].(*awsmodel.Map).Values), nil }}
	}
	return f, f.call != nil
}

func call(name string, args []any) (any, error) {
	f, ok := named(name)
	if !ok {
		return nil, fmt.Errorf("Unknown function: %s()", name)
	}
	if len(args) != len(f.args) && !(f.variadic && len(args) > len(f.args)) {
		least, s := "", "s"
		if f.variadic {
			least = "at least "
		}
		if len(f.args) == 1 {
			s = ""
		}
		return nil, fmt.Errorf("Expected %s%d argument%s for function %s(), received %d", least, len(f.args), s, name, len(args))
	}
	for i, kinds := range f.args {
		if kinds != nil {
			if err := check(name, args[i], kinds); err != nil {
				return nil, err
			}
		}
	}
	return f.call(name, args)
}

func wrongType(name string, v any, kind string, kinds []string) error {
	return fmt.Errorf("In function %s(), invalid type for value: %s, expected one of: %s, received: \"%s\"", name, awsargs.Str(v), list(kinds), kind)
}

// check refuses an argument of another type. The items of array-number are
// all numbers; of two such types the first item says which is meant.
func check(name string, v any, kinds []string) error {
	kind, fits := typeOf(v), false
	var items []string
	for _, k := range kinds {
		outer, inner, ok := strings.Cut(k, "-")
		fits = fits || outer == kind
		if ok {
			items = append(items, inner)
		}
	}
	if !fits {
		return wrongType(name, v, kind, kinds)
	}
	values, ok := v.([]any)
	if !ok || len(items) == 0 || len(values) == 0 {
		return nil
	}
	if len(items) > 1 {
		first := typeOf(values[0])
		if !slices.Contains(items, first) {
			return wrongType(name, values[0], python(values[0]), kinds)
		}
		items = []string{first}
	}
	for _, item := range values {
		if typeOf(item) != items[0] {
			return wrongType(name, item, python(item), kinds)
		}
	}
	return nil
}

func texts(s []string) any {
	out := make([]any, len(s))
	for i := range s {
		out[i] = s[i]
	}
	return out
}

func absolute(v any) any {
	if n, ok := v.(int64); ok {
		return max(n, -n)
	}
	return math.Abs(v.(float64))
}

func sum(list []any) any {
	whole, part, isPart := int64(0), 0.0, false
	for _, v := range list {
		switch v := v.(type) {
		case int64:
			whole += v
		case float64:
			part, isPart = part+v, true
		}
	}
	if isPart {
		return float64(whole) + part
	}
	return whole
}

func average(list []any) any {
	if len(list) == 0 {
		return nil
	}
	f, _ := number(sum(list))
	return f / float64(len(list))
}

func contains(_ string, a []any) (any, error) {
	if list, ok := a[0].([]any); ok {
		return slices.ContainsFunc(list, func(v any) bool { return equal(v, a[1]) }), nil
	}
	part, ok := a[1].(string)
	if !ok {
		return nil, fmt.Errorf("'in <string>' requires string as left operand, not %s", python(a[1]))
	}
	return strings.Contains(a[0].(string), part), nil
}

func join(_ string, a []any) (any, error) {
	var parts []string
	for _, v := range a[1].([]any) {
		parts = append(parts, v.(string))
	}
	return strings.Join(parts, a[0].(string)), nil
}

func length(_ string, a []any) (any, error) {
	switch v := a[0].(type) {
	case string:
		return int64(len([]rune(v))), nil
	case []any:
		return int64(len(v)), nil
	}
	return int64(a[0].(*awsmodel.Map).Len()), nil
}

func mapped(_ string, a []any) (any, error) {
	out := []any{}
	for _, item := range a[1].([]any) {
		v, err := eval(a[0].(expref).n, item)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func merge(_ string, a []any) (any, error) {
	m := &awsmodel.Map{}
	for _, v := range a {
		from, ok := v.(*awsmodel.Map)
		if !ok {
			return nil, fmt.Errorf("'%s' object is not iterable", python(v))
		}
		for i, k := range from.Keys {
			m.Set(k, from.Values[i])
		}
	}
	return m, nil
}

func notNull(_ string, a []any) (any, error) {
	for _, v := range a {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func reverse(_ string, a []any) (any, error) {
	if s, ok := a[0].(string); ok {
		r := []rune(s)
		slices.Reverse(r)
		return string(r), nil
	}
	list := slices.Clone(a[0].([]any))
	slices.Reverse(list)
	return list, nil
}

func toArray(_ string, a []any) (any, error) {
	if _, ok := a[0].([]any); ok {
		return a[0], nil
	}
	return []any{a[0]}, nil
}

func toNumber(v any) any {
	switch v := v.(type) {
	case int64, float64:
		return v
	case string:
		text := strings.TrimSpace(v)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	}
	return nil
}

// toString gives JSON without spaces.
func toString(v any) any {
	switch v := v.(type) {
	case string:
		return v
	case expref:
		return ""
	}
	return string(compact(nil, v))
}

func compact(buf []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(buf, "null"...)
	case bool:
		return strconv.AppendBool(buf, v)
	case string:
		return strconv.AppendQuoteToASCII(buf, v)
	case []any:
		buf = append(buf, '[')
		for i, item := range v {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = compact(buf, item)
		}
		return append(buf, ']')
	case *awsmodel.Map:
		buf = append(buf, '{')
		for i, k := range v.Keys {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = append(strconv.AppendQuoteToASCII(buf, k), ':')
			buf = compact(buf, v.Values[i])
		}
		return append(buf, '}')
	}
	return append(buf, awsargs.Str(v)...)
}

// order compares two numbers, or two strings.
func order(a, b any) int {
	if s, ok := a.(string); ok {
		t, _ := b.(string)
		return strings.Compare(s, t)
	}
	x, _ := number(a)
	y, _ := number(b)
	return cmp.Compare(x, y)
}

func sorted(list []any) any {
	list = slices.Clone(list)
	slices.SortStableFunc(list, order)
	return list
}

func extreme(list []any, sign int) any {
	if len(list) == 0 {
		return nil
	}
	best := list[0]
	for _, v := range list[1:] {
		if order(v, best)*sign > 0 {
			best = v
		}
	}
	return best
}

// keyed gives the items' values of an expression, which are all numbers or all
// strings. With one set, they are what the first is.
func keyed(name string, a []any, same bool) ([]any, error) {
	list, n := a[0].([]any), a[1].(expref).n
	allowed := []string{"number", "string"}
	keys := make([]any, len(list))
	for i, item := range list {
		v, err := eval(n, item)
		if err != nil {
			return nil, err
		}
		kind := typeOf(v)
		if i == 0 && same {
			if !slices.Contains(allowed, kind) {
				return nil, wrongType(name, item, kind, []string{"string", "number"})
			}
			allowed = []string{kind}
		}
		if !slices.Contains(allowed, kind) {
			return nil, wrongType(name, v, kind, allowed)
		}
		keys[i] = v
	}
	return keys, nil
}

func sortBy(name string, a []any) (any, error) {
	keys, err := keyed(name, a, true)
	if err != nil {
		return nil, err
	}
	list := a[0].([]any)
	at := make([]int, len(list))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(x, y int) int { return order(keys[x], keys[y]) })
	out := make([]any, len(list))
	for i, j := range at {
		out[i] = list[j]
	}
	return out, nil
}

func extremeBy(name string, a []any) (any, error) {
	keys, err := keyed(name, a, false)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	sign, best := 1, 0
	if name == "min_by" {
		sign = -1
	}
	for i := range keys {
		if order(keys[i], keys[best])*sign > 0 {
			best = i
		}
	}
	return a[0].([]any)[best], nil
}
