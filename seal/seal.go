// Package seal knows how secrets are kept: encrypted and authenticated with
// AES-256-GCM, under keys that never lie beside them. Where the keys come from
// is the business of others, and so is the salt: it must be random.
//
// Each message has a key of its own, derived from its salt by HKDF-SHA256, so
// that there is no bound on the number of messages under one key.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A Purpose keeps messages of one use from being taken for those of another.
type Purpose string

// The purposes. They are part of what is stored.
const (
	AccessKey    Purpose = "access key"
	SessionToken Purpose = "session token"
	// Message is an encoded authorization failure message.
	Message Purpose = "authorization message"
	// Event is an event of the audit trail, and EventKeys are the keys that
	// encrypt those.
	Event     Purpose = "event"
	EventKeys Purpose = "event keys"
)

const (
	// KeySize is the length of a key in bytes, SaltSize that of a salt.
	KeySize  = 32
	SaltSize = 16

	version  = 1
	idSize   = 8
	overhead = 1 + idSize + SaltSize
)

// ErrOpen says that a message was altered, or was not sealed for this.
var ErrOpen = errors.New("it was altered, or sealed for something else")

// An UnknownKeyError says that a message was sealed with a key that the ring
// does not have.
type UnknownKeyError struct{ ID string }

func (e *UnknownKeyError) Error() string { return "it was sealed with the key " + e.ID }

// A Ring has the keys: the first seals, each opens.
type Ring struct {
	keys []key
}

type key struct {
	id     [idSize]byte
	secret [KeySize]byte
}

// NewRing gives a ring of keys, each of KeySize bytes.
func NewRing(keys ...[KeySize]byte) *Ring {
	if len(keys) == 0 {
		panic("seal: a ring without keys")
	}
	r := &Ring{}
	for _, k := range keys {
		// The id tells nothing of the key.
		id, err := hkdf.Key(sha256.New, k[:], nil, "moat seal: id", idSize)
		if err != nil {
			panic(err)
		}
		r.keys = append(r.keys, key{[idSize]byte(id), k})
	}
	return r
}

// ParseRing reads a key file: keys in base64, 32 bytes each, one a line, the
// one that seals first. Empty lines and what follows a # are left out.
func ParseRing(text string) (*Ring, error) {
	var keys [][KeySize]byte
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(b) != KeySize {
			// The line itself is a secret, or was meant as one.
			return nil, fmt.Errorf("line %d: want 32 random bytes in base64, such as `openssl rand -base64 32` prints", i+1)
		}
		keys = append(keys, [KeySize]byte(b))
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key: want 32 random bytes in base64, such as `openssl rand -base64 32` prints")
	}
	return NewRing(keys...), nil
}

// ID names the key that seals.
func (r *Ring) ID() string { return hex.EncodeToString(r.keys[0].id[:]) }

// Seal encrypts a message for a purpose. It can be opened under the same name
// only. The salt must be random and never used again.
func (r *Ring) Seal(p Purpose, name string, salt [SaltSize]byte, message []byte) []byte {
	k := &r.keys[0]
	out := make([]byte, 0, overhead+len(message)+16)
	out = append(out, version)
	out = append(out, k.id[:]...)
	out = append(out, salt[:]...)
	return k.aead(p, salt[:]).Seal(out, make([]byte, 12), message, []byte(name))
}

// Open gives a message. The error is ErrOpen or an *UnknownKeyError.
func (r *Ring) Open(p Purpose, name string, sealed []byte) ([]byte, error) {
	k, err := r.keyOf(sealed)
	if err != nil {
		return nil, err
	}
	salt := sealed[1+idSize : overhead]
	message, err := k.aead(p, salt).Open(nil, make([]byte, 12), sealed[overhead:], []byte(name))
	if err != nil {
		return nil, ErrOpen
	}
	return message, nil
}

// Current reports whether a message was sealed with the key that seals.
func (r *Ring) Current(sealed []byte) bool {
	k, err := r.keyOf(sealed)
	return err == nil && k == &r.keys[0]
}

func (r *Ring) keyOf(sealed []byte) (*key, error) {
	if len(sealed) < overhead || sealed[0] != version {
		return nil, ErrOpen
	}
	return r.withID([idSize]byte(sealed[1:]))
}

func (r *Ring) withID(id [idSize]byte) (*key, error) {
	for i := range r.keys {
		if r.keys[i].id == id {
			return &r.keys[i], nil
		}
	}
	return nil, &UnknownKeyError{hex.EncodeToString(id[:])}
}

func (k *key) aead(p Purpose, salt []byte) cipher.AEAD {
	derived, err := hkdf.Key(sha256.New, k.secret[:], salt, "moat seal: "+string(p), KeySize)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return g
}
