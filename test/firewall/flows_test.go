package firewall_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A flow is between two machines: the one that spoke first sends words, which
// come back.
type flow struct {
	name     string
	protocol string
	conn     net.Conn // of the one that spoke first
	// other tells what became of the other end of a TCP connection.
	other <-chan error
	// id and count are those of echo requests.
	id, count uint16
	six       bool
}

// An answerer sends back what it is told, by TCP and UDP, and remembers who
// spoke to it.
type answerer struct {
	m     *machine
	mu    sync.Mutex
	conns map[string]chan error // by the other's address
}

func (m *machine) answerer(ports ...int) *answerer { return m.answererAt("", ports...) }

// answererAt answers at one of several addresses.
func (m *machine) answererAt(addr string, ports ...int) *answerer {
	m.lab.Helper()
	a := &answerer{m: m, conns: map[string]chan error{}}
	for _, port := range ports {
		m.must(func() error {
			l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", addr, port))
			if err != nil {
				return err
			}
			m.lab.Cleanup(func() { l.Close() })
			go a.accept(l)
			p, err := net.ListenPacket("udp", fmt.Sprintf("%s:%d", addr, port))
			if err != nil {
				return err
			}
			m.lab.Cleanup(func() { p.Close() })
			go func() {
				b := make([]byte, 1500)
				for {
					n, from, err := p.ReadFrom(b)
					if err != nil {
						return
					}
					p.WriteTo(b[:n], from)
				}
			}()
			return nil
		})
	}
	return a
}

func (a *answerer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, err := io.Copy(c, c)
			a.end(c.RemoteAddr().String()) <- err
			c.Close()
		}()
	}
}

// end tells what became of a connection of the answerer's.
func (a *answerer) end(from string) chan error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns[from] == nil {
		a.conns[from] = make(chan error, 1)
	}
	return a.conns[from]
}

var echoID atomic.Uint32

// begin opens a flow to an answerer and exchanges words, so that a UDP flow is
// a stream.
func (m *machine) begin(name, protocol string, six bool, to *answerer, port int) (*flow, error) {
	f := &flow{name: name, protocol: protocol, six: six, id: uint16(echoID.Add(1))}
	addr, network := to.m.four, "ip4:1"
	if six {
		addr, network = to.m.six, "ip6:58"
	}
	dial, address := protocol, net.JoinHostPort(addr, fmt.Sprint(port))
	if protocol == "icmp" {
		dial, address = network, addr
	}
	err := m.in(func() (err error) {
		f.conn, err = net.DialTimeout(dial, address, 3*time.Second)
		return err
	})
	if err != nil {
		return f, err
	}
	m.lab.Cleanup(func() { f.conn.Close() })
	if protocol == "tcp" {
		f.other = to.end(f.conn.LocalAddr().String())
	}
	for range 3 {
		if err := f.exchange(3 * time.Second); err != nil {
			return f, err
		}
	}
	return f, nil
}

// exchange sends a word and waits for it to come back.
func (f *flow) exchange(patience time.Duration) error {
	f.conn.SetDeadline(time.Now().Add(patience))
	f.count++
	word := binary.BigEndian.AppendUint16([]byte("word"), f.count)
	if f.protocol == "icmp" {
		word = f.ping()
	}
	if _, err := f.conn.Write(word); err != nil {
		return err
	}
	b := make([]byte, 1500)
	for {
		n, err := f.conn.Read(b)
		if err != nil {
			return err
		}
		p := b[:n]
		switch f.protocol {
		case "tcp":
			if n == len(word) && string(p) == string(word) {
				return nil
			}
			return fmt.Errorf("%x came back of %x", p, word)
		case "udp":
			if string(p) == string(word) {
				return nil
			}
		default:
			reply := byte(129)
			if !f.six {
				reply = 0
				p = p[min(n, int(p[0]&15)*4):] // the IP header comes along
			}
			if len(p) >= 8 && p[0] == reply && string(p[4:8]) == string(word[4:8]) {
				return nil
			}
		}
	}
}

// ping makes an echo request.
func (f *flow) ping() []byte {
	p := []byte{8, 0, 0, 0}
	if f.six {
		p[0] = 128
	}
	p = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(p, f.id), f.count)
	if !f.six {
		sum := uint32(0)
		for i := 0; i < len(p); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(p[i:]))
		}
		sum = sum>>16 + sum&0xffff
		binary.BigEndian.PutUint16(p[2:], ^uint16(sum+sum>>16))
	}
	return p
}

// lives reports whether words come back, or why not: what one lost word may be
// due to, three are not.
func (f *flow) lives() (err error) {
	for range 3 {
		if err = f.exchange(time.Second); err == nil || isReset(err) {
			return err
		}
	}
	return err
}

// wasReset waits, without a word, until both ends of a TCP connection have
// been reset.
func (f *flow) wasReset(patience time.Duration) error {
	f.conn.SetDeadline(time.Now().Add(patience))
	if _, err := f.conn.Read(make([]byte, 1)); !isReset(err) {
		return fmt.Errorf("the end that spoke first: %v, want a reset", err)
	}
	return f.otherWasReset(patience)
}

func (f *flow) otherWasReset(patience time.Duration) error {
	select {
	case err := <-f.other:
		if !isReset(err) {
			return fmt.Errorf("the other end: %v, want a reset", err)
		}
		return nil
	case <-time.After(patience):
		return errors.New("the other end lives on, want a reset")
	}
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// A talk exchanges words all the time.
type talk struct {
	*flow
	ended chan struct{}
	err   error
	words atomic.Int64
}

func (f *flow) talk(pause time.Duration) *talk {
	t := &talk{flow: f, ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		for {
			if t.err = f.exchange(2 * time.Second); t.err != nil {
				return
			}
			t.words.Add(1)
			time.Sleep(pause)
		}
	}()
	return t
}

// goesOn reports whether words still come back.
func (t *talk) goesOn() error {
	for n, end := t.words.Load(), time.Now().Add(3*time.Second); t.words.Load() < n+2; time.Sleep(5 * time.Millisecond) {
		select {
		case <-t.ended:
			return fmt.Errorf("it ended: %w", t.err)
		default:
		}
		if time.Now().After(end) {
			return errors.New("no word comes back")
		}
	}
	return nil
}

// ends waits until no word comes back.
func (t *talk) ends(patience time.Duration) error {
	select {
	case <-t.ended:
	case <-time.After(patience):
		return errors.New("it goes on")
	}
	return nil
}
