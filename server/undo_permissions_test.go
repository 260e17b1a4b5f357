package server_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"moat/change"
	"moat/ec2"
	"moat/server"
)

var (
	performPattern = regexp.MustCompile(`to perform: (\S+) on resource: (\S+)`)
	anyIDPattern   = regexp.MustCompile(`\b([a-z]+)-0[0-9a-f]{16}\b`)
)

// statement is one of a policy; conditions may be empty.
func statement(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q%s}`, effect, action, resource, condition)
}

func policy(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// The table: calls of root, and the permissions that somebody needs who undoes
// each: they are found by asking, one refusal after the other. {name} is what
// the line "name = …" made; a line with "root" is not undone.
func TestUndoNeedsThePermissionsOfItsCalls(t *testing.T) {
	const file = "testdata/undo_permissions.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	root.must("ec2:DescribeVpcs")
	names := map[string]string{}
	named := regexp.MustCompile(`\{(\w+)\}`)
	may := []string{statement("Allow", "ec2:Describe*", "*", ""), statement("Allow", "moat:Undo", "*", "")}
	done := map[string]bool{}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			fmt.Fprintln(&out, line)
			continue
		}
		call, want, _ := strings.Cut(line, " => ")
		text, isSetup := strings.CutPrefix(call, "root ")
		name := ""
		if n, rest, ok := strings.Cut(text, " = "); ok {
			name, text = n, rest
		}
		f := strings.Fields(named.ReplaceAllStringFunc(text, func(m string) string {
			return cmp.Or(names[m[1:len(m)-1]], m)
		}))
		params := []string{}
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			params = append(params, k, strings.Replace(v, "/56", "/64", 1)) // of a VPC's block, a subnet's
		}
		if f[0] == "rename" {
			if r := moat(t, ts.URL, testKey, testSecret, "change", wish(change.Wish{Do: "rename", Group: f[1], New: f[2]}), nil); r != nil {
				t.Fatalf("%s: %+v", line, r)
			}
		} else {
			reply := root.must("ec2:"+f[0], params...)
			if name != "" {
				kind, _, _ := strings.Cut(name, "_")
				names[name] = element(reply, kind)
				if names[name] == "" {
					t.Fatalf("%s: no %s in %s", line, kind, reply)
				}
			}
		}
		if isSetup {
			fmt.Fprintln(&out, line)
			continue
		}
		done[f[0]] = true
		rev := st.Latest().Rev
		statements, needs := slices.Clone(may), []string{}
		for {
			alice(t, st, policy(statements...))
			r := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: rev, DryRun: true}, nil)
			if r == nil {
				break
			}
			m := performPattern.FindStringSubmatch(r.Message)
			if m == nil || len(needs) > 30 {
				t.Fatalf("%s: %+v", line, r)
			}
			statements = append(statements, statement("Allow", m[1], m[2], ""))
			short := strings.TrimPrefix(m[2], "arn:aws:ec2:us-east-1:"+account+":")
			for n, id := range names {
				short = strings.ReplaceAll(short, id, "{"+n+"}")
			}
			needs = append(needs, strings.TrimPrefix(m[1], "ec2:")+" "+anyIDPattern.ReplaceAllString(short, "$1-…"))
		}
		if r := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: rev}, nil); r != nil {
			t.Fatalf("%s: undone: %+v", line, r)
		}
		got := strings.Join(needs, "; ")
		if got != want && !*update {
			t.Errorf("%s\n got %s\nwant %s", call, got, want)
		}
		if got == "" {
			t.Errorf("%s is undone without any permission of EC2", call)
		}
		fmt.Fprintf(&out, "%s => %s\n", call, got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range ec2.Actions {
		switch i := a.Info(); i.Name {
		case "RebootInstances": // changes nothing
		case "DeleteVolume": // no call that is served makes a volume: the root alone brings one back
		case "CreateDefaultVpc": // is undone as CreateVpc is
		default:
			if i.Writes && !done[i.Name] {
				t.Errorf("no row undoes %s", i.Name)
			}
		}
	}
}

// Statements about rules hold for the rules that an undo brings back, whatever
// action they are about: of a group that changed, of one that was deleted, and
// of a list that rules name.
func TestUndoOpensNothingThatIsDenied(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	group := func(name string) string {
		return element(root.must("ec2:CreateSecurityGroup", "GroupName", name, "GroupDescription", "d"), "groupId")
	}
	web, db := group("web"), group("db")
	list := element(root.must("ec2:CreateManagedPrefixList", "PrefixListName", "office", "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", "203.0.113.0/24"), "prefixListId")
	rule := func(group, port string) []string {
		return []string{"GroupId", group, "IpProtocol", "tcp", "FromPort", port, "ToPort", port, "CidrIp", "0.0.0.0/0"}
	}
	for _, port := range []string{"22", "80"} {
		root.must("ec2:AuthorizeSecurityGroupIngress", rule(web, port)...)
	}
	root.must("ec2:AuthorizeSecurityGroupIngress", rule(db, "22")...)
	root.must("ec2:AuthorizeSecurityGroupEgress", "GroupId", web, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.PrefixListIds.1.PrefixListId", list)
	did := func(call string, params ...string) uint64 {
		root.must(call, params...)
		return st.Latest().Rev
	}
	ssh := did("ec2:RevokeSecurityGroupIngress", rule(web, "22")...)
	http := did("ec2:RevokeSecurityGroupIngress", rule(web, "80")...)
	gone := did("ec2:DeleteSecurityGroup", "GroupId", db)
	entry := did("ec2:ModifyManagedPrefixList", "PrefixListId", list, "CurrentVersion", "1", "RemoveEntry.1.Cidr", "203.0.113.0/24")
	for _, row := range []struct {
		what string
		rev  uint64
		deny string // action and condition
		code string
	}{
		{"ssh comes back", ssh, statement("Deny", "ec2:*", "*", `{"NumericEquals":{"moat:Port":"22"}}`), "UnauthorizedOperation"},
		{"ssh comes back, by the call's own name", ssh, statement("Deny", "ec2:AuthorizeSecurityGroupIngress", "*", `{"NumericEquals":{"moat:Port":"22"}}`), "UnauthorizedOperation"},
		{"outbound is denied", ssh, statement("Deny", "ec2:AuthorizeSecurityGroupEgress", "*", `{"NumericEquals":{"moat:Port":"22"}}`), ""},
		{"ssh of another group is denied", ssh, statement("Deny", "ec2:*", arnOf("security-group/"+db), `{"NumericEquals":{"moat:Port":"22"}}`), ""},
		{"http comes back", http, statement("Deny", "ec2:*", "*", `{"NumericEquals":{"moat:Port":"22"}}`), ""},
		{"a group with ssh comes back", gone, statement("Deny", "ec2:*", "*", `{"NumericEquals":{"moat:Port":"22"}}`), "UnauthorizedOperation"},
		{"a denied group comes back", gone, statement("Deny", "ec2:*", arnOf("security-group/"+db), ""), "UnauthorizedOperation"},
		{"a group with ssh and no http comes back", gone, statement("Deny", "ec2:*", "*", `{"NumericEquals":{"moat:Port":"80"}}`), ""},
		{"an entry comes back that a rule for ssh names", entry, statement("Deny", "ec2:*", "*", `{"NumericEquals":{"moat:Port":"22"}}`), "UnauthorizedOperation"},
		{"an entry comes back of another list", entry, statement("Deny", "ec2:*", arnOf("prefix-list/pl-1"), ""), ""},
		{"an entry comes back of a denied list", entry, statement("Deny", "ec2:*", arnOf("prefix-list/"+list), ""), "UnauthorizedOperation"},
	} {
		alice(t, st, policy(statement("Allow", "*", "*", ""), row.deny))
		for _, from := range []uint64{row.rev, ssh} {
			in := server.Undo{From: from, Since: from != row.rev, DryRun: true}
			f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", in, nil)
			if in.Since && row.code == "" {
				continue // others of the suffix may be denied
			}
			if (f == nil) != (row.code == "") || f != nil && f.Code != row.code {
				t.Errorf("%s, %+v: %+v, want %q", row.what, in, f, row.code)
			}
		}
	}
	at := st.Latest().Rev
	alice(t, st, policy(statement("Allow", "*", "*", ""), statement("Deny", "*", arnOf("security-group/"+web), "")))
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: ssh}, nil); f == nil || f.Code != "UnauthorizedOperation" {
		t.Errorf("undo of a change of a denied group: %+v", f)
	}
	for _, w := range []change.Wish{{Do: "rename", Group: "web", New: "www"}, {Do: "rm", Group: "web", Detach: true}, {Do: "allow", Group: "web", What: "22", Peer: "192.0.2.7"}} {
		if f := moat(t, ts.URL, aliceKey, aliceSecret, "change", wish(w), nil); f == nil || f.Code != "UnauthorizedOperation" && f.Code != "AccessDenied" {
			t.Errorf("%s of a denied group: %+v", w.Do, f)
		}
	}
	alice(t, st, policy(statement("Allow", "*", "*", ""), statement("Deny", "ec2:*", arnOf("security-group/"+web), "")))
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "change", wish(change.Wish{Do: "rename", Group: "web", New: "www"}), nil); f == nil || f.Code != "AccessDenied" || !strings.Contains(f.Message, "ec2:DeleteSecurityGroup") {
		t.Errorf("rename of a group that EC2's actions may not touch: %+v", f)
	}
	if st.Latest().Rev != at+4 { // alice's policies
		t.Errorf("revision %d, was %d: something was changed", st.Latest().Rev, at)
	}
	// Who may not look at groups is not told by an undo what one was called.
	alice(t, st, policy(statement("Allow", "moat:Undo", "*", ""), statement("Allow", "ec2:*SecurityGroup*", "*", ""), statement("Deny", "ec2:Describe*", "*", "")))
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: gone, DryRun: true}, nil); f == nil || f.Code != "UnauthorizedOperation" || strings.Contains(f.Message, db) {
		t.Errorf("undo by somebody who may not look: %+v", f)
	}
}

// arnOf gives the ARN of a resource of the test's account and region.
func arnOf(resource string) string { return "arn:aws:ec2:us-east-1:" + account + ":" + resource }
