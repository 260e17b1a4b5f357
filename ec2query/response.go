package ec2query

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"moat/fault"
)

// DecodeResponse is the function of that name in this dialect.
func (d *Dialect) DecodeResponse(doc []byte, out any) error {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("ec2query: DecodeResponse into %T, not a pointer to a struct", out))
	}
	r := reader{d, xml.NewDecoder(bytes.NewReader(doc))}
	if err := r.document(d.structPlan(v.Type().Elem()), v.Elem()); err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	return nil
}

// DecodeError reads an error document, of EC2 or of IAM and STS. The status is
// not in it and stays 0.
func DecodeError(doc []byte) (f *fault.Error, requestID string, err error) {
	type errorElement struct{ Code, Message string }
	var d struct {
		EC2        []errorElement `xml:"Errors>Error"`
		IAM        []errorElement `xml:"Error"`
		RequestID  string
		RequestID2 string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(doc, &d); err != nil {
		return nil, "", fmt.Errorf("read error response: %w", err)
	}
	errs := append(d.EC2, d.IAM...)
	if len(errs) == 0 {
		return nil, "", errors.New("read error response: no Error element")
	}
	return &fault.Error{Code: errs[0].Code, Message: errs[0].Message}, d.RequestID + d.RequestID2, nil
}

// A reader fills values from the tokens of a document.
type reader struct {
	dialect *Dialect
	*xml.Decoder
}

// document reads everything: the root, whose name must end in Response, and
// whatever follows it.
func (r reader) document(p *plan, v reflect.Value) error {
	root := false
	for {
		token, err := r.Token()
		if err == io.EOF && root {
			return nil
		}
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if root || len(start.Name.Local) <= len("Response") || !strings.HasSuffix(start.Name.Local, "Response") {
			return fmt.Errorf("unexpected element %s", start.Name.Local)
		}
		root = true
		if !r.dialect.Result {
			err = r.members(p, v)
		} else {
			err = r.children(func(name string) error {
				if strings.HasSuffix(name, "Result") {
					return r.members(p, v)
				}
				return r.Skip()
			})
		}
		if err != nil {
			return err
		}
	}
}

// children calls f for each element inside the one just opened; f reads it to
// its end.
func (r reader) children(f func(name string) error) error {
	for {
		token, err := r.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := f(token.Name.Local); err != nil {
				return err
			}
		}
	}
}

func (r reader) members(p *plan, v reflect.Value) error {
	return r.children(func(name string) error {
		m := p.byOut[name]
		if m == nil {
			return r.Skip()
		}
		return r.value(m.plan, name, m.of(v))
	})
}

// value fills v from the element of that name just opened, to its end.
func (r reader) value(p *plan, name string, v reflect.Value) error {
	switch p.kind {
	case pointer:
		to := reflect.New(v.Type().Elem())
		v.Set(to)
		return r.value(p.elem, name, to.Elem())
	case Struct:
		return r.members(p, v)
	case List:
		list := reflect.MakeSlice(v.Type(), 0, 0)
		err := r.children(func(name string) error {
			if name != r.dialect.ResponseItem {
				return r.Skip()
			}
			item := reflect.New(v.Type().Elem()).Elem()
			err := r.value(p.elem, name, item)
			list = reflect.Append(list, item)
			return err
		})
		v.Set(list)
		return err
	}
	var text []byte
	for {
		token, err := r.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.CharData:
			text = append(text, token...)
		case xml.StartElement:
			if err := r.Skip(); err != nil {
				return err
			}
		case xml.EndElement:
			if err := p.set(v, string(text)); err != nil {
				return fmt.Errorf("element %s with text %q: %w", name, text, err)
			}
			return nil
		}
	}
}
