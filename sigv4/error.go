package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
)

// A Kind is one way in which authentication fails.
type Kind int

// The kinds. What Error.Detail holds is said where it holds something. The
// last four are found by the caller, who knows keys and services; they are
// here so that all texts are in one place.
const (
	Unsigned              Kind = iota // no signature at all: ErrUnsigned
	Malformed                         // the whole message
	BadAlgorithm                      // the algorithm
	BadDate                           // the date
	BadScope                          // the credential
	DateMismatch                      // "'<scope date>' != '<date>', from '<x-amz-date>'"
	Terminator                        // the last part of the scope
	MissingQueryParameter             // a sentence for each parameter
	BadExpires                        // X-Amz-Expires
	MalformedQuery                    // the whole message: the query string cannot be decoded
	HostNotSigned
	HeaderNotSigned  // the header
	Expired          // "<x-amz-date> is now earlier than …"
	NotYetCurrent    // "<x-amz-date> is still later than …"
	PresignedExpired // as Expired; EC2 has a code of its own for it
	BadPayloadHash   // for logs: X-Amz-Content-SHA256 is not the body's hash, or not acceptable
	Mismatch         // the signature is wrong
	WrongRegion      // the region
	WrongService     // the service that should be in the scope
	UnknownKey       // unknown, inactive or deleted access key
	BadToken         // a session token is missing, or not this key's
	TokenExpired     // the session token was valid once
)

// ErrUnsigned is what Parse gives for a request without any signature.
var ErrUnsigned = &Error{Kind: Unsigned}

// An Error says why a request is not authentic.
type Error struct {
	Kind   Kind
	Detail string // see the kinds
}

// Error gives the kind and the message, for logs.
func (e *Error) Error() string {
	_, msg, _ := e.STSMessage()
	if e.Kind == BadPayloadHash {
		msg = e.Detail
	}
	return kinds[e.Kind].name + ": " + msg
}

// STSMessage gives code, message and HTTP status as IAM and STS answer them.
// EC2 answers nearly all of them alike, with AuthFailure; see the server.
func (e *Error) STSMessage() (code, message string, status int) {
	k := kinds[e.Kind]
	status = http.StatusForbidden
	if k.code == incomplete || k.code == "MalformedQueryString" {
		status = http.StatusBadRequest
	}
	if k.verb {
		return k.code, fmt.Sprintf(k.format, e.Detail), status
	}
	return k.code, k.format, status
}

const (
	incomplete = "IncompleteSignature"
	noMatch    = "SignatureDoesNotMatch"

	textMismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textToken    = "The security token included in the request is invalid."
)

// kinds is the table of texts. Where AWS was seen to end a text with a space,
// so does the table. BadExpires, HeaderNotSigned and the lesser cases of
// Malformed have no known text of AWS's; theirs are ours.
var kinds = [...]struct {
	name, code, format string
	verb               bool // format takes Detail
}{
	Unsigned:              {"Unsigned", "MissingAuthenticationToken", "Request is missing Authentication Token", false},
	Malformed:             {"Malformed", incomplete, "%s", true},
	BadAlgorithm:          {"BadAlgorithm", incomplete, "Unsupported AWS 'algorithm': '%s'.", true},
	BadDate:               {"BadDate", incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", true},
	BadScope:              {"BadScope", incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", true},
	DateMismatch:          {"DateMismatch", noMatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: %s.", true},
	Terminator:            {"Terminator", noMatch, "Credential should be scoped with a valid terminator: '" + terminator + "', not '%s'. ", true},
	MissingQueryParameter: {"MissingQueryParameter", incomplete, "%sRe-examine the query-string parameters.", true},
	BadExpires:            {"BadExpires", incomplete, "X-Amz-Expires must be a number of seconds from 1 to 604800, got '%s'.", true},
	MalformedQuery:        {"MalformedQuery", "MalformedQueryString", "%s", true},
	HostNotSigned:         {"HostNotSigned", noMatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", false},
	HeaderNotSigned:       {"HeaderNotSigned", noMatch, "'%s' must be a 'SignedHeader' in the AWS Authorization.", true},
	Expired:               {"Expired", noMatch, "Signature expired: %s", true},
	NotYetCurrent:         {"NotYetCurrent", noMatch, "Signature not yet current: %s", true},
	PresignedExpired:      {"PresignedExpired", noMatch, "Signature expired: %s", true},
	BadPayloadHash:        {"BadPayloadHash", noMatch, textMismatch, false},
	Mismatch:              {"Mismatch", noMatch, textMismatch, false},
	WrongRegion:           {"WrongRegion", noMatch, "Credential should be scoped to a valid region, not '%s'. ", true},
	WrongService:          {"WrongService", noMatch, "Credential should be scoped to correct service: '%s'. ", true},
	UnknownKey:            {"UnknownKey", "InvalidClientTokenId", textToken, false},
	BadToken:              {"BadToken", "InvalidClientTokenId", textToken, false},
	TokenExpired:          {"TokenExpired", "ExpiredToken", "The security token included in the request is expired", false},
}

func malformed(msg string) *Error { return &Error{Malformed, msg} }

// badEscape turns an error of url.QueryUnescape into AWS's wording.
func badEscape(err error) *Error {
	if esc, ok := err.(url.EscapeError); ok && len(esc) == 3 {
		return &Error{MalformedQuery, "Illegal hex character in escape % pattern: " + string(esc)}
	}
	return &Error{MalformedQuery, "Incomplete trailing escape % sequence"}
}
