package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"moat/agent"
	"moat/server"
	"moat/sigv4"
	"moat/state"
	"moat/store"
	"moat/trail"
	"moat/vpc"
)

// A refusal of moat's own API.
type refusal struct {
	Code, Message, Action string
	Call                  int
}

// moat calls moat's own API as somebody; out may be nil.
func moat(t *testing.T, url, key, secret, call string, in, out any) *refusal {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("POST", url+server.AdminPath+call, strings.NewReader(string(body)))
	sigv4.Sign(r, body, sigv4.Credential{AccessKeyID: key, Region: "us-east-1", Service: server.ServiceMoat}, secret, "", time.Now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, resp)
	if resp.StatusCode == 200 {
		if out != nil {
			if err := json.Unmarshal([]byte(text), out); err != nil {
				t.Fatalf("%s: %v in %s", call, err, text)
			}
		}
		return nil
	}
	f := &refusal{}
	if err := json.Unmarshal([]byte(text), f); err != nil || f.Code == "" {
		t.Fatalf("%s: a refusal that is no JSON: %s", call, text)
	}
	return f
}

func lastEvent(t *testing.T, st *store.Store) *store.Event {
	t.Helper()
	entries, err := st.Scan(context.Background(), store.Audit, st.Latest().Rev, 1)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the event of revision %d: %v", st.Latest().Rev, err)
	}
	e, err := store.DecodeEvent(entries[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func calls(forms ...string) server.Batch {
	b := server.Batch{}
	for _, f := range forms {
		b.Calls = append(b.Calls, server.BatchCall{Form: f})
	}
	return b
}

func opens(group, port, cidr string) string {
	return "Action=AuthorizeSecurityGroupIngress&GroupId=" + group + "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=" + port +
		"&IpPermissions.1.ToPort=" + port + "&IpPermissions.1.IpRanges.1.CidrIp=" + cidr
}

// A batch is one revision with an entry for each call in its event, each call
// sees what the ones before it did, and any refusal refuses it whole.
func TestABatchIsOneRevisionOrNothing(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	space := func() state.Reader { return st.Latest().In(state.Scope{Region: "us-east-1", Account: account}) }
	rules := func() int { return len(state.Groups.Get(space(), vpc.GroupID(group)).Rules) }
	before := st.Latest().Rev

	good := calls(opens(group, "22", "192.0.2.1/32"), opens(group, "23", "192.0.2.1/32"),
		"Action=RevokeSecurityGroupIngress&GroupId="+group+"&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=192.0.2.1/32")
	good.DryRun = true
	var reply server.BatchReply
	if f := moat(t, ts.URL, testKey, testSecret, "batch", good, &reply); f != nil {
		t.Fatal(f)
	}
	if st.Latest().Rev != before || rules() != 1 || len(reply.Calls) != 3 || reply.Revision != before {
		t.Errorf("a dry run: revision %d, was %d; %d rules; %+v", st.Latest().Rev, before, rules(), reply)
	}
	good.DryRun = false
	if f := moat(t, ts.URL, testKey, testSecret, "batch", good, &reply); f != nil {
		t.Fatal(f)
	}
	if st.Latest().Rev != before+1 || rules() != 2 || reply.Revision != before+1 || reply.Enforced != "yes" || reply.EnforcedAfter != nil {
		t.Errorf("revision %d, was %d; %d rules; %+v", st.Latest().Rev, before, rules(), reply)
	}
	if x := reply.Calls[1].Response; !strings.Contains(x, "<AuthorizeSecurityGroupIngressResponse") || element(x, "requestId") != reply.Calls[1].RequestID || element(x, "fromPort") != "23" {
		t.Errorf("the second answer: %s", x)
	}
	es, _, err := st.Events(t.Context(), trail.Place{Rev: st.Latest().Rev}, 10)
	if err != nil || len(es) != 4 {
		t.Fatalf("%d events of the batch, want what it was and its three calls: %v", len(es), err)
	}
	if e := es[0]; e.Service != "moat" || e.Action != "Batch" || e.Changed != nil || e.Rules != nil {
		t.Errorf("the event of the batch: %+v", e)
	}
	if e := es[2]; e.Service != "ec2" || e.Action != "AuthorizeSecurityGroupIngress" || !strings.Contains(e.Request, "FromPort=23") ||
		e.RequestID != reply.Calls[1].RequestID || len(e.Changed) != 1 || len(e.Rules) != 1 || !strings.HasSuffix(e.Rules[0], " in tcp 23 192.0.2.1/32") || e.Place().String() != fmt.Sprintf("%d.2", before+1) {
		t.Errorf("the event of the second call: %+v", e)
	}
	if e := es[3]; e.Action != "RevokeSecurityGroupIngress" || len(e.Rules) != 1 || e.Rules[0][0] != '-' {
		t.Errorf("the event of the third call: %+v", e)
	}

	// One call alone is that call in the audit trail.
	if f := moat(t, ts.URL, testKey, testSecret, "batch", calls(opens(group, "24", "192.0.2.1/32")), &reply); f != nil {
		t.Fatal(f)
	}
	if e := lastEvent(t, st); e.Service != "ec2" || e.Action != "AuthorizeSecurityGroupIngress" || e.RequestID != reply.Calls[0].RequestID || !strings.Contains(e.Request, "FromPort=24") {
		t.Errorf("the event of one call: %+v", e)
	}

	at, had := st.Latest().Rev, rules()
	stale := calls(opens(group, "25", "192.0.2.1/32"))
	stale.IfRevision = at - 1
	dry := calls(opens(group, "25", "192.0.2.1/32") + "&DryRun=true")
	for _, row := range []struct {
		what, code, message string
		call                int
		in                  server.Batch
	}{
		{"the second is there already", "InvalidPermission.Duplicate", "Call 2 of 2, AuthorizeSecurityGroupIngress: the specified rule", 2, calls(opens(group, "26", "192.0.2.1/32"), opens(group, "26", "192.0.2.1/32"))},
		{"alone it is EC2's own word", "InvalidGroup.NotFound", "The security group 'sg-00000000000000000' does not exist", 1, calls(opens("sg-00000000000000000", "26", "192.0.2.1/32"))},
		{"it only reads", "InvalidRequest", "DescribeVpcs changes nothing", 1, calls("Action=DescribeVpcs")},
		{"no action", "InvalidAction", "Nothing", 1, calls("Action=Nothing")},
		{"a form that is none", "MalformedQueryString", "", 1, calls("%zz")},
		{"a parameter nobody knows", "UnknownParameter", "Colour", 2, calls(opens(group, "26", "192.0.2.1/32"), opens(group, "27", "192.0.2.1/32")+"&Colour=red")},
		{"an older revision", "RevisionChanged", "look again", 0, stale},
		{"a call that is a dry run", "InvalidRequest", "dry_run of the batch", 1, dry},
		{"nothing", "InvalidParameterValue", "from 1 to", 0, server.Batch{}},
	} {
		f := moat(t, ts.URL, testKey, testSecret, "batch", row.in, nil)
		if f == nil || f.Code != row.code || !strings.Contains(f.Message, row.message) || f.Call != row.call {
			t.Errorf("%s: %+v, want %s, call %d: …%s…", row.what, f, row.code, row.call, row.message)
		}
	}
	if st.Latest().Rev != at || rules() != had {
		t.Errorf("refusals changed something: revision %d, was %d", st.Latest().Rev, at)
	}
}

// Every principal may send a batch; each of its calls needs the permission that
// it needs alone, on the rule that it adds and not on those of its neighbours.
func TestEachCallOfABatchIsAuthorised(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	group := func(name string) string {
		return element(root.must("ec2:CreateSecurityGroup", "GroupName", name, "GroupDescription", "d"), "groupId")
	}
	web, db := group("web"), group("db")
	alice(t, st, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:AuthorizeSecurityGroupIngress","Resource":"*"},
		{"Effect":"Deny","Action":"ec2:AuthorizeSecurityGroupIngress","Resource":"arn:aws:ec2:us-east-1:`+account+`:security-group/`+db+`","Condition":{"NumericEquals":{"moat:FromPort":"22"}}}]}`)
	send := func(in server.Batch) *refusal {
		t.Helper()
		return moat(t, ts.URL, aliceKey, aliceSecret, "batch", in, nil)
	}
	at := st.Latest().Rev

	if f := send(calls(opens(web, "80", "0.0.0.0/0"), "Action=DeleteSecurityGroup&GroupId="+db)); f == nil || f.Code != "UnauthorizedOperation" || f.Call != 2 || f.Action != "DeleteSecurityGroup" {
		t.Errorf("a call that alice may not make: %+v", f)
	}
	if f := send(calls(opens(web, "22", "0.0.0.0/0"), opens(db, "22", "0.0.0.0/0"))); f == nil || f.Code != "UnauthorizedOperation" || f.Call != 2 {
		t.Errorf("a rule that alice may not add: %+v", f)
	}
	if st.Latest().Rev != at {
		t.Fatal("a refused batch changed something")
	}
	// Port 22 is web's: what is asked about db is the rule of db.
	if f := send(calls(opens(web, "22", "0.0.0.0/0"), opens(db, "80", "0.0.0.0/0"))); f != nil {
		t.Errorf("what alice may do: %+v", f)
	}
	if e := lastEvent(t, st); st.Latest().Rev != at+1 || !strings.HasSuffix(e.Principal, "user/alice") {
		t.Errorf("revision %d, was %d; by %s", st.Latest().Rev, at, e.Principal)
	}
	if f := moat(t, ts.URL, aliceKey, "wrong", "batch", calls(opens(web, "81", "0.0.0.0/0")), nil); f == nil || f.Code == "" {
		t.Error("a wrong signature is taken")
	}
	if f := moat(t, ts.URL, aliceKey, aliceSecret, "guardrail-set", server.Guardrail{Name: "x"}, nil); f == nil || f.Code != "AccessDenied" {
		t.Errorf("what is the operator's alone: %+v", f)
	}
}

// Guardrails judge what a batch comes to, not its steps.
func TestGuardrailsJudgeABatchWhole(t *testing.T) {
	ts, st := newAPI(t, nil)
	root := rootOf(t, ts)
	subnet := element(root.must("ec2:DescribeSubnets"), "subnetId")
	group := element(root.must("ec2:CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d"), "groupId")
	root.must("ec2:CreateNetworkInterface", "SubnetId", subnet, "SecurityGroupId.1", group)
	if status, text := admin(t, ts.URL, "POST", "guardrail-set", `{"name":"ssh","sentence":"no interface may be reachable from the internet on tcp/22"}`); status != 200 {
		t.Fatal(text)
	}
	at := st.Latest().Rev
	opened := calls(opens(group, "80", "0.0.0.0/0"), opens(group, "22", "0.0.0.0/0"))
	for _, opened.DryRun = range []bool{true, false} {
		if f := moat(t, ts.URL, testKey, testSecret, "batch", opened, nil); f == nil || f.Code != "UnauthorizedOperation" || !strings.Contains(f.Message, `guardrail "ssh"`) {
			t.Errorf("dry %v: %+v", opened.DryRun, f)
		}
	}
	if st.Latest().Rev != at {
		t.Error("a refused batch changed something")
	}
	closed := calls(opens(group, "22", "0.0.0.0/0"), "Action=RevokeSecurityGroupIngress&GroupId="+group+"&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=0.0.0.0/0", opens(group, "80", "0.0.0.0/0"))
	if f := moat(t, ts.URL, testKey, testSecret, "batch", closed, nil); f != nil {
		t.Errorf("a batch that leaves nothing open: %+v", f)
	}
}

// A batch that is in force says how long that took.
func TestABatchIsEnforced(t *testing.T) {
	s := newSite(t, nil)
	eni, group := s.furnish()
	if status, code, m := s.admin("attach", map[string]string{"interface": eni, "device": "veth0"}, nil); status != 200 {
		t.Fatal(code, m)
	}
	var reply server.BatchReply
	if status, code, m := s.admin("batch", calls(opens(group, "80", "192.0.2.7/32"), opens(group, "81", "192.0.2.7/32")), &reply); status != 200 {
		t.Fatal(code, m)
	}
	if reply.Enforced != "yes" || reply.EnforcedAfter == nil || *reply.EnforcedAfter <= 0 || !s.passes(eni, 80) || !s.passes(eni, 81) || s.passes(eni, 82) {
		t.Errorf("%+v", reply)
	}
}

func TestABatchLocksNobodyOut(t *testing.T) {
	n := newNIC(t, nil)
	n.open = []agent.Session{{Local: netip.AddrPortFrom(n.own, 2222), Remote: netip.MustParseAddrPort("198.51.100.7:51000"), Owner: agent.OwnerSSH}}
	n.ec2(n.rule("Authorize", "Ingress", "2222", "0.0.0.0/0"))
	if code, m := n.enforce(map[string]any{}); code != "" {
		t.Fatal(m)
	}
	cut := calls(opens(n.group, "80", "0.0.0.0/0"), n.rule("Revoke", "Ingress", "2222", "0.0.0.0/0"))
	for _, cut.DryRun = range []bool{true, false} {
		if _, code, m := n.admin("batch", cut, nil); code != "OperationNotPermitted" || !strings.Contains(m, "198.51.100.7:51000 to port 2222 (SSH)") {
			t.Errorf("dry %v: %s: %s", cut.DryRun, code, m)
		}
	}
	// What keeps the session is in the same revision.
	if status, code, m := n.admin("batch", calls(n.rule("Revoke", "Ingress", "2222", "0.0.0.0/0"), n.rule("Authorize", "Ingress", "2222", "198.51.100.7/32")), nil); status != 200 {
		t.Errorf("%s: %s", code, m)
	}
}
