package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sign signs a request of a client in the header form, as of at. It sets
// X-Amz-Date, X-Amz-Security-Token if there is a token, and Authorization, and
// signs these with the host, the content type and all other X-Amz- headers.
// body is all that will be sent as the body. cred.Date is set from at.
func Sign(r *http.Request, body []byte, cred Credential, secret, sessionToken string, at time.Time) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	s := newSignature(cred, at)
	r.Header.Set("X-Amz-Date", s.Time.Format(isoBasic))
	r.Header.Del("X-Amz-Security-Token")
	if sessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", sessionToken)
	}
	s.SignedHeaders = []string{"host"}
	for name := range r.Header {
		if name == "Content-Type" || hasPrefixFold(name, "x-amz-") {
			s.SignedHeaders = append(s.SignedHeaders, strings.ToLower(name))
		}
	}
	slices.Sort(s.SignedHeaders)
	r.Header.Set("Authorization", algorithm+" Credential="+s.AccessKeyID+"/"+s.Scope()+
		", SignedHeaders="+strings.Join(s.SignedHeaders, ";")+", Signature="+s.sign(r, body, secret))
}

// Presign signs a request of a client in its query string, as of at, valid for
// expires (0: not said, see Signature.Expires). Only the host is signed of the headers, so that the URL suffices to
// send it, with the method of r. cred.Date is set from at.
func Presign(r *http.Request, body []byte, cred Credential, secret, sessionToken string, at time.Time, expires time.Duration) {
	s := newSignature(cred, at)
	s.Presigned = true
	s.SignedHeaders = []string{"host"}

	q := []byte(r.URL.RawQuery)
	add := func(name, value string) {
		if len(q) > 0 {
			q = append(q, '&')
		}
		q = append(append(q, name...), '=')
		q = appendEscaped(q, value, false)
	}
	add("X-Amz-Algorithm", algorithm)
	add("X-Amz-Credential", s.AccessKeyID+"/"+s.Scope())
	add("X-Amz-Date", s.Time.Format(isoBasic))
	if expires > 0 {
		add("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	}
	add("X-Amz-SignedHeaders", "host")
	if sessionToken != "" {
		add("X-Amz-Security-Token", sessionToken)
	}
	r.URL.RawQuery = string(q)
	add("X-Amz-Signature", s.sign(r, body, secret))
	r.URL.RawQuery = string(q)
}

func newSignature(cred Credential, at time.Time) *Signature {
	s := &Signature{Credential: cred, Time: at.UTC().Truncate(time.Second)}
	s.Date = s.Time.Format("20060102")
	return s
}

// sign gives the signature of r over the path as AWS documents it. A query
// string that cannot be decoded is signed as if it were empty; no server
// accepts it either way.
func (s *Signature) sign(r *http.Request, body []byte, secret string) string {
	query, _ := s.appendQuery(nil, r.URL.RawQuery)
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		hash := sha256.Sum256(body)
		payload = hex.EncodeToString(hash[:])
	}
	key := DeriveKey(secret, s.Date, s.Region, s.Service)
	sum := s.compute(r, canonicalPaths(rawPath(r))[0], query, []byte(payload), &key)
	return string(sum[:])
}
