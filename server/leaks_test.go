package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"moat/server"
	"moat/store"
)

// A diary keeps what is logged.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(b)
}

// A whole life of keys, sessions and refusals, logged as finely as there is:
// no secret is in the log, in the database, or in an answer but the one that
// tells it.
func TestSecretsAreToldOnce(t *testing.T) {
	var log diary
	kept := store.NewMemory()
	st, err := store.Open(context.Background(), kept, store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	api := server.New(st, server.Config{Region: "us-east-1", Account: account, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	id, secret, err := api.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(api)
	t.Cleanup(ts.Close)
	root := caller{t, ts.URL, signed()}.as(id, secret)
	secrets := map[string]string{"the root's secret": secret}
	told := map[string]string{} // answers that tell one
	var answers strings.Builder
	must := func(c caller, action string, params ...string) string {
		t.Helper()
		body := c.must(action, params...)
		if s := element(body, "SecretAccessKey"); s != "" {
			secrets[action+"'s secret"] = s
			told[s] = body
		}
		if s := element(body, "SessionToken"); s != "" {
			secrets[action+"'s token"] = s
		}
		if s := element(body, "keyMaterial"); s != "" {
			for line := range strings.Lines(s) {
				if line = strings.TrimSpace(line); len(line) > 40 && !strings.Contains(line, "KEY---") {
					secrets["a line of the private key"] = line
				}
			}
		}
		if told[element(body, "SecretAccessKey")] == "" && element(body, "keyMaterial") == "" {
			answers.WriteString(body)
		}
		return body
	}
	refused := func(c caller, action string, params ...string) {
		t.Helper()
		body, code, _ := c.try(action, params...)
		if code == "" {
			t.Fatalf("%s %q is not refused", action, params)
		}
		answers.WriteString(body)
	}
	must(root, "iam:CreateUser", "UserName", "alice")
	key := must(root, "iam:CreateAccessKey", "UserName", "alice")
	alice := root.as(element(key, "AccessKeyId"), element(key, "SecretAccessKey"))
	must(root, "iam:AttachUserPolicy", "UserName", "alice", "PolicyArn", "arn:aws:iam::aws:policy/PowerUserAccess")
	must(root, "iam:CreateRole", "RoleName", "deploy", "AssumeRolePolicyDocument", trust("arn:aws:iam::123456789012:user/alice", ""))
	must(root, "iam:AttachRolePolicy", "RoleName", "deploy", "PolicyArn", "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
	role := session(alice, must(alice, "sts:AssumeRole", "RoleArn", roleARN, "RoleSessionName", "s1"))
	own := session(alice, must(alice, "sts:GetSessionToken"))
	must(alice, "ec2:CreateKeyPair", "KeyName", "k")
	for _, who := range []caller{root, alice, role, own} {
		must(who, "sts:GetCallerIdentity")
		must(who, "ec2:DescribeSecurityGroups")
		refused(who, "ec2:DescribeSecurityGroups", "Nothing", "x")
		refused(who.with(func(s *signer) { s.secret += "x" }), "ec2:DescribeVpcs")
		refused(who.with(func(s *signer) { s.key = "AKIAIOSFODNN7EXAMPLE" }), "iam:ListUsers")
		refused(who.with(func(s *signer) { s.region = "mars-north-1" }), "ec2:DescribeVpcs")
	}
	refused(role, "ec2:CreateSecurityGroup", "GroupName", "x", "GroupDescription", "x")
	refused(role.with(func(s *signer) { s.token += "A" }), "ec2:DescribeVpcs")
	refused(alice, "iam:CreateAccessKey", "UserName", "alice")
	refused(alice, "iam:CreateLoginProfile", "UserName", "alice", "Password", "correct horse battery staple")
	secrets["a password"] = "battery"
	must(root, "iam:ListAccessKeys", "UserName", "alice")
	must(root, "iam:GetAccountAuthorizationDetails")
	must(root, "iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", alice.sign.key, "Status", "Inactive")
	refused(own, "ec2:DescribeVpcs")
	must(root, "iam:DeleteAccessKey", "UserName", "alice", "AccessKeyId", alice.sign.key)
	if err := api.StoreKeyUses(t.Context(), true); err != nil {
		t.Fatal(err)
	}

	log.mu.Lock()
	logged := log.text.String()
	log.mu.Unlock()
	if !strings.Contains(logged, "level=DEBUG") {
		t.Errorf("the log is not as fine as there is: %s", logged)
	}
	var database strings.Builder
	if _, err := kept.Dump(t.Context(), func(name string, value []byte) error {
		database.WriteString(name)
		database.Write(value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(secrets) < 8 || !strings.Contains(database.String(), "alice") {
		t.Fatalf("the test has %d secrets, and a database of %d bytes", len(secrets), database.Len())
	}
	for what, s := range secrets {
		for where, text := range map[string]string{"the log": logged, "the database": database.String(), "an answer": answers.String()} {
			if strings.Contains(text, s) || strings.Contains(text, url.QueryEscape(s)) {
				t.Errorf("%s is in %s", what, where)
			}
		}
	}
}
