package iam

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"moat/vpc"
)

// An operator is what a condition does with values; negated ones are the same
// with none in place of any.
type operator uint8

const (
	opString operator = iota
	opStringFold
	opStringLike
	opNumberEqual
	opNumberLess
	opNumberLessEqual
	opNumberGreater
	opNumberGreaterEqual
	opDateEqual
	opDateLess
	opDateLessEqual
	opDateGreater
	opDateGreaterEqual
	opBool
	opBinary
	opAddress
	opARN
	opNull
)

// operators are the names of the operators. IAM user guide, "IAM JSON policy
// elements: Condition operators".
var operators = map[string]struct {
	op      operator
	negated bool
}{
	"StringEquals": {opString, false}, "StringNotEquals": {opString, true},
	"StringEqualsIgnoreCase": {opStringFold, false}, "StringNotEqualsIgnoreCase": {opStringFold, true},
	"StringLike": {opStringLike, false}, "StringNotLike": {opStringLike, true},
	"NumericEquals": {opNumberEqual, false}, "NumericNotEquals": {opNumberEqual, true},
	"NumericLessThan": {opNumberLess, false}, "NumericLessThanEquals": {opNumberLessEqual, false},
	"NumericGreaterThan": {opNumberGreater, false}, "NumericGreaterThanEquals": {opNumberGreaterEqual, false},
	"DateEquals": {opDateEqual, false}, "DateNotEquals": {opDateEqual, true},
	"DateLessThan": {opDateLess, false}, "DateLessThanEquals": {opDateLessEqual, false},
	"DateGreaterThan": {opDateGreater, false}, "DateGreaterThanEquals": {opDateGreaterEqual, false},
	"Bool": {opBool, false}, "BinaryEquals": {opBinary, false},
	"IpAddress": {opAddress, false}, "NotIpAddress": {opAddress, true},
	"ArnEquals": {opARN, false}, "ArnLike": {opARN, false}, "ArnNotEquals": {opARN, true}, "ArnNotLike": {opARN, true},
	"Null": {opNull, false},
}

// A quantifier says which values of a key must satisfy an operator.
type quantifier uint8

const (
	single quantifier = iota // the key has one value, or any of them does
	forAll
	forAny
)

// A condition is one operator on one key.
type condition struct {
	op       operator
	negated  bool
	ifExists bool
	many     quantifier
	key      string // in lower case
	shown    string // as it stands in the document
	rule     bool   // the key is of the rules that a call adds
	values   []operand
	spans    []span   // of addresses: what the values cover, in order
	texts    []string // the values as they stand in the document
}

// A span is a range of addresses, both ends in it.
type span struct{ from, to netip.Addr }

// An operand is a value of a condition, read for its operator.
type operand struct {
	pattern pattern // strings
	arn     arnPattern
	number  decimal
	prefix  netip.Prefix
	date    time.Time
	bytes   []byte
	truth   bool
}

// The keys that a rule has. A rule's range is a set: see (*evaluation).ranged.
const (
	keyCIDR         = "moat:cidr"
	keyPrefixLength = "moat:cidrprefixlength"
	keyPort         = "moat:port"
	keyFromPort     = "moat:fromport"
	keyToPort       = "moat:toport"
	keyFamily       = "moat:addressfamily"
	keyProtocol     = "moat:ipprotocol"
	keyDirection    = "moat:direction"
	keyGroup        = "moat:referencedgroup"
	keyPrefixList   = "moat:prefixlist"
)

// ruleKeys says which family of operators goes with a key of rules: another
// would compare the text of a range, and a wider range would slip by.
var ruleKeys = map[string]string{
	keyCIDR: "IpAddress and NotIpAddress", keyPrefixLength: "Numeric", keyPort: "Numeric", keyFromPort: "Numeric", keyToPort: "Numeric",
	keyFamily: "String", keyProtocol: "String", keyDirection: "String", keyGroup: "String or Arn", keyPrefixList: "String or Arn",
}

func (o operator) family() string {
	switch {
	case o <= opStringLike:
		return "String"
	case o <= opNumberGreaterEqual:
		return "Numeric"
	case o <= opDateGreaterEqual:
		return "Date"
	case o == opAddress:
		return "IpAddress"
	case o == opARN:
		return "Arn"
	}
	return "other"
}

// conditions reads the Condition of a statement.
func (r *reader) conditions(s *Statement, n *node) error {
	if n.kind != '{' {
		return r.wrong(n.start, syntaxErrors, "Condition is an object of operators, not %s", n.words())
	}
	for i := range n.members {
		m := &n.members[i]
		var c condition
		name := m.name
		if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
			name, c.many = rest, forAll
		} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
			name, c.many = rest, forAny
		}
		name, c.ifExists = strings.CutSuffix(name, "IfExists")
		o, ok := operators[name]
		if !ok || o.op == opNull && (c.ifExists || c.many != single) {
			return r.wrong(m.start, syntaxErrors, "%q is no condition operator", clip(m.name))
		}
		c.op, c.negated = o.op, o.negated
		if m.value.kind != '{' {
			return r.wrong(m.value.start, syntaxErrors, "%s is an object of keys, not %s", m.name, m.value.words())
		}
		seen := map[string]bool{}
		for j := range m.value.members {
			k := &m.value.members[j]
			c := c
			c.key, c.shown = strings.ToLower(k.name), k.name
			if vendor, rest, ok := strings.Cut(k.name, ":"); !ok || vendor == "" || rest == "" {
				return r.wrong(k.start, vendorSentence, "%q is no condition key", clip(k.name))
			}
			if seen[c.key] {
				return r.wrong(k.start, syntaxErrors, "%q stands here twice, in other letters", clip(k.name))
			}
			seen[c.key] = true
			c.rule = ruleKeys[c.key] != ""
			if want := ruleKeys[c.key]; want != "" && c.op != opNull && !strings.Contains(want, c.op.family()) {
				return r.wrong(k.start, syntaxErrors, "%s is compared with %s operators, not with %s", k.name, want, m.name)
			}
			values := []node{k.value}
			if k.value.kind == '[' {
				values = k.value.items
			}
			for v := range values {
				o, err := r.operand(&c, &values[v])
				if err != nil {
					return err
				}
				c.values = append(c.values, o)
				c.texts = append(c.texts, values[v].text)
			}
			c.order()
			r.policy.rules = r.policy.rules || c.rule
			r.policy.addresses = r.policy.addresses || c.key == keyCIDR || c.key == keyPrefixLength || c.key == keyFamily
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}

// operand reads a value for an operator.
func (r *reader) operand(c *condition, n *node) (o operand, err error) {
	if n.kind != 's' && n.kind != 'n' && n.kind != 'b' {
		return o, r.wrong(n.start, syntaxErrors, "a value of %s is text, a number, true or false, not %s", c.shown, n.words())
	}
	text, reason, ok := n.text, "", true
	switch c.op {
	case opString, opStringFold, opStringLike:
		if c.key == keyProtocol {
			text = protocolName(text)
		}
		if c.op == opStringFold {
			text = fold(text) // names of variables have no case
		}
		o.pattern, reason = parsePattern(text, c.op == opStringLike, r.vars())
	case opARN:
		o.arn, ok, reason = parseARN(text, r.vars())
		if !ok {
			reason = clip(text) + " is no ARN"
		}
	case opNumberEqual, opNumberLess, opNumberLessEqual, opNumberGreater, opNumberGreaterEqual:
		if o.number, ok = parseDecimal(text); !ok {
			reason = n.words() + " is no number"
		}
	case opDateEqual, opDateLess, opDateLessEqual, opDateGreater, opDateGreaterEqual:
		if o.date, ok = parseDate(text); !ok {
			reason = n.words() + " is no date such as 2026-11-22T19:16:02Z"
		}
	case opBool, opNull:
		if o.truth, ok = parseBool(text); !ok {
			reason = n.words() + " is neither true nor false"
		}
	case opBinary:
		if o.bytes, err = base64.StdEncoding.DecodeString(text); err != nil {
			reason = n.words() + " is not base64"
		}
	case opAddress:
		if o.prefix, ok = parsePrefix(text); !ok {
			reason = n.words() + " is no range of addresses such as 203.0.113.0/24"
		}
	}
	if reason != "" {
		return o, r.wrong(n.start, syntaxErrors, "%s: %s", c.shown, reason)
	}
	return o, nil
}

// order puts the values in an order in which the cost of looking at them does
// not grow with their number: numbers sorted, or the one that decides, and
// addresses as what they cover together.
func (c *condition) order() {
	byNumber := func(a, b operand) int { return a.number.compare(b.number) }
	switch c.op {
	case opNumberEqual:
		slices.SortFunc(c.values, byNumber)
	case opNumberLess, opNumberLessEqual:
		if len(c.values) > 1 {
			c.values = []operand{slices.MaxFunc(c.values, byNumber)}
		}
	case opNumberGreater, opNumberGreaterEqual:
		if len(c.values) > 1 {
			c.values = []operand{slices.MinFunc(c.values, byNumber)}
		}
	case opAddress:
		for _, v := range c.values {
			c.spans = append(c.spans, spanOf(v.prefix))
		}
		slices.SortFunc(c.spans, func(a, b span) int { return a.from.Compare(b.from) })
		out := c.spans[:0]
		for _, s := range c.spans {
			if n := len(out); n > 0 && out[n-1].from.BitLen() == s.from.BitLen() && (s.from.Compare(out[n-1].to) <= 0 || out[n-1].to.Next() == s.from) {
				if s.to.Compare(out[n-1].to) > 0 {
					out[n-1].to = s.to
				}
				continue
			}
			out = append(out, s)
		}
		c.spans = out
	}
}

// spanOf gives the first and the last address of a masked range.
func spanOf(p netip.Prefix) span {
	b := p.Addr().As16()
	for i := p.Bits() + 128 - p.Addr().BitLen(); i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		last = last.Unmap()
	}
	return span{p.Addr(), last}
}

// covers reports whether the values of a condition cover a range.
func (c *condition) covers(s span) bool {
	i := sort.Search(len(c.spans), func(i int) bool { return c.spans[i].from.Compare(s.from) > 0 }) - 1
	return i >= 0 && c.spans[i].from.BitLen() == s.from.BitLen() && s.to.Compare(c.spans[i].to) <= 0
}

// protocolName gives a protocol as rules have it: tcp for 6.
func protocolName(s string) string {
	if p, err := vpc.ParseProtocol(s); err == nil {
		return p.String()
	}
	return s
}

// fold gives text for comparison without regard to case.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

func parseBool(s string) (truth, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// parsePrefix reads a range of addresses, or one address.
func parsePrefix(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return p, false
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return p, false
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), true
}

var dateLayouts = []string{
	"2006", "2006-01", "2006-01-02", "2006-01-02T15Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02T15:04",
}

// parseDate reads a date as W3C writes it, or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if len(s) > 40 {
		return time.Time{}, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) != 4 {
		if n < -1<<40 || n > 1<<40 {
			return time.Time{}, false
		}
		return time.Unix(n, 0), true
	}
	for _, l := range dateLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// A decimal is a number of any length, compared without rounding.
type decimal struct {
	negative       bool
	whole, decimal string // without zeros in front, and behind
}

func parseDecimal(s string) (d decimal, ok bool) {
	switch {
	case strings.HasPrefix(s, "-"):
		d.negative, s = true, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	whole, frac, point := strings.Cut(s, ".")
	if whole == "" && frac == "" || point && frac == "" || !digits(whole) || !digits(frac) {
		return d, false
	}
	d.whole, d.decimal = strings.TrimLeft(whole, "0"), strings.TrimRight(frac, "0")
	if d.whole == "" && d.decimal == "" {
		d.negative = false
	}
	return d, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (d decimal) compare(o decimal) int {
	if d.negative != o.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	c := 0
	switch {
	case len(d.whole) != len(o.whole):
		c = 1
		if len(d.whole) < len(o.whole) {
			c = -1
		}
	case d.whole != o.whole:
		c = strings.Compare(d.whole, o.whole)
	default:
		c = strings.Compare(d.decimal, o.decimal)
	}
	if d.negative {
		return -c
	}
	return c
}

// satisfied reports whether a value of the request satisfies an operator with
// any of a condition's values, or with none if the operator is negated. It is
// not valid when a variable has no value where it would have to.
func (e *evaluation) satisfied(c *condition, value string) (yes, valid bool) {
	any := false
	switch c.op {
	case opString, opStringFold, opStringLike:
		if c.op == opStringFold {
			value = fold(value)
		}
		for i := range c.values {
			p := &c.values[i].pattern
			if p.parts != nil {
				r, ok := p.resolve(e)
				if !ok {
					if c.negated {
						return false, false
					}
					continue
				}
				if c.op == opStringFold {
					for i := range r.pieces {
						r.pieces[i] = fold(r.pieces[i])
					}
				}
				any = any || r.match(value)
				continue
			}
			if any = any || p.match(value); any {
				break
			}
		}
	case opARN:
		a := parseValueARN(value)
		for i := range c.values {
			m, ok := c.values[i].arn.match(e, &a)
			if !ok && c.negated {
				return false, false
			}
			any = any || m
		}
	case opNumberEqual, opNumberLess, opNumberLessEqual, opNumberGreater, opNumberGreaterEqual:
		if d, ok := parseDecimal(value); ok {
			if c.op == opNumberEqual {
				_, any = slices.BinarySearchFunc(c.values, d, func(o operand, d decimal) int { return o.number.compare(d) })
			} else if len(c.values) > 0 {
				any = c.op.holds(opNumberEqual, d.compare(c.values[0].number))
			}
		}
	case opDateEqual, opDateLess, opDateLessEqual, opDateGreater, opDateGreaterEqual:
		if d, ok := parseDate(value); ok {
			for i := range c.values {
				any = any || c.op.holds(opDateEqual, d.Compare(c.values[i].date))
			}
		}
	case opBool:
		if b, ok := parseBool(value); ok {
			for i := range c.values {
				any = any || b == c.values[i].truth
			}
		}
	case opBinary:
		if b, err := base64.StdEncoding.DecodeString(value); err == nil {
			for i := range c.values {
				any = any || bytes.Equal(b, c.values[i].bytes)
			}
		}
	case opAddress:
		if p, ok := parsePrefix(value); ok {
			any = c.covers(spanOf(p))
		}
	}
	return any != c.negated, true
}

// holds reports whether an order of two values satisfies a comparison, of the
// family that begins with equal.
func (o operator) holds(equal operator, order int) bool {
	switch o - equal {
	case 0:
		return order == 0
	case 1:
		return order < 0
	case 2:
		return order <= 0
	case 3:
		return order > 0
	}
	return order >= 0
}
