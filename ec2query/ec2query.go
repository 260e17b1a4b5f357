// Package ec2query knows the wire of EC2: a form becomes an action's input
// struct, an output struct becomes XML, and both back. It knows no action.
//
// A struct describes its own wire. A field's name in requests is its Go name,
// which is the member's name of the service model, or its tag `in:"Filter"`.
// Its element in responses is the Go name with a lower-case first letter, or
// its tag `out:"tagSet"`; after the name an option may stand:
//
//	out:"tagSet,always"     an empty string or a nil list is written, as <tagSet/>
//	out:"encrypted,omitzero" false, 0 or a zero struct is not written
//	out:"summaryMap,map"    a list of structs is written as a map, its items as <entry>
//	out:"accelerators,member" the items of a list are <member>
//
// `in:"-"` and `out:"-"` hide a field in that direction, and embedded structs
// count as if their fields stood in their place. Fields are strings, bools,
// numbers, []byte (base64), time.Time, structs, pointers to these, slices of
// these, and types that implement encoding.TextMarshaler and TextUnmarshaler.
// Any other type is a mistake in our own code and panics on first use.
//
// In a request an absent parameter leaves its field alone, so a pointer tells
// absent from empty. In a response nil pointers, nil slices, empty strings and
// zero times are omitted; bools and numbers are always written; an empty slice
// is written as an empty element, because scripts index it.
//
// STS and IAM speak the same language in another dialect: package awsquery.
package ec2query

import (
	"reflect"

	"moat/fault"
)

// Namespace is the XML namespace of every success. The service model has it
// without the trailing slash; the service writes it with one, and strict
// clients compare.
const Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

var ec2 = Dialect{
	ResponseItem: "item",
	LowerFirst:   true,
	TimeLayout:   "2006-01-02T15:04:05.000Z", // EC2 prints milliseconds
}

// Decode fills dst, a pointer to a struct, from the form's parameters. All
// parameters must be known to dst: one that is not is UnknownParameter, and a
// value that its field cannot hold is InvalidParameterValue. Of several
// mistakes the first in order of keys is reported, however they were sent. The
// strings in dst share no memory with the form.
func (f *Form) Decode(dst any) error { return ec2.Decode(f, dst) }

// EncodeForm gives the request that Decode reads as src, a struct or a pointer
// to one. Like the SDKs it does not send empty lists; unlike them it does not
// send plain fields with zero values.
func EncodeForm(action, version string, src any) string {
	return ec2.EncodeForm(action, version, src)
}

// AppendResponse appends the whole success of an action. An action without
// output answers <return>true</return>, as out of a type without members or
// a nil out.
func AppendResponse(buf []byte, action, requestID string, out any) []byte {
	buf = AppendHead(buf, action, requestID)
	buf = AppendMembers(buf, out)
	return AppendTail(buf, action)
}

// AppendMembers appends what stands between AppendHead and AppendTail.
func AppendMembers(buf []byte, out any) []byte {
	buf, members := ec2.AppendMembers(buf, out)
	if !members {
		buf = append(buf, "<return>true</return>"...)
	}
	return buf
}

// AppendHead appends a success up to the first output member, and AppendTail
// what follows the last, for who writes the members between them itself.
func AppendHead(buf []byte, action, requestID string) []byte {
	buf = append(buf, Prolog...)
	buf = append(buf, '<')
	buf = append(buf, action...)
	buf = append(buf, `Response xmlns="`+Namespace+`"><requestId>`...)
	buf = AppendText(buf, requestID)
	return append(buf, "</requestId>"...)
}

// AppendTail closes what AppendHead opened.
func AppendTail(buf []byte, action string) []byte {
	buf = append(buf, "</"...)
	buf = append(buf, action...)
	return append(buf, "Response>"...)
}

// AppendElement appends v as one element of that name, the way it would stand
// in a response. A nil v appends nothing; anything else is written even if empty.
func AppendElement(buf []byte, name string, v any) []byte {
	return ec2.AppendElement(buf, name, v)
}

// AppendError appends EC2's error document: no namespace, and RequestID with a
// capital ID, here and nowhere else.
func AppendError(buf []byte, f *fault.Error, requestID string) []byte {
	buf = append(buf, Prolog...)
	buf = append(buf, "<Response><Errors><Error><Code>"...)
	buf = AppendText(buf, f.Code)
	buf = append(buf, "</Code><Message>"...)
	buf = AppendText(buf, f.Message)
	buf = append(buf, "</Message></Error></Errors><RequestID>"...)
	buf = AppendText(buf, requestID)
	return append(buf, "</RequestID></Response>"...)
}

// DecodeResponse reads a success into out, a pointer to a struct. Elements that
// out does not have are ignored, as every client does.
func DecodeResponse(doc []byte, out any) error { return ec2.DecodeResponse(doc, out) }

// Fields lists the members of a struct type in one direction, in order.
func Fields(t reflect.Type, dir Direction) []Field { return ec2.Fields(t, dir) }
