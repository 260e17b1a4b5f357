// Package awsquery knows the wire of STS and IAM: the Query protocol in the
// dialect that AWS's other services share, where EC2 has its own. Structs are
// described as package ec2query says, and the form is parsed there; what
// differs is told here. It knows no action.
//
//   - Lists are Name.member.N in requests and <member> in responses, and an
//     empty list is sent, as Name=.
//   - Output elements are named as the members are: <Arn>, not <arn>.
//   - Members stand inside <{Action}Result>, the request id inside
//     <ResponseMetadata>.
//   - Times have seconds and no fraction.
package awsquery

import (
	"reflect"

	"moat/ec2query"
	"moat/fault"
)

// A Namespace is the XML namespace of a service, and with it its envelope.
type Namespace string

const (
	STS Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	IAM Namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
)

var dialect = ec2query.Dialect{
	RequestItem:  "member",
	ResponseItem: "member",
	Result:       true,
	TimeLayout:   "2006-01-02T15:04:05Z",
}

// Decode fills dst, a pointer to a struct, from the form's parameters, with the
// errors of ec2query's Form.Decode.
func Decode(f *ec2query.Form, dst any) error { return dialect.Decode(f, dst) }

// EncodeForm gives the request that Decode reads as src.
func EncodeForm(action, version string, src any) string {
	return dialect.EncodeForm(action, version, src)
}

// AppendResponse appends the whole success of an action. The Result element is
// there exactly if the type of out has members, or has a method EmptyResult:
// an output that the model declares without members. botocore fails without it.
func (ns Namespace) AppendResponse(buf []byte, action, requestID string, out any) []byte {
	buf = append(buf, ec2query.Prolog...)
	buf = append(buf, '<')
	buf = append(buf, action...)
	buf = append(buf, `Response xmlns="`...)
	buf = append(buf, ns...)
	buf = append(buf, `">`...)

	start := len(buf)
	buf = append(buf, '<')
	buf = append(buf, action...)
	buf = append(buf, "Result>"...)
	buf, members := dialect.AppendMembers(buf, out)
	if _, declared := out.(interface{ EmptyResult() }); members || declared {
		buf = append(buf, "</"...)
		buf = append(buf, action...)
		buf = append(buf, "Result>"...)
	} else {
		buf = buf[:start]
	}

	buf = append(buf, "<ResponseMetadata><RequestId>"...)
	buf = ec2query.AppendText(buf, requestID)
	buf = append(buf, "</RequestId></ResponseMetadata></"...)
	buf = append(buf, action...)
	return append(buf, "Response>"...)
}

// AppendError appends the error document. Its Type says whose mistake it was:
// the Sender's, or the Receiver's from status 500 on.
func (ns Namespace) AppendError(buf []byte, f *fault.Error, requestID string) []byte {
	side := "Sender"
	if f.Status >= 500 {
		side = "Receiver"
	}
	buf = append(buf, ec2query.Prolog...)
	buf = append(buf, `<ErrorResponse xmlns="`...)
	buf = append(buf, ns...)
	buf = append(buf, `"><Error><Type>`...)
	buf = append(buf, side...)
	buf = append(buf, "</Type><Code>"...)
	buf = ec2query.AppendText(buf, f.Code)
	buf = append(buf, "</Code><Message>"...)
	buf = ec2query.AppendText(buf, f.Message)
	buf = append(buf, "</Message></Error><RequestId>"...)
	buf = ec2query.AppendText(buf, requestID)
	return append(buf, "</RequestId></ErrorResponse>"...)
}

// AppendElement appends v as one element of that name, the way it would stand
// in a response. A nil v appends nothing.
func AppendElement(buf []byte, name string, v any) []byte {
	return dialect.AppendElement(buf, name, v)
}

// DecodeResponse reads a success into out, a pointer to a struct.
func DecodeResponse(doc []byte, out any) error { return dialect.DecodeResponse(doc, out) }

// DecodeError reads an error document. The status is not in it and stays 0.
func DecodeError(doc []byte) (f *fault.Error, requestID string, err error) {
	return ec2query.DecodeError(doc)
}

// Fields lists the members of a struct type in one direction, in order.
func Fields(t reflect.Type, dir ec2query.Direction) []ec2query.Field {
	return dialect.Fields(t, dir)
}
