package iam_test

import (
	"fmt"
	"strings"
	"testing"

	"moat/iam"
)

// statements gives n statements in policies of ten statements each, of which only the last
// statement of the last policy is about the request.
func statements(t testing.TB, n int) (*iam.Policies, *iam.Request) {
	p := &iam.Policies{}
	for i := range n / 10 {
		var s []string
		for j := range 10 {
			s = append(s, fmt.Sprintf(`{"Effect":"Deny","Action":["ec2:Delete*","ec2:Modify%d*","iam:*User%d"],"Resource":["arn:aws:ec2:*:*:vpc/vpc-%d*","arn:aws:ec2:us-east-1:*:subnet/*"],
				"Condition":{"StringEquals":{"aws:RequestTag/team":"team-%d"},"IpAddress":{"aws:SourceIp":"10.%d.0.0/16"}}}`, j, i, i*10+j, i, j))
		}
		if i == n/10-1 {
			s[9] = `{"Effect":"Allow","Action":"ec2:AuthorizeSecurityGroup*","Resource":"arn:aws:ec2:*:123456789012:security-group/*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"StringEquals":{"ec2:ResourceTag/team":"red"}}}`
		}
		parsed, err := iam.ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(s, ",")+`]}`), iam.IdentityPolicy)
		if err != nil {
			t.Fatal(err)
		}
		p.Identity = append(p.Identity, parsed)
	}
	return p, &iam.Request{
		Principal: &iam.Principal{Account: "123456789012", Type: iam.TypeUser, Name: "alice", ARN: "arn:aws:iam::123456789012:user/alice"},
		Action:    "ec2:AuthorizeSecurityGroupIngress", Resource: arnStart + "security-group/sg-0123456789abcdef0",
		Context: iam.ContextMap{"aws:sourceip": {"203.0.113.7"}, "ec2:resourcetag/team": {"red"}},
	}
}

// Promised: at most 20 µs with 100 statements.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("statements=%d", n), func(b *testing.B) {
			p, r := statements(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if !iam.Decide(p, r).Allowed {
					b.Fatal("not allowed")
				}
			}
		})
		b.Run(fmt.Sprintf("statements=%d,indexed", n), func(b *testing.B) {
			p, r := statements(b, n)
			x := iam.NewIndex(p)
			b.ReportAllocs()
			for b.Loop() {
				if !x.Decide(r).Allowed {
					b.Fatal("not allowed")
				}
			}
		})
	}
}

// Promised: no allocation that grows with unrelated policies.
func TestDecideAllocatesAlike(t *testing.T) {
	allocs := func(n int) float64 {
		p, r := statements(t, n)
		return testing.AllocsPerRun(100, func() { iam.Decide(p, r) })
	}
	indexed := func(n int) float64 {
		p, r := statements(t, n)
		x := iam.NewIndex(p)
		return testing.AllocsPerRun(100, func() { x.Decide(r) })
	}
	if few, many := allocs(10), allocs(1000); many > few {
		t.Errorf("a decision with 10 statements makes %v allocations, with 1000 %v", few, many)
	}
	if few, many := indexed(10), indexed(1000); many > few {
		t.Errorf("a decision by an index with 10 statements makes %v allocations, with 1000 %v", few, many)
	}
}
