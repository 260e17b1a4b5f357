package action

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"moat/fault"
	"moat/vpc"
)

// A Filter is one filter of a request: its values are alternatives.
type Filter struct {
	Name   string
	Values []string `in:"Value"`
}

// maxFilterValues is EC2's limit for one call: API reference, "FilterLimitExceeded".
const maxFilterValues = 200

// A Match is a filter that an action offers over rows of one type.
type Match[Row any] struct {
	Name    string
	Aliases []string
	// Values gives the row's values of the attribute; the filter holds if any
	// of them matches.
	Values func(c *Call, r Row, yield func(string))
	// Check refuses a value before anything is looked up; nil accepts all.
	Check func(value string) error
	// Find gives exactly or at least the rows with a value, from an index; nil
	// where there is none.
	Find func(c *Call, value string) iter.Seq[Row]
}

// On gives a filter on an attribute that a row has once; the empty string
// stands for a row that lacks it.
func On[Row any](name string, get func(r Row) string) Match[Row] {
	return Match[Row]{Name: name, Values: func(_ *Call, r Row, yield func(string)) {
		if v := get(r); v != "" {
			yield(v)
		}
	}}
}

// OnBool gives a filter on a truth value.
func OnBool[Row any](name string, get func(r Row) bool) Match[Row] {
	return On(name, func(r Row) string { return strconv.FormatBool(get(r)) })
}

// OnEach gives a filter on an attribute that a row may have several times.
func OnEach[Row any](name string, each func(r Row, yield func(string))) Match[Row] {
	return Match[Row]{Name: name, Values: func(_ *Call, r Row, yield func(string)) { each(r, yield) }}
}

// Indexed gives the same filter with an index.
func (m Match[Row]) Indexed(find func(c *Call, value string) iter.Seq[Row]) Match[Row] {
	m.Find = find
	return m
}

// Checked gives the same filter with a check of its values.
func (m Match[Row]) Checked(check func(value string) error) Match[Row] {
	m.Check = check
	return m
}

// Also gives the same filter under further names, as real clients send them.
func (m Match[Row]) Also(names ...string) Match[Row] {
	m.Aliases = append(slices.Clone(m.Aliases), names...)
	return m
}

// Tags says how rows have tags, for the filters tag:KEY and tag-key. Find is
// the index of tags; nil for none.
type Tags[Row any] struct {
	Of   func(r Row) vpc.Tags
	Find func(c *Call, key, value string) iter.Seq[Row]
}

// A bound filter is one of the request's joined with what it looks at.
type bound[Row any] struct {
	match  Match[Row]
	values []string
}

// bind joins the filters of a request with those that an action offers.
func bind[Row any](offered []Match[Row], tags *Tags[Row], asked []Filter) ([]bound[Row], error) {
	var out []bound[Row]
	n := 0
	for _, f := range asked {
		m, ok := offer(offered, tags, f.Name)
		if !ok {
			return nil, fault.InvalidParameterValue.Say("The filter '%s' is invalid", f.Name)
		}
		if len(f.Values) == 0 {
			return nil, fault.InvalidParameterValue.Say("The filter '%s' must have at least one value", f.Name)
		}
		if n += len(f.Values); n > maxFilterValues {
			return nil, fault.FilterLimitExceeded.With()
		}
		if m.Check != nil {
			for _, v := range f.Values {
				if err := m.Check(v); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, bound[Row]{m, f.Values})
	}
	return out, nil
}

func offer[Row any](offered []Match[Row], tags *Tags[Row], name string) (Match[Row], bool) {
	for _, m := range offered {
		if m.Name == name || slices.Contains(m.Aliases, name) {
			return m, true
		}
	}
	if tags == nil {
		return Match[Row]{}, false
	}
	if name == "tag-key" {
		return OnEach(name, func(r Row, yield func(string)) {
			for _, t := range tags.Of(r) {
				yield(t.Key)
			}
		}), true
	}
	// Everything after the first colon is the key, taken literally.
	key, ok := strings.CutPrefix(name, "tag:")
	if !ok || key == "" {
		return Match[Row]{}, false
	}
	m := Match[Row]{Name: name, Values: func(_ *Call, r Row, yield func(string)) {
		for _, t := range tags.Of(r) {
			if t.Key == key {
				yield(t.Value)
			}
		}
	}}
	if tags.Find != nil {
		m.Find = func(c *Call, value string) iter.Seq[Row] { return tags.Find(c, key, value) }
	}
	return m, true
}

// holds reports whether a row passes the filter.
func (b *bound[Row]) holds(c *Call, r Row) bool {
	ok := false
	b.match.Values(c, r, func(v string) {
		for _, pattern := range b.values {
			ok = ok || Glob(pattern, v)
		}
	})
	return ok
}

// literal reports whether no value has a wildcard, so that an index can answer.
func (b *bound[Row]) literal() bool {
	for _, v := range b.values {
		if strings.ContainsAny(v, `*?\`) {
			return false
		}
	}
	return true
}

// Glob reports whether s matches a pattern as EC2's filters have them: * for
// any run of characters, ? for one, a backslash before a character that
// stands for itself. It takes time in proportion to the product of the two
// lengths at worst.
func Glob(pattern, s string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == s
	}
	pr, sr := []rune(pattern), []rune(s)
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(sr) {
		switch {
		case p < len(pr) && pr[p] == '*':
			star, mark = p, i
			p++
			continue
		case p < len(pr) && pr[p] == '?':
			p++
			i++
			continue
		case p+1 < len(pr) && pr[p] == '\\' && pr[p+1] == sr[i]:
			p += 2
			i++
			continue
		case p < len(pr) && pr[p] == sr[i] && (pr[p] != '\\' || p+1 == len(pr)):
			p++
			i++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	for p < len(pr) && pr[p] == '*' {
		p++
	}
	return p == len(pr)
}
