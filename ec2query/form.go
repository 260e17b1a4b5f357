package ec2query

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"moat/fault"
)

// Limits bounds what one request may cost. A zero field means the default.
type Limits struct {
	Bytes int // query string and body together, as sent: 1 MiB
	Pairs int // key=value pairs: 20,000
	Key   int // bytes of one key, decoded: 512
	Index int // a number in a key: 100,000
	Depth int // components of a key, numbers included: 10
}

func (l Limits) orDefault() Limits {
	return Limits{
		Bytes: cmp.Or(l.Bytes, 1<<20),
		Pairs: cmp.Or(l.Pairs, 20_000),
		Key:   cmp.Or(l.Key, 512),
		Index: cmp.Or(l.Index, 100_000),
		Depth: cmp.Or(l.Depth, 10),
	}
}

// A Pair is one decoded key=value of a request.
type Pair struct{ Key, Value string }

// A Form is the decoded pairs of a request. It never changes once parsed.
type Form struct {
	pairs  []Pair // as sent
	params []Pair // without the protocol's own, each key once, sorted by compareKeys
}

// ParseForm reads the pairs of a query string, without its question mark, and
// of a form body. Percent escapes are strict, a plus and %20 are both a space,
// and empty pairs between ampersands are skipped. A key may come twice with one
// value, as a presigned POST may repeat Action; with two values AWS does not
// say which counts, so the request is refused.
func ParseForm(query string, body []byte, lim Limits) (*Form, error) {
	lim = lim.orDefault()
	if len(query)+len(body) > lim.Bytes {
		return nil, fault.RequestEntityTooLarge.With(lim.Bytes)
	}
	sources := [2]string{query, string(body)}
	n := 2 + strings.Count(sources[0], "&") + strings.Count(sources[1], "&")
	f := &Form{pairs: make([]Pair, 0, min(n, lim.Pairs))}

	// All text is decoded into one buffer that never grows, so the strings cut
	// from it stay where they are.
	var text strings.Builder
	text.Grow(len(query) + len(body))
	decode := func(s string) (string, error) {
		start := text.Len()
		if err := unescape(&text, s); err != nil {
			return "", err
		}
		s = text.String()[start:]
		if !utf8.ValidString(s) {
			return "", fault.MalformedQueryString.Say("The request contains text that is not UTF-8")
		}
		return s, nil
	}
	for _, src := range sources {
		for part := range strings.SplitSeq(src, "&") {
			if part == "" {
				continue
			}
			if len(f.pairs) == lim.Pairs {
				return nil, fault.MalformedQueryString.Say("The request contains more than %d parameters", lim.Pairs)
			}
			rawKey, rawValue, _ := strings.Cut(part, "=")
			key, err := decode(rawKey)
			if err != nil {
				return nil, err
			}
			if err := lim.check(key); err != nil {
				return nil, err
			}
			value, err := decode(rawValue)
			if err != nil {
				return nil, err
			}
			f.pairs = append(f.pairs, Pair{key, value})
		}
	}

	sorted := slices.Clone(f.pairs)
	f.params = sorted[:0]
	slices.SortStableFunc(sorted, func(a, b Pair) int { return compareKeys(a.Key, b.Key) })
	for i, p := range sorted {
		if i > 0 && p.Key == sorted[i-1].Key {
			if p.Value != sorted[i-1].Value {
				return nil, fault.MalformedQueryString.Say("The parameter %s appears more than once with different values", p.Key)
			}
			continue
		}
		if !isProtocol(p.Key) {
			f.params = append(f.params, p)
		}
	}
	return f, nil
}

// Get gives the value of a key, the protocol's own included, or "".
func (f *Form) Get(key string) string {
	v, _ := f.Lookup(key)
	return v
}

// Lookup tells an absent key from one with an empty value.
func (f *Form) Lookup(key string) (value string, ok bool) {
	for _, p := range f.pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Pairs gives all pairs in the order in which they were sent.
func (f *Form) Pairs() iter.Seq2[string, string] { return each(f.pairs) }

// Params gives the action's parameters, without Action, Version and those of
// the signature, each once and in an order that does not depend on the sender's.
func (f *Form) Params() iter.Seq2[string, string] { return each(f.params) }

func each(pairs []Pair) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, p := range pairs {
			if !yield(p.Key, p.Value) {
				return
			}
		}
	}
}

// isProtocol reports whether the key belongs to the query protocol or one of
// its signature versions, and so is a parameter of no action.
func isProtocol(key string) bool {
	switch key {
	case "Action", "Version", "AWSAccessKeyId", "SecurityToken", "Timestamp", "Expires":
		return true
	}
	return strings.HasPrefix(key, "Signature") || strings.HasPrefix(key, "X-Amz-")
}

// check holds a decoded key against the limits.
func (l Limits) check(key string) error {
	if key == "" {
		return fault.MalformedQueryString.Say("The request contains a value without a parameter name")
	}
	if len(key) > l.Key {
		return fault.MalformedQueryString.Say("The request contains a parameter name longer than %d bytes", l.Key)
	}
	depth := 0
	for part := range strings.SplitSeq(key, ".") {
		if depth++; depth > l.Depth {
			return fault.MalformedQueryString.Say("The parameter %s is nested deeper than %d levels", key, l.Depth)
		}
		if isIndex(part) && (len(part) > 9 || number(part) > l.Index) {
			return fault.MalformedQueryString.Say("The parameter %s has a number greater than %d", key, l.Index)
		}
	}
	return nil
}

// compareKeys orders keys component by component: a key before those below it,
// numbers by value and before names. Keys that share their first components
// become neighbours, and the items of a list stand in order.
func compareKeys(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	start := strings.LastIndexByte(a[:i], '.') + 1
	x, y := component(a[start:]), component(b[start:])
	if x == y { // one key ends here, the other goes on
		return cmp.Compare(len(a), len(b))
	}
	switch xi, yi := isIndex(x), isIndex(y); {
	case xi && yi:
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	case xi:
		return -1
	case yi:
		return 1
	}
	return strings.Compare(x, y)
}

// component gives s up to its first dot.
func component(s string) string {
	if i := strings.IndexByte(s, '.'); i >= 0 {
		return s[:i]
	}
	return s
}

// isIndex reports whether s is a number as list items carry it: digits, no sign,
// no leading zero, so that no item has two names.
func isIndex(s string) bool {
	if s == "" || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// number gives the value of an index short enough to have one.
func number(index string) (n int) {
	for i := range len(index) {
		n = n*10 + int(index[i]-'0')
	}
	return n
}

func unescape(dst *strings.Builder, s string) error {
	for {
		i := 0
		for i < len(s) && s[i] != '+' && s[i] != '%' {
			i++
		}
		if i == len(s) {
			dst.WriteString(s)
			return nil
		}
		dst.WriteString(s[:i])
		if s[i] == '+' {
			dst.WriteByte(' ')
			s = s[i+1:]
			continue
		}
		if len(s) < i+3 {
			return fault.MalformedQueryString.With("Incomplete trailing escape % sequence")
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi|lo > 15 {
			return fault.MalformedQueryString.Say("Illegal hex character in escape %% pattern: %s", strings.ToValidUTF8(s[i:i+3], "\uFFFD"))
		}
		dst.WriteByte(hi<<4 | lo)
		s = s[i+3:]
	}
}

// unhex gives the value of a hex digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
