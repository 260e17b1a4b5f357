package vpc

import (
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"

	"moat/fault"
)

// An SSHKey is the public half of a key pair.
type SSHKey struct {
	Type string // rsa or ed25519
	// Blob is as SSH sends it: RFC 4253, "Public Key Algorithms".
	Blob []byte

	rsa *rsa.PublicKey
}

// ReadSSHKey reads a public key as SSH sends it.
func ReadSSHKey(blob []byte) (*SSHKey, error) {
	rest, bad := blob, false
	next := func() []byte {
		if len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-4) {
			bad = true
			return nil
		}
		n := binary.BigEndian.Uint32(rest)
		part := rest[4 : 4+n]
		rest = rest[4+n:]
		return part
	}
	k := &SSHKey{Blob: blob}
	switch string(next()) {
	case "ssh-rsa":
		e, n := new(big.Int).SetBytes(next()), new(big.Int).SetBytes(next())
		if bad || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || n.BitLen() < 1024 || n.BitLen() > 16384 {
			return nil, fault.InvalidKeyFormat.With()
		}
		k.Type, k.rsa = "rsa", &rsa.PublicKey{N: n, E: int(e.Int64())}
	case "ssh-ed25519":
		if len(next()) != 32 {
			return nil, fault.InvalidKeyFormat.With()
		}
		k.Type = "ed25519"
	default:
		return nil, fault.InvalidKeyFormat.With()
	}
	if bad || len(rest) > 0 {
		return nil, fault.InvalidKeyFormat.With()
	}
	return k, nil
}

// ParseSSHKey reads a public key in the forms that ImportKeyPair takes: a line
// of OpenSSH, RFC 4716, or base64 of DER. API reference, ImportKeyPair.
func ParseSSHKey(text string) (*SSHKey, error) {
	text = strings.TrimSpace(text)
	if body, ok := strings.CutPrefix(text, "---- BEGIN SSH2 PUBLIC KEY ----"); ok {
		body, _, _ = strings.Cut(body, "---- END")
		var joined strings.Builder
		more := false // of a header
		for line := range strings.Lines(body) {
			line = strings.TrimSpace(line)
			if more || strings.Contains(line, ":") {
				more = strings.HasSuffix(line, `\`)
				continue
			}
			joined.WriteString(line)
		}
		return readBase64(joined.String())
	}
	words := strings.Fields(text)
	if len(words) >= 2 && strings.HasPrefix(words[0], "ssh-") {
		k, err := readBase64(words[1])
		if err != nil {
			return nil, err
		}
		if "ssh-"+k.Type != words[0] {
			return nil, fault.InvalidKeyFormat.With()
		}
		return k, nil
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(words, ""))
	if err != nil {
		return nil, fault.InvalidKeyFormat.With()
	}
	public, err := x509.ParsePKIXPublicKey(der)
	k, ok := public.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, fault.InvalidKeyFormat.With()
	}
	return ReadSSHKey(rsaBlob(k))
}

func readBase64(s string) (*SSHKey, error) {
	blob, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fault.InvalidKeyFormat.With()
	}
	return ReadSSHKey(blob)
}

func rsaBlob(k *rsa.PublicKey) []byte {
	var b []byte
	put := func(part []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	number := func(n *big.Int) []byte { // a first bit that is set would be a sign
		if n.BitLen()%8 == 0 {
			return append([]byte{0}, n.Bytes()...)
		}
		return n.Bytes()
	}
	put([]byte("ssh-rsa"))
	put(number(big.NewInt(int64(k.E))))
	put(number(k.N))
	return b
}

// Line gives the key as authorized_keys has it.
func (k *SSHKey) Line(comment string) string {
	return "ssh-" + k.Type + " " + base64.StdEncoding.EncodeToString(k.Blob) + " " + comment
}

// ImportedFingerprint gives the fingerprint of a key that was imported: of an
// RSA key the MD5 digest of its DER, of an ED25519 key OpenSSH's. EC2 user
// guide, "Verify the fingerprint of your key pair".
func (k *SSHKey) ImportedFingerprint() string {
	if k.rsa == nil {
		return k.opensshFingerprint()
	}
	der, err := x509.MarshalPKIXPublicKey(k.rsa)
	if err != nil {
		return "" // an RSA key always has a DER
	}
	sum := md5.Sum(der)
	return colons(sum[:])
}

// CreatedFingerprint gives the fingerprint of a key that EC2 made: of an RSA
// key the SHA-1 digest of the private half's PKCS #8.
func (k *SSHKey) CreatedFingerprint(pkcs8 []byte) string {
	if k.rsa == nil {
		return k.opensshFingerprint()
	}
	sum := sha1.Sum(pkcs8)
	return colons(sum[:])
}

func (k *SSHKey) opensshFingerprint() string {
	sum := sha256.Sum256(k.Blob)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i := range sum {
		parts[i] = hex.EncodeToString(sum[i : i+1])
	}
	return strings.Join(parts, ":")
}
