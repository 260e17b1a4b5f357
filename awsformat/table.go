package awsformat

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/text/width"

	"moat/awsargs"
	"moat/awsmodel"
)

// A Table says how a table is drawn.
type Table struct {
	Width int  // of the terminal; a wider table is turned on its side
	Color bool // whether cells are coloured
}

// Append appends a value as a table under a title. Nothing is drawn of what is
// empty. The error says where rows of one table have different lengths.
func (t Table) Append(buf []byte, title string, v any) ([]byte, error) {
	d := &drawing{}
	if drawn, err := d.build(&title, v, 0); err != nil || !drawn {
		return buf, err
	}
	return t.draw(buf, d.sections), nil
}

type section struct {
	title   string
	headers []string
	rows    [][]string
	indent  int
	columns int // -1 until known
	widths  []int
}

type drawing struct{ sections []*section }

func (d *drawing) last() *section { return d.sections[len(d.sections)-1] }

func (d *drawing) open(title string, indent int) {
	d.sections = append(d.sections, &section{title: title, indent: indent, columns: -1})
}

func (s *section) widen(cells []string) {
	if len(s.widths) == 0 {
		for _, c := range cells {
			s.widths = append(s.widths, textWidth(c))
		}
		return
	}
	for i, c := range cells {
		if i < len(s.widths) {
			s.widths[i] = max(s.widths[i], textWidth(c))
		}
	}
}

func (s *section) header(cells []string) {
	s.widen(cells)
	if s.columns < 0 {
		s.columns = len(cells)
	}
	s.headers = cells
}

func (s *section) row(values ...any) error {
	if s.columns < 0 {
		s.columns = len(values)
	}
	if len(values) != s.columns {
		return fmt.Errorf("Row should have %d elements, instead it has %d", s.columns, len(values))
	}
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = awsargs.Str(v)
	}
	s.rows = append(s.rows, cells)
	s.widen(cells)
	return nil
}

// empty reports whether Python would take a value for false.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case *awsmodel.Map:
		return v.Len() == 0
	}
	return false
}

func (d *drawing) build(title *string, v any, indent int) (bool, error) {
	if empty(v) {
		return false, nil
	}
	if title != nil {
		d.open(*title, indent)
	}
	switch v := v.(type) {
	case []any:
		if _, ok := v[0].(*awsmodel.Map); ok {
			return true, d.list(title, v, indent)
		}
		for _, item := range v {
			inner, nested := item.([]any)
			if _, isMap := item.(*awsmodel.Map); isMap { // the keys of an object, where lists are
				return true, fmt.Errorf("cannot draw objects among other values")
			}
			var err error
			switch {
			case !nested:
				err = d.last().row(item)
			case !slices.ContainsFunc(inner, func(v any) bool { return !scalar(v) }):
				err = d.last().row(inner...)
			default:
				_, err = d.build(nil, item, 0)
			}
			if err != nil {
				return true, err
			}
		}
	case *awsmodel.Map:
		headers, more := split(v)
		if len(headers) == 1 {
			value, _ := v.Get(headers[0])
			if err := d.last().row(headers[0], value); err != nil {
				return true, err
			}
		} else if len(headers) > 0 {
			d.last().header(headers)
			if err := d.last().row(cells(v, headers)...); err != nil {
				return true, err
			}
		}
		for _, k := range more {
			value, _ := v.Get(k)
			if _, err := d.build(&k, value, indent+1); err != nil {
				return true, err
			}
		}
	}
	return true, nil
}

func cells(m *awsmodel.Map, keys []string) []any {
	row := make([]any, len(keys))
	for i, k := range keys {
		v, ok := m.Get(k)
		if !ok {
			v = ""
		}
		row[i] = v
	}
	return row
}

func (d *drawing) list(title *string, list []any, indent int) error {
	var headers, more []string
	for _, v := range list {
		m, ok := v.(*awsmodel.Map)
		if !ok {
			return fmt.Errorf("cannot draw objects among other values")
		}
		h, r := split(m)
		headers, more = append(headers, h...), append(more, r...)
	}
	slices.Sort(headers)
	slices.Sort(more)
	headers, more = slices.Compact(headers), slices.Compact(more)
	if headers == nil {
		headers = []string{}
	}
	d.last().header(headers)
	for i, v := range list {
		m := v.(*awsmodel.Map)
		if i > 0 && len(more) > 0 {
			name := ""
			if title != nil {
				name = *title
			}
			d.open(name, indent)
			d.last().header(headers)
		}
		if err := d.last().row(cells(m, headers)...); err != nil {
			return err
		}
		for _, k := range more {
			if value, ok := m.Get(k); ok {
				if _, err := d.build(&k, value, indent+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// split gives the keys of an object's scalars, and of the rest, both sorted.
func split(m *awsmodel.Map) (headers, more []string) {
	for i, k := range m.Keys {
		if scalar(m.Values[i]) {
			headers = append(headers, k)
		} else {
			more = append(more, k)
		}
	}
	slices.Sort(headers)
	slices.Sort(more)
	return headers, more
}

const padding = 4

func (s *section) total() int {
	total := 2 + 2*s.indent
	for _, w := range s.widths {
		total += w + padding
	}
	return max(textWidth(s.title)+2+2*s.indent, total)
}

// scaled gives the widths of the columns so that together they are a width.
func (s *section) scaled(to int) []int {
	if len(s.widths) == 0 {
		return nil
	}
	sum := 0
	for _, w := range s.widths {
		sum += w + padding
	}
	factor := float64(to) / float64(sum)
	out, off := make([]int, len(s.widths)), -to
	for i, w := range s.widths {
		out[i] = int(math.RoundToEven(factor * float64(w+padding)))
		off += out[i]
	}
	for off != 0 {
		for i := range out {
			if off > 0 {
				out[i]--
				off--
			} else {
				out[len(out)-1-i]++
				off++
			}
			if off == 0 {
				break
			}
		}
	}
	return out
}

func widest(sections []*section) int {
	most := 0
	for _, s := range sections {
		most = max(most, s.total())
	}
	return most
}

func (t Table) draw(buf []byte, sections []*section) []byte {
	most := widest(sections)
	if most > t.Width {
		for i, s := range sections {
			if len(s.rows) == 1 && len(s.headers) > 0 {
				turned := &section{title: s.title, indent: s.indent, columns: -1}
				for j, h := range s.headers {
					_ = turned.row(h, s.rows[0][j]) // two cells, like all of them
				}
				sections[i] = turned
			}
		}
		most = widest(sections)
	}
	buf = append(buf, strings.Repeat("-", most)...)
	buf = append(buf, '\n')
	buf = append(buf, t.reset()...)
	for _, s := range sections {
		buf = t.section(buf, s, most)
	}
	return buf
}

// reset follows whatever the AWS CLI's library for colours writes at once.
func (t Table) reset() string {
	if t.Color {
		return "\x1b[0m"
	}
	return ""
}

func (t Table) section(buf []byte, s *section, most int) []byte {
	inner := most - 2*s.indent
	edge := "|"
	if t.Color {
		edge = "\x1b[2m\x1b[33m|\x1b[0m"
	}
	side := strings.Repeat(edge, s.indent)
	line := func(text string) {
		for _, part := range []string{side, text, side, "\n"} {
			buf = append(append(buf, part...), t.reset()...)
		}
	}
	if s.title != "" {
		line(center(s.title, inner, "|"))
		if len(s.headers) == 0 && len(s.rows) == 0 {
			line("+" + strings.Repeat("-", max(inner-2, 0)) + "+")
		}
	}
	widths := s.scaled(inner)
	if len(s.headers) > 0 {
		line(rule(widths))
		var b strings.Builder
		for i, h := range s.headers {
			b.WriteString(center(h, widths[i], first(i)))
		}
		line(b.String())
	}
	if len(s.rows) == 0 || len(widths) == 0 {
		return buf
	}
	line(rule(widths))
	for _, row := range s.rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(t.left(cell, widths[i], first(i)))
		}
		line(b.String())
	}
	line(rule(widths))
	return buf
}

func first(i int) string {
	if i == 0 {
		return "|"
	}
	return ""
}

func rule(widths []int) string {
	var b strings.Builder
	for i, w := range widths {
		if i == 0 {
			b.WriteString("+" + strings.Repeat("-", max(w-2, 0)) + "+")
		} else {
			b.WriteString(strings.Repeat("-", max(w-1, 0)) + "+")
		}
	}
	return b.String()
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

func center(text string, length int, left string) string {
	n := textWidth(text)
	before := length/2 - n/2 - 1
	soFar := len(left) + before + n
	return left + spaces(before) + text + spaces(length-1-soFar) + "|"
}

func (t Table) left(text string, length int, left string) string {
	n := textWidth(text)
	pad := 0
	if length-(n+2+len(left)+1) >= 0 {
		pad = 2
	}
	shown := text
	if t.Color {
		shown = "\x1b[1m\x1b[34m" + text + "\x1b[0m"
	}
	return left + spaces(pad) + shown + spaces(length-len(left)-pad-n-1) + "|"
}

// textWidth counts columns: East Asian wide runes take two, and ambiguous ones
// too.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r < 0x80 {
			continue
		}
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth, width.EastAsianAmbiguous:
			n++
		}
	}
	return n
}
