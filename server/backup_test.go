package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/server"
	"moat/sigv4"
	"moat/state"
	"moat/store"
)

func (s signer) get(t *testing.T, method, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !s.unsigned {
		sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: s.key, Region: s.region, Service: s.service}, s.secret, s.token, s.at)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestBackupIsForTheRootKey(t *testing.T) {
	for _, auth := range []string{"verify", "any"} {
		ts, st := newAPI(t, func(c *server.Config) { c.AnyAuth, c.Version = auth == "any", "1.2.3" })
		_, _, err := st.Write(context.Background(), &store.Write{
			Call: state.Call{Now: time.Now()},
			Plan: func(tx *state.Txn) (any, error) {
				state.AccessKeys.Put(tx, &iam.AccessKey{ID: "AKIAOTHERACCOUNT", Secret: testSecret, Account: "210987654321"})
				state.AccessKeys.Put(tx, &iam.AccessKey{ID: "AKIAUSEROFACCOUNT", Secret: testSecret, Account: account, User: "AIDAALICE"})
				state.Users.Put(tx.In(state.Scope{Account: account}), &iam.User{Name: "alice", ID: "AIDAALICE", Path: "/"})
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		operator := signed()
		operator.service = server.ServiceMoat
		with := func(change func(*signer)) signer { s := operator; change(&s); return s }
		for _, row := range []struct {
			who, method string
			signer
			status int
			code   string
		}{
			{"the root key", "GET", operator, 200, ""},
			{"nobody", "GET", with(func(s *signer) { s.unsigned = true }), 403, "MissingAuthenticationToken"},
			{"a wrong secret", "GET", with(func(s *signer) { s.secret = "x" }), 403, "SignatureDoesNotMatch"},
			{"an unknown key", "GET", with(func(s *signer) { s.key = "123456789012" }), 403, "InvalidClientTokenId"},
			{"a stale clock", "GET", with(func(s *signer) { s.at = s.at.Add(-time.Hour) }), 403, "SignatureDoesNotMatch"},
			{"a signature for ec2", "GET", with(func(s *signer) { s.service = "ec2" }), 403, "SignatureDoesNotMatch"},
			{"the root key of another account", "GET", with(func(s *signer) { s.key = "AKIAOTHERACCOUNT" }), 403, "AccessDenied"},
			{"a user of the account", "GET", with(func(s *signer) { s.key = "AKIAUSEROFACCOUNT" }), 403, "AccessDenied"},
			{"the root key with POST", "POST", operator, 405, "InvalidRequest"},
		} {
			resp := row.get(t, row.method, ts.URL+server.BackupPath)
			body := read(t, resp)
			if resp.StatusCode != row.status {
				t.Errorf("--auth %s, %s: status %d, want %d: %.200s", auth, row.who, resp.StatusCode, row.status, body)
			}
			if row.code != "" {
				if !strings.Contains(body, `"code":"`+row.code+`"`) {
					t.Errorf("--auth %s, %s: got %.200s, want %s", auth, row.who, body, row.code)
				}
				continue
			}
			info, err := store.ReadBackup(strings.NewReader(body), nil)
			if err != nil || info.Rev != st.Latest().Rev || info.Moat != "1.2.3" {
				t.Errorf("--auth %s: a backup of %+v, %v; want revision %d", auth, info, err, st.Latest().Rev)
			}
		}
	}
}

// failing is a log whose disk fails in the middle of a dump, after as many
// bytes.
type failing struct {
	store.Log
	after int
}

func (f failing) Dump(ctx context.Context, visit func(string, []byte) error) (store.Head, error) {
	return f.Log.Dump(ctx, func(k string, v []byte) error {
		if strings.HasPrefix(k, "state/") {
			if err := visit(k, make([]byte, f.after)); err != nil {
				return err
			}
			return errors.New("the disk failed")
		}
		return visit(k, v)
	})
}

// A backup that cannot be finished does not look like a whole one: it is
// refused, or if it has begun already its connection breaks.
func TestBackupThatFails(t *testing.T) {
	for _, after := range []int{0, 1 << 20} {
		st, err := store.Open(context.Background(), failing{store.NewMemory(), after}, store.Options{NewEventID: uuid.NewString})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		_, _, err = st.Write(context.Background(), &store.Write{
			Call: state.Call{Now: time.Now()},
			Plan: func(tx *state.Txn) (any, error) {
				state.AccessKeys.Put(tx, &iam.AccessKey{ID: testKey, Secret: testSecret, Account: account})
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ts := httptest.NewServer(server.New(st, server.Config{Region: "us-east-1", Account: account}))
		t.Cleanup(ts.Close)
		operator := signed()
		operator.service = server.ServiceMoat
		resp := operator.get(t, "GET", ts.URL+server.BackupPath)
		body, err := io.ReadAll(resp.Body)
		if after == 0 {
			if resp.StatusCode != 500 || !strings.Contains(string(body), `"code":"InternalError"`) {
				t.Errorf("status %d, %.200s; want 500 and InternalError", resp.StatusCode, body)
			}
			continue
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a body of %d bytes with status %d and error %v; want that it breaks off", len(body), resp.StatusCode, err)
		}
	}
}
