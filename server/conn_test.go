package server_test

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moat/server"
	"moat/sigv4"
)

// countedListener counts the writes to its connections.
type countedListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l.writes}, nil
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestOneWrite holds that header and body leave in one write, also when the
// body is longer than the buffers of net/http. (net.Buffers writes each piece
// by itself where the connection is not a plain TCP one, as here: so the
// pieces must have been joined.)
func TestOneWrite(t *testing.T) {
	ts, _ := newAPI(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var writes atomic.Int64
	hs := server.NewHTTPServer(ts.Config.Handler)
	go hs.Serve(server.CorkedListener(countedListener{l, &writes}))
	t.Cleanup(func() { hs.Close() })

	body := "Action=DescribeRegions&Version=2016-11-15&AllRegions=true"
	for range 3 {
		r, _ := http.NewRequest("POST", "http://"+l.Addr().String()+"/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		now := time.Now()
		sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: testKey, Date: now.UTC().Format("20060102"), Region: "us-east-1", Service: "ec2"}, testSecret, "", now)
		before := writes.Load()
		resp := do(t, r)
		if text := read(t, resp); resp.StatusCode != 200 || len(text) < 5000 {
			t.Fatalf("%d, %d bytes: want a success longer than a buffer: %.300s", resp.StatusCode, len(text), text)
		}
		if n := writes.Load() - before; n != 1 {
			t.Errorf("an answer of %s bytes took %d writes, want 1", resp.Header.Get("Content-Length"), n)
		}
	}
}
