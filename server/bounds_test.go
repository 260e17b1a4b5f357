package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moat/server"
)

// ended reports whether a connection ends soon, after what it may have to say.
func ended(c net.Conn, patience time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c)
	e, ok := err.(net.Error)
	return !ok || !e.Timeout()
}

// throttled gives how much a bound refused.
func throttled(m *server.Metrics, what string) (n int) {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	fmt.Sscan(between(w.Body.String(), "moat_throttled_total{what=\""+what+"\"} ", "\n"), &n)
	return n
}

// TestBodiesOfStrangers holds that bodies whose sender is not known have a bound
// together, that the slow ones end, and that callers notice nothing.
func TestBodiesOfStrangers(t *testing.T) {
	metrics := server.NewMetrics()
	ts, _ := newAPI(t, func(c *server.Config) { c.BodyMemory, c.Metrics = 4<<20, metrics })
	var slow []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", ts.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<20)
		go io.WriteString(c, strings.Repeat("a", 900<<10)) // until the server has had enough
		slow = append(slow, c)
	}
	for deadline := time.Now().Add(time.Minute); throttled(metrics, "bodies") < 36; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("of 40 bodies of 900 KB, 36 were not given up for a bound of 4 MiB")
		}
	}
	if !ended(slow[0], 30*time.Second) {
		t.Error("the first of the slow ones is still waited for")
	}
	long := "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=tag:x&Filter.1.Value.1=" + strings.Repeat("b", 700<<10)
	for _, body := range []string{"Action=DescribeVpcs&Version=2016-11-15", long} {
		if resp := signed().post(t, ts.URL, body); resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusUnauthorized {
			t.Errorf("a signed request of %d bytes: %d %s", len(body), resp.StatusCode, read(t, resp))
		}
	}
}

// TestConnectionsAreBounded holds that connections which carry nothing make room
// for new ones, and that a caller keeps its own.
func TestConnectionsAreBounded(t *testing.T) {
	ts, _ := newAPI(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	metrics := server.NewMetrics()
	hs := server.NewHTTPServer(ts.Config.Handler)
	go hs.Serve(server.LimitedListener(l, 10, metrics))
	t.Cleanup(func() { hs.Close() })
	call := func() {
		t.Helper()
		if resp := signed().post(t, "http://"+l.Addr().String(), "Action=DescribeVpcs&Version=2016-11-15"); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, read(t, resp))
		} else {
			read(t, resp)
		}
	}
	call()
	var open []net.Conn
	for range 30 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	for i, c := range open[:21] {
		if !ended(c, 30*time.Second) {
			t.Fatalf("connection %d of 30 is still open with a bound of 10", i)
		}
	}
	call() // by the connection that it had: no other ends
	if n := throttled(metrics, "connections"); n != 21 {
		t.Errorf("%d connections ended, want 21: the caller's own is to stay", n)
	}
}

// TestTwoLengths holds that nothing follows a request whose end may be seen
// elsewhere than here.
func TestTwoLengths(t *testing.T) {
	ts, _ := newAPI(t, nil)
	c, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if _, err := http.ReadResponse(in, nil); err == nil || !resp.Close {
		t.Errorf("a second answer follows (%v, close %v)", err, resp.Close)
	}
}
