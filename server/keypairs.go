package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"

	"moat/action"
)

// secrets draws from the system's source of random numbers.
type secrets struct{}

// KeyPair makes a key as CreateKeyPair gives it: RSA keys have 2048 bits and
// come as PKCS #1, ED25519 ones in OpenSSH's form.
func (secrets) KeyPair(kind string) (*action.KeyPair, error) {
	var private any
	var block *pem.Block
	switch kind {
	case "rsa":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make an RSA key: %w", err)
		}
		private, block = k, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}
	case "ed25519":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make an ED25519 key: %w", err)
		}
		if block, err = ssh.MarshalPrivateKey(k, ""); err != nil {
			return nil, fmt.Errorf("write an ED25519 key: %w", err)
		}
		private = k
	default:
		panic("server: no keys of kind " + kind)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, fmt.Errorf("take the public half of a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("write a key as PKCS #8: %w", err)
	}
	return &action.KeyPair{Public: signer.PublicKey().Marshal(), PKCS8: der, Private: string(pem.EncodeToMemory(block))}, nil
}
