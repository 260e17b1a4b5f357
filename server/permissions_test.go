package server_test

import (
	"context"
	"encoding/xml"
	"flag"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"moat/iam"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

var update = flag.Bool("update", false, "rewrite testdata")

const (
	aliceKey    = "AKIAALICEALICEALICE1"
	aliceSecret = "aliceSecretKeyExampleThatIsLongEnough000"
)

// alice gives the account a user with one inline policy; none is no policy.
func alice(t *testing.T, st *store.Store, policy string) {
	t.Helper()
	write(t, st, state.Scope{}, func(tx *state.Txn) {
		state.AccessKeys.Put(tx, &iam.AccessKey{ID: aliceKey, Secret: aliceSecret, Account: account, User: "AIDAALICEEXAMPLE"})
	})
	write(t, st, state.Scope{Account: account}, func(tx *state.Txn) {
		u := &iam.User{Name: "alice", ID: "AIDAALICEEXAMPLE", Path: "/", Created: tx.Now, Tags: vpc.Tags{{Key: "team", Value: "red"}}}
		if policy != "" {
			u.Inline = []iam.InlinePolicy{{Name: "p", Document: iam.NewText(policy)}}
		}
		state.Users.Put(tx, u)
	})
}

func write(t *testing.T, st *store.Store, at state.Scope, f func(tx *state.Txn)) {
	t.Helper()
	_, _, err := st.Write(context.Background(), &store.Write{
		Call: state.Call{Scope: at, Now: time.Now()},
		Plan: func(tx *state.Txn) (any, error) { f(tx); return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func signedBy(key, secret string) signer {
	s := signed()
	s.key, s.secret = key, secret
	return s
}

var (
	blobPattern = regexp.MustCompile(`message: [A-Za-z0-9_-]{100,}`)
	// what nobody made: the default VPC and its group
	otherPattern = regexp.MustCompile(`\b(vpc|sg)-0[0-9a-f]*[1-9a-f][0-9a-f]*\b`)
	idsPattern   = regexp.MustCompile(`<(groupId|vpcId|subnetId|networkInterfaceId|prefixListId|securityGroupRuleId)>([^<]+)<`)
)

// The table: policies, and EC2 calls of a user who has one of them, with what
// becomes of each. Lines of root prepare; {name} stands for the id of what a
// line "name = …" made. A call is tried as a dry run too, which must be refused
// in the same words or be a DryRunOperation.
func TestPermissionsOfEC2Calls(t *testing.T) {
	const file = "testdata/permissions.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ts, st := newAPI(t, nil)
	root, user := signed(), signedBy(aliceKey, aliceSecret)
	names := map[string]string{}
	named := regexp.MustCompile(`\{(\w+)\}`)
	send := func(s signer, line string, dry bool) (reply, refusal string) {
		line = named.ReplaceAllStringFunc(line, func(m string) string {
			id := names[m[1:len(m)-1]]
			if id == "" {
				t.Fatalf("%s: nothing is called %s", line, m)
			}
			return id
		})
		f := strings.Fields(line)
		form := url.Values{"Action": {f[0]}, "Version": {"2016-11-15"}}
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			form.Set(k, v)
		}
		if dry {
			form.Set("DryRun", "true")
		}
		resp := s.post(t, ts.URL, form.Encode())
		text := read(t, resp)
		if resp.StatusCode == 200 {
			return text, ""
		}
		var d errorDoc
		if err := xml.Unmarshal([]byte(text), &d); err != nil {
			t.Fatalf("%s: %s", line, text)
		}
		return "", d.EC2 + ": " + d.EC2Msg
	}
	learn := func(name, reply string) {
		for _, m := range idsPattern.FindAllStringSubmatch(reply, -1) {
			want := map[string]string{"r": "securityGroupRuleId", "e": "networkInterfaceId", "s": "subnetId"}[name[:1]]
			if want == "" || want == m[1] {
				names[name] = m[2]
				return
			}
		}
	}
	hide := func(s string) string {
		s = blobPattern.ReplaceAllString(s, "message: …")
		for name, id := range names {
			s = strings.ReplaceAll(s, id, "{"+name+"}")
		}
		return otherPattern.ReplaceAllString(s, "$1-…")
	}
	rows := 0
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || word == "#":
		case word == "policy":
			alice(t, st, named.ReplaceAllStringFunc(rest, func(m string) string {
				if id := names[m[1:len(m)-1]]; id != "" {
					return id
				}
				return m
			}))
		case word == "root":
			name := ""
			if n, call, ok := strings.Cut(rest, " = "); ok {
				name, rest = n, call
			}
			reply, refusal := send(root, rest, false)
			if refusal != "" {
				t.Fatalf("%s: %s", line, refusal)
			}
			if name != "" {
				learn(name, reply)
			}
		default:
			call, want, _ := strings.Cut(line, " => ")
			call = strings.TrimSuffix(call, " =>")
			_, dry := send(user, call, true)
			_, got := send(user, call, false)
			denied := strings.HasPrefix(got, "UnauthorizedOperation")
			switch has := strings.HasPrefix(dry, "UnauthorizedOperation"); {
			case strings.HasPrefix(dry, "UnknownParameter"): // the action knows no dry run
			case has != denied:
				t.Errorf("%s: got %q, and as a dry run %q", call, got, dry)
			case denied && hide(dry) != hide(got):
				t.Errorf("%s: refused with\n%s\nand as a dry run with\n%s", call, hide(got), hide(dry))
			}
			if got = hide(got); got == "" {
				got = "allowed"
			}
			if got != want && !*update {
				t.Errorf("%s\n got %s\nwant %s", call, got, want)
			}
			line = call + " => " + got
			rows++
		}
		out.WriteString(line + "\n")
	}
	if rows < 80 {
		t.Errorf("%d rows", rows)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
