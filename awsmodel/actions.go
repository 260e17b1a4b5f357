package awsmodel

import (
	"reflect"
	"strings"
	"sync"

	"moat/action"
	"moat/awsquery"
	"moat/ec2query"
)

// FromActions gives the service that serves the actions. What types do not
// say (which members are required, which words an enumeration has, how an
// operation is paged) is taken from known, where that is not nil and knows the
// operation; the members are those of the types, and in their order.
func FromActions(base Service, actions []action.Action, known *Service) *Service {
	s := base
	byName := make(map[string]action.Action, len(actions))
	for _, a := range actions {
		info := a.Info()
		s.Operations = append(s.Operations, info.Name)
		byName[info.Name] = a
	}
	fields := ec2query.Fields
	if s.Protocol != EC2 {
		fields = awsquery.Fields
	}
	r := &reflector{fields: fields, flat: s.Protocol == EC2, shapes: map[reflected]*Shape{}}
	var mu sync.Mutex
	s.Lookup = func(name string) *Operation {
		a := byName[name]
		if a == nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		info := a.Info()
		o := &Operation{Service: &s, Name: name, Doc: info.Doc, In: r.shape(info.In, ec2query.In), Out: r.shape(info.Out, ec2query.Out)}
		if s.Protocol == Query && len(o.Out.Members) > 0 {
			o.Wrapper = name + "Result"
		}
		if len(o.In.Members) == 0 {
			o.In = nil
		}
		if len(o.Out.Members) == 0 {
			o.Out = nil
		}
		o.Pages = guessPages(o)
		if known == nil {
			return o
		}
		if k := known.Lookup(name); k != nil {
			learn(o.In, k.In, map[*Shape]bool{})
			learn(o.Out, k.Out, map[*Shape]bool{})
			if o.Pages == nil || k.Pages != nil {
				o.Pages = fitting(k.Pages, o)
			}
		}
		return o
	}
	if known != nil {
		for _, w := range known.Waiters {
			if k := known.Wait(w); k != nil && byName[k.Operation] != nil {
				s.Waiters = append(s.Waiters, w)
			}
		}
		s.Wait = known.Wait
	}
	return &s
}

// reflected is a type in one direction.
type reflected struct {
	t   reflect.Type
	dir ec2query.Direction
}

type reflector struct {
	fields func(reflect.Type, ec2query.Direction) []ec2query.Field
	flat   bool
	shapes map[reflected]*Shape
}

// shape gives the shape of a struct type.
func (r *reflector) shape(t reflect.Type, dir ec2query.Direction) *Shape {
	key := reflected{t, dir}
	if s := r.shapes[key]; s != nil {
		return s
	}
	s := &Shape{Name: t.Name(), Kind: Structure}
	r.shapes[key] = s
	for _, f := range r.fields(t, dir) {
		m := Member{Name: f.Name, Shape: r.member(f, dir), In: f.Wire, Out: f.Wire, Doc: f.Tag.Get("doc"), Token: f.Name == "ClientToken" && dir == ec2query.In}
		s.Members = append(s.Members, m)
	}
	return s
}

func (r *reflector) member(f ec2query.Field, dir ec2query.Direction) *Shape {
	switch f.Kind {
	case ec2query.Struct:
		return r.shape(f.Struct(), dir)
	case ec2query.List:
		elem := r.scalar(f.Elem)
		if t := f.Struct(); t != nil {
			elem = r.shape(t, dir)
		}
		return &Shape{Name: f.Name, Kind: List, Elem: elem, Flat: r.flat}
	}
	s := *r.scalar(f.Kind)
	return &s
}

func (r *reflector) scalar(k ec2query.Kind) *Shape {
	s := &Shape{Name: "String"}
	switch k {
	case ec2query.Bool:
		s.Name, s.Kind = "Boolean", Boolean
	case ec2query.Int:
		s.Name, s.Kind = "Integer", Integer
	case ec2query.Float:
		s.Name, s.Kind = "Double", Double
	case ec2query.Blob:
		s.Name, s.Kind = "Blob", Blob
	case ec2query.Time:
		s.Name, s.Kind = "DateTime", Timestamp
	}
	return s
}

// learn copies what a table knows of a shape to the one of our own types.
func learn(s, from *Shape, seen map[*Shape]bool) {
	if s == nil || from == nil || seen[s] {
		return
	}
	seen[s] = true
	if s.Kind == String && from.Kind == String || s.Kind.Whole() && from.Kind.Whole() {
		s.Kind, s.Name, s.Enum, s.Min, s.HasMin = from.Kind, from.Name, from.Enum, from.Min, from.HasMin
	}
	if s.Kind == List && from.Kind == List {
		s.Min, s.HasMin = from.Min, from.HasMin
		learn(s.Elem, from.Elem, seen)
	}
	for i := range s.Members {
		m := &s.Members[i]
		if k := from.Member(m.Name); k != nil {
			m.Required, m.Token = k.Required, m.Token || k.Token
			learn(m.Shape, k.Shape, seen)
		}
	}
}

// guessPages says how an operation is paged that no table knows: as EC2 pages
// all of its own, and as IAM does.
func guessPages(o *Operation) *Pages {
	var list string
	if o.Out == nil || o.In == nil {
		return nil
	}
	for _, m := range o.Out.Members {
		if m.Shape.Kind == List {
			if list != "" {
				return nil
			}
			list = m.Name
		}
	}
	p := &Pages{ResultKey: []string{list}}
	switch {
	case list == "":
		return nil
	case o.In.Member("NextToken") != nil && o.Out.Member("NextToken") != nil && o.In.Member("MaxResults") != nil:
		p.InputToken, p.OutputToken, p.LimitKey = []string{"NextToken"}, []string{"NextToken"}, "MaxResults"
	case o.In.Member("Marker") != nil && o.Out.Member("Marker") != nil && o.In.Member("MaxItems") != nil:
		p.InputToken, p.OutputToken, p.LimitKey, p.MoreResults = []string{"Marker"}, []string{"Marker"}, "MaxItems", "IsTruncated"
	default:
		return nil
	}
	return p
}

// fitting gives p if the operation has the members that p names.
func fitting(p *Pages, o *Operation) *Pages {
	if p == nil || o.In == nil || o.Out == nil {
		return nil
	}
	for _, n := range p.InputToken {
		if o.In.Member(n) == nil {
			return nil
		}
	}
	if p.LimitKey != "" && o.In.Member(p.LimitKey) == nil {
		return nil
	}
	for _, n := range p.ResultKey {
		first, _, _ := strings.Cut(n, ".")
		if o.Out.Member(first) == nil {
			return nil
		}
	}
	return p
}
