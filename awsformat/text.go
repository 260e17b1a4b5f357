package awsformat

import (
	"slices"
	"strings"

	"moat/awsargs"
	"moat/awsmodel"
)

// AppendText appends a value as lines of fields with tabs between them: an
// object's scalars in one line, sorted by their names, under the name of what
// holds it in capitals; what is nested follows in lines of its own.
func AppendText(buf []byte, v any) []byte { return appendText(buf, v, "", false, nil) }

// appendText appends a value. Named says whether it has a name; keys are the
// scalars to show of an object, nil for its own.
func appendText(buf []byte, v any, name string, named bool, keys []string) []byte {
	switch v := v.(type) {
	case *awsmodel.Map:
		return textMap(buf, v, name, named, keys)
	case []any:
		return textList(buf, v, name, named)
	}
	buf = append(buf, awsargs.Str(v)...)
	return append(buf, '\n')
}

func scalar(v any) bool {
	switch v.(type) {
	case []any, *awsmodel.Map:
		return false
	}
	return true
}

func textList(buf []byte, list []any, name string, named bool) []byte {
	var scalars []any
	maps, lists := false, false
	for _, v := range list {
		switch v.(type) {
		case *awsmodel.Map:
			maps = true
		case []any:
			lists = true
		default:
			scalars = append(scalars, v)
		}
	}
	switch {
	case maps:
		keys := scalarKeys(list)
		for _, v := range list {
			buf = appendText(buf, v, name, named, keys)
		}
	case lists:
		buf = textScalars(buf, scalars, name, named)
		for _, v := range list {
			if !scalar(v) {
				buf = appendText(buf, v, name, named, nil)
			}
		}
	default:
		buf = textScalars(buf, scalars, name, named)
	}
	return buf
}

// scalarKeys gives the scalars that any object of a list has, sorted.
func scalarKeys(list []any) []string {
	keys := []string{}
	seen := map[string]bool{}
	for _, v := range list {
		m, ok := v.(*awsmodel.Map)
		if !ok {
			continue
		}
		for i, k := range m.Keys {
			if scalar(m.Values[i]) && !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

func textScalars(buf []byte, list []any, name string, named bool) []byte {
	if len(list) == 0 {
		return buf
	}
	for i, v := range list {
		switch {
		case named:
			buf = append(buf, strings.ToUpper(name)...)
			buf = append(buf, '\t')
		case i > 0:
			buf = append(buf, '\t')
		}
		buf = append(buf, awsargs.Str(v)...)
		if named {
			buf = append(buf, '\n')
		}
	}
	if !named {
		buf = append(buf, '\n')
	}
	return buf
}

func textMap(buf []byte, m *awsmodel.Map, name string, named bool, keys []string) []byte {
	var fields []string
	var rest []string
	if keys == nil {
		for _, k := range m.Sorted() {
			if v, _ := m.Get(k); scalar(v) {
				fields = append(fields, awsargs.Str(v))
			} else {
				rest = append(rest, k)
			}
		}
	} else {
		for _, k := range keys {
			v, ok := m.Get(k)
			if !ok {
				v = ""
			}
			fields = append(fields, awsargs.Str(v))
		}
		for _, k := range m.Sorted() {
			if !slices.Contains(keys, k) {
				rest = append(rest, k)
			}
		}
	}
	if len(fields) > 0 {
		if named {
			buf = append(buf, strings.ToUpper(name)...)
			buf = append(buf, '\t')
		}
		buf = append(buf, strings.Join(fields, "\t")...)
		buf = append(buf, '\n')
	}
	for _, k := range rest {
		v, _ := m.Get(k)
		buf = appendText(buf, v, k, true, nil)
	}
	return buf
}
