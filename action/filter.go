package action

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	match    Match[Row]
	values   []string
	patterns []pattern // of the values
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
		patterns := make([]pattern, len(f.Values))
		for i, v := range f.Values {
			patterns[i] = parsePattern(v)
		}
		out = append(out, bound[Row]{m, f.Values, patterns})
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
		for i := 0; i < len(b.patterns) && !ok; i++ {
			ok = b.patterns[i].matches(v)
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
// stands for itself.
func Glob(pattern, s string) bool {
	p := parsePattern(pattern)
	return p.matches(s)
}

// A pattern is a filter's value made ready: one request compares it with every
// row. Between its stars are pieces, which are looked for from left to right.
type pattern struct {
	pieces []piece // one more than there are stars; neighbouring stars are one
	least  int     // bytes that a match has at least
}

// A piece is what stands between two stars: text, or where it has question
// marks its characters, with anyChar for each of them.
type piece struct {
	text  string
	chars []rune
}

const anyChar rune = -1

func parsePattern(s string) pattern {
	if !strings.ContainsAny(s, `*?\`) && utf8.ValidString(s) {
		return pattern{pieces: []piece{{text: s}}, least: len(s)}
	}
	var p pattern
	var chars []rune
	marks := false
	end := func() {
		if marks {
			p.pieces = append(p.pieces, piece{chars: chars})
		} else {
			p.pieces = append(p.pieces, piece{text: string(chars)})
		}
		chars, marks = nil, false
	}
	escaped, star := false, false
	for i, c := range s {
		switch {
		case escaped:
			escaped = false
		case c == '\\' && i+1 < len(s): // the last one of all stands for itself
			escaped = true
			continue
		case c == '*':
			if !star {
				end()
			}
			star = true
			continue
		case c == '?':
			c, marks = anyChar, true
		}
		chars, star = append(chars, c), false
		p.least += max(1, utf8.RuneLen(c))
	}
	end()
	return p
}

// matches takes time in proportion to the length of s, unless the pattern has
// question marks: then to the product of the two lengths at worst.
func (p *pattern) matches(s string) bool {
	if len(s) < p.least {
		return false
	}
	first, rest := p.pieces[0], p.pieces[1:]
	n := first.prefix(s)
	if n < 0 || len(rest) == 0 {
		return n == len(s)
	}
	s = s[n:]
	for _, m := range rest[:len(rest)-1] {
		if n = m.find(s); n < 0 {
			return false
		}
		s = s[n:]
	}
	return rest[len(rest)-1].suffix(s)
}

// prefix gives the length of the piece at the begin of s, or -1.
func (p *piece) prefix(s string) int {
	if p.chars == nil {
		if strings.HasPrefix(s, p.text) {
			return len(p.text)
		}
		return -1
	}
	n := 0
	for _, c := range p.chars {
		r, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || c != anyChar && c != r {
			return -1
		}
		n += size
	}
	return n
}

// find gives the end of the first place of the piece in s, or -1.
func (p *piece) find(s string) int {
	if p.chars == nil {
		if i := strings.Index(s, p.text); i >= 0 {
			return i + len(p.text)
		}
		return -1
	}
	for i := range s {
		if n := p.prefix(s[i:]); n >= 0 {
			return i + n
		}
	}
	return -1
}

// suffix reports whether s ends with the piece.
func (p *piece) suffix(s string) bool {
	if p.chars == nil {
		return strings.HasSuffix(s, p.text)
	}
	at := len(s)
	for range p.chars {
		_, size := utf8.DecodeLastRuneInString(s[:at])
		at -= size
	}
	return p.prefix(s[at:]) == len(s)-at
}
