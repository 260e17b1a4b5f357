package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// streamVersion is the first byte of what a Stream sealed:
//
//	1  version
//	8  id of the key
//	16 salt
//	8  number of the message
//	…  ciphertext and tag
const (
	streamVersion = 2
	streamHead    = 1 + idSize + SaltSize + 8
)

// A Stream seals many messages under one derived key, for less than Seal takes
// for each. It may be used by several goroutines.
type Stream struct {
	head  [streamHead - 8]byte
	aead  cipher.AEAD
	count atomic.Uint64
}

// Stream gives a stream for a purpose. The salt must be random and never used
// again.
func (r *Ring) Stream(p Purpose, salt [SaltSize]byte) *Stream {
	k := &r.keys[0]
	s := &Stream{aead: k.aead(p+" stream", salt[:])}
	s.head[0] = streamVersion
	copy(s.head[1:], k.id[:])
	copy(s.head[1+idSize:], salt[:])
	return s
}

// Seal encrypts a message. It can be opened with the same bound only.
func (s *Stream) Seal(bound, message []byte) []byte {
	out := make([]byte, 0, streamHead+len(message)+16)
	out = append(out, s.head[:]...)
	out = binary.BigEndian.AppendUint64(out, s.count.Add(1))
	var nonce [12]byte
	copy(nonce[4:], out[streamHead-8:])
	return s.aead.Seal(out, nonce[:], message, bound)
}

// A Reader opens what streams of a purpose sealed. It may be used by several
// goroutines.
type Reader struct {
	ring    *Ring
	purpose Purpose

	mu    sync.Mutex
	aeads map[[idSize + SaltSize]byte]cipher.AEAD
}

// Reader gives a reader for a purpose.
func (r *Ring) Reader(p Purpose) *Reader {
	return &Reader{ring: r, purpose: p, aeads: map[[idSize + SaltSize]byte]cipher.AEAD{}}
}

// Open gives a message. The error is ErrOpen or an *UnknownKeyError.
func (r *Reader) Open(bound, sealed []byte) ([]byte, error) {
	if len(sealed) < streamHead || sealed[0] != streamVersion {
		return nil, ErrOpen
	}
	a, err := r.aead([idSize + SaltSize]byte(sealed[1:]))
	if err != nil {
		return nil, err
	}
	var nonce [12]byte
	copy(nonce[4:], sealed[streamHead-8:])
	message, err := a.Open(nil, nonce[:], sealed[streamHead:], bound)
	if err != nil {
		return nil, ErrOpen
	}
	return message, nil
}

func (r *Reader) aead(of [idSize + SaltSize]byte) (cipher.AEAD, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.aeads[of]; a != nil {
		return a, nil
	}
	k, err := r.ring.withID([idSize]byte(of[:]))
	if err != nil {
		return nil, err
	}
	if len(r.aeads) >= 256 { // each start of a server has a stream of its own
		clear(r.aeads)
	}
	a := k.aead(r.purpose+" stream", of[idSize:])
	r.aeads[of] = a
	return a, nil
}
