package awsmodel

import "slices"

// Values are what calls take and give, before and after they are text: nil,
// bool, int64, float64, string, []byte, []any, and *Map.

// A Map is a mapping that remembers its order, which people see.
type Map struct {
	Keys   []string
	Values []any
	// Class is the name of the Python class that messages of the AWS CLI
	// show; "" for dict.
	Class string
}

// Get gives the value of a key, and whether there is one.
func (m *Map) Get(key string) (any, bool) {
	if i := slices.Index(m.Keys, key); i >= 0 {
		return m.Values[i], true
	}
	return nil, false
}

// Has reports whether there is a value for the key.
func (m *Map) Has(key string) bool { return slices.Contains(m.Keys, key) }

// Set puts a value; a new key comes last.
func (m *Map) Set(key string, v any) {
	if i := slices.Index(m.Keys, key); i >= 0 {
		m.Values[i] = v
		return
	}
	m.Keys, m.Values = append(m.Keys, key), append(m.Values, v)
}

// Delete removes a key.
func (m *Map) Delete(key string) {
	if i := slices.Index(m.Keys, key); i >= 0 {
		m.Keys, m.Values = slices.Delete(m.Keys, i, i+1), slices.Delete(m.Values, i, i+1)
	}
}

// Len gives the number of keys.
func (m *Map) Len() int { return len(m.Keys) }

// Sorted gives the keys in alphabetical order.
func (m *Map) Sorted() []string {
	keys := slices.Clone(m.Keys)
	slices.Sort(keys)
	return keys
}
