package server_test

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/server"
	"moat/sigv4"
	"moat/state"
	"moat/store"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	account    = "123456789012"
)

// newAPI starts a server on a log in memory, with the root key of the account.
func newAPI(t *testing.T, change func(*server.Config)) (*httptest.Server, *store.Store) {
	t.Helper()
	return newAPIOn(t, func(c *server.Config, _ *store.Store) {
		if change != nil {
			change(c)
		}
	})
}

func newAPIOn(t *testing.T, change func(*server.Config, *store.Store)) (*httptest.Server, *store.Store) {
	t.Helper()
	return newAPIOf(t, store.NewMemory(), change)
}

// newAPIOf is newAPIOn on a log of the caller's.
func newAPIOf(t *testing.T, log store.Log, change func(*server.Config, *store.Store)) (*httptest.Server, *store.Store) {
	t.Helper()
	return newAPIWith(t, log, change, func(*server.Server) {})
}

// newAPIWith is newAPIOf that passes on the server.
func newAPIWith(t *testing.T, log store.Log, change func(*server.Config, *store.Store), made func(*server.Server)) (*httptest.Server, *store.Store) {
	t.Helper()
	st, err := store.Open(context.Background(), log, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	_, _, err = st.Write(context.Background(), &store.Write{
		Call: state.Call{Now: time.Now()},
		Plan: func(tx *state.Txn) (any, error) {
			state.AccessKeys.Put(tx, &iam.AccessKey{ID: testKey, Secret: testSecret, Account: account})
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{Region: "us-east-1", Account: account}
	change(&cfg, st)
	api := server.New(st, cfg)
	made(api)
	ts := httptest.NewUnstartedServer(api)
	ts.Listener = server.CorkedListener(ts.Listener)
	ts.Config.ConnContext = server.NewHTTPServer(nil).ConnContext
	ts.Start()
	t.Cleanup(ts.Close)
	return ts, st
}

// A signer is how one request of a test is signed, and changed after that.
type signer struct {
	key, secret, token string
	region, service    string
	at                 time.Time
	change             func(*http.Request)
	unsigned           bool
}

func signed() signer {
	return signer{key: testKey, secret: testSecret, region: "us-east-1", service: "ec2", at: time.Now()}
}

func (s signer) post(t *testing.T, url, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("POST", url+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if !s.unsigned {
		sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: s.key, Date: s.at.UTC().Format("20060102"), Region: s.region, Service: s.service}, s.secret, s.token, s.at)
	}
	if s.change != nil {
		s.change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

type errorDoc struct {
	XMLName xml.Name
	EC2     string `xml:"Errors>Error>Code"`
	EC2Msg  string `xml:"Errors>Error>Message"`
	EC2ID   string `xml:"RequestID"`
	Query   string `xml:"Error>Code"`
	Message string `xml:"Error>Message"`
	Type    string `xml:"Error>Type"`
	QueryID string `xml:"RequestId"`
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRefusedSignatures(t *testing.T) {
	ts, _ := newAPI(t, nil)
	const vpcs, who = "Action=DescribeVpcs&Version=2016-11-15", "Action=GetCallerIdentity&Version=2011-06-15"
	with := func(f func(*signer)) signer { s := signed(); f(&s); return s }
	sts := func(f func(*signer)) signer { s := signed(); s.service = "sts"; f(&s); return s }
	nothing := func(*signer) {}

	for _, row := range []struct {
		name   string
		s      signer
		body   string
		status int
		code   string
	}{
		{"a good signature is accepted", with(nothing), vpcs, 200, ""},
		{"no signature", with(func(s *signer) { s.unsigned = true }), vpcs, 400, "MissingParameter"},
		{"an unknown key", with(func(s *signer) { s.key = "AKIAIOSFODNN7EXAMPLF" }), vpcs, 401, "AuthFailure"},
		{"a wrong secret", with(func(s *signer) { s.secret += "x" }), vpcs, 401, "AuthFailure"},
		{"a session token with a key that has none", with(func(s *signer) { s.token = "t" }), vpcs, 401, "AuthFailure"},
		{"a clock 14 minutes behind is accepted", with(func(s *signer) { s.at = s.at.Add(-14 * time.Minute) }), vpcs, 200, ""},
		{"a clock 16 minutes behind", with(func(s *signer) { s.at = s.at.Add(-16 * time.Minute) }), vpcs, 401, "AuthFailure"},
		{"a clock 16 minutes ahead", with(func(s *signer) { s.at = s.at.Add(16 * time.Minute) }), vpcs, 401, "AuthFailure"},
		{"a region that there is not", with(func(s *signer) { s.region = "mars-1" }), vpcs, 401, "AuthFailure"},
		{"no region is the default one", with(func(s *signer) { s.region = "" }), vpcs, 200, ""},
		{"a service that is not here", with(func(s *signer) { s.service = "s3" }), vpcs, 401, "AuthFailure"},
		{"a body changed on the way", with(func(s *signer) {
			s.change = func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader("Action=DescribeVpcs&Version=2016-11-16"))
			}
		}), vpcs, 401, "AuthFailure"},

		{"sts: a good signature", sts(nothing), who, 200, ""},
		{"sts: in any region", sts(func(s *signer) { s.region = "eu-west-1" }), who, 200, ""},
		{"sts: no signature", sts(func(s *signer) { s.unsigned = true }), who, 403, "MissingAuthenticationToken"},
		{"sts: an unknown key", sts(func(s *signer) { s.key = "AKIAIOSFODNN7EXAMPLF" }), who, 403, "InvalidClientTokenId"},
		{"sts: a wrong secret", sts(func(s *signer) { s.secret += "x" }), who, 403, "SignatureDoesNotMatch"},
		{"sts: a clock behind", sts(func(s *signer) { s.at = s.at.Add(-16 * time.Minute) }), who, 403, "SignatureDoesNotMatch"},
		{"sts: a wrong region", sts(func(s *signer) { s.region = "mars-1" }), who, 403, "SignatureDoesNotMatch"},
		{"sts: an action that it has not", sts(nothing), "Action=Nonsense&Version=2011-06-15", 400, "InvalidAction"},
	} {
		resp := row.s.post(t, ts.URL, row.body)
		body := read(t, resp)
		var doc errorDoc
		if err := xml.Unmarshal([]byte(body), &doc); err != nil {
			t.Errorf("%s: %v in %q", row.name, err, body)
			continue
		}
		code := doc.EC2 + doc.Query
		if resp.StatusCode != row.status || code != row.code {
			t.Errorf("%s: %d %s, want %d %s\n%s", row.name, resp.StatusCode, code, row.status, row.code, body)
		}
		if row.code == "" {
			continue
		}
		// Each service's own envelope: EC2's has no namespace and RequestID.
		id := resp.Header.Get("X-Amzn-Requestid")
		if row.s.service == "sts" {
			if doc.XMLName.Local != "ErrorResponse" || doc.XMLName.Space == "" || doc.QueryID != id || doc.Type != "Sender" {
				t.Errorf("%s: not an error of STS: %s", row.name, body)
			}
		} else if doc.XMLName.Local != "Response" || doc.XMLName.Space != "" || doc.EC2ID != id {
			t.Errorf("%s: not an error of EC2: %s", row.name, body)
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	ts, _ := newAPI(t, nil)
	for _, row := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"no action", "Version=2016-11-15", 400, "MissingAction"},
		{"an unknown action", "Action=Nonsense&Version=2016-11-15", 400, "InvalidAction"},
		{"a version that is no date", "Action=DescribeVpcs&Version=soon", 400, "NoSuchVersion"},
		{"no version", "Action=DescribeVpcs", 400, "MissingParameter"},
		{"an old version", "Action=DescribeVpcs&Version=2014-10-01", 200, ""},
		{"an escape that is none", "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=%zz", 400, "MalformedQueryString"},
		{"an unknown parameter", "Action=DescribeVpcs&Version=2016-11-15&Colour=red", 400, "UnknownParameter"},
		{"a body that is too long", "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=" + strings.Repeat("x", 1<<20), 413, "RequestEntityTooLarge"},
	} {
		resp := signed().post(t, ts.URL, row.body)
		var doc errorDoc
		body := read(t, resp)
		if err := xml.Unmarshal([]byte(body), &doc); err != nil {
			t.Errorf("%s: %v in %q", row.name, err, body)
		}
		if resp.StatusCode != row.status || doc.EC2 != row.code {
			t.Errorf("%s: %d %s, want %d %s", row.name, resp.StatusCode, doc.EC2, row.status, row.code)
		}
	}
}

func TestGetAndPresigned(t *testing.T) {
	ts, _ := newAPI(t, nil)
	at := time.Now()
	cred := sigv4.Credential{AccessKeyID: testKey, Date: at.UTC().Format("20060102"), Region: "us-east-1", Service: "ec2"}
	const query = "Action=DescribeVpcs&Version=2016-11-15"

	r, _ := http.NewRequest("GET", ts.URL+"/?"+query, nil)
	sigv4.Sign(r, nil, cred, testSecret, "", at)
	if got := do(t, r).StatusCode; got != 200 {
		t.Errorf("a signed GET: %d, want 200", got)
	}
	r, _ = http.NewRequest("GET", ts.URL+"/?"+query, nil)
	sigv4.Presign(r, nil, cred, testSecret, "", at, time.Minute)
	if got := do(t, r).StatusCode; got != 200 {
		t.Errorf("a presigned GET: %d, want 200", got)
	}
	r.Method = "POST"
	if got := do(t, r).StatusCode; got != 401 {
		t.Errorf("a URL presigned for GET, sent by POST: %d, want 401", got)
	}
	r, _ = http.NewRequest("GET", ts.URL+"/?"+query, nil)
	sigv4.Presign(r, nil, cred, testSecret, "", at.Add(-2*time.Minute), time.Minute)
	resp := do(t, r)
	if body := read(t, resp); resp.StatusCode != 400 || !strings.Contains(body, "<Code>RequestExpired</Code>") {
		t.Errorf("an expired URL: %d %s, want 400 RequestExpired", resp.StatusCode, body)
	}
}

func do(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestAnyAuth(t *testing.T) {
	ts, _ := newAPI(t, func(c *server.Config) { c.AnyAuth = true })
	who := func(key string) string {
		s := signed()
		s.key, s.secret, s.service = key, "whatever", "sts"
		return read(t, s.post(t, ts.URL, "Action=GetCallerIdentity&Version=2011-06-15"))
	}
	if got := who("anything"); !strings.Contains(got, "<Account>"+account+"</Account>") {
		t.Errorf("any key: %s, want the default account", got)
	}
	if got := who("111122223333"); !strings.Contains(got, "<Account>111122223333</Account>") {
		t.Errorf("a key of 12 digits: %s, want that account", got)
	}
	s := signed()
	s.unsigned = true
	if got := s.post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15").StatusCode; got != 400 {
		t.Errorf("unsigned under --auth any: %d, want 400", got)
	}
}

func TestAnyAuthIsNotForWebPages(t *testing.T) {
	ts, _ := newAPI(t, func(c *server.Config) { c.AnyAuth = true })
	s := signed()
	s.change = func(r *http.Request) { r.Header.Set("Origin", "https://example.org") }
	if got := s.post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15").StatusCode; got != 401 {
		t.Errorf("a request of a web page: %d, want 401", got)
	}
}

func TestOtherMethods(t *testing.T) {
	ts, st := newAPI(t, nil)
	at := time.Now()
	cred := sigv4.Credential{AccessKeyID: testKey, Date: at.UTC().Format("20060102"), Region: "us-east-1", Service: "ec2"}
	signed().post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15")
	rev := st.Latest().Rev
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"} {
		r, _ := http.NewRequest(method, ts.URL+"/?Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16", nil)
		sigv4.Sign(r, nil, cred, testSecret, "", at)
		if got := do(t, r).StatusCode; got != 405 {
			t.Errorf("%s: %d, want 405", method, got)
		}
	}
	if got := st.Latest().Rev; got != rev {
		t.Errorf("the revision went from %d to %d", rev, got)
	}
}

func TestRegionsAndAccountsAreApart(t *testing.T) {
	ts, _ := newAPI(t, func(c *server.Config) { c.AnyAuth = true })
	vpcs := func(region, key string) string {
		s := signed()
		s.key, s.region = key, region
		body := read(t, s.post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15"))
		if n := strings.Count(body, "<vpcId>"); n != 1 {
			t.Fatalf("%s of %s has %d VPCs, want its default one: %s", region, key, n, body)
		}
		_, id, _ := strings.Cut(body, "<vpcId>")
		id, _, _ = strings.Cut(id, "<")
		return id
	}
	seen := map[string]string{}
	for _, where := range [][2]string{{"us-east-1", "111111111111"}, {"us-east-1", "222222222222"}, {"eu-west-1", "111111111111"}} {
		id := vpcs(where[0], where[1])
		if other, ok := seen[id]; ok {
			t.Errorf("%v and %s share %s", where, other, id)
		}
		seen[id] = where[0] + " of " + where[1]
		if again := vpcs(where[0], where[1]); again != id {
			t.Errorf("%v: the default VPC is %s and then %s", where, id, again)
		}
	}
}

func TestLimitedRegions(t *testing.T) {
	ts, _ := newAPI(t, func(c *server.Config) { c.Regions = []string{"eu-west-1"} })
	for region, want := range map[string]int{"us-east-1": 200, "eu-west-1": 200, "eu-west-2": 401} {
		s := signed()
		s.region = region
		if got := s.post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15").StatusCode; got != want {
			t.Errorf("region %s: %d, want %d", region, got, want)
		}
	}
}

func TestCheckIP(t *testing.T) {
	ts, _ := newAPI(t, nil)
	behind, _ := newAPI(t, func(c *server.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, row := range []struct {
		name, url, host, forwarded, want string
	}{
		{"by path", ts.URL + "/checkip", "", "", "127.0.0.1\n"},
		{"by host", ts.URL + "/", "checkip.example.org", "", "127.0.0.1\n"},
		{"as JSON", ts.URL + "/checkip?format=json", "", "", "{\"ip\":\"127.0.0.1\"}\n"},
		{"a stranger's X-Forwarded-For is not believed", ts.URL + "/checkip", "", "198.51.100.7", "127.0.0.1\n"},
		{"a trusted proxy's is", behind.URL + "/checkip", "", "198.51.100.7", "198.51.100.7\n"},
		{"what the caller claims before the proxy is not", behind.URL + "/checkip", "", "203.0.113.9, 198.51.100.7", "198.51.100.7\n"},
		{"two trusted proxies", behind.URL + "/checkip", "", "198.51.100.7, 10.0.0.3", "198.51.100.7\n"},
		{"IPv6 by a trusted proxy", behind.URL + "/checkip", "", "2001:db8::1", "2001:db8::1\n"},
		{"nonsense by a trusted proxy", behind.URL + "/checkip", "", "nonsense", "127.0.0.1\n"},
	} {
		r, _ := http.NewRequest("GET", row.url, nil)
		r.Host = row.host
		if row.forwarded != "" {
			r.Header.Set("X-Forwarded-For", row.forwarded)
		}
		resp := do(t, r)
		if got := read(t, resp); got != row.want || resp.StatusCode != 200 {
			t.Errorf("%s: %d %q, want 200 %q", row.name, resp.StatusCode, got, row.want)
		}
	}
	// With an Action it is the API's, and unsigned there.
	for _, url := range []string{ts.URL + "/checkip?Action=DescribeVpcs&Version=2016-11-15"} {
		r, _ := http.NewRequest("GET", url, nil)
		if got := do(t, r).StatusCode; got != 400 {
			t.Errorf("%s: %d, want 400", url, got)
		}
	}
	r, _ := http.NewRequest("GET", ts.URL+"/", nil)
	r.Host = "ec2.example.org"
	if got := do(t, r).StatusCode; got != 400 {
		t.Errorf("/ of another host: %d, want the API's 400", got)
	}
}

func TestRevisionHeader(t *testing.T) {
	ts, _ := newAPI(t, nil)
	before := signed().post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15").Header.Get("X-Moat-Revision")
	wrote := signed().post(t, ts.URL, "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16").Header.Get("X-Moat-Revision")
	after := signed().post(t, ts.URL, "Action=DescribeVpcs&Version=2016-11-15").Header.Get("X-Moat-Revision")
	if before != "1" || wrote != "3" || after != "3" {
		t.Errorf("revisions %s, %s, %s; want 1 (the key), 3 (the default VPC and another), 3", before, wrote, after)
	}
}
