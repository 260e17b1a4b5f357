package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

var (
	first  = [KeySize]byte{1}
	second = [KeySize]byte{2}
	salt   = [SaltSize]byte{3}
)

func TestSealAndOpen(t *testing.T) {
	r := NewRing(first)
	sealed := r.Seal(AccessKey, "AKIA1", salt, []byte("a secret"))
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("the secret can be read")
	}
	got, err := r.Open(AccessKey, "AKIA1", sealed)
	if err != nil || string(got) != "a secret" {
		t.Fatalf("opened: %q, %v", got, err)
	}
	for _, row := range []struct {
		name string
		open func() ([]byte, error)
	}{
		{"under another name", func() ([]byte, error) { return r.Open(AccessKey, "AKIA2", sealed) }},
		{"for another purpose", func() ([]byte, error) { return r.Open(SessionToken, "AKIA1", sealed) }},
		{"cut short", func() ([]byte, error) { return r.Open(AccessKey, "AKIA1", sealed[:len(sealed)-1]) }},
		{"of nothing", func() ([]byte, error) { return r.Open(AccessKey, "AKIA1", nil) }},
		{"with another key", func() ([]byte, error) { return NewRing(second).Open(AccessKey, "AKIA1", sealed) }},
	} {
		if m, err := row.open(); err == nil {
			t.Errorf("%s: opened %q", row.name, m)
		}
	}
	// Every byte counts.
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if m, err := r.Open(AccessKey, "AKIA1", altered); err == nil {
			t.Errorf("byte %d altered: opened %q", i, m)
		}
	}
}

func TestARingOpensWithEveryKeyAndSealsWithTheFirst(t *testing.T) {
	old, both := NewRing(first), NewRing(second, first)
	sealed := old.Seal(AccessKey, "k", salt, []byte("x"))
	if _, err := both.Open(AccessKey, "k", sealed); err != nil {
		t.Errorf("a ring with both keys: %v", err)
	}
	if !old.Current(sealed) || both.Current(sealed) {
		t.Error("what was sealed with a key that came to be an old one is taken for current, or the other way round")
	}
	var unknown *UnknownKeyError
	if _, err := NewRing(second).Open(AccessKey, "k", sealed); !errors.As(err, &unknown) || unknown.ID != old.ID() {
		t.Errorf("a ring without the key says %v, want the id %s", err, old.ID())
	}
}

func TestKeyFiles(t *testing.T) {
	k1, k2 := base64.StdEncoding.EncodeToString(first[:]), base64.StdEncoding.EncodeToString(second[:])
	r, err := ParseRing("# keys\n" + k2 + " # new\n\n" + k1 + "\n")
	if err != nil || r.ID() != NewRing(second).ID() || len(r.keys) != 2 {
		t.Fatalf("two keys: %v, %v", r, err)
	}
	for _, bad := range []string{"", "# nothing", "short", k1[:20], k1 + "\n" + k1 + "AAAA"} {
		_, err := ParseRing(bad)
		if err == nil {
			t.Errorf("%q is taken for a key file", bad)
			continue
		}
		if strings.Contains(err.Error(), k1[:20]) {
			t.Errorf("the refusal shows the key: %v", err)
		}
	}
}
