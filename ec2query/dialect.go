package ec2query

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// A Dialect is one way to put structs on the wire: all that differs between
// the query protocols of AWS below the envelope. EC2's own is behind the
// functions of this package. A Dialect must not be copied once used.
type Dialect struct {
	// RequestItem stands between a list's name and its numbers in a request:
	// Name.1 without, Name.member.1 with "member". Where it stands, an empty
	// list is sent as Name= and read as one.
	RequestItem string
	// ResponseItem is the element of a list's items.
	ResponseItem string
	// Result says that the members of a response are inside <{Action}Result>.
	Result bool
	// LowerFirst says that untagged output members begin with a lower-case letter.
	LowerFirst bool
	// TimeLayout is how responses print a time, in UTC.
	TimeLayout string

	plans sync.Map // reflect.Type to *plan, built on first use
}

// A Kind is what a member is on the wire. Pointers have the kind of what they
// point to.
type Kind uint8

const (
	Text Kind = iota + 1
	Bool
	Int // signed or unsigned
	Float
	Blob
	Time
	Struct
	List
	pointer // inside plans only
)

func (k Kind) String() string {
	return [...]string{"invalid", "text", "bool", "int", "float", "blob", "time", "struct", "list", "pointer"}[k]
}

// A Direction is one of the two ways a member travels.
type Direction uint8

const (
	In  Direction = iota // in a request
	Out                  // in a response
)

// A Field is a member of a struct in one direction.
type Field struct {
	Name  string            // the Go field
	Wire  string            // the component of a form key, or the element
	Kind  Kind              // pointers looked through
	Elem  Kind              // of a list's items
	Type  reflect.Type      // as declared
	Index []int             // for reflect.Value.FieldByIndex
	Tag   reflect.StructTag // with what others put there, such as doc
}

// Struct gives the struct type of the field or of its items, or nil: the type
// to call Fields with for what is below.
func (f Field) Struct() reflect.Type {
	t := f.Type
	if f.Kind == List {
		t = deref(t).Elem()
	}
	if t = deref(t); f.Kind == Struct || f.Elem == Struct {
		return t
	}
	return nil
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// Fields lists the members of a struct type, or of a pointer to one, in one
// direction and in order.
func (d *Dialect) Fields(t reflect.Type, dir Direction) []Field {
	p := d.structPlan(deref(t))
	members := p.in
	if dir == Out {
		members = p.out
	}
	fields := make([]Field, len(members))
	for i, m := range members {
		fields[i] = m.Field
	}
	return fields
}

// A plan is what reflection found out about a type, once.
type plan struct {
	kind Kind
	elem *plan // of pointer and List

	// Of Text: whether the type reads or writes itself.
	unmarshals, marshals bool

	// Of Struct.
	in, out     []member
	byIn, byOut map[string]*member
}

type member struct {
	Field
	plan             *plan
	always, omitZero bool
	item             string // the element of a list's items, where it is not the dialect's
}

// of gives the member's value in the struct v.
func (m *member) of(v reflect.Value) reflect.Value {
	for _, i := range m.Index {
		v = v.Field(i)
	}
	return v
}

// structPlan is plan for types that must be structs.
func (d *Dialect) structPlan(t reflect.Type) *plan {
	p := d.plan(t)
	if p.kind != Struct {
		panic(fmt.Sprintf("ec2query: %v is not a struct", t))
	}
	return p
}

func (d *Dialect) plan(t reflect.Type) *plan {
	if p, ok := d.plans.Load(t); ok {
		return p.(*plan)
	}
	// Two callers may build the same plan; one is kept, both are right.
	p, _ := d.plans.LoadOrStore(t, d.build(t, map[reflect.Type]*plan{}))
	return p.(*plan)
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	marshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// build makes the plan of t; seen holds those begun, so that types may recur.
func (d *Dialect) build(t reflect.Type, seen map[reflect.Type]*plan) *plan {
	if p := seen[t]; p != nil {
		return p
	}
	p := &plan{}
	seen[t] = p

	if t == timeType {
		p.kind = Time
		return p
	}
	if t.Kind() != reflect.Pointer {
		to := reflect.PointerTo(t)
		p.marshals, p.unmarshals = to.Implements(marshalerType), to.Implements(unmarshalerType)
		if p.marshals && p.unmarshals || (p.marshals || p.unmarshals) && t.Kind() == reflect.String {
			p.kind = Text
			return p
		}
	}
	switch t.Kind() {
	case reflect.String:
		p.kind = Text
	case reflect.Bool:
		p.kind = Bool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.kind = Int
	case reflect.Float32, reflect.Float64:
		p.kind = Float
	case reflect.Pointer:
		p.kind, p.elem = pointer, d.build(t.Elem(), seen)
		if p.elem.kind == pointer || p.elem.kind == List {
			panic(fmt.Sprintf("ec2query: %v cannot be on the wire", t))
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			p.kind = Blob
			break
		}
		p.kind, p.elem = List, d.build(t.Elem(), seen)
		if p.elem.kind == List {
			panic(fmt.Sprintf("ec2query: %v, a list of lists, cannot be on the wire", t))
		}
	case reflect.Struct:
		p.kind = Struct
		d.members(p, t, nil, seen)
		p.byIn, p.byOut = byWire(t, p.in), byWire(t, p.out)
	default:
		panic(fmt.Sprintf("ec2query: %v cannot be on the wire", t))
	}
	return p
}

// members adds the fields of t, found at index within the planned struct.
func (d *Dialect) members(p *plan, t reflect.Type, index []int, seen map[reflect.Type]*plan) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		inTag, tagged := f.Tag.Lookup("in")
		outTag, outTagged := f.Tag.Lookup("out")
		if f.Anonymous && f.Type.Kind() == reflect.Struct && !tagged && !outTagged {
			d.members(p, f.Type, at, seen)
			continue
		}
		if !f.IsExported() || inTag == "-" && outTag == "-" {
			continue
		}
		m := member{plan: d.build(f.Type, seen)}
		m.Field = Field{Name: f.Name, Kind: m.plan.base().kind, Type: f.Type, Index: at, Tag: f.Tag}
		if m.Kind == List {
			m.Elem = m.plan.elem.base().kind
		}
		if inTag != "-" {
			m.Wire = f.Name
			if inTag != "" {
				m.Wire = inTag
			}
			p.in = append(p.in, m)
		}
		if outTag != "-" {
			name, options, _ := strings.Cut(outTag, ",")
			if m.Wire = name; name == "" {
				m.Wire = f.Name
				if d.LowerFirst {
					m.Wire = lowerFirst(f.Name)
				}
			}
			switch {
			case options == "":
			case options == "always" && (m.Kind == Text || m.Kind == List):
				m.always = true
			case options == "omitzero":
				m.omitZero = true
			case options == "map" && m.Kind == List:
				m.always, m.item = true, "entry"
			case options == "member" && m.Kind == List:
				m.item = "member"
			default:
				panic(fmt.Sprintf("ec2query: %v.%s: option %q does not apply", t, f.Name, options))
			}
			p.out = append(p.out, m)
		}
	}
}

// base looks through a pointer.
func (p *plan) base() *plan {
	if p.kind == pointer {
		return p.elem
	}
	return p
}

func byWire(t reflect.Type, members []member) map[string]*member {
	by := make(map[string]*member, len(members))
	for i := range members {
		m := &members[i]
		if by[m.Wire] != nil {
			panic(fmt.Sprintf("ec2query: %v has %s twice", t, m.Wire))
		}
		by[m.Wire] = m
	}
	return by
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
