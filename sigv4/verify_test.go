package sigv4

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What real clients do, each with a neighbour that is refused.
func TestAccepted(t *testing.T) {
	type side struct {
		what   string
		secure bool
		change func(*http.Request)
		want   bool
	}
	bodyHash := hexOf(sha256.Sum256([]byte(testBody)))
	resign := func(r *http.Request) { Sign(r, []byte(testBody), suiteCred, suiteSecret, "", suiteTime) }
	for _, s := range []side{
		{"as it is", false, func(*http.Request) {}, true},
		{"an unsigned header of a proxy", false, header("X-Forwarded-For", "192.0.2.1"), true},
		{"an unsigned x-amz-user-agent, as of the PHP SDK", false, header("X-Amz-User-Agent", "aws-sdk-php"), true},
		{"an unsigned trace id", false, header("X-Amzn-Trace-Id", "Root=1"), true},
		{"unsigned amz-sdk- headers, as of botocore", false, header("Amz-Sdk-Request", "attempt=2"), true},
		{"the body's hash, unsigned", false, header("X-Amz-Content-Sha256", bodyHash), true},
		{"the body's hash, signed", false, func(r *http.Request) { header("X-Amz-Content-Sha256", bodyHash)(r); resign(r) }, true},
		{"an unsigned payload over TLS", true, func(r *http.Request) { header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")(r); resign(r) }, true},
		{"an unsigned payload over TLS, added on the way", true, header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), false},
		{"an unsigned payload without TLS", false, func(r *http.Request) { header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")(r); resign(r) }, false},
		{"more spaces than were signed", false, header("Content-Type", " application/x-www-form-urlencoded;   charset=utf-8 "), true},
		{"fewer spaces than were signed", false, header("Content-Type", "application/x-www-form-urlencoded;charset=utf-8"), false},
		{"commas without spaces", false, func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
		}, true},
		{"two headers for a joined one", false, func(r *http.Request) {
			header("X-Amz-Meta", "a,b")(r)
			resign(r)
			header("X-Amz-Meta", "a", "b")(r)
		}, true},
		{"two headers in another order", false, func(r *http.Request) {
			header("X-Amz-Meta", "a,b")(r)
			resign(r)
			header("X-Amz-Meta", "b", "a")(r)
		}, false},
		{"a path, encoded once more by the client", false, func(r *http.Request) { r.URL.Path = "/a b"; resign(r) }, true},
		{"a path with empty segments", false, func(r *http.Request) { r.URL.Path = "//a/./b/"; resign(r) }, true},
		{"a path that was not signed", false, func(r *http.Request) { r.URL.Path = "/a"; resign(r); r.URL.Path = "/b" }, false},
		{"an empty region", false, func(r *http.Request) {
			Sign(r, []byte(testBody), Credential{AccessKeyID: suiteKey, Service: "ec2"}, suiteSecret, "", suiteTime)
		}, true},
		{"a Date instead of an X-Amz-Date", false, func(r *http.Request) {
			header("Date", "Sun, 30 Aug 2015 12:36:00 GMT")(r)
			header("X-Amz-Date")(r)
			signWith(r, "content-type", "date", "host")
		}, true},
		{"a Date in ISO 8601", false, func(r *http.Request) {
			header("Date", "20150830T123600Z")(r)
			header("X-Amz-Date")(r)
			signWith(r, "content-type", "date", "host")
		}, true},
		{"a Content-Length that only net/http knows", false, func(r *http.Request) { signWith(r, "content-length", "host", "x-amz-date") }, true},
		{"another Content-Length", false, func(r *http.Request) { signWith(r, "content-length", "host", "x-amz-date"); r.ContentLength++ }, false},
		{"a Transfer-Encoding that only net/http knows", false, func(r *http.Request) {
			r.TransferEncoding = []string{"chunked"}
			signWith(r, "host", "transfer-encoding", "x-amz-date")
		}, true},
		{"HTTP/2's name of the host", false, func(r *http.Request) { signWith(r, ":authority", "x-amz-date") }, true},
		{"a repeated parameter in the other order", false, func(r *http.Request) { r.URL.RawQuery = "b=2&b=1&a=+"; resign(r); r.URL.RawQuery = "a=%20&b=1&&b=2" }, true},
		{"a plus sign for a space in the query", false, func(r *http.Request) { r.URL.RawQuery = "a=%2B"; resign(r); r.URL.RawQuery = "a=+" }, false},
	} {
		t.Run(s.what, func(t *testing.T) {
			r := signed("")
			s.change(r)
			_, err := verify(received(r), []byte(testBody), suiteSecret, suiteTime, s.secure)
			if (err == nil) != s.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// signWith signs exactly these headers.
func signWith(r *http.Request, names ...string) {
	s := newSignature(suiteCred, suiteTime)
	s.SignedHeaders = names
	r.Header.Set("Authorization", algorithm+" Credential="+s.AccessKeyID+"/"+s.Scope()+
		", SignedHeaders="+strings.Join(names, ";")+", Signature="+s.sign(r, []byte(testBody), suiteSecret))
}

// Over a real connection, net/http moves host, length and encoding about.
func TestOverTheWire(t *testing.T) {
	var failed error
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, failed = verify(r, body, suiteSecret, suiteTime, false)
	}))
	defer srv.Close()
	do := func(what string, r *http.Request, want bool) {
		t.Helper()
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if (failed == nil) != want {
			t.Errorf("%s: %v", what, failed)
		}
	}
	for _, path := range []string{"", "/", "/x", "/a%20b/%2F//c/../d", "/é?q=a+b&q=%C3%A9&q"} {
		r, _ := http.NewRequest("POST", srv.URL+path, strings.NewReader(testBody))
		Sign(r, []byte(testBody), suiteCred, suiteSecret, "token", suiteTime)
		do("signed "+path, r, true)

		r, _ = http.NewRequest("POST", srv.URL+path, strings.NewReader(testBody+"&"))
		Sign(r, []byte(testBody), suiteCred, suiteSecret, "token", suiteTime)
		do("signed, another body "+path, r, false)

		r, _ = http.NewRequest("GET", srv.URL+path, nil)
		Presign(r, nil, suiteCred, suiteSecret, "a/token+=", suiteTime, time.Hour)
		do("presigned "+path, r, true)
		r.Method = "POST"
		do("presigned for GET, posted "+path, r, false)
	}
	// Signed as the Go SDK does, with the content length.
	r, _ := http.NewRequest("POST", srv.URL, strings.NewReader(testBody))
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	signWith(r, "content-length", "host", "x-amz-date")
	do("with content-length", r, true)
}

// No byte of what is signed can change: each in turn becomes another one.
func TestAlteredByte(t *testing.T) {
	text := "POST /some/path?Name=value&Other=2 HTTP/1.1\n" +
		"Host: ec2.us-east-1.amazonaws.com\nContent-Type: text/plain\nX-Amz-Target: a.B\n"
	r, _ := request(t, text+"\n")
	Sign(r, []byte(testBody), suiteCred, suiteSecret, "token", suiteTime)
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "Authorization"} {
		text += name + ": " + r.Header.Get(name) + "\n"
	}
	text += "\n" + testBody
	alterEach(t, text)

	r, _ = request(t, "GET /some/path?Name=value&Other=2 HTTP/1.1\nHost: h\n\n")
	Presign(r, nil, suiteCred, suiteSecret, "token", suiteTime, time.Hour)
	alterEach(t, "GET "+r.URL.RequestURI()+" HTTP/1.1\nHost: h\n\n")
}

func alterEach(t *testing.T, text string) {
	t.Helper()
	try := func(text string) error {
		r, body := request(t, text)
		_, err := verify(r, body, suiteSecret, suiteTime, false)
		return err
	}
	if err := try(text); err != nil {
		t.Fatalf("unaltered: %v", err)
	}
	line, tried := 0, 0
	inName := false
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '\n':
			line++
			inName = true
			continue
		case c == ':':
			inName = false
		}
		// Left alone: header names and what else net/http needs to read the
		// request, white space, and the case of escapes, which means nothing.
		if line > 0 && inName && !strings.HasSuffix(text[:i], "\n\n") && strings.Contains(text[i:], "\n\n") || c == ' ' || c == ':' || c == '%' {
			continue
		}
		if line == 0 && (i > strings.LastIndex(text[:strings.Index(text, "\n")], " ") || text[i-min(i, 1)] == ' ') {
			continue
		}
		altered := []byte(text)
		altered[i] = 'q'
		if c == 'q' {
			altered[i] = 'Q'
		}
		if line == 0 && i > 0 && (text[i-1] == '%' || i > 1 && text[i-2] == '%') {
			altered[i] = '7' // an escape stays an escape
			if c == '7' {
				altered[i] = '6'
			}
		}
		tried++
		if err := try(string(altered)); err == nil {
			t.Errorf("accepted %q for %q at %d: %s", altered[i], c, i, altered[max(0, i-20):i+10])
		}
	}
	if tried < 300 {
		t.Errorf("only %d bytes altered", tried)
	}
}

// The token is compared by the caller; here it must only arrive.
func TestParseGives(t *testing.T) {
	s, err := Parse(signed("the/token+="))
	if err != nil || s.SessionToken != "the/token+=" || s.Presigned || s.Expires != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if got := strings.Join(s.SignedHeaders, ";"); got != "content-type;host;x-amz-date;x-amz-security-token" {
		t.Error(got)
	}
	s, err = Parse(presigned("the/token+="))
	if err != nil || s.SessionToken != "the/token+=" || !s.Presigned || s.Expires != time.Minute {
		t.Errorf("%+v, %v", s, err)
	}
	if s.Credential != suiteCred || s.Scope() != "20150830/us-east-1/service/aws4_request" {
		t.Errorf("%+v", s.Credential)
	}
}

func TestVerifyAllocatesLittle(t *testing.T) {
	r := signed("")
	s, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	hash, key := sha256.Sum256([]byte(testBody)), DeriveKey(suiteSecret, s.Date, s.Region, s.Service)
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Verify(r, hash, key, false); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	r := signed("")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	r := signed("")
	s, _ := Parse(r)
	hash, key := sha256.Sum256([]byte(testBody)), DeriveKey(suiteSecret, s.Date, s.Region, s.Service)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Verify(r, hash, key, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeriveKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		DeriveKey(suiteSecret, "20150830", "us-east-1", "ec2")
	}
}
