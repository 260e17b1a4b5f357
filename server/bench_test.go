package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/sigv4"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// What the way of a request costs without HTTP and without a disk; bench/ has
// the whole.

// local is a memory log that is nobody else's, as an embedded etcd is.
type local struct{ *store.Memory }

func (local) Shared() bool { return false }

// A quiet writer of responses keeps nothing.
type quiet struct {
	h http.Header
	n int
}

func (q *quiet) Header() http.Header { return q.h }
func (q *quiet) WriteHeader(int)     {}
func (q *quiet) Flush()              {}

func (q *quiet) Write(b []byte) (int, error) {
	q.n += len(b)
	return len(b), nil
}

func benchServer(b *testing.B, groups, rules int) (*Server, *iam.AccessKey, []vpc.GroupID) {
	st, err := store.Open(context.Background(), local{store.NewMemory()}, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	scope := state.Scope{Region: "us-east-1", Account: "123456789012"}
	key := &iam.AccessKey{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Account: scope.Account}
	s := New(st, Config{Region: scope.Region, Account: scope.Account, Quotas: vpc.NoQuotas()})
	if err := s.Furnish(context.Background(), scope); err != nil {
		b.Fatal(err)
	}
	var ids []vpc.GroupID
	write := func(sc state.Scope, plan func(tx *state.Txn)) {
		n := uint64(0)
		_, _, err := st.Write(context.Background(), &store.Write{
			Call: state.Call{Scope: sc, Now: time.Now(), Random: func() uint64 { n++; return n * 0x9e3779b97f4a7c15 }},
			Plan: func(tx *state.Txn) (any, error) { plan(tx); return nil, nil },
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	write(state.Scope{}, func(tx *state.Txn) { state.AccessKeys.Put(tx, key) })
	write(scope, func(tx *state.Txn) {
		v := state.DefaultVPC(tx)
		for i := range groups {
			g := &vpc.SecurityGroup{ID: vpc.GroupID(tx.NewID("sg")), Owner: scope.Account, VPC: v.ID, Name: fmt.Sprintf("group-%06d", i), Description: "d", Tags: vpc.Tags{{Key: "team", Value: fmt.Sprintf("team-%d", i)}}}
			for j := range rules {
				p, _ := vpc.ParseIPv4Range(fmt.Sprintf("10.0.%d.0/24", j))
				g.Rules = append(g.Rules, vpc.Rule{ID: tx.NewRuleID(g), Protocol: 6, Peer: vpc.Peer{CIDR: p}, Description: "rule"})
			}
			state.Groups.Put(tx, g)
			ids = append(ids, g.ID)
		}
	})
	return s, key, ids
}

func signed(key *iam.AccessKey, form url.Values) []byte {
	form.Set("Version", "2016-11-15")
	body := form.Encode()
	r, _ := http.NewRequest("POST", "http://127.0.0.1:4599/", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("User-Agent", "aws-cli/2.9.19 Python/3.11.2")
	sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: key.ID, Region: "us-east-1", Service: "ec2"}, key.Secret, "", time.Now())
	var b strings.Builder
	b.WriteString("POST / HTTP/1.1\r\nHost: 127.0.0.1:4599\r\n")
	r.Header.Write(&b)
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return []byte(b.String())
}

func BenchmarkDescribe(b *testing.B) {
	s, key, ids := benchServer(b, 1000, 2)
	for name, form := range map[string]url.Values{
		"id":    {"Action": {"DescribeSecurityGroups"}, "GroupId.1": {string(ids[500])}},
		"tag":   {"Action": {"DescribeSecurityGroups"}, "Filter.1.Name": {"tag:team"}, "Filter.1.Value.1": {"team-500"}},
		"name":  {"Action": {"DescribeSecurityGroups"}, "Filter.1.Name": {"group-name"}, "Filter.1.Value.1": {"group-000500"}},
		"rules": {"Action": {"DescribeSecurityGroupRules"}, "Filter.1.Name": {"group-id"}, "Filter.1.Value.1": {string(ids[500])}},
		"all":   {"Action": {"DescribeSecurityGroups"}},
	} {
		b.Run(name, func(b *testing.B) {
			raw := signed(key, form)
			_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
			if err != nil {
				b.Fatal(err)
			}
			r.RemoteAddr = "127.0.0.1:1234"
			w := &quiet{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(body))
				w.n = 0
				if s.ServeHTTP(w, r); w.n < 700 {
					b.Fatalf("the answer has %d bytes", w.n)
				}
			}
		})
	}
}

// Promised: what permissions cost is less than 5 % of a describe by id. The
// same call by the root, who needs none, and by a user with a hundred
// statements of which the last allows and 25 others have conditions to look at;
// and what deciding costs by itself. In bench/ it is over HTTP.
func BenchmarkPermissions(b *testing.B) {
	s, root, ids := benchServer(b, 1000, 2)
	user := &iam.AccessKey{ID: "AKIAALICEALICEALICE1", Secret: root.Secret, Account: root.Account, User: "AIDAALICEEXAMPLE"}
	var statements []string
	for i := range 99 {
		statements = append(statements, fmt.Sprintf([]string{
			`{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"team-%d"}}}`,
			`{"Effect":"Allow","Action":"ec2:Authorize*","Resource":"arn:aws:ec2:*:*:security-group/sg-%04d*","Condition":{"StringEquals":{"ec2:ResourceTag/team":"red"}}}`,
			`{"Effect":"Deny","Action":["ec2:Delete*","ec2:Modify*"],"Resource":"arn:aws:ec2:*:*:vpc/vpc-%04d*"}`,
			`{"Effect":"Allow","Action":["s3:Get*","sqs:*"],"Resource":"arn:aws:s3:::bucket-%d/*"}`,
		}[i%4], i))
	}
	statements = append(statements, `{"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*"],"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`)
	_, _, err := s.store.Write(context.Background(), &store.Write{Call: state.Call{Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		state.AccessKeys.Put(tx, user)
		state.Users.Put(tx.In(state.Scope{Account: root.Account}), &iam.User{Name: "alice", ID: user.User, Path: "/", Inline: []iam.InlinePolicy{{
			Name: "p", Document: iam.NewText(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`),
		}}})
		return nil, nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	form := url.Values{"Action": {"DescribeSecurityGroups"}, "GroupId.1": {string(ids[500])}}
	for _, who := range []struct {
		name string
		key  *iam.AccessKey
	}{{"root", root}, {"user", user}} {
		b.Run(who.name, func(b *testing.B) {
			raw := signed(who.key, form)
			_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
			if err != nil {
				b.Fatal(err)
			}
			r.RemoteAddr = "127.0.0.1:1234"
			w := &quiet{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(body))
				w.n = 0
				if s.ServeHTTP(w, r); w.n < 700 {
					b.Fatalf("the answer has %d bytes", w.n)
				}
			}
		})
	}
	b.Run("decision", func(b *testing.B) {
		r := &request{
			Request: &http.Request{}, service: serviceEC2, action: "DescribeSecurityGroups", source: netip.MustParseAddr("127.0.0.1"),
			scope:  state.Scope{Region: "us-east-1", Account: root.Account},
			caller: iam.Principal{Account: root.Account, Type: iam.TypeUser, ID: user.User, Name: "alice", ARN: "arn:aws:iam::123456789012:user/alice"},
		}
		view := s.store.Latest()
		who, err := s.callers.who(view, "aws", iam.Credentials{AccessKeyID: user.ID})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.authorise(r, viewPlace(view), nil, who); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	for _, groups := range []int{1000, 50_000} {
		b.Run(fmt.Sprint(groups), func(b *testing.B) {
			s, key, ids := benchServer(b, groups, 20)
			request := func(n int) *http.Request {
				port := fmt.Sprint(n % 60000)
				raw := signed(key, url.Values{
					"Action": {"AuthorizeSecurityGroupIngress"}, "GroupId": {string(ids[n*7919%len(ids)])}, "IpPermissions.1.IpProtocol": {"tcp"},
					"IpPermissions.1.FromPort": {port}, "IpPermissions.1.ToPort": {port}, "IpPermissions.1.IpRanges.1.CidrIp": {"10.0.0.0/8"},
				})
				r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
				if err != nil {
					b.Fatal(err)
				}
				r.RemoteAddr = "127.0.0.1:1234"
				return r
			}
			var ahead []*http.Request
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if len(ahead) == 0 {
					b.StopTimer()
					for i := range 2000 {
						ahead = append(ahead, request(n+i))
					}
					b.StartTimer()
				}
				s.ServeHTTP(&quiet{h: http.Header{}}, ahead[0])
				ahead = ahead[1:]
			}
		})
	}
}
