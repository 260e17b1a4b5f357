package sigv4

import (
	"bufio"
	"crypto/sha256"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	suiteKey    = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var (
	suiteTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	suiteCred = Credential{AccessKeyID: suiteKey, Date: "20150830", Region: "us-east-1", Service: "service"}
)

// request reads a request as net/http's server does; what follows the empty
// line is the body.
func request(t testing.TB, text string) (*http.Request, []byte) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return r, []byte(body)
}

// vectors reads a file of AWS's published requests; see testdata/README.md.
func vectors(t testing.TB, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for block := range strings.SplitSeq("\n"+string(data), "\n==== ") {
		if name, text, ok := strings.Cut(block, "\n"); ok && name != "" {
			text = strings.TrimRight(text, "\n")
			if !strings.Contains(text, "\n\n") {
				text += "\n\n"
			}
			all[name] = text
		}
	}
	return all
}

// verify does what a server does that knows one key.
func verify(r *http.Request, body []byte, secret string, now time.Time, secure bool) (*Signature, error) {
	s, err := Parse(r)
	if err != nil {
		return nil, err
	}
	if s.AccessKeyID != suiteKey {
		return s, &Error{Kind: UnknownKey}
	}
	if err := s.CheckTime(now); err != nil {
		return s, err
	}
	return s, s.Verify(r, sha256.Sum256(body), DeriveKey(secret, s.Date, s.Region, s.Service), secure)
}

func TestPublishedVectors(t *testing.T) {
	for file, atLeast := range map[string]int{"header.txt": 36, "presigned.txt": 9} {
		all := vectors(t, file)
		if len(all) < atLeast {
			t.Errorf("%s has %d requests, want at least %d", file, len(all), atLeast)
		}
		for name, text := range all {
			t.Run(file+"/"+name, func(t *testing.T) {
				r, body := request(t, text)
				s, err := verify(r, body, suiteSecret, suiteTime, false)
				if err != nil {
					t.Fatal(err)
				}
				if s.Credential != suiteCred || !s.Time.Equal(suiteTime) {
					t.Errorf("scope %+v at %v", s.Credential, s.Time)
				}
				if s.Presigned != (file == "presigned.txt") || s.Presigned && s.Expires != time.Hour {
					t.Errorf("presigned %v, expires %v", s.Presigned, s.Expires)
				}
				if _, err := verify(r, body, suiteSecret+"x", suiteTime, false); !is(err, Mismatch) {
					t.Errorf("with another secret: %v", err)
				}
				if _, err := verify(r, append(body, 'x'), suiteSecret, suiteTime, false); !is(err, Mismatch) && !is(err, BadPayloadHash) {
					t.Errorf("with another body: %v", err)
				}
			})
		}
	}
}

// The derived key is the one that AWS's documentation prints for this secret.
func TestDeriveKeyAsDocumented(t *testing.T) {
	got := DeriveKey(suiteSecret, "20150830", "us-east-1", "iam")
	if want := "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"; hexOf(got) != want {
		t.Errorf("%s, want %s", hexOf(got), want)
	}
}
