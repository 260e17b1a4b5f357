package sigv4

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends the canonical request. path and query are canonical
// already; payload is its last line.
func (s *Signature) appendCanonical(b []byte, r *http.Request, path string, query, payload []byte) []byte {
	method := r.Method
	if method == "" {
		method = http.MethodGet // as in net/http
	}
	b = append(b, method...)
	b = append(b, '\n')
	b = append(b, path...)
	b = append(b, '\n')
	b = append(b, query...)
	b = append(b, '\n')
	for _, name := range s.SignedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range s.SignedHeaders {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, payload...)
}

// appendHeader appends the canonical value of a header, given its name in
// lower case. An absent header counts as empty. Three headers are not, or not
// always, in r.Header: net/http keeps them in fields of the request.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host", ":authority":
		if r.Host == "" && r.URL != nil {
			return appendTrimmed(b, r.URL.Host) // a request of a client
		}
		return appendTrimmed(b, r.Host)
	case "transfer-encoding":
		return appendTrimmed(b, strings.Join(r.TransferEncoding, ","))
	}

	// r.Header is keyed by canonical names. Spelling one in a local array
	// spares an allocation for each signed header.
	var arr [64]byte
	key := append(arr[:0], name...)
	for i, up := 0, true; i < len(key); i++ {
		if up && key[i] >= 'a' && key[i] <= 'z' {
			key[i] -= 'a' - 'A'
		}
		up = key[i] == '-'
	}
	values := r.Header[string(key)]
	if len(values) == 0 && name == "content-length" && r.ContentLength >= 0 {
		return strconv.AppendInt(b, r.ContentLength, 10)
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// appendTrimmed appends a header value without surrounding white space and
// with each run of spaces within it made one.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	for {
		i := strings.Index(v, "  ")
		if i < 0 {
			return append(b, v...)
		}
		b = append(b, v[:i+1]...)
		v = strings.TrimLeft(v[i:], " ")
	}
}

// appendQuery appends the canonical query string: pairs decoded, encoded
// again, sorted by name and value, without the presigned form's signature.
// '+' is a space, as it is for the parameters themselves.
func (s *Signature) appendQuery(b []byte, raw string) ([]byte, error) {
	if raw == "" {
		return b, nil
	}
	n := strings.Count(raw, "&") + 1
	if n > maxQueryPairs {
		return nil, &Error{MalformedQuery, "There are too many query-string parameters."}
	}
	type pair struct{ name, value []byte }
	pairs := make([]pair, 0, n)
	buf := make([]byte, 0, 2*len(raw))
	for raw != "" {
		var p string
		p, raw, _ = strings.Cut(raw, "&")
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, badEscape(err)
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, badEscape(err)
		}
		if s.Presigned && name == "X-Amz-Signature" {
			continue
		}
		i := len(buf)
		buf = appendEscaped(buf, name, false)
		j := len(buf)
		buf = appendEscaped(buf, value, false)
		// buf may move when it grows; the older slices stay valid.
		pairs = append(pairs, pair{buf[i:j:j], buf[j:len(buf):len(buf)]})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := bytes.Compare(a.name, b.name); c != 0 {
			return c
		}
		return bytes.Compare(a.value, b.value)
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b, nil
}

// appendEscaped appends s percent-encoded, all but the unreserved characters
// of RFC 3986 and, if slash says so, '/'.
func appendEscaped(b []byte, s string, slash bool) []byte {
	const hexUpper = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if isAlnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || slash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', hexUpper[c>>4], hexUpper[c&15])
		}
	}
	return b
}

// rawPath gives the path of a request as it is on the wire.
func rawPath(r *http.Request) string {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ = strings.Cut(r.RequestURI, "?")
	}
	if path == "" {
		return "/"
	}
	return path
}

// canonicalPaths gives the forms of a path that clients sign, without
// duplicates. AWS's rule for all services but S3 is to remove dot segments and
// empty segments and to encode the encoded path once more. botocore encodes
// once, what it was given; other signers leave the segments alone.
func canonicalPaths(raw string) []string {
	if raw == "/" {
		return rootPath
	}
	var forms []string
	for _, p := range [2]string{normalize(raw), raw} {
		twice := string(appendEscaped(nil, p, true))
		var once []byte
		for i, seg := range strings.Split(p, "/") {
			if i > 0 {
				once = append(once, '/')
			}
			if plain, err := url.PathUnescape(seg); err == nil {
				seg = plain
			}
			once = appendEscaped(once, seg, false)
		}
		for _, form := range [2]string{twice, string(once)} {
			if !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

var rootPath = []string{"/"}

// normalize removes dot segments and empty segments; a slash at the end stays.
func normalize(path string) string {
	var out []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, seg)
		}
	}
	p := "/" + strings.Join(out, "/")
	if len(out) > 0 && strings.HasSuffix(path, "/") {
		p += "/"
	}
	return p
}
