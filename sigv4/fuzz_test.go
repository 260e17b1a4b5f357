package sigv4

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Whatever a request says: an *Error with a text for the client, or a Signature
// within its bounds, which a key that nobody has does not verify.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"header.txt", "presigned.txt"} {
		for _, text := range vectors(f, file) {
			head, _, _ := strings.Cut(text, "\n\n")
			r, _ := request(f, head+"\n\n")
			f.Add(r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token"))
		}
	}
	f.Fuzz(func(t *testing.T, query, auth, date, token string) {
		r := httptest.NewRequest("POST", "http://h/", nil)
		r.URL.RawQuery = query
		for name, v := range map[string]string{"Authorization": auth, "X-Amz-Date": date, "X-Amz-Security-Token": token} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		s, err := Parse(r)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || s != nil {
				t.Fatalf("%v with %+v", err, s)
			}
			if code, text, status := e.STSMessage(); code == "" || text == "" || status/100 != 4 {
				t.Fatalf("%q %q %d", code, text, status)
			}
			return
		}
		// What was parsed keeps its bounds.
		if len(s.Signature) != 64 || len(s.SignedHeaders) > maxSignedHeaders || s.AccessKeyID == "" ||
			s.Expires < 0 || s.Expires > MaxExpires || s.Expires > 0 && !s.Presigned ||
			s.Time.Format("20060102") != s.Date || len(s.SessionToken) > maxToken {
			t.Fatalf("%+v", s)
		}
		// The key is none that anybody signs with.
		if err := s.Verify(r, sha256.Sum256(nil), [32]byte{1}, true); err == nil {
			t.Fatalf("accepted %+v", s)
		}
	})
}

// What Sign and Presign make, Verify accepts, and refuses with another body,
// method or key.
func FuzzSignVerify(f *testing.F) {
	f.Add("POST", "/", "", "text/plain", "value", "token", []byte(testBody), "secret", int64(1440938160))
	f.Add("GET", "/a b//../%2F/é", "b=2&a=1&a=%20+&=&é", "", "  two   spaces ", "", []byte(nil), "", int64(0))
	f.Fuzz(func(t *testing.T, method, path, query, ctype, value, token string, body []byte, secret string, unix int64) {
		// The query's own parameters must not be those that Presign adds.
		if q, err := parseQuery(query + "&X-Amz-Algorithm=x"); err != nil || *q != (queryAuth{algorithm: q.algorithm}) || len(token) > maxToken {
			return
		}
		unix &= 1<<37 - 1 // up to the year 6325
		at := time.Unix(unix, 0)
		hash := sha256.Sum256(body)
		fresh := func() *http.Request {
			r := httptest.NewRequest("POST", "http://host:1/", bytes.NewReader(body))
			r.Method, r.URL.Path, r.URL.RawQuery, r.RequestURI = method, "/"+path, query, ""
			r.Header.Set("X-Amz-Meta-Value", value)
			if ctype != "" {
				r.Header.Set("Content-Type", ctype)
			}
			return r
		}
		for _, pre := range []bool{false, true} {
			r := fresh()
			if pre {
				Presign(r, body, suiteCred, secret, token, at, time.Hour)
			} else {
				Sign(r, body, suiteCred, secret, token, at)
			}
			r.RequestURI = r.URL.RequestURI()
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.Presigned != pre || s.Time.Unix() != unix || s.SessionToken != token {
				t.Fatalf("%+v", s)
			}
			if err := s.CheckTime(at.Add(14 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			key := DeriveKey(secret, s.Date, s.Region, s.Service)
			err = s.Verify(r, hash, key, false)
			if is(err, MalformedQuery) {
				continue // it cannot be decoded; nothing to compare
			}
			if err != nil {
				t.Fatal(err)
			}
			other := hash
			other[unix&31] ^= 1
			if err := s.Verify(r, other, key, false); !is(err, Mismatch) {
				t.Fatalf("another body: %v", err)
			}
			key[unix&31] ^= 1
			if err := s.Verify(r, hash, key, false); !is(err, Mismatch) {
				t.Fatalf("another key: %v", err)
			}
			key[unix&31] ^= 1
			r.Method += "X"
			if err := s.Verify(r, hash, key, false); !is(err, Mismatch) {
				t.Fatalf("another method: %v", err)
			}
		}
	})
}
