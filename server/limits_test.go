package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

// TestCredentialsAreBounded holds that a user without any policy cannot fill the
// trail by asking for credentials, nor keep others from theirs; and that the
// names of a role's sessions give nobody more.
func TestCredentialsAreBounded(t *testing.T) {
	c := newClocked(t)
	alice, _ := c.root.newUser("alice")
	bob, _ := c.root.newUser("bob")
	events := func() int {
		n := 0
		entries, err := c.st.Scan(context.Background(), store.Audit, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if ev, err := store.DecodeEvent(e.Value); err != nil {
				t.Fatal(err)
			} else if ev.Action == "GetSessionToken" {
				n++
			}
		}
		return n
	}
	var got int
	for range 310 {
		if _, code, _ := c.at(alice).try("sts:GetSessionToken"); code == "" {
			got++
		}
	}
	if n := events(); got != 300 || n != 300 {
		t.Errorf("%d sets of credentials and %d events, want 300 of each", got, n)
	}
	if m := c.at(alice).refused("Throttling", "sts:GetSessionToken"); m != "Rate exceeded" {
		t.Errorf("the message is %q", m)
	}
	c.at(bob).must("sts:GetSessionToken")
	c.now = c.now.Add(4 * time.Second)
	c.at(alice).must("sts:GetSessionToken")
	c.at(alice).must("sts:GetSessionToken")
	c.at(alice).refused("Throttling", "sts:GetSessionToken")
	c.now = c.now.Add(-time.Hour) // a clock that goes back gives nothing, and takes nothing
	c.at(bob).must("sts:GetSessionToken")
	c.at(alice).refused("Throttling", "sts:GetSessionToken")
	c.now = c.now.Add(2 * time.Second)
	c.at(alice).must("sts:GetSessionToken")

	c.now = c.now.Add(time.Hour - 2*time.Second)

	// Of all together: as many as four principals' bursts.
	got = 0
	for i := range 5 {
		u, _ := c.root.newUser(fmt.Sprint("user", i))
		for range 300 {
			if _, code, _ := c.at(u).try("sts:GetSessionToken"); code == "" {
				got++
			}
		}
	}
	if got < 800 || got > 1200 {
		t.Errorf("five more users got %d sets of credentials, want no more than 1200 in all", got)
	}
}

// TestReadsMakeNoState holds that a read in a region or account that was never
// used shows what every account begins with, and stores nothing; and that the
// first change stores what was shown.
func TestReadsMakeNoState(t *testing.T) {
	for _, auth := range []string{"verify", "any"} {
		t.Run(auth, func(t *testing.T) {
			ts, st := newAPI(t, func(c *server.Config) { c.AnyAuth = auth == "any" })
			s := signed()
			s.region = "eu-west-1"
			rev := st.Latest().Rev
			shown := map[string]string{}
			ask := func(action string) string { return read(t, s.post(t, ts.URL, "Action="+action+"&Version=2016-11-15")) }
			reads := []string{"DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeRouteTables", "DescribeNetworkAcls", "DescribeInternetGateways"}
			ids := func(xml string) string { _, rest, _ := strings.Cut(xml, "</requestId>"); return rest }
			for _, action := range reads {
				if shown[action] = ids(ask(action)); !strings.Contains(shown[action], "-0") {
					t.Errorf("%s shows nothing: %s", action, shown[action])
				}
			}
			if now := st.Latest().Rev; now != rev {
				t.Errorf("reads took the revision from %d to %d", rev, now)
			}
			if xml := ask("CreateKeyPair&KeyName=k&KeyType=ed25519"); !strings.Contains(xml, "<keyPairId>") {
				t.Fatal(xml)
			}
			for _, action := range reads {
				if now := ids(ask(action)); now != shown[action] {
					t.Errorf("%s, before and after the first change:\n%s\n%s", action, shown[action], now)
				}
			}
		})
	}
}

// TestAccountsOfAnyAuthAreBounded holds that accounts which clients think up do
// not fill the store, and that those which are there go on.
func TestAccountsOfAnyAuthAreBounded(t *testing.T) {
	ts, st := newAPI(t, func(c *server.Config) { c.AnyAuth = true })
	for n := 0; n < 5000; {
		_, _, err := st.Write(context.Background(), &store.Write{Call: state.Call{Scope: state.Scope{Account: account}, Now: time.Now()}, Plan: func(tx *state.Txn) (any, error) {
			for range 100 {
				state.Spaces.Put(tx.In(state.Scope{Region: "us-east-1", Account: vpc.AccountID(fmt.Sprintf("%012d", n))}), &vpc.Space{Furnished: 2})
				n++
			}
			return nil, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	s := signed()
	call := func(service, key, body string) (int, string) {
		s.service, s.key = service, key
		resp := s.post(t, ts.URL, body)
		return resp.StatusCode, read(t, resp)
	}
	const group = "Action=CreateSecurityGroup&GroupName=g&GroupDescription=d&Version=2016-11-15"
	if status, body := call("ec2", "999999999999", group); status != 503 || !strings.Contains(body, "<Code>RequestLimitExceeded</Code>") {
		t.Errorf("one account more: %d %s", status, body)
	}
	if status, body := call("iam", "999999999999", "Action=CreateUser&UserName=u&Version=2010-05-08"); status != 400 || !strings.Contains(body, "<Code>Throttling</Code>") {
		t.Errorf("a user of one account more: %d %s", status, body)
	}
	if status, body := call("ec2", "999999999999", "Action=DescribeVpcs&Version=2016-11-15"); status != 200 || !strings.Contains(body, "vpc-") {
		t.Errorf("a read of one account more: %d %s", status, body)
	}
	if status, body := call("ec2", "000000000001", "Action=CreateKeyPair&KeyName=k&KeyType=ed25519&Version=2016-11-15"); status != http.StatusOK {
		t.Errorf("an account that is there: %d %s", status, body)
	}
}
