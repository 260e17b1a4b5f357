package sigv4

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The worked example of AWS's documentation ("Create a signed AWS API
// request", IAM ListUsers): each stage as printed there.
func TestDocumentedExample(t *testing.T) {
	r, body := request(t, "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\nHost: iam.amazonaws.com\n"+
		"Content-Type: application/x-www-form-urlencoded; charset=utf-8\nX-Amz-Date: 20150830T123600Z\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "+
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\n\n")
	s, err := verify(r, body, suiteSecret, suiteTime, false)
	if err != nil {
		t.Fatal(err)
	}
	query, _ := s.appendQuery(nil, r.URL.RawQuery)
	got := string(s.appendCanonical(nil, r, "/", query, []byte(hexOf(sha256.Sum256(nil)))))
	want := `GET
/
Action=ListUsers&Version=2010-05-08
content-type:application/x-www-form-urlencoded; charset=utf-8
host:iam.amazonaws.com
x-amz-date:20150830T123600Z

content-type;host;x-amz-date
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`
	if got != want {
		t.Errorf("canonical request:\n%s\nwant:\n%s", got, want)
	}
	if hash := hexOf(sha256.Sum256([]byte(got))); hash != "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59" {
		t.Errorf("its hash: %s", hash)
	}
}

func TestCanonicalPaths(t *testing.T) {
	for _, row := range []struct{ raw, want string }{
		{"/", "/"},
		{"/x", "/x"},
		{"/x/", "/x/"},
		{"/a%20b", "/a%2520b /a%20b"},
		{"/a%2fb", "/a%252fb /a%2Fb"}, // an encoded slash separates nothing
		{"/a+b", "/a%2Bb"},            // a plus sign in a path is one
		{"/a%", "/a%25"},
		{"/../a/./b/..", "/a /../a/./b/.."},
		{"//a//", "/a/ //a//"},
		{"//", "/ //"},
		{"/ü", "/%C3%BC"},
	} {
		if got := canonicalPaths(row.raw); !slices.Equal(got, strings.Fields(row.want)) {
			t.Errorf("%s: %q, want %s", row.raw, got, row.want)
		}
	}
}

// Headers that net/http keeps elsewhere, and the values of repeated ones.
func TestCanonicalHeaders(t *testing.T) {
	r, _ := request(t, "POST / HTTP/1.1\nHost: h:1\nContent-Length: 3\nX-A:  a   b \nX-A: c\n\nabc")
	for name, want := range map[string]string{
		"host": "h:1", ":authority": "h:1", "content-length": "3", "x-a": "a b,c", "absent": "", "transfer-encoding": "",
	} {
		if got := string(appendHeader(nil, r, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r.Header.Del("Content-Length")
	if got := string(appendHeader(nil, r, "content-length")); got != "3" {
		t.Errorf("content-length of the request's field: %q", got)
	}
	client, _ := http.NewRequest("GET", "http://h:2/", nil)
	client.Host = ""
	if got := string(appendHeader(nil, client, "host")); got != "h:2" {
		t.Errorf("host of a client's URL: %q", got)
	}
}
