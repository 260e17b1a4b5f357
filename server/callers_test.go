package server

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"moat/iam"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// Promised: to authorise a call allocates nothing that grows with policies
// which are not about it, whether they are others' or the caller's own.
func TestAuthorisingAllocatesAlike(t *testing.T) {
	const account = "123456789012"
	about := func(n int, others bool) float64 {
		st, err := store.Open(context.Background(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		doc := func(statement string) iam.Text {
			return iam.NewText(`{"Version":"2012-10-17","Statement":[` + statement + `]}`)
		}
		unrelated := func(i int) string {
			return fmt.Sprintf(`{"Effect":"Deny","Action":["ec2:Delete*","ec2:Modify%d*"],"Resource":"arn:aws:ec2:*:*:vpc/vpc-%d*","Condition":{"StringEquals":{"aws:RequestTag/team":"t%d"}}}`, i, i, i)
		}
		scope := state.Scope{Region: "us-east-1", Account: account}
		_, _, err = st.Write(t.Context(), &store.Write{Call: state.Call{Scope: scope.AccountScope(), Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
			state.AccessKeys.Put(tx.In(state.Scope{}), &iam.AccessKey{ID: "AKIAALICE", Secret: "s", Account: account, User: "AIDAALICE"})
			mine := []string{`{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`}
			for i := range n {
				if !others {
					mine = append(mine, unrelated(i))
					continue
				}
				state.ManagedPolicies.Put(tx, &iam.ManagedPolicy{Name: fmt.Sprintf("p%d", i), ID: fmt.Sprintf("ANPA%d", i), Path: "/", Default: 1, Last: 1, Versions: []iam.PolicyVersion{{Number: 1, Document: doc(unrelated(i))}}})
				state.Users.Put(tx, &iam.User{Name: fmt.Sprintf("u%d", i), ID: fmt.Sprintf("AIDA%d", i), Path: "/", Inline: []iam.InlinePolicy{{Name: "p", Document: doc(unrelated(i))}}})
			}
			alice := &iam.User{Name: "alice", ID: "AIDAALICE", Path: "/"}
			for some := range slices.Chunk(mine, 100) {
				alice.Inline = append(alice.Inline, iam.InlinePolicy{Name: fmt.Sprintf("p%03d", len(alice.Inline)), Document: doc(strings.Join(some, ","))})
			}
			state.Users.Put(tx, alice)
			return nil, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		s := New(st, Config{Region: scope.Region, Account: account})
		view := st.Latest()
		return testing.AllocsPerRun(200, func() {
			who, err := s.callers.who(view, "aws", iam.Credentials{AccessKeyID: "AKIAALICE"})
			if err != nil {
				t.Fatal(err)
			}
			r := &request{
				Request: &http.Request{}, service: serviceEC2, action: "DescribeSecurityGroups", source: netip.MustParseAddr("127.0.0.1"),
				scope: scope, caller: who.principal, who: who,
			}
			if _, err := s.authorise(r, viewPlace(view), nil, who); err != nil {
				t.Fatal(err)
			}
		})
	}
	for whose, others := range map[string]bool{"others'": true, "the caller's own": false} {
		few, many := about(10, others), about(1000, others)
		if many > few {
			t.Errorf("with 10 of %s policies a call makes %v allocations, with 1000 %v", whose, few, many)
		}
		t.Logf("%s policies: %v allocations", whose, many)
	}
}

// What is known of a caller is forgotten with each thing that it was made of.
func TestWhatIsKnownOfACallerHolds(t *testing.T) {
	st, err := store.Open(context.Background(), store.NewMemory(), store.Options{NewEventID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const account = vpc.AccountID("123456789012")
	at := state.Scope{Account: account}
	write := func(f func(tx *state.Txn)) {
		t.Helper()
		if _, _, err := st.Write(t.Context(), &store.Write{Call: state.Call{Scope: at, Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) { f(tx); return nil, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	key := iam.AccessKey{ID: "AKIAALICE", Secret: "s", Account: account, User: "AIDAALICE"}
	user := iam.User{Name: "alice", ID: "AIDAALICE", Path: "/", Groups: []string{"AGPA1"}}
	allow := iam.NewText(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	group := iam.Group{Name: "g", ID: "AGPA1", Path: "/"}
	policy := iam.ManagedPolicy{Name: "p", ID: "ANPA1", Path: "/", Default: 1, Last: 1, Versions: []iam.PolicyVersion{{Number: 1, Document: allow}}}
	put := func(tx *state.Txn) {
		k, u, g, p := key, user, group, policy
		state.AccessKeys.Put(tx.In(state.Scope{}), &k)
		state.Users.Put(tx, &u)
		state.UserGroups.Put(tx, &g)
		state.ManagedPolicies.Put(tx, &p)
	}
	write(put)
	callers := callerCache{known: map[callerKey]*known{}}
	by := iam.Credentials{AccessKeyID: key.ID}
	known, err := callers.who(st.Latest(), "aws", by)
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, want bool) {
		t.Helper()
		now, err := callers.who(st.Latest(), "aws", by)
		if (now == known && err == nil) != want {
			t.Errorf("%s: what was known is used again: %v, want %v", what, !want, want)
		}
		known = now
	}
	same("nothing happened", true)
	write(func(tx *state.Txn) {
		state.Groups.Put(tx.In(state.Scope{Region: "us-east-1", Account: account}), &vpc.SecurityGroup{ID: "sg-0123456789abcdef0", Name: "web"})
	})
	same("a security group was made", true)
	write(func(tx *state.Txn) { state.KeyUses.Put(tx.In(state.Scope{}), &iam.KeyUse{ID: key.ID}) })
	same("the key's use was stored", true)
	for _, row := range []struct {
		what   string
		change func(tx *state.Txn)
	}{
		{"the user's policies changed", func(tx *state.Txn) {
			u := user
			u.Attached = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
			state.Users.Put(tx, &u)
		}},
		{"the group's policies changed", func(tx *state.Txn) {
			g := group
			g.Inline = []iam.InlinePolicy{{Name: "p", Document: allow}}
			state.UserGroups.Put(tx, &g)
		}},
		{"a managed policy changed", func(tx *state.Txn) { p := policy; p.Default = 2; state.ManagedPolicies.Put(tx, &p) }},
		{"a role was made", func(tx *state.Txn) { state.Roles.Put(tx, &iam.Role{Name: "r", ID: "AROA1", Path: "/"}) }},
		{"the key was made inactive", func(tx *state.Txn) { k := key; k.Inactive = true; state.AccessKeys.Put(tx.In(state.Scope{}), &k) }},
		{"the key was deleted", func(tx *state.Txn) { state.AccessKeys.Delete(tx.In(state.Scope{}), key.ID) }},
		{"the user was deleted", func(tx *state.Txn) { state.Users.Delete(tx, user.Name) }},
	} {
		write(put)
		if known, err = callers.who(st.Latest(), "aws", by); err != nil {
			t.Fatal(err)
		}
		write(row.change)
		same(row.what, false)
	}
}
