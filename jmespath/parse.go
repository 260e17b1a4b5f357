// Package jmespath knows the query language JMESPath (jmespath.org), as the
// AWS CLI's --query speaks it.
//
// The library for Go works on maps, which have no order, refuses `web` for a
// string, and has words of its own for mistakes. Answers are shown in the
// service's order, half of all scripts write such strings, and messages are to
// be those of the AWS CLI: so the language is written here.
package jmespath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moat/awsargs"
)

// A token is a word of an expression; at counts runes.
type token struct {
	kind, text string
	value      any // of a literal or a number
	at         int
}

// scanError is a place where no token begins.
func scanError(text, message string, at int) error {
	return fmt.Errorf("Bad jmespath expression: %s:\n%s\n%s^", message, text, strings.Repeat(" ", at))
}

var simple = map[rune]string{
	'.': "dot", '*': "star", ']': "rbracket", ',': "comma", ':': "colon", '@': "current", '(': "lparen", ')': "rparen", '{': "lbrace", '}': "rbrace",
}

var pairs = map[rune]struct {
	next      rune
	both, one string
}{
	'|': {'|', "or", "pipe"}, '&': {'&', "and", "expref"}, '<': {'=', "lte", "lt"}, '>': {'=', "gte", "gt"}, '!': {'=', "ne", "not"},
}

func letter(c rune) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func digit(c rune) bool  { return '0' <= c && c <= '9' }

func scan(text string) ([]token, error) {
	if text == "" {
		return nil, fmt.Errorf("Invalid JMESPath expression: cannot be empty.")
	}
	runes := []rune(text)
	var tokens []token
	for i := 0; i < len(runes); {
		c, start := runes[i], i
		next := func(want rune) bool { return i+1 < len(runes) && runes[i+1] == want }
		add := func(kind string, length int) {
			tokens = append(tokens, token{kind: kind, text: string(runes[start : start+length]), at: start})
			i = start + length
		}
		switch {
		case simple[c] != "":
			add(simple[c], 1)
		case letter(c):
			for i < len(runes) && (letter(runes[i]) || digit(runes[i])) {
				i++
			}
			add("unquoted_identifier", i-start)
		case strings.ContainsRune(" \t\n\r", c):
			i++
		case c == '[' && next(']'):
			add("flatten", 2)
		case c == '[' && next('?'):
			add("filter", 2)
		case c == '[':
			add("lbracket", 1)
		case pairs[c].both != "" && next(pairs[c].next):
			add(pairs[c].both, 2)
		case pairs[c].both != "":
			add(pairs[c].one, 1)
		case c == '=' && next('='):
			add("eq", 2)
		case c == '=':
			return nil, scanError(text, "Unknown token '='", start)
		case digit(c) || c == '-':
			for i++; i < len(runes) && digit(runes[i]); i++ {
			}
			if c == '-' && i == start+1 {
				return nil, scanError(text, "Unknown token '-'", start)
			}
			n, _ := strconv.ParseInt(string(runes[start:i]), 10, 64)
			add("number", i-start)
			tokens[len(tokens)-1].value, tokens[len(tokens)-1].text = n, strconv.FormatInt(n, 10)
		case c == '\'' || c == '"' || c == '`':
			end := start + 1
			for end < len(runes) && runes[end] != c {
				if runes[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(runes) {
				return nil, scanError(text, "Unclosed "+string(c)+" delimiter", start)
			}
			body := string(runes[start+1 : end])
			t, message := quoted(c, body)
			if message != "" {
				return nil, scanError(text, message, start)
			}
			t.at = start
			tokens = append(tokens, t)
			i = end + 1
		default:
			return nil, scanError(text, "Unknown token "+string(c), start)
		}
	}
	return append(tokens, token{kind: "eof", at: len(runes)}), nil
}

// quoted reads what stands between delimiters.
func quoted(c rune, body string) (t token, message string) {
	switch c {
	case '\'':
		s := strings.ReplaceAll(body, `\'`, `'`)
		return token{kind: "literal", text: s, value: s}, ""
	case '"':
		v, err := awsargs.ParseJSON(`"` + body + `"`)
		if err != nil {
			message, _, _ = strings.Cut(err.Error(), ":")
			return t, message
		}
		return token{kind: "quoted_identifier", text: v.(string)}, ""
	}
	body = strings.ReplaceAll(body, "\\`", "`")
	v, err := awsargs.ParseJSON(body)
	if err != nil { // a string without quotes, of which the language was once fond
		if v, err = awsargs.ParseJSON(`"` + strings.TrimLeft(body, " \t\n\r") + `"`); err != nil {
			return t, "Bad token " + body
		}
	}
	return token{kind: "literal", text: awsargs.Str(v), value: v}, ""
}

var power = map[string]int{
	"pipe": 1, "or": 2, "and": 3, "eq": 5, "gt": 5, "lt": 5, "gte": 5, "lte": 5, "ne": 5, "flatten": 9,
	"star": 20, "filter": 21, "dot": 40, "not": 45, "lbrace": 50, "lbracket": 55, "lparen": 60,
}

// stops is the least power of what goes on with a projection.
const stops = 10

// A node is a part of an expression.
type node struct {
	kind  string
	name  string   // of a field, a function, a comparison
	value any      // of a literal, an index
	slice [3]*int  // of a slice
	keys  []string // of an object
	nodes []*node
}

type parser struct {
	text   string
	tokens []token
	at     int
}

// failed carries an error out of the parser.
type failed struct{ error }

func (p *parser) peek(n int) token {
	return p.tokens[min(max(p.at+n, 0), len(p.tokens)-1)]
}

func (p *parser) kind() string { return p.peek(0).kind }

func (p *parser) fail(t token, message string) {
	panic(failed{fmt.Errorf("%s: Parse error at column %d, token \"%s\" (%s), for expression:\n\"%s\"\n%s^", message, t.at, t.text, strings.ToUpper(t.kind), p.text, strings.Repeat(" ", t.at+1))})
}

func (p *parser) incomplete() {
	n := len([]rune(p.text))
	panic(failed{fmt.Errorf("Invalid jmespath expression: Incomplete expression:\n\"%s\"\n%s^", p.text, strings.Repeat(" ", n+1))})
}

func list(kinds []string) string { return "['" + strings.Join(kinds, "', '") + "']" }

// match takes a token of a kind; want says in the error what was expected.
func (p *parser) match(want string, kinds ...string) token {
	t := p.peek(0)
	if !slices.Contains(kinds, t.kind) {
		if t.kind == "eof" {
			p.incomplete()
		}
		p.fail(t, "Expecting: "+want+", got: "+t.kind)
	}
	p.at++
	return t
}

func (p *parser) one(kind string) token { return p.match(kind, kind) }

var identity = &node{kind: "current"}

func (p *parser) expression(least int) *node {
	t := p.peek(0)
	p.at++
	left := p.begin(t)
	for least < power[p.kind()] {
		left = p.goOn(left)
	}
	return left
}

// begin reads an expression that begins with a token.
func (p *parser) begin(t token) *node {
	switch t.kind {
	case "literal":
		return &node{kind: "literal", value: t.value}
	case "unquoted_identifier":
		return &node{kind: "field", name: t.text}
	case "quoted_identifier":
		if paren := p.peek(0); paren.kind == "lparen" {
			paren.at = 0
			p.fail(paren, "Quoted identifier not allowed for function names.")
		}
		return &node{kind: "field", name: t.text}
	case "star":
		right := identity
		if p.kind() != "rbracket" {
			right = p.projected(power["star"])
		}
		return &node{kind: "values", nodes: []*node{identity, right}}
	case "filter":
		return p.filter(identity)
	case "lbrace":
		return p.object()
	case "lparen":
		e := p.expression(0)
		p.one("rparen")
		return e
	case "flatten":
		return p.flatten(identity)
	case "not":
		return &node{kind: "not", nodes: []*node{p.expression(power["not"])}}
	case "lbracket":
		switch {
		case p.kind() == "number" || p.kind() == "colon":
			return p.index(identity)
		case p.kind() == "star" && p.peek(1).kind == "rbracket":
			p.at += 2
			return &node{kind: "projection", nodes: []*node{identity, p.projected(power["star"])}}
		}
		return p.list()
	case "current":
		return identity
	case "expref":
		return &node{kind: "expref", nodes: []*node{p.expression(0)}}
	case "eof":
		p.incomplete()
	}
	p.fail(t, "invalid token")
	return nil
}

// goOn reads what follows an expression.
func (p *parser) goOn(left *node) *node {
	t := p.peek(0)
	switch t.kind {
	case "dot":
		p.at++
		if p.kind() == "star" {
			p.at++
			return &node{kind: "values", nodes: []*node{left, p.projected(power["dot"])}}
		}
		return &node{kind: "chain", nodes: []*node{left, p.afterDot(power["dot"])}}
	case "pipe", "or", "and":
		p.at++
		return &node{kind: t.kind, nodes: []*node{left, p.expression(power[t.kind])}}
	case "eq", "ne", "gt", "gte", "lt", "lte":
		p.at++
		return &node{kind: "compare", name: t.kind, nodes: []*node{left, p.expression(power[t.kind])}}
	case "lparen":
		p.at++
		if left.kind != "field" {
			before := p.peek(-2)
			p.fail(before, "Invalid function name '"+before.text+"'")
		}
		n := &node{kind: "call", name: left.name}
		for p.kind() != "rparen" {
			n.nodes = append(n.nodes, p.expression(0))
			if p.kind() == "comma" {
				p.at++
			}
		}
		p.one("rparen")
		return n
	case "filter":
		p.at++
		return p.filter(left)
	case "flatten":
		p.at++
		return p.flatten(left)
	case "lbracket":
		p.at++
		if p.kind() == "number" || p.kind() == "colon" {
			return p.index(left)
		}
		p.one("star")
		p.one("rbracket")
		return &node{kind: "projection", nodes: []*node{left, p.projected(power["star"])}}
	}
	p.fail(t, "invalid token")
	return nil
}

func (p *parser) filter(left *node) *node {
	condition := p.expression(0)
	p.one("rbracket")
	right := identity
	if p.kind() != "flatten" {
		right = p.projected(power["filter"])
	}
	return &node{kind: "filter", nodes: []*node{left, condition, right}}
}

func (p *parser) flatten(left *node) *node {
	return &node{kind: "projection", nodes: []*node{{kind: "flatten", nodes: []*node{left}}, p.projected(power["flatten"])}}
}

// index reads what stands after an opening bracket: a number, or a slice.
func (p *parser) index(left *node) *node {
	if p.kind() != "colon" && p.peek(1).kind != "colon" {
		n := &node{kind: "index", value: p.peek(0).value, nodes: []*node{left}}
		p.at++
		p.one("rbracket")
		return n
	}
	n := &node{kind: "slice", nodes: []*node{left}}
	for part := 0; p.kind() != "rbracket" && part < 3; {
		t := p.peek(0)
		switch t.kind {
		case "colon":
			if part++; part == 3 {
				p.fail(t, "syntax error")
			}
		case "number":
			i := int(t.value.(int64))
			n.slice[part] = &i
		default:
			p.fail(t, "syntax error")
		}
		p.at++
	}
	p.one("rbracket")
	return &node{kind: "projection", nodes: []*node{n, p.projected(power["star"])}}
}

func (p *parser) list() *node {
	n := &node{kind: "list"}
	for {
		n.nodes = append(n.nodes, p.expression(0))
		if p.kind() == "rbracket" {
			p.at++
			return n
		}
		p.one("comma")
	}
}

func (p *parser) object() *node {
	n := &node{kind: "object"}
	for {
		key := p.match("['quoted_identifier', 'unquoted_identifier']", "quoted_identifier", "unquoted_identifier")
		p.one("colon")
		n.keys, n.nodes = append(n.keys, key.text), append(n.nodes, p.expression(0))
		switch p.kind() {
		case "comma":
			p.at++
		case "rbrace":
			p.at++
			return n
		}
	}
}

// projected reads what is done with each item of a projection.
func (p *parser) projected(least int) *node {
	t := p.peek(0)
	switch {
	case power[t.kind] < stops:
		return identity
	case t.kind == "lbracket" || t.kind == "filter":
		return p.expression(least)
	case t.kind == "dot":
		p.at++
		return p.afterDot(least)
	}
	p.fail(t, "syntax error")
	return nil
}

func (p *parser) afterDot(least int) *node {
	t := p.peek(0)
	switch t.kind {
	case "quoted_identifier", "unquoted_identifier", "star":
		return p.expression(least)
	case "lbracket":
		p.at++
		return p.list()
	case "lbrace":
		p.at++
		return p.object()
	}
	p.fail(t, "Expecting: "+list([]string{"quoted_identifier", "unquoted_identifier", "lbracket", "lbrace"})+", got: "+t.kind)
	return nil
}

// An Expression is one that was read.
type Expression struct{ root *node }

// Parse reads an expression.
func Parse(text string) (e *Expression, err error) {
	tokens, err := scan(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	defer func() {
		if f, ok := recover().(failed); ok {
			err = f.error
		}
	}()
	root := p.expression(0)
	if t := p.peek(0); t.kind != "eof" {
		p.fail(t, "Unexpected token: "+t.text)
	}
	return &Expression{root}, nil
}
