// Package sigv4 knows how an AWS Signature Version 4 request is signed and
// checked: the Authorization header, the presigned query string, the canonical
// request, the key derivation and the time window. It does not know whose key
// it is: the caller looks the access key up, compares the session token with
// it, and hands in the derived key, the hash of the body and the time.
//
// A server goes through Parse, its own key lookup, CheckTime and Verify, in
// that order, which is also the order in which AWS reports failures. Every
// failure is an *Error.
//
// Authority: IAM user guide, "AWS Signature Version 4 for API requests".
package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	isoBasic   = "20060102T150405Z" // the only form of X-Amz-Date

	// Skew is how far a client's clock may be off. AWS documents 5 minutes,
	// its own error texts say 15.
	Skew = 15 * time.Minute
	// MaxExpires is the longest life of a presigned URL, a week.
	MaxExpires = 604800 * time.Second
)

// Bounds on what Parse and Verify take apart, well above what clients send.
const (
	maxAuthorization = 4096 // bytes of the header; about 300 are usual
	maxCredential    = 512
	maxSignedHeaders = 64
	maxToken         = 16 << 10 // AWS sets no limit for session tokens; they are below 4 KiB
	maxQueryPairs    = 4096
)

// A Credential names a key and the scope in which a signature of it is valid.
// It is comparable, so that derived keys can be cached by it.
type Credential struct {
	AccessKeyID string
	Date        string // yyyymmdd, UTC
	Region      string // may be empty: the AWS CLI signs so when its region is empty
	Service     string // ec2, iam, sts, …
}

// Scope gives the credential scope as it stands in the string to sign.
func (c Credential) Scope() string {
	return c.Date + "/" + c.Region + "/" + c.Service + "/" + terminator
}

// A Signature is what a request says about its signature. Parse makes it from
// a request; nothing in it is proven until Verify has returned nil.
type Signature struct {
	Credential
	Time          time.Time // X-Amz-Date, else Date; UTC, whole seconds
	SignedHeaders []string  // lower case, sorted, without duplicates; host is among them
	SessionToken  string    // empty for long-term keys
	Signature     string    // 64 lower-case hex digits
	Presigned     bool      // in the query string rather than in a header
	// Expires is how long a presigned request lives after Time. Zero if the
	// request does not say (the Go SDK leaves it out): then, and in the header
	// form, the window is Skew to both sides of Time.
	Expires time.Duration
}

// Parse reads the signature of a request, from the Authorization header or
// from the X-Amz-… query parameters. It gives ErrUnsigned if there is neither,
// and another *Error if it is not well formed, contradicts itself or leaves
// out what must be signed. It reads neither the body nor r.Form.
func Parse(r *http.Request) (*Signature, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	auth := r.Header["Authorization"]
	switch {
	case len(auth) == 0 && query == nil:
		return nil, ErrUnsigned
	case len(auth) > 0 && query != nil:
		return nil, malformed("A request carries either an Authorization header or X-Amz-Signature query parameters, not both.")
	case len(auth) > 1:
		return nil, malformed("There must be one Authorization header.")
	case query != nil:
		return parsePresigned(query)
	}
	return parseHeader(r, auth[0])
}

func parseHeader(r *http.Request, auth string) (*Signature, error) {
	if len(auth) > maxAuthorization {
		return nil, malformed("The Authorization header is too long.")
	}
	alg, rest, _ := strings.Cut(auth, " ")
	if alg != algorithm && strings.HasPrefix(alg, "AWS") {
		return nil, &Error{BadAlgorithm, alg}
	}
	var credential, signed, signature string
	if alg == algorithm { // else Basic, Bearer, …: every part is missing
		for rest != "" {
			var part string
			part, rest, _ = strings.Cut(rest, ",")
			part = strings.TrimSpace(part)
			name, value, ok := strings.Cut(part, "=")
			if !ok {
				return nil, malformed("'" + part + "' not a valid key=value pair (missing equal-sign) in Authorization header: '" + auth + "'.")
			}
			var dst *string
			switch name {
			case "Credential":
				dst = &credential
			case "SignedHeaders":
				dst = &signed
			case "Signature":
				dst = &signature
			}
			if dst == nil || *dst != "" {
				return nil, malformed("'" + name + "' is unknown or repeated in the Authorization header. Authorization=" + auth)
			}
			*dst = value
		}
	}

	date, ok := headerDate(r.Header)
	if credential == "" || signed == "" || signature == "" || !ok {
		var b strings.Builder
		for _, p := range []struct{ name, value string }{{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", signed}} {
			if p.value == "" {
				b.WriteString("Authorization header requires '" + p.name + "' parameter. ")
			}
		}
		if !ok {
			b.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
		}
		return nil, malformed(b.String() + "Authorization=" + auth)
	}

	s := &Signature{}
	if err := s.fill(credential, date, signed, signature); err != nil {
		return nil, err
	}
	for name := range r.Header {
		if !hasPrefixFold(name, "x-amz-") || mayBeUnsigned(name) {
			continue
		}
		if !slices.ContainsFunc(s.SignedHeaders, func(h string) bool { return strings.EqualFold(h, name) }) {
			return nil, &Error{HeaderNotSigned, name}
		}
	}
	switch token := r.Header["X-Amz-Security-Token"]; {
	case len(token) > 1 || len(token) == 1 && len(token[0]) > maxToken:
		return nil, malformed("There must be one X-Amz-Security-Token, of a sensible length.")
	case len(token) == 1:
		s.SessionToken = token[0]
	}
	return s, nil
}

// headerDate gives the time of a header-signed request as it is spelt, and
// false if there is none, or more than one. X-Amz-Date wins over Date, which
// may have the form of RFC 1123 too.
func headerDate(h http.Header) (string, bool) {
	if v := h["X-Amz-Date"]; len(v) > 0 {
		return v[0], len(v) == 1
	}
	v := h["Date"]
	if len(v) != 1 {
		return "", false
	}
	if t, err := http.ParseTime(v[0]); err == nil {
		return t.UTC().Format(isoBasic), true
	}
	return v[0], true
}

// mayBeUnsigned names the x-amz- headers that need no signature of their own:
// the date and the content hash are bound by the string to sign and by the
// payload line of the canonical request, the PHP SDK leaves x-amz-user-agent
// out, and CloudFront adds x-amz-cf-id on the way.
func mayBeUnsigned(name string) bool {
	switch name {
	case "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-User-Agent", "X-Amz-Cf-Id":
		return true
	}
	return false
}

// queryAuth holds the decoded X-Amz-… parameters of a query string.
type queryAuth struct {
	algorithm, credential, date, expires, signed, token, signature *string
}

// parseQuery picks the parameters of a presigned request out of a raw query
// string, and gives nil if there is none that marks one.
func parseQuery(raw string) (*queryAuth, error) {
	if !strings.Contains(raw, "Amz") {
		return nil, nil
	}
	var q queryAuth
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue // Verify reports it, if the request is signed
		}
		var dst **string
		switch name {
		case "X-Amz-Algorithm":
			dst = &q.algorithm
		case "X-Amz-Credential":
			dst = &q.credential
		case "X-Amz-Date":
			dst = &q.date
		case "X-Amz-Expires":
			dst = &q.expires
		case "X-Amz-SignedHeaders":
			dst = &q.signed
		case "X-Amz-Security-Token":
			dst = &q.token
		case "X-Amz-Signature":
			dst = &q.signature
		default:
			continue
		}
		if *dst != nil {
			return nil, malformed("The query-string parameter '" + name + "' stands twice.")
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, badEscape(err)
		}
		*dst = &v
	}
	if q.algorithm == nil && q.credential == nil && q.signed == nil && q.signature == nil {
		return nil, nil
	}
	return &q, nil
}

func parsePresigned(q *queryAuth) (*Signature, error) {
	var missing strings.Builder
	for _, p := range []struct {
		name  string
		value *string
	}{
		{"X-Amz-Algorithm", q.algorithm}, {"X-Amz-Credential", q.credential}, {"X-Amz-Signature", q.signature},
		{"X-Amz-SignedHeaders", q.signed}, {"X-Amz-Date", q.date},
	} {
		if p.value == nil || *p.value == "" {
			missing.WriteString("AWS query-string parameters must include '" + p.name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return nil, &Error{MissingQueryParameter, missing.String()}
	}
	if *q.algorithm != algorithm {
		return nil, &Error{BadAlgorithm, *q.algorithm}
	}
	s := &Signature{Presigned: true}
	if err := s.fill(*q.credential, *q.date, *q.signed, *q.signature); err != nil {
		return nil, err
	}
	if q.expires != nil {
		n, err := strconv.ParseUint(*q.expires, 10, 32)
		s.Expires = time.Duration(n) * time.Second
		if err != nil || s.Expires < time.Second || s.Expires > MaxExpires {
			return nil, &Error{BadExpires, *q.expires}
		}
	}
	if q.token != nil {
		if len(*q.token) > maxToken {
			return nil, malformed("There must be one X-Amz-Security-Token, of a sensible length.")
		}
		s.SessionToken = *q.token
	}
	return s, nil
}

// fill sets what both forms have in common, checking each part.
func (s *Signature) fill(credential, date, signed, signature string) error {
	if len(credential) > maxCredential {
		return malformed("The Credential is too long.")
	}
	if strings.Count(credential, "/") != 4 {
		return &Error{BadScope, credential}
	}
	var term string
	s.AccessKeyID, term, _ = strings.Cut(credential, "/")
	s.Date, term, _ = strings.Cut(term, "/")
	s.Region, term, _ = strings.Cut(term, "/")
	s.Service, term, _ = strings.Cut(term, "/")
	if s.AccessKeyID == "" {
		return &Error{BadScope, credential}
	}
	for i := range len(credential) {
		if credential[i] <= ' ' || credential[i] > '~' {
			return malformed("The Credential has a character that is not printable ASCII.")
		}
	}
	if term != terminator {
		return &Error{Terminator, term}
	}

	t, err := time.Parse(isoBasic, date)
	if len(date) != len(isoBasic) || err != nil { // time.Parse alone would let fractions of a second pass
		return &Error{BadDate, date}
	}
	s.Time = t
	if s.Date != date[:8] {
		return &Error{DateMismatch, "'" + s.Date + "' != '" + date[:8] + "', from '" + date + "'"}
	}
	// A region becomes part of names elsewhere; only letters, digits and
	// hyphens are ever one.
	for i := range len(s.Region) {
		if c := s.Region[i]; !isAlnum(c) && c != '-' {
			return &Error{WrongRegion, s.Region}
		}
	}

	n := strings.Count(signed, ";") + 1
	if n > maxSignedHeaders {
		return malformed("There are too many SignedHeaders.")
	}
	s.SignedHeaders = make([]string, 0, n)
	host := false
	for prev, rest, more := "", signed, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ";")
		if name <= prev || !isHeaderName(name) {
			return malformed("SignedHeaders must be header names in lower case, sorted and without duplicates, got '" + signed + "'.")
		}
		host = host || name == "host" || name == ":authority"
		s.SignedHeaders = append(s.SignedHeaders, name)
		prev = name
	}
	if !host {
		return &Error{Kind: HostNotSigned}
	}

	if len(signature) != 64 {
		return &Error{Kind: Mismatch}
	}
	for i := range len(signature) {
		if c := signature[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return &Error{Kind: Mismatch}
		}
	}
	s.Signature = signature
	return nil
}

// isHeaderName reports whether s is a header name (RFC 9110 token) in lower
// case, or HTTP/2's :authority.
func isHeaderName(s string) bool {
	if s == ":authority" {
		return true
	}
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
