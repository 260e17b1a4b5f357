package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestCorkUnderTLS is for the race detector: a client that sends a bad record
// while its request is answered makes the goroutine that reads write an alert.
func TestCorkUnderTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	hs := NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		c := corkOf(r.Context())
		for r.Context().Err() == nil { // until the reader has met the bad record
			c.cork()
			c.uncork()
		}
		gone <- struct{}{}
	}))
	go hs.Serve(tls.NewListener(CorkedListener(l), &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"},
	}))
	defer hs.Close()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.WriteString(tls.Client(raw, &tls.Config{InsecureSkipVerify: true}), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	if _, err := raw.Write(append([]byte{23, 3, 3, 0, 20}, make([]byte, 20)...)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the request did not end with its connection")
	}
}

// TestSlowReaders holds that a client that takes nothing of its answer is given
// up, and one that is only slow is not.
func TestSlowReaders(t *testing.T) {
	piece := make([]byte, 64<<10)
	ended := make(chan error, 1)
	hs := NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/patient" {
			out := &patient{w: w, c: http.NewResponseController(w)}
			for range 4 {
				time.Sleep(100 * time.Millisecond)
				out.Write(piece)
			}
			return
		}
		for {
			if _, err := w.Write(piece); err != nil {
				ended <- err
				return
			}
		}
	}))
	if hs.WriteTimeout == 0 {
		t.Fatal("an answer that nobody takes is waited for without end")
	}
	hs.WriteTimeout = 200 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go hs.Serve(CorkedListener(l))
	defer hs.Close()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the answer is still being written")
	}

	resp, err := http.Get("http://" + l.Addr().String() + "/patient")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 4*len(piece) {
		t.Errorf("got %d bytes, %v: want %d", len(b), err, 4*len(piece))
	}
}
