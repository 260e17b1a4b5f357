package sigv4_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"moat/sigv4"
)

// A client signs; a server, which knows the same secret, checks.
func Example() {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	body := []byte("Action=DescribeVpcs&Version=2016-11-15")
	r, _ := http.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader(string(body)))
	sigv4.Sign(r, body, sigv4.Credential{AccessKeyID: "AKIDEXAMPLE", Region: "eu-west-1", Service: "ec2"}, "secret", "", now)

	s, err := sigv4.Parse(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.AccessKeyID, "for", s.Scope())
	key := sigv4.DeriveKey("secret", s.Date, s.Region, s.Service)
	fmt.Println(s.CheckTime(now.Add(time.Minute)), s.Verify(r, sha256.Sum256(body), key, false))

	err = s.CheckTime(now.Add(time.Hour))
	fmt.Println(err)
	// Output:
	// AKIDEXAMPLE for 20261122/eu-west-1/ec2/aws4_request
	// <nil> <nil>
	// Expired: Signature expired: 20261122T090000Z is now earlier than 20261122T094500Z (20261122T100000Z - 15 min.)
}
