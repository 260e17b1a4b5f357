package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CheckTime gives an error unless now is within the signature's window. The
// header form is valid Skew before and after its time; a presigned request
// from Skew before its time until it expires. Both ends belong to it; whole
// seconds count, as the messages show them.
func (s *Signature) CheckTime(now time.Time) error {
	now = now.UTC().Truncate(time.Second)
	stamp := func() string { return s.Time.Format(isoBasic) }
	if latest := now.Add(Skew); s.Time.After(latest) {
		return &Error{NotYetCurrent, stamp() + " is still later than " + latest.Format(isoBasic) + " (" + now.Format(isoBasic) + " + 15 min.)"}
	}
	kind, life, unit := Expired, Skew, "15 min."
	if s.Presigned {
		kind = PresignedExpired
	}
	if s.Expires > 0 {
		life, unit = s.Expires, strconv.Itoa(int(s.Expires/time.Second))+" sec."
	}
	if earliest := now.Add(-life); s.Time.Before(earliest) {
		return &Error{kind, stamp() + " is now earlier than " + earliest.Format(isoBasic) + " (" + now.Format(isoBasic) + " - " + unit + ")"}
	}
	return nil
}

// DeriveKey gives the signing key of a secret for one day, region and service.
// It costs four HMACs; cache it by Credential.
func DeriveKey(secret, date, region, service string) [32]byte {
	key := []byte("AWS4" + secret)
	for _, part := range [...]string{date, region, service, terminator} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return [32]byte(key)
}

// Verify gives an error unless the signature is the one that key makes of r.
// r must be as the client sent it: only the body may have been read, and
// payloadHash is the SHA-256 of all of it. secure says that r came over TLS,
// where a client may leave its body unsigned.
func (s *Signature) Verify(r *http.Request, payloadHash [32]byte, key [32]byte, secure bool) error {
	var hexHash, given [64]byte
	payload := hexHash[:]
	hex.Encode(payload, payloadHash[:])
	if v := r.Header["X-Amz-Content-Sha256"]; len(v) > 0 {
		switch {
		case len(v) > 1:
			return &Error{BadPayloadHash, "more than one X-Amz-Content-SHA256"}
		case v[0] == "UNSIGNED-PAYLOAD" && secure:
		case !strings.EqualFold(v[0], string(payload)):
			return &Error{BadPayloadHash, "X-Amz-Content-SHA256 is not the hash of the body: " + v[0]}
		}
		payload = []byte(v[0])
	}
	if len(s.Signature) != len(given) {
		return &Error{Kind: Mismatch}
	}
	copy(given[:], s.Signature)

	var arr [512]byte
	query, err := s.appendQuery(arr[:0], r.URL.RawQuery)
	if err != nil {
		return err
	}
	for _, path := range canonicalPaths(rawPath(r)) {
		want := s.compute(r, path, query, payload, &key)
		if subtle.ConstantTimeCompare(want[:], given[:]) == 1 {
			return nil
		}
	}
	return &Error{Kind: Mismatch}
}

// compute gives the signature of r in hex.
func (s *Signature) compute(r *http.Request, path string, query, payload []byte, key *[32]byte) [64]byte {
	var arr [1536]byte
	hash := sha256.Sum256(s.appendCanonical(arr[:0], r, path, query, payload))

	// HMAC by its definition, over local arrays: crypto/hmac takes its two
	// hashes from the heap, which is most of the time of a short message.
	b := arr[:64]
	clear(b)
	copy(b, key[:])
	var outer [96]byte
	for i := range b {
		outer[i] = b[i] ^ 0x5c
		b[i] ^= 0x36
	}
	b = append(b, algorithm+"\n"...)
	b = s.Time.AppendFormat(b, isoBasic)
	b = append(b, '\n')
	b = append(b, s.Date...)
	b = append(b, '/')
	b = append(b, s.Region...)
	b = append(b, '/')
	b = append(b, s.Service...)
	b = append(b, "/"+terminator+"\n"...)
	b = hex.AppendEncode(b, hash[:])
	inner := sha256.Sum256(b)
	copy(outer[64:], inner[:])
	sum := sha256.Sum256(outer[:])

	var out [64]byte
	hex.Encode(out[:], sum[:])
	return out
}
