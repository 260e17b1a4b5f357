package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/server"
	"moat/sigv4"
	"moat/state"
	"moat/store"
)

// A clocked API is one whose clock the test sets; calls are signed by it.
type clocked struct {
	now  time.Time
	root caller
	st   *store.Store
	api  *server.Server
	url  string
}

func newClocked(t *testing.T) *clocked {
	t.Helper()
	c := &clocked{now: time.Now().UTC().Truncate(time.Second)}
	st, err := store.Open(context.Background(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	api := server.New(st, server.Config{Region: "us-east-1", Account: account, Now: func() time.Time { return c.now }})
	id, secret, err := api.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(api)
	t.Cleanup(ts.Close)
	c.st, c.api, c.url = st, api, ts.URL
	c.root = caller{t, ts.URL, signed()}.as(id, secret)
	return c
}

// at gives a caller that signs with the clock.
func (c *clocked) at(who caller) caller { who.sign.at = c.now; return who }

// session gives who signs with the credentials in an answer.
func session(c caller, body string) caller {
	c.sign.key, c.sign.secret, c.sign.token = element(body, "AccessKeyId"), element(body, "SecretAccessKey"), element(body, "SessionToken")
	return c
}

const (
	roleARN   = "arn:aws:iam::123456789012:role/deploy"
	readVPCs  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}]}`
	allowEC2  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`
	mayAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"` + roleARN + `"}]}`
)

func trust(principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["sts:AssumeRole","sts:TagSession"]` + condition + `}]}`
}

// The way of a new user: refused, allowed by an inline policy, by a managed
// one, by a group; bounded; refused again as each goes.
func TestPoliciesApplyFromTheNextCall(t *testing.T) {
	c := newClocked(t)
	root := c.root
	alice, _ := root.newUser("alice")
	may := func(action string) { t.Helper(); alice.must(action) }
	mayNot := func(action string) { t.Helper(); alice.refused("UnauthorizedOperation", action) }

	mayNot("ec2:DescribeVpcs")
	root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "read", "PolicyDocument", readVPCs)
	may("ec2:DescribeVpcs")
	mayNot("ec2:DescribeSubnets")
	root.must("iam:DeleteUserPolicy", "UserName", "alice", "PolicyName", "read")
	mayNot("ec2:DescribeVpcs")

	arn := element(root.must("iam:CreatePolicy", "PolicyName", "read", "PolicyDocument", readVPCs), "Arn")
	root.must("iam:AttachUserPolicy", "UserName", "alice", "PolicyArn", arn)
	may("ec2:DescribeVpcs")
	mayNot("ec2:DescribeSubnets")
	root.must("iam:CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", allowEC2)
	mayNot("ec2:DescribeSubnets") // the version is not the default
	root.must("iam:SetDefaultPolicyVersion", "PolicyArn", arn, "VersionId", "v2")
	may("ec2:DescribeSubnets")
	root.refused("DeleteConflict", "iam:DeletePolicy", "PolicyArn", arn)
	root.must("iam:DetachUserPolicy", "UserName", "alice", "PolicyArn", arn)
	mayNot("ec2:DescribeSubnets")

	root.must("iam:CreateGroup", "GroupName", "admins")
	root.must("iam:AttachGroupPolicy", "GroupName", "admins", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
	mayNot("ec2:DescribeVpcs")
	root.must("iam:AddUserToGroup", "GroupName", "admins", "UserName", "alice")
	may("ec2:DescribeVpcs")
	mayNot("ec2:CreateDefaultVpc")
	root.must("iam:PutUserPermissionsBoundary", "UserName", "alice", "PermissionsBoundary", arn)
	may("ec2:DescribeVpcs")
	root.must("iam:CreatePolicy", "PolicyName", "nothing", "PolicyDocument", strings.Replace(readVPCs, "ec2:DescribeVpcs", "ec2:DescribeSubnets", 1))
	root.must("iam:PutUserPermissionsBoundary", "UserName", "alice", "PermissionsBoundary", "arn:aws:iam::123456789012:policy/nothing")
	if m := alice.refused("UnauthorizedOperation", "ec2:DescribeVpcs"); !strings.Contains(m, "because no permissions boundary allows the ec2:DescribeVpcs action") {
		t.Errorf("the refusal by the boundary: %s", m)
	}
	may("ec2:DescribeSubnets")
	root.refused("DeleteConflict", "iam:DeletePolicy", "PolicyArn", "arn:aws:iam::123456789012:policy/nothing")
	root.must("iam:DeleteUserPermissionsBoundary", "UserName", "alice")
	root.must("iam:RemoveUserFromGroup", "GroupName", "admins", "UserName", "alice")
	mayNot("ec2:DescribeVpcs")

	// What is in IAM is guarded by policies too, each thing by its ARN.
	root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "own-keys", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::123456789012:user/${aws:username}"}]}`)
	root.must("iam:CreateUser", "UserName", "bob")
	alice.must("iam:ListAccessKeys")
	alice.must("iam:ListAccessKeys", "UserName", "alice")
	if m := alice.refused("AccessDenied", "iam:CreateAccessKey", "UserName", "bob"); m != "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:CreateAccessKey on resource: arn:aws:iam::123456789012:user/bob because no identity-based policy allows the iam:CreateAccessKey action" {
		t.Errorf("the refusal: %s", m)
	}
	alice.refused("AccessDenied", "iam:PutUserPolicy", "UserName", "alice", "PolicyName", "more", "PolicyDocument", allowEC2)
	root.refused("MalformedPolicyDocument", "iam:PutUserPolicy", "UserName", "alice", "PolicyName", "bad", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}`)
}

// The encoded part of a refusal is opened for who may, of the same account.
func TestDecodeAuthorizationMessage(t *testing.T) {
	c := newClocked(t)
	alice, _ := c.root.newUser("alice")
	message := alice.refused("UnauthorizedOperation", "ec2:DeleteSecurityGroup", "GroupId", "sg-0123456789abcdef0")
	_, encoded, ok := strings.Cut(message, "Encoded authorization failure message: ")
	if !ok {
		t.Fatalf("no encoded message: %s", message)
	}
	alice.refused("AccessDenied", "sts:DecodeAuthorizationMessage", "EncodedMessage", encoded)
	var decoded struct {
		Allowed bool `json:"allowed"`
		Context struct {
			Action, Resource string
			Principal        struct{ Name string }
		} `json:"context"`
	}
	body := c.root.must("sts:DecodeAuthorizationMessage", "EncodedMessage", encoded)
	if err := json.Unmarshal([]byte(strings.NewReplacer("&#34;", `"`, "&quot;", `"`).Replace(element(body, "DecodedMessage"))), &decoded); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if decoded.Allowed || decoded.Context.Action != "ec2:DeleteSecurityGroup" || decoded.Context.Principal.Name != "alice" ||
		decoded.Context.Resource != "arn:aws:ec2:us-east-1:123456789012:security-group/sg-0123456789abcdef0" {
		t.Errorf("decoded: %+v", decoded)
	}
	for _, bad := range []string{"x", encoded[:len(encoded)-2], "B" + encoded[1:]} {
		if m := c.root.refused("InvalidAuthorizationMessageException", "sts:DecodeAuthorizationMessage", "EncodedMessage", bad); m != "Message is not valid" {
			t.Errorf("the refusal: %s", m)
		}
	}
}

func TestAssumeRole(t *testing.T) {
	c := newClocked(t)
	root := c.root
	alice, key := root.newUser("alice")
	assume := []string{"RoleArn", roleARN, "RoleSessionName", "s1"}
	denied := "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: " + roleARN

	// A role that is not there and one that does not trust are refused alike.
	if m := alice.refused("AccessDenied", "sts:AssumeRole", assume...); m != denied {
		t.Errorf("of no role: %s", m)
	}
	root.must("iam:CreateUser", "UserName", "bob")
	root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust("arn:aws:iam::123456789012:user/bob", ""))
	root.must("iam:AttachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2FullAccess")
	if m := alice.refused("AccessDenied", "sts:AssumeRole", assume...); m != denied {
		t.Errorf("of a role that trusts another: %s", m)
	}
	if m := root.refused("AccessDenied", "sts:AssumeRole", assume...); m != "Roles may not be assumed by root accounts." {
		t.Errorf("by root: %s", m)
	}
	// The account is trusted: then it is for the account to say who of it.
	root.must("iam:UpdateAssumeRolePolicy", "RoleName", "deploy", "PolicyDocument", trust(account, ""))
	alice.refused("AccessDenied", "sts:AssumeRole", assume...)
	root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "assume", "PolicyDocument", mayAssume)
	alice.must("sts:AssumeRole", assume...)
	root.must("iam:DeleteUserPolicy", "UserName", "alice", "PolicyName", "assume")
	// Named, she needs no policy of her own; one that denies still counts.
	root.must("iam:UpdateAssumeRolePolicy", "RoleName", "deploy", "PolicyDocument", trust("arn:aws:iam::123456789012:user/alice", ""))
	body := alice.must("sts:AssumeRole", assume...)
	root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "not", "PolicyDocument", strings.Replace(mayAssume, "Allow", "Deny", 1))
	alice.refused("AccessDenied", "sts:AssumeRole", assume...)
	root.must("iam:DeleteUserPolicy", "UserName", "alice", "PolicyName", "not")

	if at := element(body, "Expiration"); at != c.now.Add(time.Hour).Format("2006-01-02T15:04:05Z") {
		t.Errorf("the session ends at %s", at)
	}
	s := session(alice, body)
	if !strings.HasPrefix(s.sign.key, "ASIA") {
		t.Errorf("the key is %s", s.sign.key)
	}
	who := s.must("sts:GetCallerIdentity")
	if arn := element(who, "Arn"); arn != "arn:aws:sts::123456789012:assumed-role/deploy/s1" || element(body, "Arn") != arn {
		t.Errorf("the session is %s", arn)
	}
	if id := element(who, "UserId"); id != element(body, "AssumedRoleId") || !strings.HasPrefix(id, "AROA") || !strings.HasSuffix(id, ":s1") {
		t.Errorf("the session is %s", id)
	}
	s.must("ec2:CreateSecurityGroup", "GroupName", "made", "GroupDescription", "by the role")
	alice.refused("UnauthorizedOperation", "ec2:DescribeVpcs")
	s.refused("AccessDenied", "iam:ListUsers")

	// Session policies narrow, and never widen.
	narrowed := session(alice, alice.must("sts:AssumeRole", append(assume, "Policy", readVPCs)...))
	narrowed.must("ec2:DescribeVpcs")
	if m := narrowed.refused("UnauthorizedOperation", "ec2:DescribeSubnets"); !strings.Contains(m, "because no session policy allows the ec2:DescribeSubnets action") {
		t.Errorf("the refusal: %s", m)
	}
	wide := session(alice, alice.must("sts:AssumeRole", append(assume, "PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AdministratorAccess")...))
	wide.must("ec2:DescribeSubnets")
	wide.refused("AccessDenied", "iam:ListUsers")

	for _, row := range []struct {
		code, text string
		params     []string
	}{
		{"ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", []string{"DurationSeconds", "3601"}},
		{"ValidationError", "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", []string{"DurationSeconds", "899"}},
		{"MalformedPolicyDocument", "", []string{"Policy", "{"}},
	} {
		if m := alice.refused(row.code, "sts:AssumeRole", append(assume, row.params...)...); row.text != "" && m != row.text {
			t.Errorf("%q: %s", row.params, m)
		}
	}

	// Credentials are good together only, and only as they were made.
	with := func(f func(*signer)) caller { return s.with(f) }
	for name, bad := range map[string]caller{
		"without the token":         with(func(s *signer) { s.token = "" }),
		"with another's token":      with(func(s *signer) { s.token = narrowed.sign.token }),
		"with an altered token":     with(func(s *signer) { s.token = "B" + s.token[1:] }),
		"a user's key with a token": with(func(s *signer) { s.key, s.secret = key, alice.sign.secret }),
	} {
		if m := bad.refused("InvalidClientTokenId", "sts:GetCallerIdentity"); m != "The security token included in the request is invalid." {
			t.Errorf("%s: %s", name, m)
		}
		bad.refused("AuthFailure", "ec2:DescribeVpcs")
	}
	with(func(s *signer) { s.secret = narrowed.sign.secret }).refused("SignatureDoesNotMatch", "sts:GetCallerIdentity")

	// Time, the key that began it, and the role end a session.
	root.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Inactive")
	s.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
	root.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Active")
	s.must("sts:GetCallerIdentity")
	c.now = c.now.Add(time.Hour - time.Second)
	c.at(s).must("sts:GetCallerIdentity")
	c.now = c.now.Add(time.Second)
	if m := c.at(s).refused("ExpiredToken", "sts:GetCallerIdentity"); m != "The security token included in the request is expired" {
		t.Errorf("expired: %s", m)
	}
	c.at(s).refused("RequestExpired", "ec2:DescribeVpcs")
	root, alice = c.at(root), c.at(alice)
	s = session(alice, alice.must("sts:AssumeRole", assume...))
	s.must("sts:GetCallerIdentity")
	root.must("iam:DetachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2FullAccess")
	s.refused("UnauthorizedOperation", "ec2:DescribeVpcs")
	root.must("iam:DeleteRole", "RoleName", "deploy")
	s.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
	// A role of the same name is another role.
	root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust(account, ""))
	s.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
	for range state.AccessKeys.By(c.st.Latest().In(state.Scope{}), state.AccessKeysByUser, s.sign.key) {
		t.Error("a session is stored")
	}
}

// The confused deputy: a service that assumes its customers' roles must not be
// talked into assuming another customer's. IAM user guide, "The confused
// deputy problem".
func TestTheConfusedDeputy(t *testing.T) {
	c := newClocked(t)
	deputy, _ := c.root.newUser("deputy")
	c.root.must("iam:PutUserPolicy", "UserName", "deputy", "PolicyName", "assume", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`)
	// A customer with an account of its own trusts the deputy's account, with
	// an external id.
	customer := c.account(t, "210987654321")
	customer.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust("arn:aws:iam::123456789012:root", `{"StringEquals":{"sts:ExternalId":"customer-1"}}`))
	customer.must("iam:AttachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
	assume := []string{"RoleArn", "arn:aws:iam::210987654321:role/deploy", "RoleSessionName", "deputy"}
	deputy.refused("AccessDenied", "sts:AssumeRole", assume...)
	deputy.refused("AccessDenied", "sts:AssumeRole", append(assume, "ExternalId", "customer-2")...)
	deputy.refused("AccessDenied", "sts:AssumeRole", append(assume, "ExternalId", "Customer-1")...)
	s := session(deputy, deputy.must("sts:AssumeRole", append(assume, "ExternalId", "customer-1")...))
	if who := element(s.must("sts:GetCallerIdentity"), "Account"); who != "210987654321" {
		t.Errorf("the session is of account %s", who)
	}
	s.must("ec2:DescribeVpcs")
	// In its own account the customer's policy says nothing, and the other way
	// round: an account that trusts does not give the other's users anything.
	deputy.refused("UnauthorizedOperation", "ec2:DescribeVpcs")
	stranger, _ := c.root.newUser("stranger")
	stranger.refused("AccessDenied", "sts:AssumeRole", append(assume, "ExternalId", "customer-1")...)
	// An account does not reach into another by naming it.
	customer.refused("NoSuchEntity", "iam:GetUser", "UserName", "deputy")
	customer.refused("NoSuchEntity", "iam:AttachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::123456789012:policy/nothing")
	evil, _ := customer.newUser("evil")
	customer.must("iam:PutUserPolicy", "UserName", "evil", "PolicyName", "all", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":["*","arn:aws:iam::123456789012:*"]}]}`)
	evil.must("iam:ListUsers")
	if body := evil.must("iam:ListUsers"); strings.Contains(body, "deputy") {
		t.Error("a user sees another account's users")
	}
	c.root.must("iam:CreateRole", "RoleName", "admin", "AssumeRolePolicyDocument", trust(account, ""))
	evil.refused("AccessDenied", "sts:AssumeRole", "RoleArn", "arn:aws:iam::123456789012:role/admin", "RoleSessionName", "evil")
}

// account gives the root of another account.
func (c *clocked) account(t *testing.T, id string) caller {
	t.Helper()
	putRootKey(t, c.st, "AKIA"+id, id)
	return c.root.as("AKIA"+id, testSecret)
}

func TestSessionTagsAndChains(t *testing.T) {
	c := newClocked(t)
	alice, _ := c.root.newUser("alice")
	c.root.must("iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust("arn:aws:iam::123456789012:user/alice", ""), "MaxSessionDuration", "7200")
	c.root.must("iam:PutRolePolicy", "RoleName", "deploy", "PolicyName", "tagged", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:DescribeVpcs","sts:AssumeRole"],"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"web"}}}]}`)
	assume := []string{"RoleArn", roleARN, "RoleSessionName", "s1", "DurationSeconds", "7200"}
	plain := session(alice, alice.must("sts:AssumeRole", assume...))
	plain.refused("UnauthorizedOperation", "ec2:DescribeVpcs")
	tagged := session(alice, alice.must("sts:AssumeRole", append(assume, "Tags.member.1.Key", "team", "Tags.member.1.Value", "web", "TransitiveTagKeys.member.1", "team")...))
	tagged.must("ec2:DescribeVpcs")

	c.root.must("iam:CreateRole", "RoleName", "next", "AssumeRolePolicyDocument", trust(roleARN, ""))
	c.root.must("iam:PutRolePolicy", "RoleName", "next", "PolicyName", "tagged", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"web"}}}]}`)
	next := []string{"RoleArn", "arn:aws:iam::123456789012:role/next", "RoleSessionName", "s2"}
	chained := session(alice, tagged.must("sts:AssumeRole", next...))
	chained.must("ec2:DescribeVpcs")
	if m := tagged.refused("InvalidParameterValue", "sts:AssumeRole", append(next, "Tags.member.1.Key", "team", "Tags.member.1.Value", "db")...); !strings.Contains(m, "transitive") {
		t.Errorf("a tag that is handed on is changed: %s", m)
	}
	c.root.must("iam:UpdateRole", "RoleName", "next", "MaxSessionDuration", "7200")
	if m := tagged.refused("ValidationError", "sts:AssumeRole", append(next, "DurationSeconds", "3601")...); !strings.Contains(m, "role chaining") {
		t.Errorf("a long chain: %s", m)
	}
}

func TestGetSessionToken(t *testing.T) {
	c := newClocked(t)
	alice, key := c.root.newUser("alice")
	c.root.must("iam:PutUserPolicy", "UserName", "alice", "PolicyName", "read", "PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:DescribeVpcs","iam:ListUsers"],"Resource":"*"}]}`)
	s := session(alice, alice.must("sts:GetSessionToken", "DurationSeconds", "900"))
	if arn := element(s.must("sts:GetCallerIdentity"), "Arn"); arn != "arn:aws:iam::123456789012:user/alice" {
		t.Errorf("the session is %s", arn)
	}
	s.must("ec2:DescribeVpcs")
	s.refused("UnauthorizedOperation", "ec2:DescribeSubnets")
	alice.must("iam:ListUsers")
	s.refused("InvalidClientTokenId", "iam:ListUsers")
	s.refused("AccessDenied", "sts:GetSessionToken")
	c.root.must("iam:DeleteAccessKey", "UserName", "alice", "AccessKeyId", key)
	s.refused("InvalidClientTokenId", "sts:GetCallerIdentity")

	r := session(c.root, c.root.must("sts:GetSessionToken"))
	r.must("ec2:CreateSecurityGroup", "GroupName", "made", "GroupDescription", "by a session")
	c.now = c.now.Add(time.Hour)
	c.at(r).refused("ExpiredToken", "sts:GetCallerIdentity")
}

// Signatures are attacked with what a thief has.
func TestAttackedSignatures(t *testing.T) {
	c := newClocked(t)
	alice, _ := c.root.newUser("alice")
	c.root.must("iam:AttachUserPolicy", "UserName", "alice", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2FullAccess")
	with := func(f func(*signer)) caller { return alice.with(f) }
	change := func(f func(*http.Request)) caller { return with(func(s *signer) { s.change = f }) }
	alice.must("ec2:DescribeVpcs")
	for _, row := range []struct {
		name string
		by   caller
		ec2  string
		iam  string
	}{
		{"no signature", with(func(s *signer) { s.unsigned = true }), "MissingParameter", "MissingAuthenticationToken"},
		{"a secret that is one character off", with(func(s *signer) { s.secret = string(s.secret[0]^1) + s.secret[1:] }), "AuthFailure", "SignatureDoesNotMatch"},
		{"another user's key id", with(func(s *signer) { s.key = c.root.sign.key }), "AuthFailure", "SignatureDoesNotMatch"},
		{"a stale request", with(func(s *signer) { s.at = time.Now().Add(-16 * time.Minute) }), "AuthFailure", "SignatureDoesNotMatch"},
		{"one of tomorrow", with(func(s *signer) { s.at = time.Now().Add(16 * time.Minute) }), "AuthFailure", "SignatureDoesNotMatch"},
		{"an altered body", change(func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("Action=DescribeSubnets&Version=2016-11-15"))
			r.ContentLength = -1
		}), "AuthFailure", "SignatureDoesNotMatch"},
		{"a parameter added to the address", change(func(r *http.Request) { r.URL.RawQuery = "DryRun=false" }), "AuthFailure", "SignatureDoesNotMatch"},
		{"another host", change(func(r *http.Request) { r.Host = "elsewhere" }), "AuthFailure", "SignatureDoesNotMatch"},
		{"another method", change(func(r *http.Request) { r.Method = "GET" }), "AuthFailure", "SignatureDoesNotMatch"},
		{"another region in the scope", change(func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "us-east-1", "eu-west-1", 1))
		}), "AuthFailure", "SignatureDoesNotMatch"},
		{"another service in the scope", change(func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.NewReplacer("/ec2/", "/sts/", "/iam/", "/sts/").Replace(a))
		}), "SignatureDoesNotMatch", "SignatureDoesNotMatch"},
		{"another day in the scope", change(func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.Replace(a, time.Now().UTC().Format("/20060102/"), "/20200101/", 1))
		}), "AuthFailure", "SignatureDoesNotMatch"},
	} {
		if _, code, _ := row.by.try("ec2:DescribeVpcs"); code != row.ec2 {
			t.Errorf("%s: ec2 says %q, want %s", row.name, code, row.ec2)
		}
		if _, code, _ := row.by.try("iam:ListUsers"); code != row.iam {
			t.Errorf("%s: iam says %q, want %s", row.name, code, row.iam)
		}
	}
	// The same request twice is no attack that AWS or Moat can see: signatures
	// are good for the time around their date.
	at := time.Now()
	for range 2 {
		with(func(s *signer) { s.at = at }).must("ec2:DescribeVpcs")
	}
}

// How long a refusal takes does not tell whether there is such a key: the same
// work is done for one that there is not. Medians of calls in turns, so that a
// busy machine slows both.
func TestARefusalTakesAsLongForEveryKey(t *testing.T) {
	c := newClocked(t)
	alice, key := c.root.newUser("alice")
	alice.must("sts:GetCallerIdentity")
	body := "Action=DescribeVpcs&Version=2016-11-15"
	took := map[string][]time.Duration{}
	kinds := map[string]caller{
		"a known key, a wrong secret": alice.as(key, strings.Repeat("x", 40)),
		"an unknown key":              alice.as("AKIAIOSFODNN7EXAMPLE", strings.Repeat("x", 40)),
		"an inactive key":             alice,
	}
	_, inactive := c.root.newKey("alice")
	c.root.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", inactive, "Status", "Inactive")
	kinds["an inactive key"] = alice.as(inactive, strings.Repeat("x", 40))
	for range 400 {
		for kind, who := range kinds {
			r := httptest.NewRequest("POST", c.url+"/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			sigv4.Sign(r, []byte(body), sigv4.Credential{AccessKeyID: who.sign.key, Date: c.now.Format("20060102"), Region: "us-east-1", Service: "ec2"}, who.sign.secret, "", c.now)
			w := httptest.NewRecorder()
			began := time.Now()
			c.api.ServeHTTP(w, r)
			took[kind] = append(took[kind], time.Since(began))
			if w.Code != 401 {
				t.Fatalf("%s: %d", kind, w.Code)
			}
		}
	}
	median := func(kind string) time.Duration {
		slices.Sort(took[kind])
		return took[kind][len(took[kind])/2]
	}
	known := median("a known key, a wrong secret")
	for kind := range kinds {
		if m := median(kind); m < known*3/4 || m > known*4/3 {
			t.Errorf("%s takes %v, one that is known %v", kind, m, known)
		}
	}
	t.Logf("a refusal takes %v", known)
}
