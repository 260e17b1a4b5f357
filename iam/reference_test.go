package iam_test

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The second implementation of the language: slow, obvious, and of nothing in
// common with the first but the reference that both were written from. It
// reads documents with encoding/json, matches with regular expressions, counts
// with big rationals, and tries every port and every address.

type refPolicy struct {
	version    string
	statements []map[string]any
}

func refParse(doc string) (p refPolicy, ok bool) {
	var m map[string]any
	if json.Unmarshal([]byte(doc), &m) != nil {
		return p, false
	}
	p.version, _ = m["Version"].(string)
	switch s := m["Statement"].(type) {
	case map[string]any:
		p.statements = []map[string]any{s}
	case []any:
		for _, x := range s {
			p.statements = append(p.statements, x.(map[string]any))
		}
	}
	return p, true
}

type refRequest struct {
	action, resource string
	keys             map[string][]string // in lower case
	noRule           bool
}

// refDecide gives "allow", or "deny" and "none" with the part that says so.
func refDecide(identity, boundary, session []string, r *refRequest) string {
	parts := []struct {
		name string
		docs []string
	}{{"identity", identity}, {"boundary", boundary}, {"session", session}}
	result := "allow"
	for i, part := range parts {
		if i > 0 && len(part.docs) == 0 {
			continue
		}
		allowed := false
		for _, doc := range part.docs {
			p, ok := refParse(doc)
			if !ok {
				continue
			}
			for _, s := range p.statements {
				if !refMatches(p.version == "2012-10-17", s, r) {
					continue
				}
				if s["Effect"] == "Deny" {
					return "deny " + part.name
				}
				allowed = true
			}
		}
		if !allowed && result == "allow" {
			result = "none " + part.name
		}
	}
	// A later part's Deny is stronger than an earlier part's silence.
	return result
}

func list(v any) []string {
	switch v := v.(type) {
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, list(x)...)
		}
		return out
	case string:
		return []string{v}
	case bool:
		if v {
			return []string{"true"}
		}
		return []string{"false"}
	case float64:
		return []string{strings.TrimSuffix(big.NewFloat(v).Text('f', -1), ".0")}
	}
	return nil
}

func refMatches(vars bool, s map[string]any, r *refRequest) bool {
	if a, ok := s["Action"]; ok {
		if !slices.ContainsFunc(list(a), func(p string) bool { return glob("(?i)", p, r.action) }) {
			return false
		}
	} else if slices.ContainsFunc(list(s["NotAction"]), func(p string) bool { return glob("(?i)", p, r.action) }) {
		return false
	}
	want, negated := s["Resource"], false
	if want == nil {
		want, negated = s["NotResource"], true
	}
	hit := false
	for _, p := range list(want) {
		ok, known := refARN(vars, p, r.resource, r)
		if !known && negated {
			return false
		}
		hit = hit || ok && known
	}
	if hit == negated {
		return false
	}
	conds, _ := s["Condition"].(map[string]any)
	return refConditions(vars, s["Effect"] == "Allow", conds, r)
}

// glob matches with a regular expression.
func glob(flags, pattern, s string) bool {
	var b strings.Builder
	b.WriteString("(?s)" + flags + "^")
	for _, c := range pattern {
		switch c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	return compiled(b.String()).MatchString(s)
}

var expressions = map[string]*regexp.Regexp{}

func compiled(expr string) *regexp.Regexp {
	r := expressions[expr]
	if r == nil {
		if len(expressions) > 10_000 {
			clear(expressions)
		}
		r = regexp.MustCompile(expr)
		expressions[expr] = r
	}
	return r
}

var variable = regexp.MustCompile(`\$\{[^}]*\}`)

// substitute gives a regular expression for a text with variables.
func substitute(vars, wild bool, text string, r *refRequest) (expr string, known bool) {
	var b strings.Builder
	plain := func(s string) {
		for _, c := range s {
			switch {
			case c == '*' && wild:
				b.WriteString(".*")
			case c == '?' && wild:
				b.WriteString(".")
			default:
				b.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
	}
	if !vars {
		plain(text)
		return "(?s)^" + b.String() + "$", true
	}
	at := 0
	for _, m := range variable.FindAllStringIndex(text, -1) {
		plain(text[at:m[0]])
		at = m[1]
		body := text[m[0]+2 : m[1]-1]
		if body == "*" || body == "?" || body == "$" {
			b.WriteString(regexp.QuoteMeta(body))
			continue
		}
		name, def, hasDef := strings.Cut(body, ",")
		v := r.keys[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case len(v) == 1:
			b.WriteString(regexp.QuoteMeta(v[0]))
		case hasDef:
			b.WriteString(regexp.QuoteMeta(strings.Trim(strings.TrimSpace(def), "'")))
		default:
			return "", false
		}
	}
	plain(text[at:])
	return "(?s)^" + b.String() + "$", true
}

func refARN(vars bool, pattern, value string, r *refRequest) (ok, known bool) {
	if pattern == "*" {
		return true, true
	}
	// Colons inside variables do not count: hide them.
	hidden := variable.ReplaceAllStringFunc(pattern, func(v string) string {
		if !vars {
			return v
		}
		return strings.ReplaceAll(v, ":", "\x01")
	})
	want, have := strings.SplitN(hidden, ":", 6), strings.SplitN(value, ":", 6)
	if len(want) != 6 {
		return false, true
	}
	ok, known = len(have) == 6, true
	for i := range want {
		expr, k := substitute(vars, true, strings.ReplaceAll(want[i], "\x01", ":"), r)
		if !k {
			known = false
			continue
		}
		ok = ok && compiled(expr).MatchString(have[min(i, len(have)-1)])
	}
	return ok && known, known
}

func refConditions(vars, allow bool, conds map[string]any, r *refRequest) bool {
	// Ports and addresses of a rule are judged point by point.
	points := map[string][]string{}
	for _, key := range []string{"moat:port", "moat:cidr"} {
		if v := r.keys[key]; len(v) == 1 {
			points[key] = pointsOf(v[0])
		}
	}
	joint := map[string]map[string]any{} // by key: operators without a quantifier
	for op, keys := range conds {
		for key, want := range keys.(map[string]any) {
			k := strings.ToLower(key)
			if strings.HasPrefix(k, "moat:") && r.noRule {
				if !allow {
					return false
				}
				continue
			}
			values, present := r.keys[k]
			present = present && len(values) > 0
			if p := points[k]; p != nil && op != "Null" {
				if strings.HasPrefix(op, "ForAllValues:") {
					values = p
				} else if strings.HasPrefix(op, "ForAnyValue:") {
					values = p
				} else {
					if joint[k] == nil {
						joint[k] = map[string]any{}
					}
					joint[k][op] = want
					continue
				}
			}
			if !refCondition(vars, allow, op, k, list(want), values, present, r) {
				return false
			}
		}
	}
	for k, ops := range joint {
		some, every := false, true
		for _, p := range points[k] {
			all := true
			for op, want := range ops {
				all = all && refCondition(vars, allow, op, k, list(want), []string{p}, true, r)
			}
			some, every = some || all, every && all
		}
		if allow && !every || !allow && !some {
			return false
		}
	}
	return true
}

// pointsOf gives every port of a range, or every address of a small one.
func pointsOf(v string) []string {
	if p, err := netip.ParsePrefix(v); err == nil {
		var out []string
		for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
			out = append(out, a.String())
			if len(out) > 5000 {
				panic("too many addresses for the slow way: " + v)
			}
		}
		return out
	}
	from, to, ok := strings.Cut(v, "-")
	if !ok {
		return []string{v}
	}
	a, _ := new(big.Int).SetString(from, 10)
	b, _ := new(big.Int).SetString(to, 10)
	var out []string
	for n := a.Int64(); n <= b.Int64(); n++ {
		out = append(out, big.NewInt(n).String())
	}
	return out
}

func refCondition(vars, allow bool, op, key string, want, values []string, present bool, r *refRequest) bool {
	if op == "Null" {
		for _, w := range want {
			if strings.EqualFold(w, "true") == !present {
				return true
			}
		}
		return false
	}
	many := ""
	if rest, ok := strings.CutPrefix(op, "ForAllValues:"); ok {
		many, op = "all", rest
	} else if rest, ok := strings.CutPrefix(op, "ForAnyValue:"); ok {
		many, op = "any", rest
	}
	op, ifExists := strings.CutSuffix(op, "IfExists")
	negated := strings.Contains(op, "Not")
	if !present {
		return ifExists || many == "all" || many == "" && negated
	}
	if negated { // a variable without a value leaves nothing to compare with
		for _, w := range want {
			if _, known := substitute(vars, false, w, r); !known && (strings.HasPrefix(op, "String") || strings.HasPrefix(op, "Arn")) {
				return false
			}
		}
	}
	hit := func(v string) bool {
		for _, w := range want {
			if refCompare(vars, strings.Replace(op, "Not", "", 1), key, w, v, r) {
				return true
			}
		}
		return false
	}
	yes := func(v string) bool {
		if key == "moat:ipprotocol" && v == "-1" {
			// Every protocol at once, and -1 itself.
			some := many == "any" || many == "" && !allow
			switch {
			case some && !negated:
				return len(want) > 0
			case !some && negated:
				return len(want) == 0
			}
		}
		return hit(v) != negated
	}
	n := 0
	for _, v := range values {
		if yes(v) {
			n++
		}
	}
	if many == "all" || many == "" && negated {
		return n == len(values)
	}
	return n > 0
}

func refCompare(vars bool, op, key, want, have string, r *refRequest) bool {
	switch op {
	case "StringEquals", "StringLike", "StringEqualsIgnoreCase":
		if key == "moat:ipprotocol" {
			if n, ok := map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}[want]; ok {
				want = n
			}
		}
		expr, known := substitute(vars, op == "StringLike", want, r)
		if op == "StringEqualsIgnoreCase" {
			expr = "(?i)" + expr
		}
		return known && compiled(expr).MatchString(have)
	case "ArnEquals", "ArnLike":
		ok, known := refARN(vars, want, have, r)
		return ok && known
	case "Bool":
		return strings.EqualFold(want, have) && (strings.EqualFold(have, "true") || strings.EqualFold(have, "false"))
	case "BinaryEquals":
		a, e1 := base64.StdEncoding.DecodeString(want)
		b, e2 := base64.StdEncoding.DecodeString(have)
		return e1 == nil && e2 == nil && string(a) == string(b)
	case "IpAddress":
		if !strings.Contains(want, "/") {
			a, err := netip.ParseAddr(want)
			if err != nil {
				return false
			}
			want = netip.PrefixFrom(a, a.BitLen()).String()
		}
		p, e1 := netip.ParsePrefix(want)
		a, e2 := netip.ParseAddr(have)
		return e1 == nil && e2 == nil && p.Contains(a.Unmap()) // ::ffff:10.0.0.1 is 10.0.0.1
	}
	var order int
	if kind, ok := strings.CutPrefix(op, "Numeric"); ok {
		a, ok1 := number(have)
		b, ok2 := number(want)
		if !ok1 || !ok2 {
			return false
		}
		order, op = a.Cmp(b), kind
	} else if kind, ok := strings.CutPrefix(op, "Date"); ok {
		a, ok1 := date(have)
		b, ok2 := date(want)
		if !ok1 || !ok2 {
			return false
		}
		order, op = a.Compare(b), kind
	}
	switch op {
	case "Equals":
		return order == 0
	case "LessThan":
		return order < 0
	case "LessThanEquals":
		return order <= 0
	case "GreaterThan":
		return order > 0
	case "GreaterThanEquals":
		return order >= 0
	}
	panic("no operator " + op)
}

var decimalText = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)$`)

func number(s string) (*big.Rat, bool) {
	if !decimalText.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func date(s string) (time.Time, bool) {
	if n, ok := number(s); ok && len(s) != 4 {
		return time.Unix(n.Num().Int64(), 0), n.IsInt()
	}
	for _, l := range []string{time.RFC3339, "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(l, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
