package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/sigv4"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// TestUncorkThatFailsEndsTheConnection holds that nothing follows an answer of
// which a part could not be sent.
func TestUncorkThatFailsEndsTheConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &corkedConn{Conn: ours}
	c.cork()
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err != nil {
		t.Fatal(err)
	}
	c.SetWriteDeadline(time.Unix(1, 0))
	if err := c.uncork(); err == nil {
		t.Fatal("what nobody takes was written")
	}
	c.SetWriteDeadline(time.Time{})
	go io.Copy(io.Discard, theirs)
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil {
		t.Error("the next answer follows half of the one before")
	}
}

// anyServer is a server on a log in memory that takes every credential.
func anyServer(t *testing.T, cfg Config) (*Server, *store.Store) {
	st, err := store.Open(context.Background(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	cfg.Region, cfg.Account, cfg.AnyAuth = "us-east-1", "123456789012", true
	return New(st, cfg), st
}

func signedRequest(body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	at := time.Now()
	sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: "any", Date: at.UTC().Format("20060102"), Region: "us-east-1", Service: "ec2"}, "any", "", at)
	return r
}

// TestNobodyWaits holds that rows are no longer looked for when the caller has
// gone.
func TestNobodyWaits(t *testing.T) {
	s, st := anyServer(t, Config{})
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	if err := s.Furnish(context.Background(), scope); err != nil {
		t.Fatal(err)
	}
	_, _, err := st.Write(context.Background(), &store.Write{Call: state.Call{Scope: scope, Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		for i := range 600 {
			state.Groups.Put(tx, &vpc.SecurityGroup{ID: vpc.GroupID(fmt.Sprintf("sg-%017x", i)), Name: fmt.Sprint("g", i), VPC: "vpc-1"})
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	const groups = "Action=DescribeSecurityGroups&Version=2016-11-15&Filter.1.Name=description&Filter.1.Value.1=none"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, signedRequest(groups))
	if w.Code != 200 {
		t.Fatalf("a caller who waits: %d %s", w.Code, w.Body)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	w = httptest.NewRecorder()
	s.ServeHTTP(w, signedRequest(groups).WithContext(gone))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "went away") {
		t.Errorf("a caller who went away: %d %s", w.Code, w.Body)
	}
}

// late is a transport that reads the body of a request after its answer.
type late struct{ body io.Reader }

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	l.body = r.Body
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// TestUpstreamReadsItsOwnBody holds that a body which is passed on stays as it is
// after the answer: an http.RoundTripper may read it in a goroutine of its own.
func TestUpstreamReadsItsOwnBody(t *testing.T) {
	u, _ := url.Parse("http://127.0.0.1:1")
	s, _ := anyServer(t, Config{Upstream: u})
	transport := &late{}
	s.upstream.client.Transport = transport
	const first = "Action=DescribeFleets&Version=2016-11-15"
	s.ServeHTTP(httptest.NewRecorder(), signedRequest(first))
	s.ServeHTTP(httptest.NewRecorder(), signedRequest("Action=DescribeRegions&Version=2016-11-15&AllRegions=true"))
	for range 8 { // a pool gives what it likes
		s.ServeHTTP(httptest.NewRecorder(), signedRequest(strings.Repeat("x", 100)))
	}
	if b, err := io.ReadAll(transport.body); err != nil || string(b) != first {
		t.Errorf("the upstream reads %q, %v; want %q", b, err, first)
	}
}
