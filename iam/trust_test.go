package iam_test

import (
	"testing"

	"moat/iam"
)

// Who may assume a role, and whether the trust policy alone is enough.
func TestTrust(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/deployer"
	alice := iam.Principal{Account: "123456789012", Type: iam.TypeUser, ID: "AIDAALICE0001", Name: "alice", ARN: "arn:aws:iam::123456789012:user/alice"}
	bob := iam.Principal{Account: "123456789012", Type: iam.TypeUser, ID: "AIDABOB00001", Name: "bob", ARN: "arn:aws:iam::123456789012:user/bob"}
	stranger := iam.Principal{Account: "999999999999", Type: iam.TypeUser, ID: "AIDASTRANGE1", Name: "alice", ARN: "arn:aws:iam::999999999999:user/alice"}
	session := iam.Principal{
		Account: "123456789012", Type: iam.TypeSession, ID: "AROACI000001:run", Role: "arn:aws:iam::123456789012:role/ci", ARN: "arn:aws:sts::123456789012:assumed-role/ci/run",
	}
	const no, yes, named, denied = "no", "yes, with a permission of its own", "yes", "denied"
	for _, row := range []struct {
		want, principal string
		who             iam.Principal
		cond, key       string
	}{
		{named, `{"AWS":"arn:aws:iam::123456789012:user/alice"}`, alice, "", ""},
		{no, `{"AWS":"arn:aws:iam::123456789012:user/alice"}`, bob, "", ""},
		{no, `{"AWS":"arn:aws:iam::123456789012:user/alice"}`, stranger, "", ""},
		{yes, `{"AWS":"123456789012"}`, alice, "", ""},
		{yes, `{"AWS":"arn:aws:iam::123456789012:root"}`, bob, "", ""},
		{no, `{"AWS":"arn:aws:iam::123456789012:root"}`, stranger, "", ""},
		{yes, `{"AWS":"999999999999"}`, stranger, "", ""},
		{yes, `{"AWS":"arn:aws:iam::999999999999:user/alice"}`, stranger, "", ""},
		{no, `{"AWS":"arn:aws:iam::999999999999:user/alice"}`, alice, "", ""},
		{yes, `"*"`, stranger, "", ""},
		{yes, `{"AWS":"*"}`, alice, "", ""},
		{named, `{"AWS":"arn:aws:iam::123456789012:role/ci"}`, session, "", ""},
		{named, `{"AWS":"arn:aws:sts::123456789012:assumed-role/ci/run"}`, session, "", ""},
		{no, `{"AWS":"arn:aws:sts::123456789012:assumed-role/ci/other"}`, session, "", ""},
		{no, `{"AWS":"arn:aws:iam::123456789012:role/deployer"}`, session, "", ""},
		{named, `{"AWS":"AIDAALICE0001"}`, alice, "", ""},
		{no, `{"AWS":"AIDAALICE0001"}`, bob, "", ""},
		{named, `{"AWS":"AROACI000001"}`, session, "", ""},
		{no, `{"Service":"ec2.amazonaws.com"}`, alice, "", ""},
		{yes, `{"Service":"ec2.amazonaws.com","AWS":["111111111111","123456789012"]}`, alice, "", ""},
		// The confused deputy: a third party is given an id that only one customer uses.
		{yes, `{"AWS":"999999999999"}`, stranger, `{"StringEquals":{"sts:ExternalId":"7f3"}}`, "7f3"},
		{no, `{"AWS":"999999999999"}`, stranger, `{"StringEquals":{"sts:ExternalId":"7f3"}}`, "7f4"},
		{no, `{"AWS":"999999999999"}`, stranger, `{"StringEquals":{"sts:ExternalId":"7f3"}}`, ""},
	} {
		cond := ""
		if row.cond != "" {
			cond = `,"Condition":` + row.cond
		}
		for _, effect := range []string{"Allow", "Deny"} {
			doc := `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + row.principal + `,"Action":"sts:AssumeRole"` + cond + `}` + map[string]string{
				"Allow": "", "Deny": `,{"Effect":"Allow","Principal":"*","Action":"sts:*"}`,
			}[effect] + `]}`
			p, err := iam.ParsePolicy([]byte(doc), iam.TrustPolicy)
			if err != nil {
				t.Fatal(err)
			}
			r := &iam.Request{Principal: &row.who, Action: "sts:AssumeRole", Resource: role, Context: iam.ContextMap{}}
			if row.key != "" {
				r.Context = iam.ContextMap{"sts:externalid": {row.key}}
			}
			d, byName := iam.DecideTrust(p, r)
			got := no
			switch {
			case d.Explicit:
				got = denied
			case d.Allowed && byName:
				got = named
			case d.Allowed:
				got = yes
			}
			want := row.want
			if effect == "Deny" {
				if want = denied; row.want == no {
					want = yes // by the second statement
				}
			}
			if got != want {
				t.Errorf("%s: %s assumes the role: %s, want %s", doc, row.who.ARN, got, want)
			}
		}
	}
}

// A NotPrincipal denies everybody else.
func TestTrustNotPrincipal(t *testing.T) {
	p, err := iam.ParsePolicy([]byte(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},
		{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/alice"},"Action":"sts:AssumeRole"}]}`), iam.TrustPolicy)
	if err != nil {
		t.Fatal(err)
	}
	for arn, want := range map[string]bool{"arn:aws:iam::123456789012:user/alice": true, "arn:aws:iam::123456789012:user/bob": false} {
		d, _ := iam.DecideTrust(p, &iam.Request{
			Principal: &iam.Principal{Account: "123456789012", Type: iam.TypeUser, ARN: arn}, Action: "sts:AssumeRole", Resource: "arn:aws:iam::123456789012:role/r",
		})
		if d.Allowed != want {
			t.Errorf("%s assumes: %v, want %v", arn, d.Allowed, want)
		}
	}
}
