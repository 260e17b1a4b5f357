package server_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"moat/server"
	"moat/sigv4"
)

// look asks moat's own API a question as somebody.
func look(t *testing.T, url, key, secret, call, query string) (status int, text string) {
	t.Helper()
	r, _ := http.NewRequest("GET", url+server.AdminPath+call+"?"+query, nil)
	sigv4.Sign(r, nil, sigv4.Credential{AccessKeyID: key, Region: "us-east-1", Service: server.ServiceMoat}, secret, "", time.Now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, read(t, resp)
}

// What is shown of one thing is asked for on its ARN: a Deny on a list, by its
// ARN or a tag that it has or had, hides its entries from every question, of the
// present and of the past. A Deny on another list hides nothing.
func TestAListThatIsDeniedIsNotShown(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	web := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	make := func(name, entry string) string {
		list := element(root.must("ec2:CreateManagedPrefixList", "PrefixListName", name, "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", entry, "Entry.1.Description", "why-"+name), "prefixListId")
		root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", web, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.PrefixListIds.1.PrefixListId", list)
		return list
	}
	secret, open := make("secret", "203.0.113.0/24"), make("open", "198.51.100.0/24")
	root.must("ec2:CreateTags", "ResourceId.1", secret, "Tag.1.Key", "tier", "Tag.1.Value", "prod")
	tagged := st.Latest().Rev
	root.must("ec2:ModifyManagedPrefixList", "PrefixListId", secret, "CurrentVersion", "1", "AddEntry.1.Cidr", "203.0.112.0/24")
	changed := st.Latest().Rev
	past := "as-of=" + text10(changed-1)
	for _, deny := range []string{
		statement("Deny", "ec2:*", arnOf("prefix-list/"+secret), ""),
		statement("Deny", "ec2:GetManagedPrefixListEntries", arnOf("prefix-list/"+secret[:8]+"*"), ""),
		statement("Deny", "ec2:Get*", "*", `{"StringEquals":{"aws:ResourceTag/tier":"prod"}}`),
	} {
		alice(t, st, policy(statement("Allow", "*", "*", ""), deny))
		for _, row := range []struct {
			call, query string
			want        string // in the answer
		}{
			{"show", "name=secret", "UnauthorizedOperation"},
			{"show", "name=" + secret, "UnauthorizedOperation"},
			{"show", "name=secret&" + past, "UnauthorizedOperation"},
			{"show", "name=open", "198.51.100.0/24"},
			{"show", "name=web", secret},
			{"ls", "kind=lists&kind=rules&kind=groups", secret},
			{"who-uses", "name=secret", "web"},
			{"find", "ip=203.0.113.7", `"unread_prefix_lists"`},
			{"find", "ip=203.0.113.7&" + past, `"unread_prefix_lists"`},
			{"find", "ip=203.0.113.0/24&match=exact", `"unread_prefix_lists"`},
			{"find", "ip=198.51.100.7", "198.51.100.0/24"},
			{"diff", "from=" + text10(changed-1), `"hidden": 1`},
			{"diff", "from=0", `"hidden": `},
			{"blame", "group=web", secret},
			{"complete", "kind=list&text=sec", "secret"},
		} {
			_, text := look(t, ts.URL, aliceKey, aliceSecret, row.call, row.query)
			if !strings.Contains(text, row.want) || strings.Contains(text, "203.0.113.0") || strings.Contains(text, "203.0.112.0") || strings.Contains(text, "why-secret") {
				t.Errorf("%s %s, with %s:\n%s\nwant %s and no entry of the list", row.call, row.query, deny, text, row.want)
			}
		}
		var undone server.Undone
		if f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: changed, DryRun: true}, &undone); f == nil || strings.Contains(f.Message, "203.0.112.0") {
			t.Errorf("undo with %s: %+v %q", deny, f, undone.Does)
		}
	}
	// The tag is gone, and is looked at in the past all the same.
	root.must("ec2:DeleteTags", "ResourceId.1", secret, "Tag.1.Key", "tier")
	alice(t, st, policy(statement("Allow", "*", "*", ""), statement("Deny", "ec2:Get*", "*", `{"StringEquals":{"aws:ResourceTag/tier":"prod"}}`)))
	if _, text := look(t, ts.URL, aliceKey, aliceSecret, "show", "name=secret"); !strings.Contains(text, "203.0.112.0/24") {
		t.Errorf("without the tag: %s", text)
	}
	if _, text := look(t, ts.URL, aliceKey, aliceSecret, "show", "name=secret&as-of="+text10(tagged)); !strings.Contains(text, "UnauthorizedOperation") {
		t.Errorf("as of when it had the tag: %s", text)
	}
	// A permission for one list is enough for that one.
	alice(t, st, policy(statement("Allow", "ec2:Describe*", "*", ""), statement("Allow", "ec2:GetManagedPrefixListEntries", arnOf("prefix-list/"+open), "")))
	if _, text := look(t, ts.URL, aliceKey, aliceSecret, "show", "name=open"); !strings.Contains(text, "198.51.100.0/24") {
		t.Errorf("what alice may read: %s", text)
	}
	if _, text := look(t, ts.URL, aliceKey, aliceSecret, "show", "name=secret"); !strings.Contains(text, "UnauthorizedOperation") {
		t.Errorf("what alice may not read: %s", text)
	}
}

// What DescribeVpcAttribute and DescribeInstanceAttribute show, which ask for the
// thing by its ARN, a difference does not tell to somebody who may not make them;
// nor where else a group is used to somebody who may not ask for that.
func TestADifferenceAsksForEachThing(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	vpc := element(root.must("ec2:CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
	other := element(root.must("ec2:CreateVpc", "CidrBlock", "10.1.0.0/16"), "vpcId")
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d", "VpcId", vpc), "groupId")
	root.must("ec2:AssociateSecurityGroupVpc", "GroupId", group, "VpcId", other)
	at := st.Latest().Rev
	root.must("ec2:ModifyVpcAttribute", "VpcId", vpc, "EnableDnsHostnames.Value", "true")
	root.must("ec2:ModifyVpcAttribute", "VpcId", other, "EnableDnsHostnames.Value", "true")
	alice(t, st, policy(statement("Allow", "*", "*", ""), statement("Deny", "*", arnOf("vpc/"+vpc), ""), statement("Deny", "ec2:DescribeSecurityGroupVpcAssociations", "*", "")))
	_, text := look(t, ts.URL, aliceKey, aliceSecret, "diff", "from="+text10(at))
	if !strings.Contains(text, other) || strings.Contains(text, vpc) || !strings.Contains(text, `"hidden": 1`) {
		t.Errorf("the difference: %s", text)
	}
	if _, text := look(t, ts.URL, aliceKey, aliceSecret, "show", "name="+group); strings.Contains(text, other) {
		t.Errorf("a group with its association: %s", text)
	}
}

func text10(n uint64) string { return strconv.FormatUint(n, 10) }
