package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func is(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}

func hexOf(b [32]byte) string { return hex.EncodeToString(b[:]) }

const testBody = "Action=DescribeVpcs&Version=2016-11-15"

// signed gives a request as a server receives it from an SDK.
func signed(token string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader(testBody))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Amz-Sdk-Invocation-Id", "0f9c0e8e-6d5c-4f0a-8c53-1f3dd3f1a111")
	Sign(r, []byte(testBody), suiteCred, suiteSecret, token, suiteTime)
	return r
}

func presigned(token string) *http.Request {
	r := httptest.NewRequest("GET", "http://127.0.0.1:4566/?"+testBody, nil)
	Presign(r, nil, suiteCred, suiteSecret, token, suiteTime, time.Minute)
	return received(r)
}

// received gives r with the request line of its URL.
func received(r *http.Request) *http.Request {
	r.RequestURI = r.URL.RequestURI()
	return r
}

func auth(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		v := r.Header.Get("Authorization")
		if !strings.Contains(v, old) {
			panic("no " + old + " in " + v)
		}
		r.Header.Set("Authorization", strings.Replace(v, old, new, 1))
	}
}

func query(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, old) {
			panic("no " + old + " in " + r.URL.RawQuery)
		}
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, new, 1)
	}
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		delete(r.Header, http.CanonicalHeaderKey(name))
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
}

const (
	mismatchText = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	requires     = "Authorization header requires '"
	include      = "AWS query-string parameters must include '"
)

// Each row spoils one thing of a good request. The texts are those that IAM
// and STS answer.
func TestRefusals(t *testing.T) {
	header64 := strings.Repeat("a;", maxSignedHeaders)
	long := strings.Repeat("x", maxAuthorization)
	rows := []struct {
		kind   Kind
		status int
		code   string
		text   string // a prefix of the message
		what   string
		spoil  func(*http.Request)
		make   func(string) *http.Request
	}{
		{Unsigned, 403, "MissingAuthenticationToken", "Request is missing Authentication Token", "no Authorization", header("Authorization"), signed},
		{Unsigned, 403, "MissingAuthenticationToken", "Request is missing Authentication Token", "a query string without a signature", func(r *http.Request) {
			r.URL.RawQuery = testBody + "&X-Amz-Date=20150830T123600Z&X-Amz-Security-Token=t"
		}, presigned},

		{Malformed, 400, "IncompleteSignature", requires + "Credential' parameter. Authorization=AWS4-HMAC-SHA256 SignedHeaders=", "no Credential", auth("Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ", ""), signed},
		{Malformed, 400, "IncompleteSignature", requires + "Signature' parameter. Authorization=", "an empty Signature", func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:strings.Index(r.Header.Get("Authorization"), "Signature=")+10])
		}, signed},
		{Malformed, 400, "IncompleteSignature", requires + "Credential' parameter. " + requires + "Signature' parameter. " + requires + "SignedHeaders' parameter. " + requires[:len(requires)-1] + "existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=Bearer abc", "another scheme and no date", func(r *http.Request) {
			header("Authorization", "Bearer abc")(r)
			header("X-Amz-Date")(r)
		}, signed},
		{Malformed, 400, "IncompleteSignature", requires[:len(requires)-1] + "existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4", "no date", header("X-Amz-Date"), signed},
		{Malformed, 400, "IncompleteSignature", requires[:len(requires)-1] + "existence of", "two dates", header("X-Amz-Date", "20150830T123600Z", "20150830T123601Z"), signed},
		{Malformed, 400, "IncompleteSignature", "'Signature' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4", "a part without a value", auth("Signature=", "Signature,Signature="), signed},
		{Malformed, 400, "IncompleteSignature", "'Credential' is unknown or repeated", "two Credentials", auth("Credential=", "Credential=a, Credential="), signed},
		{Malformed, 400, "IncompleteSignature", "'Colour' is unknown or repeated", "a part that nobody knows", auth("Credential=", "Colour=red, Credential="), signed},
		{Malformed, 400, "IncompleteSignature", "There must be one Authorization header.", "two Authorization headers", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, signed},
		{Malformed, 400, "IncompleteSignature", "A request carries either", "a header and a query signature", func(r *http.Request) { r.URL.RawQuery = presigned("").URL.RawQuery }, signed},
		{Malformed, 400, "IncompleteSignature", "A request carries either", "a header and a stray X-Amz-Signature", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=00" }, signed},
		{Malformed, 400, "IncompleteSignature", "The Authorization header is too long.", "a header without end", auth("Credential=", long+"="), signed},
		{Malformed, 400, "IncompleteSignature", "There are too many SignedHeaders.", "too many signed headers", auth("SignedHeaders=", "SignedHeaders="+header64), signed},
		{Malformed, 400, "IncompleteSignature", "SignedHeaders must be", "a signed header in upper case", auth("host;", "Host;"), signed},
		{Malformed, 400, "IncompleteSignature", "SignedHeaders must be", "signed headers out of order", auth("content-type;host;", "host;content-type;"), signed},
		{Malformed, 400, "IncompleteSignature", "SignedHeaders must be", "a signed header twice", auth("host;", "host;host;"), signed},
		{Malformed, 400, "IncompleteSignature", "SignedHeaders must be", "an empty name among the signed headers", auth("host;", "host;;"), signed},
		{Malformed, 400, "IncompleteSignature", "SignedHeaders must be", "a signed header that is no name", auth("host;", "host;hx y;"), signed},
		{Malformed, 400, "IncompleteSignature", "The Credential has a character", "a key id with a space", auth("AKID", "AK ID"), signed},
		{Malformed, 400, "IncompleteSignature", "The Credential is too long.", "a key id without end", auth("AKID", strings.Repeat("A", maxCredential)), signed},
		{Malformed, 400, "IncompleteSignature", "There must be one X-Amz-Security-Token", "two tokens", func(r *http.Request) { r.Header.Add("X-Amz-Security-Token", "other") }, func(string) *http.Request { return signed("token") }},
		{Malformed, 400, "IncompleteSignature", "There must be one X-Amz-Security-Token", "a token without end", header("X-Amz-Security-Token", strings.Repeat("t", maxToken+1)), func(string) *http.Request { return signed("token") }},

		{BadAlgorithm, 400, "IncompleteSignature", "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.", "another algorithm", auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), signed},
		{BadAlgorithm, 400, "IncompleteSignature", "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.", "another algorithm in a query", query("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA1"), presigned},
		{BadDate, 400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '2015-08-30T12:36:00Z'. See http://en.wikipedia.org/wiki/ISO_8601", "a date in the extended format", header("X-Amz-Date", "2015-08-30T12:36:00Z"), signed},
		{BadDate, 400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '20150830T123600.5Z'.", "a fraction of a second", header("X-Amz-Date", "20150830T123600.5Z"), signed},
		{BadDate, 400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '20150832T123600Z'.", "a day that is none", query("X-Amz-Date=20150830", "X-Amz-Date=20150832"), presigned},
		{BadScope, 400, "IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20150830/us-east-1/aws4_request'", "a scope of four parts", auth("/service/", "/"), signed},
		{BadScope, 400, "IncompleteSignature", "Credential must have exactly 5", "a scope of six parts", auth("/service/", "/serv/ice/"), signed},
		{BadScope, 400, "IncompleteSignature", "Credential must have exactly 5", "no key id", auth("AKIDEXAMPLE", ""), signed},
		{BadScope, 400, "IncompleteSignature", "Credential must have exactly 5", "a scope of four parts in a query", query("%2Fservice", ""), presigned},
		{DateMismatch, 403, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'.", "the scope of the day before", auth("20150830", "20150829"), signed},
		{DateMismatch, 403, "SignatureDoesNotMatch", "Date in Credential scope does not match", "the scope of the day before in a query", query("20150830%2F", "20150829%2F"), presigned},
		{WrongRegion, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'us_east.1'. ", "a region that cannot be one", auth("us-east-1", "us_east.1"), signed},
		{Terminator, 403, "SignatureDoesNotMatch", "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. ", "another terminator", auth("aws4_request", "aws5_request"), signed},
		{HostNotSigned, 403, "SignatureDoesNotMatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", "host is not signed", auth("host;", ""), signed},
		{HostNotSigned, 403, "SignatureDoesNotMatch", "'Host' or ':authority'", "host is not signed in a query", query("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=hosts"), presigned},
		{HeaderNotSigned, 403, "SignatureDoesNotMatch", "'X-Amz-Target' must be a 'SignedHeader'", "an x-amz- header added on the way", header("X-Amz-Target", "CloudTrail_20131101.LookupEvents"), signed},
		{HeaderNotSigned, 403, "SignatureDoesNotMatch", "'X-Amz-Security-Token' must be a 'SignedHeader'", "a token added on the way", header("X-Amz-Security-Token", "token"), signed},

		{MissingQueryParameter, 400, "IncompleteSignature", include + "X-Amz-Credential'. " + include + "X-Amz-Signature'. " + include + "X-Amz-SignedHeaders'. " + include + "X-Amz-Date'. Re-examine the query-string parameters.", "an algorithm alone", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256" }, presigned},
		{MissingQueryParameter, 400, "IncompleteSignature", include + "X-Amz-Date'. Re-examine", "a query without date", query("X-Amz-Date=", "X-Amz-Dat="), presigned},
		{Malformed, 400, "IncompleteSignature", "The query-string parameter 'X-Amz-Date' stands twice.", "two dates in a query", query("X-Amz-Date=", "X-Amz-Date=20150830T123601Z&X-Amz-Date="), presigned},
		{Malformed, 400, "IncompleteSignature", "The query-string parameter 'X-Amz-Date' stands twice.", "two dates in a query, one in disguise", query("X-Amz-Date=", "X%2DAm%7A-Date=20150830T123601Z&X-Amz-Date="), presigned},
		{Malformed, 400, "IncompleteSignature", "There must be one X-Amz-Security-Token", "a token without end in a query", query("X-Amz-Security-Token=", "X-Amz-Security-Token="+strings.Repeat("t", maxToken)), func(string) *http.Request { return presigned("token") }},
		{BadExpires, 400, "IncompleteSignature", "X-Amz-Expires must be a number of seconds from 1 to 604800, got '0'.", "no time at all", query("X-Amz-Expires=60", "X-Amz-Expires=0"), presigned},
		{BadExpires, 400, "IncompleteSignature", "X-Amz-Expires must be", "longer than a week", query("X-Amz-Expires=60", "X-Amz-Expires=604801"), presigned},
		{BadExpires, 400, "IncompleteSignature", "X-Amz-Expires must be", "a negative time", query("X-Amz-Expires=60", "X-Amz-Expires=-60"), presigned},
		{BadExpires, 400, "IncompleteSignature", "X-Amz-Expires must be", "no number", query("X-Amz-Expires=60", "X-Amz-Expires="), presigned},
		{MalformedQuery, 400, "MalformedQueryString", "Incomplete trailing escape % sequence", "half an escape", func(r *http.Request) { r.URL.RawQuery = "a=%4" }, signed},
		{MalformedQuery, 400, "MalformedQueryString", "Illegal hex character in escape % pattern: %zz", "an escape that is none", query("Action", "%zz"), presigned},
		{MalformedQuery, 400, "MalformedQueryString", "Illegal hex character in escape % pattern: %zz", "an escape that is none in the token", query("X-Amz-Security-Token=", "X-Amz-Security-Token=%zz"), func(string) *http.Request { return presigned("token") }},
		{MalformedQuery, 400, "MalformedQueryString", "There are too many", "parameters without end", query("Action", strings.Repeat("a&", maxQueryPairs)), presigned},

		{Mismatch, 403, "SignatureDoesNotMatch", mismatchText, "a signature of 63 digits", auth("Signature=", "Signature=_"), signed},
		{Mismatch, 403, "SignatureDoesNotMatch", mismatchText, "another signature", func(r *http.Request) {
			v := r.Header.Get("Authorization")
			header("Authorization", v[:len(v)-64]+strings.Repeat("0", 64))(r)
		}, signed},
		{Mismatch, 403, "SignatureDoesNotMatch", mismatchText, "a signature in upper case", func(r *http.Request) {
			v := r.Header.Get("Authorization")
			header("Authorization", v[:len(v)-64]+strings.ToUpper(v[len(v)-64:]))(r)
		}, signed},
		{BadPayloadHash, 403, "SignatureDoesNotMatch", mismatchText, "the hash of another body", header("X-Amz-Content-Sha256", hexOf(sha256.Sum256(nil))), signed},
		{BadPayloadHash, 403, "SignatureDoesNotMatch", mismatchText, "an unsigned payload without TLS", header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), signed},
		{BadPayloadHash, 403, "SignatureDoesNotMatch", mismatchText, "a streaming payload", header("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), signed},
		{BadPayloadHash, 403, "SignatureDoesNotMatch", mismatchText, "two payload hashes", header("X-Amz-Content-Sha256", hexOf(sha256.Sum256([]byte(testBody))), hexOf(sha256.Sum256([]byte(testBody)))), signed},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			r, body := row.make(""), testBody
			if r.Method == "GET" {
				body = ""
			}
			if _, err := verify(r, []byte(body), suiteSecret, suiteTime, false); err != nil {
				t.Fatalf("before it was spoilt: %v", err)
			}
			row.spoil(r)
			_, err := verify(received(r), []byte(body), suiteSecret, suiteTime, false)
			if !is(err, row.kind) {
				t.Fatalf("got %v", err)
			}
			e, _ := errors.AsType[*Error](err)
			code, text, status := e.STSMessage()
			if code != row.code || status != row.status || !strings.HasPrefix(text, row.text) {
				t.Errorf("%d %s %q", status, code, text)
			}
			if row.kind == Unsigned && err != ErrUnsigned {
				t.Error("not the sentinel")
			}
		})
	}
}

// The rows of AWS's table that the caller finds, knowing keys and services.
func TestTextsOfTheCaller(t *testing.T) {
	for _, row := range []struct {
		err    *Error
		status int
		code   string
		text   string
	}{
		{&Error{UnknownKey, ""}, 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{&Error{BadToken, ""}, 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{&Error{TokenExpired, ""}, 403, "ExpiredToken", "The security token included in the request is expired"},
		{&Error{WrongService, "sts"}, 403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'. "},
		{&Error{WrongRegion, "mars"}, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'mars'. "},
	} {
		code, text, status := row.err.STSMessage()
		if code != row.code || text != row.text || status != row.status {
			t.Errorf("%v: %d %s %q", row.err, status, code, text)
		}
	}
	for k, row := range kinds {
		if row.name == "" || row.code == "" || strings.Contains(row.format, "%s") != row.verb {
			t.Errorf("kind %d has an incomplete row: %+v", k, row)
		}
	}
}

func TestTimeWindow(t *testing.T) {
	const ok = Kind(-1)
	day := 24 * time.Hour
	for _, row := range []struct {
		want    Kind
		what    string
		expires time.Duration // < 0: header form
		late    time.Duration // the server's clock, after the signature
		text    string
	}{
		{ok, "now", -1, 0, ""},
		{ok, "15 minutes old", -1, 15 * time.Minute, ""},
		{Expired, "a second older", -1, 15*time.Minute + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
		{ok, "15 minutes ahead", -1, -15 * time.Minute, ""},
		{NotYetCurrent, "a second further ahead", -1, -15*time.Minute - time.Second, "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)"},
		{ok, "presigned for a minute, in its last second", time.Minute, time.Minute, ""},
		{PresignedExpired, "presigned for a minute, a second later", time.Minute, time.Minute + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 60 sec.)"},
		{ok, "presigned for a week, in its last second", MaxExpires, 7 * day, ""},
		{PresignedExpired, "presigned for a week, a second later", MaxExpires, 7*day + time.Second, ""},
		{ok, "presigned, 15 minutes ahead", time.Minute, -15 * time.Minute, ""},
		{NotYetCurrent, "presigned, a second further ahead", time.Minute, -15*time.Minute - time.Second, ""},
		{ok, "presigned without X-Amz-Expires, 15 minutes old", 0, 15 * time.Minute, ""},
		{PresignedExpired, "presigned without X-Amz-Expires, a second older", 0, 15*time.Minute + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
	} {
		t.Run(row.what, func(t *testing.T) {
			r, body := signed(""), testBody
			if row.expires >= 0 {
				r, body = httptest.NewRequest("GET", "http://h/?"+testBody, nil), ""
				Presign(r, nil, suiteCred, suiteSecret, "", suiteTime, row.expires)
				received(r)
			}
			_, err := verify(r, []byte(body), suiteSecret, suiteTime.Add(row.late), false)
			if row.want == ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !is(err, row.want) {
				t.Fatalf("got %v", err)
			}
			e, _ := errors.AsType[*Error](err)
			if code, text, status := e.STSMessage(); code != "SignatureDoesNotMatch" || status != 403 || row.text != "" && text != row.text {
				t.Errorf("%d %s %s", status, code, text)
			}
		})
	}
}
