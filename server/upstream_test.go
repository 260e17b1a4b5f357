package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"moat/server"
)

func TestUpstreamGetsWhatMoatDoesNotHave(t *testing.T) {
	var got *http.Request
	var body string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r.Clone(r.Context()), string(b)
		w.Header().Set("X-Other", "yes")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "<answer/>")
	}))
	defer other.Close()
	to, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	ts, st := newAPI(t, func(c *server.Config) { c.Upstream = to })
	const form = "Action=DescribeSpotPriceHistory&Version=2016-11-15&Filter.1.Name=a%2Bb+c"
	ask := func(s signer, body string) (int, string, http.Header) {
		t.Helper()
		resp := s.post(t, ts.URL, body)
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), resp.Header
	}

	status, text, header := ask(signed(), form)
	if status != http.StatusTeapot || text != "<answer/>" || header.Get("X-Other") != "yes" {
		t.Errorf("the caller got %d %q %v", status, text, header)
	}
	if got == nil || body != form {
		t.Fatalf("the upstream got %q", body)
	}
	if !strings.HasPrefix(got.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+testKey) || got.Header.Get("X-Amz-Date") == "" {
		t.Errorf("the signature did not come along: %v", got.Header)
	}
	if want := strings.TrimPrefix(ts.URL, "http://"); got.Host != want {
		t.Errorf("host %q, want the signed one %q", got.Host, want)
	}

	// What Moat has is its own, refusals too; and nobody unknown gets through.
	got = nil
	if status, text, _ = ask(signed(), "Action=DescribeVpcs&Version=2016-11-15"); status != 200 || !strings.Contains(text, "vpcSet") {
		t.Errorf("DescribeVpcs: %d %s", status, text)
	}
	if status, _, _ = ask(signed(), "Action=DeleteVpc&Version=2016-11-15&VpcId=vpc-1"); status != 400 {
		t.Errorf("DeleteVpc: %d", status)
	}
	forged := signed()
	forged.secret = "wrong"
	if status, text, _ = ask(forged, form); status != 401 || !strings.Contains(text, "AuthFailure") {
		t.Errorf("a wrong signature: %d %s", status, text)
	}
	unsigned := signed()
	unsigned.unsigned = true
	if status, _, _ = ask(unsigned, form); status != 400 {
		t.Errorf("no signature: %d", status)
	}
	if status, _, _ = ask(signed(), "Action=DescribeSpotPriceHistory&Version=now"); status != 400 {
		t.Errorf("a version that is none: %d", status)
	}
	// One that was passed on already goes no further: no loop.
	looped := signed()
	looped.change = func(r *http.Request) { r.Header.Set("X-Moat-Forwarded", "1") }
	if status, text, _ = ask(looped, form); status != 400 || !strings.Contains(text, "<Code>InvalidAction</Code>") {
		t.Errorf("passed on twice: %d %s", status, text)
	}
	if got != nil {
		t.Errorf("the upstream was asked for what is not its own: %s", body)
	}
	rev := st.Latest().Rev
	ask(signed(), form)
	if st.Latest().Rev != rev {
		t.Error("passing on changed the state")
	}

	other.Close()
	if status, text, _ = ask(signed(), form); status != 503 || !strings.Contains(text, "The upstream that serves DescribeSpotPriceHistory does not answer.") {
		t.Errorf("without the upstream: %d %s", status, text)
	}
}
