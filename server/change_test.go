package server_test

import (
	"strings"
	"testing"

	"moat/change"
	"moat/server"
	"moat/state"
	"moat/trail"
	"moat/vpc"
)

func wish(w change.Wish) server.Change { return server.Change{Wish: w} }

// What was agreed to is what is done: a plan that would do something else by
// then is not carried out, also where only its reason changed.
func TestAChangeIsWhatWasShown(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	space := func() state.Reader { return st.Latest().In(state.Scope{Region: "us-east-1", Account: account}) }
	rules := func() int { return len(state.Groups.Get(space(), vpc.GroupID(group)).Rules) }
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "10.0.0.0/8")

	deny := wish(change.Wish{Do: "deny", Group: "web", What: "22", Peer: "10.0.0.0/9", Split: true})
	at := st.Latest().Rev
	var shown, done server.Changed
	deny.DryRun = true
	if f := moat(t, ts.URL, testKey, testSecret, "change", deny, &shown); f != nil {
		t.Fatal(f)
	}
	if st.Latest().Rev != at || shown.Revision != at || shown.Digest == "" || shown.Idle || len(shown.AWS) != 2 || shown.Enforced != "" {
		t.Errorf("a dry run: %+v", shown)
	}
	deny.DryRun, deny.Expect = false, shown.Digest

	// What has nothing to do with it does not matter.
	root.must("ec2:CreateSecurityGroup", "GroupName", "db", "GroupDescription", "d")
	// What has, does.
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "0", "ToPort", "65535", "CidrIp", "10.0.0.0/16")
	at = st.Latest().Rev
	f := moat(t, ts.URL, testKey, testSecret, "change", deny, nil)
	if f == nil || f.Code != "ChangedMeanwhile" || st.Latest().Rev != at {
		t.Fatalf("a plan that nobody agreed to: %+v", f)
	}
	root.must("ec2:RevokeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "0", "ToPort", "65535", "CidrIp", "10.0.0.0/16")
	at = st.Latest().Rev
	if f := moat(t, ts.URL, testKey, testSecret, "change", deny, &done); f != nil {
		t.Fatal(f)
	}
	if st.Latest().Rev != at+1 || done.Revision != at+1 || done.Enforced != "yes" || rules() != 2 { // the other half, and all outbound traffic
		t.Errorf("%+v, %d rules", done, rules())
	}
	es, _, err := st.Events(t.Context(), trail.Place{Rev: st.Latest().Rev}, 10)
	if err != nil || len(es) != 3 || es[0].Service != "moat" || es[0].Action != "Deny" || !strings.Contains(es[0].Request, "peer=10.0.0.0%2F9") ||
		es[1].Action != "RevokeSecurityGroupIngress" || es[2].Action != "AuthorizeSecurityGroupIngress" || !strings.Contains(es[2].Request, "CidrIp=10.128.0.0%2F9") {
		t.Errorf("the events: %+v, %v", es, err)
	}

	// Nothing to do is no revision.
	at = st.Latest().Rev
	deny.Expect = ""
	if f := moat(t, ts.URL, testKey, testSecret, "change", deny, &done); f != nil || !done.Idle || st.Latest().Rev != at {
		t.Errorf("denied twice: %v %+v", f, done)
	}
	deny.Wish.Peer, deny.Split = "10.128.0.0/10", false
	if f := moat(t, ts.URL, testKey, testSecret, "change", deny, nil); f == nil || f.Code != "Refused" || !strings.Contains(f.Message, "--split") || st.Latest().Rev != at {
		t.Errorf("a wider rule: %+v", f)
	}
	if f := moat(t, ts.URL, testKey, testSecret, "change", wish(change.Wish{Do: "dance", Group: "web"}), nil); f == nil || f.Code != "InvalidParameterValue" {
		t.Errorf("a wish for nothing: %+v", f)
	}
	if f := moat(t, ts.URL, testKey, testSecret, "change", map[string]any{"do": "allow", "gruop": "web"}, nil); f == nil || f.Code != "InvalidRequest" {
		t.Errorf("a word that nobody knows: %+v", f)
	}
}

// A caller who is not root needs the permissions of each call that fulfils the
// wish, those to look at what it tells of, and for what EC2 does not have one of
// its own.
func TestAWishIsAuthorised(t *testing.T) {
	const looks = `{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}`
	allow := wish(change.Wish{Do: "allow", Group: "web", What: "22", Peer: "192.0.2.7"})
	rename := wish(change.Wish{Do: "rename", Group: "web", New: "www"})
	for _, row := range []struct {
		what, policy string
		wish         server.Change
		code         string
	}{
		{"nothing is allowed", "", allow, "UnauthorizedOperation"},
		{"not to look", `{"Effect":"Allow","Action":"ec2:AuthorizeSecurityGroupIngress","Resource":"*"}`, allow, "UnauthorizedOperation"},
		{"only to look", looks, allow, "UnauthorizedOperation"},
		{"both", looks + `,{"Effect":"Allow","Action":"ec2:AuthorizeSecurityGroupIngress","Resource":"*"}`, allow, ""},
		{"all of EC2 does not rename", `{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`, rename, "AccessDenied"},
		{"to rename another", looks + `,{"Effect":"Allow","Action":"moat:RenameSecurityGroup","Resource":"arn:aws:ec2:us-east-1:` + account + `:security-group/sg-1"}`, rename, "AccessDenied"},
		{"to rename, and nothing that EC2 would need for it", looks + `,{"Effect":"Allow","Action":"moat:RenameSecurityGroup","Resource":"*"}`, rename, "AccessDenied"},
		{"to rename", looks + `,{"Effect":"Allow","Action":["moat:RenameSecurityGroup","ec2:CreateSecurityGroup","ec2:DeleteSecurityGroup"],"Resource":["arn:aws:ec2:us-east-1:` + account + `:security-group/*","arn:aws:ec2:us-east-1:` + account + `:vpc/*"]}`, rename, ""},
	} {
		ts, st := newAPI(t, nil)
		root := rootOf(t, ts)
		root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d")
		policy := ""
		if row.policy != "" {
			policy = `{"Version":"2012-10-17","Statement":[` + row.policy + `]}`
		}
		alice(t, st, policy)
		at := st.Latest().Rev
		for _, row.wish.DryRun = range []bool{true, false} {
			f := moat(t, ts.URL, aliceKey, aliceSecret, "change", row.wish, nil)
			if (f == nil) != (row.code == "") || f != nil && f.Code != row.code {
				t.Errorf("%s: %+v, want %q", row.what, f, row.code)
			}
			if f != nil {
				plain, _, _ := strings.Cut(f.Message, "Encoded authorization failure message") // what follows is random letters
				if strings.Contains(plain, "web") {
					t.Errorf("%s: it tells what there is: %s", row.what, plain)
				}
			}
		}
		if changed := st.Latest().Rev != at; changed != (row.code == "") {
			t.Errorf("%s: changed %v", row.what, changed)
		}
		if row.code == "" {
			if e := lastEvent(t, st); !strings.HasSuffix(e.Principal, "user/alice") || e.Action != map[string]string{"allow": "AuthorizeSecurityGroupIngress", "rename": "RenameSecurityGroup"}[row.wish.Do] {
				t.Errorf("%s: the event %+v", row.what, e)
			}
		}
	}
}

// Thinking a wish out tells nobody the entries of a list, or the ranges of a
// subnet or a VPC, who may not ask EC2 for them.
func TestAWishTellsNoMoreThanEC2(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	web := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	list := element(root.must("ec2:CreateManagedPrefixList", "PrefixListName", "office", "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", "203.0.113.0/24"), "prefixListId")
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", web, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.PrefixListIds.1.PrefixListId", list)
	net := element(root.must("ec2:DescribeSubnets"), "subnetId")
	in := element(root.must("ec2:DescribeVpcs"), "vpcId")
	for _, row := range []struct{ wish, what, peer, also string }{
		{"deny", "22", "203.0.113.7", "GetManagedPrefixListEntries"},
		{"deny", "23", "203.0.113.7", ""}, // the rule with the list is not about that port
		{"deny", "22", "office", "GetManagedPrefixListEntries"},
		{"allow", "22", net, "DescribeSubnets"},
		{"allow", "22", in, "DescribeVpcs"},
		{"allow", "22", "office", ""},
	} {
		w := wish(change.Wish{Do: row.wish, Group: "web", What: row.what, Peer: row.peer})
		w.DryRun = true
		for _, may := range []bool{false, true} {
			also := ""
			if may && row.also != "" {
				also = `,"ec2:` + row.also + `"`
			}
			alice(t, st, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:DescribeSecurityGroups","ec2:DescribeNetworkInterfaces","ec2:DescribeManagedPrefixLists","ec2:*SecurityGroupIngress"`+also+`],"Resource":"*"}}`)
			f := moat(t, ts.URL, aliceKey, aliceSecret, "change", w, nil)
			if refused := row.also != "" && !may; refused != (f != nil) || refused && (f.Code != "UnauthorizedOperation" || !strings.Contains(f.Message, row.also) || strings.Contains(f.Message, "203.0.113.0/24")) {
				t.Errorf("%s %s of %s, with %q: %+v", row.wish, row.what, row.peer, also, f)
			}
		}
	}
}

// A new name shows wherever the API tells it, also in what was rendered before.
func TestANewNameShowsEverywhere(t *testing.T) {
	ts, _ := newAPI(t, nil)
	root := rootOf(t, ts)
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	subnet := element(root.must("ec2:DescribeSubnets"), "subnetId")
	eni := element(root.must("ec2:CreateNetworkInterface", "SubnetId", subnet, "SecurityGroupId.1", group), "networkInterfaceId")
	for i, name := range []string{"web", "www", "web"} {
		for _, call := range []string{"ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:GetSecurityGroupsForVpc"} {
			params := []string{}
			if call == "ec2:GetSecurityGroupsForVpc" {
				params = []string{"VpcId", element(root.must("ec2:DescribeVpcs"), "vpcId")}
			}
			if body := root.must(call, params...); !strings.Contains(body, "<groupName>"+name+"</groupName>") {
				t.Errorf("%s does not show %s of %s", call, name, eni)
			}
		}
		call, in := "change", any(wish(change.Wish{Do: "rename", Group: group, New: "www"}))
		if i == 1 {
			call, in = "undo", server.Undo{}
		}
		if f := moat(t, ts.URL, testKey, testSecret, call, in, nil); f != nil {
			t.Fatal(f)
		}
	}
}
