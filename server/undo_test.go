package server_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"moat/agent"
	"moat/change"
	"moat/iam"
	"moat/server"
	"moat/state"
	"moat/store"
	"moat/vpc"
)

var undoRevisions = flag.Int("undo-revisions", 250, "how long a random history is of which suffixes are undone; 5000 takes half a minute")

// A past is a server with a history that random calls make.
type past struct {
	caller
	st    *store.Store
	r     *rand.Rand
	names int
}

func newPast(t *testing.T, seed uint64) *past {
	ts, st := newAPI(t, nil)
	p := &past{caller: rootOf(t, ts), st: st, r: rand.New(rand.NewPCG(seed, 3))}
	p.must("ec2:DescribeVpcs") // which furnishes the space
	return p
}

func scope() state.Scope { return state.Scope{Region: "us-east-1", Account: account} }

func (p *past) space() *state.Space { return p.st.Latest().In(scope()) }

// rowsOf gives what a space holds, as it is stored.
func rowsOf(s *state.Space) map[string]string {
	out := map[string]string{}
	for d := range state.Rows(s) {
		out[d.Kind().Name()+"/"+d.ID()] = string(state.Encode(d.Row()))
	}
	return out
}

func oneOf[T any](r *rand.Rand, all []T) (one T) {
	if len(all) == 0 {
		return one
	}
	return all[r.IntN(len(all))]
}

func ids[K ~string, T any](p *past, k *state.Kind[K, T]) (out []string) {
	for row := range k.All(p.space()) {
		out = append(out, string(k.Key(row)))
	}
	return out
}

// call makes a random call, which may be refused.
func (p *past) call() {
	r := p.r
	groups, enis, lists := ids(p, state.Groups), ids(p, state.Interfaces), ids(p, state.PrefixLists)
	group := oneOf(r, groups)
	g := state.Groups.Get(p.space(), vpc.GroupID(group))
	rule := ""
	if g != nil && len(g.Rules) > 0 {
		rule = string(g.Rules[r.IntN(len(g.Rules))].ID)
	}
	way := oneOf(r, []string{"Ingress", "Egress"})
	perm := func(key string) []string {
		n := fmt.Sprint(r.IntN(20))
		out := []string{key + ".IpProtocol", "tcp", key + ".FromPort", n, key + ".ToPort", n}
		switch r.IntN(4) {
		case 0:
			return append(out, key+".Groups.1.GroupId", oneOf(r, groups))
		case 1:
			if len(lists) > 0 {
				return append(out, key+".PrefixListIds.1.PrefixListId", oneOf(r, lists))
			}
		}
		return append(out, key+".IpRanges.1.CidrIp", fmt.Sprintf("10.%d.0.0/16", r.IntN(4)), key+".IpRanges.1.Description", fmt.Sprint("d", r.IntN(3)))
	}
	try := func(action string, params ...string) { p.try("ec2:"+action, params...) }
	p.names++
	switch r.IntN(26) {
	case 0, 1:
		if len(groups) < 12 {
			try("CreateSecurityGroup", "GroupName", fmt.Sprint("g", r.IntN(30)), "GroupDescription", "d")
		}
	case 2:
		try("DeleteSecurityGroup", "GroupId", group)
	case 3, 4, 5, 6, 7:
		try("AuthorizeSecurityGroup"+way, append([]string{"GroupId", group}, perm("IpPermissions.1")...)...)
	case 8, 9, 10:
		try("RevokeSecurityGroup"+way, "GroupId", group, "SecurityGroupRuleId.1", rule)
	case 11:
		try("ModifySecurityGroupRules", "GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", rule, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "udp",
			"SecurityGroupRule.1.SecurityGroupRule.FromPort", "9", "SecurityGroupRule.1.SecurityGroupRule.ToPort", "9", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.9.0.0/16")
	case 12, 13:
		try("CreateTags", "ResourceId.1", oneOf(r, slices.Concat(groups, enis, lists, []string{rule})), "Tag.1.Key", oneOf(r, []string{"Name", "team"}), "Tag.1.Value", fmt.Sprint(r.IntN(4)))
	case 14:
		try("DeleteTags", "ResourceId.1", oneOf(r, slices.Concat(groups, enis, lists)), "Tag.1.Key", "team")
	case 15, 16:
		if len(enis) < 10 {
			try("CreateNetworkInterface", "SubnetId", oneOf(r, ids(p, state.Subnets)), "SecurityGroupId.1", group, "ClientToken", fmt.Sprint("t", p.names))
		}
	case 17:
		try("DeleteNetworkInterface", "NetworkInterfaceId", oneOf(r, enis))
	case 18, 19:
		try("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", oneOf(r, enis), "SecurityGroupId.1", group, "SecurityGroupId.2", oneOf(r, groups))
	case 20:
		if len(lists) < 4 {
			try("CreateManagedPrefixList", "PrefixListName", fmt.Sprint("l", r.IntN(9)), "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", "10.1.0.0/16")
		}
	case 21:
		if l := state.PrefixLists.Get(p.space(), vpc.PrefixListID(oneOf(r, lists))); l != nil {
			try("ModifyManagedPrefixList", "PrefixListId", string(l.ID), "CurrentVersion", fmt.Sprint(l.Version), "AddEntry.1.Cidr", fmt.Sprintf("10.%d.0.0/16", r.IntN(9)))
		}
	case 22:
		try("DeleteManagedPrefixList", "PrefixListId", oneOf(r, lists))
	case 23:
		try("CreateSubnet", "VpcId", oneOf(r, ids(p, state.VPCs)), "CidrBlock", fmt.Sprintf("172.31.%d.0/24", 100+r.IntN(20)))
	case 24:
		try("DeleteSubnet", "SubnetId", oneOf(r, ids(p, state.Subnets)))
	case 25:
		w := server.Change{Wish: change.Wish{Do: "rename", Group: group, New: fmt.Sprint("g", r.IntN(30))}}
		moat(p.t, p.url, testKey, testSecret, "change", w, nil)
	}
}

// A random history, of which a suffix is undone now and then: the state then is
// that before it, to the byte, in one revision, and undoing the undo gives what
// was before that. The long form: go test ./server -run UndoOfAnySuffix
// -undo-revisions 5000
func TestUndoOfAnySuffix(t *testing.T) {
	p := newPast(t, 1)
	views := map[uint64]*state.View{}
	undone, long := 0, 0
	first := p.st.Latest().Rev
	views[first] = p.st.Latest()
	for last := first; last < uint64(*undoRevisions); {
		p.call()
		now := p.st.Latest()
		if now.Rev == last {
			continue
		}
		last = now.Rev
		views[last] = now
		if p.r.IntN(12) > 0 {
			continue
		}
		from := first + 1 + p.r.Uint64N(last-first)
		if p.r.IntN(2) == 0 {
			from = last - min(last-first-1, p.r.Uint64N(6))
		}
		var out server.Undone
		if f := moat(t, p.url, testKey, testSecret, "undo", server.Undo{From: from, Since: true}, &out); f != nil {
			t.Fatalf("undo of revisions %d to %d: %+v", from, last, f)
		}
		want := rowsOf(views[from-1].In(scope()))
		if got := rowsOf(p.space()); !maps.Equal(got, want) {
			t.Fatalf("after undo of revisions %d to %d: %s", from, last, difference(got, want))
		}
		if out.Idle != maps.Equal(rowsOf(now.In(scope())), want) {
			t.Fatalf("undo of revisions %d to %d: nothing to do is %v", from, last, out.Idle)
		}
		if out.Idle {
			continue
		}
		undone++
		if last-from > 20 {
			long++
		}
		if out.Revision != last+1 || p.st.Latest().Rev != last+1 {
			t.Fatalf("undo of revisions %d to %d made revision %d", from, last, p.st.Latest().Rev)
		}
		last++
		views[last] = p.st.Latest()
		if p.r.IntN(3) > 0 {
			if f := moat(t, p.url, testKey, testSecret, "undo", server.Undo{}, &out); f != nil || out.From != last {
				t.Fatalf("undo of the undo, revision %d: %+v %+v", last, f, out)
			}
			if got, want := rowsOf(p.space()), rowsOf(now.In(scope())); !maps.Equal(got, want) {
				t.Fatalf("undo of the undo, revision %d: %s", last, difference(got, want))
			}
			last++
			views[last] = p.st.Latest()
		}
	}
	if undone < *undoRevisions/40 || long == 0 {
		t.Errorf("%d suffixes were undone, %d of them long: the history is too plain", undone, long)
	}
	t.Logf("%d revisions, %d suffixes undone", p.st.Latest().Rev, undone)
}

func difference(got, want map[string]string) string {
	var out []string
	for k, v := range want {
		if got[k] == "" {
			out = append(out, "lacks "+k)
		} else if got[k] != v {
			out = append(out, fmt.Sprintf("%s is %q, want %q", k, got[k], v))
		}
	}
	for k := range got {
		if want[k] == "" {
			out = append(out, "has "+k)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// A single revision out of the middle: it fits, or the refusal says what is in
// the way; what comes of it is a state that calls could have made.
func TestUndoOfOneRevisionLeavesASoundState(t *testing.T) {
	p := newPast(t, 2)
	done, unfit := 0, 0
	for p.st.Latest().Rev < uint64(*undoRevisions) {
		at := p.st.Latest().Rev
		if p.call(); p.st.Latest().Rev == at || p.r.IntN(3) > 0 {
			continue
		}
		at = p.st.Latest().Rev
		rev := at - min(at-2, p.r.Uint64N(40))
		var out server.Undone
		f := moat(t, p.url, testKey, testSecret, "undo", server.Undo{From: rev}, &out)
		switch {
		case f == nil && !out.Idle:
			done++
		case f != nil && f.Code == "NoLongerFits":
			unfit++
			if !strings.Contains(f.Message, fmt.Sprintf("Revision %d no longer fits: ", rev)) || p.st.Latest().Rev != at {
				t.Fatalf("%+v", f)
			}
		case f != nil && rev > 3:
			t.Fatalf("undo of revision %d: %+v", rev, f)
		}
		if wrong := unsound(p.space()); wrong != "" {
			t.Fatalf("after undo of revision %d at %d: %s\n%s", rev, at, wrong, strings.Join(out.Does, "\n"))
		}
	}
	if done < *undoRevisions/20 || unfit < *undoRevisions/100 {
		t.Errorf("%d undone, %d that no longer fit: the history is too plain", done, unfit)
	}
	t.Logf("%d undone, %d that no longer fit", done, unfit)
}

// unsound says what no calls could have brought about; "" for nothing.
func unsound(s *state.Space) string {
	names, addresses, subnets := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for g := range state.Groups.All(s) {
		name := string(g.VPC) + "/" + strings.ToLower(g.Name)
		if names[name] {
			return "two groups are called " + name
		}
		names[name] = true
		if state.VPCs.Get(s, g.VPC) == nil {
			return fmt.Sprintf("group %s is in VPC %s, which is gone", g.ID, g.VPC)
		}
		keys := map[vpc.RuleKey]bool{}
		for i := range g.Rules {
			r := &g.Rules[i]
			if keys[r.Key()] {
				return fmt.Sprintf("group %s has a rule twice: %s", g.ID, r)
			}
			keys[r.Key()] = true
			if id, ok := r.Peer.Group(); ok && state.Groups.Get(s, id) == nil {
				return fmt.Sprintf("rule %s names group %s, which is gone", r.ID, id)
			}
			if id, ok := r.Peer.PrefixList(); ok && state.PrefixLists.Get(s, id) == nil {
				return fmt.Sprintf("rule %s names list %s, which is gone", r.ID, id)
			}
		}
	}
	for i := range state.Interfaces.All(s) {
		if len(i.Groups) == 0 {
			return fmt.Sprintf("interface %s has no group", i.ID)
		}
		for _, id := range i.Groups {
			if state.Groups.Get(s, id) == nil {
				return fmt.Sprintf("interface %s has group %s, which is gone", i.ID, id)
			}
		}
		if state.Subnets.Get(s, i.Subnet) == nil {
			return fmt.Sprintf("interface %s is in subnet %s, which is gone", i.ID, i.Subnet)
		}
		for _, a := range i.Addresses {
			if k := state.AddressKey(i.Subnet, a); addresses[k] {
				return "two interfaces have " + k
			} else {
				addresses[k] = true
			}
		}
	}
	for n := range state.Subnets.All(s) {
		if subnets[n.CIDR.String()] {
			return "two subnets have " + n.CIDR.String()
		}
		subnets[n.CIDR.String()] = true
		if state.VPCs.Get(s, n.VPC) == nil {
			return fmt.Sprintf("subnet %s is in VPC %s, which is gone", n.ID, n.VPC)
		}
	}
	for v := range state.PrefixListVersions.All(s) {
		if state.PrefixLists.Get(s, v.List) == nil {
			return fmt.Sprintf("a version of list %s, which is gone", v.List)
		}
	}
	return ""
}

// What undo says, by what happened since.
func TestUndoSaysWhatStandsInTheWay(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	root.refused("DryRunOperation", "ec2:CreateVpc", "CidrBlock", "10.0.0.0/16", "DryRun", "true") // makes the default VPC
	undo := func(in server.Undo) (*server.Undone, *refusal) {
		t.Helper()
		out := &server.Undone{}
		f := moat(t, ts.URL, testKey, testSecret, "undo", in, out)
		return out, f
	}
	refused := func(in server.Undo, code string, says ...string) {
		t.Helper()
		at := st.Latest().Rev
		_, f := undo(in)
		if f == nil || f.Code != code || st.Latest().Rev != at {
			t.Fatalf("undo %+v: %+v, want %s", in, f, code)
		}
		for _, s := range says {
			if !strings.Contains(f.Message, s) {
				t.Errorf("undo %+v: %q does not say %q", in, f.Message, s)
			}
		}
	}
	furnished := st.Latest().Rev
	refused(server.Undo{}, "OperationNotPermitted", "nothing to undo")
	refused(server.Undo{From: furnished}, "OperationNotPermitted", "every account begins with")
	refused(server.Undo{From: 999}, "InvalidParameterValue", "no revision 999 yet")
	refused(server.Undo{To: 3}, "InvalidParameterValue")

	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	made := st.Latest().Rev
	rule := func(port string) []string {
		return []string{"GroupId", group, "IpProtocol", "tcp", "FromPort", port, "ToPort", port, "CidrIp", "192.0.2.7/32"}
	}
	root.must("ec2:AuthorizeSecurityGroupIngress", rule("22")...)
	opened := st.Latest().Rev
	root.must("ec2:AuthorizeSecurityGroupIngress", rule("80")...)
	root.must("iam:CreateUser", "UserName", "alice")
	identity := st.Latest().Rev
	refused(server.Undo{From: identity}, "OperationNotPermitted", "neither identities")

	// Another rule of the group stays; the preview says what goes.
	out, f := undo(server.Undo{From: opened, DryRun: true})
	if f != nil || len(out.Does) != 2 || !strings.Contains(out.Does[1], "- sgr-") || !strings.Contains(out.Does[1], "ssh 22/tcp from 192.0.2.7/32") || len(out.AWS) != 1 || !strings.Contains(out.AWS[0], "revoke-security-group-ingress") {
		t.Fatalf("%+v %+v", f, out)
	}
	if out, f = undo(server.Undo{From: opened, Expect: out.Digest}); f != nil || out.Revision != identity+1 {
		t.Fatalf("%+v %+v", f, out)
	}
	g := state.Groups.Get(st.Latest().In(scope()), vpc.GroupID(group))
	if len(g.Rules) != 2 || g.Rules[1].Ports.From != 80 {
		t.Errorf("rules: %+v", g.Rules)
	}
	if e := lastEvent(t, st); e.Service != "moat" || e.Action != "Undo" || e.Request != fmt.Sprintf("From=%d&To=%d", opened, opened) || len(e.Changed) != 1 {
		t.Errorf("the event: %+v", e)
	}
	if out, f = undo(server.Undo{From: opened}); f != nil || !out.Idle {
		t.Errorf("undone twice: %+v %+v", f, out)
	}
	// The same rule was added again since, under another id.
	root.must("ec2:AuthorizeSecurityGroupIngress", rule("22")...)
	refused(server.Undo{From: identity + 1}, "NoLongerFits", "has the rule ssh 22/tcp from 192.0.2.7/32 again", fmt.Sprintf("by revision %d (AuthorizeSecurityGroupIngress, root)", st.Latest().Rev))
	// The group is another one now.
	refused(server.Undo{From: made}, "NoLongerFits", "security group web ("+group+"), which was made then, is another one now", fmt.Sprintf("`moat undo %d..`", made))
	if _, f := undo(server.Undo{From: made, Since: true}); f != nil {
		t.Fatal(f)
	}
	if state.Groups.Get(st.Latest().In(scope()), vpc.GroupID(group)) != nil {
		t.Error("the group is there")
	}
	if body := root.must("iam:ListUsers"); !strings.Contains(body, "alice") {
		t.Error("undo took an identity away")
	}
	// Its name is another group's by then.
	gone := st.Latest().Rev
	other := element(root.must("ec2:CreateSecurityGroup", "GroupName", "WEB", "GroupDescription", "d"), "groupId")
	refused(server.Undo{From: gone}, "NoLongerFits", "security group web ("+group+`) needs the name "web", which security group WEB (`+other+") has now", fmt.Sprintf("revision %d (CreateSecurityGroup, root)", gone+1))
	root.must("ec2:DeleteSecurityGroup", "GroupId", other)
	if out, f = undo(server.Undo{From: gone}); f != nil || !slices.ContainsFunc(out.AWS, func(s string) bool { return strings.Contains(s, "another id") }) {
		t.Fatalf("%+v %+v", f, out)
	}

	// The newest is the newest, also where a revision has events of several calls.
	root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", group, "IpProtocol", "tcp", "FromPort", "400", "ToPort", "500", "CidrIp", "192.0.2.9/32")
	for range 4 {
		w := change.Wish{Do: "deny", Group: "web", What: "443", Peer: "192.0.2.9", Split: true}
		if f := moat(t, ts.URL, testKey, testSecret, "change", wish(w), nil); f != nil {
			t.Fatal(f)
		}
		for range 3 {
			at := st.Latest().Rev
			if out, f = undo(server.Undo{DryRun: true}); f != nil || out.From != at {
				t.Fatalf("the newest is %d: %+v %+v", at, f, out)
			}
			if _, f = undo(server.Undo{From: at}); f != nil {
				t.Fatal(f)
			}
		}
	}

	// What was made is used since.
	subnet := element(root.must("ec2:DescribeSubnets"), "subnetId")
	ops := element(root.must("ec2:CreateSecurityGroup", "GroupName", "ops", "GroupDescription", "d"), "groupId")
	created := st.Latest().Rev
	eni := element(root.must("ec2:CreateNetworkInterface", "SubnetId", subnet, "SecurityGroupId.1", ops), "networkInterfaceId")
	refused(server.Undo{From: created}, "NoLongerFits", "security group ops ("+ops+"), which was made then, is used by network interface "+eni, "(CreateNetworkInterface, root)")

	// What it needs is gone since.
	root.must("ec2:ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "SecurityGroupId.1", group)
	moved := st.Latest().Rev
	root.must("ec2:DeleteSecurityGroup", "GroupId", ops)
	refused(server.Undo{From: moved}, "NoLongerFits", "network interface "+eni+" needs "+ops+", which is gone", "(DeleteSecurityGroup, root)")
}

// Guardrails and the protection against lockout hold for an undo, and so does
// the permission to do it.
func TestUndoIsJudgedAsAnyCall(t *testing.T) {
	n := newNIC(t, nil)
	n.open = []agent.Session{{Local: netip.AddrPortFrom(n.own, 2222), Remote: netip.MustParseAddrPort("198.51.100.7:51000"), Owner: agent.OwnerSSH}}
	n.ec2(n.rule("Authorize", "Ingress", "2222", "0.0.0.0/0"))
	opened := n.store.Latest().Rev
	if code, m := n.enforce(map[string]any{}); code != "" {
		t.Fatal(m)
	}
	bound := n.store.Latest().Rev
	if _, code, m := n.admin("undo", server.Undo{From: opened}, nil); code != "OperationNotPermitted" || !strings.Contains(m, "198.51.100.7:51000 to port 2222 (SSH)") {
		t.Errorf("an undo that locks out: %s: %s", code, m)
	}
	if _, code, m := n.admin("undo", server.Undo{From: bound}, nil); code != "OperationNotPermitted" || !strings.Contains(m, "`moat enforce`") {
		t.Errorf("an undo of a binding: %s: %s", code, m)
	}

	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	subnet := element(root.must("ec2:DescribeSubnets"), "subnetId")
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	root.must("ec2:CreateNetworkInterface", "SubnetId", subnet, "SecurityGroupId.1", group)
	open := []string{"GroupId", group, "IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "0.0.0.0/0"}
	root.must("ec2:AuthorizeSecurityGroupIngress", open...)
	root.must("ec2:RevokeSecurityGroupIngress", open...)
	revoked := st.Latest().Rev
	if status, text := admin(t, ts.URL, "POST", "guardrail-set", `{"name":"ssh","sentence":"no interface may be reachable from the internet on tcp/22"}`); status != 200 {
		t.Fatal(text)
	}
	if f := moat(t, ts.URL, testKey, testSecret, "undo", server.Undo{From: revoked}, nil); f == nil || f.Code != "UnauthorizedOperation" || !strings.Contains(f.Message, `guardrail "ssh"`) {
		t.Errorf("an undo that a guardrail forbids: %+v", f)
	}
	if status, text := admin(t, ts.URL, "POST", "guardrail-remove", `{"name":"ssh"}`); status != 200 {
		t.Fatal(text)
	}
	alice(t, st, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`)
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: revoked}, nil); f == nil || f.Code != "AccessDenied" || strings.Contains(f.Message, "evision") {
		t.Errorf("alice, who may do all of EC2: %+v", f)
	}
	allow := func(condition string) {
		write(t, st, state.Scope{Account: account}, func(tx *state.Txn) {
			u := *state.Users.Get(tx, "alice")
			u.Inline = []iam.InlinePolicy{{Name: "p", Document: iam.NewText(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["moat:Undo","ec2:*"],"Resource":"*"}` + condition + `]}`)}}
			state.Users.Put(tx, &u)
		})
	}
	allow(`,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericEquals":{"moat:FromPort":"22"}}}`)
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: revoked}, nil); f == nil || f.Code != "AccessDenied" {
		t.Errorf("alice, who may not open port 22: %+v", f)
	}
	allow("")
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "undo", server.Undo{From: revoked}, nil); f != nil {
		t.Errorf("alice, who may undo: %+v", f)
	}
}

// Which device an interface is bound to is not taken back with the rest.
func TestUndoLeavesDevicesBound(t *testing.T) {
	s := newSite(t, nil)
	eni, group := s.furnish()
	made := s.store.Latest().Rev
	rule := func(port string) string { return opens(group, port, "192.0.2.7/32") }
	s.ec2(rule("80"))
	opened := s.store.Latest().Rev
	if status, code, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil); status != 200 {
		t.Fatal(code, m)
	}
	s.ec2("Action=CreateTags&ResourceId.1=" + eni + "&Tag.1.Key=Name&Tag.1.Value=x")
	s.ec2(rule("81"))
	if !s.passes(eni, 80) || !s.passes(eni, 81) {
		t.Fatal("the rules are not in force")
	}
	var out server.Undone
	if status, code, m := s.admin("undo", server.Undo{From: opened, Since: true}, &out); status != 200 {
		t.Fatal(code, m)
	}
	i := state.Interfaces.Get(s.store.Latest().In(scope()), vpc.InterfaceID(eni))
	if i.Attachment == nil || i.Attachment.Device == nil || i.Attachment.Device.Name != "veth0" || len(i.Tags) != 0 {
		t.Errorf("the interface: %+v", i)
	}
	if s.passes(eni, 80) || s.passes(eni, 81) || out.EnforcedAfter == nil || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "stays as it is") {
		t.Errorf("%+v %q", out, out.Notes)
	}
	if status, code, m := s.admin("undo", server.Undo{From: made, Since: true}, nil); status != 409 && code != "OperationNotPermitted" || !strings.Contains(m, "`moat detach` first") {
		t.Errorf("the interface itself: %d %s %s", status, code, m)
	}
}

// While others write all the time an undo finds its moment, or looks at
// everything there is: it is never judged on a state that is older than what it
// is done on.
func TestUndoAmongOthers(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	web := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	other := element(root.must("ec2:CreateSecurityGroup", "GroupName", "other", "GroupDescription", "d"), "groupId")
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for n := range 4 {
		busy.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				signed().post(t, ts.URL, fmt.Sprintf("Version=2016-11-15&Action=CreateTags&ResourceId.1=%s&Tag.1.Key=k%d&Tag.1.Value=%d", other, n, i))
			}
		})
	}
	defer busy.Wait()
	defer close(stop)
	for i := range 25 {
		port := fmt.Sprint(1000 + i)
		// The header tells which revision it was.
		resp := signed().post(t, ts.URL, "Version=2016-11-15&"+opens(web, port, "192.0.2.7/32"))
		read(t, resp)
		rev, err := strconv.ParseUint(resp.Header.Get("X-Moat-Revision"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		// A group that is named by then stands in the way, whoever is faster.
		if i%5 == 4 {
			friend := element(root.must("ec2:CreateSecurityGroup", "GroupName", "friend"+port, "GroupDescription", "d"), "groupId")
			made := st.Latest().Rev
			for ; ; made-- { // the revision that made it
				before, err := st.AsOf(context.Background(), made-1)
				if err != nil {
					t.Fatal(err)
				}
				if state.Groups.Get(before.In(scope()), vpc.GroupID(friend)) == nil {
					break
				}
			}
			root.must("ec2:AuthorizeSecurityGroupIngress", "GroupId", web, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", port, "IpPermissions.1.ToPort", port, "IpPermissions.1.Groups.1.GroupId", friend)
			if f := moat(t, ts.URL, testKey, testSecret, "undo", server.Undo{From: made}, nil); f == nil || f.Code != "NoLongerFits" || !strings.Contains(f.Message, "is used by security group web") {
				t.Fatalf("a group that a rule names: %+v", f)
			}
		}
		if f := moat(t, ts.URL, testKey, testSecret, "undo", server.Undo{From: rev}, nil); f != nil {
			t.Fatalf("undo of revision %d: %+v", rev, f)
		}
		g := state.Groups.Get(st.Latest().In(scope()), vpc.GroupID(web))
		if slices.ContainsFunc(g.Rules, func(r vpc.Rule) bool { return fmt.Sprint(r.Ports.From) == port && r.Peer.Ref == "" }) {
			t.Fatalf("the rule for port %s is there", port)
		}
	}
}
