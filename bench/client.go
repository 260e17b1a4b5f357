package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The client is the same for every candidate and does as little as it can,
// since it shares the machine with what it measures: requests are prepared
// and signed beforehand, written in one piece, and of a reply it reads what
// tells where the reply ends.

// A conn is a keep-alive connection, made again when the server closes it.
type conn struct {
	addr string
	c    net.Conn
	r    *bufio.Reader
	body []byte
}

func (c *conn) close() {
	if c.c != nil {
		c.c.Close()
		c.c = nil
	}
}

// A timing is what one request took.
type timing struct {
	first, whole time.Duration // until the first byte of the reply, and its last
	bytes        int           // of the body
}

// do sends a request and reads the reply. The body is kept until the next
// call if keep says so. A status other than 200 is an error.
func (c *conn) do(req []byte, keep bool) (t timing, err error) {
	if c.c == nil {
		if c.c, err = net.Dial("tcp", c.addr); err != nil {
			return t, err
		}
		if c.r == nil {
			c.r = bufio.NewReaderSize(c.c, 256<<10)
		} else {
			c.r.Reset(c.c)
		}
	}
	c.body = c.body[:0]
	began := time.Now()
	if _, err = c.c.Write(req); err == nil {
		if _, err = c.r.Peek(1); err == nil {
			t.first = time.Since(began)
			var last bool
			last, err = c.read(&t, keep)
			t.whole = time.Since(began)
			if last {
				c.close()
			}
		}
	}
	if err != nil {
		c.close()
	}
	return t, err
}

// read reads one reply; last says that the server closes the connection.
func (c *conn) read(t *timing, keep bool) (last bool, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return true, err
	}
	if len(line) < 12 {
		return true, fmt.Errorf("status line %q", line)
	}
	status := string(line[9:12])
	last = line[7] == '0' // HTTP/1.0
	length := -1
	chunked := false
	for {
		line, err = c.r.ReadSlice('\n')
		if err != nil {
			return true, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		switch {
		case hasName(line, "content-length:"):
			length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:])))
			if err != nil {
				return true, err
			}
		case hasName(line, "transfer-encoding:"):
			chunked = true
		case hasName(line, "connection:"):
			last = bytes.EqualFold(bytes.TrimSpace(line[11:]), []byte("close"))
		}
	}
	keep = keep || status != "200"
	switch {
	case chunked:
		for n := int64(1); n > 0; {
			if line, err = c.r.ReadSlice('\n'); err != nil {
				return true, err
			}
			if n, err = strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 63); err != nil {
				return true, err
			}
			if err = c.take(int(n), t, keep); err == nil {
				_, err = c.r.Discard(2)
			}
			if err != nil {
				return true, err
			}
		}
	case length >= 0:
		if err = c.take(length, t, keep); err != nil {
			return true, err
		}
	default:
		last = true
		b, err := io.ReadAll(c.r)
		t.bytes, c.body = len(b), b
		if err != nil {
			return true, err
		}
	}
	if status != "200" {
		return last, &statusError{status, string(c.body)}
	}
	return last, nil
}

func (c *conn) take(n int, t *timing, keep bool) error {
	t.bytes += n
	if !keep {
		_, err := c.r.Discard(n)
		return err
	}
	at := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.r, c.body[at:])
	return err
}

// hasName reports whether a header line has a name, given in lower case.
func hasName(line []byte, name string) bool {
	return len(line) > len(name) && line[0]|0x20 == name[0] && bytes.EqualFold(line[:len(name)], []byte(name))
}

type statusError struct{ status, body string }

func (e *statusError) Error() string {
	return fmt.Sprintf("status %s: %.400s", e.status, e.body)
}

// A load is requests to one server. They are sent in turn over and over, or
// once each.
type load struct {
	addr  string
	reqs  [][]byte
	conns int
	// For is how long to send; 0 sends each request once.
	For time.Duration
	// Body, if not nil, is given each reply with the number of its request. It
	// may be called by several goroutines at once.
	Body func(i int, body []byte)
}

// A result is what a load came to.
type result struct {
	rate    float64 // requests a second
	byteps  float64 // bytes of bodies a second
	timings []timing
	cpu     time.Duration // that the server used
}

func (r *result) median(of func(timing) time.Duration) time.Duration {
	if len(r.timings) == 0 {
		return 0
	}
	d := make([]time.Duration, len(r.timings))
	for i, t := range r.timings {
		d[i] = of(t)
	}
	slices.Sort(d)
	return d[len(d)/2]
}

func whole(t timing) time.Duration { return t.whole }
func first(t timing) time.Duration { return t.first }

// open holds the connections of a server between loads, as a client would.
var (
	openMu sync.Mutex
	open   = map[string][]*conn{}
)

func connsTo(addr string, n int) []*conn {
	openMu.Lock()
	defer openMu.Unlock()
	for len(open[addr]) < n {
		open[addr] = append(open[addr], &conn{addr: addr})
	}
	return open[addr][:n]
}

func hangUp(addr string) {
	openMu.Lock()
	defer openMu.Unlock()
	for _, c := range open[addr] {
		c.close()
	}
	delete(open, addr)
}

// run sends a load and waits for its end.
func run(l load) (*result, error) {
	conns := connsTo(l.addr, l.conns)
	parts := make([]result, l.conns)
	errs := make([]error, l.conns)
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for w := range l.conns {
		wg.Go(func() {
			c, part := conns[w], &parts[w]
			for {
				i := int(next.Add(1) - 1)
				if l.For == 0 && i >= len(l.reqs) || l.For > 0 && time.Since(began) >= l.For {
					return
				}
				i %= len(l.reqs)
				t, err := c.do(l.reqs[i], l.Body != nil)
				if err != nil {
					errs[w] = err
					return
				}
				if l.Body != nil {
					l.Body(i, c.body)
				}
				part.timings = append(part.timings, t)
			}
		})
	}
	wg.Wait()
	took := time.Since(began).Seconds()
	r := &result{}
	bytes := 0
	for i := range parts {
		r.timings = append(r.timings, parts[i].timings...)
	}
	for _, t := range r.timings {
		bytes += t.bytes
	}
	r.rate, r.byteps = float64(len(r.timings))/took, float64(bytes)/took
	return r, errors.Join(errs...)
}
