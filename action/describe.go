package action

import (
	"cmp"
	"encoding/base64"
	"hash/crc32"
	"iter"
	"reflect"
	"slices"

	"moat/ec2query"
	"moat/fault"
)

// Describe is an action that lists rows: by id, by filter, page by page. Out
// is the type of its output; the reply is rendered row by row, as one list of
// Shape and the token of the next page.
type Describe[In, Out, Row, Shape any] struct {
	Name, Doc string
	// List is the list's element name in the reply.
	List string

	// IDs gives the rows that the input names, in any order and checked; ok is
	// false when it names none. Filters apply to them too. Nil for no ids.
	IDs func(c *Call, in *In) (rows []Row, ok bool, err error)
	// From gives the rows at and after an id, in the order of ids. In is the
	// input, for actions that look at other members of it.
	From func(c *Call, in *In, id string) iter.Seq[Row]
	// Check refuses an input before anything is looked up; nil accepts all.
	Check func(c *Call, in *In) error

	ID      func(r Row) string
	Filters []Match[Row]
	Tags    *Tags[Row]
	Page    Page

	Shape func(c *Call, r Row) Shape
	// Key gives what the rendered form of a row depends on alone, usually the
	// row's pointer; nil where it depends on more and cannot be kept, and nil
	// out of it for a single row of that sort.
	Key func(r Row) any
	// Gather gives the items of a page whose items are not its rows, in place
	// of Shape.
	Gather func(c *Call, rows []Row) []Shape
}

// Page says how an action pages, and how it refuses. The zero value takes 5
// to 1000 results and refuses as DescribeVpcs does.
type Page struct {
	Min, Max int32
	// Default is the page's size when the request names none; 0 gives all.
	Default int32
	// BadToken is the refusal of a token; nil for the common one.
	BadToken func(token string) *fault.Error
	// WithIDs is the refusal of MaxResults together with ids; nil where both
	// may be given.
	WithIDs *fault.Error
}

// Info describes the action.
func (a Describe[In, Out, Row, Shape]) Info() Info {
	return Info{a.Name, a.Doc, reflect.TypeFor[In](), reflect.TypeFor[Out](), false}
}

// NewInput gives a pointer to a zero input.
func (a Describe[In, Out, Row, Shape]) NewInput() any { return new(In) }

// Answer finds the rows and gives the page that was asked for.
func (a Describe[In, Out, Row, Shape]) Answer(c *Call, input any) (*Reply, error) {
	in := input.(*In)
	v, f := reflect.ValueOf(in).Elem(), fieldsOf(reflect.TypeFor[In]())
	var asked []Filter
	if f.filters != nil {
		asked = v.FieldByIndex(f.filters).Interface().([]Filter)
	}
	size, after, err := a.paging(v, f)
	if err != nil {
		return nil, err
	}
	if a.Check != nil {
		if err := a.Check(c, in); err != nil {
			return nil, err
		}
	}
	filters, err := bind(a.Filters, a.Tags, asked)
	if err != nil {
		return nil, err
	}
	rows, next, err := a.rows(c, in, filters, size, after)
	if err != nil {
		return nil, err
	}
	if a.Gather != nil {
		gathered := a.Gather(c, rows)
		r := &Reply{List: a.List, Len: len(gathered), Append: func(buf []byte, i int) []byte {
			return ec2query.AppendElement(buf, "item", gathered[i])
		}}
		if next {
			r.Next = pageToken(a.Name, a.ID(rows[len(rows)-1]))
		}
		return r, nil
	}
	items := &items[Row, Shape]{call: c, action: a.Name, rows: rows, shape: a.Shape, key: a.Key}
	r := &Reply{List: a.List, Len: len(rows), Append: items.append}
	if a.Key != nil && c.Cache != nil {
		r.Item = items.item
	}
	if next {
		r.Next = pageToken(a.Name, a.ID(rows[len(rows)-1]))
	}
	return r, nil
}

// items are the rows of a reply, to be rendered one by one.
type items[Row, Shape any] struct {
	call   *Call
	action string
	rows   []Row
	shape  func(c *Call, r Row) Shape
	key    func(r Row) any

	scratch []byte
}

func (s *items[Row, Shape]) append(buf []byte, i int) []byte {
	var of any
	if s.key != nil && s.call.Cache != nil {
		of = s.key(s.rows[i])
	}
	if of == nil {
		return ec2query.AppendElement(buf, "item", s.shape(s.call, s.rows[i]))
	}
	key := CacheKey{s.action, of}
	if b, ok := s.call.Cache.Get(key); ok {
		return append(buf, b...)
	}
	n := len(buf)
	buf = ec2query.AppendElement(buf, "item", s.shape(s.call, s.rows[i]))
	s.call.Cache.Set(key, slices.Clone(buf[n:]))
	return buf
}

// item gives the rendered form of a row from the cache, or renders it now and
// keeps it.
func (s *items[Row, Shape]) item(i int) (rendered []byte, now bool) {
	key := CacheKey{s.action, s.key(s.rows[i])}
	if key.Row != nil {
		if b, ok := s.call.Cache.Get(key); ok {
			return b, false
		}
	}
	s.scratch = ec2query.AppendElement(s.scratch[:0], "item", s.shape(s.call, s.rows[i]))
	b := slices.Clone(s.scratch)
	if key.Row != nil {
		s.call.Cache.Set(key, b)
	}
	return b, true
}

// rows gives the rows of the page, and whether more follow.
func (a *Describe[In, Out, Row, Shape]) rows(c *Call, in *In, filters []bound[Row], size int, after string) (rows []Row, more bool, err error) {
	page := page[Row]{call: c, filters: filters, size: size, after: after, id: a.ID}
	if a.IDs != nil {
		named, ok, err := a.IDs(c, in)
		if err != nil {
			return nil, false, err
		}
		if ok {
			if size > 0 && a.Page.WithIDs != nil && reflectMax(in) {
				return nil, false, a.Page.WithIDs
			}
			for _, r := range a.sorted(named) {
				if !page.take(r) {
					break
				}
			}
			return page.rows, page.more, page.err
		}
	}
	source := a.candidates(c, filters)
	if source == nil {
		source = a.From(c, in, after)
	}
	source(page.take)
	return page.rows, page.more, page.err
}

// A page collects rows that come in the order of ids.
type page[Row any] struct {
	call    *Call
	filters []bound[Row]
	size    int
	after   string
	id      func(Row) string

	rows   []Row
	more   bool
	looked int   // rows
	err    error // why it was given up
}

// take adds a row if it belongs to the page, and reports whether to go on.
func (p *page[Row]) take(r Row) bool {
	if p.looked++; p.looked%256 == 0 && p.call.Ended != nil {
		if p.err = p.call.Ended(); p.err != nil {
			return false
		}
	}
	if p.after != "" && p.id(r) <= p.after {
		return true
	}
	for i := range p.filters {
		if !p.filters[i].holds(p.call, r) {
			return true
		}
	}
	if p.size > 0 && len(p.rows) == p.size {
		p.more = true
		return false
	}
	p.rows = append(p.rows, r)
	return true
}

// candidates gives the rows that the best indexed filter finds, or nil when
// no filter has an index.
func (a *Describe[In, Out, Row, Shape]) candidates(c *Call, filters []bound[Row]) iter.Seq[Row] {
	const enough = 64
	best, least := -1, 0
	for i := range filters {
		b := &filters[i]
		if b.match.Find == nil || !b.literal() {
			continue
		}
		n := 0
		if len(filters) > 1 {
			for _, v := range b.values {
				for range b.match.Find(c, v) {
					if n++; n >= enough {
						break
					}
				}
			}
		}
		if best < 0 || n < least {
			best, least = i, n
		}
	}
	if best < 0 {
		return nil
	}
	b := &filters[best]
	if len(b.values) == 1 {
		return b.match.Find(c, b.values[0])
	}
	var rows []Row
	for _, v := range b.values {
		rows = slices.AppendSeq(rows, b.match.Find(c, v))
	}
	return slices.Values(a.sorted(rows))
}

// sorted sorts rows in the order of ids, each once.
func (a *Describe[In, Out, Row, Shape]) sorted(rows []Row) []Row {
	if len(rows) < 2 {
		return rows
	}
	id := a.ID
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(x, y Row) int { return cmp.Compare(id(x), id(y)) })
	return slices.CompactFunc(rows, func(x, y Row) bool { return id(x) == id(y) })
}

// reflectMax reports whether the input names MaxResults.
func reflectMax(in any) bool {
	v := reflect.ValueOf(in).Elem()
	f := fieldsOf(v.Type()).maxResults
	return f != nil && !v.FieldByIndex(f).IsNil()
}

// paging reads the paging members: size 0 means everything, after is the last
// id of the page before.
func (a *Describe[In, Out, Row, Shape]) paging(v reflect.Value, f *fields) (size int, after string, err error) {
	least, most := a.Page.Min, a.Page.Max
	if most == 0 {
		least, most = 5, 1000
	}
	size = int(a.Page.Default)
	if f.maxResults != nil {
		if p := v.FieldByIndex(f.maxResults).Interface().(*int32); p != nil {
			if *p < least {
				return 0, "", fault.InvalidParameterValue.Say("Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than %d.", *p, least)
			}
			if *p > most {
				return 0, "", fault.InvalidParameterValue.Say("Value ( %d ) for parameter maxResults is invalid. Expecting a value smaller than %d.", *p, most)
			}
			size = int(*p)
		}
	}
	if f.nextToken != nil {
		// An empty token is as good as none.
		if token := v.FieldByIndex(f.nextToken).String(); token != "" {
			id, ok := parsePageToken(a.Name, token)
			if !ok {
				if a.Page.BadToken != nil {
					return 0, "", a.Page.BadToken(token)
				}
				return 0, "", fault.InvalidParameterValue.Say("Value ( %s ) for parameter NextToken is invalid. The token is invalid.", token)
			}
			after = id
		}
	}
	return size, after, nil
}

// A page token names the last row shown, so that rows that come and go
// between two pages are neither skipped nor shown twice. A checksum over the
// action's name keeps tokens of other actions and garbage out.
func pageToken(action, id string) string {
	sum := crc32.ChecksumIEEE([]byte(action + "\x00" + id))
	b := append([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, id...)
	return base64.URLEncoding.EncodeToString(b)
}

func parsePageToken(action, token string) (id string, ok bool) {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) < 5 {
		return "", false
	}
	id = string(b[4:])
	return id, pageToken(action, id) == token
}

// Paged gives the page of rows that are already in order, for actions that are
// not a Describe: the same tokens and refusals.
func Paged[Row any](name string, p Page, in any, rows []Row, id func(Row) string) (page []Row, next string, err error) {
	d := Describe[struct{}, struct{}, Row, struct{}]{Name: name, Page: p}
	v := reflect.ValueOf(in).Elem()
	size, after, err := d.paging(v, fieldsOf(v.Type()))
	if err != nil {
		return nil, "", err
	}
	for _, r := range rows {
		if after != "" && id(r) <= after {
			continue
		}
		if size > 0 && len(page) == size {
			return page, pageToken(name, id(page[len(page)-1])), nil
		}
		page = append(page, r)
	}
	return page, "", nil
}
