package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/seal"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/test/etcdtest"
	"moat/vpc"
)

// A caller signs with its credentials, for one server.
type caller struct {
	t    *testing.T
	url  string
	sign signer
}

func (c caller) as(key, secret string) caller {
	c.sign.key, c.sign.secret, c.sign.token = key, secret, ""
	return c
}

func (c caller) with(change func(*signer)) caller { change(&c.sign); return c }

var versions = map[string]string{"ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15"}

// try calls "service:Action" with parameters in pairs; code is "" on success.
func (c caller) try(action string, params ...string) (body, code, message string) {
	c.t.Helper()
	service, name, _ := strings.Cut(action, ":")
	form := url.Values{"Action": {name}, "Version": {versions[service]}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	c.sign.service = service
	if c.sign.at.IsZero() {
		c.sign.at = time.Now()
	}
	resp := c.sign.post(c.t, c.url, form.Encode())
	body = read(c.t, resp)
	if resp.StatusCode != 200 {
		return body, between(body, "<Code>", "</Code>"), between(body, "<Message>", "</Message>")
	}
	return body, "", ""
}

func (c caller) must(action string, params ...string) string {
	c.t.Helper()
	body, code, message := c.try(action, params...)
	if code != "" {
		c.t.Fatalf("%s %q: %s: %s", action, params, code, message)
	}
	return body
}

// refused wants a code, and gives the message.
func (c caller) refused(code, action string, params ...string) string {
	c.t.Helper()
	body, got, message := c.try(action, params...)
	if got != code {
		c.t.Fatalf("%s %q: got %q %s, want %s\n%.300s", action, params, got, message, code, body)
	}
	return message
}

func between(s, open, end string) string {
	_, s, _ = strings.Cut(s, open)
	s, _, _ = strings.Cut(s, end)
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

func element(body, name string) string { return between(body, "<"+name+">", "</"+name+">") }

// newUser makes a user with a key.
func (c caller) newUser(name string) (user caller, key string) {
	c.t.Helper()
	c.must("iam:CreateUser", "UserName", name)
	return c.newKey(name)
}

func (c caller) newKey(name string) (user caller, key string) {
	c.t.Helper()
	body := c.must("iam:CreateAccessKey", "UserName", name)
	key = element(body, "AccessKeyId")
	return c.as(key, element(body, "SecretAccessKey")), key
}

func rootOf(t *testing.T, ts *httptest.Server) caller { return caller{t, ts.URL, signed()} }

// A user's key is good from when it is made until it is inactive or deleted,
// and its secret is told once.
func TestKeysOfUsers(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	alice, key := root.newUser("alice")
	who := alice.must("sts:GetCallerIdentity")
	if got := element(who, "Arn"); got != "arn:aws:iam::123456789012:user/alice" {
		t.Errorf("alice is %s", got)
	}
	if !strings.HasPrefix(element(who, "UserId"), "AIDA") || element(who, "Account") != account {
		t.Errorf("alice is %s", who)
	}
	if body := root.must("iam:ListAccessKeys", "UserName", "alice"); strings.Contains(body, alice.sign.secret) || !strings.Contains(body, key) {
		t.Errorf("the list of keys: %s", body)
	}
	row := state.AccessKeys.Get(st.Latest().In(state.Scope{}), key)
	if row.Secret != "" || bytes.Contains(row.Sealed, []byte(alice.sign.secret)) {
		t.Error("the secret is stored as it is")
	}

	// A second key, and no third.
	_, second := root.newKey("alice")
	if m := root.refused("LimitExceeded", "iam:CreateAccessKey", "UserName", "alice"); m != "Cannot exceed quota for AccessKeysPerUser: 2" {
		t.Errorf("a third key: %s", m)
	}
	root.must("iam:DeleteAccessKey", "UserName", "alice", "AccessKeyId", second)

	root.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Inactive")
	alice.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
	alice.refused("AuthFailure", "ec2:DescribeVpcs")
	root.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Active")
	alice.must("sts:GetCallerIdentity")
	// A key is deleted as its user's only.
	root.must("iam:CreateUser", "UserName", "bob")
	root.refused("NoSuchEntity", "iam:DeleteAccessKey", "UserName", "bob", "AccessKeyId", key)
	root.refused("DeleteConflict", "iam:DeleteUser", "UserName", "alice")
	root.must("iam:DeleteAccessKey", "UserName", "alice", "AccessKeyId", key)
	alice.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
	root.must("iam:DeleteUser", "UserName", "alice")
	root.refused("NoSuchEntity", "iam:GetUser", "UserName", "alice")
}

// A user without a policy may find out who it is, and nothing else.
func TestAUserWithoutPoliciesMayNothing(t *testing.T) {
	ts, _ := newAPI(t, nil)
	alice, _ := rootOf(t, ts).newUser("alice")
	alice.must("sts:GetCallerIdentity")
	if m := alice.refused("UnauthorizedOperation", "ec2:DescribeVpcs"); !strings.HasPrefix(m, "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/alice is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action") {
		t.Errorf("the refusal: %s", m)
	}
	if m := alice.refused("AccessDenied", "iam:ListUsers"); !strings.Contains(m, "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:ListUsers") {
		t.Errorf("the refusal: %s", m)
	}
	// The operator's calls are for the root alone, whatever a policy says.
	r := alice
	r.sign.service = server.ServiceMoat
	if resp := r.sign.get(t, "GET", ts.URL+server.AdminPath+"status"); resp.StatusCode != 403 {
		t.Errorf("the status of the host: %d", resp.StatusCode)
	}
}

// A tardyLog hears late of what others write.
type tardyLog struct{ store.Log }

func (l tardyLog) Watch(ctx context.Context, after store.Head) <-chan store.Update {
	out := make(chan store.Update)
	go func() {
		defer close(out)
		for u := range l.Log.Watch(ctx, after) {
			time.Sleep(30 * time.Millisecond)
			select {
			case out <- u:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// A revocation that one server answered is obeyed by the next call at another,
// which may not have heard of it when the signature is checked.
func TestRevocationHoldsOnEveryServer(t *testing.T) {
	etcd := etcdtest.Start(t)
	ring := seal.NewRing([seal.KeySize]byte{1})
	var servers []caller
	for range 2 {
		log, err := store.OpenCluster(t.Context(), store.Cluster{Endpoints: []string{etcd.Endpoint()}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		st, err := store.Open(context.Background(), tardyLog{log}, store.Options{NewEventID: uuid.NewString})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		api := server.New(st, server.Config{Region: "us-east-1", Account: account, Secrets: ring})
		id, secret, err := api.RootKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ts := httptest.NewServer(api)
		t.Cleanup(ts.Close)
		servers = append(servers, caller{t, ts.URL, signed()}.as(id, secret))
	}
	one, other := servers[0], servers[1]
	if one.sign.key != other.sign.key {
		t.Fatal("two servers made two root keys")
	}
	alice, key := one.newUser("alice")
	alice.must("sts:GetCallerIdentity")
	atOther := alice
	atOther.url = other.url
	until(t, "the other server knows the key", func() bool { _, code, _ := atOther.try("sts:GetCallerIdentity"); return code == "" })
	for range 5 {
		one.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Inactive")
		// Not within a while: the very next call.
		atOther.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
		atOther.refused("AuthFailure", "ec2:DescribeVpcs")
		alice.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
		one.must("iam:UpdateAccessKey", "UserName", "alice", "AccessKeyId", key, "Status", "Active")
		until(t, "the key is good again", func() bool { _, code, _ := atOther.try("sts:GetCallerIdentity"); return code == "" })
	}
	one.must("iam:DeleteAccessKey", "UserName", "alice", "AccessKeyId", key)
	atOther.refused("InvalidClientTokenId", "sts:GetCallerIdentity")
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 seconds still not: %s", what)
		}
	}
}

// What an older moat stored is encrypted when the server starts: the record,
// and what history would keep of it.
func TestSecretsAreEncryptedAtUpgrade(t *testing.T) {
	log := store.NewMemory()
	open := func() *store.Store {
		st, err := store.Open(context.Background(), log, store.Options{NewEventID: uuid.NewString})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	st := open()
	_, _, err := st.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		state.AccessKeys.Put(tx, &iam.AccessKey{ID: testKey, Secret: testSecret, Account: account})
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	holds := func() (records, history bool) {
		_, err := log.Dump(t.Context(), func(key string, value []byte) error {
			if bytes.Contains(value, []byte(testSecret)) {
				records, history = records || strings.HasPrefix(key, "state/"), history || !strings.HasPrefix(key, "state/")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return records, history
	}
	if r, _ := holds(); !r {
		t.Fatal("the test does not find the secret where it is")
	}
	first, second := [seal.KeySize]byte{1}, [seal.KeySize]byte{2}
	at := func(ring *seal.Ring) *server.Server {
		return server.New(st, server.Config{Region: "us-east-1", Account: account, Secrets: ring})
	}
	api := at(seal.NewRing(first))
	if err := api.SealSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, h := holds(); r || h {
		t.Errorf("after the upgrade the secret is in the records: %v, in history or events: %v", r, h)
	}
	serves := func(api *server.Server) {
		t.Helper()
		ts := httptest.NewServer(api)
		defer ts.Close()
		rootOf(t, ts).must("sts:GetCallerIdentity")
		id, secret, err := api.RootKey(t.Context())
		if err != nil || id != testKey || secret != testSecret {
			t.Errorf("the root key is %s, %v", id, err)
		}
	}
	serves(api)

	// Rotation: the new key first, the old one beside it; then the old one goes.
	rotated := at(seal.NewRing(second, first))
	if err := errors.Join(rotated.CheckSecrets(), rotated.SealSecrets(t.Context())); err != nil {
		t.Fatal(err)
	}
	after := at(seal.NewRing(second))
	if err := after.CheckSecrets(); err != nil {
		t.Fatal(err)
	}
	serves(after)

	// A server with another key does not start, and says which key it lacks.
	lost := at(seal.NewRing(first))
	var e *server.LostSecretsError
	if err := lost.CheckSecrets(); !errors.As(err, &e) || e.Wants != seal.NewRing(second).ID() || !slices.Contains(e.Keys, testKey) {
		t.Errorf("with a lost key: %v", err)
	}
	if _, _, err := lost.RootKey(t.Context()); err == nil {
		t.Error("a server with a lost key has a root key")
	}
	if err := lost.DiscardSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, _, err := lost.RootKey(t.Context()); err != nil || id == testKey {
		t.Errorf("after the secrets were discarded the root key is %s, %v", id, err)
	}
}

// The last use is seen at once by the server that saw it, and stored now and
// then: a thousand calls are one write.
func TestLastUse(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	var api *server.Server
	st, err := store.Open(context.Background(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	api = server.New(st, server.Config{Region: "us-east-1", Account: account, Now: func() time.Time { return now }})
	id, secret, err := api.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(api)
	t.Cleanup(ts.Close)
	root := caller{t, ts.URL, signed()}.as(id, secret)
	alice, key := root.newUser("alice")
	used := func() string { return root.must("iam:GetAccessKeyLastUsed", "AccessKeyId", key) }
	if body := used(); element(body, "ServiceName") != "N/A" || element(body, "Region") != "N/A" || strings.Contains(body, "LastUsedDate") {
		t.Errorf("never used: %s", body)
	}
	alice.sign.region = "eu-west-1"
	alice.must("sts:GetCallerIdentity")
	if body := used(); element(body, "ServiceName") != "sts" || element(body, "Region") != "eu-west-1" || element(body, "LastUsedDate") != now.Format("2006-01-02T15:04:05Z") || element(body, "UserName") != "alice" {
		t.Errorf("used: %s", body)
	}
	rev := st.Latest().Rev
	for range 3 {
		alice.must("sts:GetCallerIdentity")
		if err := api.StoreKeyUses(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	if got := st.Latest().Rev - rev; got != 1 {
		t.Errorf("three minutes of calls are %d writes, want 1", got)
	}
	if use := state.KeyUses.Get(st.Latest().In(state.Scope{}), key); use == nil || use.Service != "sts" {
		t.Errorf("stored: %+v", use)
	}
	now = now.Add(20 * time.Minute)
	alice.sign.at = now
	alice.must("sts:GetCallerIdentity")
	if err := api.StoreKeyUses(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if use := state.KeyUses.Get(st.Latest().In(state.Scope{}), key); !use.At.Equal(now) {
		t.Errorf("stored at %v, want %v", use.At, now)
	}
}

// putRootKey stores a root key of an account.
func putRootKey(t *testing.T, st *store.Store, id, account string) {
	t.Helper()
	_, _, err := st.Write(t.Context(), &store.Write{Call: state.Call{Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
		state.AccessKeys.Put(tx, &iam.AccessKey{ID: id, Secret: testSecret, Account: vpc.AccountID(account)})
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}
