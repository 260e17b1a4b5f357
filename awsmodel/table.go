package awsmodel

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// A Table is the text of what one version of the AWS CLI knows of a service,
// as the command awscli/maketable writes it. A line is a record, its fields
// are separated by tabs, and the records of a kind are sorted by name, so that
// one is found without reading the others:
//
//	service  NAME ID TITLE VERSION PROTOCOL GLOBAL
//	ops      operations, in the model's order
//	waiters  waiters, in alphabetical order
//	choices  what the CLI offers after the service's name
//	o NAME   input output wrapper
//	p NAME   input tokens, output tokens, result keys, non-aggregate keys, more results, limit key
//	s NAME   kind, and what the kind has (see shape)
//	w NAME   operation delay attempts, then STATE MATCHER ARGUMENT EXPECTED of each acceptor
type Table struct {
	text   string
	kinds  map[byte]string // the lines of a kind
	mu     sync.Mutex
	shapes map[string]*Shape
	s      *Service
}

// ReadTable gives the service that a table describes. It reads what is asked
// for when it is asked for. A table is our own: one that is broken panics.
func ReadTable(text string) *Service {
	t := &Table{text: text, kinds: map[byte]string{}, shapes: map[string]*Shape{}}
	s := &Service{Lookup: t.operation, Wait: t.waiter, PagesOf: t.pages}
	t.s = s
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\n")
		f := strings.Split(line, "\t")
		switch f[0] {
		case "service":
			s.Name, s.ID, s.Title, s.Version, s.Protocol, s.Global = f[1], f[2], f[3], f[4], f[5], f[6]
			if len(f) > 7 {
				s.Target = f[7]
			}
		case "ops":
			s.Operations = f[1:]
		case "waiters":
			s.Waiters = f[1:]
		case "choices":
			s.Choices = f[1:]
		default:
			if len(f[0]) == 1 { // the lines of this kind, up to an empty one
				block, after := strings.TrimSuffix(text, "\n\n"), ""
				if f[0] != "s" { // these are many, and the last
					block, after, _ = strings.Cut(text, "\n\n")
				}
				t.kinds[f[0][0]] = block
				rest = after
			}
		}
		text = rest
	}
	return s
}

// record gives the fields after kind and name, or nil.
func (t *Table) record(kind byte, name string) []string {
	block := t.kinds[kind]
	prefix := string(kind) + "\t" + name + "\t"
	lo, hi := 0, len(block)
	for lo < hi {
		mid := (lo + hi) / 2
		start := strings.LastIndexByte(block[:mid], '\n') + 1
		end := strings.IndexByte(block[start:], '\n')
		if end < 0 {
			end = len(block)
		} else {
			end += start
		}
		line := block[start:end]
		switch {
		case strings.HasPrefix(line, prefix):
			return strings.Split(line[len(prefix):], "\t")
		case line < prefix:
			lo = end + 1
		default:
			hi = start
		}
		if lo > len(block) {
			break
		}
	}
	return nil
}

func (t *Table) operation(name string) *Operation {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.record('o', name)
	if f == nil {
		return nil
	}
	o := &Operation{Service: t.s, Name: name, Wrapper: f[2]}
	if f[0] != "" {
		o.In = t.shape(f[0])
	}
	if f[1] != "" {
		o.Out = t.shape(f[1])
	}
	o.Pages = t.pages(name)
	return o
}

// pages says how an operation is paged, or nil.
func (t *Table) pages(name string) *Pages {
	p := t.record('p', name)
	if p == nil {
		return nil
	}
	return &Pages{InputToken: words(p[0]), OutputToken: words(p[1]), ResultKey: words(p[2]), NonAggregate: words(p[3]), MoreResults: p[4], LimitKey: p[5]}
}

// words splits a field of several names.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "|")
}

// shape reads a shape and what it is made of. The fields of a kind:
//
//	structure  member:shape:in:out:flags …  (flags: r required, t token, d deprecated; empty ends are left out)
//	list       shape flat(+) min
//	map        key value
//	string     min, enum words
//	others     min
func (t *Table) shape(name string) *Shape {
	if s := t.shapes[name]; s != nil {
		return s
	}
	f := t.record('s', name)
	if f == nil {
		panic("awsmodel: the table has no shape " + name)
	}
	s := &Shape{Name: name}
	t.shapes[name] = s
	least := func(i int) {
		if i < len(f) && f[i] != "" {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				panic(fmt.Sprintf("awsmodel: shape %s: %v", name, err))
			}
			s.Min, s.HasMin = n, true
		}
	}
	switch f[0] {
	case "structure":
		s.Kind = Structure
		s.Members = make([]Member, 0, len(f)-1)
		for _, text := range f[1:] {
			var p [5]string
			copy(p[:], strings.Split(text, ":"))
			m := Member{Name: p[0], Shape: t.shape(p[1]), In: p[2], Out: p[3]}
			if m.In == "" {
				m.In = m.Name
			}
			if m.Out == "" {
				m.Out = m.Name
			}
			m.Required, m.Token, m.Hidden = strings.Contains(p[4], "r"), strings.Contains(p[4], "t"), strings.Contains(p[4], "d")
			s.Members = append(s.Members, m)
		}
	case "list":
		s.Kind, s.Elem, s.Flat = List, t.shape(f[1]), f[2] == "+"
		least(3)
	case "map":
		s.Kind, s.Key, s.Elem = Mapping, t.shape(f[1]), t.shape(f[2])
	case "string":
		least(1)
		if len(f) > 2 {
			s.Enum = f[2:]
		}
	default:
		for k, n := range kindNames {
			if n == f[0] {
				s.Kind = Kind(k)
			}
		}
		least(1)
	}
	return s
}

func (t *Table) waiter(name string) *Waiter {
	f := t.record('w', name)
	if f == nil {
		return nil
	}
	w := &Waiter{Name: name, Operation: f[0]}
	w.Delay, _ = strconv.Atoi(f[1])
	w.MaxAttempts, _ = strconv.Atoi(f[2])
	for f = f[3:]; len(f) >= 4; f = f[4:] {
		a := Acceptor{State: f[0], Matcher: f[1], Argument: f[2]}
		switch kind, text, _ := strings.Cut(f[3], ":"); kind {
		case "b":
			a.Expected = text == "true"
		case "i":
			a.Expected, _ = strconv.ParseInt(text, 10, 64)
		default:
			a.Expected = text
		}
		w.Acceptors = append(w.Acceptors, a)
	}
	return w
}
