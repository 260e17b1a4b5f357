package awscli

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moat/awsargs"
	"moat/awsformat"
	"moat/awsmodel"
	"moat/jmespath"
)

// pages goes through the pages of a listing, in the way and with the tokens of
// the AWS CLI's library: a token holds the service's own, and how much of its
// page was already shown.
type pages struct {
	s        *session
	c        *client
	op       *awsmodel.Operation
	p        *awsmodel.Pages
	params   *awsmodel.Map
	max      int // items at most; -1 for all
	starting any // *string
	hasStart bool

	fixed  *awsmodel.Map // what is the same on all pages
	resume string        // the token to go on with, if there is more
}

func newPages(s *session, c *client, op *awsmodel.Operation, req *awsargs.Request) (*pages, error) {
	p := &pages{s: s, c: c, op: op, p: op.Pages, params: req.Params, max: -1, fixed: &awsmodel.Map{}}
	if v, ok := req.Paging.Get("MaxItems"); ok {
		n, err := strconv.Atoi(awsargs.Str(v))
		if err != nil {
			return nil, general("invalid literal for int() with base 10: %s", awsargs.Repr(v))
		}
		p.max = n
	}
	if v, ok := req.Paging.Get("PageSize"); ok {
		if m := op.In.Member(p.p.LimitKey); m.Shape.Kind == awsmodel.String {
			v = awsargs.Str(v)
		} else if text, ok := v.(string); ok {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, general("invalid literal for int() with base 10: %s", awsargs.Repr(text))
			}
			v = n
		}
		req.Paging.Set("PageSize", v)
		p.params.Set(p.p.LimitKey, v)
	}
	if v, ok := req.Paging.Get("StartingToken"); ok {
		p.starting, p.hasStart = v, true
	}
	return p, nil
}

// pick gives what a path such as a.b names in a value, or nil.
func pick(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(*awsmodel.Map)
		if !ok {
			return nil
		}
		v, _ = m.Get(name)
	}
	return v
}

// choose is pick with alternatives: NextMarker || Contents[-1].Key.
func choose(v any, expression string) any {
	if !strings.ContainsAny(expression, "|[( ") {
		return pick(v, expression)
	}
	q, err := jmespath.Parse(expression)
	if err != nil {
		return nil
	}
	out, _ := q.Search(v)
	return out
}

func put(m *awsmodel.Map, path string, v any) {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		m.Set(name, v)
		return
	}
	inner, _ := m.Get(name)
	next, ok := inner.(*awsmodel.Map)
	if !ok {
		next = &awsmodel.Map{}
		m.Set(name, next)
	}
	put(next, rest, v)
}

// start reads the token to begin at.
func (p *pages) start() (tokens *awsmodel.Map, skip int, err error) {
	text, _ := p.starting.(string)
	if b, e := base64.StdEncoding.DecodeString(text); e == nil {
		if v, e := awsargs.ParseJSON(string(b)); e == nil {
			m, ok := v.(*awsmodel.Map)
			if !ok {
				return nil, 0, general("'%s' object has no attribute 'pop'", map[bool]string{true: "list", false: "int"}[isList(v)])
			}
			if n, ok := m.Get("boto_truncate_amount"); ok {
				i, _ := n.(int64)
				skip = int(i)
				m.Delete("boto_truncate_amount")
			}
			return m, skip, nil
		}
	}
	// The form of former versions: the service's tokens, and the number.
	parts := strings.Split(text, "___")
	if len(parts) == len(p.p.InputToken)+1 {
		if n, e := strconv.Atoi(parts[len(parts)-1]); e == nil {
			skip, parts = n, parts[:len(parts)-1]
		} else {
			parts = []string{text}
		}
	}
	if len(parts) > len(p.p.InputToken) {
		return nil, 0, general("Bad starting token: %s", text)
	}
	m := &awsmodel.Map{}
	for i, name := range p.p.InputToken {
		m.Set(name, nil)
		if i < len(parts) && parts[i] != "None" {
			m.Set(name, parts[i])
		}
	}
	return m, skip, nil
}

func isList(v any) bool { _, ok := v.([]any); return ok }

// each calls yield with each page.
func (p *pages) each(yield func(*awsmodel.Map) error) error {
	next := &awsmodel.Map{}
	for _, name := range p.p.InputToken {
		next.Set(name, nil)
	}
	skip := 0
	if p.hasStart {
		var err error
		if next, skip, err = p.start(); err != nil {
			return err
		}
		p.inject(next)
	}
	total, previous := 0, ""
	primary := p.p.ResultKey[0]
	for first := true; ; first = false {
		if err := p.s.check(p.op, p.params); err != nil {
			return err
		}
		a, err := p.c.call(p.s.ctx, p.op, p.params)
		if err != nil {
			return err
		}
		if a.refused != nil {
			return a.refused
		}
		page := a.out
		if first {
			if p.hasStart {
				list, _ := pick(page, primary).([]any)
				put(page, primary, any(list[min(skip, len(list)):]))
				for _, k := range p.p.ResultKey[1:] {
					switch pick(page, k).(type) {
					case []any:
						put(page, k, []any{})
					case string:
						put(page, k, "")
					case int64:
						put(page, k, int64(0))
					default:
						put(page, k, nil)
					}
				}
			}
			for _, k := range p.p.NonAggregate {
				put(p.fixed, k, pick(page, k))
			}
		} else {
			skip = 0
		}
		list, _ := pick(page, primary).([]any)
		if over := total + len(list) - p.max; p.max >= 0 && over > 0 {
			keep := len(list) - over
			put(page, primary, any(list[:max(keep, 0)]))
			next.Set("boto_truncate_amount", int64(keep+skip))
			if err := p.setResume(next); err != nil {
				return err
			}
			return yield(page)
		}
		if err := yield(page); err != nil {
			return err
		}
		total += len(list)
		if p.p.MoreResults != "" {
			if more, _ := choose(page, p.p.MoreResults).(bool); !more {
				return nil
			}
		}
		next = &awsmodel.Map{}
		any := false
		for i, name := range p.p.InputToken {
			v := choose(page, p.p.OutputToken[i])
			if v == "" {
				v = nil
			}
			any = any || v != nil
			next.Set(name, v)
		}
		if !any {
			return nil
		}
		if p.max >= 0 && total == p.max {
			return p.setResume(next)
		}
		if token := awsargs.Repr(next); token == previous {
			return general("Error during pagination: The same next token was received twice: %s", token)
		} else {
			previous = token
		}
		p.inject(next)
	}
}

func (p *pages) inject(tokens *awsmodel.Map) {
	for i, name := range tokens.Keys {
		if v := tokens.Values[i]; v != nil && v != "None" {
			p.params.Set(name, v)
		} else {
			p.params.Delete(name)
		}
	}
}

func (p *pages) setResume(tokens *awsmodel.Map) error {
	want := slices.Clone(p.p.InputToken)
	if tokens.Has("boto_truncate_amount") {
		want = append(want, "boto_truncate_amount")
	}
	slices.Sort(want)
	if !slices.Equal(want, tokens.Sorted()) {
		return general("Bad starting token: %s", awsargs.Repr(tokens))
	}
	p.resume = base64.StdEncoding.EncodeToString(awsformat.AppendLine(nil, tokens))
	return nil
}

// all gives the pages as one answer.
func (p *pages) all() (*awsmodel.Map, error) {
	whole := &awsmodel.Map{}
	err := p.each(func(page *awsmodel.Map) error {
		for _, k := range p.p.ResultKey {
			v := pick(page, k)
			if v == nil {
				continue
			}
			switch have := pick(whole, k).(type) {
			case nil:
				put(whole, k, v)
			case []any:
				if list, ok := v.([]any); ok {
					put(whole, k, append(have, list...))
				}
			case int64:
				if n, ok := v.(int64); ok {
					put(whole, k, have+n)
				}
			case string:
				put(whole, k, have+fmt.Sprint(v))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, k := range p.fixed.Keys {
		if !whole.Has(k) {
			whole.Set(k, p.fixed.Values[i])
		}
	}
	if p.resume != "" {
		whole.Set("NextToken", p.resume)
	}
	return whole, nil
}
